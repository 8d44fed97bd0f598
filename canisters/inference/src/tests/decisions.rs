//! What governance decides, who else may not, and what an upgrade keeps.

use stoa_inference_api::{
    InferError, LoadState, ModelArgs, ModelReference, Policy, VersionStatusArgs,
};
use stoa_types::Sha256;

use super::world::{
    World, allowance, governance, payer, policy, registry, request, world, world_with_digits,
};
use crate::infer::infer;
use crate::policy::{set_policy, validate_set_policy};
use crate::{decisions, load, load_job, names, queries, registration, state, volatile};

#[test]
fn should_let_governance_alone_set_the_policy_and_keep_it_through_an_upgrade() {
    let world = world();
    let new = Policy {
        top_up_e8s: 7,
        treasury_basis_points: 10_000,
        ..policy()
    };
    for stranger in [payer(0), registry()] {
        assert!(set_policy(stranger, &new).is_err());
    }
    assert_eq!(state::policy().to_wire(), policy());
    let rendered = validate_set_policy(&new).unwrap();
    assert!(
        rendered.contains("| e8s of ICP a purchase | 5000000 | **7** |"),
        "{rendered}"
    );
    set_policy(governance(), &new).unwrap();
    world.upgrade();
    assert_eq!(state::policy().to_wire(), new);
}

#[test]
fn should_refuse_a_policy_that_it_could_not_live_by() {
    let _world = world();
    let too_much = candid::Nat::from(u128::MAX) * 2_u8;
    let changes: [&dyn Fn(&mut Policy); 8] = [
        &|p| p.treasury_basis_points = 10_001,
        &|p| p.reserve_basis_points = 10_001,
        &|p| p.cycles_per_e8 = too_much.clone(),
        &|p| p.rate_cycles_per_billion_instructions = too_much.clone(),
        &|p| p.top_up_below_cycles = too_much.clone(),
        &|p| p.token_e8s_per_icp = Some(0),
        &|p| p.preview_instructions_max = 5_000_000_000,
        &|p| p.model_memory_bytes_max = 4 << 30,
    ];
    for change in changes {
        let mut bad = policy();
        change(&mut bad);
        assert!(validate_set_policy(&bad).is_err(), "{bad:?}");
        assert!(set_policy(governance(), &bad).is_err(), "{bad:?}");
    }
}

fn revoke(world: &World, version: Sha256, by: candid::Principal) -> Result<(), String> {
    let arguments = VersionStatusArgs {
        version,
        status: "revoked".into(),
    };
    registration::note_status(world, by, arguments)
}

#[test]
fn should_refuse_a_revoked_model_from_the_registrys_message_on() {
    let (world, version) = world_with_digits();
    assert!(revoke(&world, version, payer(0)).is_err());
    revoke(&world, version, registry()).unwrap();
    let call = || world.finish(infer(&world, payer(0), request(version, allowance())));
    let refused = InferError::NotAdmitted {
        version,
        status: "revoked".into(),
    };
    assert_eq!(call().unwrap_err(), refused);
    world.with(|inner| inner.replicated = false);
    let preview = queries::infer_query(&world, super::world::preview(version));
    assert_eq!(preview.unwrap_err(), refused);
    assert!(!volatile::has_model(&version));
    // Not for a minute, and not by an upgrade.
    world.upgrade();
    world.run_timers();
    assert!(!volatile::has_model(&version));
    assert_eq!(call().unwrap_err(), refused);
    // Nor by a stale answer of the registry that was on its way.
    let mut load = state::load(&version).unwrap();
    load.registered.asked_at_nanos = 0;
    state::put_load(load);
    assert_eq!(call().unwrap_err(), refused);
}

#[test]
fn should_go_on_with_a_deprecated_model_that_is_loaded() {
    let (world, version) = world_with_digits();
    let arguments = VersionStatusArgs {
        version,
        status: "deprecated".into(),
    };
    registration::note_status(&world, registry(), arguments).unwrap();
    world
        .finish(infer(&world, payer(0), request(version, allowance())))
        .unwrap();
}

#[test]
fn should_load_and_unload_what_governance_decides() {
    let world = world();
    let version = world.admit_digits();
    let arguments = ModelArgs { version };
    assert!(decisions::validate_unload_model(&arguments).is_err());
    decisions::validate_load_model(&arguments).unwrap();
    let begun = world.finish(decisions::load_model(&world, payer(0), &arguments));
    assert!(begun.is_err());
    world
        .finish(decisions::load_model(&world, governance(), &arguments))
        .unwrap()
        .unwrap();
    world.run_timers();
    assert!(volatile::has_model(&version));
    assert!(decisions::unload_model(payer(0), &arguments).is_err());
    decisions::unload_model(governance(), &arguments).unwrap();
    assert!(state::load(&version).is_none());
    let gone = world.finish(infer(&world, payer(0), request(version, allowance())));
    assert_eq!(gone.unwrap_err(), InferError::NotLoaded { version });
}

#[test]
fn should_keep_the_quote_through_an_upgrade() {
    let (world, version) = world_with_digits();
    let before = queries::quote(version).unwrap();
    // Were it measured again, it would be another one.
    world.with(|inner| inner.instructions_a_reading *= 7);
    world.upgrade();
    world.run_timers();
    assert!(volatile::has_model(&version));
    assert_eq!(queries::quote(version).unwrap(), before);
    // Another engine's measurement does not count.
    let mut load = state::load(&version).unwrap();
    load.probe.as_mut().unwrap().engine = "another".into();
    state::put_load(load);
    world.upgrade();
    world.run_timers();
    assert_ne!(queries::quote(version).unwrap(), before);
}

fn another_digits(world: &World, name: &str) -> Sha256 {
    let mut info = super::world::digits_version(&super::world::digits_onnx());
    info.manifest.name = name.into();
    let version = info.manifest.digest();
    info.version = version;
    world.with(|inner| inner.versions.insert(version, info));
    version
}

fn load_now(world: &World, version: Sha256) {
    world
        .finish(load::load(world, payer(0), version, None))
        .unwrap();
    world.finish(load_job::drive(world));
}

#[test]
fn should_let_the_least_recently_used_model_leave_the_heap_and_bring_it_back_when_called() {
    let (world, first) = world_with_digits();
    let one = volatile::model_bytes();
    let tight = Policy {
        model_memory_bytes_max: 2 * one,
        ..policy()
    };
    set_policy(governance(), &tight).unwrap();
    let second = another_digits(&world, "second");
    load_now(&world, second);
    // The first is used after the second, so a third takes the second's place.
    world
        .finish(infer(&world, payer(0), request(first, allowance())))
        .unwrap();
    let third = another_digits(&world, "third");
    load_now(&world, third);
    let state_of = |version| queries::load_status(version).unwrap().state;
    assert!(matches!(state_of(first), LoadState::Ready { .. }));
    assert!(matches!(state_of(second), LoadState::Evicted { .. }));
    assert!(matches!(state_of(third), LoadState::Ready { .. }));
    assert!(volatile::model_bytes() <= 2 * one);
    world.finish(load_job::drive(&world));
    assert!(matches!(state_of(second), LoadState::Evicted { .. }));
    // A call brings it back, without fetching anything.
    let call = || world.finish(infer(&world, payer(0), request(second, allowance())));
    assert_eq!(
        call().unwrap_err(),
        InferError::NotReady { version: second }
    );
    world.restart_calls();
    world.run_timers();
    assert!(!world.with(|inner| inner.log.contains(&"get_chunk")));
    call().unwrap();
    assert!(volatile::model_bytes() <= 2 * one);
    // After an upgrade as many come back as there is room for.
    world.upgrade();
    world.run_timers();
    assert!(volatile::model_bytes() <= 2 * one && volatile::model_bytes() > 0);
}

#[test]
fn should_find_a_model_by_digest_full_name_and_alias() {
    let (world, version) = world_with_digits();
    world.with(|inner| inner.names.insert("stoa/digits@stable".into(), version));
    let resolve =
        |name: &str| world.finish(names::resolve(&world, &ModelReference::Name(name.into())));
    assert_eq!(resolve(&version.to_string()), Ok(version));
    assert_eq!(resolve("stoa/digits@1.0.0"), Ok(version));
    assert_eq!(world.with(|inner| inner.log.len()), 0);
    for _ in 0..3 {
        assert_eq!(resolve("stoa/digits@stable"), Ok(version));
    }
    assert_eq!(world.with(|inner| inner.log.clone()), ["resolve"]);
    let by_name = stoa_inference_api::InferRequest {
        model: ModelReference::Name("stoa/digits@stable".into()),
        ..request(version, allowance())
    };
    world.finish(infer(&world, payer(0), by_name)).unwrap();
    assert_eq!(
        resolve("stoa/digits@1.0.1"),
        Err(InferError::UnknownModel {
            name: "stoa/digits@1.0.1".into()
        })
    );
    // What an alias means is asked again after a minute.
    let other = another_digits(&world, "other");
    world.with(|inner| inner.names.insert("stoa/digits@stable".into(), other));
    world.pass(std::time::Duration::from_secs(61));
    assert_eq!(resolve("stoa/digits@stable"), Ok(other));
    assert!(resolve(&"x".repeat(100_000)).is_err());
}

#[test]
fn should_fetch_several_chunks_at_a_time_from_all_shards() {
    let world = world();
    let version = world.admit_digits();
    world
        .finish(load::load(&world, payer(0), version, None))
        .unwrap();
    // Calls 1 to 3 are the chunks: with the first held, the others come all the same.
    world.set_fate(1, super::world::Fate::Held);
    let mut driving = std::pin::pin!(load_job::drive(&world));
    assert!(super::world::poll(driving.as_mut()).is_none());
    assert_eq!(
        queries::load_status(version).unwrap().state,
        LoadState::Fetching {
            chunks_done: 2,
            chunks_total: 3
        }
    );
    world.release(1);
    assert!(super::world::poll(driving.as_mut()).is_some());
    assert!(volatile::has_model(&version));
}

// Statement 15.
#[test]
fn should_refuse_work_before_it_would_freeze_and_go_on_after_an_outside_top_up() {
    let (world, version) = world_with_digits();
    world.with(|inner| inner.cycles = 100_000_000_000);
    let call = || world.finish(infer(&world, payer(0), request(version, allowance())));
    assert!(matches!(
        call().unwrap_err(),
        InferError::OutOfCycles { .. }
    ));
    let other = another_digits(&world, "other");
    let refused = world.finish(load::load(&world, payer(0), other, None));
    assert!(matches!(
        refused,
        Err(stoa_inference_api::LoadError::OutOfCycles { .. })
    ));
    world.with(|inner| inner.cycles = 10_000_000_000_000);
    call().unwrap();
}
