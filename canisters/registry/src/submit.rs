//! `submit`: the publisher asks for a vote. The answer is the proposal, ready made; asked again it is the same.

use candid::Principal;
use stoa_registry_api::{
    ADMIT_VERSION_FUNCTION_ID, AdmissionProposal, AdmitVersionArgs, SubmitError, SubmitResult,
};
use stoa_types::Sha256;

use crate::rendering;
use crate::runtime::Runtime;
use crate::state::records::Status;
use crate::state::{Decision, State};

pub fn submit(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    version: Sha256,
) -> SubmitResult {
    if caller == Principal::anonymous() {
        return Err(SubmitError::AnonymousCaller);
    }
    let record = state
        .version(&version)
        .ok_or(SubmitError::NotFound { version })?;
    if !state.is_publisher(&record.publisher, caller) {
        let publisher = record.publisher;
        return Err(SubmitError::NotPublisher { publisher });
    }
    let title = format!("Admit {}", record.reference());
    match record.status {
        Status::Sealed => {
            check_parents(state, version)?;
            let decision = Decision::default();
            state.set_status(runtime, caller, version, record, Status::Proposed, decision);
        }
        // A proposal that was never made, or whose execution failed, may be made again.
        Status::Proposed => {}
        other => {
            let status = other.into();
            return Err(SubmitError::WrongStatus { status });
        }
    }
    Ok(AdmissionProposal {
        function_id: ADMIT_VERSION_FUNCTION_ID,
        payload: candid::encode_one(AdmitVersionArgs { version })
            .expect("BUG: a payload does not encode"),
        title,
        summary: rendering::admission(state, &version),
    })
}

/// A version that may still go would leave its children without a parent.
fn check_parents(state: &State, version: Sha256) -> Result<(), SubmitError> {
    for parent in state.manifest(&version).lineage.parents {
        let parent = parent.version;
        let stays = |status| {
            matches!(
                status,
                Status::Admitted | Status::Deprecated | Status::Revoked
            )
        };
        if !state
            .version(&parent)
            .is_some_and(|record| stays(record.status))
        {
            return Err(SubmitError::ParentNotAdmitted { parent });
        }
    }
    Ok(())
}
