//! Uploads: what is refused, what is resumed, and rivals in the middle of a call.

use super::*;

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

/// Statement 21.
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

/// Statements 3 and 5.
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

/// Statement 5.
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

/// Statement 6.
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

/// Statement 6.
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
    assert_eq!(status(plan.version), VersionStatus::Draft);
}

#[test]
fn should_announce_before_sealing_where_the_upload_never_got_that_far() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    put_all(&runtime, &plan);
    with_mut(|state| {
        let mut record = state.version(&plan.version).unwrap();
        record.announced_for = None;
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

/// Statement 19.
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
fn should_announce_once_however_often_the_same_upload_is_resumed() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    let calls = || runtime.on_shard(plan.chunks[0].shards[0], |shard| shard.expect_calls);
    let before = calls();
    assert_eq!(begin(&runtime, manifest()).unwrap(), plan);
    assert_eq!(calls(), before);
}

/// Statement 26: what a free call may cost is bounded by the hour, also where it asks about a draft that is never complete.
#[test]
fn should_not_ask_the_shards_for_ever_about_a_draft_that_is_not_complete() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    with_mut(|state| state.change_parameters(|p| p.planned_chunks_per_hour_max = 400));
    let mut asked = 0;
    let retry_after_seconds = loop {
        match try_seal(&runtime, plan.version) {
            Err(SealError::ChunksMissing { .. }) => asked += 1,
            Err(SealError::TooManyRequests {
                retry_after_seconds,
            }) => break retry_after_seconds,
            other => panic!("{other:?}"),
        }
    };
    // Two chunks and 64 for the call are 66; `begin_upload` was the first of six.
    assert_eq!(asked, 5);
    put_all(&runtime, &plan);
    assert!(try_seal(&runtime, plan.version).is_err());
    runtime.pass(std::time::Duration::from_secs(retry_after_seconds));
    assert_eq!(try_seal(&runtime, plan.version), Ok(()));
}
