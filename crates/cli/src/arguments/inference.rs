//! Commands about calling models and paying for it.

use std::path::PathBuf;

use candid::Principal;
use clap::{Args, Subcommand, ValueEnum};
use stoa_inference_api::{Payment, Token};

use super::Version;

/// What pays for a call.
#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Purse {
    /// Your allowance in ICP; credit that covers the price goes first
    Icp,
    /// Your allowance in governance tokens; credit that covers the price goes first
    Stoa,
    /// Your prepaid credit in ICP alone
    Credit,
    /// Your prepaid credit in governance tokens alone
    StoaCredit,
}

impl Purse {
    pub fn payment(self) -> Payment {
        let allowance = |token| Payment::Allowance {
            token,
            from_subaccount: None,
        };
        match self {
            Purse::Icp => allowance(Token::Icp),
            Purse::Stoa => allowance(Token::Governance),
            Purse::Credit => Payment::Credit { token: Token::Icp },
            Purse::StoaCredit => Payment::Credit {
                token: Token::Governance,
            },
        }
    }
}

#[derive(Args)]
pub struct OnInference {
    #[command(flatten)]
    pub version: Version,
    /// Inference canister; where absent one to which the registry sends callers of the version
    #[arg(long)]
    pub inference: Option<Principal>,
}

#[derive(Args)]
pub struct Load {
    #[command(flatten)]
    pub on: OnInference,
    /// What pays, where the DAO asks a price for loads
    #[arg(long)]
    pub pay: Option<Purse>,
}

#[derive(Args)]
pub struct Infer {
    #[command(flatten)]
    pub on: OnInference,
    /// JSON: {"inputs": [..]} of the Open Inference Protocol, {"texts": ["..."]}, or {"images": ["<base64>"]}
    pub input: PathBuf,
    /// Refuse to pay more than this, in ICP
    #[arg(long)]
    pub max_price: Option<String>,
    #[arg(long, default_value = "icp")]
    pub pay: Purse,
    /// A free preview without a receipt, where the DAO allows it
    #[arg(long, conflicts_with_all = ["pay", "submit"])]
    pub preview: bool,
    /// Do not wait: print the number of the job
    #[arg(long)]
    pub submit: bool,
}

#[derive(Args)]
pub struct Job {
    /// What `infer --submit` printed
    pub id: u64,
    #[arg(long)]
    pub inference: Option<Principal>,
    /// Wait until it has ended
    #[arg(long)]
    pub wait: bool,
}

#[derive(Args)]
pub struct OfCredit {
    /// In governance tokens rather than ICP
    #[arg(long)]
    pub stoa: bool,
    #[arg(long)]
    pub inference: Option<Principal>,
}

impl OfCredit {
    pub fn token(&self) -> Token {
        if self.stoa {
            Token::Governance
        } else {
            Token::Icp
        }
    }
}

#[derive(Subcommand)]
pub enum Credit {
    /// Show what you have prepaid and what royalties you are owed
    Show {
        #[arg(long)]
        inference: Option<Principal>,
    },
    /// Prepay calls from your allowance
    Deposit {
        /// In tokens, as 1.5
        amount: String,
        #[command(flatten)]
        of: OfCredit,
    },
    /// Take prepaid tokens back; the ledger's fee is taken from them
    Withdraw {
        /// In tokens, as 1.5
        amount: String,
        #[command(flatten)]
        of: OfCredit,
    },
    /// Have your royalties paid now
    Claim {
        #[command(flatten)]
        of: OfCredit,
    },
    /// Make a secret that lets HTTP clients spend your credit, and print it once
    AddKey {
        /// What it may spend in all, in tokens
        limit: String,
        /// To know it by
        #[arg(long, default_value = "")]
        label: String,
        /// Days until it expires
        #[arg(long)]
        days: Option<u64>,
        #[command(flatten)]
        of: OfCredit,
    },
    /// List your keys by their hashes
    Keys {
        #[arg(long)]
        inference: Option<Principal>,
    },
    /// Take a key back
    RemoveKey {
        /// Its hash, 64 hexadecimal digits
        hash: String,
        #[arg(long)]
        inference: Option<Principal>,
    },
}
