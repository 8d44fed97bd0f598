//! What a real ledger does now and then, on demand: refuse, lose an answer, answer late.
//! For tests of those who call it; mainnet's ledgers have nothing of this, and nothing
//! but a test calls it.
//!
//! A fault waits in stable memory until a call of its method meets it, so it also works
//! across an upgrade. A query cannot count: there a fault holds until it is cleared.

use candid::{CandidType, Principal};
use minicbor::{Decode, Encode};
use serde::Deserialize;

use crate::ledger::Cbor;
use crate::memory::with_ledger;
use crate::refusal::Refusal;
use crate::runtime;

const FAULTS_MAX: usize = 100;
const LATE_SECONDS_MAX: u64 = 300;

#[derive(CandidType, Deserialize, Encode, Decode, Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// Rejected before anything happened.
    #[n(0)]
    Reject,
    /// Done, and then rejected: the caller cannot tell that it was done.
    #[n(1)]
    LoseAnswer,
    /// Done, and answered so many seconds later.
    #[n(2)]
    AnswerLate {
        #[n(0)]
        seconds: u64,
    },
    /// `TemporarilyUnavailable`, which the ICP `transfer` says by a reject.
    #[n(3)]
    TemporarilyUnavailable,
}

#[derive(CandidType, Deserialize, Encode, Decode, Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    #[n(0)]
    pub method: String,
    #[n(1)]
    pub kind: FaultKind,
    /// So many calls go well before.
    #[n(2)]
    pub after_calls: u32,
    /// So many calls meet it.
    #[n(3)]
    pub calls: u32,
}

/// Replaces all faults. Controllers only.
pub fn set(caller: Principal, faults: Vec<Fault>) {
    if !runtime::is_controller(&caller) {
        runtime::trap("only a controller may make this stand-in fail");
    }
    if faults.len() > FAULTS_MAX {
        runtime::trap("at most 100 faults");
    }
    for fault in &faults {
        if let FaultKind::AnswerLate { seconds } = fault.kind
            && seconds > LATE_SECONDS_MAX
        {
            runtime::trap("an answer can be 300 seconds late at most");
        }
    }
    with_ledger(|ledger| ledger.faults.set(Cbor(faults)));
}

pub fn pending() -> Vec<Fault> {
    with_ledger(|ledger| ledger.faults.get().0.clone())
}

/// The fault that this call meets, if one waits for it; to be asked once a call.
fn take(method: &str) -> Option<FaultKind> {
    with_ledger(|ledger| {
        let mut faults = ledger.faults.get().0.clone();
        let index = faults.iter().position(|fault| fault.method == method)?;
        let fault = &mut faults[index];
        let met = if fault.after_calls > 0 {
            fault.after_calls -= 1;
            None
        } else {
            fault.calls = fault.calls.saturating_sub(1);
            Some(fault.kind)
        };
        if fault.calls == 0 {
            faults.remove(index);
        }
        ledger.faults.set(Cbor(faults));
        met
    })
}

/// Answers a request, with the fault that waits for it if one does.
pub async fn answer<T>(
    method: &str,
    request: impl FnOnce() -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let Some(fault) = take(method) else {
        return request();
    };
    // A trap would undo the count: where one is due, the count stays in an earlier message.
    match fault {
        FaultKind::Reject => {
            runtime::let_go().await;
            runtime::trap("this stand-in was told to reject the call")
        }
        FaultKind::TemporarilyUnavailable => {
            runtime::let_go().await;
            Err(Refusal::TemporarilyUnavailable)
        }
        FaultKind::LoseAnswer => {
            let answer = request();
            runtime::let_go().await;
            drop(answer);
            runtime::trap("this stand-in was told to lose the answer")
        }
        FaultKind::AnswerLate { seconds } => {
            let answer = request();
            let until = runtime::time_nanos() + seconds * 1_000_000_000;
            while runtime::time_nanos() < until {
                runtime::let_go().await;
            }
            answer
        }
    }
}

/// For queries: what they count is gone with them.
pub fn answer_query(method: &str) {
    if take(method).is_some() {
        runtime::trap("this stand-in was told to reject the query");
    }
}
