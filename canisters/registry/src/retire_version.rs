//! Deprecation and revocation, each with its validator: what was admitted stays on record, but a deprecated version is no
//! longer what a name means first, and a revoked one is not run any more. Inference canisters hear of both.

use candid::Principal;
use stoa_registry_api::{DeprecateVersionArgs, RevokeVersionArgs, ValidationResult, VersionStatus};
use stoa_types::Sha256;
use stoa_types::names::check_line;

use crate::authority::{NotGovernance, check_governance};
use crate::limits::REASON_BYTES_MAX;
use crate::runtime::Runtime;
use crate::state::records::{Status, VersionRecord};
use crate::state::{Decision, State};
use crate::{notices, release, rendering};

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RetireError {
    NotGovernance(NotGovernance),
    NotFound {
        version: Sha256,
    },
    WrongStatus {
        version: Sha256,
        status: VersionStatus,
        wanted: &'static str,
    },
    /// The successor has to be an admitted version, and another one.
    InvalidSuccessor {
        successor: Sha256,
        reason: String,
    },
    InvalidReason {
        reason: String,
    },
}

impl std::fmt::Display for RetireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotGovernance(error) => error.fmt(f),
            Self::NotFound { version } => write!(f, "there is no version {version}"),
            Self::WrongStatus {
                version,
                status,
                wanted,
            } => write!(f, "version {version} is {}; only {wanted}", status.name()),
            Self::InvalidSuccessor { successor, reason } => {
                write!(f, "version {successor} cannot take its place: {reason}")
            }
            Self::InvalidReason { reason } => write!(f, "reason: {reason}"),
        }
    }
}

fn found(state: &State, version: Sha256) -> Result<VersionRecord, RetireError> {
    state
        .version(&version)
        .ok_or(RetireError::NotFound { version })
}

fn check_reason(reason: &str) -> Result<(), RetireError> {
    check_line(reason, 1, REASON_BYTES_MAX).map_err(|problem| RetireError::InvalidReason {
        reason: problem.to_string(),
    })
}

fn check_deprecation(
    state: &State,
    args: &DeprecateVersionArgs,
) -> Result<VersionRecord, RetireError> {
    check_reason(&args.reason)?;
    let record = found(state, args.version)?;
    if record.status != Status::Admitted {
        return Err(RetireError::WrongStatus {
            version: args.version,
            status: record.status.into(),
            wanted: "an admitted one can be deprecated",
        });
    }
    if let Some(successor) = args.successor {
        let invalid = |reason: String| RetireError::InvalidSuccessor { successor, reason };
        if successor == args.version {
            return Err(invalid("it is the same".to_owned()));
        }
        let status = found(state, successor)?.status;
        if status != Status::Admitted {
            let status = VersionStatus::from(status).name();
            return Err(invalid(format!("it is {status}")));
        }
    }
    Ok(record)
}

fn check_revocation(state: &State, args: &RevokeVersionArgs) -> Result<VersionRecord, RetireError> {
    check_reason(&args.reason)?;
    let record = found(state, args.version)?;
    if !matches!(record.status, Status::Admitted | Status::Deprecated) {
        return Err(RetireError::WrongStatus {
            version: args.version,
            status: record.status.into(),
            wanted: "an admitted or deprecated one can be revoked",
        });
    }
    Ok(record)
}

pub fn validate_deprecate_version(state: &State, args: &DeprecateVersionArgs) -> ValidationResult {
    let record = check_deprecation(state, args).map_err(|error| error.to_string())?;
    Ok(rendering::deprecation(state, args, &record))
}

pub fn validate_revoke_version(state: &State, args: &RevokeVersionArgs) -> ValidationResult {
    let record = check_revocation(state, args).map_err(|error| error.to_string())?;
    Ok(rendering::revocation(args, &record))
}

/// Doing it again changes nothing: a second proposal for the same, or a repeated execution.
pub fn deprecate_version(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    args: DeprecateVersionArgs,
) -> Result<(), RetireError> {
    check_governance(state, caller).map_err(RetireError::NotGovernance)?;
    let version = args.version;
    if found(state, version)?.status == Status::Deprecated {
        return Ok(());
    }
    let record = check_deprecation(state, &args)?;
    let decision = Decision {
        reason: Some(args.reason),
        successor: args.successor,
    };
    state.set_status(
        runtime,
        caller,
        version,
        record,
        Status::Deprecated,
        decision,
    );
    notices::announce(state, runtime, version, Status::Deprecated);
    Ok(())
}

pub fn revoke_version(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    args: RevokeVersionArgs,
) -> Result<(), RetireError> {
    check_governance(state, caller).map_err(RetireError::NotGovernance)?;
    let version = args.version;
    let delete_bytes = args.delete_bytes;
    if found(state, version)?.status != Status::Revoked {
        let record = check_revocation(state, &args)?;
        let decision = Decision {
            reason: Some(args.reason),
            successor: None,
        };
        state.set_status(runtime, caller, version, record, Status::Revoked, decision);
        notices::announce(state, runtime, version, Status::Revoked);
    }
    // A second vote may also decide about bytes that the first one left.
    if delete_bytes {
        release::release(state, runtime, version);
    }
    Ok(())
}
