//! CBOR in and CBOR out.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::refusal::Refusal;
use crate::certification::to_cbor;

/// As on a replica: room for an ingress message of 2 MiB with its envelope, and
/// for a `read_state` with a thousand paths.
const BODY_BYTES_MAX: usize = 5 * 1024 * 1024;

const CBOR: &str = "application/cbor";

/// The body of a request that says it is CBOR.
pub(super) struct CborBody(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for CborBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let headers = request.headers();
        let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
        if content_type != Some(CBOR.as_bytes()) {
            return Err(Refusal::ContentType);
        }
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > BODY_BYTES_MAX) {
            return Err(Refusal::BodyTooLarge {
                max: BODY_BYTES_MAX,
            });
        }
        read(request.into_body()).await.map(CborBody)
    }
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|error| {
            let mut cause: Option<&dyn std::error::Error> = Some(&error);
            while let Some(error) = cause {
                if error.is::<http_body_util::LengthLimitError>() {
                    return Refusal::BodyTooLarge {
                        max: BODY_BYTES_MAX,
                    };
                }
                cause = error.source();
            }
            Refusal::BodyCutOff
        })
}

/// A CBOR answer with status 200.
pub(super) fn cbor_response<T: Serialize>(value: &T) -> Response {
    ([(CONTENT_TYPE, CBOR)], to_cbor(value)).into_response()
}
