//! `get_version_certified`: a manifest and the proof of its status, for those who trust only the
//! root key. The manifest hashes to the digest, the witness shows the digest's status, and the certificate signs the witness.

use stoa_registry_api::{CertifiedVersion, GetVersionCertifiedResult, GetVersionError};
use stoa_types::Sha256;

use crate::certification;
use crate::details::certificate;
use crate::runtime::Runtime;
use crate::state::State;

pub fn get_version_certified(
    state: &State,
    runtime: &impl Runtime,
    version: Sha256,
) -> GetVersionCertifiedResult {
    let record = state.version(&version).ok_or(GetVersionError::NotFound)?;
    Ok(CertifiedVersion {
        version,
        manifest: state.manifest(&version),
        status: record.status.into(),
        certificate: certificate(runtime),
        witness: certification::version_witness(state, &version),
    })
}
