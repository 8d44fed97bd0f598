//! The seam to the engine: a compiled version with its pipeline, a checked input, a run that can stop and go on.

use stoa_engine::{CheckedInputs, InputError, Model, Run, Slicing};
use stoa_types::manifest::Signature;
use stoa_types::pipeline::{Answer, Input};

use crate::limits::OUTPUT_BYTES_MAX;

/// Ready to be called; cloning shares it.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub model: Model,
}

/// An input that fits, and what it will be to the network.
#[derive(Clone, Debug)]
pub struct Checked {
    inputs: CheckedInputs,
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
    pub fn check(&self, input: Input) -> Result<Checked, Misfit> {
        let misfit = |error: InputError| Misfit {
            input: error.input().to_owned(),
            reason: error.to_string(),
        };
        let Input::Tensors(tensors) = input else {
            return Err(Misfit {
                input: String::new(),
                reason: "this model takes tensors".to_owned(),
            });
        };
        let inputs = self.model.check_inputs(tensors).map_err(misfit)?;
        self.check_output(&inputs)?;
        Ok(Checked {
            input: Input::Tensors(inputs.tensors().to_vec()),
            inputs,
            tokens: 0,
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
        Ok(Running { run })
    }

    pub fn memory_bytes(&self) -> u64 {
        self.model.memory().total_bytes()
    }
}

/// A run between two messages.
#[derive(Debug)]
pub struct Running {
    run: Run,
}

impl Running {
    pub fn step(
        self,
        may_continue: impl FnMut() -> bool,
    ) -> Result<Slicing<Running, Answer>, String> {
        match self.run.step(may_continue) {
            Ok(Slicing::Paused(run)) => Ok(Slicing::Paused(Running { run })),
            Ok(Slicing::Done(outputs)) => Ok(Slicing::Done(Answer::Tensors(outputs))),
            Err(error) => Err(error.to_string()),
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
