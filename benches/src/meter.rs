//! What executions cost, as the embedded network recorded it.

use serde::Deserialize;

/// One entry point that ran: a line of the network's record at `/_/executions`.
#[derive(Clone, Debug, Deserialize)]
pub struct Execution {
    /// Numbers executions from 1 in the order in which they ended.
    pub sequence: u64,
    /// The canister's id as text.
    pub canister: String,
    /// `update`, `query`, `reply`, `timer`, `init`, ... (the kind of entry point).
    pub entry_point: String,
    /// The method called; for callbacks that of the call which they belong to; empty where there is none.
    pub method: String,
    /// As a replica would count them, with the charge for dirty pages.
    pub instructions: u64,
    /// Pages of 4 KiB written, in heap and stable memory.
    pub dirty_pages: u64,
    pub trapped: bool,
}

/// A moment in the record.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

/// Reads the record of one network.
pub struct Meter {
    client: reqwest::Client,
    endpoint: String,
}

impl Meter {
    /// `endpoint` such as `http://127.0.0.1:4943`: an embedded network.
    pub fn new(endpoint: &str) -> Self {
        Self {
            client: reqwest::Client::new(),
            endpoint: endpoint.trim_end_matches('/').to_string(),
        }
    }

    /// Now: later executions are after it.
    pub async fn mark(&self) -> Mark {
        let all = self.after(0).await;
        Mark(all.last().map_or(0, |last| last.sequence))
    }

    /// The executions that ended after the mark, oldest first. The network keeps the latest 10,000.
    ///
    /// # Panics
    /// If the endpoint is not an embedded network.
    pub async fn since(&self, mark: Mark) -> Vec<Execution> {
        self.after(mark.0).await
    }

    async fn after(&self, sequence: u64) -> Vec<Execution> {
        let url = format!("{}/_/executions?after={sequence}", self.endpoint);
        let response = self
            .client
            .get(&url)
            .send()
            .await
            .expect("the network answers");
        assert!(
            response.status().is_success(),
            "{url}: {}: not an embedded network",
            response.status()
        );
        let body = response.bytes().await.expect("a body");
        serde_json::from_slice(&body).expect("a record of executions")
    }
}
