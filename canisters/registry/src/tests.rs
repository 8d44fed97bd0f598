//! The life of a version through the same functions that the entry points call, with
//! rivals and failures in the middle.

mod aliases;
mod books;
mod decisions;
mod deposits;
mod layouts;
mod lineage;
mod proposals;
mod publishers;
mod reading;
mod retirement;
mod searching;
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
use crate::state::records::Status;
use crate::state::{State, with, with_mut};
use crate::submit::submit;
use crate::testing::{
    GOVERNANCE, Running, TestRuntime, file, install, manifest_of, principal, shard,
};
use crate::{audit_log, certification, state};

const OWNER: u8 = 1;
const MODEL: &[u8] = b"weights of a very small network";
const README: &[u8] = b"# Digits";

impl State {
    fn check_invariants(&self) {
        let mut open = 0;
        let mut held = std::collections::BTreeSet::new();
        for entry in self.versions.iter() {
            let (digest, record) = entry.into_pair();
            let version = Sha256(digest);
            assert_eq!(self.manifest(&version).digest(), version);
            assert_eq!(self.references.get(&record.reference()), Some(digest));
            assert!(!self.placement(&version).segments.is_empty());
            let is_open = record.status.is_open();
            open += u64::from(is_open);
            let deadline = (record.expires_at_nanos, digest);
            assert_eq!(self.deadlines.contains(&deadline), is_open);
            let own = (record.created_by, digest);
            assert_eq!(self.open_versions.contains(&own), is_open);
            if let Some(number) = record.document {
                assert_eq!(self.documents.get(&number), Some(digest));
            }
            assert_eq!(record.document.is_none(), record.status == Status::Draft);
            if is_open && let Some(id) = record.deposit {
                assert!(held.insert(id), "two versions have one deposit");
            }
        }
        assert_eq!(self.versions.len(), self.references.len());
        assert_eq!(self.versions.len(), self.manifests.len());
        assert_eq!(self.versions.len(), self.placements.len());
        assert_eq!(self.settings.get().open_drafts, open);
        assert_eq!(self.deadlines.len(), open);
        assert_eq!(self.open_versions.len(), open);
        let of_accounts: u64 = self
            .accounts
            .iter()
            .map(|entry| entry.value().open_drafts)
            .sum();
        assert_eq!(of_accounts, open);
        assert_eq!(self.audit.len(), self.audit_hashes.len());
        self.check_models();
        self.check_certified();
        self.check_deposits(&held);
    }

    fn check_models(&self) {
        let mut versions = 0;
        for entry in self.models.iter() {
            let (model, record) = entry.into_pair();
            let all = crate::models::versions_of(self, &model);
            assert_eq!(record.versions, all.len() as u64);
            assert!(!all.is_empty());
            versions += record.versions;
            for (_, version) in crate::models::names(&model, &record) {
                let status = self.version(&version).unwrap().status;
                assert!(crate::models::is_usable(status), "{model}");
            }
            let has_document = all.iter().any(|(_, record)| record.document.is_some());
            assert_eq!(record.face.is_some(), has_document);
        }
        assert_eq!(versions, self.versions.len());
    }

    /// A deposit that is held belongs to one undecided version or waits for one.
    fn check_deposits(&self, held: &std::collections::BTreeSet<u64>) {
        use crate::state::records::DepositState;
        for entry in self.deposits.iter() {
            let (id, record) = entry.into_pair();
            let is_waiting = self.claimable.get(&record.version.0) == Some(id);
            let is_open = match record.state {
                DepositState::Charging => {
                    assert!(is_waiting, "nobody would find this deposit again");
                    true
                }
                DepositState::Held { .. } => {
                    assert!(is_waiting != held.contains(&id), "deposit {id} is nobody's");
                    is_waiting
                }
                DepositState::Returning | DepositState::Forwarding => true,
                _ => false,
            };
            assert_eq!(self.open_deposits.contains(&id), is_open, "deposit {id}");
        }
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
    begin_by(runtime, OWNER, manifest)
}

fn begin_by(runtime: &TestRuntime, caller: u8, manifest: Manifest) -> BeginUploadResult {
    let result = Running::start(begin_upload(runtime, principal(caller), manifest)).finish();
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

/// Pushes, seals and submits, so that governance could decide.
fn propose(runtime: &TestRuntime, manifest: Manifest) -> Sha256 {
    let version = seal_new(runtime, manifest);
    with_mut(|state| submit(state, runtime, principal(OWNER), version)).unwrap();
    with(State::check_invariants);
    version
}

fn seal_new(runtime: &TestRuntime, manifest: Manifest) -> Sha256 {
    let plan = begin(runtime, manifest).unwrap();
    put_all(runtime, &plan);
    try_seal(runtime, plan.version).unwrap();
    plan.version
}

/// Runs whatever timers would, until nothing asks for more.
fn run_timers(runtime: &TestRuntime) {
    for _ in 0..100 {
        let due = std::mem::take(&mut *runtime.scheduled.borrow_mut());
        if due.is_empty() {
            return;
        }
        for task in due {
            run_task(runtime, task);
        }
    }
}

fn run_task(runtime: &TestRuntime, task: crate::runtime::Task) {
    Running::start(crate::tasks::run(runtime, task)).finish();
    with(State::check_invariants);
}
