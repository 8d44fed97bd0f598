//! The canister over HTTP: what clients of the Open Inference Protocol and of OpenAI send and expect.

use candid::Principal;
use serde_json::{Value, json};
use stoa_inference_api::{
    AddKeyArgs, DepositArgs, HttpRequest, HttpResponse, InferError, InferRequest, Payment, Policy,
    Token,
};
use stoa_types::Sha256;
use stoa_types::pipeline::Input;

use super::world::{
    World, allowance, credit, governance, payer, pixels, policy, preview, request,
    world_with_digits,
};
use crate::limits::QUERY_INSTRUCTIONS_MAX;
use crate::{accounts, http, keys, money, queries, receipts};

const SECRET: &str = "stoa_0123456789abcdef";

fn get(path: &str) -> HttpRequest {
    HttpRequest {
        method: "GET".into(),
        url: path.into(),
        headers: vec![],
        body: vec![],
        certificate_version: Some(2),
    }
}

fn post(path: &str, key: Option<&str>, body: Vec<u8>) -> HttpRequest {
    HttpRequest {
        method: "POST".into(),
        headers: key
            .map(|key| ("authorization".to_owned(), format!("Bearer {key}")))
            .into_iter()
            .collect(),
        body,
        ..get(path)
    }
}

fn json_of(response: &HttpResponse) -> Value {
    serde_json::from_slice(&response.body)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&response.body)))
}

fn read(world: &World, path: &str) -> (u16, Value) {
    let response = http::query(world, &get(path), Some(b"certificate".to_vec()));
    (response.status_code, json_of(&response))
}

/// A price in the author's name would not be the DAO's to give away.
fn world_without_author_price() -> (World, Sha256) {
    let (world, version) = world_with_digits();
    let mut load = crate::state::load(&version).unwrap();
    load.registered.author_price_e8s = 0;
    crate::state::put_load(load);
    world.with(|inner| {
        let info = inner.versions.get_mut(&version).unwrap();
        info.price_per_call_e8s = 0;
    });
    (world, version)
}

fn add_key(world: &World, limit_e8s: u64) {
    let arguments = DepositArgs {
        token: Token::Icp,
        amount_e8s: 5_000_000,
        from_subaccount: None,
    };
    world
        .finish(money::deposit(world, payer(0), arguments))
        .unwrap();
    keys::add(payer(0), key(limit_e8s)).unwrap();
}

fn key(limit_e8s: u64) -> AddKeyArgs {
    AddKeyArgs {
        hash: Sha256::of(SECRET.as_bytes()),
        label: "laptop".into(),
        token: Token::Icp,
        limit_e8s,
        expires_at_nanos: None,
    }
}

fn scan() -> Value {
    let pixels: Vec<f32> = (0..64).map(|i| (i % 17) as f32).collect();
    json!({
        "id": "7",
        "inputs": [{"name": "pixels", "datatype": "FP32", "shape": [1, 64], "data": pixels}],
    })
}

#[test]
fn should_tell_its_health_and_what_models_it_has() {
    let (world, version) = world_with_digits();
    assert_eq!(
        read(&world, "/v2").1["extensions"],
        json!(["binary_tensor_data"])
    );
    assert_eq!(
        read(&world, "/v2/health/live"),
        (200, json!({"live": true}))
    );
    assert_eq!(read(&world, "/v2/health/ready").0, 200);
    let metadata = json!({
        "name": "stoa/digits",
        "versions": ["1.0.0"],
        "platform": "stoa_onnx",
        "inputs": [{"name": "pixels", "datatype": "FP32", "shape": [-1, 64]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]}],
    });
    for path in [
        "/v2/models/stoa/digits".to_owned(),
        "/v2/models/stoa%2Fdigits?x=1".to_owned(),
        "/v2/models/stoa/digits/versions/1.0.0".to_owned(),
        format!("/v2/models/{version}"),
    ] {
        assert_eq!(read(&world, &path), (200, metadata.clone()), "{path}");
    }
    assert_eq!(read(&world, "/v2/models/stoa/digits/ready").0, 200);
    assert_eq!(read(&world, "/v2/models/stoa/nothing").0, 404);
    let (_, models) = read(&world, "/v1/models");
    assert_eq!(models["data"][0]["id"], "stoa/digits@1.0.0");
    assert_eq!(read(&world, "/v1/models/stoa/digits").1["owned_by"], "stoa");
    for nothing in ["/v3", "/v2/models", "/v1/chat/completions", "/%zz"] {
        assert_eq!(read(&world, nothing).0, 404, "{nothing}");
    }
    world.with(|inner| inner.cycles = 0);
    assert_eq!(read(&world, "/v2/health/ready").0, 503);
    world.upgrade();
    assert_eq!(read(&world, "/v2/models/stoa/digits/ready").0, 503);
}

#[test]
fn should_say_of_what_it_reads_that_it_is_not_certified_in_the_form_that_gateways_verify() {
    let (world, _) = world_with_digits();
    receipts::certify(&world);
    let response = http::query(&world, &get("/v2"), Some(b"certificate".to_vec()));
    let header = |name: &str| {
        let mut headers = response.headers.iter();
        headers.find(|(given, _)| given == name).unwrap().1.clone()
    };
    assert_eq!(
        header("IC-CertificateExpression"),
        "default_certification(ValidationArgs{no_certification:Empty{}})"
    );
    let certificate = header("IC-Certificate");
    let part = |name: &str| -> Vec<u8> {
        let start = certificate.find(&format!("{name}=:")).unwrap() + name.len() + 2;
        let text = certificate[start..].split(':').next().unwrap();
        data_encoding::BASE64.decode(text.as_bytes()).unwrap()
    };
    assert_eq!(part("certificate"), b"certificate");
    let tree: ic_certification::hash_tree::HashTree<Vec<u8>> =
        serde_cbor::from_slice(&part("tree")).unwrap();
    assert_eq!(Some(tree.digest()), world.with(|inner| inner.certified));
    // The same tree proves receipts.
    let paths: Vec<String> = serde_cbor::from_slice(&part("expr_path")).unwrap();
    assert_eq!(paths, ["http_expr", "<*>"]);
}

#[test]
fn should_send_a_gateway_on_with_whatever_runs_a_model() {
    let (world, _) = world_with_digits();
    for path in ["/v2/models/stoa/digits/infer", "/v1/embeddings"] {
        let response = http::query(&world, &post(path, None, vec![]), None);
        assert_eq!(response.upgrade, Some(true), "{path}");
    }
    let wrong = http::query(&world, &post("/v2", None, vec![]), None);
    assert_eq!((wrong.status_code, wrong.upgrade), (405, None));
    let mut preflight = get("/v1/embeddings");
    preflight.method = "OPTIONS".into();
    assert_eq!(http::query(&world, &preflight, None).status_code, 204);
}

#[test]
fn should_run_a_call_in_json_and_in_binary_with_the_same_answer() {
    let (world, version) = world_with_digits();
    add_key(&world, 5_000_000);
    let path = "/v2/models/stoa/digits/infer";
    let body = serde_json::to_vec(&scan()).unwrap();
    let plain = world.finish(http::update(&world, post(path, Some(SECRET), body)));
    assert_eq!(plain.status_code, 200, "{}", json_of(&plain));
    let plain = json_of(&plain);
    assert_eq!(plain["id"], "7");
    assert_eq!(plain["model_version"], "1.0.0");
    assert_eq!(plain["parameters"]["receipt"], 0);
    let output = &plain["outputs"][0];
    assert_eq!(output["shape"], json!([1, 10]));

    // As tritonclient sends it.
    let data = pixels(1).data;
    let head = json!({
        "inputs": [{
            "name": "pixels", "datatype": "FP32", "shape": [1, 64],
            "parameters": {"binary_data_size": data.len()},
        }],
        "parameters": {"binary_data_output": true},
    });
    let head = serde_json::to_vec(&head).unwrap();
    let mut binary = post(path, Some(SECRET), [head.as_slice(), &data].concat());
    binary.headers.push((
        "inference-header-content-length".into(),
        head.len().to_string(),
    ));
    let answer = world.finish(http::update(&world, binary));
    assert_eq!(answer.status_code, 200);
    let length: usize = answer
        .headers
        .iter()
        .find(|(name, _)| name == "Inference-Header-Content-Length")
        .map(|(_, value)| value.parse().unwrap())
        .unwrap();
    let (head, binary) = answer.body.split_at(length);
    let head: Value = serde_json::from_slice(head).unwrap();
    assert_eq!(head["outputs"][0]["parameters"]["binary_data_size"], 40);
    let floats: Vec<f32> = binary
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    let shown: Vec<f32> = serde_json::from_value(output["data"].clone()).unwrap();
    assert_eq!(floats, shown);
    // Both were paid from the key's owner's credit.
    let price = queries::quote(version).unwrap().price_e8s;
    assert_eq!(
        accounts::balances_of(payer(0)).credit_icp_e8s,
        5_000_000 - 2 * price
    );
    assert_eq!(keys::of(payer(0))[0].left_e8s, 5_000_000 - 2 * price);
    assert_eq!(receipts::read(1).unwrap().caller, payer(0));
}

#[test]
fn should_spend_no_more_than_a_key_may_and_nothing_of_a_call_that_fails() {
    let (world, version) = world_with_digits();
    let price = queries::quote(version).unwrap().price_e8s;
    add_key(&world, price);
    let call = |secret: &str| {
        let body = serde_json::to_vec(&scan()).unwrap();
        let request = post("/v2/models/stoa/digits/infer", Some(secret), body);
        world.finish(http::update(&world, request)).status_code
    };
    world.with(|inner| inner.trap_runs = true);
    assert_eq!(call(SECRET), 500);
    assert_eq!(keys::of(payer(0))[0].left_e8s, price);
    world.with(|inner| inner.trap_runs = false);
    assert_eq!(call("stoa_unknown"), 401);
    assert_eq!(call(SECRET), 200);
    assert_eq!(call(SECRET), 402);
    // More, but only until then.
    let soon = world.with(|inner| inner.now_nanos) + 5;
    let arguments = AddKeyArgs {
        expires_at_nanos: Some(soon),
        ..key(2 * price)
    };
    keys::add(payer(0), arguments).unwrap();
    assert_eq!(call(SECRET), 200);
    world.with(|inner| inner.now_nanos += 5);
    assert_eq!(call(SECRET), 401);
    // A key is its owner's alone.
    assert!(keys::add(payer(1), key(1)).is_err());
    assert!(!keys::remove(payer(1), Sha256::of(SECRET.as_bytes())));
    assert!(keys::remove(payer(0), Sha256::of(SECRET.as_bytes())));
    assert!(keys::add(Principal::anonymous(), key(1)).is_err());
    assert_eq!(call(SECRET), 401);
}

// Statement 26: an hour of free calls costs at most the DAO's number of calls times its number of instructions.
#[test]
fn should_bound_what_free_calls_may_cost() {
    let (world, _) = world_without_author_price();
    let call = || {
        let body = serde_json::to_vec(&scan()).unwrap();
        let request = post("/v2/models/stoa/digits/infer", Some("free"), body);
        world.finish(http::update(&world, request)).status_code
    };
    for _ in 0..policy().free_calls_per_hour {
        assert_eq!(call(), 200);
    }
    assert_eq!(call(), 429);
    // An upgrade does not give it again; the next hour does. A call that fails counts as well.
    world.upgrade();
    world.run_timers();
    world.with(|inner| inner.now_nanos -= inner.now_nanos % 3_600_000_000_000);
    world.pass(std::time::Duration::from_secs(7_200));
    world.with(|inner| inner.trap_runs = true);
    for _ in 0..policy().free_calls_per_hour {
        assert_eq!(call(), 500);
    }
    assert_eq!(call(), 429);
    assert_eq!(receipts::count(), 0);
    let none = Policy {
        free_instructions_max: 1,
        ..policy()
    };
    crate::policy::set_policy(governance(), &none).unwrap();
    world.pass(std::time::Duration::from_secs(3_600));
    assert_eq!(call(), 413);
}

// Statement 26: who cannot pay is refused before work is spent on what he sends, and what is read for nothing is counted.
#[test]
fn should_not_read_what_nobody_pays_for() {
    let (world, version) = world_without_author_price();
    let misfit = |payment| InferRequest {
        input: Input::Tensors(vec![pixels(65)]),
        ..request(version, payment)
    };
    let infer = |payment| {
        let asked = crate::infer::infer(&world, payer(0), misfit(payment));
        world.finish(asked).unwrap_err()
    };
    let price = queries::quote(version).unwrap();
    assert_eq!(
        infer(credit()),
        InferError::InsufficientCredit {
            credit_e8s: 0,
            needed_e8s: price.price_e8s
        }
    );
    assert_eq!(
        infer(Payment::Cycles),
        InferError::InsufficientCycles {
            attached: 0_u8.into(),
            price: price.price_cycles
        }
    );
    // An allowance is the ledger's to know of.
    assert!(matches!(
        infer(allowance()),
        InferError::InvalidInput { .. }
    ));

    let call = |path: &str, secret: Option<&str>, body: &[u8]| {
        let request = post(path, secret, body.to_vec());
        let answer = world.finish(http::update(&world, request));
        (
            answer.status_code,
            String::from_utf8(answer.body.to_vec()).unwrap(),
        )
    };
    let (oip, openai) = ("/v2/models/stoa/digits/infer", "/v1/embeddings");
    let garbage = &b"{"[..];
    for path in [oip, openai] {
        assert_eq!(call(path, Some("stoa_unknown"), garbage).0, 401);
        assert_eq!(call(path, None, garbage).0, 400);
    }
    let mut wrong = scan();
    wrong["inputs"][0]["datatype"] = "FP64".into();
    let wrong = serde_json::to_vec(&wrong).unwrap();
    for _ in 0..policy().free_calls_per_hour {
        assert_eq!(call(oip, None, &wrong).0, 400);
    }
    for path in [oip, openai] {
        let (status, message) = call(path, None, garbage);
        assert_eq!(status, 429);
        assert!(
            message.contains("send a key of prepaid credit"),
            "{message}"
        );
    }
}

// Statement 24: a preview's input and run together stay under half of what a query may.
#[test]
fn should_count_what_an_input_took_to_prepare_into_a_preview() {
    let (world, version) = world_with_digits();
    world.with(|inner| {
        inner.replicated = false;
        inner.instructions_a_reading = QUERY_INSTRUCTIONS_MAX;
    });
    assert!(matches!(
        queries::infer_query(&world, preview(version)),
        Err(InferError::TooManyInstructions { needed, max: QUERY_INSTRUCTIONS_MAX })
            if needed > QUERY_INSTRUCTIONS_MAX
    ));
}

#[test]
fn should_preview_in_a_query_only_and_within_the_policy() {
    let (world, version) = world_with_digits();
    assert_eq!(
        queries::infer_query(&world, preview(version)),
        Err(InferError::QueryOnly)
    );
    world.with(|inner| inner.replicated = false);
    let answer = queries::infer_query(&world, preview(version)).unwrap();
    assert_eq!(answer.version, version);
    let off = Policy {
        preview_instructions_max: 0,
        ..policy()
    };
    crate::policy::set_policy(governance(), &off).unwrap();
    assert!(matches!(
        queries::infer_query(&world, preview(version)),
        Err(InferError::TooManyInstructions { max: 0, .. })
    ));
    assert_eq!(receipts::count(), 0);
    assert_eq!(world.with(|inner| inner.log.len()), 0);
}

#[test]
fn should_refuse_embeddings_of_a_model_that_makes_none() {
    let (world, _) = world_with_digits();
    let body = json!({"model": "stoa/digits", "input": ["a", "b"]});
    let request = post("/v1/embeddings", None, serde_json::to_vec(&body).unwrap());
    let answer = world.finish(http::update(&world, request));
    assert_eq!(answer.status_code, 400);
    assert_eq!(json_of(&answer)["error"]["type"], "invalid_request_error");
    for bad in ["{}", "[", "{\"model\": 1}"] {
        let request = post("/v1/embeddings", None, bad.as_bytes().to_vec());
        assert_eq!(world.finish(http::update(&world, request)).status_code, 400);
    }
}

// Statement 13: what a call asks for and cannot get is refused before it is paid.
#[test]
fn should_refuse_outputs_that_are_not_there_before_anything_is_charged() {
    let (world, _) = world_with_digits();
    add_key(&world, 5_000_000);
    for outputs in [
        json!([{"name": "nothing"}]),
        json!([{"name": "probabilities"}, {"name": "probabilities"}]),
    ] {
        let mut body = scan();
        body["outputs"] = outputs;
        let body = serde_json::to_vec(&body).unwrap();
        let request = post("/v2/models/stoa/digits/infer", Some(SECRET), body);
        let answer = world.finish(http::update(&world, request));
        assert_eq!(answer.status_code, 400, "{}", json_of(&answer));
    }
    assert_eq!(accounts::balances_of(payer(0)).credit_icp_e8s, 5_000_000);
    assert_eq!(receipts::count(), 0);
}

/// What may pass by itself, and what a client has to do about the rest, is said in words.
#[test]
fn should_say_in_words_why_a_call_is_refused_for_now() {
    let version = Sha256::of(b"a model");
    let refusals = [
        (InferError::NotLoaded { version }, 404, "is not loaded here"),
        (InferError::NotReady { version }, 503, "try again"),
        (
            InferError::NotAdmitted {
                version,
                status: "revoked".to_owned(),
            },
            410,
            "this version is revoked",
        ),
        (
            InferError::OutOfCycles {
                balance: 1u8.into(),
                needed: 2u8.into(),
            },
            503,
            "topped up",
        ),
        (InferError::Busy, 429, "try again"),
        (
            InferError::RegistryFailed {
                message: "it is stopped".to_owned(),
            },
            502,
            "(it is stopped)",
        ),
    ];
    for (refusal, status, words) in refusals {
        let failure = http::Failure::from(refusal);
        assert_eq!(failure.status, status, "{failure:?}");
        assert!(failure.message.contains(words), "{failure:?}");
        assert!(!failure.message.contains('{'), "{failure:?}");
    }
}
