//! Clients that know nothing of canisters call models through the network's HTTP gateway: `tritonclient` speaks the Open
//! Inference Protocol with binary tensors, `openai` asks for embeddings. Paid by a key in the Authorization header, or free
//! within the DAO's quota.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use stoa_inference_api::{AddKeyArgs, DepositArgs, Price, Token};
use stoa_scenarios::{ONE_TOKEN, digits_inputs, page, run};
use stoa_types::Sha256;

use super::models::library;

const SECRET: &str = "a secret of a test, which spends what its owner deposited";
const LIMIT_E8S: u64 = 2 * ONE_TOKEN;
/// `sentences.json` has seven digits of each element.
const TOLERANCE: f64 = 1e-4;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The script's answer, with the packages that `scripts/setup` installed.
fn clients(given: &Value) -> Value {
    let python = root().join("target/python/bin/python");
    let script = root().join("tests/scenarios/python/inference_clients.py");
    let output = Command::new(&python)
        .arg(script)
        .arg(given.to_string())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}: run scripts/setup", python.display()));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("the script prints JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap_or_else(|| panic!("{value}"));
    list.iter().map(|x| x.as_f64().unwrap()).collect()
}

fn expect_near(found: &Value, expected: &Value) {
    let (found, expected) = (numbers(found), numbers(expected));
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!(
            (found - expected).abs() <= TOLERANCE,
            "{found} is not {expected}"
        );
    }
}

#[test]
fn should_serve_stock_clients_of_the_open_inference_protocol_and_of_openai() {
    run(async {
        let library = library().await;
        let user = library.world.actor().await;
        let inference = user.inference();
        user.approve(9 * ONE_TOKEN).await;
        let deposit = DepositArgs {
            token: Token::Icp,
            amount_e8s: 5 * ONE_TOKEN,
            from_subaccount: None,
        };
        inference.deposit(deposit).await.unwrap().unwrap();
        let key = AddKeyArgs {
            hash: Sha256::of(SECRET.as_bytes()),
            label: "a test".to_owned(),
            token: Token::Icp,
            limit_e8s: LIMIT_E8S,
            expires_at_nanos: None,
        };
        inference.add_key(key).await.unwrap().unwrap();

        let name = |published: &stoa_scenarios::Published| {
            let manifest = &published.model.manifest;
            format!("{}/{}", manifest.publisher, manifest.name)
        };
        let (paid, free) = (name(&library.minilm), name(&library.free_digits));
        let samples = std::fs::read(root().join("examples/models/minilm/samples/sentences.json"));
        let samples: Value = serde_json::from_slice(&samples.unwrap()).unwrap();
        let sentences = samples["sentences"].as_array().unwrap();
        let sample = std::fs::read(root().join("examples/models/digits/samples/one-digit.json"));
        let digit: Value = serde_json::from_slice(&sample.unwrap()).unwrap();
        let scan = digits_inputs();
        let pixels = scan[0].data.as_chunks::<4>().0.iter();
        let pixels: Vec<f32> = pixels.map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let endpoint = user.connection.endpoint();
        let (url, host) = page(endpoint, &inference.canister().to_text());
        let given = json!({
            "page": url,
            "host": host,
            "ssl": url.starts_with("https"),
            "key": SECRET,
            "paid_model": paid,
            "free_model": free,
            "pixels": pixels,
            "texts": [sentences[0]["text"], sentences[1]["text"]],
        });
        let found = tokio::task::spawn_blocking(move || clients(&given))
            .await
            .unwrap();

        let triton = &found["open_inference"];
        for healthy in ["live", "ready", "model_ready", "version_ready"] {
            assert_eq!(triton[healthy], true, "{healthy}");
        }
        assert_eq!(
            triton["server"]["extensions"],
            json!(["binary_tensor_data"])
        );
        assert_eq!(triton["model"]["name"], free.as_str());
        assert_eq!(triton["model"]["inputs"][0]["shape"], json!([-1, 64]));
        let probabilities = &digit["expected"]["outputs"][0]["data"];
        for way in ["free", "with_version", "as_json"] {
            expect_near(&triton[way][0], probabilities);
        }
        assert_eq!(triton["refused"][0], "402", "{}", triton["refused"]);
        expect_near(&triton["embedding"][0], &sentences[0]["embedding"]);
        assert_eq!(triton["no_output"], "there is no output nothing");

        let openai = &found["openai"];
        let models = openai["models"].as_array().unwrap();
        let manifest = &library.minilm.model.manifest;
        let full = format!("{paid}@{}", manifest.version);
        assert!(models.contains(&json!(full)), "{models:?}");
        assert_eq!(openai["model"], full.as_str());
        for (index, embedding) in openai["embeddings"].as_array().unwrap().iter().enumerate() {
            expect_near(embedding, &sentences[index]["embedding"]);
        }
        expect_near(&openai["one"], &sentences[0]["embedding"]);
        let tokens =
            sentences[0]["tokens"].as_u64().unwrap() + sentences[1]["tokens"].as_u64().unwrap();
        assert_eq!(openai["tokens"], tokens);
        let errors = &openai["errors"];
        assert_eq!(errors["unknown_key"][0], "AuthenticationError", "{errors}");
        assert_eq!(errors["no_key"][1], 402, "{errors}");
        assert_eq!(errors["unknown_model"][0], "NotFoundError", "{errors}");
        assert_eq!(errors["no_embeddings"][0], "BadRequestError", "{errors}");

        // Three calls were paid, from the owner's credit and no further than the key allows; what was refused cost nothing.
        let status = inference.status().await.unwrap();
        let mut spent = 0;
        let mut receipts = Vec::new();
        for id in 0..status.receipts {
            let receipt = inference.proven_receipt(id).await.unwrap();
            if receipt.caller == user.principal() {
                let Price::IcpE8s(e8s) = receipt.price else {
                    panic!("{receipt:?}");
                };
                spent += e8s;
                receipts.push(id);
            }
        }
        assert_eq!(receipts.len(), 3);
        assert!(receipts.contains(&triton["receipt"].as_u64().unwrap()));
        assert!(receipts.contains(&openai["receipt"].as_u64().unwrap()));
        let left = inference.list_keys().await.unwrap()[0].left_e8s;
        assert_eq!(LIMIT_E8S - left, spent);
        let credit = inference.balances_of(user.principal()).await.unwrap();
        assert_eq!(5 * ONE_TOKEN - credit.credit_icp_e8s, spent);
    });
}
