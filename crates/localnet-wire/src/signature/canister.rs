//! Canister signatures: a canister "signs" by certifying a tree that holds the
//! message, so the proof is a certificate of the canister's certified data.
//!
//! ```text
//! key        length of the id (1 byte) · canister id · seed
//! signature  { certificate, tree }
//! tree       /sig/H(seed)/H(message) = ""
//! certificate  /canister/<id>/certified_data = root hash of the tree
//! ```

use candid::Principal;
use ic_certification::LookupResult;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_bytes::ByteBuf;
use stoa_types::Sha256;

use super::SignatureError;
use crate::certification::{SELF_DESCRIBING_TAG, STATE_ROOT_DOMAIN};
use crate::received_tree::ReceivedTree;

const NAME: &str = "canister";

#[derive(Deserialize)]
struct CanisterSignature {
    certificate: ByteBuf,
    tree: ReceivedTree,
}

#[derive(Deserialize)]
struct Certificate {
    tree: ReceivedTree,
    signature: ByteBuf,
    delegation: Option<IgnoredAny>,
}

pub(super) fn verify(
    key: &[u8],
    message: &[u8],
    signature: &[u8],
    root_key_raw: &[u8; 96],
) -> Result<(), SignatureError> {
    let (canister_id, seed) = key_parts(key).ok_or(SignatureError::InvalidKey(NAME))?;
    let signature: CanisterSignature = tagged(signature).ok_or(SignatureError::Malformed(NAME))?;
    let path = [
        b"sig".as_slice(),
        &Sha256::of(seed).0,
        &Sha256::of(message).0,
    ];
    if signature.tree.0.lookup_path(path) != LookupResult::Found(b"") {
        return Err(SignatureError::NotInTree);
    }
    let certificate: Certificate = tagged(&signature.certificate)
        .ok_or(SignatureError::Certificate("is not a CBOR certificate"))?;
    check_certificate(
        &certificate,
        canister_id,
        &signature.tree.0.digest(),
        root_key_raw,
    )
}

fn check_certificate(
    certificate: &Certificate,
    canister_id: Principal,
    certified_data: &[u8; 32],
    root_key_raw: &[u8; 96],
) -> Result<(), SignatureError> {
    // The network is its own root subnet and delegates to nobody.
    if certificate.delegation.is_some() {
        return Err(SignatureError::Certificate("has a delegation"));
    }
    let path = [
        b"canister".as_slice(),
        canister_id.as_slice(),
        b"certified_data",
    ];
    if certificate.tree.0.lookup_path(path) != LookupResult::Found(certified_data) {
        return Err(SignatureError::Certificate("certifies other data"));
    }
    let signed = [&STATE_ROOT_DOMAIN[..], &certificate.tree.0.digest()].concat();
    ic_verify_bls_signature::verify_bls_signature(&certificate.signature, &signed, root_key_raw)
        .map_err(|()| SignatureError::Certificate("is not signed by the root key"))
}

pub(super) fn signer(key: &[u8]) -> Result<Principal, SignatureError> {
    match key_parts(key) {
        Some((canister_id, _)) => Ok(canister_id),
        None => Err(SignatureError::InvalidKey(NAME)),
    }
}

fn key_parts(key: &[u8]) -> Option<(Principal, &[u8])> {
    let (&length, rest) = key.split_first()?;
    let (canister_id, seed) = rest.split_at_checked(usize::from(length))?;
    Some((Principal::try_from_slice(canister_id).ok()?, seed))
}

/// The specification requires the self-describing tag on both parts.
fn tagged<T: serde::de::DeserializeOwned>(cbor: &[u8]) -> Option<T> {
    let untagged = cbor.strip_prefix(&SELF_DESCRIBING_TAG)?;
    ciborium::from_reader(untagged).ok()
}
