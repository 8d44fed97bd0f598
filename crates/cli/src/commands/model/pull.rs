//! `stoa model pull`.

use std::path::PathBuf;

use serde_json::json;
use stoa_client::pull::Source;
use stoa_client::registry::{ProvenVersion, status_name};
use stoa_client::{ClientError, Result};
use stoa_registry_api::VersionStatus;

use crate::arguments::model::Pull;
use crate::context::Context;
use crate::output::{Output, bytes};
use crate::progress;

pub async fn pull(context: &Context, arguments: Pull) -> Result<Output> {
    let stoa = context.open().await?;
    let registry = stoa.registry();
    let proven = registry.proven(&arguments.version.version).await?;
    if matches!(
        proven.status,
        VersionStatus::Revoked | VersionStatus::Rejected
    ) && !arguments.even_revoked
    {
        return Err(ClientError::Refused(format!(
            "{} is {}: token holders do not want it used. Pull it all the same with --even-revoked",
            proven.version,
            status_name(proven.status)
        )));
    }
    let folder = arguments.folder.unwrap_or_else(|| default_folder(&proven));
    let source = Source::of(&stoa.connection, &registry, &proven).await?;
    let bar = progress::bytes("pulling", source.size_bytes());
    let saved = source.save(&folder, |bytes| bar.inc(bytes)).await?;
    bar.finish_and_clear();
    let files = source.manifest().files.len();
    let mut lines = vec![
        format!(
            "{} is {}, as the network certifies",
            proven.version,
            status_name(proven.status)
        ),
        format!(
            "{files} files, {}, all as it names them, in {} ({} fetched, {} there already)",
            bytes(source.size_bytes()),
            folder.display(),
            bytes(saved.fetched_bytes),
            bytes(saved.present_bytes),
        ),
    ];
    if proven.status != VersionStatus::Admitted {
        lines.push("token holders have not admitted it".to_owned());
    }
    if proven.status == VersionStatus::Deprecated {
        lines.pop();
        lines.push("it is deprecated: `stoa model show` names its successor".to_owned());
    }
    Ok(Output::lines(
        lines,
        json!({
            "version": proven.version.to_string(),
            "status": status_name(proven.status),
            "folder": folder,
            "files": files,
            "bytes": source.size_bytes(),
            "fetched_bytes": saved.fetched_bytes,
        }),
    ))
}

fn default_folder(proven: &ProvenVersion) -> PathBuf {
    let manifest = &proven.manifest;
    PathBuf::from(format!("{}-{}", manifest.name, manifest.version))
}
