//! `get_neuron` and `list_neurons`.

use stoa_governance_api::{
    GetNeuron, GetNeuronResponse, GetNeuronResult, ListNeurons, ListNeuronsResponse, Neuron,
};

use crate::memory::{State, with_state};
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
    Ok(state.neuron(&key)?.to_wire(key))
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
