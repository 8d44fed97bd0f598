//! `propose admit`: what token holders are asked about models.

use stoa_client::{Accepted, Result};
use stoa_registry_api::NoteProposalArgs;

use super::neuron::neuron_id;
use crate::arguments::{Neuron, Version};
use crate::context::Context;

/// The proposal that the registry handed out at submission, as it is.
pub async fn propose(context: &Context, version: Version, neuron: &Neuron) -> Result<u64> {
    let stoa = context.open().await?;
    let governance = stoa.governance();
    let registry = stoa.registry();
    let version = registry.resolve(&version.version).await?;
    let admission = registry.admission(version).await?;
    let proposal = governance
        .propose_admission(neuron_id(&governance, &neuron.which)?, &admission)
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
    Ok(proposal)
}
