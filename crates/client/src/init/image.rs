//! Pictures: how a file becomes the tensor that the network was trained on. From `preprocessor_config.json` of Hugging Face, or
//! by the rule of Teachable Machine; where neither is there, callers give tensors.

use serde_json::Value as Json;
use stoa_engine::OpenDimension;
use stoa_types::manifest::{Dimension, Signature, TensorSpec};
use stoa_types::pipeline::{
    Activation, AnswerKind, Classes, Colours, Extent, Filter, ImageLayout, ImagePipeline, Resize,
};
use stoa_types::tensor::DataType;

use super::folder::Folder;
use super::text::classes;

/// Pictures in one call at most, to begin with.
const PICTURES_MAX: u64 = 8;

/// How pictures become tensors, but for the layout, which the network says.
struct Preprocessing {
    resize: Resize,
    crop: Option<Extent>,
    filter: Filter,
    scale: String,
    mean: Vec<String>,
    deviation: Vec<String>,
    colours: Colours,
}

/// The extent of an open dimension of a picture's input: exporters leave the size open, the preprocessing fixes it.
pub(super) fn dimension(folder: &Folder, open: &OpenDimension) -> Option<Dimension> {
    let preprocessing = of_hugging_face(folder)?;
    let size = preprocessing.size()?;
    if open.input != "pixel_values" {
        return None;
    }
    Some(match open.axis {
        0 => Dimension::Dynamic {
            name: open.name.clone(),
            max: PICTURES_MAX,
        },
        1 => Dimension::Fixed(preprocessing.channels()),
        2 => Dimension::Fixed(size.height),
        _ => Dimension::Fixed(size.width),
    })
}

pub(super) fn pipeline(
    folder: &Folder,
    signature: &Signature,
    task: &str,
    labels: &[String],
    to_do: &mut Vec<String>,
) -> Option<ImagePipeline> {
    let (preprocessing, activation) = match (of_hugging_face(folder), of_teachable_machine(folder))
    {
        (Some(preprocessing), _) => (preprocessing, None),
        // Its networks end in a softmax of their own.
        (None, Some(preprocessing)) => (preprocessing, Some(Activation::None)),
        (None, None) => {
            if folder.preprocessor.is_object() {
                to_do.push(
                    "pipeline: preprocessor_config.json asks for something that the library's pipeline does not do, so callers give tensors".to_owned(),
                );
            }
            return None;
        }
    };
    let [input] = &signature.inputs[..] else {
        return None;
    };
    let Some(layout) = preprocessing.layout(input) else {
        to_do.push(format!(
            "pipeline: the input {} has not the size that pictures are brought to, so callers give tensors",
            input.name
        ));
        return None;
    };
    Some(ImagePipeline {
        input: input.name.clone(),
        colours: preprocessing.colours,
        layout,
        resize: preprocessing.resize,
        filter: preprocessing.filter,
        crop: preprocessing.crop,
        scale: preprocessing.scale,
        mean: preprocessing.mean,
        deviation: preprocessing.deviation,
        answer: answer(signature, task, labels, activation),
    })
}

fn answer(
    signature: &Signature,
    task: &str,
    labels: &[String],
    activation: Option<Activation>,
) -> AnswerKind {
    let scores = signature
        .outputs
        .iter()
        .find(|output| output.datatype == DataType::FP32 && output.shape.len() == 2);
    match (task, scores) {
        ("image-classification", Some(output)) => {
            match (classes(output, labels, false), activation) {
                (AnswerKind::Classes(classes), Some(activation)) => AnswerKind::Classes(Classes {
                    activation,
                    ..classes
                }),
                (answer, _) => answer,
            }
        }
        _ => AnswerKind::Tensors,
    }
}

impl Preprocessing {
    fn channels(&self) -> u64 {
        if self.colours == Colours::Grey { 1 } else { 3 }
    }

    fn size(&self) -> Option<Extent> {
        match (self.crop, self.resize) {
            (Some(crop), _) => Some(crop),
            (None, Resize::Exact(extent)) => Some(extent),
            (None, Resize::ShortestSide(_)) => None,
        }
    }

    /// The order of the input's dimensions, if it takes pictures of this size.
    fn layout(&self, input: &TensorSpec) -> Option<ImageLayout> {
        let size = self.size()?;
        let fixed = |axis: usize| match input.shape.get(axis) {
            Some(Dimension::Fixed(extent)) => Some(*extent),
            _ => None,
        };
        let shape = [fixed(1)?, fixed(2)?, fixed(3)?];
        let (height, width) = (size.height, size.width);
        if input.shape.len() != 4 || input.datatype != DataType::FP32 {
            None
        } else if shape == [self.channels(), height, width] {
            Some(ImageLayout::Nchw)
        } else if shape == [height, width, self.channels()] {
            Some(ImageLayout::Nhwc)
        } else {
            None
        }
    }
}

fn of_hugging_face(folder: &Folder) -> Option<Preprocessing> {
    let config = folder.preprocessor.as_object()?;
    let flag =
        |key: &str, default: bool| config.get(key).and_then(Json::as_bool).unwrap_or(default);
    if !flag("do_resize", true) {
        return None;
    }
    let resize = match config.get("size")? {
        size if size.get("shortest_edge").is_some() => {
            Resize::ShortestSide(size.get("shortest_edge")?.as_u64()?)
        }
        size => Resize::Exact(extent(size)?),
    };
    let crop = if flag("do_center_crop", false) {
        Some(extent(config.get("crop_size")?)?)
    } else {
        None
    };
    // Numbers of Pillow's filters.
    let filter = match config.get("resample").map_or(Some(2), Json::as_u64)? {
        0 => Filter::Nearest,
        2 => Filter::Bilinear,
        3 => Filter::Bicubic,
        _ => return None,
    };
    let scale = if flag("do_rescale", true) {
        config
            .get("rescale_factor")
            .map_or_else(|| Some((1.0_f64 / 255.0).to_string()), number)?
    } else {
        "1".to_owned()
    };
    let (mean, deviation) = if flag("do_normalize", true) {
        let list = |key: &str| -> Option<Vec<String>> {
            config.get(key)?.as_array()?.iter().map(number).collect()
        };
        (list("image_mean")?, list("image_std")?)
    } else {
        (vec!["0".to_owned(); 3], vec!["1".to_owned(); 3])
    };
    let colours = match mean.len() {
        1 => Colours::Grey,
        3 => Colours::Rgb,
        _ => return None,
    };
    Some(Preprocessing {
        resize,
        crop,
        filter,
        scale,
        mean,
        deviation,
        colours,
    })
}

/// One number is a square.
fn extent(json: &Json) -> Option<Extent> {
    if let Some(side) = json.as_u64() {
        return Some(Extent {
            width: side,
            height: side,
        });
    }
    Some(Extent {
        width: json.get("width")?.as_u64()?,
        height: json.get("height")?.as_u64()?,
    })
}

/// Decimal text without an exponent, as manifests have it.
fn number(json: &Json) -> Option<String> {
    // Rust's floats print all their digits and never an exponent.
    json.as_f64().map(|number| number.to_string())
}

/// `@teachablemachine/image` cuts the middle square, scales it, divides by 127 and takes 1 off.
fn of_teachable_machine(folder: &Folder) -> Option<Preprocessing> {
    let side = folder.metadata.get("imageSize")?.as_u64()?;
    let is_grey = folder.metadata.get("grayscale").and_then(Json::as_bool) == Some(true);
    let channels = if is_grey { 1 } else { 3 };
    Some(Preprocessing {
        resize: Resize::ShortestSide(side),
        crop: Some(Extent {
            width: side,
            height: side,
        }),
        filter: Filter::Bilinear,
        scale: (1.0_f64 / 127.0).to_string(),
        mean: vec!["1".to_owned(); channels],
        deviation: vec!["1".to_owned(); channels],
        colours: if is_grey { Colours::Grey } else { Colours::Rgb },
    })
}
