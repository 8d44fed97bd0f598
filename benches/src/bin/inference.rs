//! What the inference canister itself costs, as a replica would count it: loading and calling digits, all-MiniLM-L6-v2 and a
//! network of MobileNetV2's shape, pushed, admitted, loaded and paid for as anybody's; the largest requests that it takes; and
//! an upgrade with all of them loaded. It fails where a message takes more than half of what the platform gives it
//! (statement 24). `engine.rs` shows where within the engine the instructions go.

use std::time::Instant;

use candid::Nat;
use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use serde_bytes::ByteBuf;
use stoa_benches::{Execution, Mark, Meter, Table};
use stoa_client::deploy::{DeployPlan, candid_nothing};
use stoa_client::management::Management;
use stoa_inference_api::{
    AddKeyArgs, ClaimArgs, DepositArgs, GetReceiptResult, HttpRequest, HttpResponse, InferRequest,
    InferenceStatus, KeyResult, Payment, PreviewRequest, PreviewResult, QuoteCallResult, Token,
    WithdrawArgs,
};
use stoa_scenarios::{
    Actor, ONE_TOKEN, PATIENCE, Published, World, digits, made_model, run, wasm_folder,
};
use stoa_types::Sha256;
use stoa_types::pipeline::{Input, TextInput};
use stoa_types::tensor::{DataType, Tensor};

/// What a message may use of instructions, by the kind of its entry point.
fn instructions_max(entry_point: &str) -> u64 {
    match entry_point {
        "query" => 5_000_000_000,
        "init" | "post_upgrade" => 300_000_000_000,
        _ => 40_000_000_000,
    }
}

/// Of a request's content; the canister takes no more.
const INPUT_BYTES_MAX: usize = 1_900_000;
/// Sides of the largest picture that a pipeline takes.
const SIDE_MAX: u32 = 4_096;
/// Receipts that follow one in an answer at most.
const SUCCESSORS_MAX: usize = 100;

const SECRET: &str = "stoa_a_key_of_the_benchmark";

/// Stages of loading are messages of one method; what fetches are callbacks of `get_chunk`.
const PARTS: [(&str, &[&str]); 3] = [
    ("fetching", &["get_chunk"]),
    ("building", &["c2c_load_step"]),
    ("running", &["c2c_run"]),
];

struct Bench {
    meter: Meter,
    /// As text.
    canister: String,
    table: Table,
}

/// A moment, on the network's record and on the clock.
#[derive(Clone, Copy)]
struct Begun(Mark, Instant);

impl Bench {
    async fn begin(&self) -> Begun {
        Begun(self.meter.mark().await, Instant::now())
    }

    /// A row of what the canister did since then, without the queries by which somebody looked on.
    async fn row(&mut self, model: &str, what: &str, begun: Begun) {
        self.row_of(model, what, begun, |one| one.entry_point != "query")
            .await;
    }

    async fn row_of(
        &mut self,
        model: &str,
        what: &str,
        Begun(mark, begun): Begun,
        is_part: impl Fn(&Execution) -> bool,
    ) {
        let seconds = begun.elapsed().as_secs_f64();
        let all = self.meter.since(mark).await;
        let all: Vec<Execution> = all
            .into_iter()
            .filter(|one| one.canister == self.canister && is_part(one))
            .collect();
        assert!(!all.is_empty(), "{model}, {what}: nothing ran");
        for one in &all {
            assert!(
                one.instructions * 2 <= instructions_max(&one.entry_point),
                "{model}, {what}: {} of {} takes {} instructions",
                one.entry_point,
                one.method,
                one.instructions
            );
        }
        let total: u64 = all.iter().map(|one| one.instructions).sum();
        let largest = all.iter().map(|one| one.instructions).max();
        self.table.row(&[
            model.to_owned(),
            what.to_owned(),
            all.len().to_string(),
            millions(total),
            parts(&all, total),
            millions(largest.unwrap_or(0)),
            format!("{seconds:.2} s"),
        ]);
    }

    /// A row of one message from outside, and everything that follows from it until it is answered.
    async fn update<R: for<'a> ArgumentDecoder<'a>>(
        &mut self,
        (model, what): (&str, &str),
        user: &Actor,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> R {
        let canister = user.inference().canister();
        let begun = self.begin().await;
        let answer = user.connection.update(canister, method, arguments).await;
        self.row(model, what, begun).await;
        answer.unwrap_or_else(|error| panic!("{model}, {what}: {error}"))
    }

    async fn query<R: for<'a> ArgumentDecoder<'a>>(
        &mut self,
        (model, what): (&str, &str),
        user: &Actor,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> R {
        let canister = user.inference().canister();
        let begun = self.begin().await;
        let answer = user.connection.query(canister, method, arguments).await;
        let of_it = |one: &Execution| one.entry_point == "query" && one.method == method;
        self.row_of(model, what, begun, of_it).await;
        answer.unwrap_or_else(|error| panic!("{model}, {what}: {error}"))
    }
}

fn parts(all: &[Execution], total: u64) -> String {
    let mut found = Vec::new();
    let mut rest = total;
    for (name, methods) in PARTS {
        let of = all
            .iter()
            .filter(|one| methods.contains(&one.method.as_str()));
        let of: u64 = of.map(|one| one.instructions).sum();
        rest -= of;
        if of > 0 {
            found.push(format!("{name} {}", millions(of)));
        }
    }
    if !found.is_empty() {
        found.push(format!("the rest {}", millions(rest)));
    }
    found.join(", ")
}

fn millions(instructions: u64) -> String {
    format!("{:.1}", instructions as f64 / 1e6)
}

fn text(text: String) -> Input {
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

/// A PNG file of the most pixels, each line from the one above by the dearest of the filters.
fn largest_picture() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, SIDE_MAX, SIDE_MAX);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_filter(png::Filter::Paeth);
    let mut writer = encoder.write_header().expect("a header");
    let pixels: Vec<u8> = (0..3 * SIDE_MAX * SIDE_MAX)
        .map(|index| (index / 7 % 251) as u8)
        .collect();
    writer.write_image_data(&pixels).expect("pixels");
    writer.finish().expect("an end");
    assert!(file.len() < INPUT_BYTES_MAX, "{} bytes", file.len());
    file
}

/// A request of the Open Inference Protocol for digits, as long as one may be.
fn largest_json(name: &str) -> HttpRequest {
    let number = format!("{:>454}", 1);
    let numbers = vec![number; 64 * 64].join(",");
    let tensor =
        format!(r#"{{"name":"pixels","datatype":"FP32","shape":[64,64],"data":[{numbers}]}}"#);
    let body = format!(r#"{{"inputs":[{tensor}]}}"#);
    assert!(
        body.len() > INPUT_BYTES_MAX * 49 / 50,
        "{} bytes",
        body.len()
    );
    HttpRequest {
        method: "POST".to_owned(),
        url: format!("/v2/models/{name}/infer"),
        headers: vec![("authorization".to_owned(), format!("Bearer {SECRET}"))],
        body: body.into_bytes(),
        certificate_version: None,
    }
}

async fn call(user: &Actor, published: &Published, input: Input) {
    let request = InferRequest {
        input,
        ..user.request(published.version)
    };
    let answer = user.inference().infer(&request).await;
    answer.expect("answered").expect("paid and run");
}

async fn measure_models(bench: &mut Bench, world: &World, user: &Actor) -> Vec<Published> {
    let handle = user.claim_handle().await;
    // Two special tokens stand around the words.
    let of_tokens = |count: usize| text("word ".repeat(count - 2));
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
    let inference = world.deployer.inference();
    let mut all = Vec::new();
    for (name, model, calls) in subjects {
        let published = world.publish_at(user.clone(), model, 1_000).await;
        world.admit(published.version).await;
        let begun = bench.begin().await;
        let loading = inference.load(published.version).await.expect("answered");
        loading.expect("an admitted version");
        inference
            .wait_ready(published.version, PATIENCE, |_| {})
            .await
            .expect("loaded");
        bench.row(name, "load", begun).await;
        for (what, input) in calls {
            let begun = bench.begin().await;
            call(user, &published, input).await;
            bench.row(name, &what, begun).await;
        }
        all.push(published);
    }
    all
}

async fn measure_money(bench: &mut Bench, user: &Actor) {
    let (token, subaccount) = (Token::Icp, None);
    let deposit = DepositArgs {
        token,
        amount_e8s: ONE_TOKEN,
        from_subaccount: None,
    };
    let named = |what| ("", what);
    let (deposited,): (stoa_inference_api::DepositResult,) = bench
        .update(named("deposit"), user, "deposit", (deposit,))
        .await;
    deposited.expect("deposited");
    let withdraw = WithdrawArgs {
        token,
        amount_e8s: ONE_TOKEN / 10,
        to: None,
    };
    let (withdrawn,): (stoa_inference_api::WithdrawResult,) = bench
        .update(named("withdraw"), user, "withdraw", (withdraw,))
        .await;
    withdrawn.expect("withdrawn");
    let claim = ClaimArgs { token, subaccount };
    // Whatever there is: the author's prices here are small.
    let (_claimed,): (stoa_inference_api::WithdrawResult,) =
        bench.update(named("claim"), user, "claim", (claim,)).await;
    let key = AddKeyArgs {
        hash: Sha256::of(SECRET.as_bytes()),
        label: "A benchmark".to_owned(),
        token,
        limit_e8s: ONE_TOKEN / 2,
        expires_at_nanos: None,
    };
    let (added,): (KeyResult,) = bench
        .update(named("add_key"), user, "add_key", (key,))
        .await;
    added.expect("a key");
}

/// Requests as large as they may be. Whoever sends one has it read before it is paid for.
async fn measure_largest(bench: &mut Bench, user: &Actor, published: &[Published]) {
    let [digits, minilm, mobilenet] = published else {
        unreachable!("three were measured");
    };
    let words = || text("word ".repeat(INPUT_BYTES_MAX / 5));
    let (name, what) = ("all-MiniLM-L6-v2", "a text of 1.9 MB");
    let begun = bench.begin().await;
    call(user, minilm, words()).await;
    bench.row(name, what, begun).await;
    let asked = PreviewRequest {
        model: minilm.version.into(),
        input: words(),
    };
    let (quoted,): (QuoteCallResult,) = bench
        .query((name, "`quote_call` of it"), user, "quote_call", (asked,))
        .await;
    quoted.expect("a quote");

    let name = "MobileNetV2-shaped";
    let picture = || Input::Images(vec![ByteBuf::from(largest_picture())]);
    let asked = PreviewRequest {
        model: mobilenet.version.into(),
        input: picture(),
    };
    let (quoted,): (QuoteCallResult,) = bench
        .query(
            (name, "`quote_call` of a PNG file of 4096 x 4096"),
            user,
            "quote_call",
            (asked,),
        )
        .await;
    quoted.expect("a quote");
    let begun = bench.begin().await;
    call(user, mobilenet, picture()).await;
    bench.row(name, "a call with it", begun).await;
    let begun = bench.begin().await;
    let too_dear = InferRequest {
        input: picture(),
        payment: Payment::Credit {
            token: Token::Governance,
        },
        ..user.request(mobilenet.version)
    };
    let refused = user.inference().infer(&too_dear).await.expect("answered");
    refused.expect_err("no credit");
    bench
        .row(name, "the same, refused without credit", begun)
        .await;

    let manifest = &digits.model.manifest;
    let model = format!("{}/{}", manifest.publisher, manifest.name);
    let request = largest_json(&model);
    let (response,): (HttpResponse,) = bench
        .update(
            ("digits", "64 scans in 1.9 MB of JSON over HTTP"),
            user,
            "http_request_update",
            (request,),
        )
        .await;
    let body = String::from_utf8_lossy(&response.body);
    assert_eq!(response.status_code, 200, "{body}");
}

async fn measure_queries(bench: &mut Bench, user: &Actor, digits: &Published) {
    let preview = PreviewRequest {
        model: digits.version.into(),
        input: pixels(1),
    };
    let (answer,): (PreviewResult,) = bench
        .query(("digits", "`infer_query`"), user, "infer_query", (preview,))
        .await;
    answer.expect("an answer");
    let (_status,): (InferenceStatus,) = bench.query(("", "`status`"), user, "status", ()).await;
    let inference = user.inference();
    while inference.status().await.expect("a status").receipts <= SUCCESSORS_MAX as u64 {
        call(user, digits, pixels(1)).await;
    }
    let (receipt,): (GetReceiptResult,) = bench
        .query(
            ("", "`get_receipt` and 100 after it"),
            user,
            "get_receipt",
            (0_u64,),
        )
        .await;
    let receipt = receipt.expect("a receipt");
    assert_eq!(receipt.successors.len(), SUCCESSORS_MAX);
}

/// With every model in the heap; what it lost of them is built again afterwards.
async fn measure_upgrade(bench: &mut Bench, world: &World, published: &[Published]) {
    let management = Management::new(&world.deployer.connection).await;
    let management = management.expect("a topology");
    let inference = world.deployer.inference();
    let wasm = wasm_folder().read("inference").expect("built");
    let begun = bench.begin().await;
    management
        .upgrade(inference.canister(), &wasm, candid_nothing())
        .await
        .expect("upgraded");
    let is_upgrade = |one: &Execution| one.entry_point == "post_upgrade";
    bench.row_of("", "upgrade", begun, is_upgrade).await;
    for one in published {
        inference
            .wait_ready(one.version, PATIENCE, |_| {})
            .await
            .expect("built again");
    }
    bench
        .row_of("", "building the three again", begun, |one| {
            one.entry_point != "query" && !is_upgrade(one)
        })
        .await;
}

fn main() {
    run(async {
        let mut plan = DeployPlan::default();
        // Nothing but what is measured.
        plan.policy.top_up_below_cycles = Nat::from(1_000_000_000_000_u64);
        let world = World::new(plan).await;
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
             the request to the receipt, with the ledger's answer. A message of an update may use 40,000 million, a query 5,000, an upgrade \
             300,000, and none here takes more than half. Times: embedded network, development build, a virtual machine with {} cores.",
            std::thread::available_parallelism().map_or(0, usize::from),
        ));
        let mut bench = Bench {
            meter: Meter::new(world.deployer.connection.endpoint()),
            canister: world.deployer.inference().canister().to_text(),
            table,
        };
        let user = world.actor().await;
        user.approve(9 * ONE_TOKEN).await;
        let published = measure_models(&mut bench, &world, &user).await;
        measure_money(&mut bench, &user).await;
        measure_largest(&mut bench, &user, &published).await;
        measure_queries(&mut bench, &user, &published[0]).await;
        measure_upgrade(&mut bench, &world, &published).await;
        bench.table.publish("inference");
    });
}
