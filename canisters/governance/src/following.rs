//! Whom neurons follow, and in what. Stored both ways, always in step: a neuron's own
//! followees by subject, and for each followee who follows it.
//!
//! A neuron follows, on a proposal, the followees of the first subject that it has:
//! the proposal's topic, then its function, then the catch-all, which does not reach
//! critical proposals; the SNS's order and rule.

use std::borrow::Cow;

use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use minicbor::{Decode, Encode};
use stoa_governance_api as api;
use stoa_governance_api::code::Vote;

use crate::cbor::Cbor;
use crate::memory::State;
use crate::neuron::NeuronKey;
use crate::topic::Topic;

/// Of all subjects together, so that a hundred neurons with all of theirs (45 bytes
/// each on the wire) fit an answer.
pub const FOLLOWEES_OF_NEURON_MAX: usize = 200;

/// What is followed in: a function by its id (0 for any), or a topic behind `TOPICS`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Subject(u64);

const TOPICS: u64 = 1 << 63;

impl Subject {
    pub const CATCH_ALL_FUNCTION: u64 = 0;
    pub const CATCH_ALL: Self = Self(Self::CATCH_ALL_FUNCTION);

    pub fn function(id: u64) -> Self {
        Self(id & !TOPICS)
    }

    pub fn topic(topic: Topic) -> Self {
        Self(TOPICS | u64::from(topic.number()))
    }

    fn as_topic(self) -> Option<Topic> {
        (self.0 & TOPICS != 0)
            .then(|| u8::try_from(self.0 & !TOPICS).ok())
            .flatten()
            .and_then(Topic::from_number)
    }

    /// The subjects that a proposal comes under, the first that a neuron has deciding.
    pub fn of_proposal(action_id: u64, topic: Option<Topic>) -> Vec<Self> {
        let is_critical = topic.is_some_and(Topic::is_critical);
        topic
            .map(Self::topic)
            .into_iter()
            .chain([Self::function(action_id)])
            .chain((!is_critical).then_some(Self::CATCH_ALL))
            .collect()
    }
}

impl Storable for Subject {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.0.to_be_bytes().to_vec())
    }

    fn into_bytes(self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        Self(u64::from_bytes(bytes))
    }

    const BOUND: Bound = Bound::Bounded {
        max_size: 8,
        is_fixed_size: true,
    };
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Followee {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub neuron: NeuronKey,
    #[n(1)]
    pub alias: Option<String>,
}

/// What a follower's vote must be, by those votes of its followees that are cast: yes
/// with more than half of all followees, no with at least half. Whichever comes about
/// first excludes the other, so the order of votes does not matter.
pub fn followed_vote(followees: usize, votes: impl Iterator<Item = Vote>) -> Option<Vote> {
    let (mut yes, mut no) = (0, 0);
    for vote in votes {
        match vote {
            Vote::Yes => yes += 1,
            Vote::No => no += 1,
        }
    }
    if followees == 0 {
        None
    } else if 2 * yes > followees {
        Some(Vote::Yes)
    } else if 2 * no >= followees {
        Some(Vote::No)
    } else {
        None
    }
}

impl State {
    pub fn followees(&self, follower: &NeuronKey, subject: Subject) -> Option<Vec<Followee>> {
        self.following
            .get(&(*follower, subject))
            .map(|Cbor(list)| list)
    }

    /// Replaces the followees of one subject; none end the following in it.
    pub fn set_followees(
        &mut self,
        follower: NeuronKey,
        subject: Subject,
        followees: Vec<Followee>,
    ) {
        let before = if followees.is_empty() {
            self.following.remove(&(follower, subject))
        } else {
            self.following
                .insert((follower, subject), Cbor(followees.clone()))
        };
        for old in before.map(|Cbor(list)| list).unwrap_or_default() {
            self.followers.remove(&(subject, old.neuron, follower));
        }
        for new in followees {
            self.followers.insert((subject, new.neuron, follower), ());
        }
    }

    pub fn subjects_of(&self, follower: &NeuronKey) -> Vec<(Subject, Vec<Followee>)> {
        self.following
            .range((*follower, Subject(0))..=(*follower, Subject(u64::MAX)))
            .map(|entry| (entry.key().1, entry.value().0))
            .collect()
    }

    pub fn has_followers(&self, followee: &NeuronKey, subjects: &[Subject]) -> bool {
        subjects.iter().any(|subject| {
            self.followers
                .keys_range((*subject, *followee, [0; 32])..=(*subject, *followee, [u8::MAX; 32]))
                .next()
                .is_some()
        })
    }

    pub fn following_to_wire(
        &self,
        follower: &NeuronKey,
    ) -> (Vec<(u64, api::Followees)>, Option<api::TopicFollowees>) {
        let mut functions = Vec::new();
        let mut topics = Vec::new();
        for (subject, followees) in self.subjects_of(follower) {
            match subject.as_topic() {
                None => functions.push((
                    subject.0,
                    api::Followees {
                        followees: followees
                            .into_iter()
                            .map(|followee| followee.neuron.into())
                            .collect(),
                    },
                )),
                Some(topic) => topics.push((
                    i32::from(topic.number()),
                    api::FolloweesForTopic {
                        topic: Some(topic.into()),
                        followees: followees
                            .into_iter()
                            .map(|followee| api::Followee {
                                neuron_id: Some(followee.neuron.into()),
                                alias: followee.alias,
                            })
                            .collect(),
                    },
                )),
            }
        }
        let topics = (!topics.is_empty()).then_some(api::TopicFollowees {
            topic_id_to_followees: topics,
        });
        (functions, topics)
    }
}
