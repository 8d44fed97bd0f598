//! What governance pays from the treasury: on the word of a proposal, and for cycles.
//!
//! ```text
//! Transferring --> Paid                                    a transfer that a proposal asked for
//!      |    +----> Notifying --> Credited | Refunded       a top-up
//!      |               +-------> NotCredited               the minting canister does not accept it
//!      +-----------> Failed                                the ledger refused, nothing moved
//!      +-----------> Unresolved                            no answer within the ledger's window
//! ```
//! What must hold: the intent is in the journal before a request leaves, so that a trap or
//! an upgrade at any moment neither loses nor repeats a payment. A request is repeated with
//! the same arguments only; `in_doubt` says whether an earlier one may have gone through,
//! and while it does, no refusal of a later one is taken for a failure of all unless the
//! ledger looks for duplicates first. Each payment has a time of its own, since two equal
//! transfers of one time would be one to the ledger. Whoever waits for the outcome learns
//! it in the message that writes it down.

use std::time::Duration;

use candid::{Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use minicbor::{Decode, Encode};
use stoa_cmc_api::{NotifyError, NotifyTopUpArg, NotifyTopUpResult};
use stoa_governance_api as api;

use crate::busy::{Place, Places};
use crate::cbor::Cbor;
use crate::execution::{self, external};
use crate::housekeeping::INTERVAL;
use crate::ledger::{self, Outcome, Transfer, WINDOW_NANOS};
use crate::memory::{State, with_state};
use crate::{dao_canisters, runtime};

/// The oldest that is over goes when there are more. At 300 bytes each it is 3 MB.
const PAYMENTS_KEPT_MAX: u64 = 10_000;
const LISTED_MAX: usize = 100;
const WOKEN_AT_ONCE_MAX: usize = 50;
/// The wait after a failed attempt doubles from the first to the second of these.
const RETRY_SECONDS_MIN: u64 = 2;
const RETRY_SECONDS_MAX: u64 = 10 * 60;
const NOTIFY_TIMEOUT_SECONDS: u32 = 120;
const NOTIFY_DECODING_QUOTA: usize = 50_000;
/// For so long the minting canister is asked for what was paid. It remembers a million
/// payments, which is longer.
const NOTIFY_PATIENCE_NANOS: u64 = 7 * 24 * 60 * 60 * 1_000_000_000;
const REASON_LENGTH_BYTES_MAX: usize = 1_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Ledger {
    #[n(0)]
    Icp,
    #[n(1)]
    Token,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Purpose {
    #[n(0)]
    Proposal {
        #[n(0)]
        id: u64,
    },
    #[n(1)]
    TopUp {
        #[cbor(n(0), with = "crate::cbor::principal")]
        canister: Principal,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Stage {
    #[n(0)]
    Transferring,
    #[n(1)]
    Notifying {
        #[n(0)]
        block: u64,
    },
    #[n(2)]
    Paid {
        #[n(0)]
        block: u64,
    },
    #[n(3)]
    Credited {
        #[n(0)]
        block: u64,
        #[cbor(n(1), with = "crate::cbor::wide")]
        cycles: u128,
    },
    #[n(4)]
    Refunded {
        #[n(0)]
        block: Option<u64>,
        #[n(1)]
        reason: String,
    },
    #[n(5)]
    Failed {
        #[n(0)]
        reason: String,
    },
    #[n(6)]
    Unresolved {
        #[n(0)]
        reason: String,
    },
    #[n(7)]
    NotCredited {
        #[n(0)]
        block: u64,
        #[n(1)]
        reason: String,
    },
}

impl Stage {
    fn is_open(&self) -> bool {
        matches!(self, Self::Transferring | Self::Notifying { .. })
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Payment {
    #[n(0)]
    pub ledger: Ledger,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub from_subaccount: Option<[u8; 32]>,
    #[cbor(n(2), with = "crate::cbor::principal")]
    pub to: Principal,
    #[cbor(n(3), with = "minicbor::bytes")]
    pub to_subaccount: Option<[u8; 32]>,
    #[n(4)]
    pub amount_e8s: u64,
    #[cbor(n(5), with = "minicbor::bytes")]
    pub memo: Vec<u8>,
    #[n(6)]
    pub created_at_nanos: u64,
    #[n(7)]
    pub purpose: Purpose,
    #[n(8)]
    pub stage: Stage,
    #[n(9)]
    pub attempts: u32,
    /// An earlier request may have gone through.
    #[n(10)]
    pub in_doubt: bool,
    #[n(11)]
    pub next_attempt_seconds: u64,
}

/// What is to be paid; the journal adds the rest.
pub struct Order {
    pub ledger: Ledger,
    pub from_subaccount: Option<[u8; 32]>,
    pub to: Account,
    pub amount_e8s: u64,
    pub memo: Vec<u8>,
    pub purpose: Purpose,
}

impl State {
    /// A time for a transfer that no other transfer of governance has.
    pub fn transfer_time(&mut self) -> u64 {
        let time = runtime::time_nanos().max(*self.last_transfer_nanos.get() + 1);
        self.last_transfer_nanos.set(time);
        time
    }

    /// Writes the intent down; `advance` does the rest.
    pub fn open_payment(&mut self, order: Order) -> u64 {
        self.forget_an_old_payment();
        let id = self
            .payments
            .last_key_value()
            .map_or(0, |(newest, _)| newest + 1);
        let payment = Payment {
            ledger: order.ledger,
            from_subaccount: order.from_subaccount,
            to: order.to.owner,
            to_subaccount: order.to.subaccount,
            amount_e8s: order.amount_e8s,
            memo: order.memo,
            created_at_nanos: self.transfer_time(),
            purpose: order.purpose,
            stage: Stage::Transferring,
            attempts: 0,
            in_doubt: false,
            next_attempt_seconds: runtime::now_seconds(),
        };
        self.payments.insert(id, Cbor(payment));
        self.open_payments.insert(id, ());
        id
    }

    /// One whose outcome is not known stays, and so does the newest, from which ids go on.
    fn forget_an_old_payment(&mut self) {
        if self.payments.len() < PAYMENTS_KEPT_MAX {
            return;
        }
        let old = self
            .payments
            .iter()
            .take(LISTED_MAX)
            .find(|entry| {
                let stage = &entry.value().0.stage;
                !stage.is_open() && !matches!(stage, Stage::Unresolved { .. })
            })
            .map(|entry| *entry.key());
        if let Some(old) = old {
            self.payments.remove(&old);
        }
    }

    fn payment(&self, id: u64) -> Payment {
        let Cbor(payment) = self
            .payments
            .get(&id)
            .expect("BUG: a payment under way was forgotten");
        payment
    }

    /// The top-up of this canister that is under way, if one is.
    pub fn open_top_up(&self, of: Principal) -> Option<u64> {
        self.open_payments
            .keys()
            .find(|id| self.payment(*id).purpose == Purpose::TopUp { canister: of })
    }

    /// The newest below `before`.
    pub fn newest_payments(&self, before: Option<u64>, limit: usize) -> Vec<(u64, Payment)> {
        self.payments
            .range(..before.unwrap_or(u64::MAX))
            .rev()
            .take(limit.min(LISTED_MAX))
            .map(|entry| (*entry.key(), entry.value().0))
            .collect()
    }
}

thread_local! {
    /// Payments that a call of this very run of the canister works on.
    static UNSTABLE_PAYING: Places<u64> = const { Places::new() };
}

/// Held while a call works on a payment.
fn paying(id: u64) -> Option<Place<u64>> {
    Place::take(&UNSTABLE_PAYING, id, usize::MAX).ok()
}

#[cfg(test)]
pub fn forget_paying() {
    UNSTABLE_PAYING.with(Places::free_all);
}

/// Takes a payment as far as it goes now, and comes again where something is left.
pub async fn advance(id: u64) {
    let now = runtime::now_seconds();
    let payment = with_state(|state| state.payment(id));
    if !payment.stage.is_open() || payment.next_attempt_seconds > now {
        return;
    }
    let Some(paying) = paying(id) else {
        return;
    };
    if payment.stage == Stage::Transferring {
        transfer(id).await;
    }
    if let Stage::Notifying { block } = with_state(|state| state.payment(id)).stage {
        notify(id, block).await;
    }
    drop(paying);
    let left = with_state(|state| state.payment(id));
    if left.stage.is_open() {
        let delay = left
            .next_attempt_seconds
            .saturating_sub(runtime::now_seconds());
        runtime::run_after(Duration::from_secs(delay), again(id));
    }
}

/// A boxed `advance`, since a future cannot contain itself.
fn again(id: u64) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(advance(id))
}

/// Payments whose timer an upgrade or a trap has lost.
pub fn wake_due() {
    let now = runtime::now_seconds();
    let due: Vec<u64> = with_state(|state| {
        state
            .open_payments
            .keys()
            .filter(|id| state.payment(*id).next_attempt_seconds <= now)
            .take(WOKEN_AT_ONCE_MAX)
            .collect()
    });
    for id in due {
        if UNSTABLE_PAYING.with(|paying| !paying.is_taken(&id)) {
            // Each in its own message: a trap of one must not keep the others back.
            runtime::run_after(Duration::ZERO, again(id));
        }
    }
}

/// After an upgrade, which loses timers: what is to be tried again within a round is tried at its time.
pub fn arm() {
    let now = runtime::now_seconds();
    let soon: Vec<(u64, u64)> = with_state(|state| {
        state
            .open_payments
            .keys()
            .map(|id| (id, state.payment(id).next_attempt_seconds))
            .filter(|(_, at)| (now + 1..now + INTERVAL.as_secs()).contains(at))
            .take(WOKEN_AT_ONCE_MAX)
            .collect()
    });
    for (id, at) in soon {
        runtime::run_after(Duration::from_secs(at - now), again(id));
    }
}

fn retry_seconds(attempts: u32) -> u64 {
    RETRY_SECONDS_MIN
        .checked_shl(attempts.saturating_sub(1).min(32))
        .map_or(RETRY_SECONDS_MAX, |seconds| seconds.min(RETRY_SECONDS_MAX))
}

/// Counts an attempt in the message that makes it. Until its answer is read, it may have
/// gone through.
fn attempt(id: u64, in_doubt: bool) -> Payment {
    with_state(|state| {
        let mut payment = state.payment(id);
        payment.attempts = payment.attempts.saturating_add(1);
        payment.in_doubt |= in_doubt;
        payment.next_attempt_seconds =
            runtime::now_seconds().saturating_add(retry_seconds(payment.attempts));
        state.payments.insert(id, Cbor(payment.clone()));
        payment
    })
}

async fn transfer(id: u64) {
    let before = with_state(|state| state.payment(id));
    let (mut in_doubt, age) = (
        before.in_doubt,
        runtime::time_nanos().saturating_sub(before.created_at_nanos),
    );
    if age >= WINDOW_NANOS {
        let reason = "the ledger gave no answer within its window of a day".to_string();
        return close(id, given_up(in_doubt, reason));
    }
    let payment = attempt(id, true);
    let ledger = with_state(|state| match payment.ledger {
        Ledger::Icp => state.settings().icp_ledger,
        Ledger::Token => state.settings().token_ledger,
    });
    let order = Transfer {
        from_subaccount: payment.from_subaccount,
        to: Account {
            owner: payment.to,
            subaccount: payment.to_subaccount,
        },
        amount_e8s: payment.amount_e8s,
        // The ledger takes the fee that it has; naming it would make a change of it a refusal.
        fee_e8s: None,
        memo: payment.memo,
        created_at_nanos: payment.created_at_nanos,
    };
    match ledger::transfer(ledger, &order).await {
        Outcome::Done { block } => match payment.purpose {
            Purpose::Proposal { .. } => close(id, Stage::Paid { block }),
            Purpose::TopUp { .. } => with_state(|state| {
                let mut payment = state.payment(id);
                payment.stage = Stage::Notifying { block };
                payment.attempts = 0;
                state.payments.insert(id, Cbor(payment));
            }),
        },
        Outcome::Refused(refusal) => {
            in_doubt &= !refusal.covers_earlier_requests;
            if !in_doubt && !refusal.temporary || refusal.too_old {
                return close(id, given_up(in_doubt, refusal.message));
            }
            with_state(|state| {
                let mut payment = state.payment(id);
                payment.in_doubt = in_doubt;
                state.payments.insert(id, Cbor(payment));
            });
        }
        // Asked again with the same arguments, the ledger tells.
        Outcome::Unknown { .. } => {}
    }
}

fn given_up(in_doubt: bool, reason: String) -> Stage {
    if in_doubt {
        Stage::Unresolved { reason }
    } else {
        Stage::Failed { reason }
    }
}

/// Asking again is safe: the minting canister credits a block once.
async fn notify(id: u64, block: u64) {
    let payment = attempt(id, false);
    let Purpose::TopUp { canister } = payment.purpose else {
        unreachable!("BUG: the minting canister is asked about a top-up alone");
    };
    let minting = with_state(|state| state.settings().cycles_minting);
    let question = candid::encode_one(NotifyTopUpArg {
        block_index: block,
        canister_id: canister,
    })
    .expect("BUG: arguments encode");
    let answer = runtime::call(minting, "notify_top_up", &question, NOTIFY_TIMEOUT_SECONDS).await;
    let mut config = candid::DecoderConfig::new();
    config.set_decoding_quota(NOTIFY_DECODING_QUOTA);
    let answer = answer.map_err(|failure| failure.message).and_then(|bytes| {
        candid::utils::decode_one_with_config::<NotifyTopUpResult>(&bytes, &config)
            .map_err(|error| format!("its answer does not decode: {error}"))
    });
    let left = match answer {
        Ok(Ok(cycles)) => {
            let cycles = u128::try_from(cycles.0).unwrap_or(u128::MAX);
            return close(id, Stage::Credited { block, cycles });
        }
        Ok(Err(NotifyError::Refunded {
            block_index,
            reason,
        })) => {
            let block = block_index;
            return close(id, Stage::Refunded { block, reason });
        }
        Ok(Err(NotifyError::InvalidTransaction(reason))) => {
            return close(id, Stage::NotCredited { block, reason });
        }
        Ok(Err(NotifyError::TransactionTooOld(oldest))) => {
            let reason = format!("block {block} is too old, the oldest that counts is {oldest}");
            return close(id, Stage::NotCredited { block, reason });
        }
        Ok(Err(NotifyError::Processing)) => "still processing".to_string(),
        Ok(Err(NotifyError::Other { error_message, .. })) => error_message,
        Err(message) => message,
    };
    if runtime::time_nanos().saturating_sub(payment.created_at_nanos) >= NOTIFY_PATIENCE_NANOS {
        let reason = format!("asked for the cycles in vain: {left}");
        close(id, Stage::NotCredited { block, reason });
    }
}

/// Writes the outcome down and tells whoever waits for it, in one message.
fn close(id: u64, mut stage: Stage) {
    if let Stage::Refunded { reason, .. }
    | Stage::Failed { reason }
    | Stage::Unresolved { reason }
    | Stage::NotCredited { reason, .. } = &mut stage
    {
        reason.truncate(reason.floor_char_boundary(REASON_LENGTH_BYTES_MAX));
    }
    let payment = with_state(|state| {
        let mut payment = state.payment(id);
        payment.stage = stage;
        state.payments.insert(id, Cbor(payment.clone()));
        state.open_payments.remove(&id);
        payment
    });
    match payment.purpose {
        Purpose::Proposal { id: proposal } => {
            let outcome = match payment.stage {
                Stage::Failed { reason } => Err(external(format!("nothing was paid: {reason}"))),
                Stage::Unresolved { reason } => Err(external(format!(
                    "whether it was paid is not known, the ledger's blocks tell: {reason}"
                ))),
                _ => Ok(()),
            };
            execution::record(proposal, outcome);
        }
        Purpose::TopUp { canister } => {
            if matches!(payment.stage, Stage::Failed { .. }) {
                dao_canisters::give_back(canister, payment.amount_e8s, payment.created_at_nanos);
            }
        }
    }
}

impl Payment {
    pub fn into_wire(self, id: u64) -> api::PaymentInfo {
        let payment = self;
        api::PaymentInfo {
            id,
            ledger: match payment.ledger {
                Ledger::Icp => api::TreasuryLedger::Icp,
                Ledger::Token => api::TreasuryLedger::Token,
            },
            to: payment.to,
            to_subaccount: payment.to_subaccount.map(|subaccount| api::Subaccount {
                subaccount: subaccount.to_vec(),
            }),
            amount_e8s: payment.amount_e8s,
            created_at_nanos: payment.created_at_nanos,
            attempts: payment.attempts,
            purpose: match payment.purpose {
                Purpose::Proposal { id } => api::PaymentPurpose::Proposal { id },
                Purpose::TopUp { canister } => api::PaymentPurpose::TopUp { canister },
            },
            state: match payment.stage {
                Stage::Transferring => api::PaymentState::Transferring,
                Stage::Notifying { block } => api::PaymentState::Notifying { block },
                Stage::Paid { block } => api::PaymentState::Done {
                    block,
                    cycles: None,
                },
                Stage::Credited { block, cycles } => api::PaymentState::Done {
                    block,
                    cycles: Some(Nat::from(cycles)),
                },
                Stage::Refunded { block, reason } => api::PaymentState::Refunded { block, reason },
                Stage::Failed { reason } => api::PaymentState::Failed { reason },
                Stage::Unresolved { reason } => api::PaymentState::Unresolved { reason },
                Stage::NotCredited { block, reason } => {
                    api::PaymentState::NotCredited { block, reason }
                }
            },
        }
    }
}
