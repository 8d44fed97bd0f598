//! `validate_admit_version` and `admit_version`: the two halves of the generic function. The
//! first shows voters what they vote on; the second runs on adoption and checks everything again.

use candid::Principal;
use stoa_registry_api::{AdmitVersionArgs, ValidationResult, VersionStatus};
use stoa_types::Sha256;

use crate::rendering;
use crate::runtime::Runtime;
use crate::state::State;
use crate::state::records::{NewestAdmitted, Status, VersionRecord};

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AdmitError {
    NotGovernance {
        governance: Principal,
    },
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
            Self::NotGovernance { governance } => {
                write!(
                    f,
                    "only the governance canister {governance} admits versions"
                )
            }
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
    let governance = state.governance();
    if caller != governance {
        return Err(AdmitError::NotGovernance { governance });
    }
    let version = args.version;
    let admitted = state
        .version(&version)
        .is_some_and(|record| record.status == Status::Admitted);
    if admitted {
        return Ok(());
    }
    let record = check(state, &version)?;
    note_newest(state, &record, version);
    state.set_status(runtime, caller, version, record, Status::Admitted);
    Ok(())
}

/// What `publisher/name` alone means from now on, if this version is newer than the one before.
fn note_newest(state: &mut State, record: &VersionRecord, version: Sha256) {
    let mut model = state.models.get(&record.model()).unwrap_or_default();
    let is_newer = model
        .newest_admitted
        .as_ref()
        .is_none_or(|newest| precedence(&record.semver) > precedence(&newest.semver));
    if is_newer {
        model.newest_admitted = Some(NewestAdmitted {
            semver: record.semver.clone(),
            version,
        });
        state.models.insert(record.model(), model);
    }
}

/// A release goes before any pre-release, then SemVer decides.
fn precedence(semver: &str) -> (bool, semver::Version) {
    let version = semver::Version::parse(semver).expect("BUG: a stored version is not SemVer");
    (version.pre.is_empty(), version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_prefer_releases_and_then_the_higher_number() {
        let ascending = [
            "0.9.0-rc.1",
            "3.0.0-beta",
            "0.1.0",
            "0.2.0",
            "0.10.0",
            "1.0.0",
        ];
        for pair in ascending.windows(2) {
            assert!(precedence(pair[0]) < precedence(pair[1]), "{pair:?}");
        }
    }
}
