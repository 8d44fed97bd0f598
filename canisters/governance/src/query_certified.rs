//! `get_proposal_certified`: a proposal with the proof of its tally, its state and its
//! content, for those who trust only the root key. Not a method of the SNS.

use stoa_governance_api::{
    CertifiedProposal, GetProposal, GetProposalCertifiedResult, GetProposalResult,
};

use crate::memory::with_state;
use crate::query_proposals;
use crate::refusal::Refusal;
use crate::runtime;

pub fn get_proposal_certified(request: GetProposal) -> GetProposalCertifiedResult {
    let Some(certificate) = runtime::certificate() else {
        return Err(Refusal::NoCertificate.into());
    };
    let id = request.proposal_id.map_or(0, |id| id.id);
    let proposal = match query_proposals::get_proposal(request).result {
        Some(GetProposalResult::Proposal(proposal)) => proposal,
        Some(GetProposalResult::Error(error)) => return Err(error),
        None => return Err(Refusal::ProposalNotFound { proposal: id }.into()),
    };
    let witness = with_state(|state| state.witness(id))?;
    Ok(CertifiedProposal {
        proposal,
        certificate,
        witness,
    })
}
