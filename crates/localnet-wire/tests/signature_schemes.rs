//! WebAuthn and canister signatures, from material generated here.

mod support;

use candid::Principal;
use ciborium::Value;
use data_encoding::BASE64URL_NOPAD;
use ic_agent::agent::{Envelope, EnvelopeContent};
use ic_agent::{AgentError, Identity, Signature};
use ic_certification::{HashTree, labeled, leaf};
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer;
use sha2::{Digest, Sha256};
use stoa_localnet_wire::Keys;
use support::{CANISTER, Network, call_content};

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn to_cbor<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0xd9, 0xd9, 0xf7];
    ciborium::into_writer(value, &mut bytes).expect("CBOR");
    bytes
}

fn map(fields: Vec<(&str, Value)>) -> Value {
    let entry = |(key, value): (&str, Value)| (Value::from(key), value);
    Value::Map(fields.into_iter().map(entry).collect())
}

/// SEQUENCE { SEQUENCE { OID 1.3.6.1.4.1.56387.1.<kind> }, BIT STRING key }.
fn der_wrapped(kind: u8, key: &[u8]) -> Vec<u8> {
    let element = |tag: u8, content: &[u8]| {
        let length = match u8::try_from(content.len()) {
            Ok(short @ 0..=0x7f) => vec![short],
            Ok(longer) => vec![0x81, longer],
            Err(_) => {
                let length = u16::try_from(content.len()).expect("less than 64 KiB");
                [&[0x82][..], &length.to_be_bytes()].concat()
            }
        };
        [&[tag][..], &length, content].concat()
    };
    let algorithm = [
        0x30, 0x0c, 0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xb8, 0x43, 0x01, kind,
    ];
    let bit_string = element(0x03, &[&[0][..], key].concat());
    element(0x30, &[&algorithm[..], &bit_string].concat())
}

fn envelope<'a>(content: &'a EnvelopeContent, key: &[u8], signature: Vec<u8>) -> Envelope<'a> {
    Envelope {
        content: std::borrow::Cow::Borrowed(content),
        sender_pubkey: Some(key.to_vec()),
        sender_sig: Some(signature),
        sender_delegation: None,
    }
}

struct Authenticator(SigningKey);

impl Authenticator {
    fn new() -> Authenticator {
        Authenticator(SigningKey::from_slice(&[3; 32]).expect("a key"))
    }

    fn public_key(&self) -> Vec<u8> {
        let point = self.0.verifying_key().to_sec1_point(false);
        let coordinates = &point.as_bytes()[1..];
        let parameter = |label: i64, value| (Value::from(label), value);
        let cose = Value::Map(vec![
            parameter(1, Value::from(2)),
            parameter(3, Value::from(-7)),
            parameter(-1, Value::from(1)),
            parameter(-2, Value::from(&coordinates[..32])),
            parameter(-3, Value::from(&coordinates[32..])),
        ]);
        let mut bytes = Vec::new();
        ciborium::into_writer(&cose, &mut bytes).expect("CBOR");
        der_wrapped(1, &bytes)
    }

    /// What a browser gives for `navigator.credentials.get` with this challenge.
    fn sign(&self, challenge: &[u8]) -> Vec<u8> {
        let challenge = BASE64URL_NOPAD.encode(challenge);
        let client_data = format!(
            r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"https://example.org"}}"#
        );
        let authenticator_data = vec![7; 37];
        let signed = [&authenticator_data[..], &sha256(client_data.as_bytes())].concat();
        let signature: p256::ecdsa::Signature = self.0.sign(&signed);
        to_cbor(&map(vec![
            ("authenticator_data", Value::Bytes(authenticator_data)),
            ("client_data_json", Value::from(client_data)),
            (
                "signature",
                Value::Bytes(signature.to_der().as_bytes().to_vec()),
            ),
        ]))
    }
}

#[tokio::test]
async fn should_accept_a_webauthn_signature_over_the_request_id() {
    let network = Network::start().await;
    let authenticator = Authenticator::new();
    let key = authenticator.public_key();
    let content = call_content(Principal::self_authenticating(&key));
    let signature = authenticator.sign(&content.to_request_id().signable());
    let answer = network.call(&envelope(&content, &key, signature)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[tokio::test]
async fn should_refuse_a_webauthn_signature_over_another_challenge() {
    let network = Network::start().await;
    let authenticator = Authenticator::new();
    let key = authenticator.public_key();
    let content = call_content(Principal::self_authenticating(&key));
    let without_domain = authenticator.sign(content.to_request_id().as_slice());
    let answer = network
        .call(&envelope(&content, &key, without_domain))
        .await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("challenge"), "{answer:?}");
}

/// A canister that has certified its signature of some message.
struct SigningCanister<'a> {
    network: &'a Network,
    seed: &'static [u8],
}

impl SigningCanister<'_> {
    fn public_key(&self) -> Vec<u8> {
        let id = CANISTER.as_slice();
        let length = u8::try_from(id.len()).expect("at most 29 bytes");
        der_wrapped(2, &[&[length][..], id, self.seed].concat())
    }

    fn tree(&self, message: &[u8]) -> HashTree {
        let messages = labeled(sha256(message).to_vec(), leaf(Vec::new()));
        labeled("sig", labeled(sha256(self.seed).to_vec(), messages))
    }

    fn certify(&self, tree: &HashTree, keys: &Keys) -> Vec<u8> {
        self.network.add_canister(CANISTER, vec![]);
        let mut state = self.network.state.write().expect("the lock");
        let canister = state.canisters.get_mut(&CANISTER).expect("the canister");
        canister.certified_data = tree.digest().to_vec();
        drop(state);
        let state = self.network.state.read().expect("the lock");
        keys.data_certificate(&state, CANISTER)
    }

    fn signature(&self, tree: &HashTree, certificate: Vec<u8>) -> Vec<u8> {
        let tree = Value::serialized(tree).expect("CBOR");
        to_cbor(&map(vec![
            ("certificate", Value::Bytes(certificate)),
            ("tree", tree),
        ]))
    }
}

#[tokio::test]
async fn should_accept_a_canister_signature_under_its_own_root_key_only() {
    let network = Network::start().await;
    let canister = SigningCanister {
        network: &network,
        seed: b"seed",
    };
    let key = canister.public_key();
    let content = call_content(Principal::self_authenticating(&key));
    let tree = canister.tree(&content.to_request_id().signable());

    let certificate = canister.certify(&tree, &network.keys);
    let signature = canister.signature(&tree, certificate);
    let answer = network.call(&envelope(&content, &key, signature)).await;
    assert_eq!(answer.status, 202, "{answer:?}");

    let certificate = canister.certify(&tree, &Keys::generate());
    let signature = canister.signature(&tree, certificate);
    let answer = network.call(&envelope(&content, &key, signature)).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("root key"), "{answer:?}");
}

#[tokio::test]
async fn should_refuse_a_canister_signature_of_another_message_seed_or_state() {
    let network = Network::start().await;
    let canister = SigningCanister {
        network: &network,
        seed: b"seed",
    };
    let key = canister.public_key();
    let content = call_content(Principal::self_authenticating(&key));
    let message = content.to_request_id().signable();
    let right_tree = canister.tree(&message);
    let other_seed = SigningCanister {
        seed: b"other",
        ..canister
    };
    for tree in [canister.tree(b"another message"), other_seed.tree(&message)] {
        let certificate = canister.certify(&tree, &network.keys);
        let signature = canister.signature(&tree, certificate);
        let answer = network.call(&envelope(&content, &key, signature)).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("does not hold"), "{answer:?}");
    }
    let other_tree = canister.tree(b"another message");
    let certificate = canister.certify(&other_tree, &network.keys);
    let signature = canister.signature(&right_tree, certificate);
    let answer = network.call(&envelope(&content, &key, signature)).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("certifies other data"), "{answer:?}");
}

/// An authenticator with an RSA key.
struct RsaAuthenticator(aws_lc_rs::rsa::KeyPair);

impl RsaAuthenticator {
    fn new() -> Self {
        let size = aws_lc_rs::rsa::KeySize::Rsa2048;
        Self(aws_lc_rs::rsa::KeyPair::generate(size).expect("a key"))
    }

    fn public_key(&self) -> Vec<u8> {
        use aws_lc_rs::signature::KeyPair;
        // SEQUENCE { INTEGER modulus of 2048 bits, INTEGER exponent }
        let der = self.0.public_key().as_ref();
        assert_eq!(der.len(), 270);
        let parameter = |label: i64, value| (Value::from(label), value);
        let cose = Value::Map(vec![
            parameter(1, Value::from(3)),
            parameter(3, Value::from(-257)),
            parameter(-1, Value::Bytes(der[9..265].to_vec())),
            parameter(-2, Value::Bytes(der[267..].to_vec())),
        ]);
        let mut bytes = Vec::new();
        ciborium::into_writer(&cose, &mut bytes).expect("CBOR");
        der_wrapped(1, &bytes)
    }

    fn sign(&self, challenge: &[u8]) -> Vec<u8> {
        let challenge = BASE64URL_NOPAD.encode(challenge);
        let client_data = format!(r#"{{"type":"webauthn.get","challenge":"{challenge}"}}"#);
        let authenticator_data = vec![7; 37];
        let signed = [&authenticator_data[..], &sha256(client_data.as_bytes())].concat();
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(
                &aws_lc_rs::signature::RSA_PKCS1_SHA256,
                &aws_lc_rs::rand::SystemRandom::new(),
                &signed,
                &mut signature,
            )
            .expect("a signature");
        to_cbor(&map(vec![
            ("authenticator_data", Value::Bytes(authenticator_data)),
            ("client_data_json", Value::from(client_data)),
            ("signature", Value::Bytes(signature)),
        ]))
    }
}

#[tokio::test]
async fn should_accept_a_webauthn_signature_on_rsa_and_no_changed_one() {
    let network = Network::start().await;
    let authenticator = RsaAuthenticator::new();
    let key = authenticator.public_key();
    let content = call_content(Principal::self_authenticating(&key));
    let message = content.to_request_id().signable();
    let answer = network
        .call(&envelope(&content, &key, authenticator.sign(&message)))
        .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let other = RsaAuthenticator::new().sign(&message);
    let answer = network.call(&envelope(&content, &key, other)).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("WebAuthn"), "{answer:?}");
}

#[tokio::test]
async fn should_accept_sender_info_that_the_senders_own_canister_signed() {
    use ic_agent::agent::EnvelopeContent;
    let network = Network::start().await;
    let canister = SigningCanister {
        network: &network,
        seed: b"seed",
    };
    let key = canister.public_key();
    let sender = Principal::self_authenticating(&key);
    let signed_info = |info: &[u8]| {
        let tree = canister.tree(&[b"\x0Eic-sender-info", info].concat());
        let certificate = canister.certify(&tree, &network.keys);
        canister.signature(&tree, certificate)
    };
    let with_info = |info: &[u8], signer: Principal, sig: Vec<u8>| {
        let mut content = call_content(sender);
        if let EnvelopeContent::Call { sender_info, .. } = &mut content {
            *sender_info = Some(ic_agent::identity::SenderInfo {
                info: info.to_vec(),
                signer: signer.as_slice().to_vec(),
                sig,
            });
        }
        content
    };
    let send = async |content: EnvelopeContent| {
        let tree = canister.tree(&content.to_request_id().signable());
        let certificate = canister.certify(&tree, &network.keys);
        let signature = canister.signature(&tree, certificate);
        network.call(&envelope(&content, &key, signature)).await
    };
    let right = with_info(b"name: Ada", CANISTER, signed_info(b"name: Ada"));
    let answer = send(right).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let other_words = with_info(b"name: Eve", CANISTER, signed_info(b"name: Ada"));
    let other_signer = with_info(b"name: Ada", sender, signed_info(b"name: Ada"));
    for content in [other_words, other_signer] {
        let answer = send(content).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("sender info"), "{answer:?}");
    }
}

/// The identity of a stock agent that signs in a way of the tests' own.
struct Signing<F> {
    key: Vec<u8>,
    sign: F,
}

impl<F: Fn(&[u8]) -> Vec<u8> + Send + Sync> Identity for Signing<F> {
    fn sender(&self) -> Result<Principal, String> {
        Ok(Principal::self_authenticating(&self.key))
    }

    fn public_key(&self) -> Option<Vec<u8>> {
        Some(self.key.clone())
    }

    fn sign(&self, content: &EnvelopeContent) -> Result<Signature, String> {
        Ok(Signature {
            public_key: self.public_key(),
            signature: Some((self.sign)(&content.to_request_id().signable())),
            delegations: None,
        })
    }
}

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// Calls, and is refused once it signs other words.
async fn serves(network: &'static Network, key: Vec<u8>, sign: Sign) {
    let sign = &*Box::leak(Box::new(sign));
    let honest = network
        .agent(Signing {
            key: key.clone(),
            sign,
        })
        .await;
    let forger = network
        .agent(Signing {
            key,
            sign: |_: &[u8]| sign(b"other words"),
        })
        .await;
    let call = honest.update(&CANISTER, "echo").with_arg(*b"argument");
    assert_eq!(call.await.expect("a reply"), b"argument");
    let query = honest.query(&CANISTER, "echo").with_arg(*b"argument");
    assert_eq!(query.call().await.expect("a reply"), b"argument");
    match forger.update(&CANISTER, "echo").await {
        Err(AgentError::HttpError(error)) => assert_eq!(error.status, 400),
        other => panic!("a refusal, not {other:?}"),
    }
}

#[tokio::test]
async fn should_serve_a_stock_agent_that_signs_with_webauthn_or_as_a_canister_and_no_forger() {
    let network: &Network = Box::leak(Box::new(Network::start().await));
    let authenticator = Authenticator::new();
    let key = authenticator.public_key();
    let sign = move |message: &[u8]| authenticator.sign(message);
    serves(network, key, Box::new(sign)).await;
    let authenticator = RsaAuthenticator::new();
    let key = authenticator.public_key();
    let sign = move |message: &[u8]| authenticator.sign(message);
    serves(network, key, Box::new(sign)).await;
    let canister = SigningCanister {
        network,
        seed: b"seed",
    };
    let key = canister.public_key();
    let sign = move |message: &[u8]| {
        let tree = canister.tree(message);
        let certificate = canister.certify(&tree, &network.keys);
        canister.signature(&tree, certificate)
    };
    serves(network, key, Box::new(sign)).await;
}
