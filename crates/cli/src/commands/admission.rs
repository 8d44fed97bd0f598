//! `stoa submit` and `propose`: what token holders are asked.

use serde_json::json;
use stoa_client::{Accepted, Result};

use crate::arguments::{Propose, Version};
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

pub async fn propose(context: &Context, command: Propose) -> Result<Output> {
    let stoa = context.open().await?;
    let governance = stoa.governance();
    let proposal = match command {
        Propose::Admit { version, neuron } => {
            let registry = stoa.registry();
            let version = registry.resolve(&version.version).await?;
            let admission = registry.admission(version).await?;
            governance
                .propose_admission(governance.neuron_id(neuron.memo), &admission)
                .await?
        }
        Propose::Motion {
            title,
            text,
            neuron,
        } => {
            governance
                .propose_motion(governance.neuron_id(neuron.memo), &title, &text)
                .await?
        }
    };
    Ok(Output::new(
        format!("proposal {proposal}"),
        json!({"proposal": proposal}),
    ))
}
