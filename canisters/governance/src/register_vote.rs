//! `RegisterVote`: a neuron votes once on a proposal, with the power it had when the
//! proposal was made.

use candid::Principal;
use stoa_governance_api::code::{NeuronPermissionType, Vote};
use stoa_governance_api::{CommandResponse, RegisterVote};

use crate::cbor::Cbor;
use crate::decide::decide_if_due;
use crate::memory::{State, with_state};
use crate::neuron::NeuronKey;
use crate::proposal::{Cast, Content, Progress, Terms};
use crate::refusal::Refusal;
use crate::runtime;

pub fn register_vote(
    key: NeuronKey,
    caller: Principal,
    command: RegisterVote,
) -> Result<CommandResponse, Refusal> {
    let proposal = command
        .proposal
        .ok_or(Refusal::MissingField { field: "proposal" })?
        .id;
    let vote = Vote::try_from(command.vote).map_err(|vote| Refusal::InvalidVote { vote })?;
    with_state(|state| {
        state
            .neuron(&key)?
            .require(caller, NeuronPermissionType::Vote)?;
        cast(state, key, proposal, vote, runtime::now_seconds())
    })?;
    Ok(CommandResponse::RegisterVote {})
}

impl State {
    pub fn progress_of(&self, proposal: u64) -> Result<Progress, Refusal> {
        proposal
            .checked_sub(1)
            .and_then(|index| self.progress.get(index))
            .ok_or(Refusal::ProposalNotFound { proposal })
    }

    pub fn set_progress(&mut self, proposal: u64, progress: &Progress) {
        self.progress.set(proposal - 1, progress);
    }

    pub fn content_of(&self, proposal: u64) -> Result<Content, Refusal> {
        match self.contents.get(&proposal) {
            Some(Cbor(content)) => Ok(content),
            None => Err(Refusal::ProposalNotFound { proposal }),
        }
    }

    pub fn terms_of(&self, proposal: u64) -> Result<Terms, Refusal> {
        match self.terms.get(&proposal) {
            Some(Cbor(terms)) => Ok(terms),
            None => Err(Refusal::ProposalNotFound { proposal }),
        }
    }

    /// What the neuron can throw into the scales of an open proposal; 0 for nothing.
    pub fn ballot_power(
        &self,
        key: &NeuronKey,
        proposal: u64,
        terms: &Terms,
    ) -> Result<u64, Refusal> {
        let neuron = self.neuron(key)?;
        Ok(self
            .voting_state_for(key, &neuron, proposal)
            .map_or(0, |seen| {
                seen.voting_power(terms.created_at_seconds, &terms.power_rules)
            }))
    }
}

/// Writes the ballot and adds it to the tally, then decides if that decides it.
pub fn cast(
    state: &mut State,
    key: NeuronKey,
    proposal: u64,
    vote: Vote,
    now: u64,
) -> Result<(), Refusal> {
    let mut progress = state.progress_of(proposal)?;
    if !progress.accepts_votes(now) {
        return Err(Refusal::VotingClosed {
            deadline_seconds: progress.deadline_seconds,
            now_seconds: now,
        });
    }
    if state.ballots.contains_key(&(proposal, key)) {
        return Err(Refusal::AlreadyVoted);
    }
    let terms = state.terms_of(proposal)?;
    let voting_power = state.ballot_power(&key, proposal, &terms)?;
    if voting_power == 0 {
        return Err(Refusal::NotEligible);
    }
    let ballot = Cast {
        vote,
        voting_power,
        at_seconds: now,
    };
    state.ballots.insert((proposal, key), ballot);
    progress.count(vote, voting_power, now);
    decide_if_due(state, proposal, &mut progress, &terms, now);
    state.set_progress(proposal, &progress);
    Ok(())
}
