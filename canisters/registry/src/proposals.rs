//! What becomes of an admission proposal. An adopted one calls `admit_version`; a rejected one calls nobody, so the registry
//! asks: whoever proposed says the proposal's id (`note_proposal`), the registry sees for itself that governance has it and
//! that it is about this version, and looks again until it is decided. The interface is that of the SNS: `get_proposal`.

use std::cell::Cell;
use std::time::Duration;

use candid::{CandidType, Principal};
use serde::Deserialize;
use stoa_registry_api::{
    ADMIT_VERSION_FUNCTION_ID, AdmitVersionArgs, NoteProposalArgs, NoteProposalError,
    NoteProposalResult, VersionStatus,
};
use stoa_types::Sha256;

use crate::guard::VersionGuard;
use crate::runtime::{self, Runtime, Task};
use crate::state::records::{Status, VersionRecord};
use crate::state::{Decision, State, with, with_mut};

/// Proposals that one run looks at, each with one call.
const PER_RUN: usize = 20;
const LOOK_AGAIN: Duration = Duration::from_secs(900);

#[derive(CandidType)]
struct GetProposal {
    proposal_id: Option<ProposalId>,
}

#[derive(CandidType, Deserialize, Clone, Copy)]
struct ProposalId {
    id: u64,
}

#[derive(CandidType, Deserialize)]
struct GetProposalResponse {
    result: Option<ProposalResult>,
}

#[derive(CandidType, Deserialize)]
enum ProposalResult {
    Error(GovernanceError),
    Proposal(Box<ProposalData>),
}

#[derive(CandidType, Deserialize)]
struct GovernanceError {
    error_message: String,
}

/// The part of the SNS's record that tells what it is about and how it ended.
#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct ProposalData {
    pub proposal: Option<Proposal>,
    pub decided_timestamp_seconds: u64,
    pub executed_timestamp_seconds: u64,
    pub failed_timestamp_seconds: u64,
    pub latest_tally: Option<Tally>,
    pub minimum_yes_proportion_of_total: Option<Percentage>,
    pub minimum_yes_proportion_of_exercised: Option<Percentage>,
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct Proposal {
    /// Absent where it is an action that the registry does not know.
    pub action: Option<Action>,
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum Action {
    ExecuteGenericNervousSystemFunction(ExecuteFunction),
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct ExecuteFunction {
    pub function_id: u64,
    #[serde(with = "serde_bytes")]
    pub payload: Vec<u8>,
}

#[derive(CandidType, Deserialize, Clone, Copy, Debug)]
pub struct Tally {
    pub yes: u64,
    pub no: u64,
    pub total: u64,
}

#[derive(CandidType, Deserialize, Clone, Copy, Debug)]
pub struct Percentage {
    pub basis_points: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Open,
    /// Executed, or about to be.
    Adopted,
    /// Adopted, but its execution failed: another proposal may be made.
    Failed,
    Rejected,
}

impl ProposalData {
    fn is_about(&self, version: Sha256) -> Result<(), String> {
        let action = self
            .proposal
            .as_ref()
            .and_then(|proposal| proposal.action.as_ref());
        let Some(Action::ExecuteGenericNervousSystemFunction(call)) = action else {
            return Err("it calls no function of a canister".to_owned());
        };
        if call.function_id != ADMIT_VERSION_FUNCTION_ID {
            let function = call.function_id;
            return Err(format!("it calls the function {function}"));
        }
        match candid::decode_one::<AdmitVersionArgs>(&call.payload) {
            Ok(args) if args.version == version => Ok(()),
            Ok(args) => Err(format!("it is about the version {}", args.version)),
            Err(_) => Err("its payload names no version".to_owned()),
        }
    }

    fn outcome(&self) -> Outcome {
        if self.decided_timestamp_seconds == 0 {
            Outcome::Open
        } else if self.executed_timestamp_seconds > 0 {
            Outcome::Adopted
        } else if self.failed_timestamp_seconds > 0 {
            Outcome::Failed
        } else if self.is_yes() {
            Outcome::Adopted
        } else {
            Outcome::Rejected
        }
    }

    /// The SNS's rule once a proposal is decided: enough of the votes cast, and of all votes.
    fn is_yes(&self) -> bool {
        let basis_points = |share: Option<Percentage>, otherwise: u64| {
            let given = share.and_then(|share| share.basis_points);
            u128::from(given.unwrap_or(otherwise))
        };
        let of_exercised = basis_points(self.minimum_yes_proportion_of_exercised, 5_000);
        let of_total = basis_points(self.minimum_yes_proportion_of_total, 0);
        self.latest_tally.is_some_and(|tally| {
            let (yes, no) = (u128::from(tally.yes), u128::from(tally.no));
            yes * 10_000 > (yes + no) * of_exercised
                && yes * 10_000 >= u128::from(tally.total) * of_total
        })
    }
}

enum Lookup {
    Found(Box<ProposalData>),
    /// Governance says that there is none.
    Missing(String),
    Failed(String),
}

async fn look_up(runtime: &impl Runtime, id: u64) -> Lookup {
    let governance = with(State::governance);
    let args = GetProposal {
        proposal_id: Some(ProposalId { id }),
    };
    let answer: Result<GetProposalResponse, _> =
        runtime::call(runtime, governance, "get_proposal", (args,)).await;
    match answer {
        Ok(GetProposalResponse {
            result: Some(ProposalResult::Proposal(data)),
        }) => Lookup::Found(data),
        Ok(GetProposalResponse {
            result: Some(ProposalResult::Error(error)),
        }) => Lookup::Missing(error.error_message),
        Ok(GetProposalResponse { result: None }) => Lookup::Missing("no answer".to_owned()),
        Err(failure) => Lookup::Failed(failure.message),
    }
}

pub async fn note_proposal(
    runtime: &impl Runtime,
    caller: Principal,
    args: NoteProposalArgs,
) -> NoteProposalResult {
    let NoteProposalArgs {
        version,
        proposal_id,
    } = args;
    if caller == Principal::anonymous() {
        return Err(NoteProposalError::AnonymousCaller);
    }
    with(|state| check(state, version))?;
    let guard = VersionGuard::lock(version).ok_or(NoteProposalError::Busy)?;
    let data = match look_up(runtime, proposal_id).await {
        Lookup::Found(data) => data,
        Lookup::Missing(reason) => return Err(NoteProposalError::OtherProposal { reason }),
        Lookup::Failed(message) => return Err(NoteProposalError::GovernanceFailed { message }),
    };
    data.is_about(version)
        .map_err(|reason| NoteProposalError::OtherProposal { reason })?;
    let status = with_mut(|state| {
        // The vote may have ended during the call.
        let record = check(state, version)?;
        if is_free(state, version, proposal_id) {
            note(state, runtime, version, record, proposal_id);
            apply(state, runtime, version, proposal_id, data.outcome());
        }
        let record = state
            .version(&version)
            .ok_or(NoteProposalError::NotFound { version })?;
        Ok(VersionStatus::from(record.status))
    });
    drop(guard);
    status
}

fn check(state: &State, version: Sha256) -> Result<VersionRecord, NoteProposalError> {
    let record = state
        .version(&version)
        .ok_or(NoteProposalError::NotFound { version })?;
    if record.status != Status::Proposed {
        let status = record.status.into();
        return Err(NoteProposalError::WrongStatus { status });
    }
    Ok(record)
}

/// One that is watched stays until it is decided: nobody may put another in front of it.
fn is_free(state: &State, version: Sha256, proposal_id: u64) -> bool {
    let watched = state.watched.get(&version.0);
    watched.is_none_or(|watched| watched == proposal_id)
}

fn note(
    state: &mut State,
    runtime: &impl Runtime,
    version: Sha256,
    mut record: VersionRecord,
    proposal_id: u64,
) {
    record.proposal_id = Some(proposal_id);
    state.versions.insert(version.0, record);
    state.watched.insert(version.0, proposal_id);
    runtime.schedule(LOOK_AGAIN, Task::Proposals);
}

/// The version is proposed, and this proposal is the one that is watched.
fn apply(
    state: &mut State,
    runtime: &impl Runtime,
    version: Sha256,
    proposal_id: u64,
    outcome: Outcome,
) {
    match outcome {
        Outcome::Open | Outcome::Adopted => {}
        Outcome::Failed => {
            state.watched.remove(&version.0);
        }
        Outcome::Rejected => {
            let record = state.version(&version);
            let record = record.expect("BUG: a proposed version is gone");
            let decision = Decision {
                reason: Some(format!("proposal {proposal_id} was rejected")),
                successor: None,
            };
            let actor = state.governance();
            state.set_status(runtime, actor, version, record, Status::Rejected, decision);
        }
    }
}

thread_local! {
    /// Where the last run ended: votes take days, and all are looked at in turn.
    static UNSTABLE_NEXT: Cell<[u8; 32]> = const { Cell::new([0; 32]) };
}

/// Looks at the proposals that are watched, a page at a time.
pub async fn run(runtime: &impl Runtime) {
    let page: Vec<_> = with(|state| {
        let entries = state.watched.range(UNSTABLE_NEXT.get()..).take(PER_RUN);
        entries.map(|entry| entry.into_pair()).collect()
    });
    let is_more = page.len() == PER_RUN;
    UNSTABLE_NEXT.set(match page.last() {
        Some((last, _)) if is_more => *last,
        _ => [0; 32],
    });
    for (digest, proposal_id) in page {
        let version = Sha256(digest);
        let Some(guard) = VersionGuard::lock(version) else {
            continue;
        };
        let outcome = match look_up(runtime, proposal_id).await {
            Lookup::Found(data) => data.outcome(),
            // Governance no longer has it, so that it was decided long ago; the deadline does the rest.
            Lookup::Missing(_) => Outcome::Failed,
            Lookup::Failed(_) => Outcome::Open,
        };
        with_mut(|state| {
            // Unless it was decided or noted anew during the call.
            if state.watched.get(&digest) == Some(proposal_id) {
                apply(state, runtime, version, proposal_id, outcome);
            }
        });
        drop(guard);
    }
    if is_more {
        runtime.schedule(Duration::ZERO, Task::Proposals);
    } else if !with(|state| state.watched.is_empty()) {
        runtime.schedule(LOOK_AGAIN, Task::Proposals);
    }
}
