//! Deprecation and revocation: who may, what is checked again on execution, and who hears of it.

use stoa_registry_api::{DeprecateVersionArgs, RegistryParameters, RevokeVersionArgs};

use super::*;
use crate::details::describe_version;
use crate::notices;
use crate::parameters::{get_parameters, set_parameters, validate_set_parameters};
use crate::retire_version::{
    RetireError, deprecate_version, revoke_version, validate_deprecate_version,
    validate_revoke_version,
};

fn deprecation(version: Sha256, successor: Option<Sha256>) -> DeprecateVersionArgs {
    DeprecateVersionArgs {
        version,
        successor,
        reason: "a better one is there".into(),
    }
}

fn revocation(version: Sha256, delete_bytes: bool) -> RevokeVersionArgs {
    RevokeVersionArgs {
        version,
        reason: "the data were not theirs to use".into(),
        delete_bytes,
    }
}

#[test]
fn should_deprecate_and_revoke_for_governance_alone() {
    let runtime = prepared();
    let version = publish(&runtime, manifest());
    for caller in [principal(OWNER), principal(0), Principal::anonymous()] {
        let args = deprecation(version, None);
        let refused = with_mut(|state| deprecate_version(state, &runtime, caller, args));
        assert!(matches!(refused, Err(RetireError::NotGovernance(_))));
        let args = revocation(version, true);
        let refused = with_mut(|state| revoke_version(state, &runtime, caller, args));
        assert!(matches!(refused, Err(RetireError::NotGovernance(_))));
        let parameters: RegistryParameters = crate::parameters::DEFAULT.into();
        let refused = with_mut(|state| set_parameters(state, &runtime, caller, parameters));
        assert!(refused.is_err());
    }
    assert_eq!(status(version), VersionStatus::Admitted);
}

#[test]
fn should_show_voters_what_a_deprecation_does_and_do_it_once() {
    let runtime = prepared();
    let old = publish(&runtime, version_manifest("1.0.0"));
    let new = publish(&runtime, version_manifest("2.0.0"));
    let args = deprecation(old, Some(new));
    let rendering = with(|state| validate_deprecate_version(state, &args)).unwrap();
    for expected in [
        "stoa/digits@1.0.0".to_owned(),
        "stoa/digits@2.0.0".to_owned(),
        old.to_string(),
        new.to_string(),
        "a better one is there".to_owned(),
    ] {
        assert!(rendering.contains(&expected), "{expected} in {rendering}");
    }
    for _ in 0..2 {
        let args = args.clone();
        with_mut(|state| deprecate_version(state, &runtime, GOVERNANCE, args)).unwrap();
    }
    let details = with(|state| describe_version(state, old)).unwrap();
    assert_eq!(details.summary.status, VersionStatus::Deprecated);
    assert_eq!(details.successor, Some(new));
    assert_eq!(details.reason.as_deref(), Some("a better one is there"));
    assert!(details.is_stored);
    let changes = with(|state| state.audit.len());
    let again =
        with_mut(|state| deprecate_version(state, &runtime, GOVERNANCE, deprecation(old, None)));
    assert_eq!(again, Ok(()));
    assert_eq!(with(|state| state.audit.len()), changes);
}

#[test]
fn should_refuse_retirements_that_make_no_sense_before_the_vote_and_after_it() {
    let runtime = prepared();
    let admitted = publish(&runtime, version_manifest("1.0.0"));
    let proposed = propose(&runtime, version_manifest("2.0.0"));
    let unknown = Sha256([9; 32]);
    let long = DeprecateVersionArgs {
        reason: "x".repeat(1_001),
        ..deprecation(admitted, None)
    };
    let two_lines = DeprecateVersionArgs {
        reason: "a\nb".into(),
        ..deprecation(admitted, None)
    };
    for args in [
        deprecation(unknown, None),
        deprecation(proposed, None),
        deprecation(admitted, Some(admitted)),
        deprecation(admitted, Some(proposed)),
        deprecation(admitted, Some(unknown)),
        long,
        two_lines,
    ] {
        assert!(with(|state| validate_deprecate_version(state, &args)).is_err());
        assert!(with_mut(|state| deprecate_version(state, &runtime, GOVERNANCE, args)).is_err());
    }
    for args in [revocation(unknown, true), revocation(proposed, false)] {
        assert!(with(|state| validate_revoke_version(state, &args)).is_err());
        assert!(with_mut(|state| revoke_version(state, &runtime, GOVERNANCE, args)).is_err());
    }
    assert_eq!(status(admitted), VersionStatus::Admitted);
}

#[test]
fn should_keep_or_delete_the_bytes_of_a_revoked_version_as_the_vote_says() {
    let runtime = prepared();
    let version = publish(&runtime, manifest());
    let args = revocation(version, false);
    let rendering = with(|state| validate_revoke_version(state, &args)).unwrap();
    assert!(rendering.contains("kept"), "{rendering}");
    with_mut(|state| revoke_version(state, &runtime, GOVERNANCE, args)).unwrap();
    run_timers(&runtime);
    let heard = runtime.with_services(|services| services.heard.len());
    assert_eq!(heard, 0);
    assert!(
        with(|state| describe_version(state, version))
            .unwrap()
            .is_stored
    );

    let args = revocation(version, true);
    with_mut(|state| revoke_version(state, &runtime, GOVERNANCE, args)).unwrap();
    assert_eq!(with(|state| state.releases.len()), 2);
    run_timers(&runtime);
    assert_eq!(with(|state| state.releases.len()), 0);
    let heard = runtime.with_services(|services| std::mem::take(&mut services.heard));
    let shards: Vec<_> = heard.iter().map(|(shard, _)| *shard).collect();
    assert_eq!(shards, [shard(0), shard(1)]);
    assert!(heard.iter().all(|(_, method)| method == "c2c_release"));
    let details = with(|state| describe_version(state, version)).unwrap();
    assert!(!details.is_stored);
    assert_eq!(
        with(|state| get_version(state, version)).unwrap().manifest,
        manifest(),
        "the manifest stays"
    );
}

#[test]
fn should_tell_every_inference_canister_until_it_has_heard() {
    let runtime = prepared();
    let version = publish(&runtime, manifest());
    let (first, second) = (principal(41), principal(42));
    with_mut(|state| {
        let receivers = [first, second];
        notices::announce_to(state, &runtime, &receivers, version, Status::Deprecated);
        notices::announce_to(state, &runtime, &receivers, version, Status::Revoked);
    });
    runtime.with_services(|services| services.refusing = vec![first]);
    run_task(&runtime, crate::runtime::Task::Notices);
    let left: Vec<_> = with(|state| {
        let keys = state.notices.iter().map(|entry| entry.key().0);
        keys.collect()
    });
    assert_eq!(left, [first]);
    runtime.with_services(|services| services.refusing.clear());
    run_timers(&runtime);
    assert!(with(|state| state.notices.is_empty()));
    let heard = runtime.with_services(|services| services.heard.clone());
    assert_eq!(heard.iter().filter(|(who, _)| *who == second).count(), 1);
}

#[test]
fn should_set_parameters_within_their_bounds_and_show_voters_what_changes() {
    let runtime = prepared();
    let mut wanted = with(get_parameters);
    wanted.draft_lifetime_seconds = 7 * 86_400;
    let rendering = with(|state| validate_set_parameters(state, &wanted)).unwrap();
    assert!(rendering.contains("1209600 becomes 604800"), "{rendering}");
    with_mut(|state| set_parameters(state, &runtime, GOVERNANCE, wanted.clone())).unwrap();
    assert_eq!(with(get_parameters), wanted);
    let entries = with(|state| state.audit.len());
    with_mut(|state| set_parameters(state, &runtime, GOVERNANCE, wanted.clone())).unwrap();
    assert_eq!(with(|state| state.audit.len()), entries);
    wanted.open_versions_max = 0;
    assert!(with(|state| validate_set_parameters(state, &wanted)).is_err());
    assert!(with_mut(|state| set_parameters(state, &runtime, GOVERNANCE, wanted)).is_err());
}

#[test]
fn should_ask_governance_for_cycles_when_they_run_low_and_not_before() {
    let runtime = prepared();
    let asked = || {
        run_task(&runtime, crate::runtime::Task::Cycles);
        runtime.with_services(|services| services.heard.len())
    };
    assert_eq!(asked(), 0);
    runtime.cycles.set(1_999_999_999_999);
    assert_eq!(asked(), 1);
    let heard = runtime.with_services(|services| services.heard[0].clone());
    assert_eq!(heard, (GOVERNANCE, "request_cycles".to_owned()));
}
