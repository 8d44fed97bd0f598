//! The HTTP endpoints. Each file is one endpoint; here is what they share.

mod body;
mod call;
mod query;
mod read_state;
mod refusal;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use self::refusal::Refusal;
use crate::envelope::SignedSenderInfo;
use crate::gateway;
use crate::keys::Keys;
use crate::replica::{Replica, SenderInfo};

/// What every endpoint works with.
pub(crate) struct Interface<R> {
    pub(crate) replica: Arc<R>,
    pub(crate) keys: Arc<Keys>,
}

impl<R> Clone for Interface<R> {
    fn clone(&self) -> Self {
        Interface {
            replica: Arc::clone(&self.replica),
            keys: Arc::clone(&self.keys),
        }
    }
}

const BANNER: &str = "This is a Stoa development network: it speaks the public HTTP interface of \
the Internet Computer under a root key of its own. It is not the Internet Computer, \
and nothing on it has any value. It has one node and no consensus, no threshold keys, no Bitcoin, \
no rate limits. Canisters' pages are at <canister id>.localhost.\n";

/// The public HTTP interface in front of a replica.
pub fn router<R: Replica>(replica: Arc<R>, keys: Arc<Keys>) -> Router {
    Router::new()
        .route("/api/v2/status", get(status::status::<R>))
        .route("/api/v2/canister/{id}/call", post(call::asynchronous::<R>))
        .route("/api/v3/canister/{id}/call", post(call::synchronous::<R>))
        .route("/api/v4/canister/{id}/call", post(call::synchronous::<R>))
        .route("/api/v4/subnet/{id}/call", post(call::to_subnet::<R>))
        .route("/api/v2/canister/{id}/query", post(query::to_canister::<R>))
        .route("/api/v3/canister/{id}/query", post(query::to_canister::<R>))
        .route("/api/v3/subnet/{id}/query", post(query::to_subnet::<R>))
        .route(
            "/api/v2/canister/{id}/read_state",
            post(read_state::of_canister::<R>),
        )
        .route(
            "/api/v3/canister/{id}/read_state",
            post(read_state::of_canister::<R>),
        )
        .route(
            "/api/v2/subnet/{id}/read_state",
            post(read_state::of_subnet::<R>),
        )
        .route(
            "/api/v3/subnet/{id}/read_state",
            post(read_state::of_subnet::<R>),
        )
        .fallback(outside_the_api::<R>)
        // The limit and its answer are ours: see `body`.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(allow_browsers))
        .with_state(Interface { replica, keys })
}

/// Everything outside the API belongs to the canister that is named, if one is.
async fn outside_the_api<R: Replica>(
    State(interface): State<Interface<R>>,
    request: Request,
) -> Response {
    if let Some(target) = gateway::target(request.uri(), request.headers()) {
        return gateway::serve(interface, target, request).await;
    }
    if request.uri().path() == "/" {
        return BANNER.into_response();
    }
    let text = format!(
        "There is nothing at {:.200}: this network serves the API of the Internet Computer \
         under /api, and canisters' pages at <canister id>.localhost or with ?canisterId=<canister id>.\n",
        request.uri().path()
    );
    (StatusCode::NOT_FOUND, text).into_response()
}

/// Lets pages of any origin use the network: requests carry their own
/// authentication and no cookies.
async fn allow_browsers(request: Request, next: Next) -> Response {
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    // A canister may have its own idea of whom its pages are for.
    headers
        .entry(header::ACCESS_CONTROL_ALLOW_ORIGIN)
        .or_insert(HeaderValue::from_static("*"));
    if preflight {
        let granted = [
            (
                header::ACCESS_CONTROL_ALLOW_METHODS,
                "GET, POST, HEAD, OPTIONS",
            ),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "Accept, Authorization, Content-Type, Range, User-Agent, X-Requested-With",
            ),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ];
        for (name, value) in granted {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

/// Signatures and hashing take milliseconds, which the async runtime should not.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Refusal::Internal))
}

/// What is left of it once it is known to be signed.
fn sender_info(given: Option<SignedSenderInfo>) -> Option<SenderInfo> {
    given.map(|given| SenderInfo {
        info: given.info,
        signer: given.signer,
    })
}
