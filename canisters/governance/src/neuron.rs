//! A neuron: its stake, its times and its people. Native rules only; `neurons`
//! stores it and keeps the sums in step.

use candid::Principal;
use minicbor::{Decode, Encode};
use stoa_governance_api as api;
use stoa_governance_api::code::NeuronPermissionType;

use crate::cbor::Added;
use crate::parameters::PowerRules;
use crate::permission::Holder;
use crate::power::Count;
use crate::refusal::Refusal;

/// The neuron's subaccount of governance on the token ledger.
pub type NeuronKey = [u8; 32];

/// `aging_since_seconds` of a neuron that does not age; the SNS's value.
pub const NOT_AGING: u64 = u64::MAX;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Dissolve {
    /// Standing still with this delay; with none it is dissolved.
    #[n(0)]
    Delay(#[n(0)] u64),
    /// Running out at this time.
    #[n(1)]
    At(#[n(0)] u64),
}

/// All that voting power is computed from. Kept for past proposals when it changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct VotingState {
    /// Stake less the fees of open or rejected proposals, and staked maturity.
    #[n(0)]
    pub stake_e8s: u64,
    #[n(1)]
    pub dissolve: Dissolve,
    #[n(2)]
    pub aging_since_seconds: u64,
}

impl VotingState {
    pub fn dissolve_delay_seconds(&self, now: u64) -> u64 {
        match self.dissolve {
            Dissolve::Delay(delay) => delay,
            Dissolve::At(at) => at.saturating_sub(now),
        }
    }

    pub fn age_seconds(&self, now: u64) -> u64 {
        now.saturating_sub(self.aging_since_seconds)
    }

    /// The SNS's formula with its roundings: stake, plus the bonus for the dissolve
    /// delay, plus on that sum the bonus for age. Nothing under the least delay.
    pub fn voting_power(&self, now: u64, rules: &PowerRules) -> u64 {
        let delay = self.dissolve_delay_seconds(now);
        if delay < rules.min_dissolve_delay_seconds {
            return 0;
        }
        let with_delay = with_bonus(
            u128::from(self.stake_e8s),
            delay,
            rules.max_dissolve_delay_seconds,
            rules.max_dissolve_delay_bonus_percentage,
        );
        let with_age = with_bonus(
            with_delay,
            self.age_seconds(now),
            rules.max_age_seconds,
            rules.max_age_bonus_percentage,
        );
        u64::try_from(with_age).unwrap_or(u64::MAX)
    }
}

/// `base` and up to `percentage` of it more, in proportion to `given` of `max`. No
/// overflow: 2^64 · 2^30 · 10 · 10 at most, with the bounds of `parameters`.
fn with_bonus(base: u128, given: u64, max: u64, percentage: u64) -> u128 {
    if max == 0 {
        return base;
    }
    base + base * u128::from(given.min(max)) * u128::from(percentage) / (100 * u128::from(max))
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Neuron {
    #[n(0)]
    pub holders: Vec<Holder>,
    #[n(1)]
    pub stake_e8s: u64,
    /// Reject costs of its proposals: given back on adoption.
    #[n(2)]
    pub fees_e8s: u64,
    #[n(3)]
    pub created_at_seconds: u64,
    #[n(4)]
    pub dissolve: Dissolve,
    #[n(5)]
    pub aging_since_seconds: u64,
    /// The newest proposal when the neuron came: on it and older ones it has no vote.
    #[n(6)]
    pub created_after_proposal: u64,
    /// The newest proposal when the present voting state began: younger proposals see
    /// this state, older ones one in the history.
    #[n(7)]
    pub state_after_proposal: u64,
    /// How the sums of voting power have it.
    #[n(8)]
    pub count: Count,
    #[n(9)]
    pub maturity: Added<Maturity>,
}

/// What voting earned: tokens that are not minted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Maturity {
    #[n(0)]
    pub free_e8s: u64,
    /// Counts as stake.
    #[n(1)]
    pub staked_e8s: u64,
    /// Rewards are staked as they come.
    #[n(2)]
    pub auto_stake: bool,
}

impl Maturity {
    pub fn add(&mut self, amount_e8s: u64) {
        self.free_e8s = self
            .free_e8s
            .checked_add(amount_e8s)
            .expect("BUG: more maturity than tokens can be");
    }

    pub fn stake(&mut self, amount_e8s: u64) {
        self.free_e8s -= amount_e8s;
        self.staked_e8s = self
            .staked_e8s
            .checked_add(amount_e8s)
            .expect("BUG: more maturity than tokens can be");
    }

    pub fn unstake(&mut self) {
        let staked = std::mem::take(&mut self.staked_e8s);
        self.add(staked);
    }

    pub fn total_e8s(&self) -> u64 {
        self.free_e8s.saturating_add(self.staked_e8s)
    }

    /// As a split's new neuron begins.
    pub fn without_amounts(self) -> Self {
        Self {
            auto_stake: self.auto_stake,
            ..Self::default()
        }
    }
}

impl Neuron {
    /// As the SNS claims it: dissolved, aging from now.
    pub fn claimed(holder: Holder, stake_e8s: u64, now: u64, newest_proposal: u64) -> Self {
        Self {
            holders: vec![holder],
            stake_e8s,
            fees_e8s: 0,
            created_at_seconds: now,
            dissolve: Dissolve::Delay(0),
            aging_since_seconds: now,
            created_after_proposal: newest_proposal,
            state_after_proposal: newest_proposal,
            count: Count::default(),
            maturity: Added::default(),
        }
    }

    pub fn voting_state(&self) -> VotingState {
        VotingState {
            stake_e8s: self
                .stake_e8s
                .saturating_sub(self.fees_e8s)
                .saturating_add(self.maturity.staked_e8s),
            dissolve: self.dissolve,
            aging_since_seconds: self.aging_since_seconds,
        }
    }

    pub fn permits(&self, principal: &Principal, permission: NeuronPermissionType) -> bool {
        self.holders
            .iter()
            .any(|holder| holder.principal == *principal && holder.permissions.has(permission))
    }

    pub fn is_dissolved(&self, now: u64) -> bool {
        self.voting_state().dissolve_delay_seconds(now) == 0
    }

    pub fn require(
        &self,
        caller: Principal,
        permission: NeuronPermissionType,
    ) -> Result<(), Refusal> {
        if self.permits(&caller, permission) {
            Ok(())
        } else {
            Err(Refusal::NotPermitted { caller, permission })
        }
    }

    /// Takes over what the account holds. What was added has no age yet, so the age of
    /// the whole becomes the mean, weighted by stake.
    pub fn refresh_stake(&mut self, balance_e8s: u64, now: u64) {
        let old = self.stake_e8s;
        self.stake_e8s = balance_e8s;
        if self.aging_since_seconds == NOT_AGING || balance_e8s <= old {
            return;
        }
        let age = u128::from(now.saturating_sub(self.aging_since_seconds));
        let mean = age * u128::from(old) / u128::from(balance_e8s);
        let mean = u64::try_from(mean).expect("BUG: a mean above its largest part");
        self.aging_since_seconds = now - mean;
    }

    pub fn increase_dissolve_delay(
        &mut self,
        additional_seconds: u64,
        now: u64,
        max_seconds: u64,
    ) -> Result<(), Refusal> {
        let current = self.voting_state().dissolve_delay_seconds(now);
        let increased = current.saturating_add(additional_seconds).min(max_seconds);
        if increased <= current {
            return Err(Refusal::DissolveDelayNotIncreased {
                current_seconds: current,
                max_seconds,
            });
        }
        match self.dissolve {
            Dissolve::At(at) if at > now => self.dissolve = Dissolve::At(now + increased),
            Dissolve::Delay(delay) if delay > 0 => self.dissolve = Dissolve::Delay(increased),
            // Dissolved: it stands still again, and its age begins anew.
            Dissolve::At(_) | Dissolve::Delay(_) => {
                self.dissolve = Dissolve::Delay(increased);
                self.aging_since_seconds = now;
            }
        }
        Ok(())
    }

    /// Moves the end to a later time, up to the longest delay.
    pub fn set_dissolve_timestamp(
        &mut self,
        at_seconds: u64,
        now: u64,
        max_seconds: u64,
    ) -> Result<(), Refusal> {
        let current = self.voting_state().dissolve_delay_seconds(now);
        let additional = at_seconds.saturating_sub(now).saturating_sub(current);
        self.increase_dissolve_delay(additional, now, max_seconds)
    }

    pub fn start_dissolving(&mut self, now: u64) -> Result<(), Refusal> {
        match self.dissolve {
            Dissolve::Delay(0) => Err(Refusal::Dissolved),
            Dissolve::Delay(delay) => {
                self.dissolve = Dissolve::At(now + delay);
                self.aging_since_seconds = NOT_AGING;
                Ok(())
            }
            Dissolve::At(at) if at > now => Err(Refusal::AlreadyDissolving),
            Dissolve::At(_) => Err(Refusal::Dissolved),
        }
    }

    pub fn stop_dissolving(&mut self, now: u64) -> Result<(), Refusal> {
        match self.dissolve {
            Dissolve::At(at) if at > now => {
                self.dissolve = Dissolve::Delay(at - now);
                self.aging_since_seconds = now;
                Ok(())
            }
            _ => Err(Refusal::NotDissolving),
        }
    }

    pub fn to_wire(&self, key: NeuronKey) -> api::Neuron {
        api::Neuron {
            id: Some(key.into()),
            staked_maturity_e8s_equivalent: (self.maturity.staked_e8s > 0)
                .then_some(self.maturity.staked_e8s),
            permissions: self
                .holders
                .iter()
                .map(|holder| api::NeuronPermission {
                    principal: Some(holder.principal),
                    permission_type: holder
                        .permissions
                        .iter()
                        .map(NeuronPermissionType::number)
                        .collect(),
                })
                .collect(),
            maturity_e8s_equivalent: self.maturity.free_e8s,
            cached_neuron_stake_e8s: self.stake_e8s,
            created_timestamp_seconds: self.created_at_seconds,
            source_nns_neuron_id: None,
            auto_stake_maturity: self.maturity.auto_stake.then_some(true),
            aging_since_timestamp_seconds: self.aging_since_seconds,
            dissolve_state: Some(match self.dissolve {
                Dissolve::Delay(delay) => api::DissolveState::DissolveDelaySeconds(delay),
                Dissolve::At(at) => api::DissolveState::WhenDissolvedTimestampSeconds(at),
            }),
            voting_power_percentage_multiplier: 100,
            vesting_period_seconds: None,
            disburse_maturity_in_progress: vec![],
            followees: vec![],
            topic_followees: None,
            neuron_fees_e8s: self.fees_e8s,
        }
    }
}

/// Parses a `ManageNeuron::subaccount` or `NeuronId::id`.
pub fn neuron_key(bytes: &[u8]) -> Result<NeuronKey, Refusal> {
    bytes.try_into().map_err(|_| Refusal::InvalidNeuronId {
        length: bytes.len(),
    })
}
