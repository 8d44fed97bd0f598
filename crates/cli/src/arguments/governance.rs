//! The grammar of what token holders do: neurons, proposals, votes, the treasury.

use std::path::PathBuf;

use candid::Principal;
use clap::{Args, Subcommand, ValueEnum};

use super::Version;

/// Which of your neurons.
#[derive(Args)]
pub struct Neuron {
    /// Number of the neuron, from 0, if you have several; or the 64 hexadecimal digits of any
    #[arg(long = "neuron", default_value = "0")]
    pub which: String,
}

#[derive(Args)]
pub struct Stake {
    /// In governance tokens; 0 claims what an interrupted stake transferred
    pub amount: String,
    /// Number of the neuron, from 0; a new number is a new neuron
    #[arg(long = "neuron", default_value_t = 0)]
    pub memo: u64,
}

#[derive(Subcommand)]
pub enum NeuronCommand {
    /// Lock governance tokens in a neuron, which can propose and vote
    Stake(Stake),
    /// Show your neurons
    List,
    /// Show all about one
    Show(Neuron),
    /// Print the id of a neuron, also of one that does not exist yet
    Id {
        #[command(flatten)]
        neuron: Neuron,
        /// As a blob of Candid's text
        #[arg(long)]
        candid: bool,
    },
    /// Make the dissolve delay longer
    Delay {
        /// By how much: 30d, 12h, 10m, 45s
        by: String,
        #[command(flatten)]
        neuron: Neuron,
    },
    /// Let the dissolve delay run out
    StartDissolving(Neuron),
    /// Hold the dissolve delay where it is
    StopDissolving(Neuron),
    /// Take tokens out of a dissolved neuron
    Disburse {
        /// In governance tokens; all where absent
        #[arg(long)]
        amount: Option<String>,
        /// Principal, or account in ICRC-1 text; yours where absent
        #[arg(long)]
        to: Option<String>,
        #[command(flatten)]
        neuron: Neuron,
    },
    /// Move a part of the stake into a new neuron
    Split {
        /// In governance tokens
        amount: String,
        /// Number of the new neuron
        into: u64,
        #[command(flatten)]
        neuron: Neuron,
    },
    /// Vote as other neurons do, on a topic or on all
    Follow {
        /// Ids of neurons, 64 hexadecimal digits each; without any the neuron follows nobody
        followees: Vec<String>,
        /// All topics where absent
        #[arg(long)]
        topic: Vec<TopicName>,
        #[command(flatten)]
        neuron: Neuron,
    },
    /// Let somebody use the neuron
    Permit(Permission),
    /// Take it back
    Forbid(Permission),
    /// What the neuron earned by voting
    #[command(subcommand)]
    Maturity(Maturity),
}

#[derive(Args)]
pub struct Permission {
    pub principal: Principal,
    /// What for
    #[arg(required = true)]
    pub permissions: Vec<PermissionName>,
    #[command(flatten)]
    pub neuron: Neuron,
}

#[derive(Subcommand)]
pub enum Maturity {
    /// Turn it into stake
    Stake {
        /// 1 to 100
        #[arg(default_value_t = 100)]
        percentage: u32,
        #[command(flatten)]
        neuron: Neuron,
    },
    /// Turn it into tokens
    Disburse {
        /// 1 to 100
        #[arg(default_value_t = 100)]
        percentage: u32,
        /// Principal, or account in ICRC-1 text; yours where absent
        #[arg(long)]
        to: Option<String>,
        #[command(flatten)]
        neuron: Neuron,
    },
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq, Debug)]
pub enum TopicName {
    Settings,
    Framework,
    Canisters,
    Library,
    Governance,
    Treasury,
    Critical,
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq, Debug)]
pub enum PermissionName {
    ConfigureDissolveState,
    ManagePrincipals,
    SubmitProposal,
    Vote,
    Disburse,
    Split,
    DisburseMaturity,
    StakeMaturity,
    ManageVotingPermission,
}

/// What voters read beside the payload.
#[derive(Args)]
pub struct ProposalTexts {
    /// What it is about, in a line; made from the payload where absent
    #[arg(long)]
    pub title: Option<String>,
    /// Why, in Markdown
    #[arg(long, default_value = "")]
    pub summary: String,
    /// Where it is discussed
    #[arg(long, default_value = "")]
    pub url: String,
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq, Debug)]
pub enum TreasuryToken {
    Icp,
    Stoa,
}

#[derive(Subcommand)]
pub enum Propose {
    /// That a submitted version be admitted
    Admit {
        #[command(flatten)]
        version: Version,
        #[command(flatten)]
        neuron: Neuron,
    },
    /// A text to agree on
    Motion {
        title: String,
        text: String,
        #[command(flatten)]
        neuron: Neuron,
    },
    /// Other parameters of governance
    Parameters {
        /// Each as name=value, such as reject_cost_e8s=100000000; `stoa proposal parameters` lists them
        #[arg(required = true)]
        changes: Vec<String>,
        #[command(flatten)]
        texts: ProposalTexts,
        #[command(flatten)]
        neuron: Neuron,
    },
    /// A payment from the treasury
    Transfer {
        /// In tokens, as 1.5
        amount: String,
        token: TreasuryToken,
        /// Principal, or account in ICRC-1 text
        to: String,
        #[arg(long)]
        memo: Option<u64>,
        #[command(flatten)]
        texts: ProposalTexts,
        #[command(flatten)]
        neuron: Neuron,
    },
    /// New code for a canister, governance itself included
    Upgrade {
        canister: Principal,
        /// Wasm module, also in gzip
        wasm: PathBuf,
        /// Candid argument of its post_upgrade, as text
        #[arg(long)]
        argument: Option<String>,
        /// Canister of yours for the chunks of a module over 1.9 MB; created where absent, on networks that do that for free
        #[arg(long)]
        store: Option<Principal>,
        #[command(flatten)]
        texts: ProposalTexts,
        #[command(flatten)]
        neuron: Neuron,
    },
    /// A call of a generic function; `stoa proposal functions` lists them
    Execute {
        function: u64,
        /// Candid, as text: '(record { version = blob "..." })'
        arguments: String,
        #[command(flatten)]
        texts: ProposalTexts,
        #[command(flatten)]
        neuron: Neuron,
    },
    /// A new generic function: a method that proposals can call
    AddFunction {
        /// From 1000, not given before
        id: u64,
        name: String,
        /// canister.method that is called
        target: String,
        /// canister.method that checks the argument first and renders it for voters
        validator: String,
        #[arg(long)]
        description: Option<String>,
        #[arg(long, default_value = "library")]
        topic: TopicName,
        #[command(flatten)]
        texts: ProposalTexts,
        #[command(flatten)]
        neuron: Neuron,
    },
    /// Other topics for generic functions, and so who follows whom on them and how many votes they need
    Topics {
        /// Each as function=topic, such as 1003=treasury; the topics are those of `--topic` of add-function
        #[arg(required = true)]
        changes: Vec<String>,
        #[command(flatten)]
        texts: ProposalTexts,
        #[command(flatten)]
        neuron: Neuron,
    },
    /// Another name, description, url or logo of the DAO
    Metadata {
        /// Each as name=value, such as name=Commons; a logo is the path of a PNG file
        #[arg(required = true)]
        changes: Vec<String>,
        #[command(flatten)]
        texts: ProposalTexts,
        #[command(flatten)]
        neuron: Neuron,
    },
    /// The end of a generic function
    RemoveFunction {
        id: u64,
        #[command(flatten)]
        texts: ProposalTexts,
        #[command(flatten)]
        neuron: Neuron,
    },
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Choice {
    Yes,
    No,
}

#[derive(Args)]
pub struct Vote {
    /// Number of the proposal, or latest
    pub proposal: String,
    pub choice: Choice,
    #[command(flatten)]
    pub neuron: Neuron,
    /// Wait until it has been executed
    #[arg(long)]
    pub wait: bool,
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq, Debug)]
pub enum StatusName {
    Open,
    Rejected,
    Adopted,
    Executed,
    Failed,
}

#[derive(Subcommand)]
pub enum ProposalCommand {
    /// The newest, or those below a number
    List {
        #[arg(long, default_value_t = 20)]
        limit: u32,
        #[arg(long)]
        before: Option<u64>,
        #[arg(long)]
        status: Vec<StatusName>,
        #[arg(long)]
        topic: Vec<TopicName>,
    },
    /// How one stands, and what voters are shown of it
    Show(ProposalNumber),
    /// What proposals can do: governance's own functions and the generic ones
    Functions,
    /// The parameters of governance
    Parameters,
}

#[derive(Args)]
pub struct ProposalNumber {
    /// Number of the proposal, or latest
    pub proposal: String,
    /// Wait until it has been executed
    #[arg(long)]
    pub wait: bool,
}

#[derive(Args)]
pub struct Treasury {
    /// So many of the newest payments
    #[arg(long, default_value_t = 10)]
    pub payments: u32,
}
