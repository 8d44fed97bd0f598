//! Tests of the whole machine, without HTTP: modules in WAT, calls, answers.

mod availability;
mod calls;
mod compiling;
mod fuzz;
mod installing;
mod lifecycle;
mod limits;
mod metering;
mod modules;
mod outcalls;
mod prices;
mod queries;
mod record;
mod rollback;
mod snapshots;
mod timers;
mod wide;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use candid::utils::ArgumentEncoder;
use candid::{Nat, Principal};
use ic_management_canister_types as types;
use stoa_localnet_wire::{
    Ingress, Query, QueryOutcome, Rejection, Replica, RequestId, RequestStatus, Submission,
};

use crate::network::{Event, Network, Restored};
use crate::query_threads::QueryThreads;
use crate::replica::LocalReplica;
use crate::scheduler::Executor;
use crate::wasm::{ModuleStore, THREAD_STACK_BYTES};

/// What an envelope would have around the argument.
const ENVELOPE_BYTES: usize = 300;

/// A network with an executor and nothing in front of it.
struct Net {
    network: Arc<Network>,
    replica: LocalReplica,
    runtime: tokio::runtime::Runtime,
    executor: Option<JoinHandle<()>>,
    user: Principal,
}

/// What became of a call or query.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Outcome {
    Replied(Vec<u8>),
    Rejected(Rejection),
    /// Before it was scheduled.
    Refused(Rejection),
}

impl Outcome {
    #[track_caller]
    fn reply(self) -> Vec<u8> {
        match self {
            Self::Replied(bytes) => bytes,
            other => panic!("a reply was expected, not {other:?}"),
        }
    }

    /// A reply of one or more little-endian numbers.
    #[track_caller]
    fn numbers(self) -> Vec<u64> {
        let bytes = self.reply();
        bytes
            .chunks_exact(8)
            .map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
            .collect()
    }

    #[track_caller]
    fn number(self) -> u64 {
        self.numbers()[0]
    }

    #[track_caller]
    fn error_code(self) -> String {
        match self {
            Self::Rejected(rejection) | Self::Refused(rejection) => rejection.error_code,
            Self::Replied(bytes) => panic!("an error was expected, not the reply {bytes:?}"),
        }
    }

    #[track_caller]
    fn message(self) -> String {
        match self {
            Self::Rejected(rejection) | Self::Refused(rejection) => rejection.message,
            Self::Replied(bytes) => panic!("an error was expected, not the reply {bytes:?}"),
        }
    }
}

impl Net {
    fn new() -> Self {
        Self::with_modules(ModuleStore::new(None))
    }

    fn with_modules(modules: ModuleStore) -> Self {
        let (sender, inbox) = channel();
        let network = Arc::new(Network::new([7; 32], modules, None, sender));
        let executor = Executor::new(Arc::clone(&network), inbox, Restored::default());
        let executor = std::thread::Builder::new()
            .stack_size(THREAD_STACK_BYTES)
            .spawn(move || executor.run())
            .unwrap();
        Self {
            replica: LocalReplica::new(
                Arc::clone(&network),
                QueryThreads::start(2).unwrap(),
                QueryThreads::start(1).unwrap(),
            ),
            network,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            executor: Some(executor),
            user: Principal::self_authenticating([1]),
        }
    }

    fn submit(
        &self,
        sender: Principal,
        canister: Principal,
        method: &str,
        argument: &[u8],
    ) -> (RequestId, Submission) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut id = [0; 32];
        id[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let request_id = RequestId(id);
        let ingress = Ingress {
            request_id,
            message_bytes: ENVELOPE_BYTES + argument.len(),
            sender,
            canister_id: canister,
            effective_canister_id: canister,
            method_name: method.to_string(),
            arg: argument.to_vec(),
            ingress_expiry_nanos: self.network.now() + 240_000_000_000,
            sender_info: None,
        };
        (
            request_id,
            self.runtime.block_on(self.replica.submit(ingress)),
        )
    }

    fn wait(&self, request: RequestId) -> Outcome {
        self.runtime.block_on(self.replica.wait_until_done(request));
        match &self.network.read_tree().requests[&request].status {
            RequestStatus::Replied(bytes) => Outcome::Replied(bytes.clone()),
            RequestStatus::Rejected(rejection) => Outcome::Rejected(rejection.clone()),
            other => panic!("{other:?} is not final"),
        }
    }

    fn call_as(
        &self,
        sender: Principal,
        canister: Principal,
        method: &str,
        argument: &[u8],
    ) -> Outcome {
        match self.submit(sender, canister, method, argument) {
            (request, Submission::Accepted) => self.wait(request),
            (_, Submission::Refused(rejection)) => Outcome::Refused(rejection),
        }
    }

    fn call(&self, canister: Principal, method: &str, argument: &[u8]) -> Outcome {
        self.call_as(self.user, canister, method, argument)
    }

    fn query(&self, canister: Principal, method: &str, argument: &[u8]) -> Outcome {
        let query = Query {
            sender: self.user,
            canister_id: canister,
            effective_canister_id: canister,
            method_name: method.to_string(),
            arg: argument.to_vec(),
            sender_info: None,
        };
        match self.runtime.block_on(self.replica.query(query)) {
            QueryOutcome::Replied(bytes) => Outcome::Replied(bytes),
            QueryOutcome::Rejected(rejection) => Outcome::Rejected(rejection),
        }
    }

    fn manage(&self, method: &str, argument: impl ArgumentEncoder) -> Outcome {
        let argument = candid::encode_args(argument).unwrap();
        self.call(Principal::management_canister(), method, &argument)
    }

    fn create_with(&self, cycles: u128) -> Principal {
        let argument = types::ProvisionalCreateCanisterWithCyclesArgs {
            amount: Some(Nat::from(cycles)),
            settings: None,
            specified_id: None,
            sender_canister_version: None,
        };
        let reply = self
            .manage("provisional_create_canister_with_cycles", (argument,))
            .reply();
        candid::decode_one::<types::CanisterIdRecord>(&reply)
            .unwrap()
            .canister_id
    }

    fn create(&self) -> Principal {
        self.create_with(100_000_000_000_000)
    }

    fn install_bytes(
        &self,
        canister: Principal,
        mode: types::CanisterInstallMode,
        module: Vec<u8>,
    ) -> Outcome {
        let argument = types::InstallCodeArgs {
            mode,
            canister_id: canister,
            wasm_module: module,
            arg: b"argument".to_vec(),
            sender_canister_version: None,
        };
        self.manage("install_code", (argument,))
    }

    /// Installs a module whose body is put into the common frame.
    fn install(
        &self,
        canister: Principal,
        mode: types::CanisterInstallMode,
        body: &str,
    ) -> Outcome {
        self.install_bytes(canister, mode, module(body))
    }

    fn upgrade(&self, canister: Principal, body: &str) -> Outcome {
        self.install(canister, types::CanisterInstallMode::Upgrade(None), body)
    }

    #[track_caller]
    fn canister(&self, body: &str) -> Principal {
        let id = self.create();
        self.install(id, types::CanisterInstallMode::Install, body)
            .reply();
        id
    }

    fn status(&self, canister: Principal) -> types::CanisterStatusResult {
        let record = types::CanisterIdRecord {
            canister_id: canister,
        };
        candid::decode_one(&self.manage("canister_status", (record,)).reply()).unwrap()
    }

    fn cycles(&self, canister: Principal) -> u128 {
        u128::try_from(&self.status(canister).cycles.0).unwrap()
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.network.tell(Event::Stop);
        if let Some(executor) = self.executor.take() {
            let ended = executor.join();
            if !std::thread::panicking() {
                ended.unwrap();
            }
        }
    }
}

/// The frame of the test modules. At 0 is scratch space, at 16 the text "boom",
/// at 1024 a counter; `$answer` replies with a number.
fn module(body: &str) -> Vec<u8> {
    wat::parse_bytes(&frame(body)).unwrap().into_owned()
}

fn frame(body: &str) -> Vec<u8> {
    let imports = crate::wasm::import_declarations(false);
    let text = format!(
        r#"(module {imports}
        (memory (export "memory") 2 64)
        (table 16 funcref)
        (global $g (mut i64) (i64.const 0))
        (type $procedure (func))
        (data (i32.const 16) "boom")
        (data (i32.const 32) "target")
        (func $append64 (param i64)
            (i64.store (i32.const 0) (local.get 0)) (call $msg_reply_data_append (i32.const 0) (i32.const 8)))
        (func $answer (param i64) (call $append64 (local.get 0)) (call $msg_reply))
        (func $counter (result i64) (i64.load (i32.const 1024)))
        (func $bump (i64.store (i32.const 1024) (i64.add (call $counter) (i64.const 1))))
        (func $boom (call $trap (i32.const 16) (i32.const 4)))
        (func (export "canister_query counter") (call $answer (call $counter)))
        {body})"#
    );
    text.into_bytes()
}

const INSTALL: types::CanisterInstallMode = types::CanisterInstallMode::Install;
const REINSTALL: types::CanisterInstallMode = types::CanisterInstallMode::Reinstall;
