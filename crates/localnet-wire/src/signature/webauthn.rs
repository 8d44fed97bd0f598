//! WebAuthn: the authenticator signs its own data and a hash of the browser's
//! client data, and the message stands in there as the challenge.
//!
//! Keys are in COSE form: on P-256, or RSA (some Windows authenticators).

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use ciborium::value::{Integer, Value};
use data_encoding::BASE64URL_NOPAD;
use k256::ecdsa::signature::Verifier;
use serde::Deserialize;
use serde_bytes::ByteBuf;
use stoa_types::Sha256;

use super::SignatureError;

const NAME: &str = "WebAuthn";

/// COSE key parameters (RFC 9052, 9053).
const KEY_TYPE: i64 = 1;
const ALGORITHM: i64 = 3;
const EC2_CURVE: i64 = -1;
const EC2_X: i64 = -2;
const EC2_Y: i64 = -3;
const RSA_MODULUS: i64 = -1;
const RSA_EXPONENT: i64 = -2;
const KEY_TYPE_EC2: i64 = 2;
const KEY_TYPE_RSA: i64 = 3;
const ALGORITHM_ES256: i64 = -7;
/// RFC 8812: RSASSA-PKCS1-v1_5 with SHA-256.
const ALGORITHM_RS256: i64 = -257;
const CURVE_P256: i64 = 1;

#[derive(Deserialize)]
struct WebAuthnSignature {
    authenticator_data: ByteBuf,
    client_data_json: String,
    signature: ByteBuf,
}

#[derive(Deserialize)]
struct ClientData {
    challenge: String,
}

pub(super) fn verify(
    cose_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let key = public_key(cose_key)?;
    let signature: WebAuthnSignature =
        ciborium::from_reader(signature).map_err(|_| SignatureError::Malformed(NAME))?;
    let client_data: ClientData = serde_json::from_str(&signature.client_data_json)
        .map_err(|_| SignatureError::Malformed(NAME))?;
    let challenge = BASE64URL_NOPAD
        .decode(client_data.challenge.trim_end_matches('=').as_bytes())
        .map_err(|_| SignatureError::Malformed(NAME))?;
    if challenge != message {
        return Err(SignatureError::OtherChallenge);
    }
    let signed = [
        signature.authenticator_data.as_slice(),
        &Sha256::of(signature.client_data_json.as_bytes()).0,
    ]
    .concat();
    key.verify(&signed, &signature.signature)
}

enum PublicKey {
    P256(p256::ecdsa::VerifyingKey),
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
}

impl PublicKey {
    fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match self {
            PublicKey::P256(key) => {
                let signature = p256::ecdsa::Signature::from_der(signature)
                    .map_err(|_| SignatureError::Malformed(NAME))?;
                key.verify(signed, &signature)
                    .map_err(|_| SignatureError::NotVerified(NAME))
            }
            PublicKey::Rsa { modulus, exponent } => RsaPublicKeyComponents {
                n: modulus,
                e: exponent,
            }
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
            .map_err(|_| SignatureError::NotVerified(NAME)),
        }
    }
}

fn public_key(cose_key: &[u8]) -> Result<PublicKey, SignatureError> {
    let invalid = || SignatureError::InvalidKey(NAME);
    let Ok(Value::Map(parameters)) = ciborium::from_reader(cose_key) else {
        return Err(invalid());
    };
    let parameter = |label: i64| {
        let label = Value::Integer(Integer::from(label));
        parameters
            .iter()
            .find(|(key, _)| *key == label)
            .map(|(_, value)| value)
    };
    let number = |label| parameter(label).and_then(Value::as_integer);
    let coordinate = |label| {
        let bytes = parameter(label).and_then(Value::as_bytes)?;
        <[u8; 32]>::try_from(bytes.as_slice()).ok()
    };
    if number(KEY_TYPE) == Some(KEY_TYPE_RSA.into()) {
        let bytes = |label| parameter(label).and_then(Value::as_bytes).cloned();
        return match (number(ALGORITHM), bytes(RSA_MODULUS), bytes(RSA_EXPONENT)) {
            (Some(algorithm), Some(modulus), Some(exponent))
                if algorithm == ALGORITHM_RS256.into() =>
            {
                Ok(PublicKey::Rsa { modulus, exponent })
            }
            _ => Err(invalid()),
        };
    }
    if number(KEY_TYPE) != Some(KEY_TYPE_EC2.into())
        || number(ALGORITHM) != Some(ALGORITHM_ES256.into())
        || number(EC2_CURVE) != Some(CURVE_P256.into())
    {
        return Err(invalid());
    }
    let x = coordinate(EC2_X).ok_or_else(invalid)?;
    let y = coordinate(EC2_Y).ok_or_else(invalid)?;
    // 0x04 begins an uncompressed point.
    let point = [&[0x04][..], &x, &y].concat();
    p256::ecdsa::VerifyingKey::from_sec1_bytes(&point)
        .map(PublicKey::P256)
        .map_err(|_| invalid())
}
