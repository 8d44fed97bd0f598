//! The canister as a web server, through any HTTP gateway of the Internet Computer: the Open Inference Protocol (`/v2`,
//! with the binary tensors that Triton's clients send) and the part of OpenAI's interface that models here have (`/v1`).
//!
//! What is read is a query and is not certified: it says of itself that it is not (`skip.rs`), so a gateway lets it through and
//! nobody takes it for proof; proofs are receipts and the registry's certified versions. What runs a model is an update
//! call, paid by a key in the `Authorization` header, or free within the DAO's quota.

mod json;
mod oip;
mod openai;
pub mod skip;

use stoa_inference_api::{HttpRequest, HttpResponse, InferError, ModelReference};
use stoa_types::Sha256;
use stoa_types::pipeline::Input;

use crate::infer::{self, Ask, Done, Purse};
use crate::limits::INPUT_BYTES_MAX;
use crate::runtime::Runtime;
use crate::stored::Key;
use crate::volatile::{FreeCallGuard, HttpCallGuard, next_call};
use crate::{keys, quota, volatile};

/// Without a key; clients that insist on sending one may send this.
const NO_KEY: &str = "free";
/// JSON is larger than what it says; binary tensors come as they are.
const BODY_BYTES_MAX: u64 = INPUT_BYTES_MAX + 100_000;

/// An answer before it is put into the gateway's form.
#[derive(Clone, PartialEq, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(status: u16, body: &impl serde::Serialize) -> Reply {
        Reply {
            status,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: serde_json::to_vec(body).expect("BUG: an answer is JSON"),
        }
    }

    fn into_response(self) -> HttpResponse {
        let mut headers = self.headers;
        let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        add("Access-Control-Allow-Origin", "*");
        add("X-Content-Type-Options", "nosniff");
        HttpResponse {
            status_code: self.status,
            headers,
            body: self.body,
            upgrade: None,
        }
    }
}

/// Which of the two interfaces a path belongs to: each has its own form of errors.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Route {
    Preflight,
    Oip(oip::Route),
    OpenAi(openai::Route),
    NotFound,
    MethodNotAllowed,
}

impl Route {
    fn of(request: &HttpRequest) -> Route {
        let path = request.url.split(['?', '#']).next().unwrap_or_default();
        let Some(path) = percent_decode(path) else {
            return Route::NotFound;
        };
        let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let is_post = match request.method.as_str() {
            "OPTIONS" => return Route::Preflight,
            "GET" | "HEAD" => false,
            "POST" => true,
            _ => return Route::MethodNotAllowed,
        };
        match segments.split_first() {
            Some((&"v2", rest)) => match oip::Route::of(rest) {
                Some(route) if route.is_post() == is_post => Route::Oip(route),
                Some(_) => Route::MethodNotAllowed,
                None => Route::NotFound,
            },
            Some((&"v1", rest)) => match openai::Route::of(rest) {
                Some(route) if route.is_post() == is_post => Route::OpenAi(route),
                Some(_) => Route::MethodNotAllowed,
                None => Route::NotFound,
            },
            None if !is_post => Route::Oip(oip::Route::Server),
            _ => Route::NotFound,
        }
    }
}

/// `http_request`, a query: answers what is read, and sends the gateway on to `http_request_update` with the rest.
/// `certificate` is the system's.
pub fn query<R: Runtime>(
    runtime: &R,
    request: &HttpRequest,
    certificate: Option<Vec<u8>>,
) -> HttpResponse {
    let route = Route::of(request);
    let reply = match read(runtime, &route) {
        Some(reply) => reply,
        None => {
            return HttpResponse {
                status_code: 200,
                headers: Vec::new(),
                body: Vec::new(),
                upgrade: Some(true),
            };
        }
    };
    let mut response = reply.into_response();
    response
        .headers
        .extend(skip::headers(&certificate.unwrap_or_default()));
    response
}

/// What needs no update call.
fn read<R: Runtime>(runtime: &R, route: &Route) -> Option<Reply> {
    match route {
        Route::Preflight => Some(preflight()),
        Route::Oip(route) => oip::read(runtime, route),
        Route::OpenAi(route) => openai::read(route),
        Route::NotFound => Some(plain_error(404, "there is nothing here")),
        Route::MethodNotAllowed => Some(plain_error(405, "not with this method")),
    }
}

/// `http_request_update`.
pub async fn update<R: Runtime>(runtime: &R, request: HttpRequest) -> HttpResponse {
    let route = Route::of(&request);
    if let Some(reply) = read(runtime, &route) {
        return reply.into_response();
    }
    let given = request.body.len() as u64;
    let reply = match route {
        _ if given > BODY_BYTES_MAX => plain_error(
            413,
            &format!("the body has {given} bytes, at most {BODY_BYTES_MAX} are allowed"),
        ),
        Route::Oip(oip::Route::Infer { model }) => oip::infer(runtime, &request, model).await,
        Route::OpenAi(openai::Route::Embeddings) => openai::embeddings(runtime, &request).await,
        _ => plain_error(404, "there is nothing here"),
    };
    reply.into_response()
}

fn preflight() -> Reply {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Reply {
        status: 204,
        headers: vec![
            header("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
            header(
                "Access-Control-Allow-Headers",
                "Authorization, Content-Type, Inference-Header-Content-Length",
            ),
            header("Access-Control-Max-Age", "86400"),
        ],
        body: Vec::new(),
    }
}

fn plain_error(status: u16, message: &str) -> Reply {
    Reply::json(status, &serde_json::json!({ "error": message }))
}

pub fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request
        .headers
        .iter()
        .find(|(given, _)| given.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// A call that failed, as HTTP tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    pub status: u16,
    pub message: String,
}

impl Failure {
    pub fn bad_request(message: impl Into<String>) -> Failure {
        Failure {
            status: 400,
            message: message.into(),
        }
    }
}

impl From<InferError> for Failure {
    fn from(error: InferError) -> Self {
        let status = match &error {
            InferError::UnknownModel { .. } | InferError::NotLoaded { .. } => 404,
            InferError::InvalidInput { .. }
            | InferError::TokenNotTaken { .. }
            | InferError::NotWithCycles => 400,
            InferError::InputTooLarge { .. } | InferError::TooManyInstructions { .. } => 413,
            InferError::InsufficientCredit { .. }
            | InferError::InsufficientAllowance { .. }
            | InferError::InsufficientFunds { .. }
            | InferError::InsufficientCycles { .. }
            | InferError::PriceTooHigh { .. } => 402,
            InferError::AnonymousCaller => 401,
            InferError::NotAdmitted { .. } => 410,
            InferError::QuotaUsedUp { .. } | InferError::Busy => 429,
            InferError::NotReady { .. } | InferError::OutOfCycles { .. } => 503,
            InferError::RegistryFailed { .. } | InferError::PaymentFailed { .. } => 502,
            InferError::RunFailed { .. } | InferError::GoesOn { .. } | InferError::QueryOnly => 500,
        };
        let message = match error {
            InferError::InvalidInput { input, reason } => format!("{input}: {reason}"),
            InferError::RunFailed { message, .. } => message,
            InferError::UnknownModel { name } => format!("there is no model {name}"),
            InferError::GoesOn { job } => {
                format!("it goes on as job {job}, whose result `get_job` will have")
            }
            InferError::QuotaUsedUp { per_hour } => format!(
                "the {per_hour} free calls of this hour are used up: send a key of prepaid credit"
            ),
            InferError::InputTooLarge {
                given_bytes,
                max_bytes,
            } => format!("the input has {given_bytes} bytes, at most {max_bytes} are allowed"),
            InferError::TooManyInstructions { needed, max } => format!(
                "the call is expected to take {needed} instructions, and {max} are the most: make it smaller, or pay for it with a key of \
                 prepaid credit if this was a free call"
            ),
            InferError::InsufficientCredit {
                credit_e8s,
                needed_e8s,
            } => format!("the call costs {needed_e8s} e8s, and {credit_e8s} may be spent"),
            InferError::NotLoaded { version } => {
                format!("the model {version} is not loaded here: `load` it first")
            }
            InferError::NotReady { version } => {
                format!("the model {version} is being made ready: try again in some seconds")
            }
            InferError::NotAdmitted { status, .. } => {
                format!("this version is {status}, and is not run any more")
            }
            InferError::OutOfCycles { .. } => {
                "this canister is low on cycles and takes no work before it is topped up: try again later".to_owned()
            }
            InferError::Busy => "too many calls at once: try again when one has ended".to_owned(),
            InferError::RegistryFailed { message } => format!(
                "whether the model is still admitted could not be learnt ({message}): try again"
            ),
            // Of who attaches cycles or lets a ledger pay, which nobody does over HTTP.
            other => format!("{other:?}"),
        };
        Failure { status, message }
    }
}

/// Of the `Authorization` header.
fn secret(request: &HttpRequest) -> Option<&str> {
    header(request, "Authorization")
        .map(|value| value.strip_prefix("Bearer ").unwrap_or(value).trim())
        .filter(|secret| !secret.is_empty() && *secret != NO_KEY)
}

fn key_of<R: Runtime>(runtime: &R, secret: &str) -> Result<(Sha256, Key), Failure> {
    let hash = Sha256::of(secret.as_bytes());
    let key = keys::get(&hash).filter(|key| {
        key.expires_at_nanos
            .is_none_or(|at| runtime.now_nanos() < at)
    });
    key.map(|key| (hash, key)).ok_or_else(|| Failure {
        status: 401,
        message: "this key is not known or has expired".to_owned(),
    })
}

/// Refuses whom nothing pays for, before the body is read.
fn check_caller<R: Runtime>(runtime: &R, request: &HttpRequest) -> Result<(), Failure> {
    match secret(request) {
        None => Ok(quota::check_left(runtime)?),
        Some(secret) => key_of(runtime, secret).map(drop),
    }
}

/// Runs a model for whoever the `Authorization` header says.
async fn call<R: Runtime>(
    runtime: &R,
    request: &HttpRequest,
    model: ModelReference,
    input: Input,
) -> Result<Done, Failure> {
    let busy = || Failure::from(InferError::Busy);
    let ask = |caller, purse| Ask {
        caller,
        model,
        input,
        purse,
        max_price: None,
    };
    let Some(secret) = secret(request) else {
        let _guard = FreeCallGuard::lock(next_call()).ok_or_else(busy)?;
        let anonymous = candid::Principal::anonymous();
        return Ok(infer::call(runtime, ask(anonymous, Purse::Free)).await?);
    };
    let (hash, key) = key_of(runtime, secret)?;
    let _guard = HttpCallGuard::lock(next_call()).ok_or_else(busy)?;
    let purse = Purse::Credit {
        unit: key.unit,
        key: Some(hash),
    };
    Ok(infer::call(runtime, ask(key.owner, purse)).await?)
}

/// Whether a version could be called now.
fn is_ready(version: &Sha256) -> bool {
    volatile::has_model(version) && crate::registration::check_admitted(*version).is_ok()
}

/// `None` where an escape is cut off, no hexadecimal number, or the result no UTF-8.
fn percent_decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let value = digit(rest.next())? * 16 + digit(rest.next())?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}
