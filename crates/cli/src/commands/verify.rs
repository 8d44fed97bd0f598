//! `stoa receipt verify`: nothing here believes a server.

use std::time::{Duration, UNIX_EPOCH};

use indicatif::HumanDuration;
use serde_json::json;
use stoa_client::inference::Inference;
use stoa_client::{Accepted, ClientError, Result};

use crate::arguments::Receipt;
use crate::commands::inference::paid;
use crate::context::{Context, Stoa};
use crate::output::Output;

/// Instead of a number.
const LATEST: &str = "latest";

pub async fn receipt(context: &Context, command: Receipt) -> Result<Output> {
    let Receipt::Verify { id, inference } = command;
    let stoa = context.open().await?;
    let (inference, id) = match inference {
        None if id == LATEST => newest(&stoa).await?,
        named => {
            let inference = stoa.inference(named)?;
            let id = receipt_id(&inference, &id).await?;
            (inference, id)
        }
    };
    let receipt = inference.proven_receipt(id).await?;
    let written = Duration::from_nanos(receipt.timestamp_nanos);
    let age = (UNIX_EPOCH + written).elapsed().unwrap_or_default();
    let price = paid(&receipt.price);
    let block = receipt.payment_block;
    Ok(Output::lines(
        vec![
            format!(
                "receipt {id} of {} is in the log that the network certifies ({})",
                inference.canister(),
                receipt.hash
            ),
            format!("  version       {}", receipt.version),
            format!("  caller        {}", receipt.caller),
            format!(
                "  paid          {price}{}",
                block.map_or(String::new(), |block| format!(", block {block}"))
            ),
            format!("  written       {} ago", HumanDuration(age)),
            format!("  instructions  {}", receipt.instructions),
            format!("  engine        {}", receipt.engine),
            format!("  input         {}", receipt.input_hash),
            format!("  output        {}", receipt.output_hash),
        ],
        json!({
            "id": id,
            "inference": inference.canister().to_text(),
            "hash": receipt.hash.to_string(),
            "version": receipt.version.to_string(),
            "caller": receipt.caller.to_text(),
            "paid": price,
            "payment_block": block,
            "timestamp_nanos": receipt.timestamp_nanos,
            "instructions": receipt.instructions,
            "engine": receipt.engine,
            "input_hash": receipt.input_hash.to_string(),
            "output_hash": receipt.output_hash.to_string(),
        }),
    ))
}

/// Of all inference canisters that the registry knows: each numbers its own receipts.
async fn newest(stoa: &Stoa) -> Result<(Inference, u64)> {
    let mut newest = None;
    for canister in stoa.registry().list_inference().await? {
        let inference = stoa.inference(Some(canister))?;
        let Some(id) = inference.status().await?.receipts.checked_sub(1) else {
            continue;
        };
        let receipt = inference.get_receipt(id).await?.accepted()?.receipt;
        let at = receipt.timestamp_nanos;
        if newest.as_ref().is_none_or(|(_, _, last)| at > *last) {
            newest = Some((inference, id, at));
        }
    }
    let (inference, id, _) = newest.ok_or_else(no_receipt)?;
    Ok((inference, id))
}

/// `latest`, or a number.
pub(super) async fn receipt_id(inference: &Inference, text: &str) -> Result<u64> {
    if text == LATEST {
        let count = inference.status().await?.receipts;
        return count.checked_sub(1).ok_or_else(no_receipt);
    }
    text.parse().map_err(|_| {
        ClientError::InvalidArgument(format!(
            "\"{text}\" is no receipt: give its number, or latest"
        ))
    })
}

fn no_receipt() -> ClientError {
    ClientError::Failed("there is no receipt yet".to_owned())
}
