//! Statement 24: nothing that a scenario makes a canister do takes more than half of the instructions it might use.
//!
//! No public interface tells instructions, so this is known where the network is the one in this process. It looks at all that
//! ran, whoever caused it: scenarios share their network, and the first one that ends after a costly execution fails with it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stoa_localnet::{Executed, Handle};

/// The network keeps its latest 10,000 executions, of which it does some hundreds in this time.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What was found since somebody failed for it, and up to where the record was read.
struct Found {
    costly: Vec<Executed>,
    seen: u64,
}

static FOUND: Mutex<Found> = Mutex::new(Found {
    costly: Vec::new(),
    seen: 0,
});

/// Looks for as long as this process runs.
pub fn watch(network: &'static Handle) {
    tokio::spawn(async move {
        loop {
            look(network);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
}

/// # Panics
/// If something ran that took more than half.
pub fn check(network: &Handle) {
    look(network);
    let costly = std::mem::take(&mut found().costly);
    assert!(
        costly.is_empty(),
        "more than half of a limit, here or in a scenario beside: {costly:#?}"
    );
}

fn look(network: &Handle) {
    let mut found = found();
    for executed in network.executions_after(found.seen) {
        assert_eq!(
            executed.sequence,
            found.seen + 1,
            "the record was read too late"
        );
        found.seen = executed.sequence;
        if executed.instructions > executed.instructions_max / 2 {
            found.costly.push(executed);
        }
    }
}

/// Whoever failed while holding it left it whole.
fn found() -> std::sync::MutexGuard<'static, Found> {
    FOUND.lock().unwrap_or_else(PoisonError::into_inner)
}
