//! `stoa deploy` and `stoa handover`.

use serde_json::{Value, json};
use stoa_client::deploy::{
    DeployPlan, DeployProgress, deploy as deploy_all, hand_over as give_away,
};
use stoa_client::wasm::WasmFolder;
use stoa_client::{Deployment, Result};

use crate::arguments::Deploy;
use crate::context::Context;
use crate::output::Output;

pub async fn deploy(context: &Context, arguments: Deploy) -> Result<Output> {
    let path = arguments.out.unwrap_or_else(|| context.deployment_path());
    let connection = context.connection().await?;
    let plan = DeployPlan {
        shards: arguments.shards,
        inference: arguments.inference,
        frontend: !arguments.without_frontend,
        mainnet_ids: !arguments.own_ids,
        ..DeployPlan::default()
    };
    let mut counts = Counts::default();
    let progress = |step| counts.take(&step);
    let wasm = WasmFolder::of_environment();
    let deployment = deploy_all(&connection, &plan, &wasm, &path, progress).await?;
    let mut lines = list(&deployment);
    lines.push(format!("{}; written to {}", counts.line(), path.display()));
    let json = serde_json::to_value(&deployment).unwrap_or(Value::Null);
    Ok(Output::lines(lines, json))
}

pub async fn hand_over(context: &Context) -> Result<Output> {
    let stoa = context.open().await?;
    let mut canisters = 0;
    give_away(&stoa.connection, &stoa.deployment, |_, _| canisters += 1).await?;
    let governance = stoa.deployment.governance;
    Ok(Output::new(
        format!("governance ({governance}) is the only controller of all {canisters} canisters"),
        json!({"controller": governance.to_text(), "canisters": canisters}),
    ))
}

fn list(deployment: &Deployment) -> Vec<String> {
    deployment
        .canisters()
        .into_iter()
        .map(|(name, canister)| format!("{name:<15} {canister}"))
        .collect()
}

#[derive(Default)]
struct Counts {
    created: u32,
    installed: u32,
    upgraded: u32,
    unchanged: u32,
}

impl Counts {
    fn take(&mut self, step: &DeployProgress) {
        match step {
            DeployProgress::Created { .. } => self.created += 1,
            DeployProgress::Installed { .. } => self.installed += 1,
            DeployProgress::Upgraded { .. } => self.upgraded += 1,
            DeployProgress::Unchanged { .. } => self.unchanged += 1,
        }
    }

    fn line(&self) -> String {
        format!(
            "{} created, {} installed, {} upgraded, {} unchanged",
            self.created, self.installed, self.upgraded, self.unchanged
        )
    }
}
