//! What the embedded network certifies, and the certificates over it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use candid::Principal;

use crate::certification::Digests;

use crate::replica::{Rejection, RequestId};

/// A canister's certified facts.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct CanisterEntry {
    /// SHA-256 of the installed module as it was sent (gzipped or not); absent while empty.
    pub module_hash: Option<[u8; 32]>,
    pub controllers: Vec<Principal>,
    /// `icp:public <name>` and `icp:private <name>` custom sections.
    pub metadata: BTreeMap<String, Metadata>,
    /// At most 32 bytes, set by `certified_data_set`.
    pub certified_data: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metadata {
    pub public: bool,
    pub content: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RequestStatus {
    Received,
    Processing,
    Replied(Vec<u8>),
    Rejected(Rejection),
    /// The answer has been dropped; the request must not be executed again.
    Done,
}

#[derive(Clone, Debug)]
pub struct RequestEntry {
    pub sender: Principal,
    pub canister_id: Principal,
    pub status: RequestStatus,
    /// Nobody asks for the answer after that.
    pub forget_at_nanos: u64,
}

impl RequestStatus {
    /// Whether the request has its answer.
    pub fn is_final(&self) -> bool {
        match self {
            RequestStatus::Received | RequestStatus::Processing => false,
            RequestStatus::Replied(_) | RequestStatus::Rejected(_) | RequestStatus::Done => true,
        }
    }
}

/// The facts under `/time`, `/canister`, `/request_status` and `/subnet`.
///
/// A request is answered once: while an id is in `requests`, a `Replied` or
/// `Rejected` status may become `Done` but its content never changes. Digests of
/// answers are kept on the strength of that.
#[derive(Default, Debug)]
pub struct StateTree {
    pub canisters: BTreeMap<Principal, CanisterEntry>,
    pub requests: BTreeMap<RequestId, RequestEntry>,
    /// Digests from the last certificate, so that the next one hashes only what changed.
    pub(crate) digests: Mutex<Digests>,
}
