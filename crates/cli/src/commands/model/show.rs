//! `stoa model show`: what the manifest says, which is proven, and what stands beside it, which one node says.

use serde_json::{Value, json};
use stoa_client::amount::format_tokens;
use stoa_client::model_directory::folder_cid;
use stoa_client::push::deposit_state;
use stoa_client::registry::{ProvenVersion, status_name};
use stoa_client::{Accepted, Result};
use stoa_registry_api::{LineageArgs, LineageDirection, ModelInfo, VersionDetails};
use stoa_types::manifest::{Dimension, Manifest, PipelineKind, TensorSpec};

use crate::arguments::Version;
use crate::context::Context;
use crate::output::{Output, bytes};

/// Children that are shown; the registry has them all.
const CHILDREN_MAX: u32 = 10;

pub async fn show(context: &Context, arguments: Version) -> Result<Output> {
    let stoa = context.open().await?;
    let registry = stoa.registry();
    let proven = registry.proven(&arguments.version).await?;
    let manifest = &proven.manifest;
    let details = registry
        .describe_version(proven.version)
        .await?
        .accepted()?;
    let model = registry
        .model(&format!("{}/{}", manifest.publisher, manifest.name))
        .await?
        .accepted()?;
    let children = registry
        .lineage(&LineageArgs {
            version: proven.version,
            direction: LineageDirection::Children,
            depth: Some(1),
            after: None,
            limit: Some(CHILDREN_MAX),
        })
        .await?
        .accepted()?;
    let children: Vec<String> = children
        .entries
        .iter()
        .map(|entry| {
            let name = entry.summary.as_ref().map_or_else(
                || entry.position.version.to_string(),
                |summary| format!("{}/{}@{}", summary.publisher, summary.name, summary.semver),
            );
            format!("{} ({})", name, entry.relation.name().to_lowercase())
        })
        .collect();

    let mut lines = about(&proven);
    lines.extend(beside(&details, &model, &children));
    Ok(Output::lines(
        lines,
        to_json(&proven, &details, &model, &children),
    ))
}

/// The proven part.
fn about(proven: &ProvenVersion) -> Vec<String> {
    let manifest = &proven.manifest;
    let size: u64 = manifest.files.iter().map(|file| file.size_bytes).sum();
    let mut lines = vec![
        format!(
            "{}/{}@{} is {}, as the network certifies",
            manifest.publisher,
            manifest.name,
            manifest.version,
            status_name(proven.status)
        ),
        field("version", proven.version),
        field("task", &manifest.task),
        field("licence", &manifest.license),
    ];
    for input in &manifest.signature.inputs {
        lines.push(field("input", tensor(input)));
    }
    for output in &manifest.signature.outputs {
        lines.push(field("output", tensor(output)));
    }
    lines.push(field("pipeline", kind(&manifest.pipeline.kind)));
    if !manifest.pipeline.labels.is_empty() {
        lines.push(field(
            "labels",
            format!("{}", manifest.pipeline.labels.len()),
        ));
    }
    lines.push(field(
        "files",
        format!("{}, {}", manifest.files.len(), bytes(size)),
    ));
    for file in &manifest.files {
        lines.push(field(
            "",
            format!("{} ({}) {}", file.path, bytes(file.size_bytes), file.cid),
        ));
    }
    if let Some(cid) = folder_cid(manifest) {
        lines.push(field("", format!("all as an IPFS folder: {cid}")));
    }
    lines.extend(origin(manifest));
    lines
}

fn origin(manifest: &Manifest) -> Vec<String> {
    let lineage = &manifest.lineage;
    let mut lines: Vec<String> = lineage
        .parents
        .iter()
        .map(|parent| {
            field(
                "parent",
                format!(
                    "{} ({})",
                    parent.version,
                    parent.relation.name().to_lowercase()
                ),
            )
        })
        .collect();
    if let Some(base) = &manifest.card.base_model {
        lines.push(field("base model", base));
    }
    for dataset in lineage.datasets.iter().chain(&manifest.card.datasets) {
        lines.push(field("data set", dataset));
    }
    if let Some(code) = &lineage.code_revision {
        lines.push(field("code", code));
    }
    for claim in &manifest.claims {
        lines.push(field(
            "claim",
            format!(
                "{} {} on {}, {}",
                claim.metric, claim.value, claim.dataset, claim.split
            ),
        ));
    }
    for share in &manifest.royalties {
        lines.push(field(
            "royalty",
            format!(
                "{}.{:02} % to {}",
                share.basis_points / 100,
                share.basis_points % 100,
                share.owner
            ),
        ));
    }
    lines
}

/// What one node says.
fn beside(details: &VersionDetails, model: &ModelInfo, children: &[String]) -> Vec<String> {
    let mut lines = vec![
        "beside it, as one node says".to_owned(),
        field(
            "price",
            format!(
                "{} ICP a call for the author",
                format_tokens(model.price_per_call_e8s)
            ),
        ),
        field("pushed by", details.created_by),
    ];
    if let Some(proposal) = details.proposal_id {
        lines.push(field("proposal", proposal));
    }
    if let Some(reason) = &details.reason {
        lines.push(field("reason", reason));
    }
    if let Some(successor) = &details.successor {
        lines.push(field("successor", successor));
    }
    if let Some(deposit) = &details.deposit {
        lines.push(field(
            "deposit",
            format!(
                "{} ICP, {}",
                format_tokens(deposit.amount_e8s),
                deposit_state(deposit)
            ),
        ));
    }
    for alias in &model.aliases {
        lines.push(field(
            "alias",
            format!("{} is {}", alias.alias, alias.version),
        ));
    }
    for child in children {
        lines.push(field("made from it", child));
    }
    lines
}

fn field(name: &str, value: impl std::fmt::Display) -> String {
    format!("  {name:<12} {value}")
}

fn tensor(spec: &TensorSpec) -> String {
    let shape: Vec<String> = spec
        .shape
        .iter()
        .map(|dimension| match dimension {
            Dimension::Fixed(extent) => extent.to_string(),
            Dimension::Dynamic { name, max } => format!("{name} <= {max}"),
        })
        .collect();
    format!("{} {} [{}]", spec.name, spec.datatype, shape.join(", "))
}

fn kind(kind: &PipelineKind) -> &'static str {
    match kind {
        PipelineKind::Tensors => "tensors in, tensors out",
        PipelineKind::Text(_) => "texts in, through its tokenizer",
        PipelineKind::Image(_) => "PNG and JPEG files in",
        PipelineKind::Tabular(_) => "rows of named columns in",
    }
}

fn to_json(
    proven: &ProvenVersion,
    details: &VersionDetails,
    model: &ModelInfo,
    children: &[String],
) -> Value {
    let manifest = &proven.manifest;
    let tensors = |specs: &[TensorSpec]| -> Vec<Value> {
        let json = |spec: &TensorSpec| {
            let shape: Vec<Value> = spec
                .shape
                .iter()
                .map(|dimension| match dimension {
                    Dimension::Fixed(extent) => json!(extent),
                    Dimension::Dynamic { name, max } => json!({"name": name, "max": max}),
                })
                .collect();
            json!({"name": spec.name, "datatype": spec.datatype.name(), "shape": shape})
        };
        specs.iter().map(json).collect()
    };
    let files: Vec<Value> = manifest
        .files
        .iter()
        .map(|file| {
            json!({
                "path": file.path,
                "bytes": file.size_bytes,
                "sha256": file.sha256.to_string(),
                "cid": file.cid,
            })
        })
        .collect();
    let parents: Vec<Value> = manifest
        .lineage
        .parents
        .iter()
        .map(|parent| {
            json!({"version": parent.version.to_string(), "relation": parent.relation.name().to_lowercase()})
        })
        .collect();
    let claims: Vec<Value> = manifest
        .claims
        .iter()
        .map(|claim| {
            json!({"dataset": claim.dataset, "split": claim.split, "metric": claim.metric, "value": claim.value})
        })
        .collect();
    json!({
        "proven": {
            "version": proven.version.to_string(),
            "status": status_name(proven.status),
            "publisher": manifest.publisher,
            "name": manifest.name,
            "semver": manifest.version,
            "license": manifest.license,
            "task": manifest.task,
            "files": files,
            "folder_cid": folder_cid(manifest),
            "inputs": tensors(&manifest.signature.inputs),
            "outputs": tensors(&manifest.signature.outputs),
            "labels": manifest.pipeline.labels,
            "tags": manifest.card.tags,
            "parents": parents,
            "claims": claims,
        },
        "said_by_one_node": {
            "price_per_call_e8s": model.price_per_call_e8s,
            "created_by": details.created_by.to_text(),
            "expires_at_nanos": details.expires_at_nanos,
            "proposal_id": details.proposal_id,
            "reason": details.reason,
            "successor": details.successor.map(|version| version.to_string()),
            "deposit_e8s": details.deposit.as_ref().map(|deposit| deposit.amount_e8s),
            "children": children,
        },
    })
}
