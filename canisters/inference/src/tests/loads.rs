//! Loading: only what is admitted, only bytes that hash to their names, from whichever shard has them, and to an
//! end whatever happens in between.

use candid::Principal;
use stoa_inference_api::{LoadError, LoadState};
use stoa_registry_api::VersionStatus;
use stoa_types::Sha256;

use super::world::{Fate, digits_onnx, digits_version, payer, shard, world};
use crate::load::load;
use crate::queries::load_status;
use crate::volatile;

fn state_of(version: Sha256) -> LoadState {
    load_status(version).unwrap().state
}

#[test]
fn should_load_an_admitted_version_and_say_how_far_it_is() {
    let world = world();
    let version = world.admit_digits();
    let status = world.finish(load(&world, payer(0), version, None)).unwrap();
    assert_eq!(
        status.state,
        LoadState::Fetching {
            chunks_done: 0,
            chunks_total: 3
        }
    );
    world.run_timers();
    assert!(matches!(
        state_of(version),
        LoadState::Ready { instructions_per_call, memory_bytes } if instructions_per_call > 0 && memory_bytes > 100_000
    ));
    // Again is the status, and asks nobody.
    world.restart_calls();
    assert_eq!(
        world
            .finish(load(&world, payer(1), version, None))
            .unwrap()
            .state,
        state_of(version)
    );
    assert_eq!(world.with(|inner| inner.log.len()), 0);
}

#[test]
fn should_load_nothing_that_is_not_admitted() {
    let world = world();
    let version = world.admit_digits();
    let refused = || {
        world
            .finish(load(&world, payer(0), version, None))
            .unwrap_err()
    };
    assert_eq!(
        world
            .finish(load(&world, Principal::anonymous(), version, None))
            .unwrap_err(),
        LoadError::AnonymousCaller
    );
    for (status, text) in [
        (VersionStatus::Draft, "draft"),
        (VersionStatus::Sealed, "sealed"),
        (VersionStatus::Proposed, "proposed"),
        (VersionStatus::Deprecated, "deprecated"),
        (VersionStatus::Revoked, "revoked"),
        (VersionStatus::Rejected, "rejected"),
    ] {
        world.with(|inner| inner.versions.get_mut(&version).unwrap().status = status);
        assert_eq!(
            refused(),
            LoadError::NotAdmitted {
                version,
                status: text.into()
            }
        );
    }
    // Another manifest under the digest.
    world.with(|inner| {
        let info = inner.versions.get_mut(&version).unwrap();
        info.status = VersionStatus::Admitted;
        info.manifest.task.push('x');
    });
    assert!(matches!(refused(), LoadError::RegistryFailed { .. }));
    world.with(|inner| inner.versions.clear());
    assert_eq!(refused(), LoadError::NotFound { version });
}

#[test]
fn should_take_a_chunk_from_the_second_shard_where_the_first_fails_or_lies() {
    let world = world();
    let version = world.admit_digits();
    world.with(|inner| {
        let hashes: Vec<Sha256> = inner.chunks.keys().map(|(_, hash)| *hash).collect();
        inner.chunks.remove(&(shard(0), hashes[0]));
        inner.chunks.get_mut(&(shard(0), hashes[1])).unwrap()[7] ^= 1;
        inner.chunks.get_mut(&(shard(0), hashes[2])).unwrap().pop();
    });
    world.finish(load(&world, payer(0), version, None)).unwrap();
    world.run_timers();
    assert!(matches!(state_of(version), LoadState::Ready { .. }));
}

// Statement 21: what comes is hashed before it is kept.
#[test]
fn should_fail_where_no_shard_has_the_right_bytes_and_start_again_later() {
    let world = world();
    let version = world.admit_digits();
    let good = world.with(|inner| {
        let good = inner.chunks.clone();
        for bytes in inner.chunks.values_mut() {
            bytes[0] ^= 1;
        }
        good
    });
    world.finish(load(&world, payer(0), version, None)).unwrap();
    world.run_timers();
    assert!(
        matches!(state_of(version), LoadState::Failed { message } if message.contains("do not hash"))
    );
    world.with(|inner| inner.chunks = good);
    // Not at once: trying is free for the caller and not for the canister.
    assert!(matches!(
        world
            .finish(load(&world, payer(0), version, None))
            .unwrap()
            .state,
        LoadState::Failed { .. }
    ));
    world.pass(std::time::Duration::from_secs(601));
    world.finish(load(&world, payer(0), version, None)).unwrap();
    world.run_timers();
    assert!(matches!(state_of(version), LoadState::Ready { .. }));
}

#[test]
fn should_fail_where_the_chunks_do_not_make_the_file() {
    let world = world();
    world.admit_digits();
    let mut info = digits_version(&digits_onnx());
    info.manifest.files[0].sha256 = Sha256([1; 32]);
    let version = info.manifest.digest();
    world.with(|inner| inner.versions.insert(version, info));
    world.finish(load(&world, payer(0), version, None)).unwrap();
    world.run_timers();
    assert!(
        matches!(state_of(version), LoadState::Failed { message } if message.contains("SHA-256"))
    );
    assert!(!volatile::has_model(&version));
}

#[test]
fn should_load_to_the_end_whatever_happens_to_any_call() {
    // Three chunks, the building, the probe; before them `load` itself asks for the author.
    for call in 2..=6 {
        for fate in Fate::ALL {
            std::thread::spawn(move || {
                let world = world();
                let version = world.admit_digits();
                world.set_fate(call, fate);
                world.finish(load(&world, payer(0), version, None)).unwrap();
                world.run_timers();
                assert!(
                    matches!(state_of(version), LoadState::Ready { .. }),
                    "call {call} {fate:?}: {:?}",
                    state_of(version)
                );
            })
            .join()
            .unwrap();
        }
    }
}

// Statements 29 and 30.
#[test]
fn should_load_to_the_end_through_an_upgrade_at_any_call() {
    for call in 2..=6 {
        std::thread::spawn(move || {
            let world = world();
            let version = world.admit_digits();
            world.finish(load(&world, payer(0), version, None)).unwrap();
            world.with(|inner| inner.scheduled.clear());
            world.set_fate(call, Fate::TrapBefore);
            assert!(world.attempt(crate::load_job::drive(&world)).is_none());
            world.upgrade();
            world.run_timers();
            assert!(
                matches!(state_of(version), LoadState::Ready { .. }),
                "call {call}"
            );
        })
        .join()
        .unwrap();
    }
}

#[test]
fn should_fail_a_load_whose_stage_keeps_trapping() {
    let world = world();
    let version = world.admit_digits();
    world.finish(load(&world, payer(0), version, None)).unwrap();
    for call in 5..20 {
        world.set_fate(call, Fate::RequestLost);
    }
    world.run_timers();
    assert!(
        matches!(state_of(version), LoadState::Failed { message } if message.contains("does not end"))
    );
}

#[test]
fn should_fail_a_model_that_does_not_have_its_manifests_signature() {
    let world = world();
    world.admit_digits();
    let mut info = digits_version(&digits_onnx());
    info.manifest.signature.outputs[0].name = "logits".into();
    let version = info.manifest.digest();
    world.with(|inner| inner.versions.insert(version, info));
    world.finish(load(&world, payer(0), version, None)).unwrap();
    world.run_timers();
    assert!(
        matches!(state_of(version), LoadState::Failed { message } if message.contains("outputs[0].name"))
    );
}

// Statements 21 and 23.
#[test]
fn should_have_a_limit_on_loads_under_way() {
    let world = world();
    world.admit_digits();
    let mut versions = Vec::new();
    for number in 0..5 {
        let mut info = digits_version(&digits_onnx());
        info.manifest.name = format!("digits-{number}");
        let version = info.manifest.digest();
        world.with(|inner| inner.versions.insert(version, info));
        versions.push(version);
    }
    for version in &versions[..4] {
        world
            .finish(load(&world, payer(0), *version, None))
            .unwrap();
    }
    assert_eq!(
        world
            .finish(load(&world, payer(0), versions[4], None))
            .unwrap_err(),
        LoadError::TooManyLoads { open: 4, max: 4 }
    );
    world.run_timers();
    world
        .finish(load(&world, payer(0), versions[4], None))
        .unwrap();
}
