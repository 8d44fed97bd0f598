//! The grammar of the command line.

pub mod fleet;
mod governance;
mod inference;

use std::path::PathBuf;

use candid::Principal;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub mod model;

use crate::context::DEFAULT_PORT;

pub use governance::*;
pub use inference::{Credit, Infer, Inline, Job, Load, OnInference, Purse};

/// A public library of AI models that nobody owns.
#[derive(Parser)]
#[command(name = "stoa", version)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args, Clone)]
pub struct Global {
    /// URL of the network; the deployment's own where absent
    #[arg(
        long,
        global = true,
        env = "STOA_ENDPOINT",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub network: Option<String>,
    /// Whose key signs: a name (made on first use), dev:<name> on local networks, or anonymous
    #[arg(
        long,
        global = true,
        env = "STOA_IDENTITY",
        hide_env_values = true,
        default_value = "default"
    )]
    pub identity: String,
    /// File that says which canisters make up the deployment [default: local.json in $STOA_HOME or .stoa]
    #[arg(long, global = true, env = "STOA_DEPLOYMENT", hide_env_values = true)]
    pub deployment: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Subcommand)]
pub enum Command {
    /// Start and stop the embedded local network
    #[command(subcommand)]
    Network(Network),
    /// Create and install all canisters on a local or test network
    Deploy(Deploy),
    /// Make governance the only controller of every canister
    Handover,
    /// Show who you are
    Identity,
    /// Show what an account holds
    Balance(Balance),
    /// Send tokens
    Transfer(Transfer),
    /// Let an inference canister take what your calls cost, up to an amount
    Approve(Approve),
    /// Claim a handle to publish under
    #[command(subcommand)]
    Publisher(Publisher),
    /// Prepare, push, find, pull and verify models
    #[command(subcommand)]
    Model(model::Model),
    /// Stake tokens, and use the neurons that come of it
    #[command(subcommand)]
    Neuron(NeuronCommand),
    /// Make a proposal
    #[command(subcommand)]
    Propose(Propose),
    /// Vote on a proposal
    Vote(Vote),
    /// Read proposals, and what they can do
    #[command(subcommand)]
    Proposal(ProposalCommand),
    /// Show what the DAO owns, pays and keeps alive
    Treasury(Treasury),
    /// Watch the shards that hold the bytes, and propose what becomes of them
    #[command(subcommand)]
    Fleet(fleet::Fleet),
    /// Load an admitted version into an inference canister and wait until it can be called
    Load(Load),
    /// What a call costs
    Quote(OnInference),
    /// Run a model on inputs, paid from your allowance or your credit
    Infer(Infer),
    /// Show a call that was submitted, or that an upgrade interrupted
    Job(Job),
    /// Prepaid credit, royalties, and keys for HTTP clients
    #[command(subcommand)]
    Credit(Credit),
    /// Show which inference canisters run a version
    Route(Version),
    /// Receipts of paid calls
    #[command(subcommand)]
    Receipt(Receipt),
    /// Take the example model the whole way on a fresh network: deploy, hand over, push, vote, load, pay, verify
    Walk(Walk),
    /// Show the versions, canisters and cycles of the deployment
    Status,
    /// Ask an inference canister to buy cycles from its revenue
    TopUp(TopUp),
}

#[derive(Subcommand)]
pub enum Network {
    /// Start it in the background
    Start(NetworkStart),
    /// Stop it; what was on it is gone, unless it keeps its state
    Stop,
    /// Print what it has written to its log
    Logs {
        /// The last lines only
        #[arg(long, value_name = "LINES")]
        last: Option<usize>,
    },
    /// Say whether it runs
    Status {
        /// Print its URL and nothing else; fail if it does not run
        #[arg(long)]
        endpoint: bool,
    },
}

#[derive(Args)]
pub struct NetworkStart {
    /// 0 is any free one
    #[arg(long, default_value_t = DEFAULT_PORT)]
    pub port: u16,
    /// Stay in the foreground
    #[arg(long)]
    pub foreground: bool,
    /// Folder in which everything is kept: started on it again, the network goes on where it ended
    #[arg(long, value_name = "FOLDER")]
    pub state: Option<PathBuf>,
    /// Put up the ICP ledger, the cycles minting canister and the cycles ledger at their mainnet ids, for icp-cli and
    /// dfx; `stoa deploy` brings its own
    #[arg(long, conflicts_with = "foreground")]
    pub standins: bool,
}

#[derive(Args)]
pub struct Deploy {
    /// Where to write the deployment; what --deployment says where absent
    #[arg(long)]
    pub out: Option<PathBuf>,
    #[arg(long, default_value_t = 2)]
    pub shards: usize,
    #[arg(long, default_value_t = 1)]
    pub inference: usize,
    /// Leave the web application out
    #[arg(long)]
    pub without_frontend: bool,
    /// Let the network choose the ids of the ICP ledger and the cycles minting canister, rather than ask for mainnet's
    #[arg(long)]
    pub own_ids: bool,
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Token {
    Icp,
    Stoa,
}

#[derive(Args)]
pub struct Balance {
    /// Show one token only
    #[arg(long)]
    pub token: Option<Token>,
    /// Whose; yours where absent
    #[arg(long)]
    pub of: Option<Principal>,
}

#[derive(Args)]
pub struct Transfer {
    /// In tokens, as 1.5
    pub amount: String,
    pub token: Token,
    /// Principal, or account in ICRC-1 text
    pub to: String,
}

#[derive(Args)]
pub struct Approve {
    /// In ICP, as 1.5; replaces what was approved before
    pub amount: String,
    /// Inference canister; the deployment's first where absent
    #[arg(long)]
    pub inference: Option<Principal>,
}

#[derive(Subcommand)]
pub enum Publisher {
    /// Take a free handle; yours already is fine
    Claim { handle: String },
}

#[derive(Args)]
pub struct Version {
    /// publisher/name, publisher/name@1.0.0, publisher/name@alias, or the version's 64 hexadecimal digits
    pub version: String,
}

#[derive(Subcommand)]
pub enum Receipt {
    /// Prove that a receipt is in the certified log, and show it
    Verify {
        /// Number of the receipt, or latest
        id: String,
        /// Inference canister that numbered it; where absent the deployment's first, and for latest whichever wrote the newest one
        #[arg(long)]
        inference: Option<Principal>,
    },
}

#[derive(Args)]
pub struct TopUp {
    #[arg(long)]
    pub inference: Option<Principal>,
    /// Wait until cycles have come from a top-up, this one or one that the canister began itself
    #[arg(long)]
    pub wait: bool,
}

#[derive(Args)]
pub struct Walk {
    /// Folder of the model
    #[arg(long, default_value = "examples/models/digits")]
    pub model: PathBuf,
    /// Inputs of the paid call; one-digit.json in the model's samples where absent
    #[arg(long)]
    pub input: Option<PathBuf>,
    /// Handle to publish under
    #[arg(long, default_value = "stoa")]
    pub publisher: String,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn should_have_a_grammar_without_contradictions() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn should_show_every_command_in_the_help() {
        insta::assert_snapshot!(Arguments::command().render_help().to_string());
    }

    /// Of the group and of each command in it.
    fn help_of(group: &str) -> String {
        let mut command = Arguments::command();
        command.build();
        let group = command
            .find_subcommand_mut(group)
            .expect("BUG: there is such a group");
        let mut text = group.render_help().to_string();
        for command in group.get_subcommands_mut() {
            let help = command.render_help();
            text += &format!("\n---- {}\n{help}", command.get_name());
        }
        text
    }

    #[test]
    fn should_show_every_command_about_models_in_the_help() {
        let text = help_of("model");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn should_show_every_command_about_the_fleet_in_the_help() {
        let text = help_of("fleet");
        insta::assert_snapshot!(text);
    }

    /// Each `stoa ...` of a text: after an indent or a backtick, up to a comment, `&&`, or the closing backtick.
    fn commands_in(text: &str) -> Vec<Vec<String>> {
        let mut commands = Vec::new();
        for line in text.lines() {
            let shown = line.starts_with("    ") || line.starts_with("  target/debug/stoa");
            let pieces: Vec<&str> = if shown {
                let line = line.split(" #").next().expect("BUG: one piece at least");
                line.split("&&").collect()
            } else {
                line.split('`').skip(1).step_by(2).collect()
            };
            for piece in pieces {
                let words = shlex::split(piece).unwrap_or_default();
                let program = words.first().map(String::as_str);
                if matches!(program, Some("stoa" | "target/debug/stoa")) {
                    commands.push(words);
                }
            }
        }
        commands
    }

    #[test]
    fn should_know_every_command_that_the_documents_name() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (document, at_least) in [
            ("README.md", 30),
            ("docs/governance.md", 1),
            ("scripts/run", 4),
        ] {
            let text = std::fs::read_to_string(root.join(document)).unwrap();
            let commands = commands_in(&text);
            assert!(commands.len() >= at_least, "{document}: {commands:?}");
            for command in commands {
                // `stoa fleet` alone, in a sentence, means the group; an example has values that stand for others.
                let words = command.iter().map(|word| match word.as_str() {
                    "<principal>" => "aaaaa-aa",
                    word => word,
                });
                if let Err(error) = Arguments::try_parse_from(words) {
                    use clap::error::ErrorKind::{
                        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand,
                        MissingRequiredArgument,
                    };
                    let named_only = document != "scripts/run"
                        && matches!(
                            error.kind(),
                            DisplayHelpOnMissingArgumentOrSubcommand | MissingRequiredArgument
                        );
                    assert!(
                        error.kind() == DisplayHelp || named_only,
                        "{document}: {}: {error}",
                        command.join(" ")
                    );
                }
            }
        }
    }
}
