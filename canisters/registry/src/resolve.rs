//! `resolve`: from the name that a person uses to the digest. `publisher/name@1.2.3` is that version, whatever its status;
//! `publisher/name@small` what the alias points to; `publisher/name` the default version of the model.

use stoa_registry_api::GetVersionError;
use stoa_types::Sha256;
use stoa_types::names::{check_alias_word, check_semver};
use stoa_types::reference::{InvalidReference, Reference};

use crate::models;
use crate::state::State;

/// Longer than any reference: handle, name, version and two separators.
const REFERENCE_BYTES_MAX: usize = 256;

pub fn resolve(state: &State, name: &str) -> Result<Sha256, GetVersionError> {
    let invalid = |reason: String| GetVersionError::InvalidReference { reason };
    if name.len() > REFERENCE_BYTES_MAX {
        let given = name.len();
        return Err(invalid(format!(
            "{given} bytes are too many, the most is {REFERENCE_BYTES_MAX}"
        )));
    }
    let (model, selector) = match name.split_once('@') {
        Some((model, selector)) => (model, Some(selector)),
        None => (name, None),
    };
    let parsed: Result<Reference, InvalidReference> = model.parse();
    parsed.map_err(|error| invalid(error.to_string()))?;
    let model = model.to_owned();
    let found = if is_exact(name) {
        state.references.get(&name.to_owned()).map(Sha256)
    } else {
        if let Some(alias) = selector {
            check_alias_word(alias)
                .map_err(|problem| invalid(format!("neither a version nor an alias: {problem}")))?;
        }
        let record = state.models.get(&model).unwrap_or_default();
        models::names(&model, &record)
            .into_iter()
            .find(|(known, _)| known == name)
            .map(|(_, version)| version)
    };
    found.ok_or(GetVersionError::NotFound)
}

/// Whether the name is that of one version for ever.
pub fn is_exact(name: &str) -> bool {
    name.split_once('@')
        .is_some_and(|(_, selector)| check_semver(selector).is_ok())
}
