//! `resolve`: from the name that a person uses to the digest. A version is meant where one is
//! given, whatever its status; else the newest that was admitted.

use stoa_registry_api::GetVersionError;
use stoa_types::Sha256;
use stoa_types::reference::Reference;

use crate::state::State;

/// Longer than any reference: handle, name, version and two separators.
const REFERENCE_BYTES_MAX: usize = 256;

pub fn resolve(state: &State, reference: &str) -> Result<Sha256, GetVersionError> {
    let invalid = |reason: String| GetVersionError::InvalidReference { reason };
    if reference.len() > REFERENCE_BYTES_MAX {
        let given = reference.len();
        return Err(invalid(format!(
            "{given} bytes are too many, the most is {REFERENCE_BYTES_MAX}"
        )));
    }
    let reference: Reference = reference
        .parse()
        .map_err(|error: stoa_types::reference::InvalidReference| invalid(error.to_string()))?;
    let found = if reference.version.is_some() {
        state.references.get(&reference.to_string()).map(Sha256)
    } else {
        let model = state.models.get(&reference.to_string());
        model
            .and_then(|model| model.newest_admitted)
            .map(|newest| newest.version)
    };
    found.ok_or(GetVersionError::NotFound)
}
