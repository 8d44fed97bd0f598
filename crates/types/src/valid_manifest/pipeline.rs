//! Rules for a pipeline that is more than tensors: it names files, inputs and outputs that are there, of types and
//! shapes that it can fill, and numbers that can be computed with.

use super::text::{check_line, is_decimal};
use super::{InvalidManifest, Problem, at, check_count, refuse};
use crate::limits::{
    CLAIM_VALUE_BYTES_MAX, COLUMNS_MAX, IMAGE_SIDE_MAX, LABEL_BYTES_MAX, LABELS_MAX,
    PIPELINE_TOKENS_MAX, TENSOR_NAME_BYTES_MAX,
};
use crate::manifest::{Dimension, FileEntry, Signature, TensorSpec};
use crate::names::check_length;
use crate::pipeline::{
    AnswerKind, CategoryEncoding, Colours, Column, ColumnKind, Extent, ImagePipeline, PipelineKind,
    Pooling, Resize, TabularPipeline, TextPipeline,
};
use crate::tensor::DataType;

pub(super) fn check(
    kind: &PipelineKind,
    signature: &Signature,
    files: &[FileEntry],
) -> Result<(), InvalidManifest> {
    let (answer, filled) = match kind {
        PipelineKind::Tensors => return Ok(()),
        PipelineKind::Text(text) => (&text.answer, check_text(text, signature, files)?),
        PipelineKind::Image(image) => (&image.answer, check_image(image, signature)?),
        PipelineKind::Tabular(table) => (&table.answer, check_tabular(table, signature)?),
    };
    // Every input gets its values from somewhere.
    if let Some(index) = signature
        .inputs
        .iter()
        .position(|input| !filled.contains(&input.name.as_str()))
    {
        return Err(refuse(
            format!("signature.inputs[{index}]"),
            Problem::Grammar {
                expected: "only inputs that the pipeline fills",
            },
        ));
    }
    check_answer(answer, kind, signature)
}

fn check_text<'a>(
    text: &'a TextPipeline,
    signature: &Signature,
    files: &[FileEntry],
) -> Result<Vec<&'a str>, InvalidManifest> {
    if !files.iter().any(|file| file.path == text.tokenizer) {
        let path = text.tokenizer.clone();
        return Err(refuse(
            "pipeline.kind.Text.tokenizer",
            Problem::NoSuchFile { path },
        ));
    }
    check_range(
        "pipeline.kind.Text.tokens_max",
        text.tokens_max,
        PIPELINE_TOKENS_MAX,
    )?;
    check_length(&text.padding.token, 1, LABEL_BYTES_MAX)
        .map_err(at("pipeline.kind.Text.padding.token"))?;
    let mut filled = vec![text.ids.as_str()];
    filled.extend(text.mask.as_deref());
    filled.extend(text.types.as_deref());
    for name in &filled {
        let spec = find(&signature.inputs, name, "pipeline.kind.Text")?;
        let integers = [DataType::INT64, DataType::INT32].contains(&spec.datatype);
        if !integers || spec.shape.len() != 2 {
            return Err(not_fitting(
                name,
                "an INT64 or INT32 input of shape [texts, tokens]",
            ));
        }
        if largest(&spec.shape[1]) < text.tokens_max {
            return Err(not_fitting(
                name,
                "an input with room for tokens_max tokens",
            ));
        }
    }
    Ok(filled)
}

fn check_image<'a>(
    image: &'a ImagePipeline,
    signature: &Signature,
) -> Result<Vec<&'a str>, InvalidManifest> {
    let field = |name: &str| format!("pipeline.kind.Image.{name}");
    match image.resize {
        Resize::Exact(extent) => check_extent(&field("resize"), extent)?,
        Resize::ShortestSide(side) => check_range(&field("resize"), side, IMAGE_SIDE_MAX)?,
    }
    if let Some(crop) = image.crop {
        check_extent(&field("crop"), crop)?;
        let room = match image.resize {
            Resize::Exact(extent) => extent,
            // The longer side has more.
            Resize::ShortestSide(side) => Extent {
                width: side,
                height: side,
            },
        };
        if crop.width > room.width || crop.height > room.height {
            return Err(refuse(
                field("crop"),
                Problem::Grammar {
                    expected: "a crop that is not larger than the resized picture",
                },
            ));
        }
    }
    let size = match (image.crop, image.resize) {
        (Some(crop), _) => crop,
        (None, Resize::Exact(extent)) => extent,
        (None, Resize::ShortestSide(_)) => {
            return Err(refuse(
                field("crop"),
                Problem::Grammar {
                    expected: "a crop, since pictures would differ in size without one",
                },
            ));
        }
    };
    let channels = if image.colours == Colours::Grey { 1 } else { 3 };
    check_number(&field("scale"), &image.scale, true)?;
    for (name, list, divides) in [
        ("mean", &image.mean, false),
        ("deviation", &image.deviation, true),
    ] {
        check_count(&field(name), list.len(), channels, channels)?;
        for (index, number) in list.iter().enumerate() {
            check_number(&field(&format!("{name}[{index}]")), number, divides)?;
        }
    }
    let spec = find(&signature.inputs, &image.input, "pipeline.kind.Image.input")?;
    let sides = match image.layout {
        crate::pipeline::ImageLayout::Nchw => [channels, size.height, size.width],
        crate::pipeline::ImageLayout::Nhwc => [size.height, size.width, channels],
    };
    let fits = [DataType::FP32, DataType::UINT8].contains(&spec.datatype)
        && spec.shape.len() == 4
        && spec.shape[1..]
            .iter()
            .zip(sides)
            .all(|(dimension, side)| *dimension == Dimension::Fixed(side));
    if !fits {
        return Err(not_fitting(
            &image.input,
            "an FP32 or UINT8 input of the pipeline's channels, height and width",
        ));
    }
    let zero = |text: &String| {
        text.trim_start_matches('-')
            .bytes()
            .all(|b| b"0.".contains(&b))
    };
    let plain = image.scale == "1"
        && image.mean.iter().all(zero)
        && image.deviation.iter().all(|deviation| deviation == "1");
    if spec.datatype == DataType::UINT8 && !plain {
        return Err(not_fitting(
            &image.input,
            "scale 1, mean 0 and deviation 1 for a UINT8 input",
        ));
    }
    Ok(vec![&image.input])
}

fn check_tabular<'a>(
    table: &'a TabularPipeline,
    signature: &Signature,
) -> Result<Vec<&'a str>, InvalidManifest> {
    let field = |index: usize, name: &str| format!("pipeline.kind.Tabular.columns[{index}].{name}");
    check_count(
        "pipeline.kind.Tabular.columns",
        table.columns.len(),
        1,
        COLUMNS_MAX,
    )?;
    let mut widths: Vec<(&str, u64)> = Vec::new();
    for (index, column) in table.columns.iter().enumerate() {
        check_line(&column.name, 1, TENSOR_NAME_BYTES_MAX).map_err(at(field(index, "name")))?;
        if let Some(earlier) = table.columns[..index]
            .iter()
            .position(|other| other.name == column.name)
        {
            return Err(refuse(
                field(index, "name"),
                Problem::Duplicate {
                    other: field(earlier, "name"),
                },
            ));
        }
        let spec = find(&signature.inputs, &column.input, &field(index, "input"))?;
        let width = check_column(column, spec, &field(index, "kind"))?;
        match widths.iter_mut().find(|(name, _)| *name == column.input) {
            Some((_, sum)) => *sum += width,
            None => widths.push((&column.input, width)),
        }
    }
    for (name, width) in &widths {
        let spec = find(&signature.inputs, name, "pipeline.kind.Tabular")?;
        if spec.shape.len() != 2 || spec.shape[1] != Dimension::Fixed(*width) {
            return Err(not_fitting(
                name,
                "an input of shape [rows, columns], as wide as its columns together",
            ));
        }
    }
    Ok(widths.into_iter().map(|(name, _)| name).collect())
}

/// How many numbers of a row it becomes.
fn check_column(column: &Column, spec: &TensorSpec, field: &str) -> Result<u64, InvalidManifest> {
    match &column.kind {
        ColumnKind::Text => {
            if spec.datatype != DataType::BYTES {
                return Err(not_fitting(&column.input, "a BYTES input for text"));
            }
            Ok(1)
        }
        ColumnKind::Number {
            mean,
            deviation,
            missing,
        } => {
            check_number(&format!("{field}.mean"), mean, false)?;
            check_number(&format!("{field}.deviation"), deviation, true)?;
            if let Some(missing) = missing {
                check_number(&format!("{field}.missing"), missing, false)?;
            }
            if spec.datatype == DataType::BYTES || spec.datatype == DataType::BOOL {
                return Err(not_fitting(&column.input, "an input of numbers"));
            }
            Ok(1)
        }
        ColumnKind::Category { values, encoding } => {
            check_count(&format!("{field}.values"), values.len(), 1, LABELS_MAX)?;
            for (index, value) in values.iter().enumerate() {
                check_line(value, 1, LABEL_BYTES_MAX)
                    .map_err(at(format_args!("{field}.values[{index}]")))?;
            }
            let mut sorted: Vec<&String> = values.iter().collect();
            sorted.sort_unstable();
            if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(refuse(
                    format!("{field}.values"),
                    Problem::Duplicate {
                        other: pair[0].clone(),
                    },
                ));
            }
            if spec.datatype == DataType::BYTES || spec.datatype == DataType::BOOL {
                return Err(not_fitting(&column.input, "an input of numbers"));
            }
            Ok(match encoding {
                CategoryEncoding::OneHot => values.len() as u64,
                CategoryEncoding::Index => 1,
            })
        }
    }
}

fn check_answer(
    answer: &AnswerKind,
    kind: &PipelineKind,
    signature: &Signature,
) -> Result<(), InvalidManifest> {
    let (output, rank) = match answer {
        AnswerKind::Tensors => return Ok(()),
        AnswerKind::Classes(classes) => {
            check_range("pipeline.kind.answer.top", classes.top, LABELS_MAX)?;
            (&classes.output, 2)
        }
        AnswerKind::Embedding(embedding) => {
            let pooled = embedding.pooling != Pooling::None;
            if pooled && !matches!(kind, PipelineKind::Text(_)) {
                return Err(refuse(
                    "pipeline.kind.answer.pooling",
                    Problem::Grammar {
                        expected: "None: only texts have tokens to pool",
                    },
                ));
            }
            (&embedding.output, if pooled { 3 } else { 2 })
        }
    };
    let spec = find(&signature.outputs, output, "pipeline.kind.answer.output")?;
    if spec.datatype != DataType::FP32 || spec.shape.len() != rank {
        return Err(not_fitting(
            output,
            "an FP32 output of shape [items, width], or [items, tokens, width] to be pooled",
        ));
    }
    Ok(())
}

fn find<'a>(
    specs: &'a [TensorSpec],
    name: &str,
    field: &str,
) -> Result<&'a TensorSpec, InvalidManifest> {
    specs
        .iter()
        .find(|spec| spec.name == name)
        .ok_or_else(|| refuse(field, Problem::NoSuchTensor { name: name.into() }))
}

fn not_fitting(name: &str, expected: &'static str) -> InvalidManifest {
    refuse(format!("signature `{name}`"), Problem::Grammar { expected })
}

fn largest(dimension: &Dimension) -> u64 {
    match dimension {
        Dimension::Fixed(extent) => *extent,
        Dimension::Dynamic { max, .. } => *max,
    }
}

fn check_extent(field: &str, extent: Extent) -> Result<(), InvalidManifest> {
    check_range(field, extent.width, IMAGE_SIDE_MAX)?;
    check_range(field, extent.height, IMAGE_SIDE_MAX)
}

fn check_range(field: &str, given: u64, max: u64) -> Result<(), InvalidManifest> {
    if given == 0 || given > max {
        return Err(refuse(field, Problem::OutOfRange { given, min: 1, max }));
    }
    Ok(())
}

fn check_number(field: &str, text: &str, not_zero: bool) -> Result<(), InvalidManifest> {
    check_length(text, 1, CLAIM_VALUE_BYTES_MAX).map_err(at(field))?;
    // A number too small for an f32 would divide by zero as well.
    let usable = is_decimal(text)
        && text
            .parse::<f32>()
            .is_ok_and(|number| number.is_finite() && !(not_zero && number == 0.0));
    if !usable {
        return Err(refuse(
            field,
            Problem::Grammar {
                expected: "a decimal number such as 0.485, not 0 where it scales",
            },
        ));
    }
    Ok(())
}
