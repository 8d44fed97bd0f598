//! What a name stands for. A model's record is made from its versions whenever one of them changes, so that it cannot
//! contradict them: the default (what `publisher/name` alone means), `latest`, `stable`, the own aliases that still point to
//! something, and the one version that stands for the model in a search.

use stoa_registry_api::{
    Alias, GetModelResult, GetVersionError, ListModelVersionsArgs, ListModelVersionsResult,
    ModelInfo,
};
use stoa_types::Sha256;
use stoa_types::reference::Reference;

use crate::certification;
use crate::limits::LIST_MAX;
use crate::runtime::Runtime;
use crate::search;
use crate::state::State;
use crate::state::records::{ModelRecord, NewestAdmitted, Status, VersionRecord};
use crate::summary::summary;

pub const LATEST: &str = "latest";
pub const STABLE: &str = "stable";

/// Makes the record of `publisher/name` anew, and with it the certified names.
pub fn refresh(state: &mut State, runtime: &impl Runtime, model: &str) {
    let before = state.models.get(&model.to_owned()).unwrap_or_default();
    let mut after = before.clone();
    let versions = versions_of(state, model);
    let best = |is_candidate: &dyn Fn(&VersionRecord) -> bool| {
        versions
            .iter()
            .filter(|(_, record)| is_candidate(record))
            .max_by_key(|(_, record)| parsed(&record.semver))
    };
    let latest = best(&|record| record.status == Status::Admitted);
    let stable =
        best(&|record| record.status == Status::Admitted && parsed(&record.semver).pre.is_empty());
    let deprecated = best(&|record| record.status == Status::Deprecated);
    let default = stable.or(latest).or(deprecated);

    after.latest = latest.map(|(version, _)| *version);
    after.stable = stable.map(|(version, _)| *version);
    after.newest_admitted = default.map(|(version, record)| NewestAdmitted {
        semver: record.semver.clone(),
        version: *version,
    });
    after.aliases.retain(|alias| {
        versions
            .iter()
            .any(|(version, record)| *version == alias.version && is_usable(record.status))
    });
    after.face = match default {
        Some((_, record)) if record.document.is_some() => record.document,
        _ => versions
            .iter()
            .filter_map(|(_, record)| record.document)
            .max(),
    };
    search::move_face(state, before.face, after.face);
    certify(state, runtime, model, &before, &after);
    state.models.insert(model.to_owned(), after);
}

/// After one version is out of the tables; the last one takes the model along.
pub fn forget_one(state: &mut State, runtime: &impl Runtime, model: &str) {
    let mut record = state.models.get(&model.to_owned()).unwrap_or_default();
    record.versions = record.versions.saturating_sub(1);
    state.models.insert(model.to_owned(), record);
    refresh(state, runtime, model);
    if versions_of(state, model).is_empty() {
        state.models.remove(&model.to_owned());
    }
}

/// Whether callers may still be pointed to it.
pub fn is_usable(status: Status) -> bool {
    matches!(status, Status::Admitted | Status::Deprecated)
}

/// Every version of a model: as many as `VERSIONS_PER_MODEL_MAX` at most.
pub fn versions_of(state: &State, model: &str) -> Vec<(Sha256, VersionRecord)> {
    // '@' is followed by 'A'.
    let range = format!("{model}@")..format!("{model}A");
    state
        .references
        .range(range)
        .filter_map(|entry| {
            let version = Sha256(entry.value());
            Some((version, state.version(&version)?))
        })
        .collect()
}

fn parsed(semver: &str) -> semver::Version {
    semver::Version::parse(semver).expect("BUG: a stored version is not SemVer")
}

/// All names of a model that mean something, as they are certified.
pub fn names(model: &str, record: &ModelRecord) -> Vec<(String, Sha256)> {
    let default = record
        .newest_admitted
        .as_ref()
        .map(|newest| (model.to_owned(), newest.version));
    let latest = record.latest.map(|version| (LATEST, version));
    let stable = record.stable.map(|version| (STABLE, version));
    let own = record
        .aliases
        .iter()
        .map(|alias| (alias.alias.as_str(), alias.version));
    let with_alias = latest
        .into_iter()
        .chain(stable)
        .chain(own)
        .map(|(alias, version)| (format!("{model}@{alias}"), version));
    default.into_iter().chain(with_alias).collect()
}

pub fn certify(
    state: &mut State,
    runtime: &impl Runtime,
    model: &str,
    before: &ModelRecord,
    after: &ModelRecord,
) {
    let (before, after) = (names(model, before), names(model, after));
    for (name, _) in &before {
        if !after.iter().any(|(kept, _)| kept == name) {
            certification::set_alias(state, runtime, name, None);
        }
    }
    for (name, version) in after {
        if !before.contains(&(name.clone(), version)) {
            certification::set_alias(state, runtime, &name, Some(version));
        }
    }
}

fn model_name(text: &str) -> Result<String, GetVersionError> {
    let invalid = |reason: String| GetVersionError::InvalidReference { reason };
    let reference: Reference = text
        .parse()
        .map_err(|error: stoa_types::reference::InvalidReference| invalid(error.to_string()))?;
    if reference.version.is_some() {
        return Err(invalid("expected publisher/name without a version".into()));
    }
    Ok(reference.to_string())
}

pub fn get_model(state: &State, model: &str) -> GetModelResult {
    let model = model_name(model)?;
    let record = state.models.get(&model).ok_or(GetVersionError::NotFound)?;
    let (publisher, name) = model.split_once('/').expect("BUG: a model without a '/'");
    Ok(ModelInfo {
        publisher: publisher.to_owned(),
        name: name.to_owned(),
        price_per_call_e8s: record.price_per_call_e8s,
        versions: record.versions,
        default_version: record.newest_admitted.map(|newest| newest.version),
        latest: record.latest,
        stable: record.stable,
        aliases: record
            .aliases
            .into_iter()
            .map(|entry| Alias {
                alias: entry.alias,
                version: entry.version,
            })
            .collect(),
    })
}

/// Newest by SemVer first; a page goes on behind the version it is given, whatever came in between.
pub fn list_model_versions(state: &State, args: &ListModelVersionsArgs) -> ListModelVersionsResult {
    let model = model_name(&args.model)?;
    let mut versions = versions_of(state, &model);
    if versions.is_empty() {
        return Err(GetVersionError::NotFound);
    }
    let rank = |(version, record): &(Sha256, VersionRecord)| (parsed(&record.semver), *version);
    versions.sort_by_cached_key(|entry| std::cmp::Reverse(rank(entry)));
    let start = match args.after {
        None => 0,
        Some(after) => {
            let position = versions.iter().position(|(version, _)| *version == after);
            1 + position.ok_or(GetVersionError::NotFound)?
        }
    };
    let limit = args.limit.unwrap_or(LIST_MAX).min(LIST_MAX);
    Ok(versions
        .into_iter()
        .skip(start)
        .take(limit as usize)
        .map(|(version, record)| summary(state, version, record))
        .collect())
}
