//! Transfers out of neurons' accounts, and of minted maturity: one at a time a neuron,
//! each written down before it is asked for.
//!
//! ```text
//!            begin: balance falls, entry written        (one message)
//!              |
//!     +--> next leg: `asked` written, ledger asked      (committed before the call leaves)
//!     |        |
//!     +-- done +--> all legs done: settled, entry gone
//!              +--> definitely refused: what this leg held comes back, entry gone
//!              +--> unknown: the entry stays; the timer asks again with the same
//!                   created_at_time and memo, and `Duplicate` counts as done;
//!                   past the ledger's window its blocks tell
//! ```
//! What must hold: what a neuron has (stake and maturity) falls before a transfer is asked for and comes
//! back only on a definite refusal, so it is never both in a neuron and on its way.
//! While an entry stands, nothing else moves or counts the neuron's account. A split's
//! new neuron has an entry too, without legs: its id is taken until the split is settled.

use std::cell::Cell;
use std::time::Duration;

use candid::Principal;
use icrc_ledger_types::icrc1::account::Account;
use minicbor::{Decode, Encode};

use crate::cbor::Cbor;
use crate::ledger::{self, Outcome, Transfer};
use crate::lock::NeuronLock;
use crate::memory::{State, with_state};
use crate::neuron::NeuronKey;
use crate::refusal::Refusal;
use crate::runtime;
use crate::{disburse, disburse_maturity, ledger_blocks, split};

/// More are refused: each is asked for again every few minutes while its ledger is silent.
pub const MOVEMENTS_MAX: u64 = 1_000;
const RESUMED_AT_ONCE_MAX: usize = 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Kind {
    #[n(0)]
    Disburse,
    #[n(1)]
    Split {
        #[cbor(n(0), with = "minicbor::bytes")]
        child: NeuronKey,
    },
    #[n(2)]
    DisburseMaturity,
    /// The id of a neuron that a split is to make.
    #[n(3)]
    Arrival,
}

/// Which of a disbursement's transfers it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Purpose {
    #[n(0)]
    Burn,
    #[n(1)]
    Pay,
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Leg {
    #[n(0)]
    pub purpose: Purpose,
    #[cbor(n(1), with = "crate::cbor::principal")]
    pub to_owner: Principal,
    #[n(2)]
    pub to_subaccount: Option<Subaccount>,
    #[n(3)]
    pub amount_e8s: u64,
    #[n(4)]
    pub fee_e8s: Option<u64>,
    #[cbor(n(5), with = "minicbor::bytes")]
    pub memo: Vec<u8>,
    #[n(6)]
    pub created_at_nanos: u64,
    /// How often the ledger was asked; counted before it is.
    #[n(7)]
    pub asked: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct Subaccount(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl Leg {
    pub fn new(
        purpose: Purpose,
        to: Account,
        amount_e8s: u64,
        fee_e8s: Option<u64>,
        memo: &[u8],
        created_at_nanos: u64,
    ) -> Self {
        Self {
            purpose,
            to_owner: to.owner,
            to_subaccount: to.subaccount.map(Subaccount),
            amount_e8s,
            fee_e8s,
            memo: memo.to_vec(),
            created_at_nanos,
            asked: 0,
        }
    }

    pub fn to(&self) -> Account {
        Account {
            owner: self.to_owner,
            subaccount: self.to_subaccount.map(|Subaccount(bytes)| bytes),
        }
    }

    /// What it takes out of the account.
    pub fn cost_e8s(&self) -> u64 {
        self.amount_e8s
            .checked_add(self.fee_e8s.unwrap_or(0))
            .expect("BUG: a leg was begun that costs more than there is")
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Movement {
    #[n(0)]
    pub kind: Kind,
    /// Those that are not done, in order.
    #[n(1)]
    pub legs: Vec<Leg>,
}

/// How a movement stands when its message is over.
pub enum Advance {
    Settled {
        block: u64,
    },
    Refused {
        message: String,
    },
    /// The timer goes on with it.
    Unknown {
        message: String,
    },
}

impl State {
    pub fn require_still(&self, key: &NeuronKey) -> Result<(), Refusal> {
        if self.movements.contains_key(key) {
            return Err(Refusal::MovementUnderWay);
        }
        Ok(())
    }

    /// Later than that of any movement before: two transfers that are alike in all else
    /// would be one to the ledger, and messages of one round have one time.
    pub fn movement_time_nanos(&mut self) -> u64 {
        let time = runtime::time_nanos().max(*self.movement_clock.get() + 1);
        self.movement_clock.set(time);
        time
    }

    /// The transfer of maturity that has no known outcome.
    pub fn maturity_under_way(&self, key: &NeuronKey) -> Option<Leg> {
        let Cbor(movement) = self.movements.get(key)?;
        (movement.kind == Kind::DisburseMaturity)
            .then(|| movement.legs.into_iter().next())
            .flatten()
    }

    pub fn begin_movement(&mut self, key: NeuronKey, movement: Movement) {
        let before = self.movements.insert(key, Cbor(movement));
        assert!(before.is_none(), "BUG: two movements of one neuron");
    }

    pub fn check_room_for_movement(&self) -> Result<(), Refusal> {
        if self.movements.len() >= MOVEMENTS_MAX {
            return Err(Refusal::TooManyMovements { max: MOVEMENTS_MAX });
        }
        Ok(())
    }
}

/// The caller holds the lock of the neuron (and of a split's new one).
pub async fn advance(key: NeuronKey) -> Advance {
    let mut last_block = 0;
    loop {
        let Some((movement, leg)) = ask_next(&key) else {
            return Advance::Settled { block: last_block };
        };
        let outcome = ask(&key, movement.kind, &leg).await;
        match outcome {
            Outcome::Done { block } => {
                last_block = block;
                with_state(|state| finish_leg(state, &key, movement, &leg));
            }
            Outcome::Refused(refusal) if leg.asked == 1 || refusal.covers_earlier_requests => {
                with_state(|state| {
                    state.movements.remove(&key);
                    give_back(state, key, &movement, &leg);
                });
                return Advance::Refused {
                    message: refusal.message,
                };
            }
            Outcome::Refused(refusal) => {
                return Advance::Unknown {
                    message: refusal.message,
                };
            }
            Outcome::Unknown { message } => return Advance::Unknown { message },
        }
    }
}

/// The next leg, marked as asked for; `None` when there is nothing more to do.
fn ask_next(key: &NeuronKey) -> Option<(Movement, Leg)> {
    with_state(|state| {
        let Cbor(mut movement) = state.movements.get(key)?;
        let leg = movement.legs.first_mut()?;
        leg.asked += 1;
        let leg = leg.clone();
        state.movements.insert(*key, Cbor(movement.clone()));
        Some((movement, leg))
    })
}

async fn ask(key: &NeuronKey, kind: Kind, leg: &Leg) -> Outcome {
    let ledger = with_state(|state| state.settings().token_ledger);
    let transfer = Transfer {
        // Maturity is minted: out of the minting account, which is governance's own.
        from_subaccount: (kind != Kind::DisburseMaturity).then_some(*key),
        to: leg.to(),
        amount_e8s: leg.amount_e8s,
        fee_e8s: leg.fee_e8s,
        memo: leg.memo.clone(),
        created_at_nanos: leg.created_at_nanos,
    };
    if runtime::time_nanos() > leg.created_at_nanos + ledger::WINDOW_NANOS {
        return ledger_blocks::find(ledger, &transfer).await;
    }
    ledger::transfer(ledger, &transfer).await
}

fn finish_leg(state: &mut State, key: &NeuronKey, mut movement: Movement, leg: &Leg) {
    movement.legs.remove(0);
    if movement.legs.is_empty() {
        state.movements.remove(key);
    } else {
        state.movements.insert(*key, Cbor(movement.clone()));
    }
    match movement.kind {
        Kind::Disburse => disburse::leg_done(state, key, leg),
        Kind::Split { child } => split::arrive(state, key, child, leg),
        Kind::DisburseMaturity | Kind::Arrival => {}
    }
}

fn give_back(state: &mut State, key: NeuronKey, movement: &Movement, leg: &Leg) {
    match movement.kind {
        Kind::Disburse => disburse::give_back(state, &key, &movement.legs),
        Kind::Split { child } => split::give_back(state, &key, child, leg),
        Kind::DisburseMaturity => disburse_maturity::give_back(state, &key, leg),
        Kind::Arrival => {}
    }
}

thread_local! {
    /// The last one that was resumed, so that silent ones do not keep others back.
    static UNSTABLE_RESUMED: Cell<NeuronKey> = const { Cell::new([0; 32]) };
}

/// Goes on with movements that nobody waits for: after an upgrade, a trap, or an answer
/// that did not come.
pub fn resume() {
    let from = UNSTABLE_RESUMED.get();
    let waiting: Vec<NeuronKey> = with_state(|state| {
        let is_open = |key: &NeuronKey| {
            state
                .movements
                .get(key)
                .is_some_and(|Cbor(movement)| movement.kind != Kind::Arrival)
        };
        let after = state.movements.keys_range(from..).filter(|key| *key > from);
        let before = state.movements.keys_range(..=from);
        after
            .chain(before)
            .filter(is_open)
            .take(RESUMED_AT_ONCE_MAX)
            .collect()
    });
    if let Some(last) = waiting.last() {
        UNSTABLE_RESUMED.set(*last);
    }
    for key in waiting {
        runtime::run_after(Duration::ZERO, resume_one(key));
    }
}

async fn resume_one(key: NeuronKey) {
    let child = with_state(|state| match state.movements.get(&key)?.0.kind {
        Kind::Split { child } => Some(child),
        _ => None,
    });
    let Ok(lock) = NeuronLock::acquire(key) else {
        return;
    };
    let Ok(child_lock) = child.map(NeuronLock::acquire).transpose() else {
        return;
    };
    match advance(key).await {
        Advance::Settled { .. } | Advance::Refused { .. } | Advance::Unknown { .. } => {}
    }
    drop((lock, child_lock));
}
