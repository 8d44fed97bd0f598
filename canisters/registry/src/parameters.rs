//! `get_parameters`, `validate_set_parameters` and `set_parameters`: what the DAO may change without changing code. Each has
//! bounds within which the rest of the registry holds what it promises.

use candid::Principal;
use stoa_registry_api::{RegistryParameters, ValidationResult};

use crate::authority::{NotGovernance, check_governance};
use crate::limits::{OPEN_VERSIONS_CEILING, OPEN_VERSIONS_PER_CALLER_CEILING};
use crate::runtime::Runtime;
use crate::state::State;
use crate::state::records::{Action, Parameters};

const DAY_SECONDS: u64 = 24 * 3_600;

pub const DEFAULT: Parameters = Parameters {
    // 0.0005 ICP: 100 MB ask for 0.05 ICP.
    deposit_e8s_per_mib: 50_000,
    // 0.01 ICP, a hundred times the ledger's fee.
    deposit_e8s_min: 1_000_000,
    draft_lifetime_seconds: 14 * DAY_SECONDS,
    proposal_lifetime_seconds: 60 * DAY_SECONDS,
    open_versions_per_caller_max: 32,
    open_versions_max: 2_000,
    // Twelve calls with the largest manifest.
    planned_chunks_per_hour_max: 200_000,
    // 2 T
    cycles_min: 2_000_000_000_000,
};

/// Field, what was given, and within what it has to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvalidParameter {
    pub field: &'static str,
    pub given: u64,
    pub min: u64,
    pub max: u64,
}

impl std::fmt::Display for InvalidParameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            field,
            given,
            min,
            max,
        } = self;
        write!(f, "{field}: {given} is outside of {min} to {max}")
    }
}

pub fn check(parameters: &Parameters, ledger_fee_e8s: u64) -> Result<(), InvalidParameter> {
    let within = |field, given, min, max| {
        if (min..=max).contains(&given) {
            Ok(())
        } else {
            Err(InvalidParameter {
                field,
                given,
                min,
                max,
            })
        }
    };
    let p = parameters;
    // 1 ICP a MiB; a version has 16,384 at most, so that no deposit overflows.
    within("deposit_e8s_per_mib", p.deposit_e8s_per_mib, 0, 100_000_000)?;
    // The way back costs a ledger fee; a deposit that is mostly fee would be a charge.
    let min = if p.deposit_e8s_per_mib == 0 && p.deposit_e8s_min == 0 {
        0
    } else {
        ledger_fee_e8s.saturating_mul(10)
    };
    within("deposit_e8s_min", p.deposit_e8s_min, min, 10_000_000_000)?;
    within(
        "draft_lifetime_seconds",
        p.draft_lifetime_seconds,
        1,
        365 * DAY_SECONDS,
    )?;
    within(
        "proposal_lifetime_seconds",
        p.proposal_lifetime_seconds,
        DAY_SECONDS,
        3 * 365 * DAY_SECONDS,
    )?;
    within(
        "open_versions_per_caller_max",
        p.open_versions_per_caller_max,
        1,
        OPEN_VERSIONS_PER_CALLER_CEILING,
    )?;
    within(
        "open_versions_max",
        p.open_versions_max,
        1,
        OPEN_VERSIONS_CEILING,
    )?;
    // At least one call with the largest manifest.
    within(
        "planned_chunks_per_hour_max",
        p.planned_chunks_per_hour_max,
        20_000,
        100_000_000,
    )?;
    within("cycles_min", p.cycles_min, 0, 1_000_000_000_000_000)
}

pub fn validate_set_parameters(state: &State, wire: &RegistryParameters) -> ValidationResult {
    let given = Parameters::from(wire.clone());
    check(&given, state.settings.get().ledger_fee_e8s).map_err(|error| error.to_string())?;
    Ok(render(state.parameters.get(), &given))
}

fn render(now: &Parameters, new: &Parameters) -> String {
    let rows = [
        (
            "Storage deposit per MiB (e8s of ICP)",
            now.deposit_e8s_per_mib,
            new.deposit_e8s_per_mib,
        ),
        (
            "Least storage deposit (e8s of ICP)",
            now.deposit_e8s_min,
            new.deposit_e8s_min,
        ),
        (
            "Lifetime of a draft (seconds)",
            now.draft_lifetime_seconds,
            new.draft_lifetime_seconds,
        ),
        (
            "Lifetime of a proposed version without a known proposal (seconds)",
            now.proposal_lifetime_seconds,
            new.proposal_lifetime_seconds,
        ),
        (
            "Undecided versions of one principal",
            now.open_versions_per_caller_max,
            new.open_versions_per_caller_max,
        ),
        (
            "Undecided versions in all",
            now.open_versions_max,
            new.open_versions_max,
        ),
        (
            "Chunks that one principal may have planned in an hour",
            now.planned_chunks_per_hour_max,
            new.planned_chunks_per_hour_max,
        ),
        (
            "Cycles below which the registry asks for more",
            now.cycles_min,
            new.cycles_min,
        ),
    ];
    let mut text = "# Set the registry's parameters\n\n".to_owned();
    for (name, now, new) in rows {
        if now == new {
            text.push_str(&format!("- {name}: stays {now}\n"));
        } else {
            text.push_str(&format!("- {name}: **{now} becomes {new}**\n"));
        }
    }
    text
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetParametersError {
    NotGovernance(NotGovernance),
    Invalid(InvalidParameter),
}

impl std::fmt::Display for SetParametersError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotGovernance(error) => error.fmt(f),
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

pub fn set_parameters(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    wire: RegistryParameters,
) -> Result<(), SetParametersError> {
    check_governance(state, caller).map_err(SetParametersError::NotGovernance)?;
    let parameters = Parameters::from(wire);
    check(&parameters, state.settings.get().ledger_fee_e8s).map_err(SetParametersError::Invalid)?;
    if *state.parameters.get() != parameters {
        state.parameters.set(parameters.clone());
        let action = Action::SetParameters { parameters };
        state.record(runtime, caller, action);
    }
    Ok(())
}

pub fn get_parameters(state: &State) -> RegistryParameters {
    state.parameters.get().clone().into()
}

macro_rules! copy_fields {
    ($from:ty, $to:ident) => {
        impl From<$from> for $to {
            fn from(p: $from) -> Self {
                Self {
                    deposit_e8s_per_mib: p.deposit_e8s_per_mib,
                    deposit_e8s_min: p.deposit_e8s_min,
                    draft_lifetime_seconds: p.draft_lifetime_seconds,
                    proposal_lifetime_seconds: p.proposal_lifetime_seconds,
                    open_versions_per_caller_max: p.open_versions_per_caller_max,
                    open_versions_max: p.open_versions_max,
                    planned_chunks_per_hour_max: p.planned_chunks_per_hour_max,
                    cycles_min: p.cycles_min,
                }
            }
        }
    };
}

copy_fields!(Parameters, RegistryParameters);
copy_fields!(RegistryParameters, Parameters);

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Parameters);

    #[test]
    fn should_take_its_own_defaults_and_no_deposits_at_all() {
        assert_eq!(check(&DEFAULT, 10_000), Ok(()));
        let mut free = DEFAULT;
        (free.deposit_e8s_per_mib, free.deposit_e8s_min) = (0, 0);
        assert_eq!(check(&free, 10_000), Ok(()));
    }

    #[test]
    fn should_refuse_each_parameter_outside_of_its_bounds() {
        let cases: &[(&str, Change)] = &[
            ("deposit_e8s_per_mib", |p| {
                p.deposit_e8s_per_mib = 100_000_001
            }),
            ("deposit_e8s_min", |p| p.deposit_e8s_min = 99_999),
            ("deposit_e8s_min", |p| p.deposit_e8s_min = u64::MAX),
            ("draft_lifetime_seconds", |p| p.draft_lifetime_seconds = 0),
            ("draft_lifetime_seconds", |p| {
                p.draft_lifetime_seconds = u64::MAX
            }),
            ("proposal_lifetime_seconds", |p| {
                p.proposal_lifetime_seconds = 0
            }),
            ("open_versions_per_caller_max", |p| {
                p.open_versions_per_caller_max = 0
            }),
            ("open_versions_per_caller_max", |p| {
                p.open_versions_per_caller_max = 257
            }),
            ("open_versions_max", |p| p.open_versions_max = 10_001),
            ("planned_chunks_per_hour_max", |p| {
                p.planned_chunks_per_hour_max = 19_999
            }),
            ("cycles_min", |p| p.cycles_min = u64::MAX),
        ];
        for (field, change) in cases {
            let mut parameters = DEFAULT;
            change(&mut parameters);
            let refused = check(&parameters, 10_000).expect_err(field);
            assert_eq!(refused.field, *field);
        }
    }
}
