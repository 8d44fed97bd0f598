//! The memory of a registry with a large library, made natively by the code that makes it on chain, for benchmarks to load as
//! a snapshot. Not part of the canister: it is not compiled for its target.

use std::time::Duration;

use candid::Principal;
use stoa_shard_api::{ConfirmResult, ExpectArgs, ExpectResult, ShardStatus};
use stoa_types::manifest::{
    Card, Dimension, Lineage, Manifest, Parent, Pipeline, PipelineKind, Relation, Signature,
    TensorSpec,
};
use stoa_types::tensor::DataType;
use stoa_types::{Sha256, ValidManifest};

use crate::claim_publisher::claim_publisher;
use crate::memory::RawMemory;
use crate::parameters;
use crate::runtime::{CallFailed, CallFailure, Runtime, Task};
use crate::search;
use crate::state::records::{PlacementRecord, SegmentRecord, Status};
use crate::state::{Decision, Installation, State};

/// A registry that is being filled.
pub struct Library {
    memory: RawMemory,
    state: State,
    governance: Principal,
    models: u32,
}

/// Models of one publisher.
const MODELS_OF_PUBLISHER: u32 = 1_000;

impl Library {
    pub fn new(governance: Principal, icp_ledger: Principal, shards: &[Principal]) -> Self {
        let memory = RawMemory::default();
        let installation = Installation {
            installer: governance,
            governance,
            icp_ledger,
            shards,
            inference: &[],
            parameters: parameters::DEFAULT,
            shard_module: None,
        };
        let state = State::create(memory.clone(), Still.now_nanos(), &installation);
        Self {
            memory,
            state,
            governance,
            models: 0,
        }
    }

    /// Publishes models until there are so many, each sealed, proposed and admitted. Every tenth is a finetune of the one before.
    pub fn grow(&mut self, models: u32) {
        let mut parent = None;
        for number in self.models..models {
            let group = number / MODELS_OF_PUBLISHER;
            let owner = Principal::from_slice(&(1_000 + group).to_be_bytes());
            let publisher = format!("lab-{group}");
            if number % MODELS_OF_PUBLISHER == 0 {
                claim_publisher(&mut self.state, &Still, owner, publisher.clone())
                    .expect("a free handle");
            }
            let parent_now = parent.filter(|_| number % 10 == 9);
            let manifest = manifest(&publisher, number, parent_now);
            parent = Some(self.publish(owner, manifest));
        }
        self.models = models;
    }

    fn publish(&mut self, owner: Principal, manifest: Manifest) -> Sha256 {
        let valid = ValidManifest::try_from(manifest.clone()).expect("a valid manifest");
        let version = valid.digest();
        let placement = PlacementRecord {
            segments: vec![SegmentRecord {
                file: 0,
                first_chunk: 0,
                chunks: manifest.files[0].chunks.len() as u32,
                shards: vec![0, 1],
            }],
        };
        let state = &mut self.state;
        state.insert_draft(&Still, owner, valid, placement, None);
        search::insert(state, version, &manifest);
        state.link_parents(version, &manifest);
        for status in [Status::Sealed, Status::Proposed, Status::Admitted] {
            let actor = if status == Status::Admitted {
                self.governance
            } else {
                owner
            };
            let record = state.version(&version).expect("it is there");
            let decision = Decision::default();
            state.set_status(&Still, actor, version, record, status, decision);
        }
        version
    }

    /// The whole stable memory, as it is now.
    pub fn stable_memory(&self) -> Vec<u8> {
        self.memory.borrow().clone()
    }
}

/// Of a model as they are: a name of a few words, four tags, a card, a file of 8 MiB.
pub fn manifest(publisher: &str, number: u32, parent: Option<Sha256>) -> Manifest {
    const KINDS: [&str; 8] = [
        "bert", "whisper", "resnet", "yolo", "minilm", "clip", "wav2vec", "tabular",
    ];
    const TASKS: [&str; 5] = [
        "text-classification",
        "speech-recognition",
        "image-classification",
        "object-detection",
        "feature-extraction",
    ];
    const LICENSES: [&str; 3] = ["Apache-2.0", "MIT", "MIT OR Apache-2.0"];
    let pick = |list: &[&'static str], step: u32| list[(number / step) as usize % list.len()];
    let kind = pick(&KINDS, 1);
    let chunk = |index: u32| Sha256::of(&[number.to_be_bytes(), index.to_be_bytes()].concat());
    let chunks: Vec<Sha256> = (0..8).map(chunk).collect();
    let size_bytes = 8 << 20;
    let cid = stoa_content::file_cid(&chunks, size_bytes).expect("eight chunks");
    let tensor = |name: &str| TensorSpec {
        name: name.to_owned(),
        datatype: DataType::FP32,
        shape: vec![Dimension::Fixed(64)],
    };
    let task = pick(&TASKS, 3);
    Manifest {
        schema: 1,
        publisher: publisher.to_owned(),
        name: format!("{kind}-base-{number}"),
        version: "1.0.0".to_owned(),
        license: pick(&LICENSES, 7).to_owned(),
        task: task.to_owned(),
        files: vec![stoa_types::manifest::FileEntry {
            path: "model.onnx".to_owned(),
            size_bytes,
            sha256: chunk(9),
            cid: cid.to_string(),
            chunks,
        }],
        signature: Signature {
            inputs: vec![tensor("x")],
            outputs: vec![tensor("y")],
        },
        pipeline: Pipeline {
            model: "model.onnx".to_owned(),
            kind: PipelineKind::Tensors,
            labels: vec![],
        },
        card: Card {
            markdown: format!(
                "# {kind} base {number}\n\nA small {task} network, trained on public data for tests of the library.\n"
            ),
            language: vec!["en".to_owned()],
            tags: vec![
                kind.to_owned(),
                "onnx".to_owned(),
                format!("group-{}", number % 50),
            ],
            datasets: vec!["public/data".to_owned()],
            metrics: vec!["accuracy".to_owned()],
            library_name: Some("transformers".to_owned()),
            ..Card::default()
        },
        lineage: Lineage {
            parents: parent
                .map(|version| Parent {
                    version,
                    relation: Relation::Finetune,
                })
                .into_iter()
                .collect(),
            ..Lineage::default()
        },
        royalties: vec![],
        claims: vec![],
    }
}

/// A system in which nothing happens.
struct Still;

impl Runtime for Still {
    fn now_nanos(&self) -> u64 {
        1_700_000_000_000_000_000
    }

    fn own_id(&self) -> Principal {
        Principal::management_canister()
    }

    fn cycle_balance(&self) -> u128 {
        u128::MAX
    }

    fn liquid_cycles(&self) -> u128 {
        u128::MAX
    }

    fn log(&self, _: &str) {}

    fn schedule(&self, _: Duration, _: Task) {}

    async fn call(
        &self,
        _: Principal,
        _: &'static str,
        _: Vec<u8>,
    ) -> Result<Vec<u8>, CallFailure> {
        Err(CallFailure {
            is_unknown: false,
            message: "there is nobody".to_owned(),
        })
    }

    async fn manage(&self, _: &'static str, _: Vec<u8>, _: u128) -> Result<Vec<u8>, CallFailure> {
        Err(CallFailure {
            is_unknown: false,
            message: "there is nobody".to_owned(),
        })
    }

    fn set_certified_data(&self, _: &[u8; 32]) {}

    fn certificate(&self) -> Option<Vec<u8>> {
        None
    }

    async fn expect_chunks(
        &self,
        _: Principal,
        _: &ExpectArgs,
    ) -> Result<ExpectResult, CallFailed> {
        Err(nobody())
    }

    async fn confirm_chunks(
        &self,
        _: Principal,
        _: &[Sha256],
    ) -> Result<ConfirmResult, CallFailed> {
        Err(nobody())
    }

    async fn shard_status(&self, _: Principal) -> Result<ShardStatus, CallFailed> {
        Err(nobody())
    }
}

fn nobody() -> CallFailed {
    CallFailed {
        message: "there is nobody".to_owned(),
    }
}
