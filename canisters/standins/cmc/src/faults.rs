//! What a real minting canister does now and then, on demand, for tests of those who call
//! it. Mainnet's has nothing of this, and nothing but a test calls it.

use candid::Principal;
use stoa_cmc_api::{Fault, FaultKind, NotifyError};

use crate::memory::with_state;
use crate::runtime::{self, CallFailure};

const FAULTS_MAX: usize = 100;
const LATE_SECONDS_MAX: u64 = 300;

/// Replaces all faults. Controllers only.
pub fn set(caller: Principal, faults: Vec<Fault>) {
    assert!(
        runtime::is_controller(&caller),
        "only a controller may make this stand-in fail"
    );
    assert!(faults.len() <= FAULTS_MAX, "at most {FAULTS_MAX} faults");
    for fault in &faults {
        if let FaultKind::AnswerLate { seconds } = fault.kind {
            assert!(
                seconds <= LATE_SECONDS_MAX,
                "an answer can be {LATE_SECONDS_MAX} seconds late at most"
            );
        }
    }
    store(&faults);
}

pub fn pending() -> Vec<Fault> {
    let bytes = with_state(|state| state.faults.get().clone());
    if bytes.is_empty() {
        return vec![];
    }
    candid::decode_one(&bytes).expect("BUG: stored faults do not decode")
}

/// In Candid, as they came: a test's order need not outlive the code that understands it.
fn store(faults: &[Fault]) {
    let bytes = candid::encode_one(faults).expect("BUG: faults encode");
    with_state(|state| state.faults.set(bytes));
}

/// The fault that this notification meets, if one waits for it; to be asked once a call.
pub fn take() -> Option<FaultKind> {
    let mut faults = pending();
    let fault = faults.first_mut()?;
    let met = if fault.after_calls > 0 {
        fault.after_calls -= 1;
        None
    } else {
        fault.calls = fault.calls.saturating_sub(1);
        Some(fault.kind.clone())
    };
    if fault.calls == 0 {
        faults.remove(0);
    }
    store(&faults);
    met
}

/// The answer that is given instead of doing anything. Where a trap is due, the count
/// stays in an earlier message.
pub async fn before(fault: &Option<FaultKind>) -> Option<NotifyError> {
    match fault {
        Some(FaultKind::Reject) => {
            runtime::let_go().await;
            panic!("this stand-in was told to reject the call");
        }
        Some(FaultKind::Answer(error)) => Some(error.clone()),
        Some(FaultKind::LoseAnswer | FaultKind::AnswerLate { .. } | FaultKind::Undeliverable)
        | None => None,
    }
}

/// To be awaited when everything is done and nothing is answered.
pub async fn after(fault: &Option<FaultKind>) {
    match fault {
        Some(FaultKind::LoseAnswer) => {
            runtime::let_go().await;
            panic!("this stand-in was told to lose the answer");
        }
        Some(FaultKind::AnswerLate { seconds }) => {
            let until = runtime::time_nanos() + seconds * 1_000_000_000;
            while runtime::time_nanos() < until {
                runtime::let_go().await;
            }
        }
        Some(FaultKind::Reject | FaultKind::Answer(_) | FaultKind::Undeliverable) | None => {}
    }
}

pub fn undeliverable() -> CallFailure {
    CallFailure::new("this stand-in was told that nothing can be delivered")
}
