//! Reading the certified state.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;
use serde_bytes::ByteBuf;

use super::body::{CborBody, cbor_response};
use super::refusal::Refusal;
use super::{Interface, off_the_runtime};
use crate::authentication::{AnonymousExpiry, authenticate};
use crate::certification::certificate;
use crate::envelope::Envelope;
use crate::keys::now_nanos;
use crate::readable_paths::{EffectiveId, Reader, permitted};
use crate::replica::Replica;
use crate::routing::{check_subnet, parse_effective_id};

#[derive(Serialize)]
struct ReadStateAnswer {
    certificate: ByteBuf,
}

pub(super) async fn of_canister<R: Replica>(
    State(interface): State<Interface<R>>,
    Path(id): Path<String>,
    CborBody(body): CborBody,
) -> Result<Response, Refusal> {
    off_the_runtime(move || {
        let id = parse_effective_id(&id)?;
        read(&interface, EffectiveId::Canister(id), &body)
    })
    .await
}

pub(super) async fn of_subnet<R: Replica>(
    State(interface): State<Interface<R>>,
    Path(id): Path<String>,
    CborBody(body): CborBody,
) -> Result<Response, Refusal> {
    off_the_runtime(move || {
        let id = parse_effective_id(&id)?;
        check_subnet(id, interface.keys.subnet_id())?;
        read(&interface, EffectiveId::Subnet(id), &body)
    })
    .await
}

fn read<R: Replica>(
    interface: &Interface<R>,
    effective_id: EffectiveId,
    body: &Bytes,
) -> Result<Response, Refusal> {
    let envelope = Envelope::read_state(body)?;
    let now = now_nanos();
    let root_key = interface.keys.root_key_raw();
    let authority = authenticate(&envelope, AnonymousExpiry::Ignored, root_key, now)?;
    let reader = Reader {
        sender: envelope.sender,
        effective_id,
        targets: &authority.targets,
    };
    let state = interface.replica.state();
    let state = state
        .read()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let reveal = permitted(&state, &reader, &envelope.content)?;
    Ok(cbor_response(&ReadStateAnswer {
        certificate: ByteBuf::from(certificate(&interface.keys, &state, now, reveal)),
    }))
}
