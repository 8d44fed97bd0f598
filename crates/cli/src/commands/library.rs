//! `stoa publisher`: handles to publish under.

use serde_json::json;
use stoa_client::{Accepted, Result};

use crate::arguments::Publisher;
use crate::context::Context;
use crate::output::Output;

pub async fn publisher(context: &Context, command: Publisher) -> Result<Output> {
    let Publisher::Claim { handle } = command;
    let stoa = context.open().await?;
    stoa.registry().claim_publisher(&handle).await?.accepted()?;
    Ok(Output::new(
        format!("{handle} is yours"),
        json!({"publisher": handle}),
    ))
}
