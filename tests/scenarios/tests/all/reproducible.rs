//! The canister computes what anybody's machine computes, and says so in a receipt that can be checked.

use stoa_client::sample::parse_inputs;
use stoa_client::verify::{LocalModel, model_file};
use stoa_scenarios::{Actor, ONE_TOKEN, Published, World, digits_inputs, outputs_of, run};
use stoa_types::tensor::Tensor;

/// The engine on this machine, on the committed file: nothing of it comes from the network.
fn local_model(published: &Published) -> LocalModel {
    let manifest = &published.model.manifest;
    let path = published.model.path_of(model_file(manifest).unwrap());
    LocalModel::load(manifest, std::fs::read(path).unwrap()).unwrap()
}

async fn paid(
    user: &Actor,
    published: &Published,
    inputs: Vec<Tensor>,
) -> stoa_inference_api::InferResponse {
    let mut request = user.request(published.version);
    request.input = stoa_types::pipeline::Input::Tensors(inputs);
    user.inference().infer(&request).await.unwrap().unwrap()
}

fn sample_text() -> String {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/models/digits/samples/digits.json"
    );
    std::fs::read_to_string(path).unwrap()
}

/// The committed scans in one batch.
fn batch() -> Vec<Tensor> {
    parse_inputs(&sample_text()).unwrap()
}

#[test]
fn should_answer_what_the_native_engine_answers_bit_for_bit() {
    run(async {
        let (world, published) = World::shared().await;
        let user = world.actor().await;
        user.approve(5 * ONE_TOKEN).await;
        let local = local_model(published);
        for inputs in [digits_inputs(), batch()] {
            let answer = paid(&user, published, inputs.clone()).await;
            assert_eq!(outputs_of(&answer), local.run(inputs.clone()).unwrap());
            let receipt = user
                .inference()
                .proven_receipt(answer.receipt.id)
                .await
                .unwrap();
            assert_eq!(receipt, answer.receipt);
            assert_eq!(
                local.verify_run(&receipt, inputs).unwrap(),
                outputs_of(&answer)
            );
        }
    });
}

#[test]
fn should_answer_the_same_call_with_the_same_bits_every_time() {
    run(async {
        let (world, published) = World::shared().await;
        let user = world.actor().await;
        user.approve(5 * ONE_TOKEN).await;
        let first = paid(&user, published, digits_inputs()).await;
        let second = paid(&user, published, digits_inputs()).await;
        assert_eq!(outputs_of(&first), outputs_of(&second));
        assert_eq!(first.receipt.output_hash, second.receipt.output_hash);
        assert_eq!(first.receipt.input_hash, second.receipt.input_hash);
        assert_ne!(first.receipt.id, second.receipt.id);
    });
}

#[test]
fn should_see_that_a_receipt_is_for_other_inputs_or_outputs() {
    run(async {
        let (world, published) = World::shared().await;
        let user = world.actor().await;
        user.approve(ONE_TOKEN).await;
        let answer = paid(&user, published, digits_inputs()).await;
        let local = local_model(published);
        let mut other = digits_inputs();
        other[0].data[3] ^= 1;
        assert!(local.verify_run(&answer.receipt, other).is_err());
        let mut lied = answer.receipt.clone();
        lied.output_hash = stoa_types::Sha256([0; 32]);
        assert!(local.verify_run(&lied, digits_inputs()).is_err());
    });
}

#[test]
fn should_recognise_every_committed_scan() {
    run(async {
        let (world, published) = World::shared().await;
        let user = world.actor().await;
        user.approve(ONE_TOKEN).await;
        let answer = paid(&user, published, batch()).await;
        let probabilities: Vec<f32> = outputs_of(&answer)[0]
            .data
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        let best: Vec<u64> = probabilities
            .chunks_exact(10)
            .map(|row| (0..10).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap() as u64)
            .collect();
        let sample: serde_json::Value = serde_json::from_str(&sample_text()).unwrap();
        let labels: Vec<u64> = sample["expected"]["labels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|label| label.as_u64().unwrap())
            .collect();
        assert_eq!(best, labels);
    });
}
