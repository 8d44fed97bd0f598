//! The seam between the public HTTP interface (this crate) and the machine that
//! runs canisters (`stoa-localnet`). This crate decides what is authentic and
//! what may be read; the machine decides what happens.

use std::future::Future;
use std::sync::{Arc, RwLock};

use candid::Principal;

use crate::state_tree::StateTree;

/// SHA-256 over the representation-independent hash of a request's content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub [u8; 32]);

/// An update call whose envelope has been verified: signature, delegations,
/// expiry, nonce and effective canister id are all in order.
#[derive(Clone, Debug)]
pub struct Ingress {
    pub request_id: RequestId,
    /// Of the envelope as it arrived, which is what receiving it costs by.
    pub message_bytes: usize,
    pub sender: Principal,
    /// `aaaaa-aa` for the management canister.
    pub canister_id: Principal,
    /// The id in the URL; routes management calls. `aaaaa-aa` where the URL
    /// named the management canister itself or a subnet.
    pub effective_canister_id: Principal,
    pub method_name: String,
    pub arg: Vec<u8>,
    pub ingress_expiry_nanos: u64,
    pub sender_info: Option<SenderInfo>,
}

/// What a canister that signs for the sender says of the sender.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SenderInfo {
    pub info: Vec<u8>,
    pub signer: Principal,
}

/// A query call whose envelope has been verified.
#[derive(Clone, Debug)]
pub struct Query {
    pub sender: Principal,
    pub canister_id: Principal,
    pub effective_canister_id: Principal,
    pub method_name: String,
    pub arg: Vec<u8>,
    pub sender_info: Option<SenderInfo>,
}

/// Reject code (1..=6), text and the replica's error code (`IC0503`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    pub code: u64,
    pub message: String,
    pub error_code: String,
}

/// What became of an ingress message when it was offered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Submission {
    /// Accepted, or known already: its fate is in the state tree.
    Accepted,
    /// Refused before it was scheduled (`inspect_message`, unknown canister,
    /// no module, not a controller, out of cycles): never enters the state tree.
    Refused(Rejection),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QueryOutcome {
    Replied(Vec<u8>),
    Rejected(Rejection),
}

/// The machine behind the interface.
pub trait Replica: Send + Sync + 'static {
    /// Everything that certificates speak of. The machine writes it, this crate reads it.
    fn state(&self) -> Arc<RwLock<StateTree>>;

    /// Offers an ingress message. Returns as soon as it is accepted or refused,
    /// not when it has run. Submitting a known request id again is `Accepted`.
    fn submit(&self, ingress: Ingress) -> impl Future<Output = Submission> + Send;

    /// Resolves once the request is replied or rejected in the state tree.
    fn wait_until_done(&self, request_id: RequestId) -> impl Future<Output = ()> + Send;

    /// Runs a (composite) query. Must not block the async runtime.
    fn query(&self, query: Query) -> impl Future<Output = QueryOutcome> + Send;
}
