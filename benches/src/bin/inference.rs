//! What loading and calling models costs the inference canister itself, as a replica would count it: digits,
//! all-MiniLM-L6-v2 and a network of MobileNetV2's shape, pushed, admitted, loaded and paid for as anybody's. `engine.rs`
//! shows where within the engine the instructions go.

use std::time::Instant;

use serde_bytes::ByteBuf;
use stoa_benches::{Execution, Mark, Meter, Table};
use stoa_client::deploy::DeployPlan;
use stoa_inference_api::InferRequest;
use stoa_scenarios::{Actor, ONE_TOKEN, PATIENCE, Published, World, digits, made_model, run};
use stoa_types::pipeline::{Input, TextInput};
use stoa_types::tensor::{DataType, Tensor};

/// Of an update message; of an upgrade 300 billion. Half of it is what any message may come to.
const MESSAGE_INSTRUCTIONS_MAX: u64 = 40_000_000_000;

/// Stages of loading are messages of one method; what fetches are callbacks of `get_chunk`.
const PARTS: [(&str, &[&str]); 3] = [
    ("fetching", &["get_chunk"]),
    ("building", &["c2c_load_step"]),
    ("running", &["c2c_run"]),
];

struct Counted {
    all: Vec<Execution>,
    seconds: f64,
}

impl Counted {
    fn of(&self, methods: &[&str]) -> u64 {
        let wanted = self.all.iter();
        let wanted = wanted.filter(|one| methods.contains(&one.method.as_str()));
        wanted.map(|one| one.instructions).sum()
    }

    fn total(&self) -> u64 {
        self.all.iter().map(|one| one.instructions).sum()
    }

    fn largest(&self) -> u64 {
        let all = self.all.iter().map(|one| one.instructions);
        all.max().unwrap_or(0)
    }
}

async fn counted(meter: &Meter, canister: &str, mark: Mark, begun: Instant) -> Counted {
    let seconds = begun.elapsed().as_secs_f64();
    let all = meter.since(mark).await;
    let ours = all.into_iter().filter(|one| one.canister == canister);
    Counted {
        // Looking at it is not part of it.
        all: ours.filter(|one| one.entry_point != "query").collect(),
        seconds,
    }
}

fn millions(instructions: u64) -> String {
    format!("{:.1}", instructions as f64 / 1e6)
}

fn row(table: &mut Table, model: &str, what: &str, counted: &Counted) {
    let largest = counted.largest();
    assert!(
        largest * 2 <= MESSAGE_INSTRUCTIONS_MAX + 2_000_000_000,
        "{model}, {what}: a message of {largest} instructions"
    );
    let total = counted.total();
    let mut parts = Vec::new();
    let mut rest = total;
    for (name, methods) in PARTS {
        let of = counted.of(methods);
        rest -= of;
        if of > 0 {
            parts.push(format!("{name} {}", millions(of)));
        }
    }
    parts.push(format!("the rest {}", millions(rest)));
    table.row(&[
        model.to_owned(),
        what.to_owned(),
        counted.all.len().to_string(),
        millions(total),
        parts.join(", "),
        millions(largest),
        format!("{:.2} s", counted.seconds),
    ]);
}

fn texts(text: String) -> Input {
    Input::Texts(vec![TextInput { text, pair: None }])
}

fn pixels(batch: u64) -> Input {
    Input::Tensors(vec![Tensor {
        name: "pixels".to_owned(),
        datatype: DataType::FP32,
        shape: vec![batch, 64],
        data: (0..batch * 64)
            .flat_map(|index| ((index % 17) as f32).to_le_bytes())
            .collect(),
    }])
}

async fn call(user: &Actor, published: &Published, input: Input) {
    let request = InferRequest {
        input,
        ..user.request(published.version)
    };
    let answer = user.inference().infer(&request).await;
    answer.expect("answered").expect("paid and run");
}

fn main() {
    run(async {
        let world = World::new(DeployPlan::default()).await;
        let inference = world.deployer.inference();
        let canister = inference.canister().to_text();
        let meter = Meter::new(world.deployer.connection.endpoint());
        let user = world.actor().await;
        user.approve(9 * ONE_TOKEN).await;
        let handle = user.claim_handle().await;

        let mut table = Table::new(
            "Inference canister",
            &[
                "model",
                "what",
                "executions",
                "million instructions",
                "of which",
                "largest message",
                "time",
            ],
        );
        table.note(&format!(
            "Instructions of the deployed canister as a replica counts them, with the charge for pages written; a call is everything from \
             the request to the receipt, with the ledger's answer. The largest message must stay near half of what one has \
             ({}): a slice ends after the piece of work in which it passes that. Times: embedded network, development build, a virtual \
             machine with {} cores.",
            millions(MESSAGE_INSTRUCTIONS_MAX),
            std::thread::available_parallelism().map_or(0, usize::from),
        ));

        // Two special tokens stand around the words.
        let of_tokens = |count: usize| texts("word ".repeat(count - 2));
        let picture = std::fs::read("target/models/mobilenet/picture.png")
            .expect("a picture: run scripts/setup, and this from the repository's folder");
        let subjects = [
            (
                "digits",
                digits(&handle),
                vec![
                    ("a scan".to_owned(), pixels(1)),
                    ("10 scans".to_owned(), pixels(10)),
                ],
            ),
            (
                "all-MiniLM-L6-v2",
                made_model("minilm", &handle),
                [16, 64, 128, 256]
                    .map(|count| (format!("{count} tokens"), of_tokens(count)))
                    .into(),
            ),
            (
                "MobileNetV2-shaped",
                made_model("mobilenet", &handle),
                vec![(
                    "a PNG file of 400 x 300".to_owned(),
                    Input::Images(vec![ByteBuf::from(picture)]),
                )],
            ),
        ];
        for (name, model, calls) in subjects {
            let published = world.publish_at(user.clone(), model, 1_000).await;
            world.admit(published.version).await;
            let mark = meter.mark().await;
            let begun = Instant::now();
            let loading = inference.load(published.version).await.expect("answered");
            loading.expect("an admitted version");
            inference
                .wait_ready(published.version, PATIENCE, |_| {})
                .await
                .expect("loaded");
            row(
                &mut table,
                name,
                "load",
                &counted(&meter, &canister, mark, begun).await,
            );
            for (what, input) in calls {
                let mark = meter.mark().await;
                let begun = Instant::now();
                call(&user, &published, input).await;
                row(
                    &mut table,
                    name,
                    &what,
                    &counted(&meter, &canister, mark, begun).await,
                );
            }
        }
        table.publish("inference");
    });
}
