//! What readers get: names, pages, the log, proofs, and all of it over an upgrade.

use super::*;

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

/// Statement 23.
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

/// Statements 27, 28 and 32.
#[test]
fn should_keep_everything_over_an_upgrade_and_certify_it_again() {
    let memory = install();
    let runtime = TestRuntime::new();
    with_mut(|state| claim_publisher(state, &runtime, principal(OWNER), "stoa".into())).unwrap();
    let admitted = publish(&runtime, manifest());
    let draft = begin(&runtime, version_manifest("1.1.0")).unwrap();
    let before = with(|state| [admitted, draft.version].map(|version| get_version(state, version)));
    let certified = runtime.certified_data();
    assert_eq!(certified, with(certification::root_hash));

    // The platform clears it, as a new runtime has it.
    let runtime = TestRuntime::new();
    assert_ne!(runtime.certified_data(), certified);
    state::set(State::open(memory, 2).unwrap());
    with(|state| certification::certify(state, &runtime));
    assert_eq!(runtime.certified_data(), certified);

    let after = with(|state| [admitted, draft.version].map(|version| get_version(state, version)));
    assert_eq!(before, after);
    with(State::check_invariants);
    let proven = crate::get_version_certified::get_version_certified;
    let answer = with(|state| proven(state, &runtime, admitted)).unwrap();
    let tree: ic_certification::HashTree = serde_cbor::from_slice(&answer.witness).unwrap();
    assert_eq!(tree.digest(), runtime.certified_data());
    assert_eq!(answer.manifest.digest(), admitted);
}

/// Statement 27.
#[test]
fn should_refuse_to_open_a_layout_that_it_does_not_know() {
    let empty = State::open(crate::memory::RawMemory::default(), 2).err();
    assert_eq!(
        empty,
        Some(state::OpenError::UnknownLayout { found: 0, known: 3 })
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
        deposit: Some(stoa_registry_api::DepositInfo {
            id: u64::MAX,
            version: valid.digest(),
            payer: Principal::from_slice(&[255; 29]),
            amount_e8s: u64::MAX,
            created_at_nanos: u64::MAX,
            state: stoa_registry_api::DepositState::Held {
                block: Some(u64::MAX),
            },
        }),
        expires_at_nanos: Some(u64::MAX),
    };
    assert!(
        candid::encode_one(Ok::<_, BeginUploadError>(plan))
            .unwrap()
            .len()
            < MESSAGE_BYTES_MAX
    );
}
