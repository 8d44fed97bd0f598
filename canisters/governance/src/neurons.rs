//! Storing neurons. Every change goes through here, because three things must stay
//! in step with a neuron: the index of its principals, the sums of voting power, and
//! the voting states that open proposals still have to see.
//!
//! Ballots are not handed out when a proposal is made, which would visit every
//! neuron. Instead a neuron's voting state as of any open proposal can be found:
//!
//! ```text
//! history[(neuron, p)]   what proposals up to p see (and above the entry before)
//! the neuron itself      what proposals above `state_after_proposal` see
//! nothing                for proposals up to `created_after_proposal`
//! ```
//! A change writes at most one history entry, and only if a proposal was made since
//! the last change. Stake that moves to another neuron after a proposal was made
//! therefore votes on it once, where it lay.

use std::borrow::Cow;

use candid::Principal;
use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use minicbor::{Decode, Encode};

use crate::cbor::Cbor;
use crate::memory::State;
use crate::neuron::{Neuron, NeuronKey, VotingState};
use crate::parameters::Parameters;
use crate::power::Count;
use crate::refusal::Refusal;

/// An answer shows at most so many neurons; the SNS's number.
pub const NEURONS_IN_ANSWER_MAX: usize = 100;
/// Entries of a neuron that no open proposal sees any more, dropped with each change
/// of it. Each change adds one at most.
const STALE_STATES_DROPPED_MAX: usize = 4;
/// A recount loads and stores one neuron: about 0.3 M instructions.
const RECOUNTS_AT_ONCE_MAX: usize = 500;

/// A principal's length and bytes, padded to a fixed size so that keys sort and
/// compare as bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PrincipalKey([u8; 30]);

impl From<&Principal> for PrincipalKey {
    fn from(principal: &Principal) -> Self {
        let bytes = principal.as_slice();
        let mut key = [0; 30];
        key[0] = bytes.len() as u8;
        key[1..=bytes.len()].copy_from_slice(bytes);
        Self(key)
    }
}

impl PrincipalKey {
    pub fn principal(&self) -> Principal {
        Principal::from_slice(&self.0[1..=usize::from(self.0[0])])
    }
}

impl Storable for PrincipalKey {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0)
    }

    fn into_bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        Self(
            bytes
                .as_ref()
                .try_into()
                .expect("BUG: a principal key has 30 bytes"),
        )
    }

    const BOUND: Bound = Bound::Bounded {
        max_size: 30,
        is_fixed_size: true,
    };
}

/// After a change of the power's rules every neuron is counted anew, some in each
/// message; until that is done the total is not known and no proposal can be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub enum Recount {
    #[default]
    #[n(0)]
    Done,
    #[n(1)]
    After(#[cbor(n(0), with = "minicbor::bytes")] NeuronKey),
}

/// Whether a bounded piece of work is finished.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slicing {
    Paused,
    Done,
}

impl State {
    pub fn neuron(&self, key: &NeuronKey) -> Result<Neuron, Refusal> {
        match self.neurons.get(key) {
            Some(Cbor(neuron)) => Ok(neuron),
            None => Err(Refusal::NeuronNotFound),
        }
    }

    pub fn insert_neuron(&mut self, key: NeuronKey, mut neuron: Neuron, now: u64) {
        self.recount(&key, &mut neuron, now);
        for holder in &neuron.holders {
            self.neurons_by_principal
                .insert(((&holder.principal).into(), key), ());
        }
        let before = self.neurons.insert(key, Cbor(neuron));
        assert!(before.is_none(), "BUG: a neuron was claimed over another");
    }

    /// Takes the neuron out of everything that refers to it but the ballots that it cast
    /// and the following of others, who follow nobody then.
    pub fn remove_neuron(&mut self, key: &NeuronKey, now: u64) {
        let mut neuron = self
            .neuron(key)
            .expect("BUG: a neuron that is not there is removed");
        neuron.stake_e8s = 0;
        neuron.fees_e8s = 0;
        self.recount(key, &mut neuron, now);
        // A count of nothing may still wait for its time.
        if let Some(until) = neuron.count.until {
            self.recounts.remove(&(until, *key));
        }
        for holder in &neuron.holders {
            self.index_principal(*key, &holder.principal, false);
        }
        for (subject, _) in self.subjects_of(key) {
            self.set_followees(*key, subject, vec![]);
        }
        let history: Vec<u64> = self
            .history
            .keys_range((*key, 0)..=(*key, u64::MAX))
            .map(|(_, proposal)| proposal)
            .collect();
        for proposal in history {
            self.history.remove(&(*key, proposal));
        }
        self.neurons.remove(key);
    }

    pub fn index_principal(&mut self, key: NeuronKey, principal: &Principal, is_holder: bool) {
        let entry = (PrincipalKey::from(principal), key);
        if is_holder {
            self.neurons_by_principal.insert(entry, ());
        } else {
            self.neurons_by_principal.remove(&entry);
        }
    }

    pub fn set_parameters(&mut self, parameters: Parameters) {
        if parameters.power != self.parameters().power {
            self.recount.set(Cbor(Recount::After([0; 32])));
        }
        self.parameters.set(Cbor(parameters));
    }

    /// Applies `change`; where it refuses, nothing has changed.
    pub fn change_neuron<R>(
        &mut self,
        key: &NeuronKey,
        now: u64,
        change: impl FnOnce(&mut Neuron) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let mut neuron = self.neuron(key)?;
        let before = neuron.voting_state();
        let result = change(&mut neuron)?;
        if neuron.voting_state() != before {
            self.remember(key, &mut neuron, before);
            self.recount(key, &mut neuron, now);
        }
        self.neurons.insert(*key, Cbor(neuron));
        Ok(result)
    }

    /// Keeps `before` for the proposals that were made under it.
    fn remember(&mut self, key: &NeuronKey, neuron: &mut Neuron, before: VotingState) {
        let newest = self.newest_proposal();
        let Some(oldest_open) = self.voting.first_key_value().map(|(proposal, ())| proposal) else {
            neuron.state_after_proposal = newest;
            return;
        };
        let stale: Vec<u64> = self
            .history
            .keys_range((*key, 0)..(*key, oldest_open))
            .take(STALE_STATES_DROPPED_MAX)
            .map(|(_, proposal)| proposal)
            .collect();
        for proposal in stale {
            self.history.remove(&(*key, proposal));
        }
        if newest > neuron.state_after_proposal {
            if newest >= oldest_open {
                self.history.insert((*key, newest), Cbor(before));
            }
            neuron.state_after_proposal = newest;
        }
    }

    /// What `proposal` sees of the neuron; nothing if it came later. Only for proposals
    /// that accept votes: for older ones the history may be gone.
    pub fn voting_state_for(
        &self,
        key: &NeuronKey,
        neuron: &Neuron,
        proposal: u64,
    ) -> Option<VotingState> {
        if proposal <= neuron.created_after_proposal {
            return None;
        }
        if proposal > neuron.state_after_proposal {
            return Some(neuron.voting_state());
        }
        self.history
            .range((*key, proposal)..=(*key, u64::MAX))
            .next()
            .map(|entry| entry.value().0)
    }

    /// Brings the sums and the queue up to the neuron's state at `now`.
    fn recount(&mut self, key: &NeuronKey, neuron: &mut Neuron, now: u64) {
        let genesis = self.settings().genesis_seconds;
        let new = Count::of(
            &neuron.voting_state(),
            now,
            &self.parameters().power,
            genesis,
        );
        let old = std::mem::replace(&mut neuron.count, new);
        if old == new {
            return;
        }
        let mut sums = self.sums.get().0;
        sums.subtract(&old);
        sums.add(&new);
        self.sums.set(Cbor(sums));
        if let Some(until) = old.until {
            self.recounts.remove(&(until, *key));
        }
        if let Some(until) = new.until {
            self.recounts.insert((until, *key), ());
        }
    }

    /// Counts anew the neurons for which it is due.
    pub fn work_off_recounts(&mut self, now: u64) -> Slicing {
        if let Recount::After(after) = self.recount.get().0 {
            return self.recount_all_after(after, now);
        }
        for _ in 0..RECOUNTS_AT_ONCE_MAX {
            let Some(((due, key), ())) = self.recounts.first_key_value() else {
                return Slicing::Done;
            };
            if due > now {
                return Slicing::Done;
            }
            let mut neuron = self
                .neuron(&key)
                .expect("BUG: a recount without its neuron");
            self.recount(&key, &mut neuron, now);
            self.neurons.insert(key, Cbor(neuron));
        }
        Slicing::Paused
    }

    /// Ids are hashes, so no neuron has the first one.
    fn recount_all_after(&mut self, after: NeuronKey, now: u64) -> Slicing {
        let page = self.neurons_after(Some(after), RECOUNTS_AT_ONCE_MAX);
        for key in &page {
            let mut neuron = self.neuron(key).expect("BUG: a key without its neuron");
            self.recount(key, &mut neuron, now);
            self.neurons.insert(*key, Cbor(neuron));
        }
        let next = match page.last() {
            Some(last) if page.len() == RECOUNTS_AT_ONCE_MAX => Recount::After(*last),
            _ => Recount::Done,
        };
        self.recount.set(Cbor(next));
        // Counts that came due meanwhile follow in the next round.
        Slicing::Paused
    }

    pub fn total_voting_power(&mut self, now: u64) -> Result<u64, Refusal> {
        if self.work_off_recounts(now) == Slicing::Paused {
            return Err(Refusal::VotingPowerNotCurrent);
        }
        let genesis = self.settings().genesis_seconds;
        self.sums
            .get()
            .0
            .total(now, &self.parameters().power, genesis)
    }

    /// Neurons on which the principal has a permission, in the order of their ids.
    pub fn neurons_of(
        &self,
        principal: &Principal,
        after: Option<NeuronKey>,
        at_most: usize,
    ) -> Vec<NeuronKey> {
        let owner = PrincipalKey::from(principal);
        let start = after.unwrap_or([0; 32]);
        self.neurons_by_principal
            .keys_range((owner, start)..=(owner, [u8::MAX; 32]))
            .map(|(_, key)| key)
            .filter(|key| Some(*key) != after)
            .take(at_most)
            .collect()
    }

    pub fn neurons_after(&self, after: Option<NeuronKey>, at_most: usize) -> Vec<NeuronKey> {
        let start = after.unwrap_or([0; 32]);
        self.neurons
            .keys_range(start..)
            .filter(|key| Some(*key) != after)
            .take(at_most)
            .collect()
    }
}
