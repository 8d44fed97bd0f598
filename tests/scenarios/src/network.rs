//! The network that a test run uses, and the one runtime that all its tests share.
//!
//! One runtime: a connection pool belongs to the runtime that made it, and tests share connections.

use std::future::Future;
use std::sync::{LazyLock, OnceLock};

use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime")
});

static ENDPOINT: OnceCell<String> = OnceCell::const_new();

/// Runs a scenario to its end.
pub fn run<T>(scenario: impl Future<Output = T>) -> T {
    RUNTIME.block_on(scenario)
}

pub(crate) async fn endpoint() -> &'static str {
    ENDPOINT
        .get_or_init(|| async {
            match std::env::var("STOA_ENDPOINT") {
                Ok(endpoint) if !endpoint.is_empty() => endpoint,
                _ => start_embedded().await,
            }
        })
        .await
}

/// `http://127.0.0.1:4943` and an id as the page that a gateway serves for that canister: its URL, and the host in it.
pub fn page(endpoint: &str, canister: &str) -> (String, String) {
    let (scheme, host) = endpoint.split_once("://").expect("a URL");
    let host = host.trim_end_matches('/');
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, format!(":{port}")),
        None => (host, String::new()),
    };
    let domain = match name {
        "127.0.0.1" | "localhost" | "[::1]" => "localhost",
        "icp-api.io" | "icp0.io" | "ic0.app" => "icp0.io",
        other => other,
    };
    let host = format!("{canister}.{domain}{port}");
    (format!("{scheme}://{host}"), host)
}

/// Its threads end with this process; statics are never dropped.
static EMBEDDED: OnceLock<stoa_localnet::Handle> = OnceLock::new();

async fn start_embedded() -> String {
    let handle = tokio::task::spawn_blocking(|| {
        stoa_localnet::start(stoa_localnet::Options::default()).expect("an embedded network")
    })
    .await
    .expect("started");
    EMBEDDED.get_or_init(|| handle).endpoint()
}
