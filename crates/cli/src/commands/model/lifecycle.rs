//! `stoa model submit`, `withdraw` and `price`.

use serde_json::json;
use stoa_client::amount::{format_tokens, parse_tokens};
use stoa_client::push::deposit_state;
use stoa_client::{Accepted, Result};

use crate::arguments::Version;
use crate::arguments::model::Price;
use crate::context::Context;
use crate::output::Output;

pub async fn submit(context: &Context, arguments: Version) -> Result<Output> {
    let stoa = context.open().await?;
    let registry = stoa.registry();
    let version = registry.resolve(&arguments.version).await?;
    let admission = registry.submit(version).await?.accepted()?;
    Ok(Output::new(
        format!(
            "submitted: \"{}\"; anyone with a neuron can now `stoa propose admit {}`",
            admission.title, arguments.version
        ),
        json!({
            "version": version.to_string(),
            "function_id": admission.function_id,
            "payload": hex::encode(&admission.payload),
            "title": admission.title,
            "summary": admission.summary,
        }),
    ))
}

pub async fn withdraw(context: &Context, arguments: Version) -> Result<Output> {
    let stoa = context.open().await?;
    let registry = stoa.registry();
    let version = registry.resolve(&arguments.version).await?;
    let withdrawn = registry.withdraw(version).await?.accepted()?;
    let mut lines = vec![format!("{version} is withdrawn: its bytes go")];
    if let Some(deposit) = &withdrawn.deposit {
        lines.push(format!(
            "storage deposit of {} ICP: {}",
            format_tokens(deposit.amount_e8s),
            deposit_state(deposit)
        ));
    }
    Ok(Output::lines(
        lines,
        json!({
            "version": version.to_string(),
            "deposit_e8s": withdrawn.deposit.as_ref().map(|deposit| deposit.amount_e8s),
        }),
    ))
}

pub async fn price(context: &Context, arguments: Price) -> Result<Output> {
    let stoa = context.open().await?;
    let e8s = parse_tokens(&arguments.amount)?;
    stoa.registry()
        .set_price(&arguments.model, e8s)
        .await?
        .accepted()?;
    Ok(Output::new(
        format!(
            "the author's price of a call of {} is {} ICP",
            arguments.model,
            format_tokens(e8s)
        ),
        json!({"model": arguments.model, "price_e8s": e8s}),
    ))
}
