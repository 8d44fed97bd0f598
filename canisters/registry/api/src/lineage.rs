//! Where a version comes from and what came of it.

use candid::CandidType;
use serde::Deserialize;
use stoa_types::Sha256;
use stoa_types::manifest::Relation;

use crate::{GetVersionError, VersionSummary};

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineageDirection {
    /// What the version was made from.
    Parents,
    /// What was made from it.
    Children,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct LineageArgs {
    pub version: Sha256,
    pub direction: LineageDirection,
    /// Steps to go at most; 1 gives the nearest only, absent goes to the end.
    pub depth: Option<u32>,
    /// Continue behind this entry of an earlier page.
    pub after: Option<LineagePosition>,
    /// At most 100; 100 where absent.
    pub limit: Option<u32>,
}

/// Entries stand by depth, then by digest.
#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LineagePosition {
    pub depth: u32,
    pub version: Sha256,
}

/// Each version once, where it is nearest.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct LineageEntry {
    pub position: LineagePosition,
    /// One step nearer to the version asked about; of several the lowest digest.
    pub through: Sha256,
    /// Of the child to its parent.
    pub relation: Relation,
    /// Absent where the version is gone.
    pub summary: Option<VersionSummary>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct LineagePage {
    pub entries: Vec<LineageEntry>,
    /// Give it as `after` for the next page; absent on the last one.
    pub next: Option<LineagePosition>,
    /// The family is larger than one query walks: ask on from the last entries.
    pub is_cut_off: bool,
}

pub type LineageResult = Result<LineagePage, GetVersionError>;
