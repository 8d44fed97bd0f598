//! From bytes to a model that runs, in steps that a host may spread over several messages. What is between
//! two steps lives in memory only: a host that loses it starts again from the bytes, which give the same model.
//!
//! ```text
//! Hash -> Parse -> Analyse -> Declutter -> Optimise -> Model
//! ```
//!
//! The weights are read straight from the [`Source`] into their tensors. So memory is one copy of the weights, one
//! more of those that are packed for products while optimising replaces the first by the second, and the skeleton.

use std::fmt;

use stoa_types::Sha256;
use stoa_types::manifest::Signature;
use tract_onnx::Onnx;
use tract_onnx::prelude::{
    InferenceFact, InferenceModel, InferenceModelExt, IntoArcTensor, SymbolScope, TDim, TypedModel,
};
use tract_onnx::tract_core::ops::konst::Const;

use crate::Slicing;
use crate::analysis::Analysing;
use crate::determinism;
use crate::error::{LoadError, reason};
use crate::graph;
use crate::memory;
use crate::model::Model;
use crate::onnx_file::{self, Weight};
use crate::optimiser::Optimising;
use crate::signature::{self, Axes, Side};
use crate::source::{Hashing, STRETCH_BYTES, Source};
use crate::tensors;
use crate::unwinding;
use crate::work;

/// What a host allows. Everything is checked before the memory or time would be spent, as far as the file tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    pub file_bytes_max: u64,
    pub nodes_max: u64,
    pub subgraph_depth_max: u64,
    /// Of constants and activations together, see [`crate::MemoryBound::total_bytes`].
    pub memory_bytes_max: u64,
    /// Of a node that cannot be split, with every dimension at its largest. An estimate: elements made and read count as
    /// multiply-adds as well. A host that pauses a run at an instruction budget needs room for one such node after it;
    /// 5 to 10 instructions for each are on the safe side.
    pub unit_multiply_adds_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            file_bytes_max: 256 << 20,
            nodes_max: 20_000,
            subgraph_depth_max: 4,
            // Half of what a 32-bit canister can address.
            memory_bytes_max: 2 << 30,
            // A quarter of a message of 40 billion instructions.
            unit_multiply_adds_max: 1_000_000_000,
        }
    }
}

/// What the next step will do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    Hash,
    Parse,
    Analyse,
    Declutter,
    Optimise,
}

/// A model on its way.
#[derive(Debug)]
pub struct Loading {
    work: Work,
    signature: Signature,
    limits: Limits,
}

enum Work {
    Hash(Box<dyn Source>, Hashing, Sha256),
    Parse(Box<dyn Source>),
    Weights(Box<dyn Source>, Box<Reading>),
    Analyse(Box<InferenceModel>, Analysing, Axes),
    Declutter(Box<TypedModel>, Optimising, Axes),
    Optimise(Box<TypedModel>, Optimising, Axes, u64),
}

/// A model whose weights are being read.
struct Reading {
    model: InferenceModel,
    axes: Axes,
    weights: Vec<Weight>,
    next: usize,
    /// Bytes of the weight `next` that are read.
    filled: u64,
    tensor: Option<tract_onnx::prelude::Tensor>,
    done_bytes: u64,
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.stage())
    }
}

impl Work {
    fn stage(&self) -> Stage {
        match self {
            Work::Hash(..) => Stage::Hash,
            Work::Parse(..) | Work::Weights(..) => Stage::Parse,
            Work::Analyse(..) => Stage::Analyse,
            Work::Declutter(..) => Stage::Declutter,
            Work::Optimise(..) => Stage::Optimise,
        }
    }
}

/// Either the same stage goes on, or the next begins, or it is done.
enum Next {
    Paused(Work),
    Stage(Work),
    Done(Box<Model>),
}

impl Loading {
    /// Bytes that the caller vouches for: nothing is hashed.
    pub fn new(onnx: Vec<u8>, signature: &Signature, limits: Limits) -> Result<Loading, LoadError> {
        check_size(&onnx, &limits)?;
        Ok(Loading {
            work: Work::Parse(Box::new(onnx)),
            signature: signature.clone(),
            limits,
        })
    }

    /// A file that must have the hash `sha256`, which the first steps work out.
    pub fn from_source(
        source: Box<dyn Source>,
        sha256: Sha256,
        signature: &Signature,
        limits: Limits,
    ) -> Result<Loading, LoadError> {
        check_size(&*source, &limits)?;
        Ok(Loading {
            work: Work::Hash(source, Hashing::default(), sha256),
            signature: signature.clone(),
            limits,
        })
    }

    pub fn stage(&self) -> Stage {
        self.work.stage()
    }

    /// How far the stage is: bytes of the file while it hashes and reads, visits of nodes or rewrites (of how many nobody
    /// knows, then the second number is 0) afterwards.
    pub fn progress(&self) -> (u64, u64) {
        match &self.work {
            Work::Hash(source, hashing, _) => (hashing.done, source.size_bytes()),
            Work::Parse(source) => (0, source.size_bytes()),
            Work::Weights(_, reading) => (
                reading.done_bytes,
                reading.weights.iter().map(|weight| weight.length).sum(),
            ),
            Work::Analyse(model, analysing, _) => {
                let nodes = model.nodes().len() as u64;
                (nodes.saturating_sub(analysing.left()), nodes)
            }
            Work::Declutter(_, optimising, _) | Work::Optimise(_, optimising, ..) => {
                (optimising.patches, 0)
            }
        }
    }

    /// Does one whole stage.
    pub fn step(self) -> Result<Slicing<Loading, Model>, LoadError> {
        let before = self.stage();
        let mut loading = self;
        loop {
            match loading.advance(&mut || true)? {
                Slicing::Done(model) => return Ok(Slicing::Done(model)),
                Slicing::Paused(more) if more.stage() != before => {
                    return Ok(Slicing::Paused(more));
                }
                Slicing::Paused(more) => loading = more,
            }
        }
    }

    /// Works until it is done or `may_continue` says no. It is asked after each bit of work, so at least one is done.
    pub fn step_within(
        self,
        may_continue: &mut dyn FnMut() -> bool,
    ) -> Result<Slicing<Loading, Model>, LoadError> {
        let mut loading = self;
        loop {
            match loading.advance(may_continue)? {
                Slicing::Paused(more) if may_continue() => loading = more,
                paused_or_done => return Ok(paused_or_done),
            }
        }
    }

    fn advance(
        self,
        may_continue: &mut dyn FnMut() -> bool,
    ) -> Result<Slicing<Loading, Model>, LoadError> {
        let Loading {
            work,
            signature,
            limits,
        } = self;
        let next = unwinding::guard(
            || advance(work, &signature, &limits, may_continue),
            |reason| LoadError::Panicked { reason },
        )?;
        Ok(match next {
            Next::Done(model) => Slicing::Done(*model),
            Next::Stage(work) | Next::Paused(work) => Slicing::Paused(Loading {
                work,
                signature,
                limits,
            }),
        })
    }
}

fn check_size(source: &dyn Source, limits: &Limits) -> Result<(), LoadError> {
    determinism::establish()?;
    let given_bytes = source.size_bytes();
    if given_bytes > limits.file_bytes_max {
        return Err(LoadError::FileTooLarge {
            given_bytes,
            max_bytes: limits.file_bytes_max,
        });
    }
    Ok(())
}

fn advance(
    work: Work,
    signature: &Signature,
    limits: &Limits,
    may_continue: &mut dyn FnMut() -> bool,
) -> Result<Next, LoadError> {
    Ok(match work {
        Work::Hash(source, mut hashing, expected) => match hashing.step(&*source, may_continue) {
            None => Next::Paused(Work::Hash(source, hashing, expected)),
            Some(found) if found != expected => {
                return Err(LoadError::WrongHash { expected, found });
            }
            Some(_) => Next::Stage(Work::Parse(source)),
        },
        Work::Parse(source) => {
            let reading = parse(&*source, signature, limits)?;
            Next::Stage(Work::Weights(source, Box::new(reading)))
        }
        Work::Weights(source, mut reading) => {
            if !reading.step(&*source, may_continue)? {
                return Ok(Next::Paused(Work::Weights(source, reading)));
            }
            let Reading { model, axes, .. } = *reading;
            let analysing = Analysing::new(&model)?;
            Next::Stage(Work::Analyse(Box::new(model), analysing, axes))
        }
        Work::Analyse(mut model, mut analysing, axes) => {
            if !analysing.step(&mut model, may_continue)? {
                return Ok(Next::Paused(Work::Analyse(model, analysing, axes)));
            }
            let model = model.into_typed().map_err(analysis)?;
            check_outputs(&model, signature, &axes)?;
            check_shapes(&model, &axes)?;
            Next::Stage(Work::Declutter(
                Box::new(model),
                Optimising::declutter(),
                axes,
            ))
        }
        Work::Declutter(mut model, mut optimising, axes) => {
            if !optimising.step(&mut model, rewrites_max(limits), may_continue)? {
                return Ok(Next::Paused(Work::Declutter(model, optimising, axes)));
            }
            let constant_bytes = memory::constant_bytes(&model);
            let optimising = Optimising::codegen();
            Next::Stage(Work::Optimise(model, optimising, axes, constant_bytes))
        }
        Work::Optimise(mut model, mut optimising, axes, constant_bytes) => {
            if !optimising.step(&mut model, rewrites_max(limits), may_continue)? {
                let paused = Work::Optimise(model, optimising, axes, constant_bytes);
                return Ok(Next::Paused(paused));
            }
            check_reproducible(&model)?;
            check_shapes(&model, &axes)?;
            work::check_units(&model, &axes, limits.unit_multiply_adds_max)?;
            let model = Model::new(*model, signature.clone(), axes, constant_bytes, limits)?;
            Next::Done(Box::new(model))
        }
    })
}

/// Far more than any graph has needed; most nodes are rewritten a handful of times.
fn rewrites_max(limits: &Limits) -> u64 {
    limits.nodes_max.saturating_mul(50)
}

fn parse(
    source: &dyn Source,
    signature: &Signature,
    limits: &Limits,
) -> Result<Reading, LoadError> {
    let file = onnx_file::open(source)?;
    let (mut proto, weights) = (file.skeleton, file.weights);
    // Shapes that the file claims for values in between may contradict the manifest's; they are worked out instead.
    let framework: Onnx = tract_onnx::onnx()
        .with_ignore_value_info(true)
        .with_ignore_output_shapes(true);
    graph::check(&proto, &weights, &framework, limits)?;
    signature::check_declared(
        Side::Inputs,
        &signature.inputs,
        &graph::inputs(&proto, &weights)?,
    )?;
    signature::check_declared(Side::Outputs, &signature.outputs, &graph::outputs(&proto)?)?;
    graph::declare_as_inputs(&mut proto, &weights);

    let scope = SymbolScope::default();
    let axes = Axes::new(signature, &scope)?;
    let template = InferenceModel {
        symbols: scope,
        ..InferenceModel::default()
    };
    let parsed = framework
        .parse_with_template(&proto, None, template)
        .map_err(|error| LoadError::Malformed {
            reason: reason(&error),
        })?;
    if let Some(name) = parsed.unresolved_inputs.first() {
        return Err(LoadError::Malformed {
            reason: format!("nothing computes `{name}`"),
        });
    }
    let mut model = parsed.model;
    let outlet = |name: &str| {
        parsed
            .outlets_by_name
            .get(name)
            .copied()
            .ok_or_else(|| LoadError::Malformed {
                reason: format!("nothing computes the output `{name}`"),
            })
    };

    let outputs = signature
        .outputs
        .iter()
        .map(|spec| outlet(&spec.name))
        .collect::<Result<Vec<_>, _>>()?;
    model.select_output_outlets(&outputs).map_err(analysis)?;

    // Inputs in the manifest's order from here on.
    let inputs = signature
        .inputs
        .iter()
        .map(|spec| outlet(&spec.name))
        .collect::<Result<Vec<_>, _>>()?;
    model.set_input_outlets(&inputs).map_err(analysis)?;
    for (index, spec) in signature.inputs.iter().enumerate() {
        let shape: Vec<TDim> = spec
            .shape
            .iter()
            .map(|dimension| {
                axes.dimension(dimension)
                    .expect("BUG: every input dimension is an axis")
            })
            .collect();
        let fact = InferenceFact::dt_shape(tensors::datum_type(spec.datatype), shape);
        model.set_input_fact(index, fact).map_err(analysis)?;
    }
    Ok(Reading {
        model,
        axes,
        weights,
        next: 0,
        filled: 0,
        tensor: None,
        done_bytes: 0,
    })
}

impl Reading {
    /// Reads weights into tensors, and puts each in the place of the input that stood for it. `true`: done.
    fn step(
        &mut self,
        source: &dyn Source,
        may_continue: &mut dyn FnMut() -> bool,
    ) -> Result<bool, LoadError> {
        while let Some(weight) = self.weights.get(self.next) {
            let mut tensor = match self.tensor.take() {
                Some(tensor) => tensor,
                None => tensors::empty(&weight.proto).map_err(analysis)?,
            };
            while self.filled < weight.length {
                let length = (STRETCH_BYTES as u64).min(weight.length - self.filled);
                let begin = self.filled as usize;
                source.read(
                    weight.offset + self.filled,
                    &mut tensor.as_bytes_mut()[begin..begin + length as usize],
                );
                self.filled += length;
                self.done_bytes += length;
                if !may_continue() {
                    self.tensor = Some(tensor);
                    return Ok(false);
                }
            }
            let name = &weight.proto.name;
            let id = self
                .model
                .nodes()
                .iter()
                .position(|node| node.name == *name)
                .ok_or_else(|| graph::malformed(format!("nothing holds the tensor `{name}`")))?;
            let tensor = tensor.into_arc_tensor();
            let fact = InferenceFact::try_from(&tensor).map_err(analysis)?;
            let node = &mut self.model.nodes_mut()[id];
            node.op = Box::new(Const::new(tensor).map_err(analysis)?);
            node.outputs[0].fact = fact;
            self.next += 1;
            self.filled = 0;
        }
        Ok(true)
    }
}

fn check_outputs(model: &TypedModel, signature: &Signature, axes: &Axes) -> Result<(), LoadError> {
    for (index, spec) in signature.outputs.iter().enumerate() {
        let fact = model.output_fact(index).map_err(analysis)?;
        let found = fact.datum_type;
        // `tract` computes with dimensions in a type of its own and gives them back as i64.
        let agrees = found == tensors::datum_type(spec.datatype)
            || (found == tract_onnx::prelude::DatumType::TDim
                && spec.datatype == stoa_types::tensor::DataType::INT64);
        if !agrees {
            return Err(signature::mismatch(
                format!("outputs[{index}].datatype"),
                spec.datatype.to_string(),
                format!("{found:?}"),
            ));
        }
        let shape: Vec<TDim> = fact.shape.iter().cloned().collect();
        signature::check_output_shape(index, spec, &shape, axes)?;
    }
    Ok(())
}

/// Every shape is an expression over the inputs' dimensions, so that it is known before a run.
fn check_shapes(model: &TypedModel, axes: &Axes) -> Result<(), LoadError> {
    for node in model.nodes() {
        for output in &node.outputs {
            let unknown = output
                .fact
                .shape
                .iter()
                .any(|dimension| dimension.symbols().iter().any(|symbol| !axes.has(symbol)));
            if unknown {
                return Err(LoadError::DynamicShape {
                    node: node.name.clone(),
                    operator: node.op.name().into_owned(),
                    shape: format!("{:?}", output.fact.shape),
                });
            }
        }
    }
    Ok(())
}

/// Operators are checked by their ONNX names first; optimising may bring in others.
fn check_reproducible(model: &TypedModel) -> Result<(), LoadError> {
    for node in model.nodes() {
        let operator = node.op.name();
        if let Some(why) = determinism::not_reproducible(&operator) {
            return Err(LoadError::NotReproducible {
                node: node.name.clone(),
                operator: operator.into_owned(),
                reason: why.to_owned(),
            });
        }
    }
    Ok(())
}

pub(crate) fn analysis(error: tract_onnx::prelude::TractError) -> LoadError {
    LoadError::Analysis {
        reason: reason(&error),
    }
}

pub(crate) fn optimisation(error: tract_onnx::prelude::TractError) -> LoadError {
    LoadError::Optimisation {
        reason: reason(&error),
    }
}
