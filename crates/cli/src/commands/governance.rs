//! `stoa vote` and `stoa proposal`.

use std::time::Duration;

use serde_json::{Map, Value, json};
use stoa_client::amount::format_tokens;
use stoa_client::governance::{Governance, decision, parameter_texts};
use stoa_client::{ClientError, Result};
use stoa_governance_api::code::{ProposalDecisionStatus, Vote as Ballot};
use stoa_governance_api::{FunctionType, NervousSystemFunction, ProposalData};

use super::neuron::{neuron_id, topic};
use crate::arguments::{Choice, ProposalCommand, StatusName, Vote};
use crate::context::Context;
use crate::output::Output;
use crate::progress;

/// Absolute majority decides at once; what is left is the execution.
const EXECUTION_PATIENCE: Duration = Duration::from_secs(5 * 60);

pub async fn vote(context: &Context, arguments: Vote) -> Result<Output> {
    let stoa = context.open().await?;
    let governance = stoa.governance();
    let id = proposal_id(&governance, &arguments.proposal).await?;
    let choice = match arguments.choice {
        Choice::Yes => Ballot::Yes,
        Choice::No => Ballot::No,
    };
    governance
        .vote(neuron_id(&governance, &arguments.neuron.which)?, id, choice)
        .await?;
    let (output, _) = show(&governance, id, arguments.wait).await?;
    Ok(output)
}

pub async fn proposal(context: &Context, command: ProposalCommand) -> Result<Output> {
    let stoa = context.open().await?;
    let governance = stoa.governance();
    match command {
        ProposalCommand::Show(arguments) => {
            let id = proposal_id(&governance, &arguments.proposal).await?;
            let (output, rendering) = show(&governance, id, arguments.wait).await?;
            Ok(output.followed_by(rendering))
        }
        ProposalCommand::List {
            limit,
            before,
            status,
            topic: topics,
        } => {
            let statuses: Vec<_> = status.into_iter().map(status_of).collect();
            let topics: Vec<_> = topics.into_iter().map(topic).collect();
            let proposals = governance
                .list_proposals(limit, before, &statuses, &topics)
                .await?;
            Ok(list(&proposals))
        }
        ProposalCommand::Functions => functions(&governance).await,
        ProposalCommand::Parameters => parameters(&governance).await,
    }
}

fn status_of(name: StatusName) -> ProposalDecisionStatus {
    match name {
        StatusName::Open => ProposalDecisionStatus::Open,
        StatusName::Rejected => ProposalDecisionStatus::Rejected,
        StatusName::Adopted => ProposalDecisionStatus::Adopted,
        StatusName::Executed => ProposalDecisionStatus::Executed,
        StatusName::Failed => ProposalDecisionStatus::Failed,
    }
}

fn list(proposals: &[ProposalData]) -> Output {
    let mut lines: Vec<String> = proposals
        .iter()
        .map(|proposal| {
            format!(
                "{:>6}  {:<8}  {}",
                number(proposal),
                state_name(decision(proposal)),
                title(proposal)
            )
        })
        .collect();
    if lines.is_empty() {
        lines.push("there is no such proposal".to_owned());
    }
    let json: Vec<Value> = proposals
        .iter()
        .map(|proposal| {
            json!({
                "proposal": number(proposal),
                "state": state_name(decision(proposal)),
                "title": title(proposal),
                "action": proposal.action,
            })
        })
        .collect();
    Output::lines(lines, json.into())
}

fn number(proposal: &ProposalData) -> u64 {
    proposal.id.map_or(0, |id| id.id)
}

fn title(proposal: &ProposalData) -> &str {
    proposal
        .proposal
        .as_ref()
        .map_or("", |content| content.title.as_str())
}

async fn functions(governance: &Governance) -> Result<Output> {
    let functions = governance.functions().await?;
    let describe = |function: &NervousSystemFunction| match &function.function_type {
        Some(FunctionType::GenericNervousSystemFunction(generic)) => format!(
            "calls {}.{}",
            generic
                .target_canister_id
                .map_or_else(String::new, |canister| canister.to_text()),
            generic.target_method_name.as_deref().unwrap_or("")
        ),
        Some(FunctionType::NativeNervousSystemFunction {}) | None => {
            "is governance's own".to_owned()
        }
    };
    let lines = functions
        .iter()
        .map(|function| {
            format!(
                "{:>6}  {}: {}",
                function.id,
                function.name,
                describe(function)
            )
        })
        .collect();
    let json: Vec<Value> = functions
        .iter()
        .map(|function| json!({"id": function.id, "name": function.name}))
        .collect();
    Ok(Output::lines(lines, json.into()))
}

/// As `stoa propose parameters` takes them.
async fn parameters(governance: &Governance) -> Result<Output> {
    let wire = governance.parameters().await?;
    let mut lines = Vec::new();
    let mut json = Map::new();
    for (name, value) in parameter_texts(&wire) {
        lines.push(format!("{name}={value}"));
        json.insert(name, value.into());
    }
    Ok(Output::lines(lines, json.into()))
}

/// How it stands, and apart from that what voters are shown of its payload.
async fn show(governance: &Governance, id: u64, wait: bool) -> Result<(Output, Vec<String>)> {
    let proposal = if wait {
        let turning = progress::waiting("waiting for the execution");
        let proposal = governance.wait_executed(id, EXECUTION_PATIENCE).await;
        turning.finish_and_clear();
        proposal?
    } else {
        governance.proposal(id).await?
    };
    let rendering = proposal
        .payload_text_rendering
        .iter()
        .flat_map(|text| text.lines())
        .map(|line| format!("  {line}"))
        .collect();
    Ok((describe(id, &proposal), rendering))
}

async fn proposal_id(governance: &Governance, text: &str) -> Result<u64> {
    if text == "latest" {
        return governance
            .proposals(1)
            .await?
            .first()
            .and_then(|proposal| proposal.id)
            .map(|id| id.id)
            .ok_or_else(|| ClientError::Failed("there is no proposal yet".to_owned()));
    }
    text.parse().map_err(|_| {
        ClientError::InvalidArgument(format!(
            "\"{text}\" is no proposal: give its number, or latest"
        ))
    })
}

fn describe(id: u64, proposal: &ProposalData) -> Output {
    let title = proposal
        .proposal
        .as_ref()
        .map_or("", |content| content.title.as_str());
    let tally = proposal.latest_tally.unwrap_or_default();
    let state = state_name(decision(proposal));
    let lines = vec![
        format!("proposal {id} \"{title}\" is {state}"),
        format!(
            "yes {}, no {}, of {} STOA of voting power",
            format_tokens(tally.yes),
            format_tokens(tally.no),
            format_tokens(tally.total)
        ),
    ];
    Output::lines(
        lines,
        json!({
            "proposal": id,
            "title": title,
            "state": state,
            "yes": tally.yes,
            "no": tally.no,
            "total": tally.total,
        }),
    )
}

fn state_name(state: ProposalDecisionStatus) -> &'static str {
    match state {
        ProposalDecisionStatus::Open => "open",
        ProposalDecisionStatus::Rejected => "rejected",
        ProposalDecisionStatus::Adopted => "adopted",
        ProposalDecisionStatus::Executed => "executed",
        ProposalDecisionStatus::Failed => "failed",
    }
}
