//! Signatures of the schemes that the interface specification admits, told apart
//! by the object identifier in the DER public key.

mod canister;
mod der;
mod webauthn;

use candid::Principal;
use k256::ecdsa::signature::Verifier;

/// Why a signature does not count.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("the public key is not a DER SubjectPublicKeyInfo of a known algorithm")]
    UnknownKey,
    #[error("the public key is not a valid {0} key")]
    InvalidKey(&'static str),
    #[error("the signature is not of the form of {0}")]
    Malformed(&'static str),
    #[error("{0} signature could not be verified")]
    NotVerified(&'static str),
    #[error("the challenge in the WebAuthn client data is not what was to be signed")]
    OtherChallenge,
    #[error("the public key is not that of a canister")]
    NotOfACanister,
    #[error("the canister signature's certificate {0}")]
    Certificate(&'static str),
    #[error("the canister signature's tree does not hold the message")]
    NotInTree,
}

const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const SECP256K1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x0a];
/// 1.3.6.1.4.1.56387.1.1
const COSE: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xb8, 0x43, 0x01, 0x01];
/// 1.3.6.1.4.1.56387.1.2
const CANISTER: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xb8, 0x43, 0x01, 0x02];

/// Verifies that the key signed the message (domain separator included).
/// Canister signatures are checked against the network's own root key.
pub(crate) fn verify(
    public_key_der: &[u8],
    message: &[u8],
    signature: &[u8],
    root_key_raw: &[u8; 96],
) -> Result<(), SignatureError> {
    let key = der::public_key(public_key_der).ok_or(SignatureError::UnknownKey)?;
    match (key.algorithm, key.parameters) {
        (ED25519, None) => ed25519(key.bytes, message, signature),
        (EC_PUBLIC_KEY, Some(P256)) => ecdsa_p256(key.bytes, message, signature),
        (EC_PUBLIC_KEY, Some(SECP256K1)) => ecdsa_secp256k1(key.bytes, message, signature),
        (COSE, None) => webauthn::verify(key.bytes, message, signature),
        (CANISTER, None) => canister::verify(key.bytes, message, signature, root_key_raw),
        _ => Err(SignatureError::UnknownKey),
    }
}

/// The canister whose certificates are signatures of that key.
pub(crate) fn signing_canister(public_key_der: &[u8]) -> Result<Principal, SignatureError> {
    let key = der::public_key(public_key_der).ok_or(SignatureError::UnknownKey)?;
    match (key.algorithm, key.parameters) {
        (CANISTER, None) => canister::signer(key.bytes),
        _ => Err(SignatureError::NotOfACanister),
    }
}

fn ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    const NAME: &str = "Ed25519";
    let key: &[u8; 32] = key
        .try_into()
        .map_err(|_| SignatureError::InvalidKey(NAME))?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(key)
        .map_err(|_| SignatureError::InvalidKey(NAME))?;
    let signature = ed25519_dalek::Signature::from_slice(signature)
        .map_err(|_| SignatureError::Malformed(NAME))?;
    key.verify(message, &signature)
        .map_err(|_| SignatureError::NotVerified(NAME))
}

/// Both forms of `s` are accepted, as on a replica: the low one says nothing
/// about authenticity.
fn ecdsa_secp256k1(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    const NAME: &str = "ECDSA secp256k1";
    let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(key)
        .map_err(|_| SignatureError::InvalidKey(NAME))?;
    let signature = k256::ecdsa::Signature::from_slice(signature)
        .map_err(|_| SignatureError::Malformed(NAME))?
        .normalize_s();
    key.verify(message, &signature)
        .map_err(|_| SignatureError::NotVerified(NAME))
}

fn ecdsa_p256(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    const NAME: &str = "ECDSA P-256";
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key)
        .map_err(|_| SignatureError::InvalidKey(NAME))?;
    let signature = p256::ecdsa::Signature::from_slice(signature)
        .map_err(|_| SignatureError::Malformed(NAME))?;
    key.verify(message, &signature)
        .map_err(|_| SignatureError::NotVerified(NAME))
}
