//! `stoa publisher`, `push`, `price`, `pull`: models in and out of the library.

use serde_json::json;
use stoa_client::amount::{format_tokens, parse_tokens};
use stoa_client::model_directory::ModelDirectory;
use stoa_client::pull::Source;
use stoa_client::push::{PushProgress, push as push_model};
use stoa_client::registry::status_name;
use stoa_client::{Accepted, Result};

use crate::arguments::{Price, Publisher, Pull, Push};
use crate::context::Context;
use crate::output::Output;
use crate::progress;

pub async fn publisher(context: &Context, command: Publisher) -> Result<Output> {
    let Publisher::Claim { handle } = command;
    let stoa = context.open().await?;
    stoa.registry().claim_publisher(&handle).await?.accepted()?;
    Ok(Output::new(
        format!("{handle} is yours"),
        json!({"publisher": handle}),
    ))
}

pub async fn push(context: &Context, arguments: Push) -> Result<Output> {
    let mut stoa = context.open().await?;
    let model = ModelDirectory::read(&arguments.folder, &arguments.publisher)?;
    let bar = progress::bytes("pushing", 0);
    let pushed = push_model(
        &stoa.connection,
        &stoa.registry(),
        &model,
        |step| match step {
            PushProgress::Planned {
                missing_bytes,
                present_bytes,
            } => {
                bar.set_length(missing_bytes + present_bytes);
                bar.set_position(present_bytes);
            }
            PushProgress::Stored { bytes } => bar.inc(bytes),
            PushProgress::Sealing => bar.set_message("sealing"),
        },
    )
    .await?;
    bar.finish_and_clear();
    stoa.deployment
        .remember_version(pushed.version, &context.deployment_path())?;
    let manifest = &model.manifest;
    let name = format!(
        "{}/{}@{}",
        manifest.publisher, manifest.name, manifest.version
    );
    Ok(Output::lines(
        vec![
            format!("{name} is {}", pushed.version),
            format!(
                "{} bytes sent; it was {} before",
                pushed.sent_bytes,
                status_name(pushed.status_before)
            ),
        ],
        json!({
            "name": name,
            "version": pushed.version.to_string(),
            "sent_bytes": pushed.sent_bytes,
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

pub async fn pull(context: &Context, arguments: Pull) -> Result<Output> {
    let stoa = context.open().await?;
    let registry = stoa.registry();
    let version = registry.resolve(&arguments.version.version).await?;
    let source = Source::new(&stoa.connection, registry.placement(version).await?)?;
    let bar = progress::bytes("pulling", source.size_bytes());
    source
        .save(&arguments.folder, |bytes| bar.inc(bytes))
        .await?;
    bar.finish_and_clear();
    let files = source.manifest().files.len();
    Ok(Output::new(
        format!(
            "{files} files, {} bytes, all as {version} names them, in {}",
            source.size_bytes(),
            arguments.folder.display()
        ),
        json!({"version": version.to_string(), "files": files, "bytes": source.size_bytes()}),
    ))
}
