//! Real models on chain: they answer as the runtimes that they come from, and a stranger's machine gives the same bits.

use std::path::PathBuf;

use serde_bytes::ByteBuf;
use serde_json::Value;
use stoa_client::Accepted;
use stoa_client::deploy::DeployPlan;
use stoa_client::init::{InitOptions, init};
use stoa_client::model_directory::ModelDirectory;
use stoa_client::verify::{LocalModel, run_files_in};
use stoa_inference_api::{InferRequest, InferResponse, LoadState};
use stoa_scenarios::{Actor, ONE_TOKEN, PATIENCE, Published, World, digits, made_model, run};
use stoa_types::pipeline::{Answer, Input, TextInput};
use stoa_types::tensor::{DataType, Tensor};
use tokio::sync::OnceCell;

/// As the issue has it, of an element of an embedding.
const TOLERANCE: f64 = 1e-4;

/// A deployment with several models loaded, which scenarios share: a model of 90 MB is pushed and loaded once.
pub struct Library {
    pub world: World,
    pub minilm: Published,
    pub mobilenet: Published,
    /// Its author asks for nothing, so it is free within the DAO's quota.
    pub free_digits: Published,
    /// What could be read while MiniLM loaded.
    seen: Vec<LoadState>,
}

static LIBRARY: OnceCell<Library> = OnceCell::const_new();

pub async fn library() -> &'static Library {
    LIBRARY
        .get_or_init(|| async {
            let world = World::new(DeployPlan::default()).await;
            let author = world.actor().await;
            let handle = author.claim_handle().await;
            let publish = async |name: &str| {
                let published = world
                    .publish(author.clone(), made_model(name, &handle))
                    .await;
                world.admit(published.version).await;
                published
            };
            let minilm = publish("minilm").await;
            let mobilenet = publish("mobilenet").await;
            let free_digits = world.publish_at(author.clone(), digits(&handle), 0).await;
            world.admit(free_digits.version).await;

            let inference = world.deployer.inference();
            let status = inference.load(minilm.version).await.unwrap();
            let mut seen = vec![status.accepted().unwrap().state];
            inference
                .wait_ready(minilm.version, PATIENCE, |state| seen.push(state.clone()))
                .await
                .unwrap();
            world.load(mobilenet.version).await;
            world.load(free_digits.version).await;
            Library {
                world,
                minilm,
                mobilenet,
                free_digits,
                seen,
            }
        })
        .await
}

fn example(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../")
        .join(path)
}

fn json(path: &str) -> Value {
    let path = example(path);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run scripts/setup", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The engine on this machine, on files that never were on chain.
fn native(published: &Published) -> LocalModel {
    let manifest = &published.model.manifest;
    let files = run_files_in(manifest, &published.model.folder).unwrap();
    LocalModel::load(manifest, files).unwrap()
}

async fn paid(user: &Actor, published: &Published, input: Input) -> InferResponse {
    let request = InferRequest {
        input,
        ..user.request(published.version)
    };
    user.inference().infer(&request).await.unwrap().unwrap()
}

/// Its receipt is proven, and the same call on this machine gives the same bits.
async fn expect_reproducible(
    user: &Actor,
    local: &LocalModel,
    input: Input,
    response: &InferResponse,
) {
    let receipt = user
        .inference()
        .proven_receipt(response.receipt.id)
        .await
        .unwrap();
    assert_eq!(receipt, response.receipt);
    let again = local.verify_run(&receipt, input).unwrap();
    assert_eq!(again, response.answer);
}

fn texts(texts: &[&str]) -> Input {
    let texts = texts.iter().map(|text| TextInput {
        text: (*text).to_owned(),
        pair: None,
    });
    Input::Texts(texts.collect())
}

fn embeddings(response: &InferResponse) -> &[Vec<f32>] {
    match &response.answer {
        Answer::Embeddings(vectors) => vectors,
        other => panic!("{other:?}"),
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
    products.sum()
}

#[test]
fn should_show_how_far_the_load_of_a_model_of_90_megabytes_is() {
    run(async {
        let library = library().await;
        let total = library.minilm.model.manifest.files[0].chunks.len() as u64;
        let fetched: Vec<u64> = library
            .seen
            .iter()
            .filter_map(|state| match state {
                LoadState::Fetching {
                    chunks_done,
                    chunks_total,
                } => {
                    assert!(*chunks_total > total, "the tokenizer's are among them");
                    Some(*chunks_done)
                }
                _ => None,
            })
            .collect();
        assert!(fetched.is_sorted(), "{fetched:?}");
        assert_eq!(fetched.first(), Some(&0));
        assert!(fetched.last() > Some(&0), "{fetched:?}");
        assert!(library.seen.contains(&LoadState::Optimising));
        assert!(matches!(library.seen.last(), Some(LoadState::Ready { .. })));
    });
}

#[test]
fn should_embed_sentences_on_chain_as_onnxruntime_does() {
    run(async {
        let library = library().await;
        let user = library.world.actor().await;
        user.approve(9 * ONE_TOKEN).await;
        let local = native(&library.minilm);
        let samples = json("examples/models/minilm/samples/sentences.json");
        let mut vectors = Vec::new();
        for sentence in samples["sentences"].as_array().unwrap() {
            let input = texts(&[sentence["text"].as_str().unwrap()]);
            let response = paid(&user, &library.minilm, input.clone()).await;
            expect_reproducible(&user, &local, input, &response).await;
            let found = embeddings(&response)[0].clone();
            let expected = sentence["embedding"].as_array().unwrap();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                let difference = f64::from(*found) - expected.as_f64().unwrap();
                assert!(difference.abs() <= TOLERANCE, "{found} is not {expected}");
            }
            vectors.push(found);
        }
        for (a, row) in vectors.iter().zip(samples["cosines"].as_array().unwrap()) {
            for (b, expected) in vectors.iter().zip(row.as_array().unwrap()) {
                let found = cosine(a, b);
                let difference = found - expected.as_f64().unwrap();
                assert!(difference.abs() <= TOLERANCE, "{found} is not {expected}");
            }
        }
        // What is meant alike is near, whatever the words: two meals, and a girl with a baby.
        let meals = cosine(&vectors[0], &vectors[1]);
        assert!(meals > 0.7 && meals > cosine(&vectors[0], &vectors[2]) + 0.5);

        // Padding beside a longer text changes nothing that is seen.
        let three: Vec<&str> = (0..3)
            .map(|index| samples["sentences"][index]["text"].as_str().unwrap())
            .collect();
        let together = paid(&user, &library.minilm, texts(&three)).await;
        expect_reproducible(&user, &local, texts(&three), &together).await;
        for (a, b) in embeddings(&together).iter().zip(&vectors) {
            assert!(cosine(a, b) > 0.999_999);
        }
    });
}

#[test]
fn should_classify_a_picture_on_chain_as_onnxruntime_does() {
    run(async {
        let library = library().await;
        let user = library.world.actor().await;
        user.approve(ONE_TOKEN).await;
        let picture = std::fs::read(example("target/models/mobilenet/picture.png")).unwrap();
        let input = Input::Images(vec![ByteBuf::from(picture)]);
        let response = paid(&user, &library.mobilenet, input.clone()).await;
        let Answer::Classes(pictures) = &response.answer else {
            panic!("{:?}", response.answer);
        };
        let expected = json("target/models/mobilenet/expected.json");
        let expected = expected.as_array().unwrap();
        assert_eq!((pictures.len(), pictures[0].len()), (1, expected.len()));
        for (found, expected) in pictures[0].iter().zip(expected) {
            assert_eq!(found.index, expected["index"].as_u64().unwrap());
            let difference = f64::from(found.score) - expected["score"].as_f64().unwrap();
            assert!(difference.abs() <= TOLERANCE, "{found:?}, not {expected}");
        }
        expect_reproducible(&user, &native(&library.mobilenet), input, &response).await;
    });
}

/// The published spam filter, where it lies beside the checkout or in the folder that `STOA_SHARED_MODELS` names.
fn spam_filter() -> Option<PathBuf> {
    let folder = match std::env::var_os("STOA_SHARED_MODELS") {
        Some(folder) => PathBuf::from(folder),
        None => example("../shared/models"),
    };
    let folder = folder.join("spam-detection");
    if !folder.join("model.json").is_file() {
        println!("*** LEFT OUT: there is no {}", folder.display());
        return None;
    }
    Some(folder)
}

#[test]
fn should_take_a_published_tensorflow_js_model_the_whole_way() {
    let Some(source) = spam_filter() else {
        return;
    };
    run(async {
        let world = &library().await.world;
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(&source).unwrap() {
            let entry = entry.unwrap();
            // A copy has permissions of its own.
            let bytes = std::fs::read(entry.path()).unwrap();
            std::fs::write(folder.path().join(entry.file_name()), bytes).unwrap();
        }
        let options = InitOptions {
            name: Some("spam".to_owned()),
            license: Some("MIT".to_owned()),
            task: Some("text-classification".to_owned()),
            ..InitOptions::default()
        };
        init(folder.path(), &options).unwrap();
        let author = world.actor().await;
        let handle = author.claim_handle().await;
        let model = ModelDirectory::read(folder.path(), &handle).unwrap();
        let published = world.publish(author, model).await;
        world.admit(published.version).await;
        world.load(published.version).await;

        let vocabulary = std::fs::read_to_string(source.join("vocab")).unwrap();
        let id = |word: &str| -> i64 {
            let of = |wanted: &str| {
                let mut lines = vocabulary.lines().filter_map(|line| line.split_once(' '));
                lines.find(|(known, _)| *known == wanted).map(|(_, id)| id)
            };
            let found = of(word).or_else(|| of("<UNKNOWN>")).unwrap();
            found.trim().parse().unwrap()
        };
        let user = world.actor().await;
        user.approve(ONE_TOKEN).await;
        let local = native(&published);
        let spec = &published.model.manifest.signature.inputs[0];
        let mut scores = Vec::new();
        for text in [
            "thank you i will look at the code and let you know",
            "www http com site get website http www com blog http phpurlhttp great site like",
        ] {
            let mut ids = vec![id("<START>")];
            ids.extend(text.split(' ').map(id));
            ids.truncate(20);
            ids.resize(20, id("<PAD>"));
            let data = ids.iter().flat_map(|id| match spec.datatype {
                DataType::INT32 => (*id as i32).to_le_bytes().to_vec(),
                DataType::FP32 => (*id as f32).to_le_bytes().to_vec(),
                _ => id.to_le_bytes().to_vec(),
            });
            let input = Input::Tensors(vec![Tensor {
                name: spec.name.clone(),
                datatype: spec.datatype,
                shape: vec![1, 20],
                data: data.collect(),
            }]);
            let response = paid(&user, &published, input.clone()).await;
            expect_reproducible(&user, &local, input, &response).await;
            let output = &stoa_scenarios::outputs_of(&response)[0];
            let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
            let pair: Vec<f32> = output.data.chunks_exact(4).map(number).collect();
            assert!((pair[0] + pair[1] - 1.0).abs() < 1e-5, "{pair:?}");
            // `labels.txt`: false, true.
            scores.push(pair[1]);
        }
        assert!(scores[1] > 0.5 && scores[1] > scores[0], "{scores:?}");
    });
}
