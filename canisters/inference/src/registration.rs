//! What the registry says about a version. Loading asks it; a call asks again when the last word is older
//! than a minute, so a version that was taken back stops soon even if the registry's own word about it
//! (`c2c_version_status`, at once) did not come through, and the author's price is not a stale one.

use std::collections::BTreeMap;

use candid::Principal;
use stoa_inference_api::{InferError, VersionStatusArgs};
use stoa_registry_api::{GetVersionError, GetVersionResult, VersionInfo};
use stoa_types::Sha256;

use crate::limits::{ANCESTOR_DEPTH_MAX, ANCESTORS_MAX, PARTS, REGISTRY_FRESH};
use crate::runtime::{self, Runtime};
use crate::stored::{Payee, Registered};
use crate::{state, volatile};

pub const ADMITTED: &str = "admitted";
/// Not recommended any more; who relies on it may go on.
pub const DEPRECATED: &str = "deprecated";

const BASIS_POINTS: u128 = 10_000;

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

/// `payees` as they were found before, since manifests never change.
pub fn registered(info: &VersionInfo, payees: Vec<Payee>, now_nanos: u64) -> Registered {
    let manifest = &info.manifest;
    Registered {
        status: info.status.name().to_owned(),
        author_price_e8s: info.price_per_call_e8s,
        asked_at_nanos: now_nanos,
        model: format!("{}/{}", manifest.publisher, manifest.name),
        semver: manifest.version.clone(),
        payees,
    }
}

/// Who shares the author's price: the manifest's shares; and what these leave goes in equal parts to the parents, whose
/// manifests share it in turn. What nobody is named for in the end is the reserve's.
pub async fn payees<R: Runtime>(runtime: &R, info: &VersionInfo) -> Result<Vec<Payee>, AskError> {
    let mut shares: BTreeMap<(Principal, Option<Sha256>), u128> = BTreeMap::new();
    let mut queue = vec![(info.clone(), PARTS, 0_u32)];
    let mut asked = 0;
    while let Some((info, parts, depth)) = queue.pop() {
        let mut left = parts;
        for share in &info.manifest.royalties {
            // A manifest's shares are at most the whole, which the registry checked; the minimum holds it here too.
            let part = (parts * u128::from(share.basis_points) / BASIS_POINTS).min(left);
            left -= part;
            *shares.entry((share.owner, share.subaccount)).or_default() += part;
        }
        let parents = &info.manifest.lineage.parents;
        if left == 0 || depth >= ANCESTOR_DEPTH_MAX || parents.is_empty() {
            continue;
        }
        let each = left / parents.len() as u128;
        for parent in parents {
            if asked >= ANCESTORS_MAX {
                break;
            }
            asked += 1;
            match ask(runtime, parent.version).await {
                Ok(parent) => queue.push((parent, each, depth + 1)),
                Err(AskError::NotFound) => {}
                Err(failed) => return Err(failed),
            }
        }
    }
    Ok(shares
        .into_iter()
        .filter(|(_, parts)| *parts > 0)
        .map(|((owner, subaccount), parts)| Payee {
            owner,
            subaccount,
            parts: u64::try_from(parts).expect("BUG: more than the whole"),
        })
        .collect())
}

/// Makes sure that what is known about a loaded version is fresh and that it may still run.
pub async fn refresh<R: Runtime>(runtime: &R, version: Sha256) -> Result<(), InferError> {
    let not_loaded = || InferError::NotLoaded { version };
    let known = state::load(&version).ok_or_else(not_loaded)?.registered;
    let age = runtime.now_nanos().saturating_sub(known.asked_at_nanos);
    if u128::from(age) > REGISTRY_FRESH.as_nanos() {
        let failed = |error| match error {
            AskError::Failed { message } => InferError::RegistryFailed { message },
            AskError::NotFound => InferError::NotAdmitted {
                version,
                status: "unknown".to_owned(),
            },
        };
        let fresh = match ask(runtime, version).await {
            Ok(info) => {
                // Layout 1 did not keep them.
                let payees = if known.model.is_empty() {
                    payees(runtime, &info).await.map_err(failed)?
                } else {
                    known.payees
                };
                registered(&info, payees, runtime.now_nanos())
            }
            Err(AskError::NotFound) => Registered {
                status: "unknown".to_owned(),
                author_price_e8s: 0,
                asked_at_nanos: runtime.now_nanos(),
                ..known
            },
            Err(error) => return Err(failed(error)),
        };
        let mut load = state::load(&version).ok_or_else(not_loaded)?;
        // A notice that came meanwhile is newer than this answer, and a revocation is never taken back.
        if load.registered.asked_at_nanos <= fresh.asked_at_nanos
            && load.registered.status != "revoked"
        {
            load.registered = fresh;
            state::put_load(load);
        }
    }
    check_admitted(version)
}

/// As far as is known without asking.
pub fn check_admitted(version: Sha256) -> Result<(), InferError> {
    let load = state::load(&version).ok_or(InferError::NotLoaded { version })?;
    if !may_run(&load.registered.status) {
        return Err(InferError::NotAdmitted {
            version,
            status: load.registered.status,
        });
    }
    Ok(())
}

pub fn may_run(status: &str) -> bool {
    status == ADMITTED || status == DEPRECATED
}

/// `c2c_version_status`: the registry says that a version is not what it was. From this message on it does not run.
pub fn note_status<R: Runtime>(
    runtime: &R,
    caller: Principal,
    arguments: VersionStatusArgs,
) -> Result<(), String> {
    let registry = state::configuration().registry;
    if caller != registry {
        return Err(format!("only the registry {registry} may call this"));
    }
    if let Some(mut load) = state::load(&arguments.version) {
        if !may_run(&arguments.status) {
            volatile::remove_model(&arguments.version);
        }
        load.registered.status = arguments.status;
        load.registered.asked_at_nanos = runtime.now_nanos();
        state::put_load(load);
    }
    Ok(())
}
