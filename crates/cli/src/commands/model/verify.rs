//! `stoa model verify`: nothing here believes a server.

use serde_json::json;
use stoa_client::Result;
use stoa_client::pull::Source;
use stoa_client::registry::status_name;
use stoa_client::verify::{LocalModel, VerifiedBytes, run_files_in, verify_bytes, verify_folder};
use stoa_registry_api::VersionStatus;

use crate::arguments::model::Verify;
use crate::commands::verify::receipt_id;
use crate::context::Context;
use crate::output::{Output, bytes};
use crate::progress;

pub async fn verify(context: &Context, arguments: Verify) -> Result<Output> {
    let stoa = context.open().await?;
    let registry = stoa.registry();
    let proven = registry.proven(&arguments.on.version.version).await?;
    let (VerifiedBytes { files, bytes: size }, run_files) = match &arguments.folder {
        Some(folder) => (
            verify_folder(&proven.manifest, folder)?,
            run_files_in(&proven.manifest, folder)?,
        ),
        None => {
            let source = Source::of(&stoa.connection, &registry, &proven).await?;
            let bar = progress::bytes("verifying", source.size_bytes());
            let verified = verify_bytes(&source, |bytes| bar.inc(bytes)).await?;
            bar.finish_and_clear();
            verified
        }
    };
    let mut lines = vec![
        format!(
            "{} is {}, as the network certifies",
            proven.version,
            status_name(proven.status)
        ),
        format!(
            "{files} files, {}: every chunk, file hash and CID is what the manifest says",
            bytes(size)
        ),
    ];
    if let Some(id) = &arguments.receipt {
        let inference = stoa
            .inference_for(arguments.on.inference, proven.version)
            .await?;
        let id = receipt_id(&inference, id).await?;
        let receipt = inference.proven_receipt(id).await?;
        let input = arguments.inline.or(arguments.input.as_deref())?;
        LocalModel::load(&proven.manifest, run_files)?.verify_run(&receipt, input)?;
        lines.push(format!(
            "receipt {id} is in the certified log, and the same call on this machine gives the same output, bit for bit"
        ));
    }
    Ok(Output::lines(
        lines,
        json!({
            "version": proven.version.to_string(),
            "status": status_name(proven.status),
            "admitted": proven.status == VersionStatus::Admitted,
            "files": files,
            "bytes": size,
            "receipt": arguments.receipt,
        }),
    ))
}
