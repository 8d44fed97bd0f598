//! Asking again: soon at first, then ever more seldom, so that a local network feels instant and a busy one is not pressed.

use std::time::Duration;

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

    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 3 / 2).min(self.max);
    }
}
