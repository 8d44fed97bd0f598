//! The manifest: everything that a version of a model is. Its canonical hash is
//! the version's identifier, so every field is part of what token holders vote on.

use candid::{CandidType, Principal};
use serde::Deserialize;

use crate::hash::Sha256;
pub use crate::pipeline::PipelineKind;
use crate::tensor::DataType;

/// The manifest as it travels. Nothing about it is checked yet: `ValidManifest::try_from` does that.
#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct Manifest {
    /// Version of this schema; 1.
    pub schema: u32,
    /// Handle of the publisher, without `@`.
    pub publisher: String,
    pub name: String,
    /// SemVer 2.0.
    pub version: String,
    /// SPDX licence expression.
    pub license: String,
    /// Task as Hugging Face names it, e.g. `image-classification`.
    pub task: String,
    pub files: Vec<FileEntry>,
    pub signature: Signature,
    pub pipeline: Pipeline,
    pub card: Card,
    pub lineage: Lineage,
    pub royalties: Vec<RoyaltyShare>,
    pub claims: Vec<EvaluationClaim>,
}

/// One file of the version. Chunks are 1 MiB each but for the last (`unixfs-v1-2025`).
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct FileEntry {
    /// Relative, `/`-separated, no `.` or `..` parts.
    pub path: String,
    pub size_bytes: u64,
    pub sha256: Sha256,
    /// CIDv1 in base32, as `ipfs add` with the same profile gives it.
    pub cid: String,
    /// SHA-256 of each chunk in order; one chunk (of zero bytes) for an empty file.
    pub chunks: Vec<Sha256>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    pub inputs: Vec<TensorSpec>,
    pub outputs: Vec<TensorSpec>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TensorSpec {
    pub name: String,
    pub datatype: DataType,
    pub shape: Vec<Dimension>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum Dimension {
    Fixed(u64),
    /// Chosen by the caller, from 1 to `max`.
    Dynamic {
        name: String,
        max: u64,
    },
}

/// How a call's input becomes the network's input and its output the answer.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Pipeline {
    /// Path of the ONNX file that is run.
    pub model: String,
    pub kind: PipelineKind,
    /// Class names by index; empty where the model has none.
    pub labels: Vec<String>,
}

/// The model card: Markdown and the front-matter fields that Hugging Face users know.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Card {
    pub markdown: String,
    pub language: Vec<String>,
    pub tags: Vec<String>,
    pub datasets: Vec<String>,
    pub metrics: Vec<String>,
    pub base_model: Option<String>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Lineage {
    pub parents: Vec<Parent>,
    pub datasets: Vec<String>,
    /// Where the training code is, e.g. a repository and commit.
    pub code_revision: Option<String>,
    pub service_endpoints: Vec<String>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Parent {
    pub version: Sha256,
    pub relation: Relation,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relation {
    Finetune,
    Adapter,
    Quantized,
    Merge,
    Distilled,
    Converted,
}

/// A share of what callers pay, in basis points (1/10,000); the shares of a manifest add up to 10,000 at most.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct RoyaltyShare {
    pub owner: Principal,
    pub subaccount: Option<Sha256>,
    pub basis_points: u16,
}

/// What the publisher claims, as decimal text, so that no float enters the hash.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct EvaluationClaim {
    pub dataset: String,
    pub split: String,
    pub metric: String,
    pub value: String,
}
