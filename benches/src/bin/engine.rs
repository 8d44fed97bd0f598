//! What the engine costs in instructions: loading and running digits, all-MiniLM-L6-v2 and a network of MobileNetV2's
//! shape, by stage and operator, counted by a canister that does nothing else (`scripts/build bench`).

use std::path::{Path, PathBuf};

use candid::Principal;
use serde_bytes::ByteBuf;
use stoa_bench_engine::Measured;
use stoa_benches::Table;
use stoa_client::Connection;
use stoa_client::management::Management;
use stoa_client::model_directory::ModelDirectory;
use stoa_engine::{Limits, Pipeline};
use stoa_scenarios::{connect, fresh_identity, run, wasm_folder};
use stoa_types::manifest::{Manifest, Signature};
use stoa_types::pipeline::{Input, TextInput};
use stoa_types::tensor::{DataType, Tensor, hash_tensors};

const CYCLES: u128 = 1_000_000_000_000_000;
/// Of a file, in one ingress message.
const PUT_BYTES: usize = 1_900_000;

/// One network and what it is run on.
struct Subject {
    name: &'static str,
    folder: PathBuf,
    calls: Vec<(String, Vec<Tensor>)>,
    /// Of the first call, for instructions a multiply-add.
    multiply_adds: Option<u64>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn floats(name: &str, shape: &[u64]) -> Tensor {
    let count = shape.iter().product::<u64>();
    Tensor {
        name: name.into(),
        datatype: DataType::FP32,
        shape: shape.to_vec(),
        data: (0..count)
            .flat_map(|index| ((index % 17) as f32 / 16.0).to_le_bytes())
            .collect(),
    }
}

/// Token ids of a text of exactly so many tokens, through the model's own pipeline.
fn tokens(manifest: &Manifest, folder: &Path, count: usize) -> Vec<Tensor> {
    let file = std::fs::read(folder.join("tokenizer.json")).expect("a tokenizer");
    let pipeline = Pipeline::new(
        &manifest.pipeline,
        &manifest.signature,
        &[("tokenizer.json", &file)],
    )
    .expect("a pipeline");
    // Two special tokens stand around the words.
    let text = "word ".repeat(count - 2);
    let input = Input::Texts(vec![TextInput { text, pair: None }]);
    let prepared = pipeline.prepare(input).expect("tokens");
    assert_eq!(prepared.context.tokens, count as u64);
    prepared.inputs.tensors().to_vec()
}

fn manifest(folder: &Path) -> Manifest {
    let directory = ModelDirectory::read(folder, "bench");
    directory
        .unwrap_or_else(|error| panic!("{}: {error}: run scripts/setup", folder.display()))
        .manifest
}

fn subjects() -> Vec<Subject> {
    let minilm = root().join("target/models/minilm");
    let text = manifest(&minilm);
    vec![
        Subject {
            name: "digits",
            folder: root().join("examples/models/digits"),
            calls: [1, 10]
                .map(|batch| {
                    (
                        format!("batch of {batch}"),
                        vec![floats("pixels", &[batch, 64])],
                    )
                })
                .into(),
            multiply_adds: Some(64 * 128 + 128 * 64 + 64 * 10),
        },
        Subject {
            name: "all-MiniLM-L6-v2",
            calls: [128, 64, 16]
                .map(|count| (format!("{count} tokens"), tokens(&text, &minilm, count)))
                .into(),
            folder: minilm,
            // 6 layers of 12 * 384^2 for each of 128 tokens, and 2 * 128^2 * 384 of attention.
            multiply_adds: Some(6 * (128 * 12 * 384 * 384 + 2 * 128 * 128 * 384)),
        },
        Subject {
            name: "MobileNetV2-shaped",
            folder: root().join("target/models/mobilenet"),
            calls: vec![(
                "224 x 224".into(),
                vec![floats("pixels", &[1, 3, 224, 224])],
            )],
            multiply_adds: Some(300_800_000),
        },
    ]
}

fn millions(instructions: u64) -> String {
    format!("{:.1}", instructions as f64 / 1e6)
}

fn total(measured: &Measured) -> u64 {
    measured.parts.iter().map(|part| part.instructions).sum()
}

/// The same on this machine: the hash of its outputs must be the canister's.
fn natively(onnx: &[u8], signature: &Signature, inputs: &[Tensor]) -> stoa_types::Sha256 {
    let model =
        stoa_engine::load(onnx.to_vec(), signature, Limits::default()).expect("it loads here");
    let inputs = model.check_inputs(inputs.to_vec()).expect("inputs");
    let outputs = model.start(inputs).and_then(|run| run.finish());
    hash_tensors(&outputs.expect("it runs here"))
}

async fn measure(
    connection: &Connection,
    canister: Principal,
    subject: Subject,
    table: &mut Table,
) {
    let manifest = manifest(&subject.folder);
    let onnx = std::fs::read(subject.folder.join(&manifest.pipeline.model)).expect("a model");
    let call = |method: &'static str| (connection, canister, method);
    let _: () = update(call("clear"), ()).await;
    for chunk in onnx.chunks(PUT_BYTES) {
        let _: () = update(call("put"), (ByteBuf::from(chunk),)).await;
    }
    let (loaded,): (Measured,) = update(call("load"), (manifest.signature.clone(),)).await;
    row(table, subject.name, "load", None, &loaded);
    for (index, (name, inputs)) in subject.calls.into_iter().enumerate() {
        let (measured,): (Measured,) = update(call("run"), (inputs.clone(),)).await;
        assert_eq!(
            measured.outputs_hash,
            natively(&onnx, &manifest.signature, &inputs),
            "{} {name}: other bits than natively",
            subject.name
        );
        let multiply_adds = subject.multiply_adds.filter(|_| index == 0);
        row(table, subject.name, &name, multiply_adds, &measured);
    }
}

fn row(
    table: &mut Table,
    subject: &str,
    what: &str,
    multiply_adds: Option<u64>,
    measured: &Measured,
) {
    let all = total(measured);
    let each = multiply_adds.map_or_else(String::new, |count| {
        format!("{:.2}", all as f64 / count as f64)
    });
    let parts: Vec<String> = measured
        .parts
        .iter()
        .filter(|part| part.instructions * 200 > all)
        .map(|part| {
            format!(
                "{} x{} {}",
                part.name,
                part.count,
                millions(part.instructions)
            )
        })
        .collect();
    table.row(&[
        subject.to_owned(),
        what.to_owned(),
        millions(all),
        each,
        format!("{}", measured.heap_bytes >> 20),
        parts.join(", "),
    ]);
}

async fn update<A, R>(target: (&Connection, Principal, &'static str), arguments: A) -> R
where
    A: candid::utils::ArgumentEncoder + Send + Sync,
    R: for<'a> candid::utils::ArgumentDecoder<'a>,
{
    let (connection, canister, method) = target;
    connection
        .update(canister, method, arguments)
        .await
        .unwrap_or_else(|error| panic!("{method}: {error}"))
}

fn main() {
    run(async {
        let connection = connect(fresh_identity()).await;
        let management = Management::new(&connection).await.expect("management");
        let wasm = wasm_folder()
            .read("bench_engine")
            .expect("the canister: run scripts/build bench");
        let canister = management.create(CYCLES, None).await.expect("a canister");
        let empty = candid::encode_args(()).expect("no arguments");
        management
            .install(canister, &wasm, empty)
            .await
            .expect("installed");
        let mut table = Table::new(
            "Engine",
            &[
                "model",
                "what",
                "million instructions",
                "a multiply-add",
                "heap MiB",
                "where",
            ],
        );
        table.note(
            "Instructions as the canister counts them (`performance_counter`), by stage of a load and by operator of a run \
             (how often, millions; what is under half a percent is left out). Outputs were compared with the native \
             engine's: the same bits. Plain tract-onnx 0.23.9 on a replica: MobileNetV2-shaped 1,140 a run and 1,220 to \
             load, MiniLM at 128 tokens 4,676 a run and 1,030 to load.",
        );
        for subject in subjects() {
            measure(&connection, canister, subject, &mut table).await;
        }
        table.publish("engine");
    });
}
