//! The canister computes what anybody's machine computes, and says so in a receipt that can be checked.

use serde_json::json;
use stoa_client::model_directory::ModelDirectory;
use stoa_client::sample::{parse_input, parse_inputs};
use stoa_client::verify::{LocalModel, run_files_in};
use stoa_scenarios::{
    Actor, ONE_TOKEN, Published, World, digits_inputs, image_classifier, outputs_of, run,
    text_classifier,
};
use stoa_types::pipeline::{Answer, Input};
use stoa_types::tensor::Tensor;

/// The engine on this machine, on the committed file: nothing of it comes from the network.
fn local_model(published: &Published) -> LocalModel {
    let manifest = &published.model.manifest;
    let files = run_files_in(manifest, &published.model.folder).unwrap();
    LocalModel::load(manifest, files).unwrap()
}

async fn paid(
    user: &Actor,
    published: &Published,
    inputs: Vec<Tensor>,
) -> stoa_inference_api::InferResponse {
    let mut request = user.request(published.version);
    request.input = Input::Tensors(inputs);
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
            let input = Input::Tensors(inputs);
            assert_eq!(answer.answer, local.run(input.clone()).unwrap());
            let receipt = user
                .inference()
                .proven_receipt(answer.receipt.id)
                .await
                .unwrap();
            assert_eq!(receipt, answer.receipt);
            assert_eq!(local.verify_run(&receipt, input).unwrap(), answer.answer);
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
        let other = Input::Tensors(other);
        assert!(local.verify_run(&answer.receipt, other).is_err());
        let mut lied = answer.receipt.clone();
        lied.output_hash = stoa_types::Sha256([0; 32]);
        let input = Input::Tensors(digits_inputs());
        assert!(local.verify_run(&lied, input).is_err());
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

/// A picture of 12 by 9 in four colours, as a file.
fn picture() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 12, 9);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    let pixels: Vec<u8> = (0..12 * 9_u32)
        .flat_map(|at| [(at * 7) as u8, (at * 13) as u8, (at / 12 * 29) as u8])
        .collect();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    file
}

/// By the command line alone, as a stranger would: what a receipt says of texts and pictures can be done again.
#[test]
fn should_verify_receipts_of_texts_and_pictures_at_the_command_line() {
    run(async {
        let (world, _) = World::shared().await;
        let (user, stoa) = world.actor_at_command_line().await;
        user.approve(5 * ONE_TOKEN).await;
        let image = data_encoding::BASE64.encode(&picture());
        let cases = [
            (
                text_classifier(),
                json!({"texts": ["Cheap pills", "hello  friend unheard"]}),
            ),
            (image_classifier(), json!({"images": [image]})),
        ];
        for (folder, asked) in cases {
            let publisher = world.actor().await;
            let handle = publisher.claim_handle().await;
            let model = ModelDirectory::read(folder.path(), &handle).unwrap();
            let published = world.publish(publisher, model).await;
            world.admit(published.version).await;
            world.load(published.version).await;

            let input = stoa.folder.path().join("input.json");
            std::fs::write(&input, asked.to_string()).unwrap();
            let request = stoa_inference_api::InferRequest {
                input: parse_input(&asked.to_string()).unwrap(),
                ..user.request(published.version)
            };
            let answer = user.inference().infer(&request).await.unwrap().unwrap();
            assert!(matches!(answer.answer, Answer::Classes(_)), "{answer:?}");
            let id = answer.receipt.id.to_string();
            let version = published.version.to_string();
            let input = input.to_str().unwrap();
            let verifying = [
                "model",
                "verify",
                &version,
                "--receipt",
                &id,
                "--input",
                input,
            ];
            assert_eq!(stoa.json(&verifying)["receipt"], id);
            let here = folder.path().to_str().unwrap();
            stoa.json(&[&verifying[..], &["--folder", here]].concat());

            std::fs::write(input, json!({"texts": ["hello"]}).to_string()).unwrap();
            let error = stoa.error(&verifying);
            assert!(
                error.contains("input") || error.contains("Images"),
                "{error}"
            );
        }
    });
}
