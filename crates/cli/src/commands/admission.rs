//! `stoa submit` and `propose admit`: what token holders are asked about models.

use serde_json::json;
use stoa_client::{Accepted, Result};

use super::neuron::neuron_id;
use crate::arguments::{Neuron, Version};
use crate::context::Context;
use crate::output::Output;

pub async fn submit(context: &Context, arguments: Version) -> Result<Output> {
    let stoa = context.open().await?;
    let registry = stoa.registry();
    let version = registry.resolve(&arguments.version).await?;
    let admission = registry.submit(version).await?.accepted()?;
    Ok(Output::new(
        format!(
            "submitted: \"{}\"; anyone with a neuron can now `stoa propose admit {}`",
            admission.title, arguments.version
        ),
        json!({
            "version": version.to_string(),
            "function_id": admission.function_id,
            "payload": hex::encode(&admission.payload),
            "title": admission.title,
            "summary": admission.summary,
        }),
    ))
}

/// The proposal that the registry handed out at submission, as it is.
pub async fn propose(context: &Context, version: Version, neuron: &Neuron) -> Result<u64> {
    let stoa = context.open().await?;
    let governance = stoa.governance();
    let registry = stoa.registry();
    let version = registry.resolve(&version.version).await?;
    let admission = registry.admission(version).await?;
    governance
        .propose_admission(neuron_id(&governance, &neuron.which)?, &admission)
        .await
}
