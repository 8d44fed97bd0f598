//! The Open Inference Protocol (KServe v2): health, metadata, inference, with the extension for binary tensors:
//!
//! ```text
//! Inference-Header-Content-Length: n
//! | JSON: n bytes | data of the first tensor with a `binary_data_size` | of the second | ...
//! ```
//!
//! A model is `publisher/name`, and its version the manifest's. A pipeline's own inputs are BYTES tensors of one
//! dimension: `text`, or `image` (PNG or JPEG files; base64 where they are JSON strings); its answers are named `embedding`, or
//! `label`, `score` and `index`. The network's own tensors are always taken, whatever the pipeline.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_json::{Value, json};
use stoa_inference_api::{HttpRequest, ModelReference};
use stoa_types::manifest::{Dimension, TensorSpec};
use stoa_types::pipeline::{Answer, AnswerKind, Input, PipelineKind, TextInput};
use stoa_types::tensor::{DataType, Tensor};

use super::json::{self, Data};
use super::{Failure, Reply, header, is_ready};
use crate::infer::{self as paid, spendable_cycles};
use crate::limits::OUTPUT_BYTES_MAX;
use crate::runtime::Runtime;
use crate::stored::Load;
use crate::{names, price, state};

const HEADER_LENGTH: &str = "Inference-Header-Content-Length";
/// More than any model has.
const TENSORS_MAX: usize = 256;
/// `false,` is six characters for a byte; numbers take at most 5 for each of theirs.
const JSON_BYTES_A_BYTE: u64 = 6;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    Server,
    Live,
    Ready,
    Model { model: String },
    ModelReady { model: String },
    Infer { model: String },
}

impl Route {
    /// What is behind `/v2`.
    pub fn of(segments: &[&str]) -> Option<Route> {
        let (first, rest) = match segments {
            [] => return Some(Route::Server),
            ["health", "live"] => return Some(Route::Live),
            ["health", "ready"] => return Some(Route::Ready),
            ["models", rest @ ..] => rest.split_first()?,
            _ => return None,
        };
        // A digest stands alone, a name has its publisher before it.
        let (name, rest) = match rest {
            _ if first.len() == 64 => ((*first).to_owned(), rest),
            [name, rest @ ..] => (format!("{first}/{name}"), rest),
            [] => return None,
        };
        let (model, rest) = match rest {
            ["versions", version, rest @ ..] => (format!("{name}@{version}"), rest),
            _ => (name, rest),
        };
        match rest {
            [] => Some(Route::Model { model }),
            ["ready"] => Some(Route::ModelReady { model }),
            ["infer"] => Some(Route::Infer { model }),
            _ => None,
        }
    }

    pub fn is_post(&self) -> bool {
        matches!(self, Route::Infer { .. })
    }
}

/// `None`: it takes an update call.
pub fn read<R: Runtime>(runtime: &R, route: &Route) -> Option<Reply> {
    let healthy =
        |is: bool, name: &str| Reply::json(if is { 200 } else { 503 }, &json!({ name: is }));
    match route {
        Route::Server => Some(Reply::json(
            200,
            &json!({
                "name": "stoa",
                "version": env!("CARGO_PKG_VERSION"),
                "extensions": ["binary_tensor_data"],
            }),
        )),
        Route::Live => Some(healthy(true, "live")),
        Route::Ready => {
            let spendable = spendable_cycles(runtime);
            Some(healthy(spendable >= price::cycles_needed(0), "ready"))
        }
        Route::Model { model } => Some(match find(model) {
            Some(load) => Reply::json(200, &metadata(&load)),
            None => not_found(model),
        }),
        Route::ModelReady { model } => Some(match find(model) {
            Some(load) => healthy(is_ready(&load.version), "ready"),
            None => not_found(model),
        }),
        Route::Infer { .. } => None,
    }
}

fn find(model: &str) -> Option<Load> {
    let version = names::resolve_here(&ModelReference::Name(model.to_owned()))?;
    state::load(&version)
}

fn not_found(model: &str) -> Reply {
    error(404, &format!("the model {model} is not loaded here"))
}

fn error(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "error": message }))
}

fn metadata(load: &Load) -> Value {
    let specs = |specs: &[TensorSpec]| -> Vec<Value> { specs.iter().map(spec).collect() };
    let tensor = |name: &str, datatype: DataType, rank: usize| json!({ "name": name, "datatype": datatype.name(), "shape": vec![-1; rank] });
    let kind = load.pipeline.as_ref().map(|pipeline| &pipeline.kind);
    let inputs = match kind {
        Some(PipelineKind::Text(_)) => vec![tensor("text", DataType::BYTES, 1)],
        Some(PipelineKind::Image(_)) => vec![tensor("image", DataType::BYTES, 1)],
        _ => specs(&load.signature.inputs),
    };
    let outputs = match kind.and_then(answer_kind) {
        Some(AnswerKind::Embedding(_)) => vec![tensor("embedding", DataType::FP32, 2)],
        Some(AnswerKind::Classes(_)) => vec![
            tensor("label", DataType::BYTES, 2),
            tensor("score", DataType::FP32, 2),
            tensor("index", DataType::INT64, 2),
        ],
        Some(AnswerKind::Tensors) | None => specs(&load.signature.outputs),
    };
    let versions: Vec<String> = names::loads_of(&load.registered.model)
        .into_iter()
        .map(|load| load.registered.semver)
        .collect();
    json!({
        "name": load.registered.model,
        "versions": versions,
        "platform": "stoa_onnx",
        "inputs": inputs,
        "outputs": outputs,
    })
}

fn answer_kind(kind: &PipelineKind) -> Option<&AnswerKind> {
    match kind {
        PipelineKind::Tensors => None,
        PipelineKind::Text(text) => Some(&text.answer),
        PipelineKind::Image(image) => Some(&image.answer),
        PipelineKind::Tabular(tabular) => Some(&tabular.answer),
    }
}

fn spec(spec: &TensorSpec) -> Value {
    let shape: Vec<i64> = spec
        .shape
        .iter()
        .map(|dimension| match dimension {
            Dimension::Fixed(extent) => i64::try_from(*extent).unwrap_or(i64::MAX),
            Dimension::Dynamic { .. } => -1,
        })
        .collect();
    json!({ "name": spec.name, "datatype": spec.datatype.name(), "shape": shape })
}

#[derive(Deserialize)]
struct Request {
    id: Option<String>,
    #[serde(default)]
    parameters: Parameters,
    inputs: Vec<RequestInput>,
    outputs: Option<Vec<RequestOutput>>,
}

#[derive(Deserialize)]
struct RequestInput {
    name: String,
    datatype: String,
    shape: Vec<u64>,
    #[serde(default)]
    parameters: Parameters,
    data: Option<Value>,
}

#[derive(Deserialize)]
struct RequestOutput {
    name: String,
    #[serde(default)]
    parameters: Parameters,
}

/// Those that mean something here; others are let be.
#[derive(Deserialize, Default)]
struct Parameters {
    binary_data_size: Option<u64>,
    binary_data: Option<bool>,
    binary_data_output: Option<bool>,
}

#[derive(Serialize)]
struct Response<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    parameters: BTreeMap<&'static str, Value>,
    outputs: Vec<ResponseOutput>,
}

#[derive(Serialize)]
struct ResponseOutput {
    name: String,
    datatype: &'static str,
    shape: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BTreeMap<&'static str, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
}

pub async fn infer<R: Runtime>(runtime: &R, request: &HttpRequest, model: String) -> Reply {
    match try_infer(runtime, request, model).await {
        Ok(reply) => reply,
        Err(failure) => error(failure.status, &failure.message),
    }
}

async fn try_infer<R: Runtime>(
    runtime: &R,
    request: &HttpRequest,
    model: String,
) -> Result<Reply, Failure> {
    super::check_caller(runtime, request)?;
    let (parsed, binary) = parse(request)?;
    let tensors = read_tensors(parsed.inputs, binary)?;
    // A name that has to be asked for is resolved by the call; until then what is known here says which pipeline it is.
    let known = find(&model);
    let kind = known.as_ref().and_then(kind_of);
    let input = to_input(kind, tensors)?;
    if let Some(load) = &known {
        check_asked(load, &input, &parsed.outputs, &parsed.parameters)?;
    }
    let done = super::call(runtime, request, ModelReference::Name(model), input).await?;
    let load = state::load(&done.version);
    let (name, version) = load.map_or_else(Default::default, |load| {
        (load.registered.model, load.registered.semver)
    });
    let mut parameters = BTreeMap::new();
    if let Some(receipt) = &done.receipt {
        parameters.insert("receipt", json!(receipt.id));
        parameters.insert("receipt_hash", json!(receipt.hash.to_string()));
    }
    let outputs = to_tensors(done.answer);
    let chosen = choose(outputs, parsed.outputs, parsed.parameters);
    Ok(respond(&name, &version, parsed.id, parameters, chosen))
}

fn parse(request: &HttpRequest) -> Result<(Request, &[u8]), Failure> {
    let bad = |message: String| Failure::bad_request(message);
    let (head, binary) = match header(request, HEADER_LENGTH) {
        None => (request.body.as_slice(), [].as_slice()),
        Some(length) => {
            let length: usize = length
                .trim()
                .parse()
                .map_err(|_| bad(format!("{HEADER_LENGTH} is no number")))?;
            request
                .body
                .split_at_checked(length)
                .ok_or_else(|| bad(format!("{HEADER_LENGTH} is beyond the body")))?
        }
    };
    let parsed: Request =
        serde_json::from_slice(head).map_err(|error| bad(format!("the request: {error}")))?;
    if parsed.inputs.len() > TENSORS_MAX {
        return Err(bad(format!("more than {TENSORS_MAX} inputs")));
    }
    if parsed
        .outputs
        .as_ref()
        .is_some_and(|asked| asked.len() > TENSORS_MAX)
    {
        return Err(bad(format!("more than {TENSORS_MAX} outputs")));
    }
    Ok((parsed, binary))
}

/// A tensor whose strings need not be UTF-8: files are sent so.
struct Sent {
    tensor: Tensor,
    is_binary: bool,
}

fn read_tensors(inputs: Vec<RequestInput>, mut binary: &[u8]) -> Result<Vec<Sent>, Failure> {
    let bad = |message: String| Failure::bad_request(message);
    let mut tensors = Vec::new();
    for input in inputs {
        let name = &input.name;
        let datatype = DataType::from_name(&input.datatype)
            .ok_or_else(|| bad(format!("{name}: there is no data type {}", input.datatype)))?;
        let sent = match (input.parameters.binary_data_size, &input.data) {
            (Some(size), None) => {
                let (data, rest) = binary
                    .split_at_checked(usize::try_from(size).unwrap_or(usize::MAX))
                    .ok_or_else(|| bad(format!("{name}: its binary data is cut off")))?;
                binary = rest;
                Sent {
                    tensor: Tensor {
                        name: name.clone(),
                        datatype,
                        shape: input.shape,
                        data: data.to_vec(),
                    },
                    is_binary: true,
                }
            }
            (None, Some(data)) => Sent {
                tensor: json::from_data(name, datatype, &input.shape, data).map_err(bad)?,
                is_binary: false,
            },
            _ => {
                return Err(bad(format!(
                    "{name}: either `data` or the parameter `binary_data_size`"
                )));
            }
        };
        tensors.push(sent);
    }
    Ok(tensors)
}

fn to_input(kind: Option<&PipelineKind>, sent: Vec<Sent>) -> Result<Input, Failure> {
    let (expected, is_text) = match kind {
        Some(PipelineKind::Text(_)) => ("text", true),
        Some(PipelineKind::Image(_)) => ("image", false),
        _ => return Ok(tensors(sent)),
    };
    let [one] = sent.as_slice() else {
        return Ok(tensors(sent));
    };
    if one.tensor.name != expected || one.tensor.datatype != DataType::BYTES {
        return Ok(tensors(sent));
    }
    let mut rest = one.tensor.data.as_slice();
    let items = json::raw_strings(&mut rest);
    let count = stoa_types::tensor::element_count(&one.tensor.shape).ok();
    if !rest.is_empty() || count != Some(items.len() as u64) {
        return Err(Failure::bad_request(format!(
            "{expected}: the data does not have as many elements as the shape"
        )));
    }
    if is_text {
        let texts = items.into_iter().map(|bytes| {
            let text = std::str::from_utf8(bytes)
                .map_err(|_| Failure::bad_request(format!("{expected}: not UTF-8")))?;
            Ok(TextInput {
                text: text.to_owned(),
                pair: None,
            })
        });
        return Ok(Input::Texts(texts.collect::<Result<_, Failure>>()?));
    }
    let images = items.into_iter().map(|bytes| {
        if one.is_binary {
            return Ok(ByteBuf::from(bytes.to_vec()));
        }
        BASE64
            .decode(bytes)
            .map(ByteBuf::from)
            .map_err(|_| Failure::bad_request(format!("{expected}: not base64")))
    });
    Ok(Input::Images(images.collect::<Result<_, Failure>>()?))
}

fn tensors(sent: Vec<Sent>) -> Input {
    Input::Tensors(sent.into_iter().map(|sent| sent.tensor).collect())
}

/// An answer as tensors, under the names that the metadata says.
fn to_tensors(answer: Answer) -> Vec<Tensor> {
    let tensor = |name: &str, datatype, items: usize, width: usize, data: Vec<u8>| Tensor {
        name: name.to_owned(),
        datatype,
        shape: vec![items as u64, width as u64],
        data,
    };
    match answer {
        Answer::Tensors(tensors) => tensors,
        Answer::Embeddings(vectors) => {
            let width = vectors.first().map_or(0, Vec::len);
            let data = vectors.iter().flatten().flat_map(|x| x.to_le_bytes());
            vec![tensor(
                "embedding",
                DataType::FP32,
                vectors.len(),
                width,
                data.collect(),
            )]
        }
        Answer::Classes(items) => {
            let width = items.first().map_or(0, Vec::len);
            let all = || items.iter().flatten();
            let labels = all().flat_map(|class| {
                let length = (class.label.len() as u32).to_le_bytes();
                length.into_iter().chain(class.label.bytes())
            });
            let scores = all().flat_map(|class| class.score.to_le_bytes());
            let indices = all().flat_map(|class| (class.index as i64).to_le_bytes());
            let count = items.len();
            vec![
                tensor("label", DataType::BYTES, count, width, labels.collect()),
                tensor("score", DataType::FP32, count, width, scores.collect()),
                tensor("index", DataType::INT64, count, width, indices.collect()),
            ]
        }
    }
}

fn kind_of(load: &Load) -> Option<&PipelineKind> {
    load.pipeline.as_ref().map(|pipeline| &pipeline.kind)
}

/// Before the call is paid: what it asks for is there, once each, and fits into a reply.
fn check_asked(
    load: &Load,
    input: &Input,
    asked: &Option<Vec<RequestOutput>>,
    parameters: &Parameters,
) -> Result<(), Failure> {
    let is_plain = matches!(input, Input::Tensors(_));
    let (names, gives_outputs): (Vec<&str>, bool) = match kind_of(load).and_then(answer_kind) {
        Some(AnswerKind::Embedding(_)) if !is_plain => (vec!["embedding"], false),
        Some(AnswerKind::Classes(_)) if !is_plain => (vec!["label", "score", "index"], false),
        _ => {
            let outputs = load.signature.outputs.iter();
            (outputs.map(|output| output.name.as_str()).collect(), true)
        }
    };
    let asked = asked.as_deref().unwrap_or_default();
    for (index, output) in asked.iter().enumerate() {
        if !names.contains(&output.name.as_str()) {
            let message = format!("there is no output {}", output.name);
            return Err(Failure::bad_request(message));
        }
        if asked[..index].iter().any(|other| other.name == output.name) {
            let message = format!("the output {} is asked for twice", output.name);
            return Err(Failure::bad_request(message));
        }
    }
    let by_default = parameters.binary_data_output.unwrap_or(false);
    let is_binary = |output: &RequestOutput| output.parameters.binary_data.unwrap_or(by_default);
    let any_json = if asked.is_empty() {
        !by_default
    } else {
        !asked.iter().all(is_binary)
    };
    let is_too_large = || {
        let bytes = paid::output_bytes(load.version, input);
        bytes.is_some_and(|bytes| bytes > OUTPUT_BYTES_MAX / JSON_BYTES_A_BYTE)
    };
    if any_json && gives_outputs && is_too_large() {
        return Err(Failure {
            status: 413,
            message: "the outputs are too large for JSON: ask for `binary_data`".to_owned(),
        });
    }
    Ok(())
}

/// The outputs that were asked for, each with whether it is to be binary. Half precision has no JSON. All of them where
/// the model was not known here when the call came: what is paid for is not refused.
fn choose(
    outputs: Vec<Tensor>,
    asked: Option<Vec<RequestOutput>>,
    parameters: Parameters,
) -> Vec<(Tensor, bool)> {
    let by_default = parameters.binary_data_output.unwrap_or(false);
    let asked = asked.unwrap_or_default();
    let chosen: Vec<(Tensor, bool)> = asked
        .iter()
        .filter_map(|asked| {
            let tensor = outputs.iter().find(|tensor| tensor.name == asked.name)?;
            let is_binary = asked.parameters.binary_data.unwrap_or(by_default);
            Some((tensor.clone(), is_binary))
        })
        .collect();
    if chosen.is_empty() || chosen.len() < asked.len() {
        let all = outputs.into_iter();
        return all.map(|tensor| (tensor, by_default)).collect();
    }
    chosen
}

fn respond(
    name: &str,
    version: &str,
    id: Option<String>,
    parameters: BTreeMap<&'static str, Value>,
    outputs: Vec<(Tensor, bool)>,
) -> Reply {
    let mut binary = Vec::new();
    let mut any_binary = false;
    let outputs = outputs
        .into_iter()
        .map(|(tensor, is_binary)| {
            let is_binary = is_binary || tensor.datatype == DataType::FP16;
            let (parameters, data) = if is_binary {
                any_binary = true;
                binary.extend_from_slice(&tensor.data);
                let size = tensor.data.len() as u64;
                (Some(BTreeMap::from([("binary_data_size", size)])), None)
            } else {
                (None, Some(json::to_data(&tensor)))
            };
            ResponseOutput {
                name: tensor.name,
                datatype: tensor.datatype.name(),
                shape: tensor.shape,
                parameters,
                data,
            }
        })
        .collect();
    let mut reply = Reply::json(
        200,
        &Response {
            model_name: name,
            model_version: version,
            id,
            parameters,
            outputs,
        },
    );
    if any_binary {
        let length = reply.body.len().to_string();
        reply.headers = vec![
            (
                "Content-Type".to_owned(),
                "application/octet-stream".to_owned(),
            ),
            (HEADER_LENGTH.to_owned(), length),
        ];
        reply.body.extend(binary);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_know_the_paths_of_the_protocol() {
        let of = |path: &str| {
            let segments: Vec<&str> = path.split('/').collect();
            Route::of(&segments)
        };
        let model = || "stoa/digits".to_owned();
        assert_eq!(Route::of(&[]), Some(Route::Server));
        assert_eq!(of("health/live"), Some(Route::Live));
        assert_eq!(
            of("models/stoa/digits"),
            Some(Route::Model { model: model() })
        );
        assert_eq!(
            of("models/stoa/digits/versions/1.0.0/infer"),
            Some(Route::Infer {
                model: "stoa/digits@1.0.0".into()
            })
        );
        assert_eq!(
            of("models/stoa/digits/ready"),
            Some(Route::ModelReady { model: model() })
        );
        let digest = "ab".repeat(32);
        assert_eq!(
            of(&format!("models/{digest}/infer")),
            Some(Route::Infer { model: digest })
        );
        for nothing in [
            "models",
            "models/stoa",
            "health",
            "models/stoa/digits/delete",
        ] {
            assert_eq!(of(nothing), None, "{nothing}");
        }
    }
}
