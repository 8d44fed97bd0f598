//! Asking again: soon at first, then ever more seldom, so that a local network feels instant and a busy one is not pressed.

use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::error::{ClientError, Result};

/// How long a network may be silent before a long transfer gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    pub fn quick() -> Self {
        Self {
            next: Duration::from_millis(10),
            max: Duration::from_secs(1),
        }
    }

    /// For calls that failed: a network that comes back is met within a few seconds.
    pub fn patient() -> Self {
        Self {
            next: Duration::from_millis(100),
            max: Duration::from_secs(3),
        }
    }

    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 3 / 2).min(self.max);
    }
}

/// Makes an idempotent call again until somebody answers, or nobody has for as long as `patience`.
pub(crate) async fn persistently<T, F>(
    connection: &Connection,
    patience: Duration,
    call: impl Fn() -> F,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let start = Instant::now();
    let mut backoff = Backoff::patient();
    loop {
        match call().await {
            Err(error) if error.is_lost_connection() => {
                if start.elapsed() >= patience {
                    return Err(ClientError::ConnectionLost {
                        endpoint: connection.endpoint().to_owned(),
                        waited: start.elapsed(),
                        source: Box::new(error),
                    });
                }
                backoff.wait().await;
            }
            answer => return answer,
        }
    }
}
