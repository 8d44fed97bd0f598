//! A network for the tests: the interface on a free port, and behind it a replica
//! that answers from a table instead of running Wasm.

#![allow(dead_code, reason = "each test file uses its part")]

pub mod identities;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use candid::Principal;
use ic_agent::agent::{Envelope, EnvelopeContent};
use ic_agent::{Agent, Identity};
use stoa_localnet_wire::{
    CanisterEntry, Ingress, Keys, Metadata, Query, QueryOutcome, Rejection, Replica, RequestEntry,
    RequestId, RequestStatus, StateTree, Submission, router,
};

/// The canister that the table speaks for.
pub const CANISTER: Principal = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 7, 1, 1]);

/// Answers by method name: `echo` and `slow` (after half a second) reply with the
/// argument, `size` with the size of the message, `reject` rejects, `never` stays in processing, `refuse` is refused.
pub struct Table {
    pub state: Arc<RwLock<StateTree>>,
}

impl Replica for Table {
    fn state(&self) -> Arc<RwLock<StateTree>> {
        Arc::clone(&self.state)
    }

    fn submit(&self, ingress: Ingress) -> impl Future<Output = Submission> + Send {
        let state = Arc::clone(&self.state);
        async move {
            if ingress.method_name == "refuse" {
                return Submission::Refused(rejection(4, "IC0406", "not today"));
            }
            let set = move |status: RequestStatus| {
                let entry = RequestEntry {
                    sender: ingress.sender,
                    canister_id: ingress.canister_id,
                    status,
                    forget_at_nanos: u64::MAX,
                };
                let mut state = state.write().expect("the lock");
                state.requests.insert(ingress.request_id, entry);
            };
            set(RequestStatus::Processing);
            match ingress.method_name.as_str() {
                "never" => {}
                "reject" => set(RequestStatus::Rejected(rejection(4, "IC0406", "no"))),
                "slow" => {
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(500)).await;
                        set(RequestStatus::Replied(ingress.arg));
                    });
                }
                "size" => set(RequestStatus::Replied(
                    ingress.message_bytes.to_string().into(),
                )),
                _ => set(RequestStatus::Replied(ingress.arg)),
            }
            Submission::Accepted
        }
    }

    async fn wait_until_done(&self, request_id: RequestId) {
        loop {
            let done = {
                let state = self.state.read().expect("the lock");
                state.requests[&request_id].status.is_final()
            };
            if done {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn query(&self, query: Query) -> QueryOutcome {
        match query.method_name.as_str() {
            "reject" => QueryOutcome::Rejected(rejection(4, "IC0406", "no")),
            _ => QueryOutcome::Replied(query.arg),
        }
    }
}

pub fn rejection(code: u64, error_code: &str, message: &str) -> Rejection {
    Rejection {
        code,
        message: message.to_owned(),
        error_code: error_code.to_owned(),
    }
}

pub struct Network {
    pub url: String,
    pub keys: Arc<Keys>,
    pub state: Arc<RwLock<StateTree>>,
}

impl Network {
    pub async fn start() -> Network {
        Network::start_with(Keys::from_seed([42; 32])).await
    }

    pub async fn start_with(keys: Keys) -> Network {
        let keys = Arc::new(keys);
        let state = Arc::new(RwLock::new(StateTree::default()));
        let replica = Arc::new(Table {
            state: Arc::clone(&state),
        });
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let app = router(replica, Arc::clone(&keys));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Network {
            url: format!("http://{address}"),
            keys,
            state,
        }
    }

    /// A stock agent with every verification at its default, which trusts the
    /// root key that the status endpoint tells.
    pub async fn agent(&self, identity: impl Identity + 'static) -> Agent {
        let agent = Agent::builder()
            .with_url(&self.url)
            .with_identity(identity)
            .build()
            .expect("an agent");
        agent.fetch_root_key().await.expect("the root key");
        agent
    }

    pub fn add_canister(&self, canister_id: Principal, controllers: Vec<Principal>) {
        let section = |public, content: &[u8]| Metadata {
            public,
            content: content.to_vec(),
        };
        let metadata = BTreeMap::from([
            ("candid:service".to_owned(), section(true, b"service : {}")),
            ("secret".to_owned(), section(false, b"for controllers")),
        ]);
        let entry = CanisterEntry {
            module_hash: Some([9; 32]),
            controllers,
            metadata,
            certified_data: Vec::new(),
        };
        let mut state = self.state.write().expect("the lock");
        state.canisters.insert(canister_id, entry);
    }

    pub async fn post(&self, path: &str, body: Vec<u8>) -> Answer {
        self.post_as(path, body, Some("application/cbor")).await
    }

    pub async fn post_as(&self, path: &str, body: Vec<u8>, content_type: Option<&str>) -> Answer {
        let request = reqwest::Client::new()
            .post(format!("{}{path}", self.url))
            .body(body);
        let request = match content_type {
            Some(content_type) => request.header("Content-Type", content_type),
            None => request,
        };
        let response = request.send().await.expect("a response");
        Answer {
            status: response.status().as_u16(),
            body: response.bytes().await.expect("a body").to_vec(),
        }
    }

    pub async fn call(&self, envelope: &Envelope<'_>) -> Answer {
        self.post(&canister_path("v2", "call"), envelope.encode_bytes())
            .await
    }

    pub async fn query(&self, envelope: &Envelope<'_>) -> Answer {
        self.post(&canister_path("v3", "query"), envelope.encode_bytes())
            .await
    }
}

pub fn canister_path(version: &str, endpoint: &str) -> String {
    format!("/api/{version}/canister/{CANISTER}/{endpoint}")
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.status, self.text())
    }
}

pub fn now_nanos() -> u64 {
    let elapsed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("the clock stands after 1970");
    u64::try_from(elapsed.as_nanos()).expect("the clock stands before 2554")
}

pub fn in_three_minutes() -> u64 {
    now_nanos() + 180 * 1_000_000_000
}

pub fn call_content(sender: Principal) -> EnvelopeContent {
    EnvelopeContent::Call {
        nonce: None,
        ingress_expiry: in_three_minutes(),
        sender,
        canister_id: CANISTER,
        method_name: "echo".to_owned(),
        arg: b"argument".to_vec(),
        sender_info: None,
    }
}

pub fn query_content(sender: Principal) -> EnvelopeContent {
    EnvelopeContent::Query {
        nonce: None,
        ingress_expiry: in_three_minutes(),
        sender,
        canister_id: CANISTER,
        method_name: "echo".to_owned(),
        arg: b"argument".to_vec(),
        sender_info: None,
    }
}

/// The content in an envelope signed by the identity.
pub fn signed<'a>(content: &'a EnvelopeContent, identity: &dyn Identity) -> Envelope<'a> {
    let signature = identity.sign(content).expect("a signature");
    Envelope {
        content: std::borrow::Cow::Borrowed(content),
        sender_pubkey: signature.public_key,
        sender_sig: signature.signature,
        sender_delegation: signature.delegations,
    }
}
