//! The Internet Computer's public HTTP interface for the embedded network:
//! envelopes, signatures, certificates. It knows nothing of Wasm.
//!
//! What must hold: nothing reaches the machine behind the [`Replica`] unless its
//! envelope is authentic, in time and addressed to the canister that the URL
//! names; and nothing leaves but what the asker may read, under a certificate or
//! a node signature that stock agents verify with their default settings.

mod authentication;
mod certification;
mod envelope;
mod gateway;
mod http;
mod keys;
mod readable_paths;
mod received_tree;
mod request_tree;
mod routing;
mod signature;
mod witness;

pub mod replica;
pub mod state_tree;

pub use http::router;
pub use keys::Keys;
pub use replica::{
    Ingress, Query, QueryOutcome, Rejection, Replica, RequestId, SenderInfo, Submission,
};
pub use state_tree::{CanisterEntry, Metadata, RequestEntry, RequestStatus, StateTree};
