//! From layers to a graph: each call of each layer once, as soon as its inputs are there.

use std::collections::BTreeMap;

use crate::error::{ConvertError, Result};
use crate::graph::{Graph, Kind, Value};
use crate::layers::{self, Call};
use crate::topology::{Layer, Model, Reference};
use crate::weights::Weights;

pub(crate) fn convert(model: &Model, weights: &Weights) -> Result<Vec<u8>> {
    let mut graph = Graph::default();
    let inputs = declared_inputs(model)?;
    let output_names = output_names(model);
    for input in &inputs {
        graph.input(input.clone());
    }
    let names: Vec<String> = output_names
        .iter()
        .map(|name| graph.reserve(name))
        .collect();
    let values = evaluate(&mut graph, model, weights, inputs)?;
    // Also where the output is an input, or one value is two outputs.
    let outputs: Vec<Value> = values
        .into_iter()
        .zip(names)
        .map(|(value, name)| {
            graph.node_named("Identity", &[&value.name], Vec::new(), &name);
            Value { name, ..value }
        })
        .collect();
    Ok(graph.finish(&outputs))
}

fn declared_inputs(model: &Model) -> Result<Vec<Value>> {
    match model {
        Model::Sequential { layers } => {
            let first = first_layer(layers)?;
            let mut value = declared_input(innermost_first(first)?)?;
            let reader = layers.iter().find(|layer| layer.class != "InputLayer");
            if reader.is_some_and(|layer| layer.class == "Embedding") {
                value.kind = Kind::Integer;
            }
            if first.class != "InputLayer" {
                value.name = format!("{}_input", first.name);
            }
            Ok(vec![value])
        }
        Model::Functional { layers, inputs, .. } => inputs
            .iter()
            .map(|input| {
                let layer = find(layers, &input.layer)?;
                let mut value = declared_input(layer)?;
                let mut readers = layers
                    .iter()
                    .filter(|layer| layer.calls.iter().flatten().any(|read| read == input))
                    .peekable();
                // Fractions of an index mean nothing: the caller is told so by the type.
                if readers.peek().is_some() && readers.all(|layer| layer.class == "Embedding") {
                    value.kind = Kind::Integer;
                }
                Ok(value)
            })
            .collect(),
    }
}

fn first_layer(layers: &[Layer]) -> Result<&Layer> {
    layers
        .first()
        .ok_or_else(|| ConvertError::malformed("a Sequential has no layers"))
}

/// A Sequential may begin with a model, whose own first layer has the shape.
fn innermost_first(layer: &Layer) -> Result<&Layer> {
    match &layer.model {
        None => Ok(layer),
        Some(Model::Sequential { layers }) => innermost_first(first_layer(layers)?),
        Some(Model::Functional { layers, inputs, .. }) => match &inputs[..] {
            [input] => find(layers, &input.layer),
            _ => Err(layers::refusal(
                layer,
                "has several inputs and stands in a Sequential",
            )),
        },
    }
}

fn declared_input(layer: &Layer) -> Result<Value> {
    let shape = ["batch_input_shape", "batchInputShape", "batch_shape"]
        .iter()
        .find_map(|key| layer.config.get(*key))
        .and_then(|shape| shape.as_array())
        .ok_or_else(|| layers::refusal(layer, "does not say the shape of the model's input"))?
        .iter()
        .map(serde_json::Value::as_u64)
        .collect();
    let kind = match layer.config.get("dtype").and_then(|dtype| dtype.as_str()) {
        Some("int32") if layer.class == "InputLayer" => Kind::Integer,
        Some("float32" | "int32") | None => Kind::Float,
        Some(other) => {
            return Err(layers::refusal(
                layer,
                format!("takes {other}: only float32 and int32 are converted"),
            ));
        }
    };
    Ok(Value {
        name: layer.name.clone(),
        shape,
        kind,
    })
}

fn output_names(model: &Model) -> Vec<String> {
    match model {
        Model::Sequential { layers } => layers
            .last()
            .map(|layer| layer.name.clone())
            .into_iter()
            .collect(),
        Model::Functional { outputs, .. } => {
            outputs.iter().map(|output| output.layer.clone()).collect()
        }
    }
}

fn evaluate(
    graph: &mut Graph,
    model: &Model,
    weights: &Weights,
    given: Vec<Value>,
) -> Result<Vec<Value>> {
    match model {
        Model::Sequential { layers } => {
            let mut values = given;
            for layer in layers.iter().filter(|layer| layer.class != "InputLayer") {
                values = call(graph, layer, weights, values)?;
            }
            Ok(values)
        }
        Model::Functional {
            layers,
            inputs,
            outputs,
        } => {
            let mut known = bind(inputs, given)?;
            loop {
                let before = known.len();
                for layer in layers {
                    for (index, references) in layer.calls.iter().enumerate() {
                        call_if_ready(graph, layer, index, references, weights, &mut known)?;
                    }
                }
                if known.len() == before {
                    break;
                }
            }
            outputs
                .iter()
                .map(|output| {
                    known.get(output).cloned().ok_or_else(|| {
                        ConvertError::malformed(format!(
                            "the output {} cannot be computed: an input is missing, or layers wait for each other",
                            output.layer
                        ))
                    })
                })
                .collect()
        }
    }
}

fn bind(inputs: &[Reference], given: Vec<Value>) -> Result<BTreeMap<Reference, Value>> {
    if inputs.len() != given.len() {
        return Err(ConvertError::malformed(format!(
            "a model of {} inputs is given {}",
            inputs.len(),
            given.len()
        )));
    }
    Ok(inputs.iter().cloned().zip(given).collect())
}

fn call_if_ready(
    graph: &mut Graph,
    layer: &Layer,
    index: usize,
    references: &[Reference],
    weights: &Weights,
    known: &mut BTreeMap<Reference, Value>,
) -> Result<()> {
    let output = |output: usize| Reference {
        layer: layer.name.clone(),
        call: index,
        output,
    };
    if known.contains_key(&output(0)) {
        return Ok(());
    }
    let inputs: Option<Vec<Value>> = references
        .iter()
        .map(|reference| known.get(reference).cloned())
        .collect();
    if let Some(inputs) = inputs {
        let values = call(graph, layer, weights, inputs)?;
        for (number, value) in values.into_iter().enumerate() {
            known.insert(output(number), value);
        }
    }
    Ok(())
}

fn call(
    graph: &mut Graph,
    layer: &Layer,
    weights: &Weights,
    inputs: Vec<Value>,
) -> Result<Vec<Value>> {
    if let Some(model) = &layer.model {
        return evaluate(graph, model, weights, inputs);
    }
    graph.enter(&layer.name);
    let value = layers::apply(&mut Call {
        layer,
        weights,
        graph,
        inputs: &inputs,
    })?;
    Ok(vec![value])
}

fn find<'a>(layers: &'a [Layer], name: &str) -> Result<&'a Layer> {
    layers
        .iter()
        .find(|layer| layer.name == name)
        .ok_or_else(|| ConvertError::malformed(format!("there is no layer {name}")))
}
