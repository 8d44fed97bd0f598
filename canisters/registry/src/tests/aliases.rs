//! What names mean, over admissions, deprecations and revocations; and the proof of it.

use ic_certification::{HashTree, LookupResult};
use stoa_registry_api::{
    DeprecateVersionArgs, ListModelVersionsArgs, RevokeVersionArgs, SetAliasArgs, SetAliasError,
};

use super::*;
use crate::details::resolve_certified;
use crate::models::{get_model, list_model_versions};
use crate::retire_version::{deprecate_version, revoke_version};
use crate::set_alias::set_alias;

const MODEL: &str = "stoa/digits";

fn point(
    runtime: &TestRuntime,
    caller: u8,
    alias: &str,
    version: Option<Sha256>,
) -> Result<(), SetAliasError> {
    let args = SetAliasArgs {
        model: MODEL.into(),
        alias: alias.into(),
        version,
    };
    let result = with_mut(|state| set_alias(state, runtime, principal(caller), args));
    with(State::check_invariants);
    result
}

/// What a name means, if the certified tree says the same.
fn proven(runtime: &TestRuntime, name: &str) -> Option<Sha256> {
    let answer = with(|state| resolve_certified(state, runtime, name.into())).unwrap();
    let tree: HashTree = serde_cbor::from_slice(&answer.witness).unwrap();
    assert_eq!(tree.digest(), runtime.certified_data());
    let path = [b"alias", name.as_bytes()];
    let proven = match tree.lookup_path(path) {
        LookupResult::Found(bytes) => Some(Sha256::try_from(bytes).unwrap()),
        LookupResult::Absent => None,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(answer.version, proven);
    assert_eq!(with(|state| resolve(state, name)).ok(), proven);
    proven
}

fn deprecate(runtime: &TestRuntime, version: Sha256) {
    let args = DeprecateVersionArgs {
        version,
        successor: None,
        reason: "old".into(),
    };
    with_mut(|state| deprecate_version(state, runtime, GOVERNANCE, args)).unwrap();
    with(State::check_invariants);
}

fn revoke(runtime: &TestRuntime, version: Sha256) {
    let args = RevokeVersionArgs {
        version,
        reason: "harmful".into(),
        delete_bytes: false,
    };
    with_mut(|state| revoke_version(state, runtime, GOVERNANCE, args)).unwrap();
    with(State::check_invariants);
}

#[test]
fn should_follow_the_versions_with_latest_stable_and_the_bare_name() {
    let runtime = prepared();
    let meaning = |runtime: &TestRuntime| {
        ["stoa/digits", "stoa/digits@stable", "stoa/digits@latest"]
            .map(|name| proven(runtime, name))
    };
    assert_eq!(meaning(&runtime), [None; 3]);
    let preview = publish(&runtime, version_manifest("1.0.0-rc.1"));
    assert_eq!(meaning(&runtime), [Some(preview), None, Some(preview)]);
    let first = publish(&runtime, version_manifest("1.0.0"));
    assert_eq!(meaning(&runtime), [Some(first); 3]);
    let next = publish(&runtime, version_manifest("2.0.0-beta"));
    assert_eq!(meaning(&runtime), [Some(first), Some(first), Some(next)]);
    deprecate(&runtime, first);
    assert_eq!(meaning(&runtime), [Some(next), None, Some(next)]);
    revoke(&runtime, next);
    assert_eq!(
        meaning(&runtime),
        [Some(preview), None, Some(preview)],
        "the release candidate is the only admitted one"
    );
    deprecate(&runtime, preview);
    assert_eq!(meaning(&runtime), [Some(first), None, None]);
    revoke(&runtime, first);
    revoke(&runtime, preview);
    assert_eq!(meaning(&runtime), [None; 3]);
}

#[test]
fn should_keep_an_own_alias_until_it_is_taken_away_or_its_version_revoked() {
    let runtime = prepared();
    let first = publish(&runtime, version_manifest("1.0.0"));
    let second = publish(&runtime, version_manifest("2.0.0"));
    point(&runtime, OWNER, "small", Some(first)).unwrap();
    assert_eq!(proven(&runtime, "stoa/digits@small"), Some(first));
    point(&runtime, OWNER, "small", Some(second)).unwrap();
    assert_eq!(proven(&runtime, "stoa/digits@small"), Some(second));
    deprecate(&runtime, second);
    assert_eq!(proven(&runtime, "stoa/digits@small"), Some(second));
    revoke(&runtime, second);
    assert_eq!(proven(&runtime, "stoa/digits@small"), None);
    point(&runtime, OWNER, "small", Some(first)).unwrap();
    point(&runtime, OWNER, "small", None).unwrap();
    assert_eq!(proven(&runtime, "stoa/digits@small"), None);
}

#[test]
fn should_refuse_aliases_that_could_be_mistaken_and_versions_that_are_not_admitted() {
    let runtime = prepared();
    let admitted = publish(&runtime, version_manifest("1.0.0"));
    let sealed = seal_new(&runtime, version_manifest("2.0.0"));
    for alias in ["latest", "stable", "1.0.0", "Small", ""] {
        assert!(
            matches!(
                point(&runtime, OWNER, alias, Some(admitted)),
                Err(SetAliasError::InvalidAlias { .. })
            ),
            "{alias}"
        );
    }
    let status = VersionStatus::Sealed;
    assert_eq!(
        point(&runtime, OWNER, "small", Some(sealed)),
        Err(SetAliasError::NotAdmitted { status })
    );
    let publisher = "stoa".to_owned();
    assert_eq!(
        point(&runtime, 7, "small", Some(admitted)),
        Err(SetAliasError::NotPublisher { publisher })
    );
    let mut other = manifest();
    other.name = "letters".to_owned();
    let other = publish(&runtime, other);
    let model = "stoa/letters".to_owned();
    assert_eq!(
        point(&runtime, OWNER, "small", Some(other)),
        Err(SetAliasError::OtherModel { model })
    );
    for number in 0..32 {
        point(&runtime, OWNER, &format!("a{number}"), Some(admitted)).unwrap();
    }
    assert_eq!(
        point(&runtime, OWNER, "one-more", Some(admitted)),
        Err(SetAliasError::TooManyAliases { max: 32 })
    );
    assert_eq!(
        with(|state| get_model(state, MODEL)).unwrap().aliases.len(),
        32
    );
}

#[test]
fn should_list_the_versions_of_a_model_newest_first_over_pages() {
    let runtime = prepared();
    for semver in ["1.9.0", "1.10.0", "1.2.0", "2.0.0-rc.1", "2.0.0"] {
        begin(&runtime, version_manifest(semver)).unwrap();
    }
    let mut seen = vec![];
    let mut after = None;
    loop {
        let args = ListModelVersionsArgs {
            model: MODEL.into(),
            after,
            limit: Some(2),
        };
        let page = with(|state| list_model_versions(state, &args)).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.version);
        seen.extend(page.into_iter().map(|summary| summary.semver));
    }
    assert_eq!(seen, ["2.0.0", "2.0.0-rc.1", "1.10.0", "1.9.0", "1.2.0"]);
    assert_eq!(
        with(|state| get_model(state, "stoa/none")).err(),
        Some(GetVersionError::NotFound)
    );
}
