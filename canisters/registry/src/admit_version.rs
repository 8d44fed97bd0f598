//! `validate_admit_version` and `admit_version`: the two halves of the generic function. The
//! first shows voters what they vote on; the second runs on adoption and checks everything again.

use candid::Principal;
use stoa_registry_api::{AdmitVersionArgs, ValidationResult, VersionStatus};
use stoa_types::Sha256;

use crate::authority::{NotGovernance, check_governance};
use crate::rendering;
use crate::runtime::Runtime;
use crate::state::records::{Status, VersionRecord};
use crate::state::{Decision, State};

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AdmitError {
    NotGovernance(NotGovernance),
    NotFound {
        version: Sha256,
    },
    /// Only a submitted version can be admitted.
    WrongStatus {
        version: Sha256,
        status: VersionStatus,
    },
}

impl std::fmt::Display for AdmitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotGovernance(error) => error.fmt(f),
            Self::NotFound { version } => write!(f, "there is no version {version}"),
            Self::WrongStatus { version, status } => write!(
                f,
                "version {version} is {}; only a proposed one can be admitted",
                status.name()
            ),
        }
    }
}

pub fn validate_admit_version(state: &State, args: &AdmitVersionArgs) -> ValidationResult {
    check(state, &args.version).map_err(|error| error.to_string())?;
    Ok(rendering::admission(state, &args.version))
}

fn check(state: &State, version: &Sha256) -> Result<VersionRecord, AdmitError> {
    let record = state
        .version(version)
        .ok_or(AdmitError::NotFound { version: *version })?;
    if record.status != Status::Proposed {
        return Err(AdmitError::WrongStatus {
            version: *version,
            status: record.status.into(),
        });
    }
    Ok(record)
}

/// Admitting what is admitted changes nothing: a second proposal for the same version, or a repeated execution.
pub fn admit_version(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    args: &AdmitVersionArgs,
) -> Result<(), AdmitError> {
    check_governance(state, caller).map_err(AdmitError::NotGovernance)?;
    let version = args.version;
    let admitted = state
        .version(&version)
        .is_some_and(|record| record.status == Status::Admitted);
    if admitted {
        return Ok(());
    }
    let record = check(state, &version)?;
    let decision = Decision::default();
    state.set_status(runtime, caller, version, record, Status::Admitted, decision);
    Ok(())
}
