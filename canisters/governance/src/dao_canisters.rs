//! The canisters of the DAO and the cycles they live on. One that runs low asks, and
//! governance pays: ICP from the treasury to the minting canister's account for it, then
//! `notify_top_up` (`payment`). Governance keeps itself alive the same way, and looks
//! after those that cannot ask: a shard knows nobody but its registry, and a frozen
//! canister calls nobody.
//!
//! What must hold: only canisters of the DAO are paid for; governance itself reads the
//! balance, since who asks may be wrong, and counts what is above the freezing limit; a canister and all together stay under a limit a
//! day, counted before the payment goes out and given back only if nothing was paid; one
//! top-up of a canister at a time. Every balance that is read becomes history
//! (`cycles_history`), also where nothing could be paid.

use std::cell::Cell;
use std::ops::Bound;
use std::time::Duration;

use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInfoArgs, CanisterInfoResult, CanisterStatusResult,
};
use icrc_ledger_types::icrc1::account::Account;
use minicbor::{Decode, Encode};
use num_bigint::{BigUint, TryFromBigIntError};
use stoa_cmc_api::MEMO_TOP_UP_CANISTER;
use stoa_governance_api::{
    CyclesPolicy, RegisterCanisterError, RegisterCanisterResult, RequestCyclesError,
    RequestCyclesResult, TopUpBegun,
};

use crate::busy::{Place, Places};
use crate::cbor::Cbor;
use crate::memory::{State, with_state};
use crate::neurons::PrincipalKey;
use crate::payment::{self, Ledger, Order, Purpose};
use crate::{management, runtime};

/// 1,000 shards of 400 GiB are more than the library will need; the list fits an answer.
pub const CANISTERS_MAX: u64 = 1_000;
const SECONDS_PER_DAY: u64 = 24 * 60 * 60;
/// Between two requests of one canister: each may cost a call.
const REQUEST_INTERVAL_SECONDS: u64 = 60;
const REQUESTS_IN_FLIGHT_MAX: usize = 50;

const TRILLION: u128 = 1_000_000_000_000;

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Policy {
    #[cbor(n(0), with = "crate::cbor::wide")]
    pub low_balance_cycles: u128,
    #[n(1)]
    pub top_up_e8s: u64,
    #[n(2)]
    pub canister_e8s_per_day: u64,
    #[n(3)]
    pub total_e8s_per_day: u64,
}

impl Default for Policy {
    /// Above the freezing limit: 10 T cycles carry a shard of 4 GiB for half a year, and cover
    /// what calls in flight reserve. An ICP buys a few trillion.
    fn default() -> Self {
        Self {
            low_balance_cycles: 10 * TRILLION,
            top_up_e8s: 200_000_000,
            canister_e8s_per_day: 1_000_000_000,
            total_e8s_per_day: 10_000_000_000,
        }
    }
}

impl TryFrom<CyclesPolicy> for Policy {
    type Error = String;
    fn try_from(wire: CyclesPolicy) -> Result<Self, String> {
        let low_balance_cycles = u128::try_from(wire.low_balance_cycles.0)
            .map_err(|_| "low_balance_cycles does not fit 128 bits".to_string())?;
        if wire.top_up_e8s == 0 {
            return Err("top_up_e8s must be more than nothing".to_string());
        }
        if wire.top_up_e8s > wire.canister_e8s_per_day
            || wire.canister_e8s_per_day > wire.total_e8s_per_day
        {
            return Err(format!(
                "top_up_e8s ({}) must fit canister_e8s_per_day ({}), and that \
                 total_e8s_per_day ({})",
                wire.top_up_e8s, wire.canister_e8s_per_day, wire.total_e8s_per_day
            ));
        }
        Ok(Self {
            low_balance_cycles,
            top_up_e8s: wire.top_up_e8s,
            canister_e8s_per_day: wire.canister_e8s_per_day,
            total_e8s_per_day: wire.total_e8s_per_day,
        })
    }
}

impl From<&Policy> for CyclesPolicy {
    fn from(policy: &Policy) -> Self {
        Self {
            low_balance_cycles: Nat::from(policy.low_balance_cycles),
            top_up_e8s: policy.top_up_e8s,
            canister_e8s_per_day: policy.canister_e8s_per_day,
            total_e8s_per_day: policy.total_e8s_per_day,
        }
    }
}

/// What was spent on a day, by its number since 1970.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Spent {
    #[n(0)]
    day: u64,
    #[n(1)]
    e8s: u64,
}

impl Spent {
    pub fn on(&self, day: u64) -> u64 {
        if self.day == day { self.e8s } else { 0 }
    }

    fn add(&mut self, day: u64, e8s: u64) {
        *self = Self {
            day,
            e8s: self.on(day).saturating_add(e8s),
        };
    }

    fn give_back(&mut self, day: u64, e8s: u64) {
        if self.day == day {
            self.e8s = self.e8s.saturating_sub(e8s);
        }
    }
}

#[derive(Clone, Default, PartialEq, Eq, Debug, Encode, Decode)]
pub struct DaoCanister {
    #[n(0)]
    pub spent: Spent,
    #[n(1)]
    pub asked_at_seconds: u64,
}

#[derive(Clone, Default, PartialEq, Eq, Debug, Encode, Decode)]
pub struct CyclesKeeping {
    #[n(0)]
    pub policy: Policy,
    #[n(1)]
    pub spent: Spent,
}

fn day_of(seconds: u64) -> u64 {
    seconds / SECONDS_PER_DAY
}

pub fn today() -> u64 {
    day_of(runtime::now_seconds())
}

impl State {
    fn dao_canister(&self, canister: Principal) -> Option<DaoCanister> {
        self.dao_canisters
            .get(&PrincipalKey::from(&canister))
            .map(|Cbor(known)| known)
    }

    /// Of the DAO from now on; known ones stay as they are.
    pub fn add_dao_canister(&mut self, canister: Principal) -> Result<(), RegisterCanisterError> {
        if self.dao_canister(canister).is_some() {
            return Ok(());
        }
        if self.dao_canisters.len() >= CANISTERS_MAX {
            return Err(RegisterCanisterError::TooMany { max: CANISTERS_MAX });
        }
        self.dao_canisters
            .insert((&canister).into(), Cbor(DaoCanister::default()));
        Ok(())
    }

    pub fn set_cycles_policy(&mut self, policy: Policy) {
        let Cbor(mut keeping) = self.cycles_keeping.get().clone();
        keeping.policy = policy;
        self.cycles_keeping.set(Cbor(keeping));
    }

    /// Whether a top-up of this canister could be begun now, whatever its balance.
    fn check_top_up(&self, canister: Principal) -> Result<(), RequestCyclesError> {
        let known = self
            .dao_canister(canister)
            .ok_or(RequestCyclesError::NotOfTheDao)?;
        if let Some(payment) = self.open_top_up(canister) {
            return Err(RequestCyclesError::UnderWay { payment });
        }
        let CyclesKeeping { policy, spent } = &self.cycles_keeping.get().0;
        for (spent, limit_e8s) in [
            (&known.spent, policy.canister_e8s_per_day),
            (spent, policy.total_e8s_per_day),
        ] {
            let spent_e8s = spent.on(today());
            if spent_e8s.saturating_add(policy.top_up_e8s) > limit_e8s {
                return Err(RequestCyclesError::LimitReached {
                    spent_e8s,
                    limit_e8s,
                });
            }
        }
        Ok(())
    }

    /// Counts the top-up and writes its payment down.
    fn begin_top_up(&mut self, canister: Principal) -> TopUpBegun {
        let Cbor(mut keeping) = self.cycles_keeping.get().clone();
        let amount_e8s = keeping.policy.top_up_e8s;
        keeping.spent.add(today(), amount_e8s);
        self.cycles_keeping.set(Cbor(keeping));
        let mut known = self
            .dao_canister(canister)
            .expect("BUG: a top-up of a canister that was not checked");
        known.spent.add(today(), amount_e8s);
        self.dao_canisters.insert((&canister).into(), Cbor(known));
        let payment = self.open_payment(Order {
            ledger: Ledger::Icp,
            from_subaccount: None,
            to: Account {
                owner: self.settings().cycles_minting,
                subaccount: Some(subaccount_of(canister)),
            },
            amount_e8s,
            // An ICRC-1 transfer carries the number as eight bytes, little-endian.
            memo: MEMO_TOP_UP_CANISTER.to_le_bytes().to_vec(),
            purpose: Purpose::TopUp { canister },
        });
        TopUpBegun {
            payment,
            amount_e8s,
        }
    }
}

/// Where the minting canister looks for ICP for a canister: length, principal, zeros.
pub fn subaccount_of(canister: Principal) -> [u8; 32] {
    let mut subaccount = [0; 32];
    let bytes = canister.as_slice();
    subaccount[0] = bytes.len() as u8;
    subaccount[1..=bytes.len()].copy_from_slice(bytes);
    subaccount
}

/// Nothing was paid: the limits have room again, if it is still the same day.
pub fn give_back(canister: Principal, e8s: u64, created_at_nanos: u64) {
    let day = day_of(created_at_nanos / 1_000_000_000);
    with_state(|state| {
        let Cbor(mut keeping) = state.cycles_keeping.get().clone();
        keeping.spent.give_back(day, e8s);
        state.cycles_keeping.set(Cbor(keeping));
        // It may have left the DAO meanwhile.
        if let Some(mut known) = state.dao_canister(canister) {
            known.spent.give_back(day, e8s);
            state.dao_canisters.insert((&canister).into(), Cbor(known));
        }
    });
}

thread_local! {
    /// Canisters whose request is being looked at.
    static UNSTABLE_ASKING: Places<Principal> = const { Places::new() };
}

fn asking(canister: Principal) -> Result<Place<Principal>, RequestCyclesError> {
    Place::take(&UNSTABLE_ASKING, canister, REQUESTS_IN_FLIGHT_MAX)
        .map_err(|_taken_or_full| RequestCyclesError::Busy)
}

#[cfg(test)]
pub fn forget_asking() {
    UNSTABLE_ASKING.with(Places::free_all);
}

pub async fn request_cycles(caller: Principal) -> RequestCyclesResult {
    // All that is free comes first, so that nobody else can make governance call.
    with_state(|state| state.check_top_up(caller))?;
    let asking = asking(caller)?;
    with_state(|state| {
        check_interval(state, caller)?;
        note_request(state, caller);
        Ok::<_, RequestCyclesError>(())
    })?;
    let answer = top_up_if_low(caller).await;
    drop(asking);
    answer
}

async fn top_up_if_low(canister: Principal) -> RequestCyclesResult {
    let Balance { cycles, liquid } = balance_of(canister).await?;
    // Limits and policy may have changed meanwhile, and the canister may have left.
    let begun = with_state(|state| {
        state.note_cycles(canister, cycles);
        let below = state.cycles_keeping.get().0.policy.low_balance_cycles;
        if liquid >= below {
            return Err(RequestCyclesError::NotNeeded {
                balance: Nat::from(liquid),
                below: Nat::from(below),
            });
        }
        state.check_top_up(canister)?;
        Ok(state.begin_top_up(canister))
    })?;
    // A message of its own, so that no failure of it undoes the answer.
    runtime::run_after(Duration::ZERO, payment::advance(begun.payment));
    Ok(begun)
}

fn check_interval(state: &State, canister: Principal) -> Result<(), RequestCyclesError> {
    let known = state
        .dao_canister(canister)
        .ok_or(RequestCyclesError::NotOfTheDao)?;
    let now = runtime::now_seconds();
    let again = known
        .asked_at_seconds
        .saturating_add(REQUEST_INTERVAL_SECONDS);
    if now < again {
        return Err(RequestCyclesError::TooSoon {
            retry_after_seconds: again - now,
        });
    }
    Ok(())
}

fn note_request(state: &mut State, caller: Principal) {
    let mut known = state
        .dao_canister(caller)
        .expect("BUG: a request of a canister that was not checked");
    known.asked_at_seconds = runtime::now_seconds();
    state.dao_canisters.insert((&caller).into(), Cbor(known));
}

struct Balance {
    cycles: u128,
    /// What it can spend without being frozen.
    liquid: u128,
}

impl TryFrom<CanisterStatusResult> for Balance {
    type Error = TryFromBigIntError<BigUint>;

    /// A canister is frozen where it has less than it burns within its freezing threshold; what it has reserved for its memory
    /// counts for that.
    fn try_from(status: CanisterStatusResult) -> Result<Self, Self::Error> {
        let frozen = status.idle_cycles_burned_per_day.0 * status.settings.freezing_threshold.0
            / SECONDS_PER_DAY;
        let frozen = u128::try_from(frozen)?.saturating_sub(status.reserved_cycles.0.try_into()?);
        let cycles = u128::try_from(status.cycles.0)?;
        Ok(Self {
            cycles,
            liquid: cycles.saturating_sub(frozen),
        })
    }
}

async fn balance_of(canister: Principal) -> Result<Balance, RequestCyclesError> {
    let unknown = |message: String| RequestCyclesError::BalanceUnknown { message };
    let question = CanisterIdRecord {
        canister_id: canister,
    };
    let status: CanisterStatusResult = management::ask("canister_status", &question)
        .await
        .map_err(|failure| unknown(failure.message))?;
    Balance::try_from(status).map_err(|_| unknown("it does not fit 128 bits".to_string()))
}

const LOOK_EVERY_SECONDS: u64 = 60 * 60;
/// After the first look, at which governance may not control yet what it was told of.
const SECOND_LOOK_SECONDS: u64 = 2 * REQUEST_INTERVAL_SECONDS;
/// In a round of housekeeping, which comes every minute: all that can be in an hour and a
/// half.
const LOOKED_AT_ONCE_MAX: usize = 10;

#[derive(Clone, Copy)]
struct Sweep {
    due_seconds: u64,
    after: Option<PrincipalKey>,
    is_first: bool,
}

const FIRST_SWEEP: Sweep = Sweep {
    due_seconds: 0,
    after: None,
    is_first: true,
};

thread_local! {
    /// After an upgrade all are looked at again.
    static UNSTABLE_SWEEP: Cell<Sweep> = const { Cell::new(FIRST_SWEEP) };
}

/// To be called in every round. Asks in the canisters' place, by the same rules; also of those
/// that have had what a day allows, since nobody else keeps their history.
pub fn look_after_others() {
    let now = runtime::now_seconds();
    let sweep = UNSTABLE_SWEEP.get();
    if now < sweep.due_seconds {
        return;
    }
    let start = sweep.after.map_or(Bound::Unbounded, Bound::Excluded);
    let page: Vec<PrincipalKey> = with_state(|state| {
        state
            .dao_canisters
            .keys_range((start, Bound::Unbounded))
            .take(LOOKED_AT_ONCE_MAX)
            .collect()
    });
    for key in &page {
        let canister = key.principal();
        if canister == runtime::canister_self() {
            with_state(|state| state.note_cycles(canister, runtime::cycle_balance()));
        } else {
            runtime::run_after(Duration::ZERO, async move {
                // What is not needed or not possible now, the next sweep finds again.
                let _begun_or_refused = look_after(canister).await;
            });
        }
    }
    UNSTABLE_SWEEP.set(match page.last() {
        Some(last) if page.len() == LOOKED_AT_ONCE_MAX => Sweep {
            after: Some(*last),
            ..sweep
        },
        _ => Sweep {
            due_seconds: now.saturating_add(if sweep.is_first {
                SECOND_LOOK_SECONDS
            } else {
                LOOK_EVERY_SECONDS
            }),
            after: None,
            is_first: false,
        },
    });
}

async fn look_after(canister: Principal) -> RequestCyclesResult {
    // It has just asked itself.
    with_state(|state| check_interval(state, canister))?;
    let asking = asking(canister)?;
    let answer = top_up_if_low(canister).await;
    drop(asking);
    answer
}

#[cfg(test)]
pub fn forget_sweep() {
    UNSTABLE_SWEEP.set(FIRST_SWEEP);
}

#[cfg(test)]
pub fn next_sweep_at(due_seconds: u64) {
    UNSTABLE_SWEEP.set(Sweep {
        due_seconds,
        after: None,
        is_first: false,
    });
}

/// Governance's own cycles, which it sees for free.
pub fn keep_itself_alive() {
    let itself = runtime::canister_self();
    let begun = with_state(|state| {
        let low = state.cycles_keeping.get().0.policy.low_balance_cycles;
        if runtime::liquid_cycles() >= low || state.check_top_up(itself).is_err() {
            return None;
        }
        // A treasury without ICP would fail every round: at most one attempt in an hour.
        let known = state.dao_canister(itself)?;
        let now = runtime::now_seconds();
        if now < known.asked_at_seconds.saturating_add(60 * 60) {
            return None;
        }
        state.dao_canisters.insert(
            (&itself).into(),
            Cbor(DaoCanister {
                asked_at_seconds: now,
                ..known
            }),
        );
        Some(state.begin_top_up(itself))
    });
    if let Some(begun) = begun {
        runtime::run_after(Duration::ZERO, payment::advance(begun.payment));
    }
}

/// Takes a canister into the DAO: on the word of one that is in it (the registry creates
/// shards) or of a proposal, and only if nobody but governance controls it.
pub async fn register_dao_canister(
    caller: Principal,
    canister: Principal,
) -> RegisterCanisterResult {
    check_registrar(caller)?;
    let question = CanisterInfoArgs {
        canister_id: canister,
        num_requested_changes: None,
    };
    let info: CanisterInfoResult =
        management::ask("canister_info", &question)
            .await
            .map_err(|failure| RegisterCanisterError::ControllersUnknown {
                message: failure.message,
            })?;
    if info.controllers != [runtime::canister_self()] {
        return Err(RegisterCanisterError::NotControlled {
            controllers: info.controllers,
        });
    }
    check_registrar(caller)?;
    with_state(|state| state.add_dao_canister(canister))
}

fn check_registrar(caller: Principal) -> RegisterCanisterResult {
    if caller == runtime::canister_self()
        || with_state(|state| state.dao_canister(caller)).is_some()
    {
        Ok(())
    } else {
        Err(RegisterCanisterError::NotOfTheDao)
    }
}

pub fn list_dao_canisters() -> Vec<Principal> {
    with_state(|state| {
        state
            .dao_canisters
            .keys()
            .map(|key| key.principal())
            .collect()
    })
}
