//! The edge where a manifest is checked. Past it an invalid manifest cannot
//! exist, and its digest is known.
//!
//! What is not proved here: that a file's CID belongs to its chunk list (that takes
//! the DAG, see `stoa-content`), that a file's SHA-256 belongs to its chunks where
//! it has more than one (that takes the bytes), and anything about the registry's state.

mod content;
mod network;
mod pipeline;
mod text;

use std::fmt;

pub(crate) use text::check_line;

use crate::hash::Sha256;
use crate::limits::{BASIS_POINTS_WHOLE, PARENTS_MAX, ROYALTY_SHARES_MAX};
use crate::manifest::{Manifest, RoyaltyShare};
use crate::names::{check_handle, check_model_name, check_semver, check_task};

/// The one schema that is defined.
pub const SCHEMA: u32 = 1;

/// A manifest that keeps every rule of this module, with its digest.
#[derive(Clone, PartialEq, Debug)]
pub struct ValidManifest {
    manifest: Manifest,
    digest: Sha256,
    distinct_chunks: Vec<DistinctChunk>,
    size_bytes: u64,
}

/// A chunk of a version, named once however often its files repeat it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DistinctChunk {
    pub hash: Sha256,
    pub size_bytes: u64,
}

/// Which field was refused, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidManifest {
    /// A path such as `files[2].sha256`.
    pub field: String,
    pub problem: Problem,
}

/// Why a field was refused. Displays as the reason for a person.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    #[error("schema {given} is unknown; this registry reads schema {known}")]
    UnknownSchema { given: u32, known: u32 },
    #[error("{given} bytes are too few, the least is {min}")]
    TooShort { given: u64, min: u64 },
    #[error("{given} bytes are too many, the most is {max}")]
    TooLong { given: u64, max: u64 },
    #[error("{given} entries are too few, the least is {min}")]
    TooFew { given: u64, min: u64 },
    #[error("{given} entries are too many, the most is {max}")]
    TooMany { given: u64, max: u64 },
    #[error("{given} is outside of {min} to {max}")]
    OutOfRange { given: u64, min: u64, max: u64 },
    #[error("expected {expected}")]
    Grammar { expected: &'static str },
    #[error("control and text-direction characters are refused (U+{code_point:04X} at byte {at})")]
    ControlCharacter { code_point: u32, at: u64 },
    #[error("not a SemVer 2.0 version: {detail}")]
    NotSemVer { detail: String },
    #[error("not an SPDX licence expression: {detail}")]
    NotSpdx { detail: String },
    #[error("the same as {other}")]
    Duplicate { other: String },
    #[error("not in ascending order of bytes: it must stand before {before}")]
    NotSorted { before: String },
    #[error("{size_bytes} bytes take {expected} chunks of 1 MiB, but {given} are listed")]
    ChunkCount {
        size_bytes: u64,
        expected: u64,
        given: u64,
    },
    #[error("this chunk has {given} bytes here and {other} bytes elsewhere")]
    ChunkSizeConflict { given: u64, other: u64 },
    #[error("a file of one chunk has that chunk's hash, {chunk}")]
    HashMismatch { chunk: Sha256 },
    #[error("there is no file {path} in this manifest")]
    NoSuchFile { path: String },
    #[error("there is no tensor {name} on this side of the signature")]
    NoSuchTensor { name: String },
    #[error("dimension {name} has a maximum of {given} here and of {other} elsewhere")]
    DimensionConflict {
        name: String,
        given: u64,
        other: u64,
    },
    #[error("a tensor may have {max} elements at most at the largest extents")]
    TooManyElements { max: u64 },
    #[error("the anonymous principal and the management canister cannot be paid")]
    NotPayable,
    #[error("the shares add up to {given} basis points, the most is {max}")]
    SharesTooHigh { given: u64, max: u64 },
    #[error("all texts of the manifest have {given} bytes, the most is {max}")]
    TextTotal { given: u64, max: u64 },
}

impl ValidManifest {
    pub fn digest(&self) -> Sha256 {
        self.digest
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn into_manifest(self) -> Manifest {
        self.manifest
    }

    /// Each chunk once, in the order of the manifest.
    pub fn distinct_chunks(&self) -> &[DistinctChunk] {
        &self.distinct_chunks
    }

    /// Sum of the sizes of the files.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

impl TryFrom<Manifest> for ValidManifest {
    type Error = InvalidManifest;

    fn try_from(manifest: Manifest) -> Result<Self, InvalidManifest> {
        let m = &manifest;
        if m.schema != SCHEMA {
            let problem = Problem::UnknownSchema {
                given: m.schema,
                known: SCHEMA,
            };
            return Err(refuse("schema", problem));
        }
        // The cheap cap on everything comes first, so that a hostile manifest costs one pass over its lengths.
        text::check_total(m)?;
        check_handle(&m.publisher).map_err(at("publisher"))?;
        check_model_name(&m.name).map_err(at("name"))?;
        check_semver(&m.version).map_err(at("version"))?;
        text::check_license(&m.license).map_err(at("license"))?;
        check_task(&m.task).map_err(at("task"))?;
        let (distinct_chunks, size_bytes) = content::check_files(&m.files)?;
        network::check_signature(&m.signature)?;
        network::check_pipeline(&m.pipeline, &m.files)?;
        pipeline::check(&m.pipeline.kind, &m.signature, &m.files)?;
        text::check_card(&m.card)?;
        check_parents(m)?;
        text::check_lineage(&m.lineage)?;
        check_royalties(&m.royalties)?;
        text::check_claims(&m.claims)?;
        Ok(Self {
            digest: manifest.digest(),
            manifest,
            distinct_chunks,
            size_bytes,
        })
    }
}

fn check_parents(m: &Manifest) -> Result<(), InvalidManifest> {
    let parents = &m.lineage.parents;
    check_count("lineage.parents", parents.len(), 0, PARENTS_MAX)?;
    for (index, parent) in parents.iter().enumerate() {
        let earlier = parents[..index]
            .iter()
            .position(|other| other.version == parent.version);
        if let Some(earlier) = earlier {
            let problem = Problem::Duplicate {
                other: format!("lineage.parents[{earlier}].version"),
            };
            return Err(refuse(format!("lineage.parents[{index}].version"), problem));
        }
    }
    Ok(())
}

fn check_royalties(royalties: &[RoyaltyShare]) -> Result<(), InvalidManifest> {
    check_count("royalties", royalties.len(), 0, ROYALTY_SHARES_MAX)?;
    let mut total = 0;
    for (index, share) in royalties.iter().enumerate() {
        let field = |name: &str| format!("royalties[{index}].{name}");
        let given = u64::from(share.basis_points);
        if given == 0 || given > BASIS_POINTS_WHOLE {
            let problem = Problem::OutOfRange {
                given,
                min: 1,
                max: BASIS_POINTS_WHOLE,
            };
            return Err(refuse(field("basis_points"), problem));
        }
        total += given;
        if share.owner == candid::Principal::anonymous()
            || share.owner == candid::Principal::management_canister()
        {
            return Err(refuse(field("owner"), Problem::NotPayable));
        }
        let account = |s: &RoyaltyShare| (s.owner, s.subaccount.unwrap_or_default());
        let earlier = royalties[..index]
            .iter()
            .position(|other| account(other) == account(share));
        if let Some(earlier) = earlier {
            let problem = Problem::Duplicate {
                other: format!("royalties[{earlier}].owner"),
            };
            return Err(refuse(field("owner"), problem));
        }
    }
    if total > BASIS_POINTS_WHOLE {
        let problem = Problem::SharesTooHigh {
            given: total,
            max: BASIS_POINTS_WHOLE,
        };
        return Err(refuse("royalties", problem));
    }
    Ok(())
}

fn check_count(field: &str, given: usize, min: u64, max: u64) -> Result<(), InvalidManifest> {
    let given = given as u64;
    if given < min {
        return Err(refuse(field, Problem::TooFew { given, min }));
    }
    if given > max {
        return Err(refuse(field, Problem::TooMany { given, max }));
    }
    Ok(())
}

fn refuse(field: impl Into<String>, problem: Problem) -> InvalidManifest {
    InvalidManifest {
        field: field.into(),
        problem,
    }
}

fn at(field: impl fmt::Display) -> impl FnOnce(Problem) -> InvalidManifest {
    move |problem| refuse(field.to_string(), problem)
}
