//! Update calls. The asynchronous endpoint answers 202 once the call is accepted;
//! the synchronous ones wait for its end and answer with a certificate.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use candid::Principal;
use serde::Serialize;
use serde_bytes::ByteBuf;

use super::body::{CborBody, cbor_response};
use super::refusal::Refusal;
use super::{Interface, off_the_runtime, sender_info};
use crate::authentication::{AnonymousExpiry, authenticate};
use crate::certification::{Reveal, certificate};
use crate::envelope::Envelope;
use crate::keys::now_nanos;
use crate::replica::{Ingress, Rejection, Replica, RequestId, Submission};
use crate::routing::{check_canister, check_subnet_call, parse_effective_id};

/// Of an ingress message on an application subnet, its envelope included.
const MESSAGE_BYTES_MAX: usize = 2 << 20;

/// How long a synchronous call waits for its end; then the client polls.
const WAIT_MAX: Duration = Duration::from_secs(10);

pub(super) async fn asynchronous<R: Replica>(
    State(interface): State<Interface<R>>,
    Path(id): Path<String>,
    CborBody(body): CborBody,
) -> Result<Response, Refusal> {
    let ingress = ingress(interface.clone(), Endpoint::Canister, id, body).await?;
    Ok(match interface.replica.submit(ingress).await {
        Submission::Accepted => StatusCode::ACCEPTED.into_response(),
        Submission::Refused(rejection) => refused(rejection),
    })
}

pub(super) async fn synchronous<R: Replica>(
    State(interface): State<Interface<R>>,
    Path(id): Path<String>,
    CborBody(body): CborBody,
) -> Result<Response, Refusal> {
    let ingress = ingress(interface.clone(), Endpoint::Canister, id, body).await?;
    run(interface, ingress).await
}

pub(super) async fn to_subnet<R: Replica>(
    State(interface): State<Interface<R>>,
    Path(id): Path<String>,
    CborBody(body): CborBody,
) -> Result<Response, Refusal> {
    let ingress = ingress(interface.clone(), Endpoint::Subnet, id, body).await?;
    run(interface, ingress).await
}

#[derive(Clone, Copy)]
enum Endpoint {
    Canister,
    Subnet,
}

/// Everything that is checked before the machine may see the message.
async fn ingress<R: Replica>(
    interface: Interface<R>,
    endpoint: Endpoint,
    id: String,
    body: axum::body::Bytes,
) -> Result<Ingress, Refusal> {
    off_the_runtime(move || {
        let id = parse_effective_id(&id)?;
        let envelope = Envelope::call(&body)?;
        let effective_canister_id = match endpoint {
            Endpoint::Canister => {
                check_canister(id, &envelope.content)?;
                id
            }
            Endpoint::Subnet => {
                check_subnet_call(id, interface.keys.subnet_id(), &envelope.content)?;
                Principal::management_canister()
            }
        };
        if body.len() > MESSAGE_BYTES_MAX {
            return Err(Refusal::MessageTooLarge {
                request: envelope.request_id,
                given: body.len(),
                max: MESSAGE_BYTES_MAX,
            });
        }
        let root_key = interface.keys.root_key_raw();
        authenticate(&envelope, AnonymousExpiry::Checked, root_key, now_nanos())?
            .require_call(envelope.content.canister_id)?;
        Ok(Ingress {
            request_id: envelope.request_id,
            message_bytes: body.len(),
            sender: envelope.sender,
            canister_id: envelope.content.canister_id,
            effective_canister_id,
            method_name: envelope.content.method_name,
            arg: envelope.content.arg,
            ingress_expiry_nanos: envelope.ingress_expiry,
            sender_info: sender_info(envelope.sender_info),
        })
    })
    .await
}

async fn run<R: Replica>(interface: Interface<R>, ingress: Ingress) -> Result<Response, Refusal> {
    let request_id = ingress.request_id;
    if let Submission::Refused(rejection) = interface.replica.submit(ingress).await {
        return Ok(refused(rejection));
    }
    let done = interface.replica.wait_until_done(request_id);
    if tokio::time::timeout(WAIT_MAX, done).await.is_err() {
        return Ok(StatusCode::ACCEPTED.into_response());
    }
    let certificate = off_the_runtime(move || Ok(answer(&interface, request_id))).await?;
    Ok(match certificate {
        Some(certificate) => cbor_response(&CallAnswer::Replied {
            certificate: ByteBuf::from(certificate),
        }),
        None => StatusCode::ACCEPTED.into_response(),
    })
}

/// The certificate of a call's end; none if there is no end to be seen, because
/// the answer has been forgotten already.
fn answer<R: Replica>(interface: &Interface<R>, request_id: RequestId) -> Option<Vec<u8>> {
    let state = interface.replica.state();
    let state = state
        .read()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let request = state.requests.get(&request_id)?;
    if !request.status.is_final() {
        return None;
    }
    let mut reveal = Reveal::nothing();
    reveal.add(&[b"request_status".as_slice(), &request_id.0]);
    Some(certificate(&interface.keys, &state, now_nanos(), reveal))
}

/// What the endpoints answer. Of the two refusals, v2 clients read the fields
/// and ignore the status.
#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum CallAnswer {
    Replied {
        certificate: ByteBuf,
    },
    NonReplicatedRejection {
        reject_code: u64,
        reject_message: String,
        error_code: String,
    },
}

fn refused(rejection: Rejection) -> Response {
    cbor_response(&CallAnswer::NonReplicatedRejection {
        reject_code: rejection.code,
        reject_message: rejection.message,
        error_code: rejection.error_code,
    })
}
