//! OpenAI's interface, as far as the models here have it: embeddings and the list of models. A model's id is
//! `publisher/name` or `publisher/name@version`.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stoa_inference_api::{HttpRequest, ModelReference};
use stoa_types::pipeline::{Answer, AnswerKind, Input, PipelineKind, TextInput};

use super::{Failure, Reply};
use crate::runtime::Runtime;
use crate::stored::{Load, StoredLoadState};
use crate::{names, registration, state};

/// As many texts as OpenAI takes.
const TEXTS_MAX: usize = 2_048;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    Models,
    Model { model: String },
    Embeddings,
}

impl Route {
    /// What is behind `/v1`.
    pub fn of(segments: &[&str]) -> Option<Route> {
        match segments {
            ["models"] => Some(Route::Models),
            ["models", publisher, name] => Some(Route::Model {
                model: format!("{publisher}/{name}"),
            }),
            ["embeddings"] => Some(Route::Embeddings),
            _ => None,
        }
    }

    pub fn is_post(&self) -> bool {
        *self == Route::Embeddings
    }
}

#[derive(Serialize)]
struct Model {
    id: String,
    object: &'static str,
    created: u64,
    owned_by: String,
}

#[derive(Deserialize)]
struct Request {
    model: String,
    input: Texts,
    encoding_format: Option<String>,
    dimensions: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
    /// Token ids, which are another model's.
    Tokens(serde::de::IgnoredAny),
}

#[derive(Serialize)]
struct Response {
    object: &'static str,
    data: Vec<Embedding>,
    model: String,
    usage: Usage,
    #[serde(skip_serializing_if = "Option::is_none")]
    stoa_receipt: Option<u64>,
}

#[derive(Serialize)]
struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
#[allow(clippy::disallowed_types, reason = "embeddings are floats")]
enum Vector {
    Floats(Vec<f32>),
    Base64(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// `None`: it takes an update call.
pub fn read(route: &Route) -> Option<Reply> {
    match route {
        Route::Models => {
            let data: Vec<Model> = state::loads().iter().filter_map(model).collect();
            Some(Reply::json(200, &json!({ "object": "list", "data": data })))
        }
        Route::Model { model: id } => {
            let reference = ModelReference::Name(id.clone());
            let found = names::resolve_here(&reference)
                .and_then(|version| state::load(&version))
                .and_then(|load| model(&load));
            Some(match found {
                Some(found) => Reply::json(200, &found),
                None => error(&Failure {
                    status: 404,
                    message: format!("the model {id} is not loaded here"),
                }),
            })
        }
        Route::Embeddings => None,
    }
}

/// Of a version that can be called, or could once it is rebuilt.
fn model(load: &Load) -> Option<Model> {
    let is_there = matches!(load.state, StoredLoadState::Ready { .. })
        && registration::may_run(&load.registered.status);
    is_there.then(|| Model {
        id: names::full_name(load),
        object: "model",
        created: load.started_at_nanos / 1_000_000_000,
        owned_by: load
            .registered
            .model
            .split('/')
            .next()
            .unwrap_or_default()
            .to_owned(),
    })
}

pub async fn embeddings<R: Runtime>(runtime: &R, request: &HttpRequest) -> Reply {
    match try_embeddings(runtime, request).await {
        Ok(reply) => reply,
        Err(failure) => error(&failure),
    }
}

async fn try_embeddings<R: Runtime>(runtime: &R, request: &HttpRequest) -> Result<Reply, Failure> {
    super::check_caller(runtime, request)?;
    let bad = |message: String| Failure::bad_request(message);
    let parsed: Request = serde_json::from_slice(&request.body)
        .map_err(|error| bad(format!("the request: {error}")))?;
    let texts = match parsed.input {
        Texts::One(text) => vec![text],
        Texts::Many(texts) => texts,
        Texts::Tokens(_) => return Err(bad("input: a text or a list of texts".to_owned())),
    };
    if texts.is_empty() || texts.len() > TEXTS_MAX {
        return Err(bad(format!("input: from 1 to {TEXTS_MAX} texts")));
    }
    if parsed.dimensions.is_some() {
        return Err(bad("dimensions: the models here have one width".to_owned()));
    }
    let in_base64 = match parsed.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => return Err(bad(format!("encoding_format: there is no {other}"))),
    };
    let reference = ModelReference::Name(parsed.model);
    // A refusal before the payment, where the model is known here.
    let known = names::resolve_here(&reference).and_then(|version| state::load(&version));
    if known.is_some_and(|load| !embeds(&load)) {
        return Err(bad(
            "this model does not make embeddings of texts".to_owned()
        ));
    }
    let input = Input::Texts(
        texts
            .into_iter()
            .map(|text| TextInput { text, pair: None })
            .collect(),
    );
    let done = super::call(runtime, request, reference, input).await?;
    let Answer::Embeddings(vectors) = done.answer else {
        return Err(bad(
            "this model does not make embeddings of texts".to_owned()
        ));
    };
    let data = vectors
        .into_iter()
        .enumerate()
        .map(|(index, vector)| Embedding {
            object: "embedding",
            index,
            embedding: if in_base64 {
                let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                Vector::Base64(BASE64.encode(&bytes))
            } else {
                Vector::Floats(vector)
            },
        })
        .collect();
    let response = Response {
        object: "list",
        data,
        model: state::load(&done.version).map_or_else(String::new, |load| names::full_name(&load)),
        usage: Usage {
            prompt_tokens: done.tokens,
            total_tokens: done.tokens,
        },
        stoa_receipt: done.receipt.map(|receipt| receipt.id),
    };
    Ok(Reply::json(200, &response))
}

fn embeds(load: &Load) -> bool {
    load.pipeline.as_ref().is_some_and(|pipeline| {
        matches!(
            &pipeline.kind,
            PipelineKind::Text(text) if matches!(text.answer, AnswerKind::Embedding(_))
        )
    })
}

fn error(failure: &Failure) -> Reply {
    let kind = match failure.status {
        401 => "authentication_error",
        402 | 429 => "insufficient_quota",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    Reply::json(
        failure.status,
        &json!({
            "error": { "message": failure.message, "type": kind, "param": null, "code": null }
        }),
    )
}
