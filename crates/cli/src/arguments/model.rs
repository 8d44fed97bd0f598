//! The grammar of `stoa model`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use stoa_registry_api::VersionStatus;

use super::{Inline, OnInference, Version};

#[derive(Subcommand)]
pub enum Model {
    /// Write a model.toml for a folder with a model: Hugging Face layout with ONNX, or a TensorFlow.js layers model, which is
    /// converted
    Init(Init),
    /// Upload a model; run again after whatever stopped it, it goes on where it was and sends only what is missing
    Push(Push),
    /// Submit a pushed version, so that anyone with a neuron can propose it
    Submit(Version),
    /// Let go of a version that nobody has decided about; its deposit comes back
    Withdraw(Version),
    /// Set the author's price of a call
    Price(Price),
    /// Download a version, every byte checked; run again, it goes on where it was
    Pull(Pull),
    /// Check every byte of a version against the root key, and with --receipt do a paid call again and compare every bit
    Verify(Verify),
    /// Show what a version is: status, files, signature, lineage, price
    Show(Version),
    /// List models, the versions of one, or your own that nobody has decided about
    List(List),
    /// Find models by words of their names, tasks, tags and cards
    Search(Search),
}

#[derive(Args)]
pub struct Init {
    /// Folder with the model
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// What the model is called; the folder's name where absent
    #[arg(long)]
    pub name: Option<String>,
    /// Version number by SemVer
    #[arg(
        long = "model-version",
        value_name = "VERSION",
        default_value = "1.0.0"
    )]
    pub version: String,
    /// SPDX licence expression; the card's where absent
    #[arg(long)]
    pub license: Option<String>,
    /// Task as Hugging Face names it; what the card or the configuration says where absent
    #[arg(long)]
    pub task: Option<String>,
    /// Which model, if the folder has several: an .onnx file or a TensorFlow.js model.json
    #[arg(long, value_name = "PATH")]
    pub model: Option<String>,
    /// Write over what an earlier init wrote
    #[arg(long)]
    pub replace: bool,
}

#[derive(Args)]
pub struct Push {
    /// Folder with a model.toml, as `stoa model init` writes it
    pub folder: PathBuf,
    /// Your publisher handle; needed if you have several
    #[arg(long, env = "STOA_PUBLISHER", hide_env_values = true)]
    pub publisher: Option<String>,
    /// The most ICP to pay as storage deposit; it comes back if the version is withdrawn or rejected
    #[arg(long, value_name = "ICP", default_value = "1")]
    pub max_deposit: String,
    /// Chunks of 1 MiB in flight at once
    #[arg(long, default_value_t = 16)]
    pub parallel: usize,
}

#[derive(Args)]
pub struct Price {
    /// publisher/name
    pub model: String,
    /// In ICP, as 0.01
    pub amount: String,
}

#[derive(Args)]
pub struct Pull {
    #[command(flatten)]
    pub version: Version,
    /// Where to write the files; a folder <name>-<version> here where absent
    pub folder: Option<PathBuf>,
    /// Also what token holders have taken out of the library
    #[arg(long)]
    pub even_revoked: bool,
}

#[derive(Args)]
#[command(group(ArgGroup::new("call").args(["input", "text", "image"]).multiple(true).requires("receipt")))]
pub struct Verify {
    #[command(flatten)]
    pub on: OnInference,
    /// Check the files in this folder, rather than fetch them
    #[arg(long)]
    pub folder: Option<PathBuf>,
    /// Do the call of this receipt again: on --input, --text or --image
    #[arg(long, requires = "call")]
    pub receipt: Option<String>,
    /// The input of that call: tensors, texts, images or rows, as `stoa infer` took it
    #[arg(long)]
    pub input: Option<PathBuf>,
    #[command(flatten)]
    pub inline: Inline,
}

#[derive(Args)]
pub struct List {
    /// publisher/name: its versions, newest first; all models where absent
    #[arg(conflicts_with_all = ["mine", "publisher", "task", "tag", "license", "status", "every_version", "before"])]
    pub model: Option<String>,
    /// What this identity has pushed and nobody has decided about, drafts too
    #[arg(long, conflicts_with_all = ["publisher", "task", "tag", "license", "status", "every_version", "before"])]
    pub mine: bool,
    #[command(flatten)]
    pub filter: Filter,
}

#[derive(Args)]
pub struct Search {
    /// Words, or beginnings of words; all have to occur
    #[arg(required = true)]
    pub words: Vec<String>,
    #[command(flatten)]
    pub filter: Filter,
}

#[derive(Args)]
pub struct Filter {
    #[arg(long)]
    pub publisher: Option<String>,
    /// As image-classification
    #[arg(long)]
    pub task: Option<String>,
    #[arg(long)]
    pub tag: Option<String>,
    /// A licence that the SPDX expression names
    #[arg(long)]
    pub license: Option<String>,
    /// What stands so; where absent what can be run: admitted and deprecated
    #[arg(long)]
    pub status: Option<Status>,
    /// Every version, rather than one for each model
    #[arg(long)]
    pub every_version: bool,
    /// How many at most
    #[arg(long, default_value_t = 20)]
    pub limit: u32,
    /// Go on behind an earlier page: the number that it ended with
    #[arg(long, value_name = "NUMBER")]
    pub before: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Status {
    Any,
    Sealed,
    Proposed,
    Admitted,
    Deprecated,
    Revoked,
    Rejected,
}

impl Status {
    /// `None` for any.
    pub fn of_version(self) -> Option<VersionStatus> {
        Some(match self {
            Status::Any => return None,
            Status::Sealed => VersionStatus::Sealed,
            Status::Proposed => VersionStatus::Proposed,
            Status::Admitted => VersionStatus::Admitted,
            Status::Deprecated => VersionStatus::Deprecated,
            Status::Revoked => VersionStatus::Revoked,
            Status::Rejected => VersionStatus::Rejected,
        })
    }
}
