//! What the embedded network certifies, and the certificates over it.

use std::collections::BTreeMap;

use candid::Principal;

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
}

/// The facts under `/time`, `/canister`, `/request_status` and `/subnet`.
#[derive(Default, Debug)]
pub struct StateTree {
    pub canisters: BTreeMap<Principal, CanisterEntry>,
    pub requests: BTreeMap<RequestId, RequestEntry>,
}
