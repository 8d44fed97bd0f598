//! `MakeProposal`: checked, rendered by the validator, opened, and voted for by the
//! proposer.

use candid::Principal;
use stoa_governance_api::code::{NeuronPermissionType, ProposalRewardStatus, Vote};
use stoa_governance_api::{self as api, CommandResponse, GetProposal, ProposalId};

use crate::actions::Action;
use crate::cbor::{Added, Cbor};
use crate::certification::digest;
use crate::lock::NeuronLock;
use crate::memory::{State, with_state};
use crate::neuron::NeuronKey;
use crate::proposal::{Content, Decision, Digest, Progress, Terms, Thresholds};
use crate::refusal::Refusal;
use crate::register_vote::cast;
use crate::{housekeeping, runtime};

/// The SNS's limits.
const TITLE_LENGTH_BYTES_MAX: usize = 256;
const SUMMARY_LENGTH_BYTES_MAX: usize = 30_000;
const URL_LENGTH_BYTES_MAX: usize = 2_048;

pub async fn make_proposal(
    key: NeuronKey,
    caller: Principal,
    proposal: api::Proposal,
) -> Result<CommandResponse, Refusal> {
    check_texts(&proposal)?;
    let action: Action = proposal
        .action
        .ok_or(Refusal::MissingField { field: "action" })?
        .try_into()?;
    let lock = NeuronLock::acquire(key)?;
    // Before the validator is called, so that only who may propose costs a call.
    with_state(|state| check_proposer(state, &key, caller, &action))?;
    let rendering = action.render().await?;
    let id = with_state(|state| {
        // Neuron, function and the room for proposals may have changed meanwhile.
        check_proposer(state, &key, caller, &action)?;
        open(
            state,
            key,
            Texts {
                title: proposal.title,
                summary: proposal.summary,
                url: proposal.url,
            },
            action,
            rendering,
        )
    })?;
    drop(lock);
    Ok(CommandResponse::MakeProposal(GetProposal {
        proposal_id: Some(ProposalId { id }),
    }))
}

struct Texts {
    title: String,
    summary: String,
    url: String,
}

fn check_texts(proposal: &api::Proposal) -> Result<(), Refusal> {
    for (name, text, max) in [
        ("title", &proposal.title, TITLE_LENGTH_BYTES_MAX),
        ("summary", &proposal.summary, SUMMARY_LENGTH_BYTES_MAX),
        ("url", &proposal.url, URL_LENGTH_BYTES_MAX),
    ] {
        if text.len() > max {
            return Err(Refusal::InvalidProposal {
                reason: format!(
                    "the {name} has {} bytes, at most {max} are allowed",
                    text.len()
                ),
            });
        }
    }
    Ok(())
}

fn check_proposer(
    state: &State,
    key: &NeuronKey,
    caller: Principal,
    action: &Action,
) -> Result<(), Refusal> {
    let neuron = state.neuron(key)?;
    neuron.require(caller, NeuronPermissionType::SubmitProposal)?;
    let parameters = state.parameters();
    let voting_state = neuron.voting_state();
    let dissolve_delay_seconds = voting_state.dissolve_delay_seconds(runtime::now_seconds());
    let needed_seconds = parameters.power.min_dissolve_delay_seconds;
    if dissolve_delay_seconds < needed_seconds {
        return Err(Refusal::DissolveDelayTooShort {
            dissolve_delay_seconds,
            needed_seconds,
        });
    }
    if voting_state.stake_e8s < parameters.reject_cost_e8s {
        return Err(Refusal::StakeBelowRejectCost {
            stake_e8s: voting_state.stake_e8s,
            reject_cost_e8s: parameters.reject_cost_e8s,
        });
    }
    let (open, max) = (
        state.voting.len(),
        parameters.max_number_of_proposals_with_ballots,
    );
    if open >= max {
        return Err(Refusal::TooManyOpenProposals { open, max });
    }
    action.check(state)
}

/// Numbers the proposal, charges its cost for now and casts the proposer's vote.
/// Refuses only before anything is written.
fn open(
    state: &mut State,
    proposer: NeuronKey,
    texts: Texts,
    action: Action,
    rendering: String,
) -> Result<u64, Refusal> {
    let now = runtime::now_seconds();
    let total = state.total_voting_power(now)?;
    if total == 0 {
        return Err(Refusal::NoVotingPower);
    }
    let parameters = state.parameters().clone();
    let own_power = state
        .neuron(&proposer)?
        .voting_state()
        .voting_power(now, &parameters.power);
    if own_power == 0 {
        return Err(Refusal::NotEligible);
    }
    let topic = action.topic(state);
    let id = state.newest_proposal() + 1;
    let deadline_seconds = now + parameters.initial_voting_period_seconds;
    let progress = Progress {
        decision: Decision::Open,
        topic,
        action_id: action.id(),
        deadline_seconds,
        yes: 0,
        no: 0,
        total,
        tallied_at_seconds: now,
        decided_at_seconds: 0,
        executed_at_seconds: 0,
        failed_at_seconds: 0,
    };
    let content = Content {
        title: texts.title,
        summary: texts.summary,
        url: texts.url,
        action: action.keep(state, id),
        rendering,
    };
    let terms = Terms {
        proposer,
        created_at_seconds: now,
        power_rules: parameters.power,
        thresholds: Thresholds::of(topic),
        reject_cost_e8s: parameters.reject_cost_e8s,
        initial_voting_period_seconds: parameters.initial_voting_period_seconds,
        wait_for_quiet_deadline_increase_seconds: parameters
            .wait_for_quiet_deadline_increase_seconds,
        digest: Added(Digest(digest(&content))),
        is_eligible_for_rewards: Added(!parameters.rewards.are_off()),
    };
    state.progress.push(&progress);
    state.index_new(
        id,
        progress.status(),
        topic,
        ProposalRewardStatus::AcceptVotes,
    );
    state.append_certified(id, &progress, &terms);
    state.contents.insert(id, Cbor(content));
    state.terms.insert(id, Cbor(terms));
    state.voting.insert(id, ());
    state.deadlines.insert((deadline_seconds, id), ());
    // After the proposal has its number: it sees the proposer's power without the fee.
    state
        .change_neuron(&proposer, now, |neuron| {
            neuron.fees_e8s = neuron
                .fees_e8s
                .checked_add(parameters.reject_cost_e8s)
                .expect("BUG: the stake covers the fees and this cost");
            Ok(())
        })
        .expect("BUG: the proposer was just read");
    cast(state, proposer, id, Vote::Yes, now).expect("BUG: the proposer may vote");
    housekeeping::wake_at_next_deadline(state, now);
    Ok(id)
}
