//! Maps as a listing reads them: newest first. To find a key takes some twenty reads of stable
//! memory on each level of a map; what comes next to the key before it takes hardly any.

use std::collections::BTreeMap;
use std::iter::{Peekable, Rev};

use ic_stable_structures::btreemap::Iter;
use ic_stable_structures::{StableBTreeMap, Storable};

use crate::cbor::Cbor;
use crate::memory::{Memory, State};
use crate::neuron::NeuronKey;
use crate::proposal::{Cast, Content, Terms};
use crate::refusal::Refusal;

/// Entries passed over before the key is searched for from the root: a step costs a small
/// part of a search.
const STEPS_MAX: usize = 16;

/// Finds keys in falling order by going on from the one before; in any other order it
/// finds them too, by searching.
struct Downwards<'a, K: Storable + Ord + Clone, V: Storable> {
    map: &'a StableBTreeMap<K, V, Memory>,
    /// From the last key that was looked for on.
    rest: Option<(K, Descending<'a, K, V>)>,
}

type Descending<'a, K, V> = Peekable<Rev<Iter<'a, K, V, Memory>>>;

impl<'a, K: Storable + Ord + Clone, V: Storable> Downwards<'a, K, V> {
    fn new(map: &'a StableBTreeMap<K, V, Memory>) -> Self {
        Self { map, rest: None }
    }

    fn get(&mut self, key: &K) -> Option<V> {
        if let Some((last, rest)) = self.rest.as_mut().filter(|(last, _)| key <= last) {
            last.clone_from(key);
            for _ in 0..=STEPS_MAX {
                match rest.peek() {
                    Some(entry) if entry.key() > key => drop(rest.next()),
                    Some(entry) => return (entry.key() == key).then(|| entry.value()),
                    None => return None,
                }
            }
        }
        let mut rest = self.map.range(..=key.clone()).rev().peekable();
        let found = rest
            .peek()
            .filter(|entry| entry.key() == key)
            .map(|entry| entry.value());
        self.rest = Some((key.clone(), rest));
        found
    }
}

/// What a proposal is shown from.
pub struct Reading<'a> {
    pub state: &'a State,
    contents: Downwards<'a, u64, Cbor<Content>>,
    terms: Downwards<'a, u64, Cbor<Terms>>,
    ballots: Downwards<'a, (u64, NeuronKey), Cast>,
    /// For each neuron from its last ballot on that was looked for.
    ballots_by_neuron: BTreeMap<NeuronKey, Downwards<'a, (NeuronKey, u64), Cast>>,
    voting: Downwards<'a, u64, ()>,
    rewarded: Downwards<'a, u64, u64>,
}

impl<'a> Reading<'a> {
    pub fn of(state: &'a State) -> Self {
        Self {
            state,
            contents: Downwards::new(&state.contents),
            terms: Downwards::new(&state.terms),
            ballots: Downwards::new(&state.ballots),
            ballots_by_neuron: BTreeMap::new(),
            voting: Downwards::new(&state.voting),
            rewarded: Downwards::new(&state.rewarded),
        }
    }

    pub fn content(&mut self, proposal: u64) -> Result<Content, Refusal> {
        match self.contents.get(&proposal) {
            Some(Cbor(content)) => Ok(content),
            None => Err(Refusal::ProposalNotFound { proposal }),
        }
    }

    pub fn terms(&mut self, proposal: u64) -> Result<Terms, Refusal> {
        match self.terms.get(&proposal) {
            Some(Cbor(terms)) => Ok(terms),
            None => Err(Refusal::ProposalNotFound { proposal }),
        }
    }

    /// Of one proposal best in the falling order of neurons too: old ones are found in that order (`ballots`).
    pub fn ballot(&mut self, proposal: u64, neuron: NeuronKey) -> Option<Cast> {
        let state = self.state;
        if !state.has_ballots_by_neuron(proposal) {
            return self.ballots.get(&(proposal, neuron));
        }
        self.ballots_by_neuron
            .entry(neuron)
            .or_insert_with(|| Downwards::new(&state.ballots_by_neuron))
            .get(&(neuron, proposal))
    }

    pub fn accepts_votes(&mut self, proposal: u64) -> bool {
        self.voting.get(&proposal).is_some()
    }

    pub fn reward_round(&mut self, proposal: u64) -> Option<u64> {
        self.rewarded.get(&proposal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ic_stable_structures::DefaultMemoryImpl;
    use ic_stable_structures::memory_manager::{MemoryId, MemoryManager};

    /// In falling order with gaps of any length, and in no order at all.
    #[test]
    fn should_find_what_the_map_finds() {
        let memory = MemoryManager::init_with_bucket_size(DefaultMemoryImpl::default(), 1);
        let mut map: StableBTreeMap<u64, u64, Memory> =
            StableBTreeMap::init(memory.get(MemoryId::new(0)));
        for key in (0..3_000).filter(|key| key % 7 != 0 && !(1_000..1_100).contains(key)) {
            map.insert(key, key + 1);
        }
        let mut falling: Vec<u64> = (0..3_010).rev().collect();
        for step in [1, 2, 5, 16, 17, 18, 40, 900] {
            let mut reading = Downwards::new(&map);
            for key in falling.iter().step_by(step) {
                assert_eq!(reading.get(key), map.get(key), "{key} in steps of {step}");
                assert_eq!(reading.get(key), map.get(key), "{key} again");
            }
        }
        falling.sort_by_key(|key| key.wrapping_mul(2_654_435_761) % 4_093);
        let mut reading = Downwards::new(&map);
        for key in &falling {
            assert_eq!(reading.get(key), map.get(key), "{key}");
        }
    }
}
