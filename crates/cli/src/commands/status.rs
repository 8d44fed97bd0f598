//! `stoa status`: the deployment at a glance.

use serde_json::{Value, json};
use stoa_client::Result;
use stoa_client::amount::{format_cycles, format_tokens};
use stoa_client::inference::Inference;
use stoa_client::registry::status_name;
use stoa_client::shard::Shard;
use stoa_registry_api::ListVersionsArgs;

use crate::context::Context;
use crate::output::Output;

pub async fn status(context: &Context) -> Result<Output> {
    let stoa = context.open().await?;
    let mut lines = vec![format!("network         {}", stoa.connection.endpoint())];
    for (name, canister) in stoa.deployment.canisters() {
        lines.push(format!("{name:<15} {canister}"));
    }
    if let Some(page) = stoa.deployment.page() {
        lines.push(format!("the web application is at {page}"));
    }
    for shard in &stoa.deployment.shards {
        let status = Shard::new(&stoa.connection, *shard).status().await?;
        lines.push(format!(
            "shard {shard}: {} chunks, {} of {} bytes, {} cycles",
            status.chunks,
            status.used_bytes,
            status.capacity_bytes,
            format_cycles(&status.cycles)
        ));
    }
    for canister in &stoa.deployment.inference {
        let status = Inference::new(&stoa.connection, *canister).status().await?;
        lines.push(format!(
            "inference {canister}: {} models, {} receipts, {} ICP of revenue, {} top-ups, {} cycles",
            status.loaded.len(),
            status.receipts,
            format_tokens(status.revenue_e8s),
            status.top_ups.len(),
            format_cycles(&status.cycles)
        ));
    }
    let first_page = ListVersionsArgs {
        after: None,
        limit: None,
    };
    let versions = stoa.registry().list_versions(first_page).await?;
    let mut json_versions: Vec<Value> = Vec::new();
    for version in &versions {
        let name = format!("{}/{}@{}", version.publisher, version.name, version.semver);
        lines.push(format!(
            "{name} is {} ({})",
            status_name(version.status),
            version.version
        ));
        json_versions.push(json!({
            "name": name,
            "version": version.version.to_string(),
            "status": status_name(version.status),
        }));
    }
    Ok(Output::lines(
        lines,
        json!({"deployment": stoa.deployment, "page": stoa.deployment.page(), "versions": json_versions}),
    ))
}
