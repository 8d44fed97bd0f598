//! `stoa stake`, `neurons`, `vote`, `proposal`.

use std::time::Duration;

use serde_json::{Value, json};
use stoa_client::amount::{format_tokens, parse_tokens};
use stoa_client::governance::{Governance, decision};
use stoa_client::{ClientError, Result};
use stoa_governance_api::ProposalData;
use stoa_governance_api::code::{ProposalDecisionStatus, Vote as Ballot};

use crate::arguments::{Choice, Proposal, Stake, Token, Vote};
use crate::context::Context;
use crate::output::Output;
use crate::progress;

/// Absolute majority decides at once; what is left is the execution.
const EXECUTION_PATIENCE: Duration = Duration::from_secs(5 * 60);

pub async fn stake(context: &Context, arguments: Stake) -> Result<Output> {
    let stoa = context.open().await?;
    let amount = parse_tokens(&arguments.amount)?;
    let neuron = stoa
        .governance()
        .stake(&stoa.ledger(Token::Stoa), amount, arguments.neuron.memo)
        .await?;
    let neuron = hex::encode(neuron);
    Ok(Output::new(
        format!(
            "neuron {neuron} has {} STOA more and can vote",
            arguments.amount
        ),
        json!({"neuron": neuron}),
    ))
}

pub async fn neurons(context: &Context) -> Result<Output> {
    let stoa = context.open().await?;
    let neurons = stoa
        .governance()
        .neurons(Some(stoa.connection.principal()))
        .await?;
    let rows: Vec<(String, u64)> = neurons
        .into_iter()
        .map(|neuron| {
            let id = neuron.id.map_or_else(String::new, |id| hex::encode(id.id));
            (id, neuron.cached_neuron_stake_e8s)
        })
        .collect();
    let mut lines: Vec<String> = rows
        .iter()
        .map(|(id, stake)| format!("{id}  {} STOA", format_tokens(*stake)))
        .collect();
    if lines.is_empty() {
        lines.push("you have no neuron: make one with `stoa stake`".to_owned());
    }
    let json: Vec<Value> = rows
        .iter()
        .map(|(id, stake)| json!({"neuron": id, "stake_e8s": stake}))
        .collect();
    Ok(Output::lines(lines, json.into()))
}

pub async fn vote(context: &Context, arguments: Vote) -> Result<Output> {
    let stoa = context.open().await?;
    let governance = stoa.governance();
    let id = proposal_id(&governance, &arguments.proposal).await?;
    let choice = match arguments.choice {
        Choice::Yes => Ballot::Yes,
        Choice::No => Ballot::No,
    };
    governance
        .vote(governance.neuron_id(arguments.neuron.memo), id, choice)
        .await?;
    let (output, _) = show(&governance, id, arguments.wait).await?;
    Ok(output)
}

pub async fn proposal(context: &Context, arguments: Proposal) -> Result<Output> {
    let stoa = context.open().await?;
    let governance = stoa.governance();
    let id = proposal_id(&governance, &arguments.proposal).await?;
    let (output, rendering) = show(&governance, id, arguments.wait).await?;
    Ok(output.followed_by(rendering))
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
