//! `stoa model list` and `search`. Lists are what one node says: pull and verify prove.

use serde_json::{Value, json};
use stoa_client::registry::{Registry, status_name};
use stoa_client::{Accepted, Result};
use stoa_registry_api::{ListModelVersionsArgs, SearchArgs, VersionSummary};

use crate::arguments::model::{Filter, List, Search};
use crate::context::Context;
use crate::output::{Output, bytes, columns};

/// What the registry answers at most at once.
const PAGE_MAX: u32 = 100;

pub async fn list(context: &Context, arguments: List) -> Result<Output> {
    let stoa = context.open().await?;
    let registry = stoa.registry();
    if let Some(model) = &arguments.model {
        let versions = versions_of(&registry, model, arguments.filter.limit).await?;
        return Ok(listing(&versions, None, versions.len() as u64));
    }
    if arguments.mine {
        let mine = stoa.connection.principal();
        let versions = registry.list_open_versions(mine).await?;
        return Ok(listing(&versions, None, versions.len() as u64));
    }
    found(&registry, None, arguments.filter).await
}

pub async fn search(context: &Context, arguments: Search) -> Result<Output> {
    let stoa = context.open().await?;
    let text = arguments.words.join(" ");
    found(&stoa.registry(), Some(text), arguments.filter).await
}

async fn versions_of(registry: &Registry, model: &str, limit: u32) -> Result<Vec<VersionSummary>> {
    let mut versions: Vec<VersionSummary> = Vec::new();
    loop {
        let missing = limit.saturating_sub(u32::try_from(versions.len()).unwrap_or(u32::MAX));
        let limit = missing.min(PAGE_MAX);
        if limit == 0 {
            return Ok(versions);
        }
        let page = registry
            .list_model_versions(&ListModelVersionsArgs {
                model: model.to_owned(),
                after: versions.last().map(|last| last.version),
                limit: Some(limit),
            })
            .await?
            .accepted()?;
        let is_last = page.len() < limit as usize;
        versions.extend(page);
        if is_last {
            return Ok(versions);
        }
    }
}

async fn found(registry: &Registry, text: Option<String>, filter: Filter) -> Result<Output> {
    let mut args = SearchArgs {
        text,
        task: filter.task,
        tag: filter.tag,
        publisher: filter.publisher,
        status: filter.status.map(Into::into),
        license: filter.license,
        every_version: filter.every_version.then_some(true),
        before: filter.before,
        limit: None,
    };
    let mut versions: Vec<VersionSummary> = Vec::new();
    loop {
        let missing = filter
            .limit
            .saturating_sub(u32::try_from(versions.len()).unwrap_or(u32::MAX));
        args.limit = Some(missing.clamp(1, PAGE_MAX));
        let page = registry.search(&args).await?.accepted()?;
        versions.extend(page.versions);
        if page.next.is_none() || versions.len() >= filter.limit as usize {
            return Ok(listing(&versions, page.next, page.matches));
        }
        args.before = page.next;
    }
}

fn listing(versions: &[VersionSummary], next: Option<u64>, matches: u64) -> Output {
    let rows: Vec<Vec<String>> = versions
        .iter()
        .map(|version| {
            vec![
                name(version),
                status_name(version.status).to_owned(),
                version.task.clone(),
                version.license.clone(),
                bytes(version.size_bytes),
            ]
        })
        .collect();
    let mut lines = columns(&["NAME", "STATUS", "TASK", "LICENCE", "SIZE"], &rows);
    if versions.is_empty() {
        lines = vec!["nothing".to_owned()];
    }
    if let Some(next) = next {
        lines.push(format!(
            "{} of {matches}; more with --before {next}",
            versions.len()
        ));
    }
    let summaries: Vec<Value> = versions.iter().map(summary).collect();
    Output::lines(
        lines,
        json!({"versions": summaries, "matches": matches, "next": next}),
    )
}

fn name(version: &VersionSummary) -> String {
    format!("{}/{}@{}", version.publisher, version.name, version.semver)
}

fn summary(version: &VersionSummary) -> Value {
    json!({
        "name": name(version),
        "version": version.version.to_string(),
        "status": status_name(version.status),
        "task": version.task,
        "license": version.license,
        "tags": version.tags,
        "bytes": version.size_bytes,
        "price_per_call_e8s": version.price_per_call_e8s,
        "created_at_nanos": version.created_at_nanos,
    })
}
