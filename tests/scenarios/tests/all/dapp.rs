//! A canister of somebody else's buys an inference with its own cycles (`examples/dapp`).

use candid::{CandidType, Nat, Principal};
use serde::Deserialize;
use stoa_client::management::Management;
use stoa_inference_api::Price;
use stoa_scenarios::{World, digits_inputs, run, wasm_folder};

const CYCLES: u128 = 100_000_000_000_000;

/// As `dapp.did` has it.
#[derive(CandidType)]
struct InitArgs {
    inference: Principal,
    model: String,
}

#[derive(CandidType, Deserialize, Debug)]
struct Read {
    digit: u64,
    probability: f32,
    receipt: u64,
    cycles_paid: Nat,
}

#[test]
fn should_sell_a_call_to_a_canister_that_attaches_cycles() {
    run(async {
        let (world, published) = World::shared().await;
        let user = world.actor().await;
        let manifest = &published.model.manifest;
        let inference = user.inference();
        let management = Management::new(&user.connection).await.unwrap();
        let dapp = management.create(CYCLES, None).await.unwrap();
        let arguments = InitArgs {
            inference: inference.canister(),
            model: format!(
                "{}/{}@{}",
                manifest.publisher, manifest.name, manifest.version
            ),
        };
        let wasm = wasm_folder().read("dapp").unwrap();
        let arguments = candid::encode_one(arguments).unwrap();
        management.install(dapp, &wasm, arguments).await.unwrap();

        let pixels = |count: usize| -> Vec<f32> {
            let bytes = &digits_inputs()[0].data;
            let pixels = bytes.as_chunks::<4>().0.iter().take(count);
            pixels.map(|bytes| f32::from_le_bytes(*bytes)).collect()
        };
        let read = async |pixels: Vec<f32>| -> Result<Read, String> {
            let answer: (Result<Read, String>,) = user
                .connection
                .update(dapp, "read_digit", (pixels,))
                .await
                .unwrap();
            answer.0
        };
        let before = management.status(dapp).await.unwrap().cycles;
        // The committed sample is a 7.
        let bought = read(pixels(64)).await.unwrap();
        assert_eq!(bought.digit, 7);
        assert!(bought.probability > 0.9);

        let receipt = inference.proven_receipt(bought.receipt).await.unwrap();
        assert_eq!(receipt.caller, dapp);
        assert_eq!(receipt.version, published.version);
        assert_eq!(receipt.price, Price::Cycles(bought.cycles_paid.clone()));
        let after = management.status(dapp).await.unwrap().cycles;
        assert!(before - after >= bought.cycles_paid);

        // What it does not like costs it nothing, and nobody else either.
        let refused = read(pixels(63)).await.unwrap_err();
        assert!(refused.contains("63 pixels"), "{refused}");
    });
}
