//! `stoa`: the command line. Commands read arguments and say what came out; the work is in `stoa-client`.

mod arguments;
mod commands;
mod context;
mod localnet;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;

/// What a shell expects of a program that was interrupted: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.global.json;
    let answer = tokio::select! {
        answer = commands::run(arguments) => answer,
        signal = tokio::signal::ctrl_c() => {
            return match signal {
                Ok(()) => {
                    eprintln!("interrupted: nothing is lost, the same command goes on where this one stopped");
                    ExitCode::from(INTERRUPTED)
                }
                Err(error) => {
                    eprintln!("error: cannot listen for Ctrl-C: {error}");
                    ExitCode::FAILURE
                }
            };
        }
    };
    match answer {
        Ok(output) => {
            output.print(json);
            ExitCode::SUCCESS
        }
        Err(error) => {
            if json {
                eprintln!("{}", serde_json::json!({"error": error.to_string()}));
            } else {
                eprintln!("error: {error}");
            }
            ExitCode::FAILURE
        }
    }
}
