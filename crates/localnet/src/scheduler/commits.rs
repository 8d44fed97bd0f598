//! The end of each message: what it changed is written to the state folder, if
//! there is one, and only then are its answers known to anyone.

use stoa_localnet_wire::{Ingress, RequestEntry, RequestId};

use super::{ANSWER_KEPT_NANOS, Executor, Task};
use crate::store::Changes;

/// When a request may be forgotten.
pub fn forget_at(ingress: &Ingress) -> u64 {
    ingress
        .ingress_expiry_nanos
        .saturating_add(ANSWER_KEPT_NANOS)
}

/// What was said about messages and requests since the last commit.
#[derive(Default)]
pub struct Uncommitted {
    changes: Changes,
    failed: Option<std::io::Error>,
}

impl Uncommitted {
    pub fn task(&mut self, sequence: u64, task: &Task) {
        if let Err(error) = self.changes.task(sequence, task) {
            self.failed = Some(error);
        }
    }

    pub fn task_done(&mut self, sequence: u64) {
        self.changes.task_done(sequence);
    }

    pub fn request_forgotten(&mut self, request: &RequestId) {
        self.changes.request_forgotten(request);
    }
}

impl Executor {
    /// False if the folder cannot be written to: then nothing more may happen,
    /// since it could not be kept.
    pub(super) fn commit(&mut self) -> bool {
        let uncommitted = std::mem::take(&mut self.uncommitted);
        let answers = self.network.take_answers();
        if self.network.store.is_some()
            && let Err(error) = self.write(uncommitted, &answers)
        {
            eprintln!(
                "stoa-localnet: the state folder cannot be written to, so the network stops: {error}"
            );
            return false;
        }
        self.network.publish_answers(answers);
        true
    }

    fn write(
        &mut self,
        uncommitted: Uncommitted,
        answers: &[(RequestId, stoa_localnet_wire::RequestStatus)],
    ) -> std::io::Result<()> {
        let network = std::sync::Arc::clone(&self.network);
        let Some(store) = &network.store else {
            return Ok(());
        };
        if let Some(error) = uncommitted.failed {
            return Err(error);
        }
        let mut changes = uncommitted.changes;
        if network.read().canisters.is_touched() {
            let mut state = network.write();
            let touched = state.canisters.take_touched();
            for id in &touched {
                store.canister(&mut changes, id, state.canisters.get(id))?;
            }
            let next = state.next_canister;
            if self.next_canister_written != next {
                changes.network(&network.seed, next)?;
                self.next_canister_written = next;
            }
        }
        for (request, status) in answers {
            let tree = network.read_tree();
            let Some(known) = tree.requests.get(request) else {
                continue;
            };
            let entry = RequestEntry {
                status: status.clone(),
                ..known.clone()
            };
            drop(tree);
            changes.request(request, &entry)?;
        }
        store.commit(&changes)
    }
}
