//! Certified data: from the network's root key down to one value in a canister's hash tree.
//!
//! What must hold: a value is handed out only if (1) the certificate is signed under the root key, is recent and may
//! speak for the canister, (2) it carries that canister's certified data, (3) the witness hashes to that data, and
//! (4) the witness shows the value at the path. Everything else in the answer is to be compared with it.

use candid::Principal;
use ic_agent::{Agent, Certificate};
use ic_certification::{HashTree, LookupResult};

use crate::error::VerificationError;

/// A witness whose root hash the network has certified as `canister`'s.
#[derive(Debug)]
pub struct CertifiedTree {
    witness: HashTree,
}

impl CertifiedTree {
    pub fn verify(
        agent: &Agent,
        canister: Principal,
        certificate: &[u8],
        witness: &[u8],
    ) -> Result<Self, VerificationError> {
        let certificate: Certificate = from_cbor("certificate", certificate)?;
        let witness: HashTree = from_cbor("witness", witness)?;
        agent
            .verify(&certificate, canister)
            .map_err(|error| VerificationError::Certificate {
                reason: error.to_string(),
            })?;
        let path: [&[u8]; 3] = [b"canister", canister.as_slice(), b"certified_data"];
        let LookupResult::Found(certified_data) = certificate.tree.lookup_path(path) else {
            return Err(VerificationError::Certificate {
                reason: format!("it says nothing about the data of canister {canister}"),
            });
        };
        if certified_data != witness.digest() {
            return Err(VerificationError::WitnessNotCertified { canister });
        }
        Ok(Self { witness })
    }

    /// The value at `path`; a witness that prunes it or proves its absence is an error.
    pub fn value(&self, path: &[&[u8]]) -> Result<&[u8], VerificationError> {
        match self.witness.lookup_path(path) {
            LookupResult::Found(value) => Ok(value),
            _ => Err(VerificationError::WitnessLacks {
                path: display_path(path),
            }),
        }
    }

    /// As [`Self::value`], but `None` where the witness proves that there is nothing.
    pub fn value_or_absence(&self, path: &[&[u8]]) -> Result<Option<&[u8]>, VerificationError> {
        match self.witness.lookup_path(path) {
            LookupResult::Found(value) => Ok(Some(value)),
            LookupResult::Absent => Ok(None),
            _ => Err(VerificationError::WitnessLacks {
                path: display_path(path),
            }),
        }
    }
}

fn from_cbor<T: serde::de::DeserializeOwned>(
    part: &'static str,
    bytes: &[u8],
) -> Result<T, VerificationError> {
    serde_cbor::from_slice(bytes).map_err(|error| VerificationError::Malformed {
        part,
        reason: error.to_string(),
    })
}

fn display_path(path: &[&[u8]]) -> String {
    path.iter()
        .map(|label| match std::str::from_utf8(label) {
            Ok(text) if text.chars().all(|c| c.is_ascii_graphic()) => format!("/{text}"),
            _ => format!("/{}", hex::encode(label)),
        })
        .collect()
}
