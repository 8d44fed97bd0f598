//! The nervous system's parameters with every value present, and the part of them
//! that voting power is computed from.
//!
//! The SNS forbids voting periods under a day and the like; here such floors would
//! keep local networks from ever seeing a deadline, so only what would break an
//! invariant is refused.

use minicbor::{Decode, Encode};
use stoa_governance_api::code::NeuronPermissionType;
use stoa_governance_api::{
    CustomProposalCriticality, DefaultFollowees, NervousSystemParameters, NeuronPermissionList,
    VotingRewardsParameters,
};

use crate::cbor::Added;
use crate::permission::Permissions;

const DAY: u64 = 24 * 60 * 60;
/// The SNS's year.
const YEAR: u64 = 31_557_600;
const TOKEN_E8S: u64 = 100_000_000;

/// 2^30 s, 34 years: with it every sum in `power` fits 128 bits.
pub const DURATION_SECONDS_MAX: u64 = 1 << 30;
/// A bonus is at most tenfold; keeps single voting powers inside 128 bits on the way.
const BONUS_PERCENTAGE_MAX: u64 = 900;
const VOTING_PERIOD_SECONDS_MAX: u64 = 30 * DAY;
/// The SNS's ceiling.
const PROPOSALS_WITH_BALLOTS_MAX: u64 = 700;
const NEURONS_MAX: u64 = 1_000_000;
const PRINCIPALS_PER_NEURON_MAX: u64 = 15;
/// The whole supply, a year.
const REWARD_RATE_BASIS_POINTS_MAX: u64 = 10_000;

/// What turns a neuron's stake and times into voting power. Each proposal keeps the
/// rules of its creation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct PowerRules {
    #[n(0)]
    pub min_dissolve_delay_seconds: u64,
    #[n(1)]
    pub max_dissolve_delay_seconds: u64,
    #[n(2)]
    pub max_dissolve_delay_bonus_percentage: u64,
    #[n(3)]
    pub max_age_seconds: u64,
    #[n(4)]
    pub max_age_bonus_percentage: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Parameters {
    #[n(0)]
    pub power: PowerRules,
    #[n(1)]
    pub neuron_minimum_stake_e8s: u64,
    #[n(2)]
    pub transaction_fee_e8s: u64,
    #[n(3)]
    pub reject_cost_e8s: u64,
    #[n(4)]
    pub initial_voting_period_seconds: u64,
    #[n(5)]
    pub wait_for_quiet_deadline_increase_seconds: u64,
    #[n(6)]
    pub max_number_of_neurons: u64,
    #[n(7)]
    pub max_number_of_proposals_with_ballots: u64,
    #[n(8)]
    pub max_number_of_principals_per_neuron: u64,
    #[n(9)]
    pub max_followees_per_function: u64,
    #[n(10)]
    pub max_proposals_to_keep_per_action: u32,
    #[n(11)]
    pub neuron_claimer_permissions: Permissions,
    #[n(12)]
    pub neuron_grantable_permissions: Permissions,
    #[n(13)]
    pub rewards: Added<RewardRules>,
}

/// How much voting earns in all; nothing where both rates are 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct RewardRules {
    /// Of the supply, a year.
    #[n(0)]
    pub initial_rate_basis_points: u64,
    #[n(1)]
    pub final_rate_basis_points: u64,
    /// From the first to the last, from genesis on.
    #[n(2)]
    pub transition_seconds: u64,
    #[n(3)]
    pub round_duration_seconds: u64,
}

impl Default for RewardRules {
    fn default() -> Self {
        Self {
            initial_rate_basis_points: 0,
            final_rate_basis_points: 0,
            transition_seconds: 0,
            round_duration_seconds: DAY,
        }
    }
}

impl Default for Parameters {
    /// What an SNS starts with.
    fn default() -> Self {
        Self {
            power: PowerRules {
                min_dissolve_delay_seconds: YEAR / 2,
                max_dissolve_delay_seconds: 8 * YEAR,
                max_dissolve_delay_bonus_percentage: 100,
                max_age_seconds: 4 * YEAR,
                max_age_bonus_percentage: 25,
            },
            neuron_minimum_stake_e8s: TOKEN_E8S,
            transaction_fee_e8s: 10_000,
            reject_cost_e8s: TOKEN_E8S,
            initial_voting_period_seconds: 4 * DAY,
            wait_for_quiet_deadline_increase_seconds: DAY,
            max_number_of_neurons: 200_000,
            max_number_of_proposals_with_ballots: PROPOSALS_WITH_BALLOTS_MAX,
            max_number_of_principals_per_neuron: 5,
            max_followees_per_function: 15,
            max_proposals_to_keep_per_action: 100,
            neuron_claimer_permissions: Permissions::all(),
            neuron_grantable_permissions: Permissions::none(),
            rewards: Added::default(),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ParameterError {
    OutOfRange {
        parameter: &'static str,
        given: u64,
        min: u64,
        max: u64,
    },
    UnknownPermission {
        parameter: &'static str,
        number: i32,
    },
    /// Nothing here follows by default or advances versions, and what is critical is fixed.
    Unsupported { parameter: &'static str },
}

impl std::fmt::Display for ParameterError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OutOfRange {
                parameter,
                given,
                min,
                max,
            } => write!(f, "{parameter} is {given}, it must be from {min} to {max}"),
            Self::UnknownPermission { parameter, number } => {
                write!(f, "{parameter} has {number}, which is no permission")
            }
            Self::Unsupported { parameter } => {
                write!(f, "{parameter} is not supported by this governance")
            }
        }
    }
}

impl Parameters {
    /// These parameters with what `wire` gives put in their place.
    pub fn changed_by(&self, wire: &NervousSystemParameters) -> Result<Self, ParameterError> {
        let mut new = self.clone();
        let power = &mut new.power;
        set(
            &mut power.min_dissolve_delay_seconds,
            wire.neuron_minimum_dissolve_delay_to_vote_seconds,
        );
        set(
            &mut power.max_dissolve_delay_seconds,
            wire.max_dissolve_delay_seconds,
        );
        set(
            &mut power.max_dissolve_delay_bonus_percentage,
            wire.max_dissolve_delay_bonus_percentage,
        );
        set(
            &mut power.max_age_seconds,
            wire.max_neuron_age_for_age_bonus,
        );
        set(
            &mut power.max_age_bonus_percentage,
            wire.max_age_bonus_percentage,
        );
        set(
            &mut new.neuron_minimum_stake_e8s,
            wire.neuron_minimum_stake_e8s,
        );
        set(&mut new.transaction_fee_e8s, wire.transaction_fee_e8s);
        set(&mut new.reject_cost_e8s, wire.reject_cost_e8s);
        set(
            &mut new.initial_voting_period_seconds,
            wire.initial_voting_period_seconds,
        );
        set(
            &mut new.wait_for_quiet_deadline_increase_seconds,
            wire.wait_for_quiet_deadline_increase_seconds,
        );
        set(&mut new.max_number_of_neurons, wire.max_number_of_neurons);
        set(
            &mut new.max_number_of_proposals_with_ballots,
            wire.max_number_of_proposals_with_ballots,
        );
        set(
            &mut new.max_number_of_principals_per_neuron,
            wire.max_number_of_principals_per_neuron,
        );
        set(
            &mut new.max_followees_per_function,
            wire.max_followees_per_function,
        );
        set(
            &mut new.max_proposals_to_keep_per_action,
            wire.max_proposals_to_keep_per_action,
        );
        if let Some(list) = &wire.neuron_claimer_permissions {
            new.neuron_claimer_permissions = permissions("neuron_claimer_permissions", list)?;
        }
        if let Some(list) = &wire.neuron_grantable_permissions {
            new.neuron_grantable_permissions = permissions("neuron_grantable_permissions", list)?;
        }
        if let Some(given) = &wire.voting_rewards_parameters {
            let rewards = &mut new.rewards;
            set(
                &mut rewards.initial_rate_basis_points,
                given.initial_reward_rate_basis_points,
            );
            set(
                &mut rewards.final_rate_basis_points,
                given.final_reward_rate_basis_points,
            );
            set(
                &mut rewards.transition_seconds,
                given.reward_rate_transition_duration_seconds,
            );
            set(
                &mut rewards.round_duration_seconds,
                given.round_duration_seconds,
            );
        }
        refuse_unsupported(wire)?;
        new.check()?;
        Ok(new)
    }

    fn check(&self) -> Result<(), ParameterError> {
        let power = &self.power;
        within(
            "neuron_minimum_dissolve_delay_to_vote_seconds",
            power.min_dissolve_delay_seconds,
            0,
            power.max_dissolve_delay_seconds,
        )?;
        within(
            "max_dissolve_delay_seconds",
            power.max_dissolve_delay_seconds,
            1,
            DURATION_SECONDS_MAX,
        )?;
        within(
            "max_dissolve_delay_bonus_percentage",
            power.max_dissolve_delay_bonus_percentage,
            0,
            BONUS_PERCENTAGE_MAX,
        )?;
        within(
            "max_neuron_age_for_age_bonus",
            power.max_age_seconds,
            0,
            DURATION_SECONDS_MAX,
        )?;
        within(
            "max_age_bonus_percentage",
            power.max_age_bonus_percentage,
            0,
            BONUS_PERCENTAGE_MAX,
        )?;
        within(
            "neuron_minimum_stake_e8s",
            self.neuron_minimum_stake_e8s,
            self.transaction_fee_e8s.saturating_add(1),
            u64::MAX,
        )?;
        within(
            "initial_voting_period_seconds",
            self.initial_voting_period_seconds,
            1,
            VOTING_PERIOD_SECONDS_MAX,
        )?;
        within(
            "wait_for_quiet_deadline_increase_seconds",
            self.wait_for_quiet_deadline_increase_seconds,
            0,
            VOTING_PERIOD_SECONDS_MAX,
        )?;
        within(
            "max_number_of_neurons",
            self.max_number_of_neurons,
            1,
            NEURONS_MAX,
        )?;
        within(
            "max_number_of_proposals_with_ballots",
            self.max_number_of_proposals_with_ballots,
            1,
            PROPOSALS_WITH_BALLOTS_MAX,
        )?;
        within(
            "max_number_of_principals_per_neuron",
            self.max_number_of_principals_per_neuron,
            1,
            PRINCIPALS_PER_NEURON_MAX,
        )?;
        within(
            "max_followees_per_function",
            self.max_followees_per_function,
            0,
            15,
        )?;
        let rewards = &self.rewards;
        within(
            "initial_reward_rate_basis_points",
            rewards.initial_rate_basis_points,
            rewards.final_rate_basis_points,
            REWARD_RATE_BASIS_POINTS_MAX,
        )?;
        within(
            "reward_rate_transition_duration_seconds",
            rewards.transition_seconds,
            0,
            DURATION_SECONDS_MAX,
        )?;
        within(
            "round_duration_seconds",
            rewards.round_duration_seconds,
            1,
            YEAR,
        )
    }
}

fn set<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

fn within(parameter: &'static str, given: u64, min: u64, max: u64) -> Result<(), ParameterError> {
    if (min..=max).contains(&given) {
        return Ok(());
    }
    Err(ParameterError::OutOfRange {
        parameter,
        given,
        min,
        max,
    })
}

fn permissions(
    parameter: &'static str,
    list: &NeuronPermissionList,
) -> Result<Permissions, ParameterError> {
    Permissions::try_from(list.permissions.as_slice())
        .map_err(|number| ParameterError::UnknownPermission { parameter, number })
}

fn refuse_unsupported(wire: &NervousSystemParameters) -> Result<(), ParameterError> {
    let unsupported = |parameter| Err(ParameterError::Unsupported { parameter });
    if wire
        .default_followees
        .as_ref()
        .is_some_and(|followees| !followees.followees.is_empty())
    {
        return unsupported("default_followees");
    }
    if wire.maturity_modulation_disabled == Some(false) {
        return unsupported("maturity_modulation_disabled");
    }
    if wire.automatically_advance_target_version == Some(true) {
        return unsupported("automatically_advance_target_version");
    }
    if wire
        .custom_proposal_criticality
        .as_ref()
        .is_some_and(|custom| !custom.additional_critical_native_action_ids.is_empty())
    {
        return unsupported("custom_proposal_criticality");
    }
    Ok(())
}

impl From<&Permissions> for NeuronPermissionList {
    fn from(permissions: &Permissions) -> Self {
        Self {
            permissions: permissions
                .iter()
                .map(NeuronPermissionType::number)
                .collect(),
        }
    }
}

impl From<&Parameters> for NervousSystemParameters {
    fn from(parameters: &Parameters) -> Self {
        let power = &parameters.power;
        Self {
            default_followees: Some(DefaultFollowees::default()),
            max_dissolve_delay_seconds: Some(power.max_dissolve_delay_seconds),
            max_dissolve_delay_bonus_percentage: Some(power.max_dissolve_delay_bonus_percentage),
            max_followees_per_function: Some(parameters.max_followees_per_function),
            neuron_claimer_permissions: Some((&parameters.neuron_claimer_permissions).into()),
            neuron_minimum_stake_e8s: Some(parameters.neuron_minimum_stake_e8s),
            max_neuron_age_for_age_bonus: Some(power.max_age_seconds),
            initial_voting_period_seconds: Some(parameters.initial_voting_period_seconds),
            neuron_minimum_dissolve_delay_to_vote_seconds: Some(power.min_dissolve_delay_seconds),
            reject_cost_e8s: Some(parameters.reject_cost_e8s),
            max_proposals_to_keep_per_action: Some(parameters.max_proposals_to_keep_per_action),
            wait_for_quiet_deadline_increase_seconds: Some(
                parameters.wait_for_quiet_deadline_increase_seconds,
            ),
            max_number_of_neurons: Some(parameters.max_number_of_neurons),
            transaction_fee_e8s: Some(parameters.transaction_fee_e8s),
            max_number_of_proposals_with_ballots: Some(
                parameters.max_number_of_proposals_with_ballots,
            ),
            max_age_bonus_percentage: Some(power.max_age_bonus_percentage),
            neuron_grantable_permissions: Some((&parameters.neuron_grantable_permissions).into()),
            voting_rewards_parameters: Some(VotingRewardsParameters {
                final_reward_rate_basis_points: Some(parameters.rewards.final_rate_basis_points),
                initial_reward_rate_basis_points: Some(
                    parameters.rewards.initial_rate_basis_points,
                ),
                reward_rate_transition_duration_seconds: Some(
                    parameters.rewards.transition_seconds,
                ),
                round_duration_seconds: Some(parameters.rewards.round_duration_seconds),
            }),
            maturity_modulation_disabled: Some(true),
            max_number_of_principals_per_neuron: Some(
                parameters.max_number_of_principals_per_neuron,
            ),
            automatically_advance_target_version: Some(false),
            custom_proposal_criticality: Some(CustomProposalCriticality::default()),
        }
    }
}
