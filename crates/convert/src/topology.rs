//! `model.json`: which layers there are, how they are joined, and where the weights lie.
//!
//! Three writers, three dialects: TensorFlow.js puts `class_name` and `config` into `modelTopology`; the converter for
//! Keras puts them into `modelTopology.model_config`; older Sequential models have their layers as `config` itself.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::error::{ConvertError, Result};

pub(crate) struct ModelFile {
    pub model: Model,
    pub weights: Vec<WeightGroup>,
}

/// A model, or a model that is a layer of another.
#[derive(Debug)]
pub(crate) enum Model {
    Sequential {
        layers: Vec<Layer>,
    },
    Functional {
        layers: Vec<Layer>,
        inputs: Vec<Reference>,
        outputs: Vec<Reference>,
    },
}

#[derive(Debug)]
pub(crate) struct Layer {
    pub class: String,
    pub name: String,
    pub config: Map<String, Json>,
    /// The model that this layer is, if it is one.
    pub model: Option<Model>,
    /// The inputs of each call of the layer; a layer that is called twice shares its weights. Empty in a Sequential.
    pub calls: Vec<Vec<Reference>>,
}

/// An output of a call of a layer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Reference {
    pub layer: String,
    pub call: usize,
    pub output: usize,
}

#[derive(Deserialize, Debug)]
pub(crate) struct WeightGroup {
    pub paths: Vec<String>,
    pub weights: Vec<WeightEntry>,
}

#[derive(Deserialize, Debug)]
pub(crate) struct WeightEntry {
    pub name: String,
    pub shape: Vec<u64>,
    pub dtype: String,
    pub quantization: Option<Quantization>,
}

#[derive(Deserialize, Debug)]
pub(crate) struct Quantization {
    pub dtype: String,
    pub scale: Option<f64>,
    pub min: Option<f64>,
}

/// Models nest as deep as people build them by hand; more is a hostile file.
const NESTING_MAX: u32 = 8;

pub(crate) fn is_model_file(json: &str) -> bool {
    serde_json::from_str::<Map<String, Json>>(json).is_ok_and(|file| {
        file.contains_key("modelTopology") && file.contains_key("weightsManifest")
    })
}

pub(crate) fn parse(json: &str) -> Result<ModelFile> {
    let mut file: Map<String, Json> = serde_json::from_str(json)
        .map_err(|error| ConvertError::malformed(format!("not JSON: {error}")))?;
    if file.get("format").and_then(Json::as_str) == Some("graph-model") {
        return Err(ConvertError::GraphModel);
    }
    let weights = file
        .remove("weightsManifest")
        .ok_or_else(|| ConvertError::malformed("there is no weightsManifest"))?;
    let weights = serde_json::from_value(weights)
        .map_err(|error| ConvertError::malformed(format!("weightsManifest: {error}")))?;
    let topology = file
        .get("modelTopology")
        .and_then(Json::as_object)
        .ok_or_else(|| ConvertError::malformed("there is no modelTopology"))?;
    let topology = match topology.get("model_config") {
        Some(Json::Object(inner)) => inner,
        _ if topology.contains_key("node") => return Err(ConvertError::GraphModel),
        _ => topology,
    };
    let class = text(topology, "class_name")?;
    let model = model(class, topology.get("config"), 0)?.ok_or_else(|| {
        ConvertError::malformed(format!("the class of the model, {class}, is not known"))
    })?;
    Ok(ModelFile { model, weights })
}

/// `None` where `class` is that of a plain layer.
fn model(class: &str, config: Option<&Json>, depth: u32) -> Result<Option<Model>> {
    if !matches!(class, "Sequential" | "Model" | "Functional") {
        return Ok(None);
    }
    if depth > NESTING_MAX {
        return Err(ConvertError::malformed(format!(
            "models are nested deeper than {NESTING_MAX} levels"
        )));
    }
    let missing = || ConvertError::malformed(format!("the {class} has no layers"));
    let config = config.ok_or_else(missing)?;
    let list = match config {
        Json::Array(list) => list,
        Json::Object(config) => config
            .get("layers")
            .and_then(Json::as_array)
            .ok_or_else(missing)?,
        _ => return Err(missing()),
    };
    let layers = list
        .iter()
        .map(|entry| layer(entry, depth))
        .collect::<Result<Vec<_>>>()?;
    if class == "Sequential" {
        return Ok(Some(Model::Sequential { layers }));
    }
    let side = |key: &str| {
        config
            .get(key)
            .ok_or_else(|| ConvertError::malformed(format!("the {class} has no {key}")))
            .and_then(references)
    };
    Ok(Some(Model::Functional {
        layers,
        inputs: side("input_layers")?,
        outputs: side("output_layers")?,
    }))
}

fn layer(entry: &Json, depth: u32) -> Result<Layer> {
    let entry = entry
        .as_object()
        .ok_or_else(|| ConvertError::malformed("a layer is not an object"))?;
    let class = text(entry, "class_name")?.to_owned();
    let inner = model(&class, entry.get("config"), depth + 1)?;
    let config = entry.get("config").and_then(Json::as_object);
    let name = entry
        .get("name")
        .or_else(|| config?.get("name"))
        .and_then(Json::as_str)
        .ok_or_else(|| ConvertError::malformed(format!("a layer of class {class} has no name")))?
        .to_owned();
    let calls = match entry.get("inbound_nodes") {
        Some(Json::Array(calls)) => calls.iter().map(references).collect::<Result<Vec<_>>>()?,
        _ => Vec::new(),
    };
    Ok(Layer {
        class,
        name,
        config: if inner.is_some() {
            Map::new()
        } else {
            config.cloned().unwrap_or_default()
        },
        model: inner,
        calls,
    })
}

/// `["layer", call, output, {...}]`, or a list of these.
fn references(json: &Json) -> Result<Vec<Reference>> {
    let list = json
        .as_array()
        .ok_or_else(|| ConvertError::malformed(format!("{json} is not a list of layers")))?;
    if let Some(Json::String(_)) = list.first() {
        return Ok(vec![reference(json)?]);
    }
    list.iter().map(reference).collect()
}

fn reference(json: &Json) -> Result<Reference> {
    let read = || {
        let parts = json.as_array()?;
        let index = |at: usize| {
            parts
                .get(at)?
                .as_u64()
                .and_then(|index| usize::try_from(index).ok())
        };
        Some(Reference {
            layer: parts.first()?.as_str()?.to_owned(),
            call: index(1)?,
            output: index(2)?,
        })
    };
    read().ok_or_else(|| ConvertError::malformed(format!("{json} does not name a layer's output")))
}

fn text<'a>(map: &'a Map<String, Json>, key: &str) -> Result<&'a str> {
    map.get(key)
        .and_then(Json::as_str)
        .ok_or_else(|| ConvertError::malformed(format!("{key} is missing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(topology: &str) -> Result<ModelFile> {
        parse(&format!(
            r#"{{"modelTopology": {topology}, "weightsManifest": []}}"#
        ))
    }

    #[test]
    fn should_read_the_three_dialects_of_a_sequential() {
        let layers = r#"[{"class_name": "Dense", "config": {"name": "d"}}]"#;
        for topology in [
            format!(r#"{{"class_name": "Sequential", "config": {layers}}}"#),
            format!(r#"{{"class_name": "Sequential", "config": {{"layers": {layers}}}}}"#),
            format!(
                r#"{{"model_config": {{"class_name": "Sequential", "config": {{"layers": {layers}}}}}}}"#
            ),
        ] {
            let Model::Sequential { layers } = parsed(&topology).unwrap().model else {
                panic!("not a Sequential: {topology}");
            };
            assert_eq!(layers[0].name, "d");
        }
    }

    #[test]
    fn should_read_references_alone_and_in_lists() {
        let file = parsed(
            r#"{"class_name": "Model", "config": {"layers": [
                {"class_name": "InputLayer", "name": "a", "config": {}, "inbound_nodes": []},
                {"class_name": "Add", "name": "b", "config": {},
                 "inbound_nodes": [[["a", 0, 0, {}], ["a", 0, 0]]]}],
              "input_layers": ["a", 0, 0], "output_layers": [["b", 0, 0]]}}"#,
        )
        .unwrap();
        let Model::Functional {
            layers,
            inputs,
            outputs,
        } = file.model
        else {
            panic!("not functional");
        };
        assert_eq!((inputs.len(), outputs.len()), (1, 1));
        assert_eq!(layers[1].calls[0].len(), 2);
    }

    #[test]
    fn should_say_what_is_wrong_with_a_file() {
        assert!(matches!(
            parse(r#"{"format": "graph-model"}"#),
            Err(ConvertError::GraphModel)
        ));
        let nested = (0..40).fold("[]".to_owned(), |inner, _| {
            format!(
                r#"[{{"class_name": "Sequential", "name": "s", "config": {{"layers": {inner}}}}}]"#
            )
        });
        for (topology, expected) in [
            ("[]".to_owned(), "no modelTopology"),
            ("{}".to_owned(), "class_name is missing"),
            (
                r#"{"class_name": "Subclassed"}"#.to_owned(),
                "Subclassed, is not known",
            ),
            (
                format!(r#"{{"class_name": "Sequential", "config": {nested}}}"#),
                "nested deeper",
            ),
        ] {
            let error = parsed(&topology).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
