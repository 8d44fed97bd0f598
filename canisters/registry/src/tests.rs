//! The life of a version through the same functions that the entry points call, with
//! rivals and failures in the middle.

use candid::Principal;
use stoa_registry_api::{
    AdmitVersionArgs, AuditAction, AuditLogArgs, BeginUploadError, BeginUploadResult,
    GetVersionError, ListVersionsArgs, SealError, SealResult, SetPriceError, SubmitError,
    UploadPlan, VersionStatus,
};
use stoa_types::Sha256;
use stoa_types::manifest::{Manifest, Parent, Relation};

use crate::admit_version::{AdmitError, admit_version, validate_admit_version};
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

#[test]
fn should_bring_a_version_from_draft_to_admitted() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    assert_eq!(plan.version, manifest().digest());
    assert_eq!(plan.status, VersionStatus::Draft);
    assert_eq!(plan.chunks.len(), 2);
    for chunk in &plan.chunks {
        assert_eq!(chunk.shards.len(), 2);
        assert_eq!(chunk.missing_on, chunk.shards);
    }

    put_all(&runtime, &plan);
    try_seal(&runtime, plan.version).unwrap();
    assert_eq!(status(plan.version), VersionStatus::Sealed);

    let submitted = with_mut(|state| submit(state, &runtime, principal(OWNER), plan.version));
    let proposal = submitted.unwrap();
    assert_eq!(proposal.function_id, 1000);
    assert_eq!(proposal.title, "Admit stoa/digits@1.0.0");
    let payload: AdmitVersionArgs = candid::decode_one(&proposal.payload).unwrap();
    assert_eq!(payload.version, plan.version);
    let rendering = with(|state| validate_admit_version(state, &payload)).unwrap();
    for expected in [
        plan.version.to_string(),
        Sha256::of(MODEL).to_string(),
        "Apache-2.0".to_owned(),
        principal(OWNER).to_text(),
        "`model.onnx`: 31 bytes".to_owned(),
    ] {
        assert!(rendering.contains(&expected), "{expected} in {rendering}");
    }

    admit(&runtime, GOVERNANCE, plan.version).unwrap();
    assert_eq!(status(plan.version), VersionStatus::Admitted);
    assert_eq!(
        with(|state| resolve(state, "stoa/digits")),
        Ok(plan.version)
    );
    with(State::check_invariants);
}

#[test]
fn should_admit_for_governance_alone_and_only_what_was_proposed() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    let version = plan.version;
    for stranger in [principal(OWNER), Principal::anonymous()] {
        assert_eq!(
            admit(&runtime, stranger, version),
            Err(AdmitError::NotGovernance {
                governance: GOVERNANCE
            })
        );
    }
    for expected in [VersionStatus::Draft, VersionStatus::Sealed] {
        assert_eq!(
            admit(&runtime, GOVERNANCE, version),
            Err(AdmitError::WrongStatus {
                version,
                status: expected
            })
        );
        let args = AdmitVersionArgs { version };
        assert!(with(|state| validate_admit_version(state, &args)).is_err());
        put_all(&runtime, &plan);
        if expected == VersionStatus::Draft {
            try_seal(&runtime, version).unwrap();
        }
    }
    let unknown = Sha256([1; 32]);
    assert_eq!(
        admit(&runtime, GOVERNANCE, unknown),
        Err(AdmitError::NotFound { version: unknown })
    );
}

#[test]
fn should_admit_twice_without_a_second_effect() {
    let runtime = prepared();
    let version = publish(&runtime, manifest());
    let entries = with(|state| state.audit.len());
    assert_eq!(admit(&runtime, GOVERNANCE, version), Ok(()));
    assert_eq!(with(|state| state.audit.len()), entries);
    with(State::check_invariants);
}

#[test]
fn should_refuse_to_seal_while_a_shard_lacks_a_chunk() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    put_all(&runtime, &plan);
    let (chunk, lacking) = (Sha256::of(MODEL), plan.chunks[1].shards[1]);
    runtime.on_shard(lacking, |shard| shard.held.remove(&chunk));
    assert_eq!(
        try_seal(&runtime, plan.version),
        Err(SealError::ChunksMissing {
            missing: 1,
            first: chunk,
            shard: lacking
        })
    );
    assert_eq!(status(plan.version), VersionStatus::Draft);

    let again = begin(&runtime, manifest()).unwrap();
    let missing: Vec<_> = again
        .chunks
        .iter()
        .map(|chunk| chunk.missing_on.clone())
        .collect();
    assert_eq!(missing, [vec![], vec![lacking]]);
    put_all(&runtime, &again);
    assert_eq!(try_seal(&runtime, plan.version), Ok(()));
}

#[test]
fn should_refuse_to_seal_a_manifest_that_is_wrong_about_a_size() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    put_all(&runtime, &plan);
    let chunk = Sha256::of(MODEL);
    runtime.on_shard(plan.chunks[1].shards[0], |shard| {
        shard.held.insert(chunk, 7)
    });
    let mismatch = SealError::SizeMismatch {
        chunk,
        announced: 31,
        stored: 7,
    };
    assert_eq!(try_seal(&runtime, plan.version), Err(mismatch));
}

#[test]
fn should_refuse_anonymous_and_strangers_on_every_method_of_a_publisher() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    let version = plan.version;
    let model = || "stoa/digits".to_owned();

    let anonymous = Principal::anonymous();
    let begun = Running::start(begin_upload(&runtime, anonymous, manifest())).finish();
    assert_eq!(begun, Err(BeginUploadError::AnonymousCaller));
    let sealed = Running::start(seal(&runtime, anonymous, version)).finish();
    assert_eq!(sealed, Err(SealError::AnonymousCaller));
    let submitted = with_mut(|state| submit(state, &runtime, anonymous, version));
    assert_eq!(submitted, Err(SubmitError::AnonymousCaller));
    let priced = with_mut(|state| set_price(state, &runtime, anonymous, model(), 1));
    assert_eq!(priced, Err(SetPriceError::AnonymousCaller));

    let stranger = principal(7);
    let publisher = || "stoa".to_owned();
    let begun =
        Running::start(begin_upload(&runtime, stranger, version_manifest("2.0.0"))).finish();
    assert_eq!(
        begun,
        Err(BeginUploadError::NotPublisher {
            publisher: publisher()
        })
    );
    let sealed = Running::start(seal(&runtime, stranger, version)).finish();
    assert_eq!(
        sealed,
        Err(SealError::NotPublisher {
            publisher: publisher()
        })
    );
    let submitted = with_mut(|state| submit(state, &runtime, stranger, version));
    assert_eq!(
        submitted,
        Err(SubmitError::NotPublisher {
            publisher: publisher()
        })
    );
    let priced = with_mut(|state| set_price(state, &runtime, stranger, model(), 1));
    assert_eq!(
        priced,
        Err(SetPriceError::NotPublisher {
            publisher: publisher()
        })
    );
}

#[test]
fn should_refuse_manifests_that_do_not_fit_the_registry() {
    let runtime = prepared();
    let mut wrong_cid = manifest();
    wrong_cid.files[0].cid = wrong_cid.files[1].cid.clone();
    assert!(matches!(
        begin(&runtime, wrong_cid),
        Err(BeginUploadError::InvalidManifest { field, .. }) if field == "files[0].cid"
    ));
    let mut invalid = manifest();
    invalid.license = "secret".to_owned();
    assert!(matches!(
        begin(&runtime, invalid),
        Err(BeginUploadError::InvalidManifest { field, .. }) if field == "license"
    ));
    let mut huge = manifest();
    huge.files[1].chunks = vec![Sha256([1; 32]); 16_384];
    assert_eq!(
        begin(&runtime, huge),
        Err(BeginUploadError::TooManyChunks {
            given: 16_385,
            max: 16_384
        })
    );
    let mut stranger = manifest();
    stranger.publisher = "nobody".to_owned();
    let publisher = "nobody".to_owned();
    assert_eq!(
        begin(&runtime, stranger),
        Err(BeginUploadError::UnknownPublisher { publisher })
    );
    let mut orphan = manifest();
    let parent = Sha256([4; 32]);
    orphan.lineage.parents = vec![Parent {
        version: parent,
        relation: Relation::Finetune,
    }];
    assert_eq!(
        begin(&runtime, orphan),
        Err(BeginUploadError::UnknownParent { parent })
    );
    assert_eq!(with(|state| state.versions.len()), 0);

    let first = begin(&runtime, manifest()).unwrap();
    let mut other = manifest();
    other.card.markdown = "changed".to_owned();
    assert_eq!(
        begin(&runtime, other),
        Err(BeginUploadError::VersionTaken {
            existing: first.version
        })
    );
}

#[test]
fn should_cap_the_open_drafts_of_a_caller_and_free_one_on_admission() {
    let runtime = prepared();
    let version = publish(&runtime, version_manifest("1.0.0"));
    assert_eq!(status(version), VersionStatus::Admitted);
    for number in 1..=32 {
        begin(&runtime, version_manifest(&format!("1.0.{number}"))).unwrap();
    }
    assert_eq!(
        begin(&runtime, version_manifest("2.0.0")),
        Err(BeginUploadError::TooManyDrafts { open: 32, max: 32 })
    );
    let again = begin(&runtime, version_manifest("1.0.5"));
    assert!(again.is_ok(), "an open draft may be resumed at the cap");
}

#[test]
fn should_refuse_with_too_few_shards_and_with_too_little_room() {
    let runtime = prepared();
    for number in 0..3 {
        runtime.on_shard(shard(number), |shard| shard.capacity_bytes = 20);
    }
    assert_eq!(
        begin(&runtime, manifest()),
        Err(BeginUploadError::NoRoom { needed_bytes: 31 })
    );
    with_mut(|state| {
        state.shards.remove(&1);
        state.shards.remove(&2);
    });
    assert_eq!(
        begin(&runtime, manifest()),
        Err(BeginUploadError::TooFewShards {
            shards: 1,
            needed: 2
        })
    );
}

#[test]
fn should_place_on_the_shards_that_answer_and_resume_when_one_fails_in_the_middle() {
    let runtime = prepared();
    runtime.on_shard(shard(0), |shard| shard.is_down = true);
    let plan = begin(&runtime, manifest()).unwrap();
    assert_eq!(plan.chunks[0].shards, [shard(1), shard(2)]);

    runtime.on_shard(shard(2), |shard| shard.is_down = true);
    assert!(matches!(
        begin(&runtime, manifest()),
        Err(BeginUploadError::ShardFailed { shard: failed, .. }) if failed == shard(2)
    ));
    runtime.on_shard(shard(2), |shard| shard.is_down = false);
    assert_eq!(begin(&runtime, manifest()).unwrap(), plan);
}

#[test]
fn should_say_which_shard_failed_where_too_few_answer_at_all() {
    let runtime = prepared();
    for number in 1..3 {
        runtime.on_shard(shard(number), |shard| shard.is_down = true);
    }
    assert!(matches!(
        begin(&runtime, manifest()),
        Err(BeginUploadError::ShardFailed { .. })
    ));
    assert_eq!(with(|state| state.versions.len()), 0);
}

#[test]
fn should_be_busy_for_a_rival_and_free_again_wherever_the_first_call_is_cut_off() {
    // Three times asking for the capacity, two announcements, two confirmations.
    for calls in 1..=7 {
        let runtime = prepared();
        let mut first = Running::start(begin_upload(&runtime, principal(OWNER), manifest()));
        for _ in 0..calls {
            assert_eq!(first.step(), None);
        }
        assert_eq!(begin(&runtime, manifest()), Err(BeginUploadError::Busy));
        drop(first);
        let plan = begin(&runtime, manifest()).unwrap();
        assert!(plan.chunks.iter().all(|chunk| chunk.missing_on.len() == 2));
        assert_eq!(with(|state| state.versions.len()), 1);
    }
}

#[test]
fn should_seal_once_wherever_the_first_call_is_cut_off() {
    for calls in 1..=2 {
        let runtime = prepared();
        let plan = begin(&runtime, manifest()).unwrap();
        put_all(&runtime, &plan);
        let mut first = Running::start(seal(&runtime, principal(OWNER), plan.version));
        for _ in 0..calls {
            assert_eq!(first.step(), None);
        }
        assert_eq!(try_seal(&runtime, plan.version), Err(SealError::Busy));
        drop(first);
        assert_eq!(try_seal(&runtime, plan.version), Ok(()));
        assert_eq!(
            try_seal(&runtime, plan.version),
            Err(SealError::WrongStatus {
                status: VersionStatus::Sealed
            })
        );
    }
}

#[test]
fn should_check_the_name_again_after_the_calls() {
    let runtime = prepared();
    let mut other = manifest();
    other.card.markdown = "other".to_owned();
    let mut first = Running::start(begin_upload(&runtime, principal(OWNER), other));
    assert_eq!(first.step(), None);
    let second = begin(&runtime, manifest()).unwrap();
    assert_eq!(
        first.finish(),
        Err(BeginUploadError::VersionTaken {
            existing: second.version
        })
    );
    with(State::check_invariants);
}

#[test]
fn should_check_ownership_again_before_it_seals() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    put_all(&runtime, &plan);
    let mut sealing = Running::start(seal(&runtime, principal(OWNER), plan.version));
    assert_eq!(sealing.step(), None);
    with_mut(|state| {
        let mut publisher = state.publishers.get(&"stoa".to_owned()).unwrap();
        publisher.owner = principal(7);
        state.publishers.insert("stoa".to_owned(), publisher);
    });
    let publisher = "stoa".to_owned();
    assert_eq!(sealing.finish(), Err(SealError::NotPublisher { publisher }));
    assert_eq!(
        with(|state| state.version(&plan.version).unwrap().status.is_open()),
        true
    );
}

#[test]
fn should_announce_before_sealing_where_the_upload_never_got_that_far() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    put_all(&runtime, &plan);
    with_mut(|state| {
        let mut record = state.version(&plan.version).unwrap();
        record.is_announced = false;
        state.versions.insert(plan.version.0, record);
    });
    let calls = |runtime: &TestRuntime| {
        runtime.on_shard(plan.chunks[0].shards[0], |shard| shard.expect_calls)
    };
    let before = calls(&runtime);
    try_seal(&runtime, plan.version).unwrap();
    assert_eq!(calls(&runtime), before + 1);
}

#[test]
fn should_send_a_second_version_only_what_is_new_to_the_same_shards() {
    let runtime = prepared();
    let first = begin(&runtime, manifest()).unwrap();
    put_all(&runtime, &first);
    try_seal(&runtime, first.version).unwrap();

    let mut changed = version_manifest("1.0.1");
    changed.files[0] = file("README.md", b"# Digits, corrected");
    let second = begin(&runtime, changed).unwrap();
    assert_eq!(second.chunks[1].shards, first.chunks[1].shards);
    assert!(second.chunks[1].missing_on.is_empty());
    assert_eq!(second.chunks[0].missing_on, second.chunks[0].shards);
}

#[test]
fn should_resolve_the_newest_admitted_release() {
    let runtime = prepared();
    let older = publish(&runtime, version_manifest("1.2.0"));
    let newer = publish(&runtime, version_manifest("1.10.0"));
    let oldest = publish(&runtime, version_manifest("1.9.0"));
    let preview = publish(&runtime, version_manifest("2.0.0-rc.1"));
    let ask = |reference: &str| with(|state| resolve(state, reference));
    assert_eq!(ask("stoa/digits"), Ok(newer));
    assert_eq!(ask("stoa/digits@1.2.0"), Ok(older));
    assert_eq!(ask("stoa/digits@1.9.0"), Ok(oldest));
    assert_eq!(ask("stoa/digits@2.0.0-rc.1"), Ok(preview));
    assert_eq!(ask("stoa/digits@9.0.0"), Err(GetVersionError::NotFound));
    assert_eq!(ask("stoa/other"), Err(GetVersionError::NotFound));
    assert!(matches!(
        ask("nonsense"),
        Err(GetVersionError::InvalidReference { .. })
    ));
    assert!(matches!(
        ask(&"x".repeat(300)),
        Err(GetVersionError::InvalidReference { .. })
    ));
}

#[test]
fn should_set_a_price_within_its_limit_and_show_it() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    let set = |price| {
        with_mut(|state| {
            set_price(
                state,
                &runtime,
                principal(OWNER),
                "stoa/digits".into(),
                price,
            )
        })
    };
    assert_eq!(set(250_000), Ok(()));
    let info = with(|state| get_version(state, plan.version)).unwrap();
    assert_eq!(info.price_per_call_e8s, 250_000);
    let max = 100_000_000_000;
    assert_eq!(
        set(max + 1),
        Err(SetPriceError::PriceTooHigh {
            given: max + 1,
            max
        })
    );
    let unknown =
        with_mut(|state| set_price(state, &runtime, principal(OWNER), "stoa/x".into(), 1));
    assert_eq!(unknown, Err(SetPriceError::NotFound));
}

#[test]
fn should_list_every_version_once_over_pages() {
    let runtime = prepared();
    for number in 0..7 {
        begin(&runtime, version_manifest(&format!("1.0.{number}"))).unwrap();
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let args = ListVersionsArgs {
            after,
            limit: Some(3),
        };
        let page = with(|state| list_versions(state, &args));
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.version);
        seen.extend(page.iter().map(|summary| summary.semver.clone()));
    }
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            "1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4", "1.0.5", "1.0.6"
        ]
    );
}

#[test]
fn should_log_who_changed_what() {
    let runtime = prepared();
    let version = publish(&runtime, manifest());
    let page =
        |start, limit| with(|state| audit_log::audit_log(state, &AuditLogArgs { start, limit }));
    let all = page(0, None);
    assert_eq!(all.total, 6);
    let to: Vec<_> = all
        .entries
        .iter()
        .filter_map(|entry| match &entry.action {
            AuditAction::ChangedStatus {
                version: changed,
                to,
                ..
            } if *changed == version => Some((entry.actor, *to)),
            _ => None,
        })
        .collect();
    let owner = principal(OWNER);
    assert_eq!(
        to,
        [
            (owner, VersionStatus::Draft),
            (owner, VersionStatus::Sealed),
            (owner, VersionStatus::Proposed),
            (GOVERNANCE, VersionStatus::Admitted),
        ]
    );
    assert_eq!(page(4, Some(1)).entries, all.entries[4..5]);
    assert_eq!(page(u64::MAX, None).entries, []);
}

#[test]
fn should_keep_everything_over_an_upgrade_and_certify_it_again() {
    let memory = install();
    let runtime = TestRuntime::new();
    with_mut(|state| claim_publisher(state, &runtime, principal(OWNER), "stoa".into())).unwrap();
    let admitted = publish(&runtime, manifest());
    let draft = begin(&runtime, version_manifest("1.1.0")).unwrap();
    let before = with(|state| [admitted, draft.version].map(|version| get_version(state, version)));
    let certified = runtime.certified_data();
    assert_eq!(certified, certification::root_hash());

    certification::rebuild(&runtime, std::iter::empty());
    assert_ne!(runtime.certified_data(), certified);
    state::set(State::open(memory).unwrap());
    lifecycle::rebuild_certification(&runtime);

    let after = with(|state| [admitted, draft.version].map(|version| get_version(state, version)));
    assert_eq!(before, after);
    with(State::check_invariants);
    let proven = crate::get_version_certified::get_version_certified;
    let answer = with(|state| proven(state, &runtime, admitted)).unwrap();
    let tree: ic_certification::HashTree = ciborium::from_reader(&answer.witness[..]).unwrap();
    assert_eq!(tree.digest(), runtime.certified_data());
    assert_eq!(answer.manifest.digest(), admitted);
}

#[test]
fn should_refuse_to_open_a_layout_that_it_does_not_know() {
    let empty = State::open(crate::memory::RawMemory::default()).err();
    assert_eq!(
        empty,
        Some(state::OpenError::UnknownLayout { found: 0, known: 1 })
    );
}

/// The largest manifest that the rules allow, with each chunk on two shards of ten-byte principals.
#[test]
fn should_fit_the_largest_version_into_a_message_and_its_answers_into_a_reply() {
    use candid::{DecoderConfig, Principal};
    use stoa_registry_api::{ChunkPlacement, StoredChunk, VersionInfo};
    use stoa_types::ValidManifest;
    use stoa_types::manifest::FileEntry;

    const MESSAGE_BYTES_MAX: usize = 2 << 20;
    let chunks: Vec<Sha256> = (0..16_384_u32)
        .map(|n| Sha256::of(&n.to_le_bytes()))
        .collect();
    let size_bytes = 16_384 << 20;
    let mut large = manifest_of(vec![FileEntry {
        path: "model.onnx".to_owned(),
        size_bytes,
        sha256: Sha256([1; 32]),
        cid: stoa_content::file_cid(&chunks, size_bytes)
            .unwrap()
            .to_string(),
        chunks: chunks.clone(),
    }]);
    large.card.markdown = "x".repeat(128 * 1024);
    large.pipeline.labels = vec!["12345".to_owned(); 32_768];
    let rest = 384 * 1024 - 128 * 1024 - 32_768 * 7 - 600;
    large.card.tags = vec!["t".repeat(64); rest / 66];
    large.card.tags.truncate(64);
    let valid = ValidManifest::try_from(large.clone()).unwrap();

    let message = candid::encode_one(&large).unwrap();
    assert!(message.len() as u64 <= crate::limits::MANIFEST_BYTES_MAX);
    let mut quota = DecoderConfig::new();
    quota
        .set_decoding_quota(4_000_000)
        .set_skipping_quota(10_000);
    candid::utils::decode_one_with_config::<Manifest>(&message, &quota).unwrap();

    let two = vec![
        Principal::from_slice(&[255; 10]),
        Principal::from_slice(&[254; 10]),
    ];
    let info = VersionInfo {
        version: valid.digest(),
        manifest: large,
        status: VersionStatus::Admitted,
        created_at_nanos: u64::MAX,
        price_per_call_e8s: u64::MAX,
        placement: valid
            .distinct_chunks()
            .iter()
            .map(|chunk| StoredChunk {
                hash: chunk.hash,
                size_bytes: chunk.size_bytes,
                shards: two.clone(),
            })
            .collect(),
    };
    assert!(
        candid::encode_one(Ok::<_, GetVersionError>(info))
            .unwrap()
            .len()
            < MESSAGE_BYTES_MAX
    );
    let plan = UploadPlan {
        version: valid.digest(),
        status: VersionStatus::Draft,
        chunks: valid
            .distinct_chunks()
            .iter()
            .map(|chunk| ChunkPlacement {
                hash: chunk.hash,
                size_bytes: chunk.size_bytes,
                shards: two.clone(),
                missing_on: two.clone(),
            })
            .collect(),
    };
    assert!(
        candid::encode_one(Ok::<_, BeginUploadError>(plan))
            .unwrap()
            .len()
            < MESSAGE_BYTES_MAX
    );
}
