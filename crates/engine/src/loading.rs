//! From bytes to a model that runs, in steps that a host may spread over several messages. What is between
//! two steps lives in memory only: a host that loses it starts again from the bytes, which give the same model.

use stoa_types::manifest::Signature;
use tract_onnx::Onnx;
use tract_onnx::prelude::{
    InferenceFact, InferenceModel, InferenceModelExt, SymbolScope, TDim, TypedModel,
};

use crate::Slicing;
use crate::determinism;
use crate::error::{LoadError, reason};
use crate::graph;
use crate::memory;
use crate::model::Model;
use crate::signature::{self, Axes, Side};
use crate::tensors;

/// What a host allows. Everything is checked before the memory or time would be spent, as far as the file tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    pub file_bytes_max: u64,
    pub nodes_max: u64,
    pub subgraph_depth_max: u64,
    /// Of constants and activations together, see [`crate::MemoryBound::total_bytes`].
    pub memory_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            file_bytes_max: 256 << 20,
            nodes_max: 20_000,
            subgraph_depth_max: 4,
            // Half of what a 32-bit canister can address.
            memory_bytes_max: 2 << 30,
        }
    }
}

/// What the next step will do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    Parse,
    Analyse,
    Declutter,
    Optimise,
}

/// A model on its way. Each [`step`](Loading::step) does one stage.
#[derive(Debug)]
pub struct Loading {
    work: Work,
    signature: Signature,
    limits: Limits,
}

#[derive(Debug)]
enum Work {
    Parse(Vec<u8>),
    Analyse(Box<InferenceModel>, Axes),
    Declutter(Box<TypedModel>, Axes),
    Optimise(Box<TypedModel>, Axes),
}

impl Loading {
    pub fn new(onnx: Vec<u8>, signature: &Signature, limits: Limits) -> Result<Loading, LoadError> {
        determinism::establish()?;
        let given_bytes = onnx.len() as u64;
        if given_bytes > limits.file_bytes_max {
            return Err(LoadError::FileTooLarge {
                given_bytes,
                max_bytes: limits.file_bytes_max,
            });
        }
        Ok(Loading {
            work: Work::Parse(onnx),
            signature: signature.clone(),
            limits,
        })
    }

    pub fn stage(&self) -> Stage {
        match self.work {
            Work::Parse(..) => Stage::Parse,
            Work::Analyse(..) => Stage::Analyse,
            Work::Declutter(..) => Stage::Declutter,
            Work::Optimise(..) => Stage::Optimise,
        }
    }

    pub fn step(self) -> Result<Slicing<Loading, Model>, LoadError> {
        let Loading {
            work,
            signature,
            limits,
        } = self;
        let work = match work {
            Work::Parse(onnx) => {
                let (model, axes) = parse(&onnx, &signature, &limits)?;
                Work::Analyse(Box::new(model), axes)
            }
            Work::Analyse(model, axes) => {
                let model = analyse(*model)?;
                check_outputs(&model, &signature, &axes)?;
                check_shapes(&model, &axes)?;
                Work::Declutter(Box::new(model), axes)
            }
            Work::Declutter(model, axes) => {
                let model = model.into_decluttered().map_err(optimisation)?;
                Work::Optimise(Box::new(model), axes)
            }
            Work::Optimise(model, axes) => {
                let constant_bytes = memory::constant_bytes(&model);
                let model = model.into_optimized().map_err(optimisation)?;
                check_reproducible(&model)?;
                check_shapes(&model, &axes)?;
                return Model::new(model, signature, axes, constant_bytes, &limits)
                    .map(Slicing::Done);
            }
        };
        Ok(Slicing::Paused(Loading {
            work,
            signature,
            limits,
        }))
    }
}

fn parse(
    onnx: &[u8],
    signature: &Signature,
    limits: &Limits,
) -> Result<(InferenceModel, Axes), LoadError> {
    let proto = graph::decode(onnx)?;
    // Shapes that the file claims for values in between may contradict the manifest's; they are worked out instead.
    let framework: Onnx = tract_onnx::onnx()
        .with_ignore_value_info(true)
        .with_ignore_output_shapes(true);
    graph::check(&proto, &framework, limits)?;
    signature::check_declared(Side::Inputs, &signature.inputs, &graph::inputs(&proto)?)?;
    signature::check_declared(Side::Outputs, &signature.outputs, &graph::outputs(&proto)?)?;

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

    let outputs = signature
        .outputs
        .iter()
        .map(|spec| {
            parsed
                .outlets_by_name
                .get(&spec.name)
                .copied()
                .ok_or_else(|| LoadError::Malformed {
                    reason: format!("nothing computes the output `{}`", spec.name),
                })
        })
        .collect::<Result<Vec<_>, _>>()?;
    model.select_output_outlets(&outputs).map_err(analysis)?;

    // Inputs in the manifest's order from here on.
    let inputs = signature
        .inputs
        .iter()
        .map(|spec| parsed.outlets_by_name[&spec.name])
        .collect::<Vec<_>>();
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
    Ok((model, axes))
}

fn analyse(mut model: InferenceModel) -> Result<TypedModel, LoadError> {
    model.analyse(false).map_err(analysis)?;
    model.into_typed().map_err(analysis)
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

fn analysis(error: tract_onnx::prelude::TractError) -> LoadError {
    LoadError::Analysis {
        reason: reason(&error),
    }
}

fn optimisation(error: tract_onnx::prelude::TractError) -> LoadError {
    LoadError::Optimisation {
        reason: reason(&error),
    }
}
