//! What the network tells about itself under `/_/`, which no replica has:
//! tools of this repository read it, canisters' clients have no use for it.
//!
//! `GET /_/executions?after=N`: a JSON array of the executions numbered above N
//! (see `record`), oldest first.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::network::Network;

pub fn router(network: Arc<Network>) -> Router {
    Router::new()
        .route("/_/executions", get(executions))
        .with_state(network)
}

async fn executions(State(network): State<Arc<Network>>, request: Request) -> Response {
    let Some(after) = after(request.uri().query().unwrap_or_default()) else {
        let text = "`after` must be the number of an execution, such as in /_/executions?after=7\n";
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    match serde_json::to_vec(&network.executions.after(after)) {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// All of them where the query does not say.
fn after(query: &str) -> Option<u64> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("after="))
        .map_or(Some(0), |number| number.parse().ok())
}
