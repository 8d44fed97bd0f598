//! `stoa receipt verify`: nothing here believes a server.

use serde_json::json;
use stoa_client::inference::Inference;
use stoa_client::{ClientError, Result};

use crate::arguments::Receipt;
use crate::context::Context;
use crate::output::Output;

pub async fn receipt(context: &Context, command: Receipt) -> Result<Output> {
    let Receipt::Verify { id, inference } = command;
    let stoa = context.open().await?;
    let inference = stoa.inference(inference)?;
    let id = receipt_id(&inference, &id).await?;
    let receipt = inference.proven_receipt(id).await?;
    Ok(Output::new(
        format!(
            "receipt {id} of {} is in the log that the network certifies ({})",
            inference.canister(),
            receipt.hash
        ),
        json!({"id": id, "hash": receipt.hash.to_string(), "version": receipt.version.to_string()}),
    ))
}

/// `latest`, or a number.
pub(super) async fn receipt_id(inference: &Inference, text: &str) -> Result<u64> {
    if text == "latest" {
        let count = inference.status().await?.receipts;
        return count
            .checked_sub(1)
            .ok_or_else(|| ClientError::Failed("there is no receipt yet".to_owned()));
    }
    text.parse().map_err(|_| {
        ClientError::InvalidArgument(format!(
            "\"{text}\" is no receipt: give its number, or latest"
        ))
    })
}
