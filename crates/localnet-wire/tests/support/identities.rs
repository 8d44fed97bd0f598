//! Identities of every plain key kind, from fixed secrets.

use data_encoding::BASE64;
use ic_agent::Identity;
use ic_agent::identity::{
    BasicIdentity, DelegatedIdentity, Delegation, Prime256v1Identity, Secp256k1Identity,
    SignedDelegation,
};

const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const SECP256K1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x0a];

pub fn ed25519(secret: u8) -> BasicIdentity {
    BasicIdentity::from_raw_key(&[secret; 32])
}

pub fn secp256k1(secret: u8) -> Secp256k1Identity {
    Secp256k1Identity::from_pem(elliptic_curve_pem(SECP256K1, secret)).expect("a key")
}

pub fn p256(secret: u8) -> Prime256v1Identity {
    Prime256v1Identity::from_pem(elliptic_curve_pem(P256, secret)).expect("a key")
}

/// SEQUENCE { INTEGER 1, OCTET STRING secret, [0] { OID curve } } in PEM.
fn elliptic_curve_pem(curve: &[u8], secret: u8) -> String {
    let length = |bytes: usize| u8::try_from(bytes).expect("short DER");
    let mut fields = vec![0x02, 0x01, 0x01, 0x04, 0x20];
    fields.extend([secret; 32]);
    fields.extend([0xa0, length(curve.len() + 2), 0x06, length(curve.len())]);
    fields.extend(curve);
    let mut der = vec![0x30, length(fields.len())];
    der.extend(fields);
    format!(
        "-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n",
        BASE64.encode(&der)
    )
}

/// `to` under a delegation from `from`.
pub fn delegated(
    from: &dyn Identity,
    to: Box<dyn Identity>,
    change: impl FnOnce(&mut Delegation),
) -> DelegatedIdentity {
    let mut delegation = Delegation {
        pubkey: to.public_key().expect("a key"),
        expiration: super::now_nanos() + 3_600_000_000_000,
        targets: None,
        permissions: None,
    };
    change(&mut delegation);
    let signed = sign_delegation(from, delegation);
    DelegatedIdentity::new_unchecked(from.public_key().expect("a key"), to, vec![signed])
}

pub fn sign_delegation(from: &dyn Identity, delegation: Delegation) -> SignedDelegation {
    let signature = from.sign_delegation(&delegation).expect("a signature");
    SignedDelegation {
        delegation,
        signature: signature.signature.expect("a signature"),
    }
}
