//! Runs the engine and counts instructions, stage by stage and operator by operator. Everything is in the heap: a
//! benchmark needs no upgrade.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candid::CandidType;
use serde::Deserialize;
use serde_bytes::ByteBuf;
use stoa_engine::{Limits, Loading, Model, Slicing};
use stoa_types::Sha256;
use stoa_types::manifest::Signature;
use stoa_types::tensor::{Tensor, hash_tensors};

#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct Part {
    pub name: String,
    pub count: u64,
    pub instructions: u64,
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct Measured {
    /// The most expensive first.
    pub parts: Vec<Part>,
    pub heap_bytes: u64,
    pub outputs_hash: Sha256,
}

thread_local! {
    static UNSTABLE_FILE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static UNSTABLE_MODEL: RefCell<Option<Model>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Counts(BTreeMap<String, (u64, u64)>);

impl Counts {
    fn add(&mut self, name: String, times: u64, instructions: u64) {
        let entry = self.0.entry(name).or_default();
        entry.0 += times;
        entry.1 += instructions;
    }

    fn measured(self, outputs_hash: Sha256) -> Measured {
        let mut parts: Vec<Part> = self
            .0
            .into_iter()
            .map(|(name, (count, instructions))| Part {
                name,
                count,
                instructions,
            })
            .collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.instructions));
        Measured {
            parts,
            heap_bytes: heap_bytes(),
            outputs_hash,
        }
    }
}

fn heap_bytes() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size(0) as u64 * 65_536;
    #[cfg(not(target_arch = "wasm32"))]
    0
}

fn instructions() -> u64 {
    ic_cdk::api::performance_counter(0)
}

#[ic_cdk::update]
fn clear() {
    UNSTABLE_FILE.with_borrow_mut(|file| *file = Vec::new());
    UNSTABLE_MODEL.with_borrow_mut(|model| *model = None);
}

#[ic_cdk::update]
fn put(bytes: ByteBuf) {
    UNSTABLE_FILE.with_borrow_mut(|file| {
        // Doubling would leave holes of the size of the file.
        file.reserve_exact(bytes.len());
        file.extend_from_slice(&bytes);
    });
}

#[ic_cdk::update]
fn load(signature: Signature) -> Measured {
    let file = UNSTABLE_FILE.with_borrow_mut(std::mem::take);
    let mut counts = Counts::default();
    let sha256 = {
        let before = instructions();
        let sha256 = Sha256::of(&file);
        counts.add("hash, as a caller's own".into(), 1, instructions() - before);
        sha256
    };
    let mut loading = Loading::from_source(Box::new(file), sha256, &signature, Limits::default())
        .expect("a load begins");
    let model = loop {
        let stage = format!("{:?}", loading.stage());
        let before = instructions();
        let step = loading.step().expect("a stage is done");
        counts.add(stage, 1, instructions() - before);
        match step {
            Slicing::Paused(more) => loading = more,
            Slicing::Done(model) => break model,
        }
    };
    UNSTABLE_MODEL.with_borrow_mut(|slot| *slot = Some(model));
    counts.measured(sha256)
}

#[ic_cdk::update]
fn run(inputs: Vec<Tensor>) -> Measured {
    let model = UNSTABLE_MODEL.with_borrow(|model| model.clone().expect("a model is loaded"));
    let mut counts = Counts::default();
    let before = instructions();
    let inputs = model.check_inputs(inputs).expect("the inputs fit");
    let mut run = model.start(inputs).expect("a run begins");
    counts.add("(start)".into(), 1, instructions() - before);
    let outputs = loop {
        let name = run.operator().unwrap_or("(end)").to_owned();
        let (done, _) = run.progress();
        let before = instructions();
        let step = run.step(|| false).expect("a step is done");
        let spent = instructions() - before;
        match step {
            Slicing::Paused(more) => {
                counts.add(name, more.progress().0 - done, spent);
                run = more;
            }
            Slicing::Done(outputs) => {
                counts.add(name, 1, spent);
                break outputs;
            }
        }
    };
    counts.measured(hash_tensors(&outputs))
}

/// `getrandom`'s backend for this target: `tract` links a generator for operators that draw random numbers, which the
/// engine refuses.
#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(
    _destination: *mut u8,
    _length: usize,
) -> Result<(), getrandom::Error> {
    Err(getrandom::Error::UNSUPPORTED)
}
