//! What proposals are looked for by, as bits: a listing with filters reads 128 bytes
//! for 64 proposals instead of 64 records, so any combination of filters over 100,000
//! proposals reads 1,563 of them.
//!
//! ```text
//! | open | adopted | rejected | executed | failed | topic none, 1 .. 7 | accepts votes | ready to settle | settled |
//! | 0    | 1       | 2        | 3        | 4      | 5 ............. 12 | 13            | 14              | 15      |
//! ```
//! Each plane is a word of 64 bits, stored little-endian; bit `n` of record `r` stands
//! for proposal `64·r + n + 1`. What must hold: of each group, a proposal has one bit.

use std::borrow::Cow;

use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use stoa_governance_api::code::{ProposalDecisionStatus, ProposalRewardStatus};

use crate::memory::State;
use crate::topic::Topic;

const PLANES: usize = 16;
const SIZE_BYTES: usize = PLANES * 8;
const PER_RECORD: u64 = 64;

const STATUSES: std::ops::Range<usize> = 0..5;
const TOPICS: std::ops::Range<usize> = 5..13;
const REWARDS: std::ops::Range<usize> = 13..16;

fn status_plane(status: ProposalDecisionStatus) -> usize {
    STATUSES.start
        + match status {
            ProposalDecisionStatus::Open => 0,
            ProposalDecisionStatus::Adopted => 1,
            ProposalDecisionStatus::Rejected => 2,
            ProposalDecisionStatus::Executed => 3,
            ProposalDecisionStatus::Failed => 4,
        }
}

fn topic_plane(topic: Option<Topic>) -> usize {
    TOPICS.start + topic.map_or(0, Topic::number) as usize
}

fn reward_plane(status: ProposalRewardStatus) -> usize {
    REWARDS.start
        + match status {
            ProposalRewardStatus::AcceptVotes => 0,
            ProposalRewardStatus::ReadyToSettle => 1,
            ProposalRewardStatus::Settled => 2,
        }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Planes([u64; PLANES]);

impl Planes {
    fn choose(&mut self, group: std::ops::Range<usize>, plane: usize, bit: u64) {
        for other in group {
            self.0[other] &= !(1 << bit);
        }
        self.0[plane] |= 1 << bit;
    }
}

impl Storable for Planes {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.0.iter().flat_map(|word| word.to_le_bytes()).collect())
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        let mut words = [0; PLANES];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().expect("BUG: chunks have 8 bytes"));
        }
        Self(words)
    }

    const BOUND: Bound = Bound::Bounded {
        max_size: SIZE_BYTES as u32,
        is_fixed_size: true,
    };
}

/// Which proposals are looked for. An empty group includes every proposal.
#[derive(Default)]
pub struct Filter {
    statuses: Vec<usize>,
    topics: Vec<usize>,
    rewards: Vec<usize>,
}

impl Filter {
    pub fn include_status(&mut self, status: ProposalDecisionStatus) {
        self.statuses.push(status_plane(status));
    }

    pub fn include_topic(&mut self, topic: Option<Topic>) {
        self.topics.push(topic_plane(topic));
    }

    pub fn include_reward_status(&mut self, status: ProposalRewardStatus) {
        self.rewards.push(reward_plane(status));
    }

    fn matches(&self, planes: &Planes) -> u64 {
        let any = |chosen: &[usize]| match chosen {
            [] => u64::MAX,
            chosen => chosen.iter().fold(0, |bits, plane| bits | planes.0[*plane]),
        };
        any(&self.statuses) & any(&self.topics) & any(&self.rewards)
    }
}

impl State {
    fn change_planes(&mut self, proposal: u64, change: impl FnOnce(&mut Planes, u64)) {
        let index = (proposal - 1) / PER_RECORD;
        let before = self.planes.get(index);
        let mut planes = before.unwrap_or_default();
        change(&mut planes, (proposal - 1) % PER_RECORD);
        match before {
            Some(before) if before == planes => {}
            Some(_) => self.planes.set(index, &planes),
            None => self.planes.push(&planes),
        }
    }

    pub fn index_new(
        &mut self,
        proposal: u64,
        status: ProposalDecisionStatus,
        topic: Option<Topic>,
        reward: ProposalRewardStatus,
    ) {
        self.change_planes(proposal, |planes, bit| {
            planes.choose(STATUSES, status_plane(status), bit);
            planes.choose(TOPICS, topic_plane(topic), bit);
            planes.choose(REWARDS, reward_plane(reward), bit);
        });
    }

    pub fn index_status(&mut self, proposal: u64, status: ProposalDecisionStatus) {
        self.change_planes(proposal, |planes, bit| {
            planes.choose(STATUSES, status_plane(status), bit)
        });
    }

    pub fn index_reward_status(&mut self, proposal: u64, status: ProposalRewardStatus) {
        self.change_planes(proposal, |planes, bit| {
            planes.choose(REWARDS, reward_plane(status), bit)
        });
    }

    /// The reward status as of the last change; deadlines that have passed since are not
    /// in it.
    pub fn indexed_reward_status(&self, proposal: u64) -> ProposalRewardStatus {
        let planes = self
            .planes
            .get((proposal - 1) / PER_RECORD)
            .expect("BUG: a proposal without its bits");
        ProposalRewardStatus::ALL
            .iter()
            .copied()
            .find(|status| {
                planes.0[reward_plane(*status)] >> ((proposal - 1) % PER_RECORD) & 1 == 1
            })
            .expect("BUG: a proposal without a reward status")
    }

    /// Proposals that the filter includes, from `newest` down.
    pub fn matching<'a>(
        &'a self,
        filter: &'a Filter,
        newest: u64,
    ) -> impl Iterator<Item = u64> + 'a {
        let records = newest.div_ceil(PER_RECORD).min(self.planes.len());
        (0..records).rev().flat_map(move |record| {
            let planes = self.planes.get(record).unwrap_or_default();
            let bits = filter.matches(&planes);
            (0..PER_RECORD)
                .rev()
                .filter(move |bit| bits >> bit & 1 == 1)
                .map(move |bit| record * PER_RECORD + bit + 1)
                .filter(move |proposal| *proposal <= newest)
        })
    }
}
