//! A runtime for native tests: shards that follow the shard's rules in plain maps, and calls
//! that suspend once each, so that a test decides what runs between a call and its answer.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub mod services;

use candid::Principal;
use services::Services;
use stoa_shard_api::{ConfirmResult, ExpectArgs, ExpectError, ExpectResult, Held, ShardStatus};
use stoa_types::Sha256;
use stoa_types::manifest::{
    Card, Dimension, FileEntry, Lineage, Manifest, Pipeline, PipelineKind, Signature, TensorSpec,
};
use stoa_types::tensor::DataType;

use crate::memory::RawMemory;
use crate::parameters;
use crate::runtime::{CallFailed, CallFailure, Runtime, Task};
use crate::state::records::Parameters;
use crate::state::{self, Installation, State};

pub const GOVERNANCE: Principal = Principal::from_slice(&[9, 9]);
pub const LEDGER: Principal = Principal::from_slice(&[8, 8]);
pub const REGISTRY: Principal = Principal::from_slice(&[7, 7]);

pub fn principal(number: u8) -> Principal {
    Principal::from_slice(&[1, number])
}

pub fn shard(number: u8) -> Principal {
    Principal::from_slice(&[2, number])
}

/// A new registry with three shards, governed by `GOVERNANCE`. Returns its memory.
pub fn install() -> RawMemory {
    let memory = RawMemory::default();
    let installation = Installation {
        inference: &[],
        installer: principal(0),
        governance: GOVERNANCE,
        icp_ledger: LEDGER,
        shards: &[shard(0), shard(1), shard(2)],
        shard_module: None,
        parameters: Parameters {
            deposit_e8s_per_mib: 0,
            deposit_e8s_min: 0,
            ..parameters::DEFAULT
        },
    };
    state::set(State::create(memory.clone(), 1, &installation));
    memory
}

#[derive(Default)]
pub struct TestShard {
    pub held: BTreeMap<Sha256, u64>,
    pub expected: BTreeMap<Sha256, Principal>,
    pub expect_calls: u64,
    pub damaged: std::collections::BTreeSet<Sha256>,
    /// Paths of each version that it serves.
    pub served: std::collections::BTreeSet<(Sha256, String)>,
    pub capacity_bytes: u64,
    /// Answers nothing, as a stopped canister.
    pub is_down: bool,
    /// Of its three trillion cycles, what it says that it can spend; shards of before say nothing.
    pub liquid_cycles: Option<u64>,
}

pub struct TestRuntime {
    pub shards: RefCell<BTreeMap<Principal, TestShard>>,
    pub services: RefCell<Services>,
    pub management: RefCell<crate::fleet::testing::TestManagement>,
    pub now_nanos: Cell<u64>,
    pub cycles: Cell<u128>,
    /// Cycles that it cannot spend without being frozen.
    pub freezing_limit: Cell<u128>,
    pub scheduled: RefCell<BTreeSet<Task>>,
    certified: Cell<[u8; 32]>,
}

impl TestRuntime {
    pub fn new() -> Self {
        let shard_of = |number: u8| {
            let with_room = TestShard {
                capacity_bytes: 1 << 40,
                ..TestShard::default()
            };
            (shard(number), with_room)
        };
        Self {
            shards: RefCell::new((0..3).map(shard_of).collect()),
            services: RefCell::default(),
            management: RefCell::default(),
            now_nanos: Cell::new(1_700_000_000_000_000_000),
            cycles: Cell::new(1 << 60),
            freezing_limit: Cell::new(0),
            scheduled: RefCell::default(),
            certified: Cell::new([0; 32]),
        }
    }

    pub fn pass(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap();
        self.now_nanos.set(self.now_nanos.get() + nanos);
    }

    pub fn with_services<T>(&self, use_them: impl FnOnce(&mut Services) -> T) -> T {
        use_them(&mut self.services.borrow_mut())
    }

    pub fn certified_data(&self) -> [u8; 32] {
        self.certified.get()
    }

    pub fn on_shard<T>(&self, shard: Principal, use_it: impl FnOnce(&mut TestShard) -> T) -> T {
        use_it(self.shards.borrow_mut().get_mut(&shard).unwrap())
    }

    /// Stores a chunk where it is expected, as an uploader would.
    pub fn put(&self, shard: Principal, data: &[u8]) {
        self.on_shard(shard, |shard| {
            let hash = Sha256::of(data);
            assert!(shard.expected.contains_key(&hash), "an unexpected chunk");
            shard.held.insert(hash, data.len() as u64);
        });
    }

    async fn answer<T>(
        &self,
        shard: Principal,
        answer: impl FnOnce(&mut TestShard) -> T,
    ) -> Result<T, CallFailed> {
        Suspend(false).await;
        self.on_shard(shard, |shard| {
            if shard.is_down {
                let message = "the canister is stopped".to_owned();
                return Err(CallFailed { message });
            }
            Ok(answer(shard))
        })
    }
}

impl Runtime for TestRuntime {
    fn now_nanos(&self) -> u64 {
        self.now_nanos.get()
    }

    fn own_id(&self) -> Principal {
        REGISTRY
    }

    fn cycle_balance(&self) -> u128 {
        self.cycles.get()
    }

    fn liquid_cycles(&self) -> u128 {
        self.cycles.get().saturating_sub(self.freezing_limit.get())
    }

    fn log(&self, _: &str) {}

    fn schedule(&self, _: Duration, task: Task) {
        self.scheduled.borrow_mut().insert(task);
    }

    async fn call(
        &self,
        callee: Principal,
        method: &'static str,
        argument: Vec<u8>,
    ) -> Result<Vec<u8>, CallFailure> {
        Suspend(false).await;
        if let Some(answer) = crate::fleet::testing::call(self, callee, method, &argument) {
            return answer;
        }
        let now_nanos = self.now_nanos.get();
        self.services
            .borrow_mut()
            .answer(now_nanos, callee, method, &argument)
    }

    async fn manage(
        &self,
        method: &'static str,
        argument: Vec<u8>,
        cycles: u128,
    ) -> Result<Vec<u8>, CallFailure> {
        Suspend(false).await;
        crate::fleet::testing::manage(self, method, &argument, cycles)
    }

    fn set_certified_data(&self, root_hash: &[u8; 32]) {
        self.certified.set(*root_hash);
    }

    fn certificate(&self) -> Option<Vec<u8>> {
        Some(b"certificate".to_vec())
    }

    async fn expect_chunks(
        &self,
        shard: Principal,
        args: &ExpectArgs,
    ) -> Result<ExpectResult, CallFailed> {
        self.answer(shard, |shard| {
            shard.expect_calls += 1;
            for chunk in &args.chunks {
                match shard.held.get(&chunk.hash) {
                    Some(stored) if *stored != chunk.size_bytes => {
                        return Err(ExpectError::SizeMismatch {
                            hash: chunk.hash,
                            announced: chunk.size_bytes,
                            stored: *stored,
                        });
                    }
                    _ => shard.expected.insert(chunk.hash, args.uploader),
                };
            }
            Ok(())
        })
        .await
    }

    async fn confirm_chunks(
        &self,
        shard: Principal,
        hashes: &[Sha256],
    ) -> Result<ConfirmResult, CallFailed> {
        self.answer(shard, |shard| {
            let mut held = Held {
                bitmap: vec![0; hashes.len().div_ceil(8)],
                sizes_bytes: vec![0; hashes.len()],
            };
            for (index, hash) in hashes.iter().enumerate() {
                if let Some(size_bytes) = shard.held.get(hash) {
                    held.bitmap[index / 8] |= 1 << (index % 8);
                    held.sizes_bytes[index] = *size_bytes as u32;
                }
            }
            Ok(held)
        })
        .await
    }

    async fn shard_status(&self, principal: Principal) -> Result<ShardStatus, CallFailed> {
        self.answer(principal, |shard| ShardStatus {
            registry: GOVERNANCE,
            chunks: shard.held.len() as u64,
            used_bytes: 0,
            reserved_bytes: 0,
            capacity_bytes: shard.capacity_bytes,
            cycles: 0_u8.into(),
            liquid_cycles: None,
        })
        .await
    }
}

/// Pending once.
struct Suspend(bool);

impl Future for Suspend {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// A call in flight. Dropping it is what the system does where its callback traps.
pub struct Running<'a, T>(Pin<Box<dyn Future<Output = T> + 'a>>);

impl<'a, T> Running<'a, T> {
    pub fn start(future: impl Future<Output = T> + 'a) -> Self {
        Self(Box::pin(future))
    }

    /// Runs to the next call or to the end.
    pub fn step(&mut self) -> Option<T> {
        match self
            .0
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    pub fn finish(mut self) -> T {
        for _ in 0..1_000 {
            if let Some(value) = self.step() {
                return value;
            }
        }
        panic!("the call does not end");
    }
}

/// The entry of a file with these bytes.
pub fn file(path: &str, bytes: &[u8]) -> FileEntry {
    stoa_content::hash_file(path, bytes).unwrap()
}

pub fn manifest_of(files: Vec<FileEntry>) -> Manifest {
    let tensor = |name: &str| TensorSpec {
        name: name.to_owned(),
        datatype: DataType::FP32,
        shape: vec![Dimension::Fixed(1)],
    };
    Manifest {
        schema: 1,
        publisher: "stoa".to_owned(),
        name: "digits".to_owned(),
        version: "1.0.0".to_owned(),
        license: "Apache-2.0".to_owned(),
        task: "image-classification".to_owned(),
        pipeline: Pipeline {
            model: files[0].path.clone(),
            kind: PipelineKind::Tensors,
            labels: vec![],
        },
        files,
        signature: Signature {
            inputs: vec![tensor("x")],
            outputs: vec![tensor("y")],
        },
        card: Card::default(),
        lineage: Lineage::default(),
        royalties: vec![],
        claims: vec![],
    }
}
