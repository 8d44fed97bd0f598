//! `stoa receipt verify` and `stoa verify`: nothing here believes a server.

use serde_json::json;
use stoa_client::inference::Inference;
use stoa_client::pull::Source;
use stoa_client::registry::status_name;
use stoa_client::sample::parse_inputs;
use stoa_client::verify::{LocalModel, verify_bytes};
use stoa_client::{ClientError, Result};
use stoa_registry_api::VersionStatus;

use crate::arguments::{Receipt, Verify};
use crate::context::Context;
use crate::output::Output;
use crate::progress;

pub async fn receipt(context: &Context, command: Receipt) -> Result<Output> {
    let Receipt::Verify { id, inference } = command;
    let stoa = context.open().await?;
    let inference = stoa.inference(inference)?;
    let id = receipt_id(&inference, &id).await?;
    let receipt = inference.proven_receipt(id).await?;
    Ok(Output::new(
        format!(
            "receipt {id} of {} is in the log that the network certifies ({})",
            inference.canister(),
            receipt.hash
        ),
        json!({"id": id, "hash": receipt.hash.to_string(), "version": receipt.version.to_string()}),
    ))
}

pub async fn verify(context: &Context, arguments: Verify) -> Result<Output> {
    let stoa = context.open().await?;
    let registry = stoa.registry();
    let version = registry.resolve(&arguments.on.version.version).await?;
    let proven = registry.proven_version(version).await?;
    let source = Source::new(&stoa.connection, registry.placement(version).await?)?;
    let bar = progress::bytes("verifying", source.size_bytes());
    let (verified, onnx) = verify_bytes(&source, |bytes| bar.inc(bytes)).await?;
    bar.finish_and_clear();
    let mut lines = vec![
        format!(
            "{version} is {}, as the network certifies",
            status_name(proven.status)
        ),
        format!(
            "{} files, {} bytes: every chunk, file hash and CID is what the manifest says",
            verified.files, verified.bytes
        ),
    ];
    if let (Some(id), Some(input)) = (&arguments.receipt, &arguments.input) {
        let inference = stoa.inference(arguments.on.inference)?;
        let id = receipt_id(&inference, id).await?;
        let receipt = inference.proven_receipt(id).await?;
        let text = std::fs::read_to_string(input).map_err(|source| ClientError::File {
            path: input.clone(),
            source,
        })?;
        LocalModel::load(&proven.manifest, onnx)?.verify_run(&receipt, parse_inputs(&text)?)?;
        lines.push(format!(
            "receipt {id} is in the certified log, and the same call on this machine gives the same output, bit for bit"
        ));
    }
    Ok(Output::lines(
        lines,
        json!({
            "version": version.to_string(),
            "admitted": proven.status == VersionStatus::Admitted,
            "files": verified.files,
            "bytes": verified.bytes,
            "receipt": arguments.receipt,
        }),
    ))
}

async fn receipt_id(inference: &Inference, text: &str) -> Result<u64> {
    if text == "latest" {
        let count = inference.status().await?.receipts;
        return count
            .checked_sub(1)
            .ok_or_else(|| ClientError::Failed("there is no receipt yet".to_owned()));
    }
    text.parse().map_err(|_| {
        ClientError::InvalidArgument(format!(
            "\"{text}\" is no receipt: give its number, or latest"
        ))
    })
}
