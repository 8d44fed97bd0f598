//! A world for one canister: ledger, registry, shards, minting canister and time, each as the real one behaves as
//! far as the canister can tell. What happens to a call is chosen by its number, so a test can
//! visit every call of a path.

mod services;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use candid::{Nat, Principal};
use stoa_cmc_api::NotifyError;
use stoa_inference_api::{InferRequest, InitArgs, Payment, Policy, PreviewRequest, Token};
use stoa_registry_api::{StoredChunk, VersionInfo, VersionStatus};
use stoa_types::Sha256;
use stoa_types::manifest::{
    Card, Dimension, FileEntry, Lineage, Manifest, Pipeline, PipelineKind, Signature, TensorSpec,
};
use stoa_types::pipeline::{Answer, Input};
use stoa_types::tensor::{DataType, Tensor};

use crate::runner::Compiled;
use crate::runtime::{CallFailure, Outcome, Runtime, Task};
use crate::stored::{Holder, Load, Probe, StoredLoadState, Unit};
use crate::{accounts, chunk_store, load, load_job, state, tasks, volatile};

pub const FEE: u64 = 10_000;
pub const AUTHOR_PRICE: u64 = 100_000;
pub const PAYER_FUNDS: u64 = 10_000_000;
/// What the canister has from the start, for the fees of calls that fail before it has earned anything.
pub const RESERVE: u64 = 1_000_000;
pub const TOKEN_FUNDS: u64 = 100_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is executed, and the answer never comes: where the message would go on, it traps instead.
    TrapAfter,
    /// It is not executed, and neither is what comes after.
    TrapBefore,
    /// It is executed, but the caller learns only that the outcome is unknown.
    AnswerLost,
    /// It is not executed, and the caller learns only that the outcome is unknown.
    RequestLost,
    /// It is not executed, and the caller learns that.
    Refused,
    /// It is executed when the test says so, and answered.
    Held,
}

impl Fate {
    pub const ALL: [Fate; 5] = [
        Fate::TrapAfter,
        Fate::TrapBefore,
        Fate::AnswerLost,
        Fate::RequestLost,
        Fate::Refused,
    ];
}

#[derive(Clone)]
pub struct World(Rc<RefCell<Inner>>);

pub struct Inner {
    pub now_nanos: u64,
    /// e8s by owner; the minting canister's account for this canister is under its own name.
    pub balances: BTreeMap<Principal, u64>,
    /// Of the governance token.
    pub token_balances: BTreeMap<Principal, u64>,
    /// On either ledger.
    pub allowances: BTreeMap<Principal, u64>,
    pub fee: u64,
    pub burnt_fees: u64,
    pub burnt_token_fees: u64,
    executed: BTreeMap<Vec<u8>, u64>,
    pub blocks: Vec<(Principal, u64)>,
    pub versions: BTreeMap<Sha256, VersionInfo>,
    pub chunks: BTreeMap<(Principal, Sha256), Vec<u8>>,
    pub cycles: u128,
    /// Of them, what the freezing limit keeps.
    pub frozen_cycles: u128,
    pub attached: u128,
    pub accepted: u128,
    credited: BTreeSet<u64>,
    pub notify_answers: Vec<NotifyError>,
    instructions: u64,
    /// How far the counter moves each time that it is read.
    pub instructions_a_reading: u64,
    pub replicated: bool,
    /// What `resolve` of the registry answers.
    pub names: BTreeMap<String, Sha256>,
    pub cycles_requests: u64,
    /// Cycles that came to other canisters, and whether they are refused.
    pub deposited: BTreeMap<Principal, u128>,
    pub refuse_deposits: bool,
    /// Who owns the publisher's handle now.
    pub handle_owner: Principal,
    /// The answer of a deposit is lost with the message that waits for it.
    pub trap_deposits: bool,
    pub certified: Option<[u8; 32]>,
    pub scheduled: Vec<Task>,
    calls: usize,
    pub log: Vec<&'static str>,
    fates: BTreeMap<usize, Fate>,
    released: BTreeSet<usize>,
    pub trap_runs: bool,
}

pub fn canister() -> Principal {
    Principal::from_slice(&[1; 10])
}
pub fn registry() -> Principal {
    Principal::from_slice(&[2; 10])
}
pub fn ledger() -> Principal {
    Principal::from_slice(&[3; 10])
}
pub fn minting() -> Principal {
    Principal::from_slice(&[4; 10])
}
pub fn token_ledger() -> Principal {
    Principal::from_slice(&[8; 10])
}
pub fn governance() -> Principal {
    Principal::from_slice(&[7; 10])
}
pub fn shard(number: u8) -> Principal {
    Principal::from_slice(&[5, number])
}
/// Owns the publisher's handle.
pub fn author() -> Principal {
    Principal::from_slice(&[9; 10])
}
pub fn payer(number: u8) -> Principal {
    Principal::from_slice(&[6, number])
}

pub fn policy() -> Policy {
    let nat = |amount: u64| Nat::from(amount);
    Policy {
        rate_e8s_per_billion_instructions: 20_000_000,
        rate_cycles_per_billion_instructions: nat(1_500_000_000),
        cycles_per_e8: nat(50_000),
        token_e8s_per_icp: Some(1_000_000_000),
        top_up_below_cycles: nat(1_000_000_000_000),
        top_up_e8s: 5_000_000,
        treasury_basis_points: 1_000,
        reserve_basis_points: 7_500,
        payout_e8s_min: 50_000,
        load_e8s_per_chunk: 0,
        preview_instructions_max: 1_000_000_000,
        free_calls_per_hour: 3,
        free_instructions_max: 1_000_000_000,
        model_memory_bytes_max: 1 << 30,
    }
}

/// A canister that was just installed, and everything around it.
pub fn world() -> World {
    state::initialise(InitArgs {
        registry: registry(),
        governance: governance(),
        icp_ledger: ledger(),
        token_ledger: Some(token_ledger()),
        cycles_minting: minting(),
        policy: policy(),
    })
    .unwrap();
    accounts::receive(Unit::Icp, &Holder::Reserve, RESERVE.into());
    World(Rc::new(RefCell::new(Inner {
        now_nanos: 1_700_000_000_000_000_000,
        balances: BTreeMap::from([
            (canister(), RESERVE),
            (payer(0), PAYER_FUNDS),
            (payer(1), PAYER_FUNDS),
        ]),
        token_balances: BTreeMap::from([(payer(0), TOKEN_FUNDS), (payer(1), TOKEN_FUNDS)]),
        allowances: BTreeMap::from([(payer(0), TOKEN_FUNDS), (payer(1), TOKEN_FUNDS)]),
        fee: FEE,
        burnt_fees: 0,
        burnt_token_fees: 0,
        executed: BTreeMap::new(),
        blocks: Vec::new(),
        versions: BTreeMap::new(),
        chunks: BTreeMap::new(),
        cycles: 10_000_000_000_000,
        frozen_cycles: 0,
        attached: 0,
        accepted: 0,
        credited: BTreeSet::new(),
        notify_answers: Vec::new(),
        instructions: 0,
        instructions_a_reading: 1_000_000,
        replicated: true,
        names: BTreeMap::new(),
        cycles_requests: 0,
        deposited: BTreeMap::new(),
        refuse_deposits: false,
        handle_owner: author(),
        trap_deposits: false,
        certified: None,
        scheduled: Vec::new(),
        calls: 0,
        log: Vec::new(),
        fates: BTreeMap::new(),
        released: BTreeSet::new(),
        trap_runs: false,
    })))
}

/// Built once for all tests: a model is the same wherever it is built, and building takes most of a test's time.
static DIGITS: OnceLock<(Compiled, Probe)> = OnceLock::new();

/// A world where the digits model is admitted and loaded.
pub fn world_with_digits() -> (World, Sha256) {
    let world = world();
    let version = world.admit_digits();
    world
        .finish(load::load(&world, payer(0), version, None))
        .unwrap();
    match DIGITS.get() {
        Some(_) => world.put_digits(version),
        None => {
            world.finish(load_job::drive(&world));
            let probe = state::load(&version).unwrap().probe.unwrap();
            let compiled = volatile::peek_model(&version).unwrap();
            // Another thread may have been faster; it has the same.
            let _same = DIGITS.set((compiled, probe));
        }
    }
    assert!(volatile::has_model(&version), "{:?}", state::load(&version));
    world.with(|inner| inner.scheduled.clear());
    world.restart_calls();
    (world, version)
}

pub fn digits_onnx() -> Vec<u8> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/models/digits/digits.onnx"
    );
    std::fs::read(path).unwrap()
}

pub fn pixels(batch: u64) -> Tensor {
    Tensor {
        name: "pixels".into(),
        datatype: DataType::FP32,
        shape: vec![batch, 64],
        data: (0..batch * 64)
            .flat_map(|i| ((i % 17) as f32).to_le_bytes())
            .collect(),
    }
}

pub fn request(version: Sha256, payment: Payment) -> InferRequest {
    InferRequest {
        model: version.into(),
        input: Input::Tensors(vec![pixels(1)]),
        payment,
        max_price: None,
    }
}

pub fn preview(version: Sha256) -> PreviewRequest {
    PreviewRequest {
        model: version.into(),
        input: Input::Tensors(vec![pixels(1)]),
    }
}

pub fn tensors(answer: &Answer) -> &[Tensor] {
    match answer {
        Answer::Tensors(tensors) => tensors,
        other => panic!("{other:?}"),
    }
}

pub fn credit() -> Payment {
    Payment::Credit { token: Token::Icp }
}

pub fn allowance() -> Payment {
    Payment::Allowance {
        token: Token::Icp,
        from_subaccount: None,
    }
}

fn spec(name: &str, extent: u64) -> TensorSpec {
    let batch = Dimension::Dynamic {
        name: "batch".into(),
        max: 64,
    };
    TensorSpec {
        name: name.into(),
        datatype: DataType::FP32,
        shape: vec![batch, Dimension::Fixed(extent)],
    }
}

/// The model in chunks of 30,000 bytes, so that there are several; the canister takes any up to 1 MiB.
pub fn digits_version(onnx: &[u8]) -> VersionInfo {
    let chunks: Vec<&[u8]> = onnx.chunks(30_000).collect();
    let manifest = Manifest {
        schema: 1,
        publisher: "stoa".into(),
        name: "digits".into(),
        version: "1.0.0".into(),
        license: "Apache-2.0".into(),
        task: "image-classification".into(),
        files: vec![FileEntry {
            path: "digits.onnx".into(),
            size_bytes: onnx.len() as u64,
            sha256: Sha256::of(onnx),
            cid: String::new(),
            chunks: chunks.iter().map(|chunk| Sha256::of(chunk)).collect(),
        }],
        signature: Signature {
            inputs: vec![spec("pixels", 64)],
            outputs: vec![spec("probabilities", 10)],
        },
        pipeline: Pipeline {
            model: "digits.onnx".into(),
            kind: PipelineKind::Tensors,
            labels: vec![],
        },
        card: Card::default(),
        lineage: Lineage::default(),
        royalties: vec![],
        claims: vec![],
    };
    VersionInfo {
        version: manifest.digest(),
        manifest,
        status: VersionStatus::Admitted,
        created_at_nanos: 0,
        price_per_call_e8s: AUTHOR_PRICE,
        placement: chunks
            .iter()
            .map(|chunk| StoredChunk {
                hash: Sha256::of(chunk),
                size_bytes: chunk.len() as u64,
                shards: vec![shard(0), shard(1)],
            })
            .collect(),
    }
}

impl World {
    pub fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.0.borrow_mut())
    }

    pub fn admit_digits(&self) -> Sha256 {
        let onnx = digits_onnx();
        let info = digits_version(&onnx);
        let version = info.version;
        self.with(|inner| {
            for chunk in onnx.chunks(30_000) {
                for number in 0..2 {
                    inner
                        .chunks
                        .insert((shard(number), Sha256::of(chunk)), chunk.to_vec());
                }
            }
            inner.versions.insert(version, info);
            inner.names.insert("stoa/digits".into(), version);
        });
        version
    }

    /// What a load or a rebuild of digits comes to, without its work.
    pub fn put_digits(&self, version: Sha256) {
        let (compiled, probe) = DIGITS.get().expect("digits were loaded before");
        for (index, chunk) in (0..).zip(digits_onnx().chunks(30_000)) {
            chunk_store::put(&version, index, chunk).unwrap();
        }
        let load = state::load(&version).unwrap();
        state::put_load(Load {
            state: StoredLoadState::Ready {
                instructions_per_call: probe.instructions_per_call,
                memory_bytes: probe.memory_bytes,
            },
            probe: Some(probe.clone()),
            ..load
        });
        volatile::put_model(version, compiled.clone());
    }

    /// Counts calls from 0 again, all of them executed and answered but for `fates`.
    pub fn restart_calls(&self) {
        self.with(|inner| {
            inner.calls = 0;
            inner.log.clear();
            inner.fates.clear();
            inner.released.clear();
        });
    }

    /// Calls so far.
    pub fn calls(&self) -> usize {
        self.with(|inner| inner.calls)
    }

    pub fn forget_fates(&self) {
        self.with(|inner| inner.fates.clear());
    }

    /// Every held call may come back now.
    pub fn release_all(&self) {
        self.with(|inner| {
            let held = inner.fates.iter();
            let held = held.filter(|(_, fate)| **fate == Fate::Held);
            let numbers: Vec<usize> = held.map(|(number, _)| *number).collect();
            inner.released.extend(numbers);
        });
    }

    pub fn set_fate(&self, call: usize, fate: Fate) {
        self.with(|inner| inner.fates.insert(call, fate));
    }

    pub fn release(&self, call: usize) {
        self.with(|inner| inner.released.insert(call));
    }

    pub fn balance(&self, owner: Principal) -> u64 {
        self.with(|inner| inner.balances.get(&owner).copied().unwrap_or(0))
    }

    pub fn token_balance(&self, owner: Principal) -> u64 {
        self.with(|inner| inner.token_balances.get(&owner).copied().unwrap_or(0))
    }

    pub fn pass(&self, time: Duration) {
        crate::runtime::pass(time);
        self.with(|inner| inner.now_nanos += time.as_nanos() as u64);
    }

    /// Runs a message to its end. `None` where it trapped, with its locks released as a cleanup would.
    pub fn attempt<T>(&self, message: impl Future<Output = T>) -> Option<T> {
        poll(pin!(message))
    }

    pub fn finish<T>(&self, message: impl Future<Output = T>) -> T {
        self.attempt(message)
            .expect("a call of this message did not come back")
    }

    /// What timers do until nothing is scheduled any more.
    pub fn run_timers(&self) {
        for _ in 0..100 {
            if self.with(|inner| inner.scheduled.is_empty()) {
                return;
            }
            self.run_timers_once();
        }
        panic!("timers go on for ever");
    }

    pub fn run_timers_once(&self) {
        let tasks = self.with(|inner| std::mem::take(&mut inner.scheduled));
        self.pass(Duration::from_secs(60));
        for task in tasks {
            let _trapped: Option<()> = self.attempt(tasks::run(self.clone(), task));
        }
    }

    /// An upgrade: the heap is lost, stable memory is not, timers are armed again.
    pub fn upgrade(&self) {
        volatile::forget_everything();
        self.with(|inner| inner.scheduled = Task::ALL.to_vec());
    }
}

pub fn number(nat: &Nat) -> u64 {
    u64::try_from(nat.0.clone()).unwrap()
}

/// Polls until it is ready or waits for a call that does not come back by itself.
pub fn poll<T>(mut message: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match message.as_mut().poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

impl Runtime for World {
    fn now_nanos(&self) -> u64 {
        self.with(|inner| inner.now_nanos)
    }

    fn own_id(&self) -> Principal {
        canister()
    }

    async fn call(
        &self,
        callee: Principal,
        method: &'static str,
        argument: Vec<u8>,
    ) -> Result<Vec<u8>, CallFailure> {
        let (number, fate) = self.with(|inner| {
            let number = inner.calls;
            inner.calls += 1;
            inner.log.push(method);
            (number, inner.fates.get(&number).copied())
        });
        let failure = |outcome| CallFailure {
            outcome,
            message: format!("{method} went wrong"),
        };
        let trap = || std::future::pending::<Result<Vec<u8>, CallFailure>>();
        match fate {
            Some(Fate::TrapBefore) => return trap().await,
            Some(Fate::RequestLost) => return Err(failure(Outcome::Unknown)),
            Some(Fate::Refused) => return Err(failure(Outcome::NotExecuted)),
            Some(Fate::Held) => {
                std::future::poll_fn(|_| {
                    if self.with(|inner| inner.released.contains(&number)) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
            }
            Some(Fate::TrapAfter | Fate::AnswerLost) | None => {}
        }
        let answer = self
            .execute(callee, method, &argument)
            .map_err(|message| CallFailure {
                outcome: Outcome::Unknown,
                message,
            });
        match fate {
            Some(Fate::TrapAfter) => trap().await,
            Some(Fate::AnswerLost) => Err(failure(Outcome::Unknown)),
            _ => answer,
        }
    }

    fn attached_cycles(&self) -> u128 {
        self.with(|inner| inner.attached)
    }

    fn accept_cycles(&self, max: u128) -> u128 {
        self.with(|inner| {
            let accepted = max.min(inner.attached);
            inner.attached -= accepted;
            inner.accepted += accepted;
            inner.cycles += accepted;
            accepted
        })
    }

    fn cycle_balance(&self) -> u128 {
        self.with(|inner| inner.cycles)
    }

    fn liquid_cycles(&self) -> u128 {
        self.with(|inner| inner.cycles.saturating_sub(inner.frozen_cycles))
    }

    fn instructions(&self) -> u64 {
        self.with(|inner| {
            inner.instructions += inner.instructions_a_reading;
            inner.instructions
        })
    }

    async fn deposit_cycles(&self, to: Principal, cycles: u128) -> u128 {
        let (refunded, traps) = self.with(|inner| {
            inner.log.push("deposit_cycles");
            if inner.refuse_deposits {
                return (cycles, inner.trap_deposits);
            }
            inner.cycles -= cycles;
            *inner.deposited.entry(to).or_default() += cycles;
            (0, inner.trap_deposits)
        });
        if traps {
            return std::future::pending().await;
        }
        refunded
    }

    fn is_replicated(&self) -> bool {
        self.with(|inner| inner.replicated)
    }

    fn certify(&self, root: [u8; 32]) {
        self.with(|inner| inner.certified = Some(root));
    }

    fn schedule(&self, _: Duration, task: Task) {
        self.with(|inner| {
            if !inner.scheduled.contains(&task) {
                inner.scheduled.push(task);
            }
        });
    }
}
