//! The HTTP gateway: canisters' own web pages, served over plain HTTP.
//!
//! A request for `<canister>.localhost` or with `?canisterId=` becomes a query
//! to the canister's `http_request`, and its answer the response. What must
//! hold: no answer of a query reaches the client that does not carry a proof
//! under the network's root key. Left out of that are `<canister>.raw.localhost`,
//! as on mainnet; bodies so long that mainnet's gateways pass them on while they
//! stream; and answers of update calls, which the network itself vouches for.

mod assembly;
mod interface;
mod target;
mod verification;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use candid::Principal;

use self::assembly::{Callbacks, Ranges};
use self::interface::{CanisterAnswer, CanisterRequest};
pub(crate) use self::target::{Target, target};
use crate::http::Interface;
use crate::keys::now_nanos;
use crate::replica::{Ingress, Query, QueryOutcome, Rejection, Replica, RequestId, Submission};
use crate::state_tree::RequestStatus;

/// As long as an ingress message may be.
const BODY_BYTES_MAX: usize = 2 << 20;

/// Of the newest version of certified responses.
const CERTIFICATE_VERSION: u16 = 2;

/// What an anonymous call has around its method's name and its argument: the names of the fields
/// and all that is of one length.
const ENVELOPE_BYTES: usize = 133;

/// How long an upgraded request may run.
const UPDATE_NANOS: u64 = 4 * 60 * 1_000_000_000;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
enum GatewayError {
    #[error("The request body is larger than {BODY_BYTES_MAX} bytes\n")]
    BodyTooLarge,
    #[error("The header {0} is not text\n")]
    HeaderNotText(HeaderName),
    #[error("{0}\n")]
    NotFound(String),
    #[error("The canister did not answer: {message} (reject code {code}, {error_code})\n")]
    Rejected {
        code: u64,
        message: String,
        error_code: String,
    },
    #[error("The canister's answer is not an HTTP response: {0}\n")]
    NotAResponse(String),
    #[error("Response verification failed: {0}\n")]
    NotVerified(String),
    #[error("The response could not be put together: {0}\n")]
    NotWhole(String),
}

impl GatewayError {
    fn rejected(rejection: Rejection) -> Self {
        const DESTINATION_INVALID: u64 = 3;
        match rejection.code {
            DESTINATION_INVALID => Self::NotFound(rejection.message),
            code => Self::Rejected {
                code,
                message: rejection.message,
                error_code: rejection.error_code,
            },
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeaderNotText(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Rejected { .. } => StatusCode::BAD_GATEWAY,
            Self::NotAResponse(_) | Self::NotVerified(_) | Self::NotWhole(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }
}

impl IntoResponse for GatewayError {
    fn into_response(self) -> Response {
        (self.status(), self.to_string()).into_response()
    }
}

/// Serves one request from a canister.
pub(crate) async fn serve<R: Replica>(
    interface: Interface<R>,
    target: Target,
    request: Request,
) -> Response {
    answer(interface, target, request)
        .await
        .unwrap_or_else(GatewayError::into_response)
}

async fn answer<R: Replica>(
    interface: Interface<R>,
    target: Target,
    request: Request,
) -> Result<Response, GatewayError> {
    let request = canister_request(request).await?;
    let first = ask(&interface, target.canister, &request).await?;
    if first.upgrade {
        let answer = ask_in_update(&interface, target.canister, &request).await?;
        let headers = header_map(&answer.headers)?;
        let body = Callbacks::of(interface, &answer).whole().await?;
        return response(answer.status_code, headers, body);
    }
    let mut answer = first;
    let mut streamed = None;
    if answer.streaming.is_some() {
        let mut callbacks = Callbacks::of(interface.clone(), &answer);
        answer.body = callbacks.beginning().await?;
        streamed = callbacks.is_unfinished().then_some(callbacks);
    }
    if let Some(rest) = streamed {
        let headers = header_map(&answer.headers)?;
        let body = rest.stream(Bytes::from(answer.body));
        return response(answer.status_code, headers, body);
    }
    let headers = match target.raw {
        true => answer.headers.clone(),
        false => verified(&interface, target.canister, &request, &answer).await?,
    };
    let mut headers = header_map(&headers)?;
    if answer.status_code == StatusCode::PARTIAL_CONTENT.as_u16() && !request.asks_for_a_range() {
        let ranges = Ranges::after(interface, target, request, &answer)?;
        headers.remove(header::CONTENT_RANGE);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(ranges.total()));
        return response(StatusCode::OK.as_u16(), headers, ranges.stream());
    }
    response(answer.status_code, headers, Body::from(answer.body))
}

/// The headers that the canister has certified, and no others.
async fn verified<R: Replica>(
    interface: &Interface<R>,
    canister: Principal,
    request: &CanisterRequest,
    answer: &CanisterAnswer,
) -> Result<Vec<(String, String)>, GatewayError> {
    let (keys, request, answer) = (interface.keys.clone(), request.clone(), answer.clone());
    tokio::task::spawn_blocking(move || verification::verify(&keys, canister, &request, &answer))
        .await
        .unwrap_or_else(|_| Err("an error of this network's own".to_owned()))
        .map_err(GatewayError::NotVerified)
}

async fn canister_request(request: Request) -> Result<CanisterRequest, GatewayError> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|_| GatewayError::BodyTooLarge)?;
    let url = parts
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| {
            let value = value
                .to_str()
                .map_err(|_| GatewayError::HeaderNotText(name.clone()))?;
            Ok((name.as_str().to_owned(), with_identity(name, value)))
        })
        .collect::<Result<_, GatewayError>>()?;
    Ok(CanisterRequest {
        method: parts.method.as_str().to_owned(),
        url,
        headers,
        body: body.to_vec().into(),
        certificate_version: Some(CERTIFICATE_VERSION),
    })
}

/// Any client can take what is not encoded, and a canister may have nothing else.
fn with_identity(name: &HeaderName, value: &str) -> String {
    let encodings = || value.split(',').map(str::trim);
    let named = || encodings().any(|encoding| encoding.eq_ignore_ascii_case("identity"));
    match *name == header::ACCEPT_ENCODING && !named() {
        true => encodings()
            .chain(["identity"])
            .collect::<Vec<_>>()
            .join(", "),
        false => value.to_owned(),
    }
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, GatewayError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let invalid = || GatewayError::NotAResponse(format!("the header {name:.100} is malformed"));
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        map.append(key, HeaderValue::from_str(value).map_err(|_| invalid())?);
    }
    // How the answer travels from here is decided here.
    map.remove(header::TRANSFER_ENCODING);
    map.remove(header::CONNECTION);
    Ok(map)
}

fn response(
    status_code: u16,
    headers: HeaderMap,
    body: impl Into<Body>,
) -> Result<Response, GatewayError> {
    let status = StatusCode::from_u16(status_code)
        .map_err(|_| GatewayError::NotAResponse(format!("{status_code} is no status")))?;
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

async fn ask<R: Replica>(
    interface: &Interface<R>,
    canister: Principal,
    request: &CanisterRequest,
) -> Result<CanisterAnswer, GatewayError> {
    let argument = interface::encode(request)?;
    let reply = query(interface, canister, "http_request", argument).await?;
    interface::decode(&reply)
}

async fn query<R: Replica>(
    interface: &Interface<R>,
    canister: Principal,
    method: &str,
    arg: Vec<u8>,
) -> Result<Vec<u8>, GatewayError> {
    let query = Query {
        sender: Principal::anonymous(),
        canister_id: canister,
        effective_canister_id: canister,
        method_name: method.to_owned(),
        arg,
        sender_info: None,
    };
    match interface.replica.query(query).await {
        QueryOutcome::Replied(reply) => Ok(reply),
        QueryOutcome::Rejected(rejection) => Err(GatewayError::rejected(rejection)),
    }
}

/// The same request as an update call: what it answers needs no proof.
async fn ask_in_update<R: Replica>(
    interface: &Interface<R>,
    canister: Principal,
    request: &CanisterRequest,
) -> Result<CanisterAnswer, GatewayError> {
    let mut id = [0; 32];
    getrandom::fill(&mut id).map_err(|error| GatewayError::NotWhole(error.to_string()))?;
    let request_id = RequestId(id);
    let method_name = "http_request_update".to_owned();
    let arg = interface::encode(&request.for_update())?;
    let ingress = Ingress {
        request_id,
        message_bytes: ENVELOPE_BYTES + method_name.len() + arg.len(),
        sender: Principal::anonymous(),
        canister_id: canister,
        effective_canister_id: canister,
        method_name,
        arg,
        ingress_expiry_nanos: now_nanos() + UPDATE_NANOS,
        sender_info: None,
    };
    if let Submission::Refused(rejection) = interface.replica.submit(ingress).await {
        return Err(GatewayError::rejected(rejection));
    }
    interface.replica.wait_until_done(request_id).await;
    let state = interface.replica.state();
    let status = state
        .read()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
        .requests
        .get(&request_id)
        .map(|entry| entry.status.clone());
    match status {
        Some(RequestStatus::Replied(reply)) => interface::decode(&reply),
        Some(RequestStatus::Rejected(rejection)) => Err(GatewayError::rejected(rejection)),
        _ => Err(GatewayError::NotWhole("the answer is gone".to_owned())),
    }
}
