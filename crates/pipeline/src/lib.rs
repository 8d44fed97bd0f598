//! What a caller gives becomes the network's inputs, and its outputs the answer, as the manifest says
//! ([`stoa_types::pipeline`]). Everything here is integer arithmetic or floating-point operations in a fixed order, so
//! answers are reproducible like outputs are.
//!
//! Apart from the engine, which runs the network in between, so that a web page may prepare inputs by this very code and run the
//! network by another program.

mod answer;
mod checked;
mod error;
mod exponential;
mod image;
mod picture;
mod resample;
mod tabular;
#[cfg(test)]
mod tests;
mod text;
mod tokenizer;

pub use checked::CheckedInputs;
pub use error::{InputError, RunError, cut};
pub use exponential::exponential;
pub use tokenizer::TokenizerError;

use std::sync::Arc;

use stoa_types::manifest::{self, Dimension, Signature};
use stoa_types::pipeline::{Answer, AnswerKind, Input, PipelineKind};
use stoa_types::tensor::Tensor;

use image::ImageInput;
use tabular::TableInput;
use text::TextToTokens;

/// Files beside the model, all together. A tokenizer of 250,000 tokens has some 17 MB.
const FILES_BYTES_MAX: u64 = 24 << 20;

/// Why a version's pipeline cannot be set up.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PipelineError {
    #[error("the pipeline needs the file {path}")]
    FileMissing { path: String },
    #[error("the pipeline's files have {given_bytes} bytes, at most {max_bytes} are allowed")]
    FilesTooLarge { given_bytes: u64, max_bytes: u64 },
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error("the padding token `{token}` is not in the vocabulary")]
    UnknownPaddingToken { token: String },
    /// A manifest that was not checked.
    #[error("pipeline {field}: {reason}")]
    Invalid { field: String, reason: String },
}

/// Set up once for a version; cloning is cheap.
#[derive(Clone, Debug)]
pub struct Pipeline {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    signature: Signature,
    preparation: Preparation,
    answer: AnswerKind,
    labels: Vec<String>,
}

#[derive(Debug)]
enum Preparation {
    Tensors,
    Text(Box<TextToTokens>),
    Image(ImageInput),
    Table(TableInput),
}

/// Inputs that fit the signature, and what the answer will need to know about them.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub inputs: CheckedInputs,
    pub context: Context,
}

/// What an answer is made with beside the outputs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Context {
    /// Texts, images or rows.
    pub items: u64,
    /// Of all texts together, with special tokens and without padding.
    pub tokens: u64,
    /// The caller gave tensors and gets tensors.
    plain: bool,
    /// For each text, which positions hold its tokens: first and one past the last.
    spans: Vec<(usize, usize)>,
}

impl Context {
    fn plain() -> Context {
        Context {
            items: 1,
            tokens: 0,
            plain: true,
            spans: Vec::new(),
        }
    }
}

impl Pipeline {
    /// Paths of the files that [`Pipeline::new`] wants, beside the model.
    pub fn files(description: &manifest::Pipeline) -> Vec<&str> {
        match &description.kind {
            PipelineKind::Text(text) => vec![&text.tokenizer],
            PipelineKind::Tensors | PipelineKind::Image(_) | PipelineKind::Tabular(_) => Vec::new(),
        }
    }

    /// `files` are paths with their bytes.
    pub fn new(
        description: &manifest::Pipeline,
        signature: &Signature,
        files: &[(&str, &[u8])],
    ) -> Result<Pipeline, PipelineError> {
        let given_bytes: u64 = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        if given_bytes > FILES_BYTES_MAX {
            return Err(PipelineError::FilesTooLarge {
                given_bytes,
                max_bytes: FILES_BYTES_MAX,
            });
        }
        let file = |path: &str| {
            files
                .iter()
                .find(|(name, _)| *name == path)
                .map(|(_, bytes)| *bytes)
                .ok_or_else(|| PipelineError::FileMissing { path: path.into() })
        };
        let (preparation, answer) = match &description.kind {
            PipelineKind::Tensors => (Preparation::Tensors, &AnswerKind::Tensors),
            PipelineKind::Text(text) => {
                let preparation = TextToTokens::new(text, signature, file(&text.tokenizer)?)?;
                (Preparation::Text(Box::new(preparation)), &text.answer)
            }
            PipelineKind::Image(image) => {
                let preparation = ImageInput::new(image, signature)?;
                (Preparation::Image(preparation), &image.answer)
            }
            PipelineKind::Tabular(table) => {
                let preparation = TableInput::new(table, signature)?;
                (Preparation::Table(preparation), &table.answer)
            }
        };
        Ok(Pipeline {
            inner: Arc::new(Inner {
                signature: signature.clone(),
                preparation,
                answer: answer.clone(),
                labels: description.labels.clone(),
            }),
        })
    }

    /// Tensors are always taken as they are. Other inputs must be of the pipeline's kind.
    pub fn prepare(&self, input: Input) -> Result<Prepared, InputError> {
        let inner = &*self.inner;
        let given = kind_name(&input);
        let (tensors, context) = match (&inner.preparation, input) {
            (_, Input::Tensors(tensors)) => (tensors, Context::plain()),
            (Preparation::Text(text), Input::Texts(texts)) => text.prepare(&texts)?,
            (Preparation::Image(image), Input::Images(images)) => image.prepare(&images)?,
            (Preparation::Table(table), Input::Rows(rows)) => table.prepare(&rows)?,
            (preparation, _) => {
                let expected = match preparation {
                    Preparation::Tensors => "Tensors",
                    Preparation::Text(_) => "Texts or Tensors",
                    Preparation::Image(_) => "Images or Tensors",
                    Preparation::Table(_) => "Rows or Tensors",
                };
                return Err(InputError::Kind { expected, given });
            }
        };
        Ok(Prepared {
            inputs: CheckedInputs::new(&inner.signature, tensors)?,
            context,
        })
    }

    /// Whether the answer is the network's outputs as they are, rather than what they mean.
    pub fn answers_outputs(&self, context: &Context) -> bool {
        context.plain || matches!(self.inner.answer, AnswerKind::Tensors)
    }

    /// `outputs` of a run on what [`Pipeline::prepare`] gave with `context`.
    pub fn answer(&self, context: &Context, outputs: Vec<Tensor>) -> Result<Answer, RunError> {
        let inner = &*self.inner;
        if context.plain {
            return Ok(Answer::Tensors(outputs));
        }
        match &inner.answer {
            AnswerKind::Tensors => Ok(Answer::Tensors(outputs)),
            AnswerKind::Embedding(embedding) => {
                answer::embeddings(embedding, context, &outputs).map(Answer::Embeddings)
            }
            AnswerKind::Classes(classes) => {
                answer::classes(classes, &inner.labels, context, &outputs).map(Answer::Classes)
            }
        }
    }
}

fn kind_name(input: &Input) -> &'static str {
    match input {
        Input::Tensors(_) => "Tensors",
        Input::Texts(_) => "Texts",
        Input::Images(_) => "Images",
        Input::Rows(_) => "Rows",
    }
}

fn invalid(field: &str, reason: impl Into<String>) -> PipelineError {
    PipelineError::Invalid {
        field: field.into(),
        reason: reason.into(),
    }
}

/// Decimal text from the manifest: the nearest f32.
fn number(field: &str, text: &str) -> Result<f32, PipelineError> {
    match text.parse::<f32>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(invalid(field, format!("`{text}` is not a number"))),
    }
}

/// How many items a call may have, from the first dimension of an input.
fn items_max(signature: &Signature, input: &str) -> Result<u64, PipelineError> {
    let spec = signature
        .inputs
        .iter()
        .find(|spec| spec.name == input)
        .ok_or_else(|| invalid(input, "the signature has no such input"))?;
    match spec.shape.first() {
        Some(Dimension::Fixed(extent)) => Ok(*extent),
        Some(Dimension::Dynamic { max, .. }) => Ok(*max),
        None => Err(invalid(
            input,
            "it has no dimension for the items of a call",
        )),
    }
}

/// Refuses a call of too many items, or none, before work is spent on them.
fn check_items(what: &'static str, given: usize, max: u64) -> Result<(), InputError> {
    let given = given as u64;
    if given == 0 || given > max {
        return Err(InputError::ItemCount { what, given, max });
    }
    Ok(())
}
