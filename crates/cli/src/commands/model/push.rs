//! `stoa model push`.

use serde_json::json;
use stoa_client::amount::{format_tokens, parse_tokens};
use stoa_client::model_directory::ModelDirectory;
use stoa_client::push::{PushOptions, PushProgress, Pushed, deposit_state, push_with};
use stoa_client::registry::status_name;
use stoa_client::{ClientError, Result};
use stoa_registry_api::VersionStatus;

use crate::arguments::model::Push;
use crate::context::{Context, Stoa};
use crate::output::{Output, bytes};
use crate::progress;

pub async fn push(context: &Context, arguments: Push) -> Result<Output> {
    let options = PushOptions {
        parallel: arguments.parallel,
        deposit_e8s_max: parse_tokens(&arguments.max_deposit)?,
        ..PushOptions::default()
    };
    let mut stoa = context.open().await?;
    let publisher = match arguments.publisher {
        Some(publisher) => publisher,
        None => only_handle(&stoa).await?,
    };
    let model = ModelDirectory::read(&arguments.folder, &publisher)?;
    let bar = progress::bytes("pushing", 0);
    let pushed = push_with(
        &stoa.connection,
        &stoa.registry(),
        &model,
        &options,
        |step| match step {
            PushProgress::Approved { e8s } => {
                bar.set_message(format!("pushing (deposit {} ICP)", format_tokens(e8s)))
            }
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
    Ok(report(&model, &pushed))
}

fn report(model: &ModelDirectory, pushed: &Pushed) -> Output {
    let manifest = &model.manifest;
    let name = format!(
        "{}/{}@{}",
        manifest.publisher, manifest.name, manifest.version
    );
    let mut lines = vec![format!("{name} is {}", pushed.version)];
    if pushed.status_before == VersionStatus::Draft {
        lines.push(format!(
            "{} sent, {} there already; sealed",
            bytes(pushed.sent_bytes),
            bytes(pushed.present_bytes)
        ));
    } else {
        lines.push(format!(
            "nothing to send: it is {} already",
            status_name(pushed.status_before)
        ));
    }
    if let Some(deposit) = &pushed.deposit {
        lines.push(format!(
            "storage deposit of {} ICP: {}",
            format_tokens(deposit.amount_e8s),
            deposit_state(deposit)
        ));
    }
    if matches!(
        pushed.status_before,
        VersionStatus::Draft | VersionStatus::Sealed
    ) {
        lines.push(format!("next: `stoa model submit {name}`"));
    }
    Output::lines(
        lines,
        json!({
            "name": name,
            "version": pushed.version.to_string(),
            "sent_bytes": pushed.sent_bytes,
            "present_bytes": pushed.present_bytes,
            "status_before": status_name(pushed.status_before),
            "deposit_e8s": pushed.deposit.as_ref().map(|deposit| deposit.amount_e8s),
        }),
    )
}

/// Who has one handle need not name it.
async fn only_handle(stoa: &Stoa) -> Result<String> {
    let handles = stoa
        .registry()
        .publishers_of(stoa.connection.principal())
        .await?;
    let names: Vec<&str> = handles.iter().map(|info| info.handle.as_str()).collect();
    match names[..] {
        [one] => Ok(one.to_owned()),
        [] => Err(ClientError::InvalidArgument(
            "this identity has no publisher handle: claim one with `stoa publisher claim <handle>`"
                .to_owned(),
        )),
        _ => Err(ClientError::InvalidArgument(format!(
            "this identity has several publisher handles, choose one with --publisher: {}",
            names.join(", ")
        ))),
    }
}
