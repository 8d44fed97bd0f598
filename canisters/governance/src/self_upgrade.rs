//! Governance upgrades itself. It is its own and only controller, and no canister can stop
//! itself and go on; so the module is installed into the running canister, and this file
//! sees to it that no callback of the old code is left to meet the new.
//!
//! ```text
//! begun: no new calls --(every call answered)--> sealed: no timers either
//!    --(a few messages to itself)--> install sent, its answer wanted by nobody
//!        --> new code: its module hash tells the outcome
//!        --> still the old code after a while: failed, all goes on as before
//! ```
//! What must hold: when the new code starts, no callback is outstanding. Calls are counted
//! (`runtime`) and each ends within its time limit, so a callee that never answers delays
//! this by minutes and cannot prevent it. A timer's job runs in a message that the timer
//! library sends to the canister itself, whose answer calls back too; messages to itself
//! keep their order, so that a few of them sent after the last timer come after it.
//! `install` is sent without a callback. Whatever goes wrong, the journal entry is there,
//! and either the new code or the last timer of the old one records the outcome.

use std::time::Duration;

use candid::Principal;
use minicbor::{Decode, Encode};

use crate::actions::{Action, Performed, Upgrade, install_call};
use crate::cbor::Cbor;
use crate::execution::{self, external};
use crate::memory::with_state;
use crate::proposal::Failure;
use crate::runtime::{self, Traffic};
use crate::{housekeeping, management};

pub const METHOD: &str = "c2c_upgrade_itself";
const WAIT: Duration = Duration::from_secs(1);
/// One is enough to be after the answer to the last timer's message; see above.
const MESSAGES_TO_ITSELF: u8 = 3;
/// The install is dropped if it did not begin by then, ...
const INSTALL_TIMEOUT_SECONDS: u32 = 60;
/// ... so that by then it has begun or never will; and while it is under way, no timer
/// of this canister fires.
const GIVE_UP_AFTER: Duration = Duration::from_secs(150);
const ASK_AGAIN: Duration = Duration::from_secs(10);

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct SelfUpgrade {
    #[n(0)]
    pub proposal: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub module_hash: [u8; 32],
    #[n(2)]
    pub is_sent: bool,
}

fn under_way() -> Option<SelfUpgrade> {
    with_state(|state| state.self_upgrade.get().0.clone())
}

pub fn is_under_way() -> bool {
    under_way().is_some()
}

pub fn begin(proposal: u64, upgrade: &Upgrade) -> Performed {
    with_state(|state| {
        state.self_upgrade.set(Cbor(Some(SelfUpgrade {
            proposal,
            module_hash: upgrade.module_hash,
            is_sent: false,
        })));
    });
    wait();
    Performed::InJournal
}

fn wait() {
    runtime::set_traffic(Traffic::NoNewCalls);
    runtime::run_after(WAIT, seal_when_silent());
}

/// To be called after every upgrade, whoever made it.
pub fn go_on_after_upgrade() {
    match under_way() {
        None => {}
        Some(upgrade) if upgrade.is_sent => runtime::run_after(Duration::ZERO, learn_outcome()),
        // Somebody else was quicker, with other code: this one is still to be done.
        Some(_) => wait(),
    }
}

async fn seal_when_silent() {
    if under_way().is_none_or(|upgrade| upgrade.is_sent) {
        return;
    }
    if runtime::calls_in_flight() > 0 {
        return runtime::run_after(WAIT, again());
    }
    runtime::set_traffic(Traffic::Sealed);
    runtime::forget_timers();
    runtime::run_after_sealing(GIVE_UP_AFTER, give_up_by_timer());
    send_to_itself(0);
}

/// A boxed `seal_when_silent`, since a future cannot contain itself.
fn again() -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(seal_when_silent())
}

/// Where it cannot be sent, the last timer gives up.
fn send_to_itself(number: u8) {
    let argument = candid::encode_one(number).expect("BUG: a number encodes");
    runtime::send_without_answer(runtime::canister_self(), METHOD, &argument, None);
}

/// One of the messages to itself; the last sends the install.
pub fn step(caller: Principal, number: u8) {
    assert!(
        caller == runtime::canister_self(),
        "only governance itself may call this"
    );
    let Some(upgrade) = under_way().filter(|upgrade| !upgrade.is_sent) else {
        return;
    };
    if runtime::calls_in_flight() > 0 {
        return wait();
    }
    if number < MESSAGES_TO_ITSELF {
        return send_to_itself(number + 1);
    }
    let proposal = upgrade.proposal;
    let call = with_state(|state| {
        let action = state.content_of(proposal).map(|content| content.action);
        let Ok(Action::UpgradeCanister { upgrade: module }) = action else {
            panic!("BUG: proposal {proposal} is no upgrade");
        };
        let call = install_call(&module, state, proposal)?;
        state.self_upgrade.set(Cbor(Some(SelfUpgrade {
            is_sent: true,
            ..upgrade
        })));
        Ok::<_, crate::refusal::Refusal>(call)
    });
    match call {
        Err(refusal) => end(Err(refusal.into())),
        Ok((method, argument)) => {
            let is_sent = runtime::send_without_answer(
                Principal::management_canister(),
                method,
                &argument,
                Some(INSTALL_TIMEOUT_SECONDS),
            );
            if !is_sent {
                end(Err(external(
                    "the install could not be sent: governance has too few cycles for it"
                        .to_string(),
                )));
            }
        }
    }
}

async fn give_up_by_timer() {
    if is_under_way() {
        end(Err(external(
            "the module was not installed: the management canister refused it, or it trapped \
             when it started; governance goes on with the code that it has"
                .to_string(),
        )));
    }
}

/// Runs in the code that was installed.
async fn learn_outcome() {
    let Some(upgrade) = under_way() else {
        return;
    };
    match management::module_hash(runtime::canister_self()).await {
        Err(_) => runtime::run_after(ASK_AGAIN, learn_again()),
        Ok(hash) if hash.as_deref() == Some(&upgrade.module_hash) => end(Ok(())),
        Ok(hash) => end(Err(external(format!(
            "governance runs the module {} and not the one that was proposed",
            hash.map_or("(none)".to_string(), hex::encode)
        )))),
    }
}

fn learn_again() -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(learn_outcome())
}

/// Records the outcome, and all goes on.
fn end(outcome: Result<(), Failure>) {
    let Some(upgrade) = under_way() else {
        return;
    };
    execution::record(upgrade.proposal, outcome);
    with_state(|state| state.self_upgrade.set(Cbor(None)));
    if runtime::set_traffic(Traffic::Open) == Traffic::Sealed {
        // Sealing took all timers.
        housekeeping::start();
    }
}
