//! The life of a version through the same functions that the entry points call, with
//! rivals and failures in the middle.

mod decisions;
mod reading;
mod uploads;

use candid::Principal;
use stoa_registry_api::{
    AdmitVersionArgs, AuditAction, AuditLogArgs, BeginUploadError, BeginUploadResult,
    GetVersionError, ListVersionsArgs, SealError, SealResult, SetPriceError, SubmitError,
    UploadPlan, VersionStatus,
};
use stoa_types::Sha256;
use stoa_types::manifest::{Manifest, Parent, Relation};

use crate::admit_version::{AdmitError, admit_version, validate_admit_version};
use crate::authority::NotGovernance;
use crate::begin_upload::begin_upload;
use crate::claim_publisher::claim_publisher;
use crate::get_version::get_version;
use crate::list_versions::list_versions;
use crate::resolve::resolve;
use crate::seal::seal;
use crate::set_price::set_price;
use crate::state::{State, with, with_mut};
use crate::submit::submit;
use crate::testing::{
    GOVERNANCE, Running, TestRuntime, file, install, manifest_of, principal, shard,
};
use crate::{audit_log, certification, lifecycle, state};

const OWNER: u8 = 1;
const MODEL: &[u8] = b"weights of a very small network";
const README: &[u8] = b"# Digits";

impl State {
    fn check_invariants(&self) {
        let mut open = 0;
        for entry in self.versions.iter() {
            let (digest, record) = entry.into_pair();
            let version = Sha256(digest);
            assert_eq!(self.manifest(&version).digest(), version);
            assert_eq!(self.references.get(&record.reference()), Some(digest));
            assert!(!self.placement(&version).segments.is_empty());
            assert!(self.models.contains_key(&record.model()));
            open += u64::from(record.status.is_open());
        }
        assert_eq!(self.versions.len(), self.references.len());
        assert_eq!(self.versions.len(), self.manifests.len());
        assert_eq!(self.versions.len(), self.placements.len());
        assert_eq!(self.settings.get().open_drafts, open);
        let of_accounts: u64 = self
            .accounts
            .iter()
            .map(|entry| entry.value().open_drafts)
            .sum();
        assert_eq!(of_accounts, open);
    }
}

fn manifest() -> Manifest {
    manifest_of(vec![file("README.md", README), file("model.onnx", MODEL)])
}

fn version_manifest(semver: &str) -> Manifest {
    Manifest {
        version: semver.to_owned(),
        ..manifest()
    }
}

/// A registry in which `OWNER` has the handle `stoa`.
fn prepared() -> TestRuntime {
    install();
    let runtime = TestRuntime::new();
    with_mut(|state| claim_publisher(state, &runtime, principal(OWNER), "stoa".into())).unwrap();
    runtime
}

fn begin(runtime: &TestRuntime, manifest: Manifest) -> BeginUploadResult {
    let result = Running::start(begin_upload(runtime, principal(OWNER), manifest)).finish();
    with(State::check_invariants);
    result
}

fn put_all(runtime: &TestRuntime, plan: &UploadPlan) {
    for chunk in &plan.chunks {
        let data = [MODEL, README]
            .into_iter()
            .find(|data| Sha256::of(data) == chunk.hash);
        for shard in &chunk.missing_on {
            runtime.put(*shard, data.unwrap());
        }
    }
}

fn try_seal(runtime: &TestRuntime, version: Sha256) -> SealResult {
    let result = Running::start(seal(runtime, principal(OWNER), version)).finish();
    with(State::check_invariants);
    result
}

fn admit(runtime: &TestRuntime, caller: Principal, version: Sha256) -> Result<(), AdmitError> {
    with_mut(|state| admit_version(state, runtime, caller, &AdmitVersionArgs { version }))
}

fn status(version: Sha256) -> VersionStatus {
    with(|state| get_version(state, version)).unwrap().status
}

fn publish(runtime: &TestRuntime, manifest: Manifest) -> Sha256 {
    let plan = begin(runtime, manifest).unwrap();
    put_all(runtime, &plan);
    try_seal(runtime, plan.version).unwrap();
    with_mut(|state| submit(state, runtime, principal(OWNER), plan.version)).unwrap();
    admit(runtime, GOVERNANCE, plan.version).unwrap();
    plan.version
}
