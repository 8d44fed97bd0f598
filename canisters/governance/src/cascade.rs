//! Followers vote after whom they follow, in bounded messages. An SNS does it within
//! the message of the vote, whose cost then grows with the number of followers, up to
//! where a vote cannot be cast any more. Here a vote leaves an entry behind:
//!
//! ```text
//! cascades[(proposal, voter)] = cursor over the voter's followers, subject by subject
//! ```
//! and a timer works entries off. Each follower that its followees' votes now bind
//! votes, with its power as of the proposal's creation, and leaves an entry of its own.
//!
//! What must hold: the followers of a vote that was cast in time vote as well, however
//! long it takes: a proposal is not closed while it has entries, and what they cast
//! counts as cast before the deadline. A neuron votes once on a proposal, so there are
//! never more entries than ballots, and the work ends.

use minicbor::{Decode, Encode};
use stoa_governance_api::code::Vote;

use crate::cbor::Cbor;
use crate::following::{Subject, followed_vote};
use crate::memory::State;
use crate::neuron::NeuronKey;
use crate::neurons::Slicing;
use crate::register_vote::Voting;

/// A follower costs some 0.6 M instructions and, with 15 followees, at most 3 M.
const FOLLOWERS_AT_ONCE_MAX: usize = 300;

/// Where the search for followers goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Cursor {
    /// Of the proposal's subjects, which.
    #[n(0)]
    subject: u32,
    #[n(1)]
    after: Option<Follower>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(transparent)]
struct Follower(#[cbor(n(0), with = "minicbor::bytes")] NeuronKey);

impl State {
    /// Remembers that the voter's followers are to be looked at, if there are any.
    pub fn begin_cascade(&mut self, proposal: u64, voter: NeuronKey, subjects: &[Subject]) {
        if self.has_followers(&voter, subjects) {
            self.cascades
                .insert((proposal, voter), Cbor(Cursor::default()));
        }
    }

    pub fn is_cascading(&self, proposal: u64) -> bool {
        self.cascades
            .keys_range((proposal, [0; 32])..=(proposal, [u8::MAX; 32]))
            .next()
            .is_some()
    }

    /// Looks at some followers. To be called again while it is paused.
    pub fn work_off_cascades(&mut self, now: u64) -> Slicing {
        let mut left = FOLLOWERS_AT_ONCE_MAX;
        while left > 0 {
            let Some(((proposal, _), _)) = self.cascades.first_key_value() else {
                return Slicing::Done;
            };
            let mut voting = Voting::open(self, proposal)
                .expect("BUG: a vote is followed on a proposal that is not there");
            // What was cast in time is followed in time.
            let cast_at = now.min(voting.progress.deadline_seconds.saturating_sub(1));
            while left > 0 && self.is_cascading(proposal) {
                left -= self.look_at_followers(&mut voting, left, cast_at);
            }
            voting.close(self, cast_at);
        }
        if self.cascades.is_empty() {
            Slicing::Done
        } else {
            Slicing::Paused
        }
    }

    /// Of the first vote that waits; returns how many it has looked at, at least one so
    /// that the work ends.
    fn look_at_followers(&mut self, voting: &mut Voting, at_most: usize, cast_at: u64) -> usize {
        let proposal = voting.proposal;
        let Some(((_, voter), Cbor(cursor))) = self
            .cascades
            .range((proposal, [0; 32])..=(proposal, [u8::MAX; 32]))
            .next()
            .map(|entry| (*entry.key(), entry.value()))
        else {
            return 1;
        };
        let subjects = voting.subjects();
        let Some(subject) = subjects.get(cursor.subject as usize) else {
            self.cascades.remove(&(proposal, voter));
            return 1;
        };
        let after = cursor.after.map(|Follower(after)| after);
        let start = after.unwrap_or([0; 32]);
        let page: Vec<NeuronKey> = self
            .followers
            .keys_range((*subject, voter, start)..=(*subject, voter, [u8::MAX; 32]))
            .map(|(_, _, follower)| follower)
            .filter(|follower| Some(*follower) != after)
            .take(at_most)
            .collect();
        let next = match page.last() {
            Some(last) if page.len() == at_most => Cursor {
                subject: cursor.subject,
                after: Some(Follower(*last)),
            },
            _ => Cursor {
                subject: cursor.subject + 1,
                after: None,
            },
        };
        self.cascades.insert((proposal, voter), Cbor(next));
        for follower in &page {
            if let Some(vote) = self.bound_vote(voting, follower, &subjects) {
                // Without power there is no ballot; nobody who follows it is bound by it.
                let _cast_or_powerless = voting.put(self, *follower, vote, cast_at);
            }
        }
        page.len().max(1)
    }

    /// The vote that the follower's followees leave it, if it has not voted.
    fn bound_vote(
        &self,
        voting: &Voting,
        follower: &NeuronKey,
        subjects: &[Subject],
    ) -> Option<Vote> {
        let proposal = voting.proposal;
        if self.ballots.contains_key(&(proposal, *follower)) {
            return None;
        }
        let followees = subjects
            .iter()
            .find_map(|subject| self.followees(follower, *subject))?;
        followed_vote(
            followees.len(),
            followees.iter().filter_map(|followee| {
                self.ballots
                    .get(&(proposal, followee.neuron))
                    .map(|ballot| ballot.vote)
            }),
        )
    }
}
