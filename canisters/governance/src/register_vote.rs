//! `RegisterVote`: a neuron votes once on a proposal, with the power it had when the
//! proposal was made. Its followers vote after it (`cascade`).

use std::time::Duration;

use candid::Principal;
use stoa_governance_api::code::{NeuronPermissionType, Vote};
use stoa_governance_api::{CommandResponse, RegisterVote};

use crate::cbor::Cbor;
use crate::decide::decide_if_due;
use crate::following::Subject;
use crate::housekeeping;
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

    /// Stores it, and brings what is derived from it in step.
    pub fn set_progress(&mut self, proposal: u64, progress: &Progress, terms: &Terms) {
        self.progress.set(proposal - 1, progress);
        self.index_status(proposal, progress.status());
        self.update_certified(proposal, progress, terms);
        self.certify();
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

/// A proposal while ballots are cast on it: read once, written once, and decided when
/// all of a message's ballots are in.
#[must_use]
pub struct Voting {
    pub proposal: u64,
    pub progress: Progress,
    terms: Terms,
    before: Progress,
}

impl Voting {
    pub fn open(state: &State, proposal: u64) -> Result<Self, Refusal> {
        let progress = state.progress_of(proposal)?;
        Ok(Self {
            proposal,
            progress,
            terms: state.terms_of(proposal)?,
            before: progress,
        })
    }

    pub fn subjects(&self) -> Vec<Subject> {
        Subject::of_proposal(self.progress.action_id, self.progress.topic)
    }

    /// Writes the ballot, adds it to the tally and lets followers follow.
    pub fn put(
        &mut self,
        state: &mut State,
        key: NeuronKey,
        vote: Vote,
        at_seconds: u64,
    ) -> Result<(), Refusal> {
        let voting_power = state.ballot_power(&key, self.proposal, &self.terms)?;
        if voting_power == 0 {
            return Err(Refusal::NotEligible);
        }
        let ballot = Cast {
            vote,
            voting_power,
            at_seconds,
        };
        state.insert_ballot(self.proposal, key, ballot);
        self.progress.count(vote, voting_power, at_seconds);
        state.begin_cascade(self.proposal, key, &self.subjects());
        Ok(())
    }

    /// Extends the deadline where the outcome has turned, decides where that is due, and
    /// stores.
    pub fn close(mut self, state: &mut State, now: u64) {
        let deadline = self.before.deadline_seconds;
        self.progress.wait_for_quiet(&self.before, &self.terms, now);
        if self.progress.deadline_seconds != deadline {
            state.deadlines.remove(&(deadline, self.proposal));
            state
                .deadlines
                .insert((self.progress.deadline_seconds, self.proposal), ());
        }
        decide_if_due(state, self.proposal, &mut self.progress, &self.terms, now);
        if self.progress != self.before {
            state.set_progress(self.proposal, &self.progress, &self.terms);
        }
    }
}

/// A vote of the neuron's own.
pub fn cast(
    state: &mut State,
    key: NeuronKey,
    proposal: u64,
    vote: Vote,
    now: u64,
) -> Result<(), Refusal> {
    let mut voting = Voting::open(state, proposal)?;
    if !voting.progress.accepts_votes(now) {
        return Err(Refusal::VotingClosed {
            deadline_seconds: voting.progress.deadline_seconds,
            now_seconds: now,
        });
    }
    if state.ballots.contains_key(&(proposal, key)) {
        return Err(Refusal::AlreadyVoted);
    }
    voting.put(state, key, vote, now)?;
    voting.close(state, now);
    if state.is_cascading(proposal) {
        runtime::run_after(Duration::ZERO, housekeeping::follow());
    }
    Ok(())
}
