//! Modules are compiled beside the executor: an installation waits for its
//! module, and messages for its canister wait behind it; all others go on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::thread;

use candid::Principal;

use super::{Executor, Task};
use crate::canister::ManagementCaller;
use crate::management;
use crate::network::Event;
use crate::wasm::THREAD_STACK_BYTES;

/// Messages that wait for a compiler.
#[derive(Default)]
pub struct Compiling {
    /// Installations, by their place in the order of messages.
    installations: BTreeMap<u64, (Principal, Task)>,
    /// What came for a canister while its module was being compiled.
    behind: BTreeMap<Principal, VecDeque<(u64, Task)>>,
    /// Installations whose module has been compiled, or found to be invalid.
    done: BTreeSet<u64>,
}

/// A user's message whose turn came before it expired: however long the compiler takes, it is executed.
fn in_time(mut task: Task, now: u64) -> Task {
    if let Task::Ingress(ingress) = &mut task
        && ingress.ingress_expiry_nanos >= now
    {
        ingress.ingress_expiry_nanos = u64::MAX;
    }
    task
}

impl Executor {
    /// Takes the message if it must wait: for its module, or behind one that does.
    pub(super) fn wait_for_compiler(&mut self, sequence: u64, task: Task) -> Option<Task> {
        let about = self.subject(&task);
        if let Some(waiting) = about.and_then(|id| self.compiling.behind.get_mut(&id)) {
            waiting.push_back((sequence, in_time(task, self.network.now())));
            return None;
        }
        if self.compiling.done.remove(&sequence) {
            return Some(task);
        }
        let Some((canister, module)) = self.module_to_compile(&task) else {
            return Some(task);
        };
        let network = Arc::clone(&self.network);
        let compiler = thread::Builder::new()
            .name("compiler".to_string())
            .stack_size(THREAD_STACK_BYTES)
            .spawn(move || {
                // What is wrong with it the installation itself finds out again, at once.
                drop(network.modules.prepare(&module));
                network.tell(Event::Compiled(sequence));
            });
        if compiler.is_err() {
            return Some(task);
        }
        let task = in_time(task, self.network.now());
        self.compiling
            .installations
            .insert(sequence, (canister, task));
        self.compiling.behind.insert(canister, VecDeque::new());
        None
    }

    /// Puts an installation, and what came behind it, in front of everything else.
    pub(super) fn compiled(&mut self, sequence: u64) {
        let Some((canister, task)) = self.compiling.installations.remove(&sequence) else {
            return;
        };
        let behind = self.compiling.behind.remove(&canister).unwrap_or_default();
        for waiting in behind.into_iter().rev() {
            self.queue.push_front(waiting);
        }
        self.queue.push_front((sequence, task));
        self.compiling.done.insert(sequence);
    }

    /// The canister that a message is for or about.
    fn subject(&self, task: &Task) -> Option<Principal> {
        let (callee, method, argument) = match task {
            Task::Ingress(ingress) => (ingress.canister_id, &ingress.method_name, &ingress.arg),
            Task::Call(call) => (call.callee, &call.method, &call.argument),
            Task::Response { to, .. } => return Some(*to),
            Task::System { canister, .. } => return Some(*canister),
        };
        match self.is_management(callee) && !self.compiling.behind.is_empty() {
            true => management::subject(method, argument),
            false => Some(callee),
        }
    }

    fn is_management(&self, id: Principal) -> bool {
        id == Principal::management_canister() || id == self.network.subnet
    }

    /// The module of an installation that would have to be compiled first.
    fn module_to_compile(&self, task: &Task) -> Option<(Principal, Vec<u8>)> {
        let (callee, sender, method, argument) = match task {
            Task::Ingress(ingress) => (
                ingress.canister_id,
                ingress.sender,
                &ingress.method_name,
                &ingress.arg,
            ),
            Task::Call(call) => (call.callee, call.caller, &call.method, &call.argument),
            _ => return None,
        };
        if !self.is_management(callee) {
            return None;
        }
        let caller = ManagementCaller::User {
            sender,
            request_id: stoa_localnet_wire::RequestId([0; 32]),
        };
        let (canister, module) =
            management::module_to_install(&self.network, &caller, method, argument)?;
        (!self.network.modules.is_at_hand(&module)).then_some((canister, module))
    }
}
