//! Requests that are refused before the machine sees them, as HTTP answers in
//! plain text.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::authentication::AuthenticationError;
use crate::envelope::EnvelopeError;
use crate::readable_paths::PathError;
use crate::replica::RequestId;
use crate::routing::RoutingError;

#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Unexpected content-type, expected application/cbor.")]
    ContentType,
    #[error("The request body exceeds {max} bytes")]
    BodyTooLarge { max: usize },
    #[error(
        "Request {request:?} is too large. Message byte size {given} is larger than the max allowed {max}."
    )]
    MessageTooLarge {
        request: RequestId,
        given: usize,
        max: usize,
    },
    #[error("The request body did not arrive whole")]
    BodyCutOff,
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Routing(#[from] RoutingError),
    #[error(transparent)]
    Authentication(#[from] AuthenticationError),
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("The request could not be served because of an error of this network's own")]
    Internal,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Refusal::ContentType
            | Refusal::BodyCutOff
            | Refusal::Envelope(_)
            | Refusal::Routing(_)
            | Refusal::Authentication(_) => StatusCode::BAD_REQUEST,
            Refusal::BodyTooLarge { .. } | Refusal::MessageTooLarge { .. } => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Refusal::Path(error) => match error {
                PathError::Unknown => StatusCode::NOT_FOUND,
                PathError::PrivateSection(_)
                | PathError::RequestOfAnother
                | PathError::RequestNotATarget => StatusCode::FORBIDDEN,
                PathError::NotAPrincipal
                | PathError::OtherEffectiveId { .. }
                | PathError::SectionNameNotText
                | PathError::RequestIdLength { .. }
                | PathError::SeveralRequestIds
                | PathError::SeveralSubnetIds
                | PathError::RequestElsewhere => StatusCode::BAD_REQUEST,
            },
            Refusal::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status(), self.to_string()).into_response()
    }
}
