//! Requests that must be refused, and the statuses that a replica gives them.

mod support;

use std::borrow::Cow;

use candid::Principal;
use ic_agent::agent::{Envelope, EnvelopeContent};
use ic_agent::identity::{Delegation, Identity};
use support::identities::{delegated, ed25519, secp256k1, sign_delegation};
use support::{CANISTER, Network, call_content, canister_path, now_nanos, query_content, signed};

const SECOND: u64 = 1_000_000_000;

fn sender_of(identity: &dyn Identity) -> Principal {
    identity.sender().expect("a principal")
}

fn call_expiring_at(expiry: u64) -> EnvelopeContent {
    let mut content = call_content(sender_of(&ed25519(1)));
    if let EnvelopeContent::Call { ingress_expiry, .. } = &mut content {
        *ingress_expiry = expiry;
    }
    content
}

fn unsigned(content: &EnvelopeContent) -> Envelope<'_> {
    Envelope {
        content: Cow::Borrowed(content),
        sender_pubkey: None,
        sender_sig: None,
        sender_delegation: None,
    }
}

fn read_state(sender: Principal, paths: &[&[&[u8]]]) -> EnvelopeContent {
    let path = |path: &&[&[u8]]| path.iter().map(|label| (*label).into()).collect();
    EnvelopeContent::ReadState {
        ingress_expiry: now_nanos() + 180 * SECOND,
        sender,
        paths: paths.iter().map(path).collect(),
    }
}

#[tokio::test]
async fn should_refuse_a_call_outside_its_window_of_expiry() {
    let network = Network::start().await;
    let now = now_nanos();
    let refused = [
        now - 600 * SECOND,
        now - SECOND,
        now + 3_600 * SECOND,
        now + 340 * SECOND,
        0,
        u64::MAX,
    ];
    for expiry in refused {
        let content = call_expiring_at(expiry);
        let answer = network.call(&signed(&content, &ed25519(1))).await;
        assert_eq!(answer.status, 400);
        assert!(
            answer.text().contains("Invalid request expiry: "),
            "{answer:?}"
        );
    }
    for expiry in [now + 10 * SECOND, now + 325 * SECOND] {
        let content = call_expiring_at(expiry);
        let answer = network.call(&signed(&content, &ed25519(1))).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
}

#[tokio::test]
async fn should_check_the_expiry_of_signed_queries_and_not_of_anonymous_ones() {
    let network = Network::start().await;
    let expired = |sender| {
        let mut content = query_content(sender);
        if let EnvelopeContent::Query { ingress_expiry, .. } = &mut content {
            *ingress_expiry = 1;
        }
        content
    };
    let content = expired(sender_of(&ed25519(1)));
    let answer = network.query(&signed(&content, &ed25519(1))).await;
    assert_eq!(answer.status, 400);
    let content = expired(Principal::anonymous());
    let answer = network.query(&unsigned(&content)).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn should_refuse_a_tampered_signature() {
    let network = Network::start().await;
    let identities: [Box<dyn Identity>; 2] = [Box::new(ed25519(1)), Box::new(secp256k1(1))];
    for identity in identities {
        let content = call_content(sender_of(&identity));
        let whole = signed(&content, &identity);
        assert_eq!(network.call(&whole).await.status, 202);
        for change in [0, 31, 32, 63] {
            let mut tampered = whole.clone();
            tampered.sender_sig.as_mut().expect("a signature")[change] ^= 1;
            let answer = network.call(&tampered).await;
            assert_eq!(answer.status, 400);
            assert!(answer.text().contains("Invalid signature"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn should_refuse_content_that_was_not_signed() {
    let network = Network::start().await;
    let content = call_content(sender_of(&ed25519(1)));
    let mut envelope = signed(&content, &ed25519(1));
    let mut changed = content.clone();
    if let EnvelopeContent::Call { arg, .. } = &mut changed {
        arg.push(0);
    }
    envelope.content = Cow::Owned(changed);
    assert_eq!(network.call(&envelope).await.status, 400);
}

#[tokio::test]
async fn should_refuse_a_sender_that_the_key_does_not_authenticate() {
    let network = Network::start().await;
    let content = call_content(sender_of(&ed25519(2)));
    let answer = network.call(&signed(&content, &ed25519(1))).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("does not match the public key"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn should_refuse_a_missing_signature_and_a_signed_anonymous_request() {
    let network = Network::start().await;
    let content = call_content(sender_of(&ed25519(1)));
    let answer = network.call(&unsigned(&content)).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("Missing signature"), "{answer:?}");
    let content = call_content(Principal::anonymous());
    assert_eq!(network.call(&unsigned(&content)).await.status, 202);
    let answer = network.call(&signed(&content, &ed25519(1))).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn should_refuse_half_a_signature() {
    let network = Network::start().await;
    let content = call_content(sender_of(&ed25519(1)));
    let whole = signed(&content, &ed25519(1));
    let mut without_key = whole.clone();
    without_key.sender_pubkey = None;
    assert_eq!(network.call(&without_key).await.status, 400);
    let mut without_signature = whole;
    without_signature.sender_sig = None;
    assert_eq!(network.call(&without_signature).await.status, 400);
}

#[tokio::test]
async fn should_refuse_a_nonce_of_33_bytes() {
    let network = Network::start().await;
    let content = |length| {
        let mut content = call_content(sender_of(&ed25519(1)));
        if let EnvelopeContent::Call { nonce, .. } = &mut content {
            *nonce = Some(vec![b'n'; length]);
        }
        content
    };
    let allowed = content(32);
    let answer = network.call(&signed(&allowed, &ed25519(1))).await;
    assert_eq!(answer.status, 202);
    let too_long = content(33);
    let answer = network.call(&signed(&too_long, &ed25519(1))).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn should_refuse_another_canister_in_the_url_and_another_request_type() {
    let network = Network::start().await;
    let content = call_content(sender_of(&ed25519(1)));
    let body = signed(&content, &ed25519(1)).encode_bytes();
    let elsewhere = "/api/v2/canister/ryjl3-tyaaa-aaaaa-aaaba-cai/call";
    assert_eq!(network.post(elsewhere, body.clone()).await.status, 400);
    let nowhere = "/api/v2/canister/not-a-principal/call";
    assert_eq!(network.post(nowhere, body.clone()).await.status, 400);
    let as_query = canister_path("v2", "query");
    assert_eq!(network.post(&as_query, body).await.status, 400);
}

#[tokio::test]
async fn should_hold_management_calls_against_the_canister_in_their_argument() {
    #[derive(candid::CandidType)]
    struct CanisterId {
        canister_id: Principal,
    }
    let network = Network::start().await;
    let content = |method: &str, canister_id| EnvelopeContent::Call {
        nonce: None,
        ingress_expiry: now_nanos() + 180 * SECOND,
        sender: sender_of(&ed25519(1)),
        canister_id: Principal::management_canister(),
        method_name: method.to_owned(),
        arg: candid::encode_one(CanisterId { canister_id }).expect("Candid"),
        sender_info: None,
    };
    let own = content("start_canister", CANISTER);
    assert_eq!(network.call(&signed(&own, &ed25519(1))).await.status, 202);
    let other = content("start_canister", Principal::anonymous());
    assert_eq!(network.call(&signed(&other, &ed25519(1))).await.status, 400);
    let create = content(
        "provisional_create_canister_with_cycles",
        Principal::anonymous(),
    );
    assert_eq!(
        network.call(&signed(&create, &ed25519(1))).await.status,
        202
    );
}

#[tokio::test]
async fn should_let_only_creation_through_to_the_subnet() {
    let network = Network::start().await;
    let content = |method: &str| EnvelopeContent::Call {
        nonce: None,
        ingress_expiry: now_nanos() + 180 * SECOND,
        sender: sender_of(&ed25519(1)),
        canister_id: Principal::management_canister(),
        method_name: method.to_owned(),
        arg: candid::encode_args(()).expect("Candid"),
        sender_info: None,
    };
    let here = format!("/api/v4/subnet/{}/call", network.keys.subnet_id());
    let create = content("create_canister");
    let body = signed(&create, &ed25519(1)).encode_bytes();
    assert_eq!(network.post(&here, body.clone()).await.status, 200);
    let elsewhere = format!("/api/v4/subnet/{}/call", network.keys.node_id());
    assert_eq!(network.post(&elsewhere, body).await.status, 400);
    let other = content("raw_rand");
    let body = signed(&other, &ed25519(1)).encode_bytes();
    assert_eq!(network.post(&here, body).await.status, 400);
}

#[tokio::test]
async fn should_answer_read_state_with_the_statuses_of_a_replica() {
    let network = Network::start().await;
    network.add_canister(CANISTER, vec![]);
    let id = CANISTER.as_slice();
    let cases: [(&[&[u8]], u16); 8] = [
        (&[b"time"], 200),
        (&[b"request_status", &[5; 32]], 200),
        (&[b"request_status", &[5; 31]], 400),
        (&[b"canister", id, b"nope"], 404),
        (&[b"canister", id, b"module_hash"], 200),
        (&[b"canister", id, b"metadata", b"x"], 200),
        (&[b"canister", id, b"metadata", b"secret"], 403),
        (&[b"canister", &[1], b"module_hash"], 400),
    ];
    for version in ["v2", "v3"] {
        let url = canister_path(version, "read_state");
        for (path, status) in cases {
            let content = read_state(sender_of(&ed25519(1)), &[path]);
            let body = signed(&content, &ed25519(1)).encode_bytes();
            assert_eq!(network.post(&url, body).await.status, status, "{path:?}");
        }
    }
}

#[tokio::test]
async fn should_refuse_bodies_that_are_not_envelopes() {
    let network = Network::start().await;
    let url = canister_path("v2", "call");
    assert_eq!(network.post(&url, b"garbage".to_vec()).await.status, 400);
    assert_eq!(network.post(&url, vec![]).await.status, 400);
    assert_eq!(network.post_as(&url, vec![], None).await.status, 400);
    let content = call_content(Principal::anonymous());
    let body = unsigned(&content).encode_bytes();
    let text = Some("text/plain");
    assert_eq!(network.post_as(&url, body.clone(), text).await.status, 400);
    let mut nested = vec![0x81; 100_000];
    nested.push(0);
    assert_eq!(network.post(&url, nested).await.status, 400);
    assert_eq!(network.post(&url, body).await.status, 202);
}

#[tokio::test]
async fn should_refuse_a_message_whose_envelope_passes_two_mebibytes() {
    let network = Network::start().await;
    let mut content = call_content(sender_of(&ed25519(1)));
    let mut send = async |length: usize| {
        if let EnvelopeContent::Call { arg, .. } = &mut content {
            *arg = vec![7; length];
        }
        let envelope = signed(&content, &ed25519(1));
        network.call(&envelope).await.status
    };
    // The signature, the key and the names of fields take less than that.
    assert_eq!(send(2 * 1024 * 1024 - 1024).await, 202);
    assert_eq!(send(2 * 1024 * 1024).await, 413);
    assert_eq!(send(6 * 1024 * 1024).await, 413);
}

#[tokio::test]
async fn should_tell_the_machine_how_large_a_message_is_with_its_envelope() {
    let network = Network::start().await;
    let mut content = call_content(sender_of(&ed25519(1)));
    if let EnvelopeContent::Call { method_name, .. } = &mut content {
        *method_name = "size".to_owned();
    }
    let body = signed(&content, &ed25519(1)).encode_bytes();
    let size = body.len();
    let id = stoa_localnet_wire::RequestId(*content.to_request_id());
    let answer = network.post(&canister_path("v2", "call"), body).await;
    assert_eq!(answer.status, 202);
    let state = network.state.read().expect("the lock");
    assert_eq!(
        state.requests[&id].status,
        stoa_localnet_wire::RequestStatus::Replied(size.to_string().into())
    );
}

#[tokio::test]
async fn should_refuse_a_delegation_that_has_expired_or_targets_others() {
    let network = Network::start().await;
    type Change = fn(&mut Delegation);
    let refused: [(Change, &str); 3] = [
        (|delegation| delegation.expiration = 1, "expired"),
        (
            |delegation| delegation.targets = Some(vec![Principal::anonymous()]),
            "not one of the delegation targets",
        ),
        (
            |delegation| delegation.targets = Some(vec![CANISTER; 1_001]),
            "1001 targets",
        ),
    ];
    for (change, expected) in refused {
        let identity = delegated(&ed25519(1), Box::new(ed25519(2)), change);
        let content = call_content(sender_of(&identity));
        let answer = network.call(&signed(&content, &identity)).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(expected), "{answer:?}");
    }
}

#[tokio::test]
async fn should_hold_a_delegation_for_queries_to_queries() {
    let network = Network::start().await;
    let identity = delegated(&ed25519(1), Box::new(ed25519(2)), |delegation| {
        delegation.permissions = Some(ic_agent::identity::DelegationPermissions::Queries);
    });
    let content = query_content(sender_of(&identity));
    let answer = network.query(&signed(&content, &identity)).await;
    assert_eq!(answer.status, 200);
    let content = call_content(sender_of(&identity));
    let answer = network.call(&signed(&content, &identity)).await;
    assert_eq!(answer.status, 400);
}

/// A chain 1 -> 2 -> ... over the given secrets, signed by the last.
fn chained<'a>(content: &'a EnvelopeContent, secrets: &[u8]) -> Envelope<'a> {
    let delegations = secrets.windows(2).map(|pair| {
        let delegation = Delegation {
            pubkey: ed25519(pair[1]).public_key().expect("a key"),
            expiration: now_nanos() + 3_600 * SECOND,
            targets: None,
            permissions: None,
        };
        sign_delegation(&ed25519(pair[0]), delegation)
    });
    let delegations: Vec<_> = delegations.collect();
    let last = ed25519(*secrets.last().expect("a key"));
    let mut envelope = signed(content, &last);
    envelope.sender_pubkey = ed25519(secrets[0]).public_key();
    envelope.sender_delegation = Some(delegations);
    envelope
}

#[tokio::test]
async fn should_accept_twenty_delegations_and_refuse_twenty_one() {
    let network = Network::start().await;
    let content = call_content(sender_of(&ed25519(1)));
    let secrets: Vec<u8> = (1..=22).collect();
    let answer = network.call(&chained(&content, &secrets[..21])).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let answer = network.call(&chained(&content, &secrets)).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("21 delegations"), "{answer:?}");
}

#[tokio::test]
async fn should_refuse_a_cycle_of_delegations_and_a_broken_chain() {
    let network = Network::start().await;
    let content = call_content(sender_of(&ed25519(1)));
    for cycle in [&[1, 2, 3, 2][..], &[1, 2, 1], &[1, 1]] {
        let answer = network.call(&chained(&content, cycle)).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("twice in the chain"), "{answer:?}");
    }
    let mut broken = chained(&content, &[1, 2, 3]);
    broken
        .sender_delegation
        .as_mut()
        .expect("a chain")
        .remove(0);
    let answer = network.call(&broken).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("Invalid delegation"), "{answer:?}");
}

#[tokio::test]
async fn should_answer_browsers_and_unknown_paths() {
    let network = Network::start().await;
    let client = reqwest::Client::new();
    let url = format!("{}{}", network.url, canister_path("v3", "query"));
    let preflight = client
        .request(reqwest::Method::OPTIONS, url)
        .header("Origin", "http://localhost:5173")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "content-type")
        .send()
        .await
        .expect("a response");
    assert_eq!(preflight.status(), 204);
    let header = |name: &str| preflight.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(header("access-control-allow-origin"), "*");
    assert!(header("access-control-allow-headers").contains("Content-Type"));
    assert!(header("access-control-allow-methods").contains("POST"));

    let banner = client.get(&network.url).send().await.expect("a response");
    assert_eq!(banner.headers()["access-control-allow-origin"], "*");
    assert!(
        banner
            .text()
            .await
            .expect("text")
            .contains("development network")
    );

    let unknown = format!("{}/index.html", network.url);
    let unknown = client.get(unknown).send().await.expect("a response");
    assert_eq!(unknown.status(), 404);
    assert!(unknown.text().await.expect("text").contains("/index.html"));
}
