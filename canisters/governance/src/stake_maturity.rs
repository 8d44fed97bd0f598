//! `StakeMaturity`: maturity that counts as stake from then on; it is not on the ledger.
//! When the neuron is dissolved it can be disbursed as maturity again.

use candid::Principal;
use stoa_governance_api::code::NeuronPermissionType;
use stoa_governance_api::{self as api, CommandResponse, StakeMaturityResponse};

use crate::memory::with_state;
use crate::neuron::NeuronKey;
use crate::refusal::Refusal;
use crate::runtime;

pub fn stake_maturity(
    key: NeuronKey,
    caller: Principal,
    command: api::StakeMaturity,
) -> Result<CommandResponse, Refusal> {
    // All of it where nothing is said, as in the SNS.
    let percentage = command.percentage_to_stake.unwrap_or(100);
    with_state(|state| {
        state.change_neuron(&key, runtime::now_seconds(), |neuron| {
            neuron.require(caller, NeuronPermissionType::StakeMaturity)?;
            let amount_e8s = part(neuron.maturity.free_e8s, percentage)?;
            if amount_e8s == 0 {
                return Err(Refusal::NoMaturity);
            }
            neuron.maturity.stake(amount_e8s);
            Ok(CommandResponse::StakeMaturity(StakeMaturityResponse {
                maturity_e8s: neuron.maturity.free_e8s,
                staked_maturity_e8s: neuron.maturity.staked_e8s,
            }))
        })
    })
}

/// `percentage` of `whole`, rounded down.
pub fn part(whole: u64, percentage: u32) -> Result<u64, Refusal> {
    if !(1..=100).contains(&percentage) {
        return Err(Refusal::InvalidPercentage { percentage });
    }
    let part = u128::from(whole) * u128::from(percentage) / 100;
    Ok(u64::try_from(part).expect("BUG: a part above its whole"))
}
