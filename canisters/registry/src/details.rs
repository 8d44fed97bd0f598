//! `describe_version`, `status`, and the answers with proof: `get_status_certified`, `resolve_certified`.

use candid::Nat;
use stoa_registry_api::{
    CertifiedResolution, CertifiedStatus, DescribeVersionResult, GetVersionError, RegistryStatus,
    ResolveCertifiedResult, VersionDetails,
};
use stoa_types::Sha256;

use crate::runtime::{self, Runtime};
use crate::state::State;
use crate::summary::summary;
use crate::{certification, deposits, resolve};

pub fn describe_version(state: &State, version: Sha256) -> DescribeVersionResult {
    let record = state.version(&version).ok_or(GetVersionError::NotFound)?;
    Ok(VersionDetails {
        created_by: record.created_by,
        expires_at_nanos: Some(record.expires_at_nanos).filter(|time| *time > 0),
        deposit: record
            .deposit
            .and_then(|id| deposits::get_deposit(state, id)),
        proposal_id: record.proposal_id,
        reason: record.reason.clone(),
        successor: record.successor,
        is_stored: !record.is_released,
        summary: summary(state, version, record),
    })
}

pub fn certificate(runtime: &impl Runtime) -> Vec<u8> {
    runtime.certificate().unwrap_or_else(|| {
        runtime::trap("a certificate is only to be had in a query: call this method as one")
    })
}

pub fn get_status_certified(
    state: &State,
    runtime: &impl Runtime,
    version: Sha256,
) -> CertifiedStatus {
    CertifiedStatus {
        version,
        status: state.version(&version).map(|record| record.status.into()),
        certificate: certificate(runtime),
        witness: certification::version_witness(state, &version),
    }
}

/// An exact version is not certified under its name: its certified manifest says the name itself.
pub fn resolve_certified(
    state: &State,
    runtime: &impl Runtime,
    name: String,
) -> ResolveCertifiedResult {
    let version = match resolve::resolve(state, &name) {
        Ok(version) => Some(version),
        Err(GetVersionError::NotFound) => None,
        Err(error) => return Err(error),
    };
    if resolve::is_exact(&name) {
        let reason = "an exact version needs no proof of its own: resolve it, and its certified \
                      manifest says the name";
        return Err(GetVersionError::InvalidReference {
            reason: reason.to_owned(),
        });
    }
    Ok(CertifiedResolution {
        version,
        certificate: certificate(runtime),
        witness: certification::alias_witness(state, &name),
        name,
    })
}

pub fn status(state: &State, runtime: &impl Runtime, stable_memory_bytes: u64) -> RegistryStatus {
    let settings = state.settings.get();
    RegistryStatus {
        governance: settings.governance,
        icp_ledger: settings.icp_ledger,
        publishers: state.publishers.len(),
        models: state.models.len(),
        versions: state.versions.len(),
        open_versions: settings.open_drafts,
        open_deposits: state.open_deposits.len(),
        pending_notices: state.notices.len(),
        pending_releases: state.releases.len(),
        audit_entries: state.audit.len(),
        is_indexing: settings.indexing.is_some(),
        stable_memory_bytes,
        cycles: Nat::from(runtime.cycle_balance()),
    }
}
