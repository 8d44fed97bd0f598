//! `Configure`: a neuron's dissolve state.

use candid::Principal;
use stoa_governance_api::code::NeuronPermissionType;
use stoa_governance_api::{CommandResponse, Configure, Operation};

use crate::memory::with_state;
use crate::neuron::NeuronKey;
use crate::refusal::Refusal;
use crate::runtime;

pub fn configure(
    key: NeuronKey,
    caller: Principal,
    command: Configure,
) -> Result<CommandResponse, Refusal> {
    let operation = command
        .operation
        .ok_or(Refusal::MissingField { field: "operation" })?;
    let now = runtime::now_seconds();
    with_state(|state| {
        let max = state.parameters().power.max_dissolve_delay_seconds;
        state.change_neuron(&key, now, |neuron| {
            neuron.require(caller, NeuronPermissionType::ConfigureDissolveState)?;
            match operation {
                Operation::IncreaseDissolveDelay(increase) => neuron.increase_dissolve_delay(
                    increase.additional_dissolve_delay_seconds.into(),
                    now,
                    max,
                ),
                Operation::SetDissolveTimestamp(set) => {
                    neuron.set_dissolve_timestamp(set.dissolve_timestamp_seconds, now, max)
                }
                Operation::StartDissolving {} => neuron.start_dissolving(now),
                Operation::StopDissolving {} => neuron.stop_dissolving(now),
                Operation::ChangeAutoStakeMaturity(change) => {
                    neuron.maturity.auto_stake = change.requested_setting_for_auto_stake_maturity;
                    Ok(())
                }
            }
        })
    })?;
    Ok(CommandResponse::Configure {})
}
