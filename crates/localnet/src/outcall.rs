//! HTTPS outcalls: requests that canisters make to the world, performed for real
//! by the only node there is.
//!
//! As on the network: `https` alone, no redirects followed, limits on everything,
//! and the canister's own query may transform the answer. Unlike there, `http`
//! is allowed to this machine itself, for tests; and nothing is agreed on, since
//! there is nobody to disagree.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use candid::Principal;
use ic_management_canister_types as types;
use reqwest::Url;

use crate::error::{Reject, reject_code};
use crate::network::Network;
use crate::system_api::Response;

pub const RESPONSE_BYTES_MAX: u64 = 2_000_000;
const REQUEST_BYTES_MAX: usize = 2_000_000;
const URL_BYTES_MAX: usize = 8_192;
const HEADERS_MAX: usize = 64;
const HEADER_PART_BYTES_MAX: usize = 8 << 10;
const HEADERS_BYTES_MAX: usize = 48 << 10;
/// Tests need not wait as long as the network would.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 30 });
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// A request within its limits.
pub struct Outcall {
    canister: Principal,
    url: Url,
    method: reqwest::Method,
    headers: Vec<types::HttpHeader>,
    body: Vec<u8>,
    response_bytes_max: u64,
    transform: Option<types::TransformContext>,
    /// What it is charged for.
    pub request_bytes: u64,
    pub response_bytes: Option<u64>,
}

impl Outcall {
    /// The error is the reject's message.
    pub fn new(canister: Principal, given: types::HttpRequestArgs) -> Result<Self, String> {
        if given.url.len() > URL_BYTES_MAX {
            return Err(format!(
                "url exceeds the maximum length of {URL_BYTES_MAX}: {}",
                given.url.len()
            ));
        }
        let url =
            Url::parse(&given.url).map_err(|error| format!("Failed to parse URL: {error}"))?;
        let allowed = url.scheme() == "https" || url.scheme() == "http" && is_this_machine(&url);
        if !allowed {
            return Err(format!(
                "Only https is allowed (and http to this machine itself), not {}",
                url.scheme()
            ));
        }
        let response_bytes_max = given.max_response_bytes.unwrap_or(RESPONSE_BYTES_MAX);
        if response_bytes_max > RESPONSE_BYTES_MAX {
            return Err(format!(
                "max_response_bytes expected to be in the range [0..{RESPONSE_BYTES_MAX}], got {response_bytes_max}"
            ));
        }
        check_headers(&given.headers)?;
        let body = given.body.unwrap_or_default();
        let header_bytes: usize = given
            .headers
            .iter()
            .map(|header| header.name.len() + header.value.len())
            .sum();
        if header_bytes + body.len() > REQUEST_BYTES_MAX {
            return Err(format!(
                "Request size of {} bytes exceeds the maximum of {REQUEST_BYTES_MAX}",
                header_bytes + body.len()
            ));
        }
        if let Some(transform) = &given.transform
            && transform.function.0.principal != canister
        {
            return Err(format!(
                "transform needs to be a method of the caller canister {canister}, not of {}",
                transform.function.0.principal
            ));
        }
        let transform_bytes = given.transform.as_ref().map_or(0, |transform| {
            transform.function.0.method.len() + transform.context.len()
        });
        Ok(Self {
            canister,
            request_bytes: (given.url.len() + header_bytes + body.len() + transform_bytes) as u64,
            response_bytes: given.max_response_bytes,
            url,
            method: match given.method {
                types::HttpMethod::GET => reqwest::Method::GET,
                types::HttpMethod::POST => reqwest::Method::POST,
                types::HttpMethod::HEAD => reqwest::Method::HEAD,
            },
            headers: given.headers,
            body,
            response_bytes_max,
            transform: given.transform,
        })
    }

    /// Makes the request and has the answer transformed. Needs a thread of its
    /// own, with a stack for Wasm.
    pub fn perform(self, network: &Arc<Network>) -> Result<Vec<u8>, Reject> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| transient(&error))?;
        let response = runtime.block_on(self.fetch())?;
        let Some(transform) = &self.transform else {
            return encode(&response);
        };
        let argument = types::TransformArgs {
            response,
            context: transform.context.clone(),
        };
        let method = transform.function.0.method.clone();
        let argument = encode(&argument)?;
        match crate::query::transform(network, self.canister, method, argument) {
            Ok(Response::Reply(bytes)) => {
                let transformed: types::HttpRequestResult =
                    candid::decode_one(&bytes).map_err(|error| {
                        Reject::new(
                            reject_code::CANISTER_ERROR,
                            format!("Failed to decode the answer of the transform method: {error}"),
                        )
                    })?;
                encode(&transformed)
            }
            Ok(Response::Reject(reject)) => Err(reject),
            Err(failure) => Err(failure.to_reject()),
        }
    }

    async fn fetch(&self) -> Result<types::HttpRequestResult, Reject> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(PATIENCE)
            .no_proxy()
            .build()
            .map_err(|error| transient(&error))?;
        let mut request = client
            .request(self.method.clone(), self.url.clone())
            .body(self.body.clone());
        for header in &self.headers {
            request = request.header(&header.name, &header.value);
        }
        let mut response = request.send().await.map_err(|error| transient(&error))?;
        let mut headers = Vec::new();
        let mut left = self.response_bytes_max;
        for (name, value) in response.headers() {
            let value = value.to_str().map_err(|error| transient(&error))?;
            left = self.charge(left, name.as_str().len() + value.len())?;
            headers.push(types::HttpHeader {
                name: name.as_str().to_owned(),
                value: value.to_owned(),
            });
        }
        let status = response.status().as_u16().into();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| transient(&error))? {
            left = self.charge(left, chunk.len())?;
            body.extend_from_slice(&chunk);
        }
        Ok(types::HttpRequestResult {
            status,
            headers,
            body,
        })
    }

    fn charge(&self, left: u64, bytes: usize) -> Result<u64, Reject> {
        left.checked_sub(bytes as u64).ok_or_else(|| {
            Reject::new(
                reject_code::SYS_FATAL,
                format!(
                    "Http body exceeds size limit of {} bytes.",
                    self.response_bytes_max
                ),
            )
        })
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

fn check_headers(headers: &[types::HttpHeader]) -> Result<(), String> {
    if headers.len() > HEADERS_MAX {
        return Err(format!(
            "number of elements exceeds maximum allowed: {} headers, {HEADERS_MAX} are allowed",
            headers.len()
        ));
    }
    let mut total = 0;
    for header in headers {
        for part in [&header.name, &header.value] {
            if part.len() > HEADER_PART_BYTES_MAX {
                return Err(format!(
                    "a header's name or value of {} bytes is longer than {HEADER_PART_BYTES_MAX}",
                    part.len()
                ));
            }
            total += part.len();
        }
    }
    match total > HEADERS_BYTES_MAX {
        true => Err(format!(
            "headers of {total} bytes are longer than {HEADERS_BYTES_MAX}"
        )),
        false => Ok(()),
    }
}

fn transient(error: &impl std::error::Error) -> Reject {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Reject::new(reject_code::SYS_TRANSIENT, text)
}

fn encode(value: &impl candid::CandidType) -> Result<Vec<u8>, Reject> {
    candid::encode_one(value)
        .map_err(|error| Reject::new(reject_code::SYS_FATAL, error.to_string()))
}
