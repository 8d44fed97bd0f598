//! Voting rewards: off by default. A round ends every so often; then the tokens that
//! the yearly rate makes of the supply, for the time since the last distribution, are
//! shared out as maturity among the ballots of the proposals that closed, in proportion
//! to their power; the SNS's rule.
//!
//! ```text
//! closed, eligible --> unsettled --(round ends, supply asked)--> distribution: ballot by ballot,
//!                                                                in bounded messages --> settled
//! ```
//! What must hold: a ballot is rewarded once: the cursor moves in the message that
//! credits; what is shared out is at most the purse; ballots are kept until they are
//! rewarded. A round in which no proposal closed leaves its time to the next.

use std::cell::Cell;

use minicbor::{Decode, Encode};
use stoa_governance_api::code::ProposalRewardStatus;
use stoa_governance_api::{self as api, ProposalId};

use crate::cbor::Cbor;
use crate::ledger;
use crate::memory::{State, with_state};
use crate::neuron::NeuronKey;
use crate::neurons::Slicing;
use crate::parameters::RewardRules;
use crate::runtime;

/// The SNS's year.
const YEAR_SECONDS: u128 = 31_557_600;
/// A rate is held in millionths of a basis point while it changes.
const RATE_SCALE: u128 = 1_000_000;
/// More wait for the next round; their numbers are in one cell.
const PROPOSALS_IN_ROUND_MAX: usize = 1_000;
/// A neuron read and written each: some 0.4 M instructions.
const BALLOTS_AT_ONCE_MAX: usize = 500;

#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Rewards {
    #[n(0)]
    pub round: u64,
    /// 0 before the first round has begun.
    #[n(1)]
    pub round_began_at_seconds: u64,
    /// Up to where the rate was paid for.
    #[n(2)]
    pub paid_until_seconds: u64,
    #[n(3)]
    pub distribution: Option<Distribution>,
    #[n(4)]
    pub latest: Option<Event>,
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Distribution {
    #[n(0)]
    pub purse_e8s: u64,
    /// Power of all ballots of all its proposals.
    #[cbor(n(1), with = "crate::cbor::wide")]
    pub shares: u128,
    #[n(2)]
    pub ends_at_seconds: u64,
    /// Those that are not settled, the first under way.
    #[n(3)]
    pub proposals: Vec<u64>,
    #[n(4)]
    pub settled: Vec<u64>,
    /// The last ballot of the first proposal that was rewarded.
    #[n(5)]
    after: Option<Voter>,
    #[n(6)]
    pub distributed_e8s: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(transparent)]
struct Voter(#[cbor(n(0), with = "minicbor::bytes")] NeuronKey);

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Event {
    #[n(0)]
    pub round: u64,
    #[n(1)]
    pub at_seconds: u64,
    #[n(2)]
    pub ends_at_seconds: u64,
    #[n(3)]
    pub available_e8s: u64,
    #[n(4)]
    pub distributed_e8s: u64,
    #[n(5)]
    pub settled: Vec<u64>,
}

impl RewardRules {
    /// What of the supply a span of time makes, the rate falling from the first to the
    /// last in a parabola, as in the SNS.
    pub fn purse_e8s(&self, supply_e8s: u64, since_genesis_seconds: u64, seconds: u64) -> u64 {
        let (first, last) = (
            u128::from(self.initial_rate_basis_points) * RATE_SCALE,
            u128::from(self.final_rate_basis_points) * RATE_SCALE,
        );
        let transition = u128::from(self.transition_seconds);
        let left = transition.saturating_sub(u128::from(since_genesis_seconds));
        let rate = if left == 0 {
            last
        } else {
            last + (first - last) * left * left / (transition * transition)
        };
        let yearly = u128::from(supply_e8s) * u128::from(seconds) / YEAR_SECONDS;
        u64::try_from(yearly * rate / (10_000 * RATE_SCALE)).unwrap_or(u64::MAX)
    }

    pub fn are_off(&self) -> bool {
        self.initial_rate_basis_points == 0 && self.final_rate_basis_points == 0
    }
}

thread_local! {
    static UNSTABLE_ASKING: Cell<bool> = const { Cell::new(false) };
}

/// One round's end at a time asks for the supply.
#[must_use]
struct Asking;

impl Asking {
    fn enter() -> Option<Self> {
        (!UNSTABLE_ASKING.replace(true)).then(|| Self)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        UNSTABLE_ASKING.set(false);
    }
}

#[cfg(test)]
pub fn forget_asking() {
    UNSTABLE_ASKING.set(false);
}

/// Ends a round where one is due. What is left to share out says `Paused`.
pub async fn run() -> Slicing {
    let Some(asking) = Asking::enter() else {
        return Slicing::Done;
    };
    let slicing = run_alone().await;
    drop(asking);
    slicing
}

async fn run_alone() -> Slicing {
    let now = runtime::now_seconds();
    if with_state(|state| state.rewards.get().0.distribution.is_some()) {
        return with_state(|state| state.share_out(now));
    }
    let Some(ends_at) = with_state(|state| state.round_end_due(now)) else {
        return Slicing::Done;
    };
    if with_state(|state| state.pass_round_without_rewards(ends_at)) {
        return Slicing::Done;
    }
    let ledger = with_state(|state| state.settings().token_ledger);
    // Without an answer the round ends with the next timer.
    let Ok(supply) = ledger::total_supply(ledger).await else {
        return Slicing::Done;
    };
    with_state(|state| {
        state.begin_distribution(supply, ends_at);
        state.share_out(now)
    })
}

impl State {
    fn change_rewards(&mut self, change: impl FnOnce(&mut Rewards)) {
        let mut rewards = self.rewards.get().0.clone();
        change(&mut rewards);
        self.rewards.set(Cbor(rewards));
    }

    fn round_end_due(&mut self, now: u64) -> Option<u64> {
        let duration = self.parameters().rewards.round_duration_seconds;
        let began = self.rewards.get().0.round_began_at_seconds;
        if began == 0 {
            self.change_rewards(|rewards| {
                rewards.round_began_at_seconds = now;
                rewards.paid_until_seconds = now;
            });
            return None;
        }
        let rounds = now.saturating_sub(began) / duration;
        (rounds > 0).then(|| began + rounds * duration)
    }

    /// Whether there was nothing to share out.
    fn pass_round_without_rewards(&mut self, ends_at: u64) -> bool {
        let off = self.parameters().rewards.are_off();
        if off {
            let waiting: Vec<u64> = self.unsettled.keys().take(PROPOSALS_IN_ROUND_MAX).collect();
            for proposal in waiting {
                self.settle(proposal);
            }
        } else if !self.unsettled.is_empty() {
            return false;
        }
        self.change_rewards(|rewards| {
            rewards.round += 1;
            rewards.round_began_at_seconds = ends_at;
            if off {
                rewards.paid_until_seconds = ends_at;
            }
        });
        true
    }

    fn begin_distribution(&mut self, supply_e8s: u64, ends_at: u64) {
        let proposals: Vec<u64> = self.unsettled.keys().take(PROPOSALS_IN_ROUND_MAX).collect();
        let shares = proposals
            .iter()
            .filter_map(|proposal| self.progress_of(*proposal).ok())
            .map(|progress| u128::from(progress.yes) + u128::from(progress.no))
            .sum();
        let paid_until = self.rewards.get().0.paid_until_seconds;
        let purse_e8s = self.parameters().rewards.purse_e8s(
            supply_e8s,
            ends_at.saturating_sub(self.settings().genesis_seconds),
            ends_at.saturating_sub(paid_until),
        );
        self.change_rewards(|rewards| {
            rewards.round += 1;
            rewards.round_began_at_seconds = ends_at;
            rewards.paid_until_seconds = ends_at;
            rewards.distribution = Some(Distribution {
                purse_e8s,
                shares,
                ends_at_seconds: ends_at,
                proposals,
                settled: vec![],
                after: None,
                distributed_e8s: 0,
            });
        });
    }

    /// Rewards some ballots.
    fn share_out(&mut self, now: u64) -> Slicing {
        let mut rewards = self.rewards.get().0.clone();
        let Some(mut job) = rewards.distribution.take() else {
            return Slicing::Done;
        };
        let mut left = BALLOTS_AT_ONCE_MAX;
        while left > 0
            && let Some(&proposal) = job.proposals.first()
        {
            let after = job.after.map(|Voter(key)| key);
            let start = after.unwrap_or([0; 32]);
            let page: Vec<(NeuronKey, u64)> = self
                .ballots
                .range((proposal, start)..=(proposal, [u8::MAX; 32]))
                .map(|entry| (entry.key().1, entry.value().voting_power))
                .filter(|(key, _)| Some(*key) != after)
                .take(left)
                .collect();
            for (voter, power) in &page {
                job.distributed_e8s += self.reward(voter, *power, &job, now);
            }
            if page.len() == left {
                job.after = page.last().map(|(voter, _)| Voter(*voter));
            } else {
                job.after = None;
                job.settled.push(job.proposals.remove(0));
                self.rewarded.insert(proposal, rewards.round);
                self.settle(proposal);
            }
            left = left.saturating_sub(page.len().max(1));
        }
        let slicing = if job.proposals.is_empty() {
            rewards.latest = Some(Event {
                round: rewards.round,
                at_seconds: now,
                ends_at_seconds: job.ends_at_seconds,
                available_e8s: job.purse_e8s,
                distributed_e8s: job.distributed_e8s,
                settled: job.settled,
            });
            Slicing::Done
        } else {
            rewards.distribution = Some(job);
            Slicing::Paused
        };
        self.rewards.set(Cbor(rewards));
        slicing
    }

    /// What one ballot earns; nothing where its neuron is gone.
    fn reward(&mut self, voter: &NeuronKey, power: u64, job: &Distribution, now: u64) -> u64 {
        let earned = (u128::from(job.purse_e8s) * u128::from(power))
            .checked_div(job.shares)
            .unwrap_or(0);
        let earned = u64::try_from(earned).expect("BUG: a share above its purse");
        if earned == 0 {
            return 0;
        }
        self.change_neuron(voter, now, |neuron| {
            neuron.maturity.add(earned);
            if neuron.maturity.auto_stake {
                neuron.maturity.stake(earned);
            }
            Ok(earned)
        })
        .unwrap_or(0)
    }

    fn settle(&mut self, proposal: u64) {
        self.unsettled.remove(&proposal);
        self.closed_with_ballots.insert(proposal, ());
        self.index_reward_status(proposal, ProposalRewardStatus::Settled);
    }

    /// Votes are over: rewards come now, if they do.
    pub fn close_for_rewards(&mut self, proposal: u64, is_eligible: bool) {
        if is_eligible {
            self.unsettled.insert(proposal, ());
            self.index_reward_status(proposal, ProposalRewardStatus::ReadyToSettle);
        } else {
            self.settle(proposal);
        }
    }

    pub fn latest_reward_event(&self) -> api::RewardEvent {
        let rewards = &self.rewards.get().0;
        match &rewards.latest {
            Some(event) => api::RewardEvent {
                rounds_since_last_distribution: Some(rewards.round - event.round),
                actual_timestamp_seconds: event.at_seconds,
                end_timestamp_seconds: Some(event.ends_at_seconds),
                total_available_e8s_equivalent: Some(event.available_e8s),
                distributed_e8s_equivalent: event.distributed_e8s,
                round: event.round,
                settled_proposals: event
                    .settled
                    .iter()
                    .map(|id| ProposalId { id: *id })
                    .collect(),
            },
            None => api::RewardEvent {
                rounds_since_last_distribution: Some(rewards.round),
                actual_timestamp_seconds: self.settings().genesis_seconds,
                end_timestamp_seconds: Some(self.settings().genesis_seconds),
                total_available_e8s_equivalent: Some(0),
                distributed_e8s_equivalent: 0,
                round: 0,
                settled_proposals: vec![],
            },
        }
    }
}
