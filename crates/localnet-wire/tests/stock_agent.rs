//! The stock Rust agent with its default verification against the interface.

mod support;

use std::time::Duration;

use candid::Principal;
use ic_agent::agent::{CallResponse, RejectCode, RequestStatusResponse};
use ic_agent::identity::AnonymousIdentity;
use ic_agent::{Agent, AgentError, Identity, RequestId};
use support::identities::{delegated, ed25519, p256, secp256k1};
use support::{CANISTER, Network};

async fn call(agent: &Agent, method: &str) -> Result<Vec<u8>, AgentError> {
    agent
        .update(&CANISTER, method)
        .with_arg(b"argument".to_vec())
        .call_and_wait()
        .await
}

#[tokio::test]
async fn should_tell_its_health_and_root_key() {
    let network = Network::start().await;
    let agent = network.agent(AnonymousIdentity).await;
    let status = agent.status().await.expect("a status");
    assert_eq!(status.replica_health_status.as_deref(), Some("healthy"));
    assert_eq!(
        status.root_key.as_deref(),
        Some(network.keys.root_key_der())
    );
    assert_eq!(
        Principal::self_authenticating(network.keys.root_key_der()),
        network.keys.subnet_id()
    );
}

#[tokio::test]
async fn should_answer_a_call_with_a_certified_reply() {
    let network = Network::start().await;
    let agent = network.agent(ed25519(1)).await;
    assert_eq!(call(&agent, "echo").await.expect("a reply"), b"argument");
    assert_eq!(call(&agent, "slow").await.expect("a reply"), b"argument");
}

#[tokio::test]
async fn should_answer_a_call_with_a_certified_reject() {
    let network = Network::start().await;
    let agent = network.agent(ed25519(1)).await;
    match call(&agent, "reject").await {
        Err(AgentError::CertifiedReject { reject, .. }) => {
            assert_eq!(reject.reject_code, RejectCode::CanisterReject);
            assert_eq!(reject.reject_message, "no");
            assert_eq!(reject.error_code.as_deref(), Some("IC0406"));
        }
        other => panic!("expected a certified reject, got {other:?}"),
    }
}

#[tokio::test]
async fn should_pass_on_the_refusal_of_a_call() {
    let network = Network::start().await;
    let agent = network.agent(ed25519(1)).await;
    match call(&agent, "refuse").await {
        Err(AgentError::UncertifiedReject { reject, .. }) => {
            assert_eq!(reject.reject_code, RejectCode::CanisterReject);
            assert_eq!(reject.reject_message, "not today");
            assert_eq!(reject.error_code.as_deref(), Some("IC0406"));
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn should_leave_a_call_to_polling_after_ten_seconds() {
    let network = Network::start().await;
    let agent = network.agent(ed25519(1)).await;
    let started = std::time::Instant::now();
    let response = agent
        .update(&CANISTER, "never")
        .with_arg(Vec::new())
        .call()
        .await
        .expect("a response");
    assert!(started.elapsed() >= Duration::from_secs(10));
    let CallResponse::Poll(request_id) = response else {
        panic!("the call cannot have ended");
    };
    let (status, _) = agent
        .request_status_raw(&request_id, CANISTER)
        .await
        .expect("a status");
    assert_eq!(status, RequestStatusResponse::Processing);
}

#[tokio::test]
async fn should_sign_query_answers_and_rejects_so_that_the_agent_accepts_them() {
    let network = Network::start().await;
    let agent = network.agent(ed25519(1)).await;
    let reply = agent
        .query(&CANISTER, "echo")
        .with_arg(b"argument".to_vec())
        .call()
        .await;
    assert_eq!(reply.expect("a reply"), b"argument");
    match agent
        .query(&CANISTER, "reject")
        .with_arg(vec![])
        .call()
        .await
    {
        Err(AgentError::UncertifiedReject { reject, .. }) => {
            assert_eq!(reject.reject_message, "no");
            assert_eq!(reject.error_code.as_deref(), Some("IC0406"));
        }
        other => panic!("expected a reject, got {other:?}"),
    }
}

#[tokio::test]
async fn should_refuse_to_let_the_agent_trust_another_root_key() {
    let network = Network::start().await;
    let other = Network::start_with(stoa_localnet_wire::Keys::generate()).await;
    let agent = network.agent(ed25519(1)).await;
    agent.set_root_key(other.keys.root_key_der().to_vec());
    assert!(matches!(
        call(&agent, "echo").await,
        Err(AgentError::CertificateVerificationFailed())
    ));
}

#[tokio::test]
async fn should_certify_what_is_known_of_a_canister() {
    let network = Network::start().await;
    let owner = ed25519(1);
    let owner_id = owner.sender().expect("a principal");
    network.add_canister(CANISTER, vec![owner_id, Principal::anonymous()]);
    let agent = network.agent(owner).await;
    let module_hash = agent.read_state_canister_module_hash(CANISTER).await;
    assert_eq!(module_hash.expect("a hash"), [9; 32]);
    let controllers = agent.read_state_canister_controllers(CANISTER).await;
    assert_eq!(
        controllers.expect("controllers"),
        [owner_id, Principal::anonymous()]
    );
    let metadata = |name| agent.read_state_canister_metadata(CANISTER, name);
    assert_eq!(
        metadata("candid:service").await.expect("metadata"),
        b"service : {}"
    );
    assert_eq!(
        metadata("secret").await.expect("metadata"),
        b"for controllers"
    );
    assert!(matches!(
        metadata("none").await,
        Err(AgentError::LookupPathAbsent(_))
    ));
}

#[tokio::test]
async fn should_keep_private_metadata_from_others() {
    let network = Network::start().await;
    network.add_canister(CANISTER, vec![ed25519(1).sender().expect("a principal")]);
    let agent = network.agent(ed25519(2)).await;
    let answer = agent.read_state_canister_metadata(CANISTER, "secret").await;
    match answer {
        Err(AgentError::HttpError(error)) => assert_eq!(error.status, 403),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn should_prove_that_a_canister_and_a_request_are_absent() {
    let network = Network::start().await;
    for number in [1, 3, 9] {
        let canister_id = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, number, 1, 1]);
        network.add_canister(canister_id, vec![]);
    }
    let agent = network.agent(ed25519(1)).await;
    for number in [0, 2, 7, 255] {
        let absent = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, number, 1, 1]);
        assert!(matches!(
            agent.read_state_canister_module_hash(absent).await,
            Err(AgentError::LookupPathAbsent(_))
        ));
    }
    for requests in [0, 1, 2, 3] {
        let unknown = RequestId::new(&[128; 32]);
        let (status, _) = agent
            .request_status_raw(&unknown, CANISTER)
            .await
            .expect("a status");
        assert_eq!(status, RequestStatusResponse::Unknown, "of {requests}");
        call(&agent, "echo").await.expect("a reply");
    }
}

#[tokio::test]
async fn should_describe_its_only_subnet() {
    let network = Network::start().await;
    let agent = network.agent(ed25519(1)).await;
    let by_canister = agent
        .fetch_subnet_by_canister(&CANISTER)
        .await
        .expect("a subnet");
    let by_id = agent
        .fetch_subnet_by_id(&network.keys.subnet_id())
        .await
        .expect("a subnet");
    let mainnet = [
        "ryjl3-tyaaa-aaaaa-aaaba-cai",
        "rkp4c-7iaaa-aaaaa-aaaca-cai",
        "um5iw-rqaaa-aaaaq-qaaba-cai",
    ];
    for subnet in [by_canister, by_id] {
        assert_eq!(subnet.id(), network.keys.subnet_id());
        assert_eq!(subnet.self_reported_key(), network.keys.root_key_der());
        assert_eq!(
            subnet.get_node_key(&network.keys.node_id()),
            Some(network.keys.node_key_der())
        );
        for text in mainnet {
            let canister_id = Principal::from_text(text).expect("a principal");
            assert!(subnet.contains_canister(&canister_id), "{text}");
        }
    }
}

#[tokio::test]
async fn should_accept_signatures_of_every_plain_key_kind() {
    let network = Network::start().await;
    let identities: [Box<dyn Identity>; 3] = [
        Box::new(ed25519(1)),
        Box::new(secp256k1(1)),
        Box::new(p256(1)),
    ];
    for identity in identities {
        let agent = network.agent(identity).await;
        assert_eq!(call(&agent, "echo").await.expect("a reply"), b"argument");
    }
}

#[tokio::test]
async fn should_accept_delegations_from_and_to_every_plain_key_kind() {
    let network = Network::start().await;
    let chain = delegated(&p256(1), Box::new(secp256k1(2)), |_| {});
    let owner = chain.sender().expect("a principal");
    assert_eq!(owner, p256(1).sender().expect("a principal"));
    let agent = network.agent(chain).await;
    assert_eq!(call(&agent, "echo").await.expect("a reply"), b"argument");
    let chain = delegated(&secp256k1(1), Box::new(ed25519(2)), |delegation| {
        delegation.targets = Some(vec![CANISTER]);
    });
    let agent = network.agent(chain).await;
    assert_eq!(call(&agent, "slow").await.expect("a reply"), b"argument");
}

#[tokio::test]
async fn should_let_only_the_sender_read_the_status_of_a_request() {
    let network = Network::start().await;
    let agent = network.agent(ed25519(1)).await;
    let update = agent
        .update(&CANISTER, "echo")
        .with_arg(b"argument".to_vec())
        .sign()
        .expect("a signed call");
    let response = agent
        .update_signed(CANISTER, update.signed_update)
        .await
        .expect("a response");
    assert!(matches!(response, CallResponse::Response(_)));
    let (status, _) = agent
        .request_status_raw(&update.request_id, CANISTER)
        .await
        .expect("a status");
    assert!(matches!(status, RequestStatusResponse::Replied(_)));
    let stranger = network.agent(ed25519(2)).await;
    match stranger
        .request_status_raw(&update.request_id, CANISTER)
        .await
    {
        Err(AgentError::HttpError(error)) => assert_eq!(error.status, 403),
        other => panic!("expected a refusal, got {other:?}"),
    }
}
