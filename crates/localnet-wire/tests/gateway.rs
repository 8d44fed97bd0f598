//! Canisters' pages over plain HTTP: proven, put together, or refused.

use std::borrow::Cow;
use std::future::Future;
use std::sync::{Arc, RwLock};

use candid::{CandidType, Decode, Encode, Func, Principal};
use ic_http_certification::utils::add_v2_certificate_header;
use ic_http_certification::{
    CERTIFICATE_EXPRESSION_HEADER_NAME, DefaultCelBuilder, DefaultResponseCertification,
    HttpCertification, HttpCertificationPath, HttpCertificationTree, HttpCertificationTreeEntry,
    HttpResponse, StatusCode,
};
use serde::Deserialize;
use serde_bytes::ByteBuf;
use stoa_localnet_wire::{
    CanisterEntry, Ingress, Keys, Query, QueryOutcome, Rejection, Replica, RequestEntry, RequestId,
    RequestStatus, StateTree, Submission, router,
};

const CANISTER: Principal = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 7, 1, 1]);

const PIECE_BYTES: usize = 1_000;

#[derive(CandidType, Deserialize)]
struct Asked {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: ByteBuf,
    certificate_version: Option<u16>,
}

candid::define_function!(Next : () -> () query);

#[derive(CandidType, Deserialize)]
struct Token {
    path: String,
    index: u64,
}

#[derive(CandidType)]
enum Strategy {
    Callback { callback: Next, token: Token },
}

#[derive(CandidType, Default)]
struct Answer {
    status_code: u16,
    headers: Vec<(String, String)>,
    body: ByteBuf,
    upgrade: Option<bool>,
    streaming_strategy: Option<Strategy>,
}

#[derive(CandidType)]
struct Piece {
    body: ByteBuf,
    token: Option<Token>,
}

/// A canister's pages in Rust. `/` and `/range` are certified; `/forged` shows the
/// proof of `/` with another body, `/bare` none; `/stream/<n>` has n pieces after
/// the first; `/update` wants to be an update.
struct Site {
    state: Arc<RwLock<StateTree>>,
    keys: Arc<Keys>,
}

fn content(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index * 7 + index / 251) as u8)
        .collect()
}

impl Site {
    /// Certifies one response and answers with it.
    fn certified(
        &self,
        url: &str,
        status: StatusCode,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Answer {
        let path = url.split('?').next().unwrap_or("/");
        let expression = DefaultCelBuilder::response_only_certification()
            .with_response_certification(DefaultResponseCertification::response_header_exclusions(
                vec![],
            ))
            .build();
        let mut headers = headers;
        headers.push((
            CERTIFICATE_EXPRESSION_HEADER_NAME.to_string(),
            expression.to_string(),
        ));
        let mut response = HttpResponse::builder()
            .with_status_code(status)
            .with_headers(headers)
            .with_body(Cow::Owned(body))
            .build();
        let certification = HttpCertification::response_only(&expression, &response, None).unwrap();
        let path = HttpCertificationPath::exact(path.to_owned());
        let entry = HttpCertificationTreeEntry::new(&path, certification);
        let mut tree = HttpCertificationTree::default();
        tree.insert(&entry);
        let mut state = self.state.write().unwrap();
        state.canisters.insert(
            CANISTER,
            CanisterEntry {
                module_hash: Some([1; 32]),
                certified_data: tree.root_hash().to_vec(),
                ..CanisterEntry::default()
            },
        );
        let certificate = self.keys.data_certificate(&state, CANISTER);
        let witness = tree.witness(&entry, url).unwrap();
        add_v2_certificate_header(&certificate, &mut response, &witness, &path.to_expr_path());
        Answer {
            status_code: response.status_code().as_u16(),
            headers: response.headers().to_vec(),
            body: ByteBuf::from(response.body().to_vec()),
            ..Answer::default()
        }
    }

    fn page(&self, asked: &Asked) -> Answer {
        let ok = StatusCode::OK;
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        match asked.url.split('?').next().unwrap_or_default() {
            "/" => self.certified(
                &asked.url,
                ok,
                vec![text("content-type", "text/plain")],
                b"hello".to_vec(),
            ),
            "/forged" => {
                let mut answer = self.certified(&asked.url, ok, vec![], b"true".to_vec());
                answer.body = ByteBuf::from(b"false".to_vec());
                answer
            }
            "/injected" => {
                let mut answer =
                    self.certified(&asked.url, ok, vec![text("a", "true")], b"x".to_vec());
                answer.headers.push(text("set-cookie", "session=stolen"));
                answer
            }
            "/range" => {
                let whole = content(3 * PIECE_BYTES + 17);
                let start = asked
                    .headers
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case("range"))
                    .and_then(|(_, value)| {
                        value
                            .strip_prefix("bytes=")?
                            .split('-')
                            .next()?
                            .parse()
                            .ok()
                    })
                    .unwrap_or(0usize);
                let end = (start + PIECE_BYTES).min(whole.len());
                let range = format!("bytes {start}-{}/{}", end - 1, whole.len());
                let headers = vec![text("Content-Range", &range)];
                let mut answer = self.certified(
                    &asked.url,
                    StatusCode::PARTIAL_CONTENT,
                    headers,
                    whole[start..end].to_vec(),
                );
                if asked.url.contains("forge") && start > 0 {
                    answer.body[0] ^= 1;
                }
                answer
            }
            "/update" if asked.certificate_version.is_some() => Answer {
                status_code: 200,
                upgrade: Some(true),
                ..Answer::default()
            },
            "/update" => Answer {
                status_code: 201,
                headers: vec![text("x-method", &asked.method)],
                body: asked.body.clone(),
                ..Answer::default()
            },
            path if path.starts_with("/stream/") => {
                let pieces: u64 = path["/stream/".len()..].parse().unwrap();
                let whole = content((pieces as usize + 1) * PIECE_BYTES);
                let mut answer = self.certified(&asked.url, ok, vec![], whole);
                answer.body.truncate(PIECE_BYTES);
                answer.streaming_strategy = Some(Strategy::Callback {
                    callback: Next(Func {
                        principal: CANISTER,
                        method: "next".to_owned(),
                    }),
                    token: Token {
                        path: path.to_owned(),
                        index: 1,
                    },
                });
                answer
            }
            _ => Answer {
                status_code: 200,
                body: ByteBuf::from(b"no proof".to_vec()),
                ..Answer::default()
            },
        }
    }

    fn next(&self, token: &Token) -> Piece {
        let pieces: u64 = token.path["/stream/".len()..].parse().unwrap();
        let whole = content((pieces as usize + 1) * PIECE_BYTES);
        let start = token.index as usize * PIECE_BYTES;
        Piece {
            body: ByteBuf::from(whole[start..start + PIECE_BYTES].to_vec()),
            token: (token.index < pieces).then(|| Token {
                path: token.path.clone(),
                index: token.index + 1,
            }),
        }
    }
}

impl Replica for Site {
    fn state(&self) -> Arc<RwLock<StateTree>> {
        Arc::clone(&self.state)
    }

    fn submit(&self, ingress: Ingress) -> impl Future<Output = Submission> + Send {
        let asked = Decode!(&ingress.arg, Asked).unwrap();
        assert_eq!(ingress.method_name, "http_request_update");
        let entry = RequestEntry {
            sender: ingress.sender,
            canister_id: ingress.canister_id,
            status: RequestStatus::Replied(Encode!(&self.page(&asked)).unwrap()),
            forget_at_nanos: u64::MAX,
        };
        self.state
            .write()
            .unwrap()
            .requests
            .insert(ingress.request_id, entry);
        async { Submission::Accepted }
    }

    async fn wait_until_done(&self, _: RequestId) {}

    async fn query(&self, query: Query) -> QueryOutcome {
        if query.canister_id != CANISTER {
            return QueryOutcome::Rejected(Rejection {
                code: 3,
                message: format!("Canister {} not found", query.canister_id),
                error_code: "IC0301".to_owned(),
            });
        }
        QueryOutcome::Replied(match query.method_name.as_str() {
            "http_request" => {
                let asked = Decode!(&query.arg, Asked).unwrap();
                if asked.url == "/nonsense" {
                    return QueryOutcome::Replied(b"DIDL\x00\x00".to_vec());
                }
                Encode!(&self.page(&asked)).unwrap()
            }
            _ => Encode!(&self.next(&Decode!(&query.arg, Token).unwrap())).unwrap(),
        })
    }
}

struct Gateway {
    address: std::net::SocketAddr,
    client: reqwest::Client,
}

impl Gateway {
    async fn start() -> Self {
        let keys = Arc::new(Keys::from_seed([42; 32]));
        let site = Arc::new(Site {
            state: Arc::default(),
            keys: Arc::clone(&keys),
        });
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router(site, keys)).await });
        Self {
            address,
            client: reqwest::Client::builder()
                // A refused answer breaks its connection off, so that none may be used again.
                .pool_max_idle_per_host(0)
                .build()
                .unwrap(),
        }
    }

    async fn get_as(
        &self,
        host: &str,
        path: &str,
    ) -> (
        u16,
        reqwest::header::HeaderMap,
        Result<Vec<u8>, reqwest::Error>,
    ) {
        let response = self
            .client
            .get(format!("http://{}{path}", self.address))
            .header("Host", host)
            .send()
            .await
            .unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        (
            status,
            headers,
            response.bytes().await.map(|bytes| bytes.to_vec()),
        )
    }

    async fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let (status, _, body) = self
            .get_as(&format!("{CANISTER}.localhost:4943"), path)
            .await;
        (status, body.unwrap())
    }
}

#[tokio::test]
async fn should_serve_what_is_proven_by_host_and_by_query() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.get("/").await, (200, b"hello".to_vec()));
    let (status, headers, body) = gateway
        .get_as("127.0.0.1:1", &format!("/?canisterId={CANISTER}"))
        .await;
    assert_eq!((status, body.unwrap()), (200, b"hello".to_vec()));
    assert_eq!(headers["content-type"], "text/plain");
    let (status, _, body) = gateway.get_as("localhost", "/").await;
    assert_eq!(status, 200);
    assert!(
        String::from_utf8(body.unwrap())
            .unwrap()
            .contains("development network")
    );
}

#[tokio::test]
async fn should_refuse_what_is_not_proven() {
    let gateway = Gateway::start().await;
    for path in ["/forged", "/bare"] {
        let (status, body) = gateway.get(path).await;
        assert_eq!(status, 500, "{path}");
        let text = String::from_utf8(body).unwrap();
        assert!(text.starts_with("Response verification failed"), "{text}");
    }
    // Under the raw name nobody wants proofs.
    let host = format!("{CANISTER}.raw.localhost");
    let (status, _, body) = gateway.get_as(&host, "/bare").await;
    assert_eq!((status, body.unwrap()), (200, b"no proof".to_vec()));
}

#[tokio::test]
async fn should_pass_on_no_header_that_is_not_proven() {
    let gateway = Gateway::start().await;
    let (status, headers, _) = gateway
        .get_as(&format!("{CANISTER}.localhost"), "/injected")
        .await;
    // All headers are certified here, so one more breaks the proof.
    assert_eq!(status, 500);
    assert!(!headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn should_put_ranges_together_and_prove_each() {
    let gateway = Gateway::start().await;
    let whole = content(3 * PIECE_BYTES + 17);
    let host = format!("{CANISTER}.localhost");
    let (status, headers, body) = gateway.get_as(&host, "/range").await;
    assert_eq!((status, body.unwrap()), (200, whole.clone()));
    assert_eq!(headers["content-length"], whole.len().to_string());
    assert!(!headers.contains_key("content-range"));
    let forged = gateway
        .client
        .get(format!("http://{}/range?forge", gateway.address))
        .header("Host", &host)
        .send()
        .await;
    // Cut off where the proof fails, which may be before the head and the proven first range have left.
    let arrived = match forged {
        Ok(response) => response.bytes().await.is_ok(),
        Err(_) => false,
    };
    assert!(!arrived, "a body is whole only where all of it is proven");
    let response = gateway
        .client
        .get(format!("http://{}/range", gateway.address))
        .header("Host", host)
        .header("Range", "bytes=1000-")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 206, "who asks for a range gets a range");
    assert_eq!(response.bytes().await.unwrap(), whole[1_000..2_000]);
}

#[tokio::test]
async fn should_stream_bodies_of_any_number_of_pieces() {
    let gateway = Gateway::start().await;
    for pieces in [1, 4, 5, 30] {
        let (status, body) = gateway.get(&format!("/stream/{pieces}")).await;
        assert_eq!(status, 200);
        assert_eq!(body, content((pieces + 1) * PIECE_BYTES), "{pieces} pieces");
    }
}

#[tokio::test]
async fn should_upgrade_a_request_to_an_update() {
    let gateway = Gateway::start().await;
    let response = gateway
        .client
        .post(format!(
            "http://{}/update?canisterId={CANISTER}",
            gateway.address
        ))
        .body("changed")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["x-method"], "POST");
    assert_eq!(response.bytes().await.unwrap(), "changed");
}

#[tokio::test]
async fn should_say_what_is_wrong() {
    let gateway = Gateway::start().await;
    let nobody = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 8, 1, 1]);
    let (status, _, _) = gateway.get_as(&format!("{nobody}.localhost"), "/").await;
    assert_eq!(status, 404);
    let (status, body) = gateway.get("/nonsense").await;
    assert_eq!(status, 500);
    assert!(
        String::from_utf8(body)
            .unwrap()
            .contains("not an HTTP response")
    );
    let response = gateway
        .client
        .post(format!("http://{}/?canisterId={CANISTER}", gateway.address))
        .body(vec![0; (2 << 20) + 1])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    let (status, _, _) = gateway.get_as("localhost", "/elsewhere").await;
    assert_eq!(status, 404);
}
