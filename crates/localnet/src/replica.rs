//! The network behind its HTTP interface.

use std::sync::{Arc, RwLock};

use stoa_localnet_wire::{
    Ingress, Query, QueryOutcome, Rejection, Replica, RequestEntry, RequestId, RequestStatus,
    StateTree, Submission,
};

use crate::network::{Event, Network};
use crate::query_threads::QueryThreads;

/// Takes requests to the executor and to the query threads.
pub struct LocalReplica {
    network: Arc<Network>,
    queries: QueryThreads,
    /// Apart from the others: slow queries must not keep updates out.
    inspections: QueryThreads,
}

impl LocalReplica {
    pub fn new(network: Arc<Network>, queries: QueryThreads, inspections: QueryThreads) -> Self {
        Self {
            network,
            queries,
            inspections,
        }
    }

    /// Known requests are not let in again. The entry is made before the
    /// executor hears of the request, so that it cannot be answered unseen.
    fn enter(&self, ingress: &Ingress) -> bool {
        let mut tree = self.network.write_tree();
        if tree.requests.contains_key(&ingress.request_id) {
            return false;
        }
        tree.requests.insert(
            ingress.request_id,
            RequestEntry {
                sender: ingress.sender,
                canister_id: ingress.canister_id,
                status: RequestStatus::Received,
            },
        );
        true
    }
}

impl Replica for LocalReplica {
    fn state(&self) -> Arc<RwLock<StateTree>> {
        Arc::clone(&self.network.tree)
    }

    async fn submit(&self, ingress: Ingress) -> Submission {
        if self
            .network
            .read_tree()
            .requests
            .contains_key(&ingress.request_id)
        {
            return Submission::Accepted;
        }
        let network = Arc::clone(&self.network);
        let checked = self.inspections.run(move || {
            let admitted = crate::inspect::admit(&network, &ingress);
            (admitted, ingress)
        });
        match checked.await {
            None => Submission::Refused(stopping()),
            Some((Err(failure), _)) => Submission::Refused(failure.to_rejection()),
            Some((Ok(()), ingress)) => {
                let request = ingress.request_id;
                if self.enter(&ingress) && !self.network.tell(Event::Ingress(ingress)) {
                    self.network.write_tree().requests.remove(&request);
                    return Submission::Refused(stopping());
                }
                Submission::Accepted
            }
        }
    }

    async fn wait_until_done(&self, request_id: RequestId) {
        let mut answers = self.network.watch_answers();
        loop {
            answers.borrow_and_update();
            let known = self
                .network
                .read_tree()
                .requests
                .get(&request_id)
                .map(|entry| entry.status.is_final());
            if known != Some(false) || answers.changed().await.is_err() {
                return;
            }
        }
    }

    async fn query(&self, query: Query) -> QueryOutcome {
        let network = Arc::clone(&self.network);
        match self
            .queries
            .run(move || crate::query::run(&network, query))
            .await
        {
            Some(outcome) => outcome,
            None => QueryOutcome::Rejected(stopping()),
        }
    }
}

fn stopping() -> Rejection {
    Rejection {
        code: u64::from(crate::error::reject_code::SYS_TRANSIENT),
        message: "The local network is shutting down.".to_string(),
        error_code: "IC0208".to_string(),
    }
}
