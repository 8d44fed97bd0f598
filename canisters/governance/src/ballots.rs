//! The ballots that were cast, in two orders. A proposal is rewarded and cleaned up voter by voter; a listing shows what
//! the few neurons of its caller cast on many proposals, each neuron's one behind the other.
//!
//! ```text
//! ballots            (proposal, neuron) -> cast
//! ballots_by_neuron  (neuron, proposal) -> cast, on proposals above `ballots_by_neuron_after`
//! ```
//! Proposals up to that number were made before there was the second order (layout 3). Their ballots stay in the first
//! alone until they are dropped, since to bring them over would take an upgrade that is linear in ballots.
//!
//! What must hold: above that number both orders have the same ballots.

use crate::memory::State;
use crate::neuron::NeuronKey;
use crate::proposal::Cast;

impl State {
    pub fn has_ballots_by_neuron(&self, proposal: u64) -> bool {
        proposal > *self.ballots_by_neuron_after.get()
    }

    pub fn insert_ballot(&mut self, proposal: u64, neuron: NeuronKey, cast: Cast) {
        let before = self.ballots.insert((proposal, neuron), cast);
        assert!(before.is_none(), "BUG: a neuron voted twice on a proposal");
        if self.has_ballots_by_neuron(proposal) {
            self.ballots_by_neuron.insert((neuron, proposal), cast);
        }
    }

    pub fn remove_ballot(&mut self, proposal: u64, neuron: NeuronKey) {
        self.ballots.remove(&(proposal, neuron));
        if self.has_ballots_by_neuron(proposal) {
            self.ballots_by_neuron.remove(&(neuron, proposal));
        }
    }
}
