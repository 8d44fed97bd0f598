//! The two keys of an embedded network: the root key that signs certificates
//! (BLS12-381) and the key of its only node, which signs query answers (Ed25519).
//!
//! The network is its own root subnet, so certificates carry no delegation and
//! the subnet id is the principal that the root key authenticates.

use std::time::{SystemTime, UNIX_EPOCH};

use candid::Principal;
use ed25519_dalek::{Signer, SigningKey};
use ic_verify_bls_signature::PrivateKey;
use sha2::{Digest, Sha256};

use crate::certification::{self, Reveal};
use crate::state_tree::StateTree;

/// SEQUENCE { SEQUENCE { OID bls12-381, OID bls12-381-g2 }, BIT STRING of 96 bytes }.
const ROOT_KEY_DER_PREFIX: [u8; 37] = [
    0x30, 0x81, 0x82, 0x30, 0x1d, 0x06, 0x0d, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xdc, 0x7c, 0x05,
    0x03, 0x01, 0x02, 0x01, 0x06, 0x0c, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xdc, 0x7c, 0x05, 0x03,
    0x02, 0x01, 0x03, 0x61, 0x00,
];

/// SEQUENCE { SEQUENCE { OID ed25519 }, BIT STRING of 32 bytes }.
const NODE_KEY_DER_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Signing keys of one embedded network.
pub struct Keys {
    root: PrivateKey,
    root_key_raw: [u8; 96],
    root_key_der: Vec<u8>,
    subnet_id: Principal,
    node: SigningKey,
    node_key_der: Vec<u8>,
    node_id: Principal,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Keys")
            .field("subnet_id", &self.subnet_id.to_text())
            .field("node_id", &self.node_id.to_text())
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Fresh keys from the operating system's randomness.
    ///
    /// # Panics
    /// If the operating system cannot give random bytes.
    pub fn generate() -> Keys {
        let mut seed = [0u8; 32];
        getrandom::fill(&mut seed).expect("the operating system gives random bytes");
        Keys::from_seed(seed)
    }

    /// The same keys for the same seed, so that a network can be started again
    /// under its old root key.
    pub fn from_seed(seed: [u8; 32]) -> Keys {
        let root = bls_key(&seed);
        let node = SigningKey::from_bytes(&derive(&seed, b"stoa-localnet-node-key", 0));
        let root_key_raw = root.public_key().serialize();
        let root_key_der = [&ROOT_KEY_DER_PREFIX[..], &root_key_raw].concat();
        let node_key_der = [&NODE_KEY_DER_PREFIX[..], node.verifying_key().as_bytes()].concat();
        Keys {
            root,
            root_key_raw,
            subnet_id: Principal::self_authenticating(&root_key_der),
            root_key_der,
            node,
            node_id: Principal::self_authenticating(&node_key_der),
            node_key_der,
        }
    }

    /// The root key as `/api/v2/status` shows it: 133 bytes of DER.
    pub fn root_key_der(&self) -> &[u8] {
        &self.root_key_der
    }

    /// The subnet's id: the self-authenticating principal of the root key.
    pub fn subnet_id(&self) -> Principal {
        self.subnet_id
    }

    /// The id of the subnet's only node.
    pub fn node_id(&self) -> Principal {
        self.node_id
    }

    /// The node's public key: 44 bytes of DER.
    pub fn node_key_der(&self) -> &[u8] {
        &self.node_key_der
    }

    /// What `ic0.data_certificate_copy` gives to a canister in a query: a CBOR
    /// certificate that reveals `/time` and the canister's `certified_data`.
    pub fn data_certificate(&self, state: &StateTree, canister_id: Principal) -> Vec<u8> {
        let mut reveal = Reveal::nothing();
        reveal.add(&[
            b"canister".as_slice(),
            canister_id.as_slice(),
            b"certified_data",
        ]);
        certification::certificate(self, state, now_nanos(), reveal)
    }

    pub(crate) fn root_key_raw(&self) -> &[u8; 96] {
        &self.root_key_raw
    }

    pub(crate) fn sign_as_root(&self, message: &[u8]) -> [u8; 48] {
        self.root.sign(message).serialize()
    }

    pub(crate) fn sign_as_node(&self, message: &[u8]) -> [u8; 64] {
        self.node.sign(message).to_bytes()
    }
}

/// Nanoseconds since 1970 by this machine's clock.
pub(crate) fn now_nanos() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock stands after 1970");
    u64::try_from(elapsed.as_nanos()).expect("the clock stands before 2554")
}

fn derive(seed: &[u8; 32], purpose: &[u8], attempt: u32) -> [u8; 32] {
    Sha256::new()
        .chain_update(purpose)
        .chain_update(seed)
        .chain_update(attempt.to_be_bytes())
        .finalize()
        .into()
}

/// A scalar is valid only below the group order, which is a little under 2^255:
/// a hash misses it more often than not, so the next one is tried.
fn bls_key(seed: &[u8; 32]) -> PrivateKey {
    (0..)
        .filter_map(|attempt| {
            let candidate = derive(seed, b"stoa-localnet-root-key", attempt);
            if candidate == [0; 32] {
                return None;
            }
            PrivateKey::deserialize(&candidate).ok()
        })
        .next()
        .expect("a hash below the group order turns up within a few attempts")
}
