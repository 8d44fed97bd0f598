//! What governance was installed with. Its texts change by vote (`ManageSnsMetadata`), nothing else does.

use candid::Principal;
use minicbor::{Decode, Encode};

use crate::cbor::Added;

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Settings {
    #[cbor(n(0), with = "crate::cbor::principal")]
    pub token_ledger: Principal,
    #[cbor(n(1), with = "crate::cbor::principal")]
    pub icp_ledger: Principal,
    #[cbor(n(2), with = "crate::cbor::principal")]
    pub cycles_minting: Principal,
    #[n(3)]
    pub name: String,
    #[n(4)]
    pub description: String,
    #[n(5)]
    pub url: String,
    #[n(6)]
    pub genesis_seconds: u64,
    /// As a data URL.
    #[n(7)]
    pub logo: Added<Option<String>>,
}
