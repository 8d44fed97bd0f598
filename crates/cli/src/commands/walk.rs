//! `stoa walk`: the example model the whole way, by the very commands that a person would type. Each is shown with
//! its time; the first that fails ends the walk.

use std::path::Path;
use std::time::Instant;

use clap::Parser;
use serde_json::{Value, json};
use stoa_client::model_directory::ModelDirectory;
use stoa_client::{ClientError, Result};

use crate::arguments::{Arguments, Walk};
use crate::context::Context;
use crate::output::{Output, print_line};

pub async fn walk(context: &Context, arguments: Walk) -> Result<Output> {
    let start = Instant::now();
    let model = ModelDirectory::read(&arguments.model, &arguments.publisher)?;
    let input = arguments
        .input
        .unwrap_or_else(|| arguments.model.join("samples/one-digit.json"));
    let manifest = &model.manifest;
    let name = format!("{}/{}", manifest.publisher, manifest.name);
    let version = format!("{name}@{}", manifest.version);
    let mut timed: Vec<Value> = Vec::new();
    for command in commands(
        &arguments.model,
        &input,
        &manifest.publisher,
        &name,
        &version,
    )? {
        let seconds = step(context, &command).await?;
        timed.push(json!({"command": command.join(" "), "seconds": seconds}));
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(Output::new(
        format!("walked the whole way in {seconds:.2} s"),
        json!({"seconds": seconds, "steps": timed}),
    ))
}

/// A neuron of 10 tokens proposes and one of 1,000 decides: alone it holds the majority, so nobody waits for the end
/// of a voting period.
fn commands(
    model: &Path,
    input: &Path,
    publisher: &str,
    name: &str,
    version: &str,
) -> Result<Vec<Vec<String>>> {
    let text = |path: &Path| {
        path.to_str()
            .map(str::to_owned)
            .ok_or_else(|| ClientError::InvalidArgument(format!("{} is not UTF-8", path.display())))
    };
    let (model, input) = (text(model)?, text(input)?);
    let (model, input) = (model.as_str(), input.as_str());
    let commands: [&[&str]; 17] = [
        &["deploy"],
        &["handover"],
        &["publisher", "claim", publisher],
        &["model", "push", model, "--publisher", publisher],
        &["model", "price", name, "0.1"],
        &["model", "submit", version],
        &["neuron", "stake", "10"],
        &["neuron", "stake", "1000", "--neuron", "1"],
        &["propose", "admit", version],
        &["vote", "latest", "yes", "--neuron", "1", "--wait"],
        &["load", name],
        &["quote", name],
        &["approve", "1"],
        &["infer", name, input],
        &["receipt", "verify", "latest"],
        &[
            "model",
            "verify",
            name,
            "--receipt",
            "latest",
            "--input",
            input,
        ],
        &["top-up", "--wait"],
    ];
    Ok(commands
        .iter()
        .map(|words| words.iter().map(|word| (*word).to_owned()).collect())
        .collect())
}

/// Runs one command as if it had been typed, with the options that the walk itself was given.
async fn step(context: &Context, command: &[String]) -> Result<f64> {
    let line = format!("stoa {}", command.join(" "));
    let mut arguments = Arguments::try_parse_from(
        std::iter::once("stoa").chain(command.iter().map(String::as_str)),
    )
    .map_err(|error| ClientError::Failed(format!("BUG: {line}: {error}")))?;
    arguments.global = context.global().clone();
    let json = arguments.global.json;
    let start = Instant::now();
    let output = super::run(arguments)
        .await
        .map_err(|error| ClientError::Failed(format!("{line}: {error}")))?;
    let seconds = start.elapsed().as_secs_f64();
    if !json {
        print_line(format_args!("{seconds:7.2} s  $ {line}"));
        output.print_indented();
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_walk_by_commands_that_the_grammar_knows() {
        let model = Path::new("examples/models/digits");
        let commands = commands(
            model,
            &model.join("input.json"),
            "stoa",
            "stoa/digits",
            "stoa/digits@1.0.0",
        )
        .unwrap();
        assert_eq!(commands.len(), 17);
        for command in commands {
            let words = std::iter::once("stoa".to_owned()).chain(command.clone());
            assert!(Arguments::try_parse_from(words).is_ok(), "{command:?}");
        }
    }
}
