//! What a person or a program does with Stoa, as typed calls: publish, vote, run, pay, verify.
//!
//! Every call goes through the stock agent with its default verification. Answers of queries that matter are proven
//! from the network's root key ([`certified`], [`registry`], [`receipt`]) or by hashing bytes ([`pull`], [`verify`]);
//! the rest is what one node says. Nothing here depends on a particular network: an endpoint is all it knows.

pub mod amount;
pub mod certified;
pub mod connection;
pub mod deploy;
pub mod deployment;
pub mod error;
pub mod explain;
pub mod fleet;
mod front_matter;
pub mod governance;
pub mod identity;
pub mod inference;
pub mod init;
pub mod ledger;
pub mod management;
pub mod model_directory;
pub mod polling;
pub mod pull;
pub mod push;
pub mod receipt;
pub mod registry;
pub mod sample;
pub mod shard;
mod topology;
pub mod verify;
pub mod wasm;

pub use connection::Connection;
pub use deployment::Deployment;
pub use error::{Accepted, ClientError, Result, VerificationError};
