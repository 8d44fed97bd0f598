//! `get_proposal` and `list_proposals`. Ballots are shown of the caller's own neurons
//! only: all of them would not fit an answer.

use candid::Principal;
use stoa_governance_api::code::{ProposalDecisionStatus, ProposalRewardStatus};
use stoa_governance_api::{
    Action as WireAction, Ballot, GetProposal, GetProposalResponse, GetProposalResult,
    ListProposals, ListProposalsResponse, Percentage, Proposal, ProposalData, ProposalId, Tally,
    TopicSelector, WaitForQuietState,
};

use crate::cbor::Cbor;
use crate::memory::{State, with_state};
use crate::neuron::{Neuron, NeuronKey};
use crate::neurons::NEURONS_IN_ANSWER_MAX;
use crate::planes::Filter;
use crate::proposal::{Progress, Terms};
use crate::reading::Reading;
use crate::refusal::Refusal;
use crate::runtime;
use crate::topic::Topic;

/// The SNS's number.
const PROPOSALS_IN_ANSWER_MAX: usize = 100;
/// A listing stops after this much text, so that the worst answer fits 2 MiB with
/// room for one more proposal (30 + 30 + 10 kB) and the ballots.
const ANSWER_TEXT_BYTES_MAX: usize = 1_500_000;
/// As in the SNS, longer payloads are left out of listings; so are logos.
const PAYLOAD_IN_LISTING_BYTES_MAX: usize = 1_000;
/// Looking at one costs some 5,000 instructions, of 5 billion that a query has. Only
/// what has no bits (`planes`) is found by looking: action ids.
const PROPOSALS_LOOKED_AT_MAX: usize = 200_000;
/// Ballots looked up for one answer, whatever it shows: some 0.1 M instructions each of proposals from before they lay by neuron (`ballots`).
const BALLOTS_IN_ANSWER_MAX: usize = 1_000;

pub fn get_proposal(request: GetProposal) -> GetProposalResponse {
    let caller = runtime::caller();
    let found = request
        .proposal_id
        .ok_or(Refusal::MissingField {
            field: "proposal_id",
        })
        .and_then(|id| {
            with_state(|state| {
                let own = own_neurons(state, caller, NEURONS_IN_ANSWER_MAX);
                wire(&mut Reading::of(state), id.id, &own)
            })
        });
    GetProposalResponse {
        result: Some(match found {
            Ok(proposal) => GetProposalResult::Proposal(proposal),
            Err(refusal) => GetProposalResult::Error(refusal.into()),
        }),
    }
}

/// Newest first, below `before_proposal`.
pub fn list_proposals(request: ListProposals) -> ListProposalsResponse {
    let caller = runtime::caller();
    let now = runtime::now_seconds();
    let limit = match request.limit as usize {
        0 => PROPOSALS_IN_ANSWER_MAX,
        given => given.min(PROPOSALS_IN_ANSWER_MAX),
    };
    with_state(|state| {
        let own_max = (BALLOTS_IN_ANSWER_MAX / limit).clamp(1, NEURONS_IN_ANSWER_MAX);
        let own = own_neurons(state, caller, own_max);
        let newest = match request.before_proposal {
            Some(before) => before.id.saturating_sub(1).min(state.newest_proposal()),
            None => state.newest_proposal(),
        };
        let filter = filter(&request);
        let mut reading = Reading::of(state);
        let mut proposals = Vec::new();
        let mut text_bytes = 0;
        for id in state
            .matching(&filter, newest)
            .take(PROPOSALS_LOOKED_AT_MAX)
        {
            if !is_wanted(state, &request, id, now) {
                continue;
            }
            let mut proposal =
                wire(&mut reading, id, &own).expect("BUG: a proposal has progress and no content");
            shorten(&mut proposal);
            text_bytes += text_length(&proposal);
            proposals.push(proposal);
            if proposals.len() == limit || text_bytes > ANSWER_TEXT_BYTES_MAX {
                break;
            }
        }
        ListProposalsResponse {
            include_ballots_by_caller: Some(true),
            include_topic_filtering: Some(true),
            proposals,
        }
    })
}

/// What the bits can tell of the request.
fn filter(request: &ListProposals) -> Filter {
    let mut filter = Filter::default();
    for number in &request.include_status {
        if let Ok(status) = ProposalDecisionStatus::try_from(*number) {
            filter.include_status(status);
        }
    }
    for selector in request.include_topics.iter().flatten() {
        filter.include_topic(selector.topic.map(Into::into));
    }
    for number in &request.include_reward_status {
        if let Ok(status) = ProposalRewardStatus::try_from(*number) {
            filter.include_reward_status(status);
            // Its deadline may have passed since the bits were set.
            if status == ProposalRewardStatus::ReadyToSettle {
                filter.include_reward_status(ProposalRewardStatus::AcceptVotes);
            }
        }
    }
    filter
}

/// Exactly; numbers that mean nothing match nothing.
fn is_wanted(state: &State, request: &ListProposals, id: u64, now: u64) -> bool {
    if request.exclude_type.is_empty()
        && request.include_reward_status.is_empty()
        && request.include_status.is_empty()
        && request.include_topics.as_ref().is_none_or(Vec::is_empty)
    {
        return true;
    }
    let progress = state
        .progress_of(id)
        .expect("BUG: a proposal has bits and no progress");
    let topics = request.include_topics.as_deref().unwrap_or_default();
    let includes = |numbers: &[i32], number: i32| numbers.is_empty() || numbers.contains(&number);
    !request.exclude_type.contains(&progress.action_id)
        && includes(&request.include_status, progress.status().number())
        && includes(
            &request.include_reward_status,
            reward_status(state, id, &progress, now).number(),
        )
        && (topics.is_empty()
            || topics.contains(&TopicSelector {
                topic: progress.topic.map(Into::into),
            }))
}

/// Where votes are over and the timer has not come to it yet, it is ready to settle.
fn reward_status(state: &State, id: u64, progress: &Progress, now: u64) -> ProposalRewardStatus {
    match state.indexed_reward_status(id) {
        ProposalRewardStatus::AcceptVotes if !progress.accepts_votes(now) => {
            ProposalRewardStatus::ReadyToSettle
        }
        indexed => indexed,
    }
}

fn own_neurons(state: &State, caller: Principal, at_most: usize) -> Vec<(NeuronKey, Neuron)> {
    state
        .neurons_of(&caller, None, at_most)
        .into_iter()
        .filter_map(|key| Some((key, state.neuron(&key).ok()?)))
        .collect()
}

/// The ballots that were cast, and the empty ones that still can be.
fn ballots(
    reading: &mut Reading,
    id: u64,
    terms: &Terms,
    own: &[(NeuronKey, Neuron)],
) -> Vec<(String, Ballot)> {
    let open = reading.accepts_votes(id);
    let mut ballots: Vec<_> = own
        .iter()
        .rev()
        .filter_map(|(key, neuron)| {
            let ballot = match reading.ballot(id, *key) {
                Some(cast) => Ballot {
                    vote: cast.vote.number(),
                    cast_timestamp_seconds: cast.at_seconds,
                    voting_power: cast.voting_power,
                },
                None if open => Ballot {
                    vote: 0,
                    cast_timestamp_seconds: 0,
                    voting_power: reading
                        .state
                        .voting_state_for(key, neuron, id)?
                        .voting_power(terms.created_at_seconds, &terms.power_rules),
                },
                None => return None,
            };
            (ballot.voting_power > 0).then(|| (hex::encode(key), ballot))
        })
        .collect();
    ballots.reverse();
    ballots
}

fn percentage(basis_points: u64) -> Option<Percentage> {
    Some(Percentage {
        basis_points: Some(basis_points),
    })
}

fn wire(
    reading: &mut Reading,
    id: u64,
    own: &[(NeuronKey, Neuron)],
) -> Result<ProposalData, Refusal> {
    let state = reading.state;
    let progress = state.progress_of(id)?;
    let content = reading.content(id)?;
    let terms = reading.terms(id)?;
    let ballots = ballots(reading, id, &terms, own);
    let failed = progress.status() == ProposalDecisionStatus::Failed;
    let failure = failed.then(|| state.failures.get(&id)).flatten();
    Ok(ProposalData {
        id: Some(ProposalId { id }),
        payload_text_rendering: Some(content.rendering),
        action: progress.action_id,
        failure_reason: failure.map(|Cbor(failure)| stoa_governance_api::GovernanceError {
            error_type: failure.error_type,
            error_message: failure.message,
        }),
        ballots,
        minimum_yes_proportion_of_total: percentage(terms.thresholds.yes_of_total),
        reward_event_round: reading.reward_round(id).unwrap_or(0),
        failed_timestamp_seconds: progress.failed_at_seconds,
        reward_event_end_timestamp_seconds: None,
        proposal_creation_timestamp_seconds: terms.created_at_seconds,
        initial_voting_period_seconds: terms.initial_voting_period_seconds,
        reject_cost_e8s: terms.reject_cost_e8s,
        latest_tally: Some(Tally {
            no: progress.no,
            yes: progress.yes,
            total: progress.total,
            timestamp_seconds: progress.tallied_at_seconds,
        }),
        wait_for_quiet_deadline_increase_seconds: terms.wait_for_quiet_deadline_increase_seconds,
        decided_timestamp_seconds: progress.decided_at_seconds,
        proposal: Some(Proposal {
            url: content.url,
            title: content.title,
            action: Some(content.action.into()),
            summary: content.summary,
        }),
        proposer: Some(terms.proposer.into()),
        wait_for_quiet_state: Some(WaitForQuietState {
            current_deadline_timestamp_seconds: progress.deadline_seconds,
        }),
        minimum_yes_proportion_of_exercised: percentage(terms.thresholds.yes_of_exercised),
        is_eligible_for_rewards: terms.is_eligible_for_rewards.0,
        executed_timestamp_seconds: progress.executed_at_seconds,
        topic: progress.topic.map(Topic::into),
    })
}

fn shorten(proposal: &mut ProposalData) {
    let action = proposal
        .proposal
        .as_mut()
        .and_then(|inner| inner.action.as_mut());
    match action {
        Some(WireAction::ExecuteGenericNervousSystemFunction(execute))
            if execute.payload.len() > PAYLOAD_IN_LISTING_BYTES_MAX =>
        {
            execute.payload.clear()
        }
        Some(WireAction::ManageLedgerParameters(change)) => change.token_logo = None,
        Some(WireAction::ManageSnsMetadata(change)) => change.logo = None,
        _ => {}
    }
}

fn text_length(proposal: &ProposalData) -> usize {
    let texts = proposal.proposal.as_ref().map_or(0, |inner| {
        let action = match &inner.action {
            Some(WireAction::Motion(motion)) => motion.motion_text.len(),
            Some(WireAction::AddGenericNervousSystemFunction(function)) => {
                function.description.as_ref().map_or(0, String::len)
            }
            Some(WireAction::SetTopicsForCustomProposals(topics)) => {
                topics.custom_function_id_to_topic.len() * 9
            }
            // Descriptions and URLs of the DAO, without the logo, have 3,000 bytes at most.
            Some(WireAction::ManageSnsMetadata(_)) => 3_000,
            _ => PAYLOAD_IN_LISTING_BYTES_MAX,
        };
        inner.title.len() + inner.summary.len() + inner.url.len() + action
    });
    let rendering = proposal
        .payload_text_rendering
        .as_ref()
        .map_or(0, String::len);
    let failure = proposal
        .failure_reason
        .as_ref()
        .map_or(0, |reason| reason.error_message.len());
    // A ballot's key has 64 hexadecimal digits; its numbers and the fixed fields follow.
    texts + rendering + failure + proposal.ballots.len() * 90 + 500
}
