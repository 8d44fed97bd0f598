//! `ClaimOrRefresh`: a neuron is what its account on the token ledger holds.

use candid::Principal;
use icrc_ledger_types::icrc1::account::Account;
use stoa_governance_api::{ClaimOrRefreshResponse, CommandResponse, neuron_staking_subaccount};

use crate::ledger;
use crate::lock::NeuronLock;
use crate::memory::with_state;
use crate::neuron::{Neuron, NeuronKey};
use crate::permission::Holder;
use crate::refusal::Refusal;
use crate::runtime;

pub enum Which {
    /// Claimed by anybody for its controller, whose neuron it becomes.
    OfController {
        controller: Principal,
        memo: u64,
    },
    Existing(NeuronKey),
}

pub async fn claim_or_refresh(which: Which) -> Result<CommandResponse, Refusal> {
    let (key, controller) = match which {
        Which::OfController { controller, memo } => {
            if controller == Principal::anonymous() {
                return Err(Refusal::AnonymousCaller);
            }
            (
                neuron_staking_subaccount(controller, memo),
                Some(controller),
            )
        }
        Which::Existing(key) => (key, None),
    };
    let lock = NeuronLock::acquire(key)?;
    check_before_asking(&key, controller.is_some())?;
    let balance_e8s = balance_of(key).await?;
    settle(key, controller, balance_e8s)?;
    drop(lock);
    Ok(CommandResponse::ClaimOrRefresh(ClaimOrRefreshResponse {
        refreshed_neuron_id: Some(key.into()),
    }))
}

/// What can be refused without a call is, so that it costs nobody one.
fn check_before_asking(key: &NeuronKey, may_claim: bool) -> Result<(), Refusal> {
    with_state(|state| {
        // What is on its way out of the account or into it is not counted.
        state.require_still(key)?;
        if state.neurons.contains_key(key) {
            return Ok(());
        }
        if !may_claim {
            return Err(Refusal::NeuronNotFound);
        }
        let max = state.parameters().max_number_of_neurons;
        if state.neurons.len() >= max {
            return Err(Refusal::TooManyNeurons { max });
        }
        Ok(())
    })
}

/// Reads everything anew: other commands have run while the ledger was asked.
fn settle(key: NeuronKey, controller: Option<Principal>, balance_e8s: u64) -> Result<(), Refusal> {
    check_before_asking(&key, controller.is_some())?;
    with_state(|state| {
        let now = runtime::now_seconds();
        let needed_e8s = state.parameters().neuron_minimum_stake_e8s;
        if balance_e8s < needed_e8s {
            return Err(Refusal::StakeTooSmall {
                balance_e8s,
                needed_e8s,
            });
        }
        if state.neurons.contains_key(&key) {
            return state.change_neuron(&key, now, |neuron| {
                if balance_e8s < neuron.stake_e8s {
                    return Err(Refusal::StakeBelowCached {
                        balance_e8s,
                        cached_e8s: neuron.stake_e8s,
                    });
                }
                neuron.refresh_stake(balance_e8s, now);
                Ok(())
            });
        }
        let holder = Holder {
            principal: controller.ok_or(Refusal::NeuronNotFound)?,
            permissions: state.parameters().neuron_claimer_permissions,
        };
        let newest_proposal = state.newest_proposal();
        state.insert_neuron(
            key,
            Neuron::claimed(holder, balance_e8s, now, newest_proposal),
            now,
        );
        Ok(())
    })
}

async fn balance_of(key: NeuronKey) -> Result<u64, Refusal> {
    let ledger = with_state(|state| state.settings().token_ledger);
    let account = Account {
        owner: runtime::canister_self(),
        subaccount: Some(key),
    };
    ledger::balance_of(ledger, account).await
}
