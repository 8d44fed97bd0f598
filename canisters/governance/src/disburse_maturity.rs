//! `DisburseMaturity`: maturity becomes tokens, minted where governance is the token's
//! minting account. An SNS waits seven days, for its modulation of maturity; there is
//! none here, and so nothing to wait for.

use candid::Principal;
use icrc_ledger_types::icrc1::account::Account;
use stoa_governance_api::code::NeuronPermissionType;
use stoa_governance_api::{self as api, CommandResponse, DisburseMaturityResponse};

use crate::disburse::receiver;
use crate::ledger;
use crate::lock::NeuronLock;
use crate::memory::{State, with_state};
use crate::movement::{Advance, Kind, Leg, Movement, Purpose, advance};
use crate::neuron::NeuronKey;
use crate::refusal::Refusal;
use crate::runtime;
use crate::stake_maturity::part;

const MEMO_MINT: &[u8] = b"stoa-mat";

pub async fn disburse_maturity(
    key: NeuronKey,
    caller: Principal,
    command: api::DisburseMaturity,
) -> Result<CommandResponse, Refusal> {
    let to = receiver(command.to_account, caller)?;
    let percentage = command.percentage_to_disburse;
    let lock = NeuronLock::acquire(key)?;
    with_state(|state| amount(state, &key, caller, percentage))?;
    let ledger = with_state(|state| state.settings().token_ledger);
    // Out of any other account the transfer would not mint but spend.
    let own = Account::from(runtime::canister_self());
    if ledger::minting_account(ledger).await? != Some(own) {
        return Err(Refusal::NotMinting);
    }
    let amount_e8s = with_state(|state| {
        let amount_e8s = amount(state, &key, caller, percentage)?;
        state.change_neuron(&key, runtime::now_seconds(), |neuron| {
            if neuron.is_dissolved(runtime::now_seconds()) {
                neuron.maturity.unstake();
            }
            neuron.maturity.free_e8s -= amount_e8s;
            Ok(())
        })?;
        let time = state.movement_time_nanos();
        let leg = Leg::new(Purpose::Pay, to, amount_e8s, None, MEMO_MINT, time);
        state.begin_movement(
            key,
            Movement {
                kind: Kind::DisburseMaturity,
                legs: vec![leg],
            },
        );
        Ok::<u64, Refusal>(amount_e8s)
    })?;
    let advanced = advance(key).await;
    drop(lock);
    match advanced {
        Advance::Settled { .. } => Ok(CommandResponse::DisburseMaturity(
            DisburseMaturityResponse {
                amount_disbursed_e8s: amount_e8s,
                amount_deducted_e8s: Some(amount_e8s),
            },
        )),
        Advance::Refused { message } => Err(Refusal::LedgerRefused { message }),
        Advance::Unknown { message } => Err(Refusal::OutcomeUnknown { message }),
    }
}

fn amount(
    state: &State,
    key: &NeuronKey,
    caller: Principal,
    percentage: u32,
) -> Result<u64, Refusal> {
    let neuron = state.neuron(key)?;
    neuron.require(caller, NeuronPermissionType::DisburseMaturity)?;
    state.require_still(key)?;
    state.check_room_for_movement()?;
    // What was staked is free again when the neuron is dissolved.
    let available = if neuron.is_dissolved(runtime::now_seconds()) {
        neuron.maturity.total_e8s()
    } else {
        neuron.maturity.free_e8s
    };
    let amount_e8s = part(available, percentage)?;
    let fee_e8s = state.parameters().transaction_fee_e8s;
    // As in the SNS: what could not be moved again is not worth minting.
    if amount_e8s <= fee_e8s {
        return Err(Refusal::DisburseTooSmall {
            given_e8s: amount_e8s,
            fee_e8s,
        });
    }
    Ok(amount_e8s)
}

pub fn give_back(state: &mut State, key: &NeuronKey, leg: &Leg) {
    state
        .change_neuron(key, runtime::now_seconds(), |neuron| {
            neuron.maturity.add(leg.cost_e8s());
            Ok(())
        })
        .expect("BUG: a neuron vanished while its maturity was moving");
}
