//! `Split`: a part of the stake becomes a neuron of its own with the same times, people
//! and followees. On proposals that are open, the stake still votes where it lay.

use candid::Principal;
use icrc_ledger_types::icrc1::account::Account;
use stoa_governance_api::code::NeuronPermissionType;
use stoa_governance_api::{self as api, CommandResponse, SplitResponse, neuron_staking_subaccount};

use crate::cbor::Added;
use crate::lock::NeuronLock;
use crate::memory::{State, with_state};
use crate::movement::{Advance, Kind, Leg, Movement, Purpose, advance};
use crate::neuron::{Neuron, NeuronKey};
use crate::refusal::Refusal;
use crate::runtime;

pub async fn split(
    key: NeuronKey,
    caller: Principal,
    command: api::Split,
) -> Result<CommandResponse, Refusal> {
    let child = neuron_staking_subaccount(caller, command.memo);
    if child == key {
        return Err(Refusal::NeuronExists);
    }
    let lock = NeuronLock::acquire(key)?;
    let child_lock = NeuronLock::acquire(child)?;
    with_state(|state| begin(state, key, child, caller, &command))?;
    let advanced = advance(key).await;
    drop((lock, child_lock));
    match advanced {
        Advance::Settled { .. } => Ok(CommandResponse::Split(SplitResponse {
            created_neuron_id: Some(child.into()),
        })),
        Advance::Refused { message } => Err(Refusal::LedgerRefused { message }),
        Advance::Unknown { message } => Err(Refusal::OutcomeUnknown { message }),
    }
}

fn begin(
    state: &mut State,
    key: NeuronKey,
    child: NeuronKey,
    caller: Principal,
    command: &api::Split,
) -> Result<(), Refusal> {
    let neuron = state.neuron(&key)?;
    neuron.require(caller, NeuronPermissionType::Split)?;
    state.require_still(&key)?;
    state.require_still(&child)?;
    state.check_room_for_movement()?;
    if state.neurons.contains_key(&child) {
        return Err(Refusal::NeuronExists);
    }
    let parameters = state.parameters();
    let max = parameters.max_number_of_neurons;
    if state.neurons.len() >= max {
        return Err(Refusal::TooManyNeurons { max });
    }
    let (least, fee_e8s) = (
        parameters.neuron_minimum_stake_e8s,
        parameters.transaction_fee_e8s,
    );
    let given = command.amount_e8s;
    let needed = least.saturating_add(fee_e8s);
    if given < needed {
        return Err(Refusal::SplitTooSmall {
            given_e8s: given,
            needed_e8s: needed,
        });
    }
    let free = neuron.stake_e8s.saturating_sub(neuron.fees_e8s);
    if free.checked_sub(given).is_none_or(|left| left < least) {
        return Err(Refusal::SplitLeavesTooLittle {
            stake_e8s: free,
            given_e8s: given,
            needed_e8s: least,
        });
    }
    state.change_neuron(&key, runtime::now_seconds(), |neuron| {
        neuron.stake_e8s -= given;
        Ok(())
    })?;
    let to = Account {
        owner: runtime::canister_self(),
        subaccount: Some(child),
    };
    // The memo is the new neuron's, as a stake's transfer has it.
    let memo = command.memo.to_be_bytes();
    let time = state.movement_time_nanos();
    let leg = Leg::new(
        Purpose::Pay,
        to,
        given - fee_e8s,
        Some(fee_e8s),
        &memo,
        time,
    );
    state.begin_movement(
        key,
        Movement {
            kind: Kind::Split { child },
            legs: vec![leg],
        },
    );
    state.begin_movement(
        child,
        Movement {
            kind: Kind::Arrival,
            legs: vec![],
        },
    );
    Ok(())
}

/// The stake lies in the new neuron's account. The limit on neurons may be passed by
/// splits in flight: what has been transferred must have its neuron.
pub fn arrive(state: &mut State, key: &NeuronKey, child: NeuronKey, leg: &Leg) {
    state.movements.remove(&child);
    let parent = state
        .neuron(key)
        .expect("BUG: a neuron vanished while its stake was moving");
    let now = runtime::now_seconds();
    let newest = state.newest_proposal();
    let neuron = Neuron {
        stake_e8s: leg.amount_e8s,
        fees_e8s: 0,
        created_at_seconds: now,
        created_after_proposal: newest,
        state_after_proposal: newest,
        count: Default::default(),
        maturity: Added(parent.maturity.without_amounts()),
        ..parent
    };
    state.insert_neuron(child, neuron, now);
    for (subject, mut followees) in state.subjects_of(key) {
        // It may not follow itself.
        followees.retain(|followee| followee.neuron != child);
        state.set_followees(child, subject, followees);
    }
}

pub fn give_back(state: &mut State, key: &NeuronKey, child: NeuronKey, leg: &Leg) {
    state.movements.remove(&child);
    state
        .change_neuron(key, runtime::now_seconds(), |neuron| {
            neuron.stake_e8s = neuron
                .stake_e8s
                .checked_add(leg.cost_e8s())
                .expect("BUG: a stake that was there does not fit any more");
            Ok(())
        })
        .expect("BUG: a neuron vanished while its stake was moving");
}

#[cfg(test)]
pub fn is_arriving(state: &State, child: &NeuronKey) -> bool {
    matches!(
        state.movements.get(child),
        Some(crate::cbor::Cbor(Movement {
            kind: Kind::Arrival,
            ..
        }))
    )
}
