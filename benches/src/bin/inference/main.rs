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
    Actor, ONE_TOKEN, PATIENCE, Published, World, digits, made_model, run, token_ids, wasm_folder,
};
use stoa_types::Sha256;
use stoa_types::pipeline::{Input, TextInput};
use stoa_types::tensor::{DataType, Tensor};

mod inputs;

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
/// Of all texts of a call together.
const TEXT_BYTES_MAX: usize = 1 << 19;
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

    /// What `quote_call` says of a call, and what it takes.
    async fn quote(
        &self,
        user: &Actor,
        published: &Published,
        input: Input,
    ) -> (QuoteCallResult, u64) {
        let asked = PreviewRequest {
            model: published.version.into(),
            input,
        };
        let canister = user.inference().canister();
        let Begun(mark, _) = self.begin().await;
        let answer = user
            .connection
            .query(canister, "quote_call", (asked,))
            .await;
        let all = self.meter.since(mark).await;
        let of_it = |one: &&Execution| one.entry_point == "query" && one.method == "quote_call";
        let one = all.iter().find(of_it).expect("it ran");
        let (quoted,) = answer.expect("answered");
        (quoted, one.instructions)
    }

    /// A row of one query that was measured already.
    fn query_row(&mut self, model: &str, what: &str, instructions: u64) {
        assert!(
            instructions * 2 <= instructions_max("query"),
            "{model}, {what}: it takes {instructions} instructions"
        );
        self.table.row(&[
            model.to_owned(),
            what.to_owned(),
            "1".to_owned(),
            millions(instructions),
            String::new(),
            millions(instructions),
            String::new(),
        ]);
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
    let name = "all-MiniLM-L6-v2";
    let largest = || text("word ".repeat(TEXT_BYTES_MAX / 5));
    let what = "a call with a text of 512 KiB";
    let begun = bench.begin().await;
    call(user, minilm, largest()).await;
    bench.row(name, what, begun).await;
    measure_texts(bench, user, minilm, name, 32).await;
    let what = "a text of 1.9 MB, refused as too long";
    let begun = bench.begin().await;
    let too_long = InferRequest {
        input: text("word ".repeat(INPUT_BYTES_MAX / 5)),
        ..user.request(minilm.version)
    };
    let refused = user.inference().infer(&too_long).await.expect("answered");
    refused.expect_err("too long");
    bench.row(name, what, begun).await;

    let name = "MobileNetV2-shaped";
    for (what, picture) in inputs::pictures() {
        let input = Input::Images(vec![ByteBuf::from(picture)]);
        let (asked, instructions) = bench.quote(user, mobilenet, input).await;
        asked.expect("a quote");
        let what = format!("`quote_call` of {what}");
        bench.query_row(name, &what, instructions);
    }
    let largest = || Input::Images(vec![ByteBuf::from(inputs::largest_png())]);
    let begun = bench.begin().await;
    call(user, mobilenet, largest()).await;
    let what = "a call with a PNG file of 2048 x 2048";
    bench.row(name, what, begun).await;
    let begun = bench.begin().await;
    let too_dear = InferRequest {
        input: largest(),
        payment: Payment::Credit {
            token: Token::Governance,
        },
        ..user.request(mobilenet.version)
    };
    let refused = user.inference().infer(&too_dear).await.expect("answered");
    refused.expect_err("no credit");
    let what = "the same, refused without credit";
    bench.row(name, what, begun).await;
    let begun = bench.begin().await;
    let unpaid = InferRequest {
        input: largest(),
        payment: Payment::Allowance {
            token: Token::Governance,
            from_subaccount: None,
        },
        ..user.request(mobilenet.version)
    };
    let refused = user.inference().infer(&unpaid).await.expect("answered");
    refused.expect_err("no allowance");
    let what = "the same, refused by the ledger";
    bench.row(name, what, begun).await;

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

/// `quote_call` of the dearest of many kinds of texts, as much of each as a call may have: in so many texts, so that none is cut
/// long before its end.
async fn measure_texts(
    bench: &mut Bench,
    user: &Actor,
    published: &Published,
    name: &str,
    count: usize,
) {
    let mut dearest = (0, "");
    for (kind, all) in inputs::texts(TEXT_BYTES_MAX / count) {
        let texts = vec![
            TextInput {
                text: all,
                pair: None
            };
            count
        ];
        // What would be too much when it is normalized is refused, and costs something all the same.
        let (_quote, instructions) = bench.quote(user, published, Input::Texts(texts)).await;
        println!("{name}: {kind}: {}", millions(instructions));
        dearest = dearest.max((instructions, kind));
    }
    let (instructions, kind) = dearest;
    let what =
        format!("`quote_call` of 512 KiB in {count} texts, the dearest kind of text: {kind}");
    bench.query_row(name, &what, instructions);
}

/// With a network that costs nothing, tokenizers of every kind.
async fn measure_tokenizers(bench: &mut Bench, world: &World, user: &Actor, handle: &str) {
    let inference = world.deployer.inference();
    for (tokenizer, padding) in inputs::TOKENIZERS {
        let (_folder, model) = token_ids(handle, tokenizer, padding);
        let published = world.publish_at(user.clone(), model, 1_000).await;
        world.admit(published.version).await;
        let loading = inference.load(published.version).await.expect("answered");
        loading.expect("an admitted version");
        inference
            .wait_ready(published.version, PATIENCE, |_| {})
            .await
            .expect("loaded");
        let name = format!("tokenizer `{tokenizer}`");
        measure_texts(bench, user, &published, &name, 1).await;
        measure_texts(bench, user, &published, &name, 1_024).await;
        if tokenizer == "gpt2" {
            let manifest = &published.model.manifest;
            let request = inputs::most_embeddings(
                &format!("{}/{}", manifest.publisher, manifest.name),
                SECRET,
                TEXT_BYTES_MAX,
            );
            let what = "2,048 texts of 512 KiB to `/v1/embeddings`";
            let (response,): (HttpResponse,) = bench
                .update((&name, what), user, "http_request_update", (request,))
                .await;
            let body = String::from_utf8_lossy(&response.body);
            assert_eq!(response.status_code, 200, "{body}");
        }
    }
}

async fn measure_queries(bench: &mut Bench, user: &Actor, published: &[Published]) {
    let [digits, minilm, ..] = published else {
        unreachable!("three were measured");
    };
    let preview = PreviewRequest {
        model: digits.version.into(),
        input: pixels(1),
    };
    let (answer,): (PreviewResult,) = bench
        .query(("digits", "`infer_query`"), user, "infer_query", (preview,))
        .await;
    answer.expect("an answer");
    let inference = user.inference();
    let smallest = inference.quote(minilm.version).await.expect("answered");
    let smallest = smallest.expect("a quote").instructions_per_call;
    let policy = inference.status().await.expect("a status").policy;
    let tokens = (policy.preview_instructions_max / smallest) as usize;
    let preview = PreviewRequest {
        model: minilm.version.into(),
        input: text("word ".repeat(tokens - 2)),
    };
    let what = format!("`infer_query` of {tokens} tokens, the most that the policy allows");
    let (answer,): (PreviewResult,) = bench
        .query(("all-MiniLM-L6-v2", &what), user, "infer_query", (preview,))
        .await;
    answer.expect("an answer");
    let (_status,): (InferenceStatus,) = bench.query(("", "`status`"), user, "status", ()).await;
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
        measure_queries(&mut bench, &user, &published).await;
        measure_upgrade(&mut bench, &world, &published).await;
        let handle = published[0].model.manifest.publisher.clone();
        measure_tokenizers(&mut bench, &world, &user, &handle).await;
        bench.table.publish("inference");
    });
}
