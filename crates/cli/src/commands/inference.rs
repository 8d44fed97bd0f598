//! `stoa load`, `quote`, `infer`, `job`, `route`, `top-up`.

use std::time::{Duration, Instant};

use candid::{Nat, Principal};
use serde_json::json;
use stoa_client::amount::{format_cycles, format_tokens, parse_tokens};
use stoa_client::inference::Inference;
use stoa_client::polling::Backoff;
use stoa_client::sample::answer_to_json;
use stoa_client::{Accepted, ClientError, Result};
use stoa_inference_api::{
    InferRequest, InferResponse, JobState, LoadState, PreviewRequest, Price, TopUp as Bought,
    TopUpError, TopUpState,
};

use crate::arguments::{Infer, Job, Load, OnInference, Purse, TopUp, Version};
use crate::context::{Context, Stoa};
use crate::output::Output;
use crate::progress;

const JOB_PATIENCE: Duration = Duration::from_secs(60 * 60);
const LOAD_PATIENCE: Duration = Duration::from_secs(30 * 60);
const TOP_UP_PATIENCE: Duration = Duration::from_secs(5 * 60);

pub async fn load(context: &Context, arguments: Load) -> Result<Output> {
    let stoa = context.open().await?;
    let Load { on, pay } = arguments;
    let version = stoa.registry().resolve(&on.version.version).await?;
    let inference = stoa.inference_for(on.inference, version).await?;
    inference
        .load_paid(version, pay.map(Purse::payment))
        .await?
        .accepted()?;
    let turning = progress::waiting("loading");
    let status = inference
        .wait_ready(version, LOAD_PATIENCE, |state| {
            turning.set_message(describe(state));
        })
        .await;
    turning.finish_and_clear();
    let status = status?;
    Ok(Output::new(
        format!(
            "{version} on {}: {}",
            inference.canister(),
            describe(&status.state)
        ),
        json!({"version": version.to_string(), "inference": inference.canister().to_text()}),
    ))
}

pub async fn quote(context: &Context, arguments: OnInference) -> Result<Output> {
    let stoa = context.open().await?;
    let version = stoa.registry().resolve(&arguments.version.version).await?;
    let inference = stoa.inference_for(arguments.inference, version).await?;
    let quote = inference.quote(version).await?.accepted()?;
    Ok(Output::new(
        format!(
            "a call costs {} ICP (and {} ICP ledger fee) or {} cycles; about {} instructions",
            format_tokens(quote.price_e8s),
            format_tokens(quote.ledger_fee_e8s),
            format_cycles(&quote.price_cycles),
            quote.instructions_per_call
        ),
        json!({
            "price_e8s": quote.price_e8s,
            "ledger_fee_e8s": quote.ledger_fee_e8s,
            "price_cycles": quote.price_cycles.0.to_string(),
            "instructions_per_call": quote.instructions_per_call,
        }),
    ))
}

pub async fn infer(context: &Context, arguments: Infer) -> Result<Output> {
    let stoa = context.open().await?;
    let version = stoa
        .registry()
        .resolve(&arguments.on.version.version)
        .await?;
    let input = arguments.inline.or(arguments.input.as_deref())?;
    let max_price = arguments
        .max_price
        .map(|text| parse_tokens(&text).map(Nat::from))
        .transpose()?;
    let request = InferRequest {
        model: version.into(),
        input,
        payment: arguments.pay.payment(),
        max_price,
    };
    let inference = stoa.inference_for(arguments.on.inference, version).await?;
    if arguments.preview {
        let preview = PreviewRequest {
            model: request.model,
            input: request.input,
        };
        let preview = inference.infer_query(&preview).await?.accepted()?;
        let outputs = answer_to_json(&preview.answer)?;
        return Ok(Output::new(
            outputs.to_string(),
            json!({"outputs": outputs}),
        ));
    }
    if arguments.submit {
        let job = inference.submit(&request).await?.accepted()?;
        let named = named(&stoa, &inference);
        return Ok(Output::new(
            format!("job {job}: see `stoa job {job} --wait{named}`"),
            json!({"job": job, "inference": inference.canister().to_text()}),
        ));
    }
    let answer = inference.infer(&request).await?.accepted()?;
    said(&stoa, &inference, &answer)
}

/// What a command about a job or a receipt has to say of the canister: each numbers its own, and the first is meant where none
/// is named.
fn named(stoa: &Stoa, inference: &Inference) -> String {
    let canister = inference.canister();
    match stoa.deployment.inference.first() {
        Some(first) if *first == canister => String::new(),
        _ => format!(" --inference {canister}"),
    }
}

/// With its unit.
pub(super) fn paid(price: &Price) -> String {
    match price {
        Price::IcpE8s(e8s) => format!("{} ICP", format_tokens(*e8s)),
        Price::TokenE8s(e8s) => format!("{} governance tokens", format_tokens(*e8s)),
        Price::Cycles(cycles) => format!("{} cycles", format_cycles(cycles)),
    }
}

fn said(stoa: &Stoa, inference: &Inference, answer: &InferResponse) -> Result<Output> {
    let receipt = &answer.receipt;
    let outputs = answer_to_json(&answer.answer)?;
    let price = paid(&receipt.price);
    Ok(Output::lines(
        vec![
            outputs.to_string(),
            format!(
                "receipt {} ({}), paid {price}, {} instructions",
                receipt.id, receipt.hash, receipt.instructions
            ),
            format!(
                "prove it with `stoa receipt verify {}{}`",
                receipt.id,
                named(stoa, inference)
            ),
        ],
        json!({
            "outputs": outputs,
            "receipt": {
                "id": receipt.id,
                "inference": inference.canister().to_text(),
                "hash": receipt.hash.to_string(),
                "instructions": receipt.instructions,
                "output_hash": receipt.output_hash.to_string(),
            },
        }),
    ))
}

pub async fn job(context: &Context, arguments: Job) -> Result<Output> {
    let stoa = context.open().await?;
    let inference = stoa.inference(arguments.inference)?;
    if arguments.wait {
        let answer = inference.wait_job(arguments.id, JOB_PATIENCE).await?;
        return said(&stoa, &inference, &answer);
    }
    let job = inference.get_job(arguments.id).await?.accepted()?;
    let (state, name) = match job.state {
        JobState::Done { answer, receipt } => {
            return said(&stoa, &inference, &InferResponse { answer, receipt });
        }
        JobState::Paying => ("the ledger has not answered yet".to_owned(), "paying"),
        JobState::Running {
            instructions_so_far,
            restarts,
        } => (
            format!(
                "runs; {instructions_so_far} instructions so far, begun again {restarts} times"
            ),
            "running",
        ),
        JobState::Failed { message } => (
            format!("failed: {message}; the payment is back as credit"),
            "failed",
        ),
    };
    Ok(Output::new(
        format!("job {} {state}", job.id),
        json!({"id": job.id, "state": name}),
    ))
}

pub async fn route(context: &Context, arguments: Version) -> Result<Output> {
    let stoa = context.open().await?;
    let registry = stoa.registry();
    let version = registry.resolve(&arguments.version).await?;
    let canisters = registry.route(version).await?;
    let texts: Vec<String> = canisters.iter().map(Principal::to_text).collect();
    Ok(Output::lines(
        texts.clone(),
        json!({"version": version.to_string(), "inference": texts}),
    ))
}

pub async fn top_up(context: &Context, arguments: TopUp) -> Result<Output> {
    let stoa = context.open().await?;
    let inference = stoa.inference(arguments.inference)?;
    let started = inference.top_up().await?;
    let done = match started {
        Ok(bought) if matches!(bought.state, TopUpState::Done { .. }) || !arguments.wait => bought,
        // Its own timer may have been faster: then the revenue is spent, and that top-up is the one to wait for.
        Ok(_) | Err(TopUpError::Busy { .. } | TopUpError::NotEnoughRevenue { .. })
            if arguments.wait =>
        {
            wait_bought(&inference).await?
        }
        refused => refused.accepted()?,
    };
    let line = match &done.state {
        TopUpState::Done { block, cycles } => format!(
            "top-up {}: {} ICP (block {block}) became {} cycles",
            done.id,
            format_tokens(done.amount_e8s),
            format_cycles(cycles)
        ),
        other => format!(
            "top-up {} of {} ICP: {other:?}",
            done.id,
            format_tokens(done.amount_e8s)
        ),
    };
    Ok(Output::new(
        line,
        json!({"id": done.id, "amount_e8s": done.amount_e8s}),
    ))
}

/// Waits until the newest top-up has brought its cycles. Where there never was one, the reason is in the refusal of a
/// call without `--wait`.
async fn wait_bought(inference: &Inference) -> Result<Bought> {
    let start = Instant::now();
    let mut backoff = Backoff::quick();
    loop {
        let status = inference.status().await?;
        match status.top_ups.into_iter().max_by_key(|bought| bought.id) {
            Some(bought) if matches!(bought.state, TopUpState::Done { .. }) => return Ok(bought),
            Some(Bought {
                state: TopUpState::Failed { message },
                ..
            }) => return Err(ClientError::Failed(format!("the top-up failed: {message}"))),
            None => inference.top_up().await?.accepted().map(drop)?,
            Some(_) => {}
        }
        if start.elapsed() > TOP_UP_PATIENCE {
            return Err(ClientError::TimedOut {
                what: "the top-up".to_owned(),
                waited: start.elapsed(),
            });
        }
        backoff.wait().await;
    }
}

fn describe(state: &LoadState) -> String {
    match state {
        LoadState::Fetching {
            chunks_done,
            chunks_total,
        } => format!("fetching, {chunks_done} of {chunks_total} chunks"),
        LoadState::Optimising => "optimising".to_owned(),
        LoadState::Ready {
            instructions_per_call,
            memory_bytes,
        } => format!("ready; {instructions_per_call} instructions a call, {memory_bytes} bytes"),
        LoadState::Evicted { .. } => "left the heap for another model; coming back".to_owned(),
        LoadState::Failed { message } => format!("failed: {message}"),
    }
}
