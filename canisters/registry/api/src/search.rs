//! Search over the versions that were sealed; drafts are nobody's business but their publisher's.

use candid::CandidType;
use serde::Deserialize;

use crate::{VersionStatus, VersionSummary};

/// All that are given must hold. Names are compared without regard to case.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct SearchArgs {
    /// Words or beginnings of words, of names, task, tags, data sets, base model and the head of the card.
    pub text: Option<String>,
    pub task: Option<String>,
    pub tag: Option<String>,
    pub publisher: Option<String>,
    pub status: Option<VersionStatus>,
    /// A licence that the SPDX expression names, or the whole expression.
    pub license: Option<String>,
    /// Else a model stands once, for its default version, or for its newest where none was admitted.
    pub every_version: Option<bool>,
    /// Continue behind an earlier page: its `next`.
    pub before: Option<u64>,
    /// At most 100; 20 where absent.
    pub limit: Option<u32>,
}

/// Newest first. Pages do not overlap, whatever is published in between.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct SearchPage {
    pub versions: Vec<VersionSummary>,
    /// Give it as `before` for the next page; absent on the last one.
    pub next: Option<u64>,
    /// All that match, on every page.
    pub matches: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum SearchError {
    TooLong { field: String, given: u64, max: u64 },
    TooManyWords { given: u64, max: u64 },
}

pub type SearchResult = Result<SearchPage, SearchError>;
