//! A proposal in three parts: what was proposed, which may be long; the terms of the
//! vote; and what became of it. The first two never change; a vote reads only the
//! latter two, a listing looks for its proposals in the last alone.

use std::borrow::Cow;

use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use minicbor::{Decode, Encode};
use stoa_governance_api::code::{ProposalDecisionStatus, Vote};

use crate::actions::Action;
use crate::cbor::Added;
use crate::neuron::NeuronKey;
use crate::parameters::PowerRules;
use crate::topic::Topic;

/// What must be reached: of all power, and of the power that voted, in basis points.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Thresholds {
    #[n(0)]
    pub yes_of_total: u64,
    #[n(1)]
    pub yes_of_exercised: u64,
}

const BASIS_POINTS: u64 = 10_000;

impl Thresholds {
    /// The SNS's numbers.
    pub fn of(topic: Option<Topic>) -> Self {
        if topic.is_some_and(Topic::is_critical) {
            Self {
                yes_of_total: 2_000,
                yes_of_exercised: 6_700,
            }
        } else {
            Self {
                yes_of_total: 300,
                yes_of_exercised: 5_000,
            }
        }
    }
}

/// What was proposed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Content {
    #[n(0)]
    pub title: String,
    #[n(1)]
    pub summary: String,
    #[n(2)]
    pub url: String,
    #[n(3)]
    pub action: Action,
    #[n(4)]
    pub rendering: String,
}

/// On what terms it is voted on: fixed when it was made.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Terms {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub proposer: NeuronKey,
    #[n(1)]
    pub created_at_seconds: u64,
    /// The rules that its ballots are weighed by.
    #[n(2)]
    pub power_rules: PowerRules,
    #[n(3)]
    pub thresholds: Thresholds,
    #[n(4)]
    pub reject_cost_e8s: u64,
    #[n(5)]
    pub initial_voting_period_seconds: u64,
    #[n(6)]
    pub wait_for_quiet_deadline_increase_seconds: u64,
    /// Of what was proposed (`certification::digest`).
    #[n(7)]
    pub digest: Added<Digest>,
    /// Rewards were on when it was made.
    #[n(8)]
    pub is_eligible_for_rewards: Added<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Digest(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Failure {
    /// `code::ErrorType`.
    #[n(0)]
    pub error_type: i32,
    #[n(1)]
    pub message: String,
}

impl From<crate::refusal::Refusal> for Failure {
    fn from(refusal: crate::refusal::Refusal) -> Self {
        let error: stoa_governance_api::GovernanceError = refusal.into();
        Self {
            error_type: error.error_type,
            message: error.error_message,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    Open,
    Adopted,
    Rejected,
}

/// What became of a proposal. Times are 0 where it has not happened.
///
/// ```text
/// | version | decision | topic | action id | deadline | yes | no | total | tallied | decided | executed | failed |
/// | 1       | 1        | 1     | 8 ...                                                                        8 |
/// ```
/// Numbers are big-endian; the topic is 0 for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    pub decision: Decision,
    pub topic: Option<Topic>,
    pub action_id: u64,
    /// Votes are accepted before this time.
    pub deadline_seconds: u64,
    /// Sums of the ballots that were cast, also of those after the decision.
    pub yes: u64,
    pub no: u64,
    /// Power of all who may vote.
    pub total: u64,
    pub tallied_at_seconds: u64,
    pub decided_at_seconds: u64,
    pub executed_at_seconds: u64,
    pub failed_at_seconds: u64,
}

const PROGRESS_VERSION: u8 = 1;
const PROGRESS_SIZE_BYTES: usize = 3 + 9 * 8;

impl Progress {
    pub fn status(&self) -> ProposalDecisionStatus {
        match self.decision {
            Decision::Open => ProposalDecisionStatus::Open,
            Decision::Rejected => ProposalDecisionStatus::Rejected,
            Decision::Adopted if self.executed_at_seconds > 0 => ProposalDecisionStatus::Executed,
            Decision::Adopted if self.failed_at_seconds > 0 => ProposalDecisionStatus::Failed,
            Decision::Adopted => ProposalDecisionStatus::Adopted,
        }
    }

    /// As the SNS has it, also after an early decision.
    pub fn accepts_votes(&self, now: u64) -> bool {
        now < self.deadline_seconds
    }

    pub fn count(&mut self, vote: Vote, voting_power: u64, now: u64) {
        let sum = match vote {
            Vote::Yes => &mut self.yes,
            Vote::No => &mut self.no,
        };
        *sum = sum
            .checked_add(voting_power)
            .expect("BUG: ballots outweigh the total, which fits 64 bits");
        self.tallied_at_seconds = now;
    }

    /// A turn of the outcome while it is open leaves voters time to answer: at least the
    /// increase `W` and half of what is left of the voting period `I`, so that turns can
    /// move the deadline to at most `I + 2·W` after creation; the SNS's rule.
    pub fn wait_for_quiet(&mut self, before: &Self, terms: &Terms, now: u64) {
        // The first votes turn nothing.
        if (before.yes == 0 && before.no == 0)
            || self.decision != Decision::Open
            || self.due_decision(&terms.thresholds, now).is_some()
            || before.leans_to_yes(terms) == self.leans_to_yes(terms)
        {
            return;
        }
        let elapsed = now.saturating_sub(terms.created_at_seconds);
        let margin = terms
            .wait_for_quiet_deadline_increase_seconds
            .saturating_add(terms.initial_voting_period_seconds / 2)
            .saturating_sub(elapsed / 2);
        self.deadline_seconds = self.deadline_seconds.max(now.saturating_add(margin));
    }

    /// Whether the votes that were cast would adopt it, the quorum aside.
    fn leans_to_yes(&self, terms: &Terms) -> bool {
        let exercised = u128::from(self.yes) + u128::from(self.no);
        u128::from(self.yes) * u128::from(BASIS_POINTS)
            > exercised * u128::from(terms.thresholds.yes_of_exercised)
    }

    /// The decision that is due, if one is: early as soon as the votes to come cannot
    /// change it, else at the deadline by the votes that were cast.
    pub fn due_decision(&self, thresholds: &Thresholds, now: u64) -> Option<Decision> {
        if self.decision != Decision::Open {
            return None;
        }
        let outweighs = |part: u64, of: u64, basis_points: u64, strictly: bool| {
            let part = u128::from(part) * u128::from(BASIS_POINTS);
            let needed = u128::from(of) * u128::from(basis_points);
            part > needed || (!strictly && part == needed)
        };
        let yes_wins = thresholds.yes_of_exercised;
        let no_wins = BASIS_POINTS - yes_wins;
        let quorum = outweighs(self.yes, self.total, thresholds.yes_of_total, false);
        if outweighs(self.yes, self.total, yes_wins, true) && quorum {
            return Some(Decision::Adopted);
        }
        if outweighs(self.no, self.total, no_wins, false) {
            return Some(Decision::Rejected);
        }
        if self.accepts_votes(now) {
            return None;
        }
        let exercised = self
            .yes
            .checked_add(self.no)
            .expect("BUG: ballots outweigh the total, which fits 64 bits");
        if outweighs(self.yes, exercised, yes_wins, true) && quorum {
            Some(Decision::Adopted)
        } else {
            Some(Decision::Rejected)
        }
    }
}

impl Progress {
    /// As drawn above: stored and certified.
    pub fn as_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PROGRESS_SIZE_BYTES);
        bytes.push(PROGRESS_VERSION);
        bytes.push(match self.decision {
            Decision::Open => 0,
            Decision::Adopted => 1,
            Decision::Rejected => 2,
        });
        bytes.push(self.topic.map_or(0, Topic::number));
        for number in [
            self.action_id,
            self.deadline_seconds,
            self.yes,
            self.no,
            self.total,
            self.tallied_at_seconds,
            self.decided_at_seconds,
            self.executed_at_seconds,
            self.failed_at_seconds,
        ] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes
    }
}

impl Storable for Progress {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.as_bytes())
    }

    fn into_bytes(self) -> Vec<u8> {
        self.as_bytes()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        assert!(
            bytes.len() == PROGRESS_SIZE_BYTES && bytes[0] == PROGRESS_VERSION,
            "BUG: a proposal's progress of an unknown form"
        );
        let mut numbers = bytes[3..]
            .chunks_exact(8)
            .map(|number| u64::from_be_bytes(number.try_into().expect("BUG: chunks have 8 bytes")));
        let mut next = || numbers.next().expect("BUG: the size was checked");
        Self {
            decision: match bytes[1] {
                0 => Decision::Open,
                1 => Decision::Adopted,
                2 => Decision::Rejected,
                unknown => panic!("BUG: decision {unknown} is stored"),
            },
            topic: match bytes[2] {
                0 => None,
                number => {
                    Some(Topic::from_number(number).expect("BUG: an unknown topic is stored"))
                }
            },
            action_id: next(),
            deadline_seconds: next(),
            yes: next(),
            no: next(),
            total: next(),
            tallied_at_seconds: next(),
            decided_at_seconds: next(),
            executed_at_seconds: next(),
            failed_at_seconds: next(),
        }
    }

    const BOUND: Bound = Bound::Bounded {
        max_size: PROGRESS_SIZE_BYTES as u32,
        is_fixed_size: true,
    };
}

/// A ballot that was cast.
///
/// ```text
/// | vote: 1 yes, 2 no | voting power, big-endian | seconds since the epoch |
/// | 1                 | 8                        | 8                       |
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cast {
    pub vote: Vote,
    pub voting_power: u64,
    pub at_seconds: u64,
}

const CAST_SIZE_BYTES: usize = 17;

impl Storable for Cast {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        let mut bytes = Vec::with_capacity(CAST_SIZE_BYTES);
        bytes.push(self.vote.number() as u8);
        bytes.extend_from_slice(&self.voting_power.to_be_bytes());
        bytes.extend_from_slice(&self.at_seconds.to_be_bytes());
        Cow::Owned(bytes)
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        let number = |at: usize| {
            u64::from_be_bytes(
                bytes[at..at + 8]
                    .try_into()
                    .expect("BUG: a slice of 8 bytes"),
            )
        };
        Self {
            vote: Vote::try_from(i32::from(bytes[0])).expect("BUG: an unknown vote is stored"),
            voting_power: number(1),
            at_seconds: number(9),
        }
    }

    const BOUND: Bound = Bound::Bounded {
        max_size: CAST_SIZE_BYTES as u32,
        is_fixed_size: true,
    };
}
