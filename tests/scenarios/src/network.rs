//! The network that a test run uses, and the one runtime that all its tests share.
//!
//! One runtime: a connection pool belongs to the runtime that made it, and tests share connections.

use std::future::Future;
use std::sync::{LazyLock, OnceLock};

use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use crate::half_of_limits;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime")
});

static ENDPOINT: OnceCell<String> = OnceCell::const_new();

/// Runs a scenario to its end.
pub fn run<T>(scenario: impl Future<Output = T>) -> T {
    RUNTIME.block_on(async {
        let outcome = scenario.await;
        if let Some(network) = EMBEDDED.get() {
            half_of_limits::check(network);
        }
        outcome
    })
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

/// Its threads end with this process; statics are never dropped.
static EMBEDDED: OnceLock<stoa_localnet::Handle> = OnceLock::new();

async fn start_embedded() -> String {
    let handle = tokio::task::spawn_blocking(|| {
        stoa_localnet::start(stoa_localnet::Options::default()).expect("an embedded network")
    })
    .await
    .expect("started");
    let network = EMBEDDED.get_or_init(|| handle);
    half_of_limits::watch(network);
    network.endpoint()
}
