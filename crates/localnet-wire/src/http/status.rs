//! `GET /api/v2/status`: the root key, for clients that are told to trust it.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_bytes::Bytes;

use super::Interface;
use super::body::cbor_response;
use crate::replica::Replica;

#[derive(Serialize)]
struct Status<'a> {
    impl_version: &'static str,
    replica_health_status: &'static str,
    root_key: &'a Bytes,
}

pub(super) async fn status<R: Replica>(State(interface): State<Interface<R>>) -> Response {
    cbor_response(&Status {
        impl_version: concat!("stoa-localnet-", env!("CARGO_PKG_VERSION")),
        replica_health_status: "healthy",
        root_key: Bytes::new(interface.keys.root_key_der()),
    })
}
