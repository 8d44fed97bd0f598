//! What the registry says about a version. Loading asks it; a call asks again when the last word is older
//! than a minute, so a version that was taken back stops soon, and the author's price is not a stale one.

use stoa_inference_api::InferError;
use stoa_registry_api::{GetVersionError, GetVersionResult, VersionInfo, VersionStatus};
use stoa_types::Sha256;

use crate::limits::REGISTRY_FRESH;
use crate::runtime::{self, Runtime};
use crate::state;
use crate::stored::Registered;

pub const ADMITTED: &str = "admitted";

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AskError {
    NotFound,
    Failed { message: String },
}

pub async fn ask<R: Runtime>(runtime: &R, version: Sha256) -> Result<VersionInfo, AskError> {
    let registry = state::configuration().registry;
    let answer: GetVersionResult = runtime::call(runtime, registry, "get_version", (version,))
        .await
        .map_err(|failure| AskError::Failed {
            message: failure.message,
        })?;
    let info = answer.map_err(|error| match error {
        GetVersionError::NotFound => AskError::NotFound,
        GetVersionError::InvalidReference { reason } => AskError::Failed { message: reason },
    })?;
    // The version's name is the hash of what it is: whatever else came back is not that version.
    let found = info.manifest.digest();
    if found != version {
        return Err(AskError::Failed {
            message: format!("the registry answered {found} when asked for {version}"),
        });
    }
    Ok(info)
}

pub fn registered(info: &VersionInfo, now_nanos: u64) -> Registered {
    Registered {
        status: status_text(info.status).to_owned(),
        author_price_e8s: info.price_per_call_e8s,
        asked_at_nanos: now_nanos,
    }
}

/// Makes sure that what is known about a loaded version is fresh and that it is still admitted.
pub async fn refresh<R: Runtime>(runtime: &R, version: Sha256) -> Result<(), InferError> {
    let not_loaded = || InferError::NotLoaded { version };
    let known = state::load(&version).ok_or_else(not_loaded)?.registered;
    let age = runtime.now_nanos().saturating_sub(known.asked_at_nanos);
    if u128::from(age) > REGISTRY_FRESH.as_nanos() {
        let fresh = match ask(runtime, version).await {
            Ok(info) => registered(&info, runtime.now_nanos()),
            Err(AskError::NotFound) => Registered {
                status: "unknown".to_owned(),
                author_price_e8s: 0,
                asked_at_nanos: runtime.now_nanos(),
            },
            Err(AskError::Failed { message }) => {
                return Err(InferError::RegistryFailed { message });
            }
        };
        let mut load = state::load(&version).ok_or_else(not_loaded)?;
        load.registered = fresh;
        state::put_load(load);
    }
    check_admitted(version)
}

/// As far as is known without asking.
pub fn check_admitted(version: Sha256) -> Result<(), InferError> {
    let load = state::load(&version).ok_or(InferError::NotLoaded { version })?;
    if load.registered.status != ADMITTED {
        return Err(InferError::NotAdmitted {
            version,
            status: load.registered.status,
        });
    }
    Ok(())
}

pub fn status_text(status: VersionStatus) -> &'static str {
    match status {
        VersionStatus::Draft => "draft",
        VersionStatus::Sealed => "sealed",
        VersionStatus::Proposed => "proposed",
        VersionStatus::Admitted => ADMITTED,
        VersionStatus::Deprecated => "deprecated",
        VersionStatus::Revoked => "revoked",
        VersionStatus::Rejected => "rejected",
    }
}
