//! Whether a canister's answer carries a proof that the canister certified it.

use candid::Principal;
use ic_http_certification::{HttpRequest, HttpResponse, Method, StatusCode};
use ic_response_verification::{MIN_VERIFICATION_VERSION, verify_request_response_pair};

use super::interface::{CanisterAnswer, CanisterRequest};
use crate::keys::{Keys, now_nanos};

/// How far a certificate's time may be from now.
const TIME_OFFSET_NANOS_MAX: u128 = 300_000_000_000;

/// The headers that may be passed on.
pub(super) fn verify(
    keys: &Keys,
    canister: Principal,
    request: &CanisterRequest,
    answer: &CanisterAnswer,
) -> Result<Vec<(String, String)>, String> {
    let method =
        Method::from_bytes(request.method.as_bytes()).map_err(|error| error.to_string())?;
    let asked = HttpRequest::builder()
        .with_method(method)
        .with_url(request.url.clone())
        .with_headers(request.headers.clone())
        .with_body(request.body.to_vec())
        .build();
    let status = StatusCode::from_u16(answer.status_code).map_err(|error| error.to_string())?;
    let answered = HttpResponse::builder()
        .with_status_code(status)
        .with_headers(answer.headers.clone())
        .with_body(answer.body.clone())
        .build();
    let verified = verify_request_response_pair(
        asked,
        answered,
        canister.as_slice(),
        u128::from(now_nanos()),
        TIME_OFFSET_NANOS_MAX,
        keys.root_key_der(),
        MIN_VERIFICATION_VERSION,
    )
    .map_err(|error| error.to_string())?;
    match (verified.verification_version, verified.response) {
        // The first version proves the body alone: where to go next and what to
        // keep must not be taken from what is not proven.
        (0 | 1, _) if status.is_redirection() => {
            Err("version 1 of the proof does not cover redirects".to_owned())
        }
        (0 | 1, _) => Ok(without(&answer.headers, "cache-control")),
        // The canister certified that this answer is not certified.
        (_, None) => Ok(answer.headers.clone()),
        (_, Some(certified)) => Ok(certified.headers),
    }
}

fn without(headers: &[(String, String)], dropped: &str) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case(dropped))
        .cloned()
        .collect()
}
