//! `stoa propose`: what token holders are asked.

use serde_json::json;
use stoa_client::{Accepted, Result};
use stoa_registry_api::NoteProposalArgs;

use crate::arguments::Propose;
use crate::context::Context;
use crate::output::Output;

pub async fn propose(context: &Context, command: Propose) -> Result<Output> {
    let stoa = context.open().await?;
    let governance = stoa.governance();
    let proposal = match command {
        Propose::Admit { version, neuron } => {
            let registry = stoa.registry();
            let version = registry.resolve(&version.version).await?;
            let admission = registry.admission(version).await?;
            let proposal = governance
                .propose_admission(governance.neuron_id(neuron.memo), &admission)
                .await?;
            // So that the registry learns of a rejection. Anyone can tell it again; the proposal stands in any case.
            let noted = registry
                .note_proposal(NoteProposalArgs {
                    version,
                    proposal_id: proposal,
                })
                .await;
            if let Err(reason) = noted.and_then(Accepted::accepted) {
                eprintln!("the registry could not be told of proposal {proposal}: {reason}");
            }
            proposal
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
