//! `get_neuron` and `list_neurons`.

use stoa_governance_api::{
    Account, DisburseMaturityInProgress, GetNeuron, GetNeuronResponse, GetNeuronResult,
    ListNeurons, ListNeuronsResponse, Neuron, Subaccount as WireSubaccount,
};

use crate::memory::{State, with_state};
use crate::movement::Subaccount;
use crate::neuron::{NeuronKey, neuron_key};
use crate::neurons::NEURONS_IN_ANSWER_MAX;
use crate::refusal::Refusal;

pub fn get_neuron(request: GetNeuron) -> GetNeuronResponse {
    let found = request
        .neuron_id
        .ok_or(Refusal::MissingField { field: "neuron_id" })
        .and_then(|id| neuron_key(&id.id))
        .and_then(|key| with_state(|state| wire(state, key)));
    GetNeuronResponse {
        result: Some(match found {
            Ok(neuron) => GetNeuronResult::Neuron(neuron),
            Err(refusal) => GetNeuronResult::Error(refusal.into()),
        }),
    }
}

fn wire(state: &State, key: NeuronKey) -> Result<Neuron, Refusal> {
    let mut neuron = state.neuron(&key)?.to_wire(key);
    (neuron.followees, neuron.topic_followees) = state.following_to_wire(&key);
    neuron.disburse_maturity_in_progress = state
        .maturity_under_way(&key)
        .map(|leg| DisburseMaturityInProgress {
            timestamp_of_disbursement_seconds: leg.created_at_nanos / 1_000_000_000,
            amount_e8s: leg.amount_e8s,
            account_to_disburse_to: Some(Account {
                owner: Some(leg.to_owner),
                subaccount: leg.to_subaccount.map(|Subaccount(bytes)| WireSubaccount {
                    subaccount: bytes.to_vec(),
                }),
            }),
            finalize_disbursement_timestamp_seconds: None,
        })
        .into_iter()
        .collect();
    Ok(neuron)
}

/// In the order of ids, behind `start_page_at`. As in the SNS an unusable start is
/// no start.
pub fn list_neurons(request: ListNeurons) -> ListNeuronsResponse {
    let limit = match request.limit as usize {
        0 => NEURONS_IN_ANSWER_MAX,
        given => given.min(NEURONS_IN_ANSWER_MAX),
    };
    let after = request.start_page_at.and_then(|id| neuron_key(&id.id).ok());
    with_state(|state| {
        let keys = match &request.of_principal {
            Some(principal) => state.neurons_of(principal, after, limit),
            None => state.neurons_after(after, limit),
        };
        ListNeuronsResponse {
            neurons: keys
                .into_iter()
                .filter_map(|key| wire(state, key).ok())
                .collect(),
        }
    })
}
