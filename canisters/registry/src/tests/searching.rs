//! Search against the naive one: every version looked at, every filter asked.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use stoa_registry_api::{RevokeVersionArgs, SearchArgs, SearchError};

use super::*;
use crate::retire_version::revoke_version;
use crate::search::search;
use crate::withdraw::withdraw;

const NAMES: [&str; 4] = ["digits", "digits-tiny", "Whisper_Large.v3", "bert"];
const TASKS: [&str; 2] = ["image-classification", "speech-recognition"];
const LICENSES: [&str; 3] = ["MIT", "MIT OR Apache-2.0", "Apache-2.0"];
const TAGS: [&str; 3] = ["vision", "Small", "multi lingual"];

#[derive(Clone, Debug)]
struct Spec {
    name: usize,
    task: usize,
    license: usize,
    tags: Vec<usize>,
    /// How far it goes: draft, sealed, proposed, admitted, revoked, withdrawn.
    fate: u8,
}

fn any_spec() -> impl Strategy<Value = Spec> {
    (
        0..NAMES.len(),
        0..TASKS.len(),
        0..LICENSES.len(),
        prop::collection::btree_set(0..TAGS.len(), 0..3),
        0_u8..6,
    )
        .prop_map(|(name, task, license, tags, fate)| Spec {
            name,
            task,
            license,
            tags: tags.into_iter().collect(),
            fate,
        })
}

fn any_query() -> impl Strategy<Value = SearchArgs> {
    let texts = [
        "dig",
        "digits",
        "whisper large",
        "classif",
        "vis",
        "zzz",
        "",
        "MULTI",
    ];
    (
        prop::option::of(prop::sample::select(texts.to_vec())),
        prop::option::of(prop::sample::select(TASKS.to_vec())),
        prop::option::of(prop::sample::select(vec![
            "vision",
            "small",
            "multi lingual",
        ])),
        prop::option::of(prop::sample::select(vec![
            "MIT",
            "apache-2.0",
            "mit or apache-2.0",
        ])),
        prop::option::of(prop::sample::select(vec![
            VersionStatus::Sealed,
            VersionStatus::Proposed,
            VersionStatus::Admitted,
            VersionStatus::Revoked,
        ])),
        any::<bool>(),
        1_u32..5,
    )
        .prop_map(
            |(text, task, tag, license, status, every_version, limit)| SearchArgs {
                text: text.map(str::to_owned),
                task: task.map(str::to_owned),
                tag: tag.map(str::to_owned),
                publisher: None,
                status,
                license: license.map(str::to_owned),
                every_version: Some(every_version),
                before: None,
                limit: Some(limit),
            },
        )
}

fn make(runtime: &TestRuntime, number: usize, spec: &Spec) -> Option<Sha256> {
    let mut manifest = version_manifest(&format!("1.0.{number}"));
    manifest.name = NAMES[spec.name].to_owned();
    manifest.task = TASKS[spec.task].to_owned();
    manifest.license = LICENSES[spec.license].to_owned();
    manifest.card.tags = spec.tags.iter().map(|tag| TAGS[*tag].to_owned()).collect();
    if spec.fate == 0 {
        begin(runtime, manifest).unwrap();
        return None;
    }
    let version = seal_new(runtime, manifest);
    if spec.fate >= 2 && spec.fate < 5 {
        with_mut(|state| submit(state, runtime, principal(OWNER), version)).unwrap();
    }
    if spec.fate == 3 || spec.fate == 4 {
        admit(runtime, GOVERNANCE, version).unwrap();
    }
    if spec.fate == 4 {
        let args = RevokeVersionArgs {
            version,
            reason: "no".into(),
            delete_bytes: false,
        };
        with_mut(|state| revoke_version(state, runtime, GOVERNANCE, args)).unwrap();
    }
    if spec.fate == 5 {
        with_mut(|state| withdraw(state, runtime, principal(OWNER), version)).unwrap();
        return None;
    }
    with(State::check_invariants);
    Some(version)
}

/// Newest first, as the index has it by its numbers.
fn naive(args: &SearchArgs, made: &[Sha256]) -> Vec<Sha256> {
    let lower = |text: &str| text.to_lowercase();
    let words = |text: &str| -> BTreeSet<String> {
        lower(text)
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    // The version that stands for its model: the default one, else the newest.
    let faces: BTreeMap<String, Sha256> = with(|state| {
        made.iter()
            .map(|version| {
                let model = state.version(version).unwrap().model();
                let record = state.models.get(&model).unwrap();
                let default = record.newest_admitted.map(|newest| newest.version);
                let newest = made
                    .iter()
                    .rev()
                    .find(|other| state.version(other).unwrap().model() == model);
                (model, default.unwrap_or(*newest.unwrap()))
            })
            .collect()
    });
    let matches = |version: &Sha256| {
        with(|state| {
            let record = state.version(version).unwrap();
            let manifest = state.manifest(version);
            let mut all_words = words(&manifest.publisher);
            for text in [&manifest.name, &manifest.task]
                .into_iter()
                .chain(&manifest.card.tags)
            {
                all_words.extend(words(text));
            }
            let is = |wanted: &Option<String>, value: &str| {
                wanted
                    .as_ref()
                    .is_none_or(|wanted| lower(wanted) == lower(value))
            };
            let parts = |wanted: &String| {
                record
                    .license
                    .split(" OR ")
                    .any(|part| lower(part) == lower(wanted))
                    || lower(&record.license) == lower(wanted)
            };
            is(&args.task, &record.task)
                && args
                    .tag
                    .as_ref()
                    .is_none_or(|tag| record.tags.iter().any(|known| lower(known) == lower(tag)))
                && args.license.as_ref().is_none_or(parts)
                && args
                    .status
                    .is_none_or(|status| VersionStatus::from(record.status) == status)
                && words(args.text.as_deref().unwrap_or_default())
                    .iter()
                    .all(|word| all_words.iter().any(|known| known.starts_with(word)))
                && (args.every_version == Some(true) || faces[&record.model()] == *version)
        })
    };
    made.iter()
        .rev()
        .copied()
        .filter(|version| matches(version))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn should_find_what_a_naive_search_finds_over_any_pages(
        specs in prop::collection::vec(any_spec(), 1..14),
        queries in prop::collection::vec(any_query(), 1..6),
    ) {
        let runtime = prepared();
        with_mut(|state| state.change_parameters(|p| p.open_versions_per_caller_max = 64));
        let made: Vec<_> = specs
            .iter()
            .enumerate()
            .filter_map(|(number, spec)| make(&runtime, number, spec))
            .collect();
        for mut args in queries {
            let expected = naive(&args, &made);
            let mut found = vec![];
            loop {
                let page = with(|state| search(state, &args)).unwrap();
                prop_assert_eq!(page.matches, expected.len() as u64);
                prop_assert!(page.versions.len() <= args.limit.unwrap() as usize);
                found.extend(page.versions.iter().map(|summary| summary.version));
                args.before = page.next;
                if page.next.is_none() { break }
            }
            prop_assert_eq!(&found, &expected, "{:?}", args);
        }
    }
}

#[test]
fn should_keep_pages_apart_whatever_is_published_in_between() {
    let runtime = prepared();
    for number in 0..6 {
        seal_new(&runtime, version_manifest(&format!("1.0.{number}")));
    }
    let mut args = SearchArgs {
        every_version: Some(true),
        limit: Some(2),
        ..SearchArgs::default()
    };
    let mut seen = BTreeSet::new();
    for round in 0..3 {
        let page = with(|state| search(state, &args)).unwrap();
        for summary in page.versions {
            assert!(seen.insert(summary.semver), "a version stands on two pages");
        }
        args.before = page.next;
        seal_new(&runtime, version_manifest(&format!("2.0.{round}")));
    }
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().all(|semver| semver.starts_with("1.")));
}

#[test]
fn should_refuse_queries_beyond_their_limits() {
    let runtime = prepared();
    publish(&runtime, manifest());
    let ask = |args: SearchArgs| with(|state| search(state, &args));
    assert_eq!(
        ask(SearchArgs {
            task: Some("x".repeat(257)),
            ..SearchArgs::default()
        }),
        Err(SearchError::TooLong {
            field: "task".into(),
            given: 257,
            max: 256
        })
    );
    assert_eq!(
        ask(SearchArgs {
            text: Some("a b c d e f g h i".into()),
            ..SearchArgs::default()
        }),
        Err(SearchError::TooManyWords { given: 9, max: 8 })
    );
    let one = ask(SearchArgs {
        limit: Some(0),
        before: Some(u64::MAX),
        ..SearchArgs::default()
    });
    assert_eq!(one.unwrap().versions.len(), 1);
}
