//! `Disburse`: a dissolved neuron's stake goes to an account, after the costs of its
//! rejected proposals were burnt. Costs of proposals that are not decided stay in the
//! neuron, since their adoption would give them back. A neuron that has nothing left is
//! removed, so that empty ones cannot fill the room for neurons.

use candid::Principal;
use icrc_ledger_types::icrc1::account::Account;
use stoa_governance_api::code::NeuronPermissionType;
use stoa_governance_api::{self as api, CommandResponse, DisburseResponse};

use crate::ledger;
use crate::lock::NeuronLock;
use crate::memory::{State, with_state};
use crate::movement::{Advance, Kind, Leg, Movement, Purpose, advance};
use crate::neuron::NeuronKey;
use crate::proposal::Decision;
use crate::refusal::Refusal;
use crate::runtime;

const MEMO_BURN: &[u8] = b"stoa-brn";
const MEMO_PAY: &[u8] = b"stoa-dis";

pub async fn disburse(
    key: NeuronKey,
    caller: Principal,
    command: api::Disburse,
) -> Result<CommandResponse, Refusal> {
    let to = receiver(command.to_account, caller)?;
    let amount = command.amount.map(|amount| amount.e8s);
    let lock = NeuronLock::acquire(key)?;
    let burns = with_state(|state| {
        check(state, &key, caller)?;
        Ok::<bool, Refusal>(burnable_e8s(state, &key)? > 0)
    })?;
    let burn_to = if burns {
        let ledger = with_state(|state| state.settings().token_ledger);
        ledger::minting_account(ledger).await?
    } else {
        None
    };
    // The neuron is locked, but time and proposals went on.
    with_state(|state| begin(state, key, caller, to, amount, burn_to))?;
    let advanced = advance(key).await;
    drop(lock);
    match advanced {
        Advance::Settled { block } => Ok(CommandResponse::Disburse(DisburseResponse {
            transfer_block_height: block,
        })),
        Advance::Refused { message } => Err(Refusal::LedgerRefused { message }),
        Advance::Unknown { message } => Err(Refusal::OutcomeUnknown { message }),
    }
}

/// The caller's own account where none is given, as in the SNS.
pub fn receiver(to: Option<api::Account>, caller: Principal) -> Result<Account, Refusal> {
    let Some(to) = to else {
        return Ok(Account::from(caller));
    };
    let subaccount = match to.subaccount {
        None => None,
        Some(api::Subaccount { subaccount }) => {
            Some(<[u8; 32]>::try_from(subaccount.as_slice()).map_err(|_| {
                Refusal::InvalidSubaccount {
                    length: subaccount.len(),
                }
            })?)
        }
    };
    Ok(Account {
        owner: to.owner.ok_or(Refusal::MissingField { field: "owner" })?,
        subaccount,
    })
}

fn check(state: &State, key: &NeuronKey, caller: Principal) -> Result<(), Refusal> {
    let neuron = state.neuron(key)?;
    neuron.require(caller, NeuronPermissionType::Disburse)?;
    let now = runtime::now_seconds();
    if !neuron.is_dissolved(now) {
        let left = neuron.voting_state().dissolve_delay_seconds(now);
        return Err(Refusal::NotDissolved { left_seconds: left });
    }
    state.require_still(key)?;
    state.check_room_for_movement()
}

/// Costs of rejected proposals, where they are more than the ledger's fee: it burns no less.
fn burnable_e8s(state: &State, key: &NeuronKey) -> Result<u64, Refusal> {
    let fees = state.neuron(key)?.fees_e8s;
    let decided = fees - state.undecided_costs_e8s(key).min(fees);
    Ok(if decided > state.parameters().transaction_fee_e8s {
        decided
    } else {
        0
    })
}

impl State {
    /// Reject costs of the neuron's proposals that may yet be adopted. Visits the
    /// proposals that accept votes, of which there are 700 at most.
    fn undecided_costs_e8s(&self, key: &NeuronKey) -> u64 {
        self.voting
            .keys()
            .filter(|proposal| {
                self.progress_of(*proposal)
                    .is_ok_and(|progress| progress.decision == Decision::Open)
            })
            .filter_map(|proposal| self.terms_of(proposal).ok())
            .filter(|terms| terms.proposer == *key)
            .map(|terms| terms.reject_cost_e8s)
            .sum()
    }

    fn has_undecided_proposals(&self, key: &NeuronKey) -> bool {
        self.voting.keys().any(|proposal| {
            self.progress_of(proposal)
                .is_ok_and(|progress| progress.decision == Decision::Open)
                && self
                    .terms_of(proposal)
                    .is_ok_and(|terms| terms.proposer == *key)
        })
    }
}

fn begin(
    state: &mut State,
    key: NeuronKey,
    caller: Principal,
    to: Account,
    amount: Option<u64>,
    burn_to: Option<Account>,
) -> Result<(), Refusal> {
    check(state, &key, caller)?;
    let neuron = state.neuron(&key)?;
    let fee_e8s = state.parameters().transaction_fee_e8s;
    let free = neuron.stake_e8s.saturating_sub(neuron.fees_e8s);
    // As in the SNS: the fee comes out of the amount, which is at most what there is.
    let taken = amount.map_or(free, |amount| amount.min(free));
    if taken <= fee_e8s {
        return Err(Refusal::DisburseTooSmall {
            given_e8s: taken,
            fee_e8s,
        });
    }
    let mut legs = Vec::new();
    let burnt = burnable_e8s(state, &key)?;
    if let (Some(minting), true) = (burn_to, burnt > 0) {
        let time = state.movement_time_nanos();
        legs.push(Leg::new(
            Purpose::Burn,
            minting,
            burnt,
            None,
            MEMO_BURN,
            time,
        ));
    }
    let time = state.movement_time_nanos();
    legs.push(Leg::new(
        Purpose::Pay,
        to,
        taken - fee_e8s,
        Some(fee_e8s),
        MEMO_PAY,
        time,
    ));
    let burnt: u64 = legs
        .iter()
        .filter(|leg| leg.purpose == Purpose::Burn)
        .map(Leg::cost_e8s)
        .sum();
    state.change_neuron(&key, runtime::now_seconds(), |neuron| {
        neuron.stake_e8s -= taken + burnt;
        neuron.fees_e8s -= burnt;
        Ok(())
    })?;
    state.begin_movement(
        key,
        Movement {
            kind: Kind::Disburse,
            legs,
        },
    );
    Ok(())
}

/// What was paid or burnt left the neuron when the movement began.
pub fn leg_done(state: &mut State, key: &NeuronKey, leg: &Leg) {
    if leg.purpose == Purpose::Pay {
        remove_if_empty(state, key);
    }
}

/// Nothing that could be moved: no stake but costs below the ledger's fee, no maturity,
/// no proposal that could give a cost back.
fn remove_if_empty(state: &mut State, key: &NeuronKey) {
    let neuron = state
        .neuron(key)
        .expect("BUG: a neuron vanished while its stake was moving");
    let fee_e8s = state.parameters().transaction_fee_e8s;
    if neuron.stake_e8s > neuron.fees_e8s
        || neuron.stake_e8s > fee_e8s
        || neuron.maturity.total_e8s() > 0
        || state.has_undecided_proposals(key)
    {
        return;
    }
    state.remove_neuron(key, runtime::now_seconds());
}

/// Of the legs that are not done.
pub fn give_back(state: &mut State, key: &NeuronKey, legs: &[Leg]) {
    let of = |purpose| -> u64 {
        legs.iter()
            .filter(|leg| leg.purpose == purpose)
            .map(Leg::cost_e8s)
            .sum()
    };
    let (burnt, paid) = (of(Purpose::Burn), of(Purpose::Pay));
    let stake_again = |stake: u64| {
        stake
            .checked_add(burnt)
            .and_then(|stake| stake.checked_add(paid))
            .expect("BUG: a stake that was there does not fit any more")
    };
    state
        .change_neuron(key, runtime::now_seconds(), |neuron| {
            neuron.stake_e8s = stake_again(neuron.stake_e8s);
            neuron.fees_e8s += burnt;
            Ok(())
        })
        .expect("BUG: a neuron vanished while its stake was moving");
}
