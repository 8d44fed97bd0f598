//! Queries, answered by the only node and signed with its key.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use candid::Principal;
use serde::Serialize;
use serde_bytes::ByteBuf;
use stoa_types::rih::{self, Value};

use super::body::{CborBody, cbor_response};
use super::refusal::Refusal;
use super::{Interface, off_the_runtime, sender_info};
use crate::authentication::{AnonymousExpiry, authenticate};
use crate::envelope::Envelope;
use crate::keys::{Keys, now_nanos};
use crate::replica::{Query, QueryOutcome, Replica, RequestId};
use crate::routing::{check_canister, check_subnet_query, parse_effective_id};

const RESPONSE_DOMAIN: &[u8; 12] = b"\x0Bic-response";

pub(super) async fn to_canister<R: Replica>(
    State(interface): State<Interface<R>>,
    Path(id): Path<String>,
    CborBody(body): CborBody,
) -> Result<Response, Refusal> {
    answer(interface, id, body, |_, id, envelope| {
        check_canister(id, &envelope.content)?;
        Ok(id)
    })
    .await
}

pub(super) async fn to_subnet<R: Replica>(
    State(interface): State<Interface<R>>,
    Path(id): Path<String>,
    CborBody(body): CborBody,
) -> Result<Response, Refusal> {
    answer(interface, id, body, |keys, id, envelope| {
        check_subnet_query(id, keys.subnet_id(), &envelope.content)?;
        Ok(Principal::management_canister())
    })
    .await
}

type Invocation = Envelope<crate::envelope::Invocation>;

async fn answer<R: Replica>(
    interface: Interface<R>,
    id: String,
    body: Bytes,
    effective_canister_id: fn(&Keys, Principal, &Invocation) -> Result<Principal, Refusal>,
) -> Result<Response, Refusal> {
    let keys = interface.keys.clone();
    let (request_id, query) = off_the_runtime(move || {
        let id = parse_effective_id(&id)?;
        let envelope = Envelope::query(&body)?;
        let effective_canister_id = effective_canister_id(&keys, id, &envelope)?;
        let root_key = keys.root_key_raw();
        authenticate(&envelope, AnonymousExpiry::Ignored, root_key, now_nanos())?
            .require_query(envelope.content.canister_id)?;
        let query = Query {
            sender: envelope.sender,
            canister_id: envelope.content.canister_id,
            effective_canister_id,
            method_name: envelope.content.method_name,
            arg: envelope.content.arg,
            sender_info: sender_info(envelope.sender_info),
        };
        Ok((envelope.request_id, query))
    })
    .await?;
    let outcome = interface.replica.query(query).await;
    let keys = interface.keys;
    off_the_runtime(move || Ok(signed(&keys, request_id, outcome))).await
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum QueryAnswer {
    Replied {
        reply: Reply,
        signatures: [NodeSignature; 1],
    },
    Rejected {
        reject_code: u64,
        reject_message: String,
        error_code: String,
        signatures: [NodeSignature; 1],
    },
}

#[derive(Serialize)]
struct Reply {
    arg: ByteBuf,
}

#[derive(Serialize)]
struct NodeSignature {
    timestamp: u64,
    signature: ByteBuf,
    identity: ByteBuf,
}

fn signed(keys: &Keys, request_id: RequestId, outcome: QueryOutcome) -> Response {
    let timestamp = now_nanos();
    let mut fields = vec![
        ("timestamp", timestamp.into()),
        ("request_id", Value::Blob(&request_id.0)),
    ];
    match &outcome {
        QueryOutcome::Replied(arg) => fields.extend([
            ("status", Value::Text("replied")),
            ("reply", Value::Map(vec![("arg", Value::Blob(arg))])),
        ]),
        QueryOutcome::Rejected(rejection) => fields.extend([
            ("status", Value::Text("rejected")),
            ("reject_code", rejection.code.into()),
            ("reject_message", Value::Text(&rejection.message)),
            ("error_code", Value::Text(&rejection.error_code)),
        ]),
    }
    let message = [&RESPONSE_DOMAIN[..], &rih::hash(&Value::Map(fields)).0].concat();
    let signatures = [NodeSignature {
        timestamp,
        signature: ByteBuf::from(keys.sign_as_node(&message)),
        identity: ByteBuf::from(keys.node_id().as_slice()),
    }];
    cbor_response(&match outcome {
        QueryOutcome::Replied(arg) => QueryAnswer::Replied {
            reply: Reply {
                arg: ByteBuf::from(arg),
            },
            signatures,
        },
        QueryOutcome::Rejected(rejection) => QueryAnswer::Rejected {
            reject_code: rejection.code,
            reject_message: rejection.message,
            error_code: rejection.error_code,
            signatures,
        },
    })
}
