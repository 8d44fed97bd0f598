//! The seam to the engine: a compiled version with its pipeline, a checked input, a run that can stop and go on.

use stoa_engine::{CheckedInputs, Context, InputError, Model, Pipeline, Prepared, Run, Slicing};
use stoa_types::manifest::{self, PipelineKind, Signature};
use stoa_types::pipeline::{Answer, Input};

use crate::limits::OUTPUT_BYTES_MAX;

/// Ready to be called; cloning shares it.
#[derive(Clone)]
pub struct Compiled {
    model: Model,
    pipeline: Pipeline,
}

/// An input that fits, and what it will be to the network.
#[derive(Clone)]
pub struct Checked {
    inputs: CheckedInputs,
    context: Context,
    /// As it enters the receipt: tensors in the order of the signature, everything else as it came.
    pub input: Input,
    /// Of a text pipeline: how many tokens there are.
    pub tokens: u64,
}

/// What does not fit, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misfit {
    pub input: String,
    pub reason: String,
}

impl Checked {
    /// Product of the open dimensions: how many times the smallest call this one is.
    pub fn units(&self) -> u64 {
        self.inputs.units()
    }
}

impl Compiled {
    /// `files` are what the pipeline reads beside the network.
    pub fn new(
        model: Model,
        description: Option<&manifest::Pipeline>,
        files: &[(&str, &[u8])],
    ) -> Result<Compiled, String> {
        let plain = manifest::Pipeline {
            model: String::new(),
            kind: PipelineKind::Tensors,
            labels: Vec::new(),
        };
        let pipeline = Pipeline::new(description.unwrap_or(&plain), model.signature(), files)
            .map_err(|error| error.to_string())?;
        Ok(Compiled { model, pipeline })
    }

    pub fn check(&self, input: Input) -> Result<Checked, Misfit> {
        let misfit = |error: InputError| Misfit {
            input: error.input().to_owned(),
            reason: error.to_string(),
        };
        let as_given = match &input {
            Input::Tensors(_) => None,
            other => Some(other.clone()),
        };
        let Prepared { inputs, context } = self.pipeline.prepare(input).map_err(misfit)?;
        self.check_output(&inputs)?;
        Ok(Checked {
            input: as_given.unwrap_or_else(|| Input::Tensors(inputs.tensors().to_vec())),
            tokens: context.tokens,
            inputs,
            context,
        })
    }

    /// Strings have no size that a shape tells; they are held against the limit when they are there.
    fn check_output(&self, inputs: &CheckedInputs) -> Result<(), Misfit> {
        match inputs.output_bytes(self.model.signature()) {
            Some(bytes) if bytes > OUTPUT_BYTES_MAX => Err(Misfit {
                input: first_input(self.model.signature()),
                reason: format!(
                    "the answer would have {bytes} bytes, at most {OUTPUT_BYTES_MAX} are allowed"
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Zeros, every open dimension at 1: what is measured at load.
    pub fn smallest(&self) -> Result<Checked, Misfit> {
        self.check(Input::Tensors(self.model.smallest_inputs()))
    }

    pub fn start(&self, checked: Checked) -> Result<Running, String> {
        let run = self
            .model
            .start(checked.inputs)
            .map_err(|error| error.to_string())?;
        Ok(Running {
            run,
            pipeline: self.pipeline.clone(),
            context: checked.context,
        })
    }

    pub fn memory_bytes(&self) -> u64 {
        self.model.memory().total_bytes()
    }
}

/// A run between two messages.
pub struct Running {
    run: Run,
    pipeline: Pipeline,
    context: Context,
}

impl Running {
    pub fn step(
        self,
        may_continue: impl FnMut() -> bool,
    ) -> Result<Slicing<Running, Answer>, String> {
        let Running {
            run,
            pipeline,
            context,
        } = self;
        match run.step(may_continue).map_err(|error| error.to_string())? {
            Slicing::Paused(run) => Ok(Slicing::Paused(Running {
                run,
                pipeline,
                context,
            })),
            Slicing::Done(outputs) => pipeline
                .answer(&context, outputs)
                .map(Slicing::Done)
                .map_err(|error| error.to_string()),
        }
    }
}

/// What the caller is told where no input of his is at fault.
fn first_input(signature: &Signature) -> String {
    signature
        .inputs
        .first()
        .map_or_else(String::new, |spec| spec.name.clone())
}

/// Bytes of an answer, without framing.
pub fn answer_bytes(answer: &Answer) -> u64 {
    match answer {
        Answer::Tensors(tensors) => tensors.iter().map(|tensor| tensor.data.len() as u64).sum(),
        Answer::Embeddings(vectors) => vectors.iter().map(|vector| vector.len() as u64 * 4).sum(),
        Answer::Classes(items) => items
            .iter()
            .flatten()
            .map(|class| class.label.len() as u64 + 16)
            .sum(),
    }
}
