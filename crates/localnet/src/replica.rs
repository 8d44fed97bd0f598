//! The network behind its HTTP interface.

use std::sync::{Arc, RwLock};

use stoa_localnet_wire::{
    Ingress, Query, QueryOutcome, Rejection, Replica, RequestEntry, RequestId, RequestStatus,
    StateTree, Submission,
};

use crate::network::{Event, Network};
use crate::query_threads::QueryThreads;
use crate::scheduler::forget_at;

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
        tree.requests.insert(ingress.request_id, entry(ingress));
        true
    }

    /// Hands the message to the executor. In a state folder it is from then on;
    /// so it will be executed.
    fn hand_over(&self, ingress: Ingress) -> Result<(), Rejection> {
        let sequence = self.network.next_task();
        if let Some(store) = &self.network.store {
            store
                .accept(sequence, &ingress, &entry(&ingress))
                .map_err(|error| cannot_store(&error))?;
        }
        match self.network.tell(Event::Ingress(sequence, ingress)) {
            true => Ok(()),
            false => Err(stopping()),
        }
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
                if !self.enter(&ingress) {
                    return Submission::Accepted;
                }
                match self.hand_over(ingress) {
                    Ok(()) => Submission::Accepted,
                    Err(rejection) => {
                        self.network.write_tree().requests.remove(&request);
                        Submission::Refused(rejection)
                    }
                }
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

fn entry(ingress: &Ingress) -> RequestEntry {
    RequestEntry {
        sender: ingress.sender,
        canister_id: ingress.canister_id,
        status: RequestStatus::Received,
        forget_at_nanos: forget_at(ingress),
    }
}

fn cannot_store(error: &std::io::Error) -> Rejection {
    Rejection {
        code: u64::from(crate::error::reject_code::SYS_TRANSIENT),
        message: format!("The message cannot be written to the state folder: {error}"),
        error_code: "IC0201".to_string(),
    }
}

fn stopping() -> Rejection {
    Rejection {
        code: u64::from(crate::error::reject_code::SYS_TRANSIENT),
        message: "The local network is shutting down.".to_string(),
        error_code: "IC0208".to_string(),
    }
}
