//! The forms in which canisters, messages and requests are stored. They are not
//! the types that the network works with: those may change from one version to
//! the next, what is in a state folder may not.

mod calls;
mod canister;
mod memory;
mod messages;

use std::collections::BTreeSet;
use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

pub use calls::*;
pub use canister::*;
pub use memory::*;
pub use messages::*;

pub fn encode(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    ciborium::from_reader(bytes)
        .map_err(|error| io::Error::other(format!("the state folder is damaged: {error}")))
}

fn candid_bytes(value: &impl candid::CandidType) -> io::Result<ByteBuf> {
    candid::encode_one(value)
        .map(ByteBuf::from)
        .map_err(io::Error::other)
}

fn from_candid<T: candid::CandidType + DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    candid::decode_one(bytes).map_err(io::Error::other)
}

/// Amounts of cycles, as two halves: CBOR's integers end at 64 bits.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Amount(u64, u64);

impl From<u128> for Amount {
    fn from(value: u128) -> Self {
        Self((value >> 64) as u64, value as u64)
    }
}

impl From<Amount> for u128 {
    fn from(Amount(high, low): Amount) -> Self {
        u128::from(high) << 64 | u128::from(low)
    }
}

#[derive(Serialize, Deserialize)]
pub struct StoredNetwork {
    pub seed: ByteBuf,
    pub next_canister: u64,
}

/// The files and modules that something stored refers to.
#[derive(Default)]
pub struct References {
    pub files: BTreeSet<u64>,
    pub blobs: BTreeSet<[u8; 32]>,
}
