//! The grammar of the fleet: what anyone may see of the shards, and what token holders decide about them.

use std::path::PathBuf;

use candid::Principal;
use clap::{Args, Subcommand};

use super::governance::{Neuron, ProposalTexts};

#[derive(Subcommand)]
pub enum Fleet {
    /// Show the shards: what they hold, how much room and how many cycles they have
    Status,
    /// Show what the registry does about them: copies, repairs, new shards
    Jobs {
        /// How many at most
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Go on behind an earlier page: the job that it ended with
        #[arg(long, value_name = "JOB")]
        before: Option<u64>,
        /// Only those that have not ended
        #[arg(long)]
        waiting: bool,
    },
    /// Show how the last roll-out of a module goes on
    Rollout,
    /// Bring the bytes of the module that token holders chose for new shards
    PutModule {
        /// Wasm module, also in gzip
        wasm: PathBuf,
    },
    /// Propose to create a shard
    Grow(Proposing),
    /// Propose to check all chunks now
    Scrub(Proposing),
    /// Propose to take a shard into the fleet that somebody made
    Add {
        shard: Principal,
        #[command(flatten)]
        proposing: Proposing,
    },
    /// Propose to empty a shard and to use it no more
    Retire {
        shard: Principal,
        #[command(flatten)]
        proposing: Proposing,
    },
    /// Propose other rules by which the fleet grows and is watched
    Policy {
        /// Each as name=value, such as shards_max=50; `stoa fleet status` lists them
        #[arg(required = true)]
        changes: Vec<String>,
        #[command(flatten)]
        proposing: Proposing,
    },
    /// Propose the module of new shards
    Module {
        /// Wasm module, also in gzip
        wasm: PathBuf,
        #[command(flatten)]
        proposing: Proposing,
    },
    /// Propose to upgrade the shards that there are, one after the other
    Upgrade {
        /// Wasm module, also in gzip
        wasm: PathBuf,
        /// Canister of yours for its chunks; created where absent, on networks that do that for free
        #[arg(long)]
        store: Option<Principal>,
        /// Candid argument of its post_upgrade, as text
        #[arg(long)]
        argument: Option<String>,
        #[command(flatten)]
        proposing: Proposing,
    },
}

#[derive(Args)]
pub struct Proposing {
    #[command(flatten)]
    pub texts: ProposalTexts,
    #[command(flatten)]
    pub neuron: Neuron,
}
