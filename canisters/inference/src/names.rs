//! From a name to a version. A full name of what is loaded here needs nobody; any other is asked of the registry and
//! remembered for a minute.

use stoa_inference_api::{InferError, ModelReference};
use stoa_registry_api::GetVersionError;
use stoa_types::Sha256;

use crate::limits::REGISTRY_FRESH;
use crate::runtime::{self, Runtime};
use crate::stored::Load;
use crate::{state, volatile};

/// Longer than any reference.
const NAME_BYTES_MAX: usize = 256;

pub async fn resolve<R: Runtime>(
    runtime: &R,
    reference: &ModelReference,
) -> Result<Sha256, InferError> {
    let name = match reference {
        ModelReference::Digest(version) => return Ok(*version),
        ModelReference::Name(name) => name,
    };
    let unknown = || InferError::UnknownModel {
        name: name.chars().take(NAME_BYTES_MAX).collect(),
    };
    if name.len() > NAME_BYTES_MAX {
        return Err(unknown());
    }
    if let Some(version) = exact(name) {
        return Ok(version);
    }
    if let Some((version, asked_at_nanos)) = volatile::name(name) {
        let age = runtime.now_nanos().saturating_sub(asked_at_nanos);
        if u128::from(age) <= REGISTRY_FRESH.as_nanos() {
            return Ok(version);
        }
    }
    let registry = state::configuration().registry;
    let answer: Result<Sha256, GetVersionError> =
        runtime::call(runtime, registry, "resolve", (name,))
            .await
            .map_err(|failure| InferError::RegistryFailed {
                message: failure.message,
            })?;
    let version = answer.map_err(|_| unknown())?;
    volatile::remember_name(name, version, runtime.now_nanos());
    Ok(version)
}

/// For queries, which cannot ask anybody: what the name meant when it was last asked for, else the highest version that is
/// loaded here.
pub fn resolve_here(reference: &ModelReference) -> Option<Sha256> {
    match reference {
        ModelReference::Digest(version) => Some(*version),
        ModelReference::Name(name) => exact(name)
            .or_else(|| volatile::name(name).map(|(version, _)| version))
            .or_else(|| newest_of(name)),
    }
}

/// A digest as text, or the full name of a version that is loaded.
fn exact(name: &str) -> Option<Sha256> {
    if let Ok(version) = name.parse() {
        return Some(version);
    }
    let (model, semver) = name.split_once('@')?;
    loads_of(model)
        .into_iter()
        .find(|load| load.registered.semver == semver)
        .map(|load| load.version)
}

fn newest_of(model: &str) -> Option<Sha256> {
    loads_of(model)
        .into_iter()
        .filter_map(|load| Some((semver::Version::parse(&load.registered.semver).ok()?, load)))
        .max_by(|(a, _), (b, _)| (a.pre.is_empty(), a).cmp(&(b.pre.is_empty(), b)))
        .map(|(_, load)| load.version)
}

pub fn loads_of(model: &str) -> Vec<Load> {
    state::loads()
        .into_iter()
        .filter(|load| !load.registered.model.is_empty() && load.registered.model == model)
        .collect()
}

/// `publisher/name@version`, as far as it is known.
pub fn full_name(load: &Load) -> String {
    format!("{}@{}", load.registered.model, load.registered.semver)
}
