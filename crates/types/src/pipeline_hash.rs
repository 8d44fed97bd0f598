//! The pipeline's part of the canonical hash, by the rules of [`crate::manifest_hash`]: keys are the Candid field names.
//!
//! | map | keys |
//! |---|---|
//! | Text | `tokenizer`, `ids` text, `mask`, `types` text if present, `tokens_max` nat, `padding` map, `answer` |
//! | padding | `token` text, `side`, `length` text |
//! | Image | `input` text, `colours`, `layout` text, `resize` `{Exact: extent}` or `{ShortestSide: nat}`, `filter` text, `crop` extent if present, `scale` text, `mean`, `deviation` arrays of text, `answer` |
//! | extent | `width`, `height` nat |
//! | Tabular | `columns` array of column, `answer` |
//! | column | `name`, `input` text, `kind` `Text`, `{Number: {mean, deviation text, missing text if present}}` or `{Category: {values: array of text, encoding: text}}` |
//! | answer | `Tensors`, `{Embedding: {output: text, pooling: text, normalise: nat (0 or 1)}}` or `{Classes: {output: text, activation: text, top: nat}}` |

use crate::pipeline::{
    Activation, AnswerKind, CategoryEncoding, Classes, Colours, Column, ColumnKind, Embedding,
    Extent, Filter, ImageLayout, ImagePipeline, Padding, PaddingLength, PipelineKind, Pooling,
    Resize, Side, TabularPipeline, TextPipeline,
};
use crate::rih::Value;

/// A variant with a payload.
fn tagged<'a>(name: &'a str, payload: Value<'a>) -> Value<'a> {
    Value::Map(vec![(name, payload)])
}

pub(crate) fn kind(kind: &PipelineKind) -> Value<'_> {
    match kind {
        PipelineKind::Tensors => Value::Text("Tensors"),
        PipelineKind::Text(pipeline) => tagged("Text", text(pipeline)),
        PipelineKind::Image(pipeline) => tagged("Image", image(pipeline)),
        PipelineKind::Tabular(pipeline) => tagged("Tabular", tabular(pipeline)),
    }
}

fn text(pipeline: &TextPipeline) -> Value<'_> {
    let TextPipeline {
        tokenizer,
        ids,
        mask,
        types,
        tokens_max,
        padding,
        answer: kind,
    } = pipeline;
    let Padding {
        token,
        side,
        length,
    } = padding;
    let side = match side {
        Side::Left => "Left",
        Side::Right => "Right",
    };
    let length = match length {
        PaddingLength::Longest => "Longest",
        PaddingLength::Fixed => "Fixed",
    };
    let padding = Value::Map(vec![
        ("token", token.into()),
        ("side", side.into()),
        ("length", length.into()),
    ]);
    let mut map = vec![
        ("tokenizer", tokenizer.into()),
        ("ids", ids.into()),
        ("tokens_max", (*tokens_max).into()),
        ("padding", padding),
        ("answer", answer(kind)),
    ];
    if let Some(mask) = mask {
        map.push(("mask", mask.into()));
    }
    if let Some(types) = types {
        map.push(("types", types.into()));
    }
    Value::Map(map)
}

fn image(pipeline: &ImagePipeline) -> Value<'_> {
    let ImagePipeline {
        input,
        colours,
        layout,
        resize,
        filter,
        crop,
        scale,
        mean,
        deviation,
        answer: kind,
    } = pipeline;
    let colours = match colours {
        Colours::Rgb => "Rgb",
        Colours::Bgr => "Bgr",
        Colours::Grey => "Grey",
    };
    let layout = match layout {
        ImageLayout::Nchw => "Nchw",
        ImageLayout::Nhwc => "Nhwc",
    };
    let resize = match resize {
        Resize::Exact(size) => tagged("Exact", extent(size)),
        Resize::ShortestSide(side) => tagged("ShortestSide", (*side).into()),
    };
    let filter = match filter {
        Filter::Nearest => "Nearest",
        Filter::Bilinear => "Bilinear",
        Filter::Bicubic => "Bicubic",
    };
    let mut map = vec![
        ("input", input.into()),
        ("colours", colours.into()),
        ("layout", layout.into()),
        ("resize", resize),
        ("filter", filter.into()),
        ("scale", scale.into()),
        ("mean", Value::texts(mean)),
        ("deviation", Value::texts(deviation)),
        ("answer", answer(kind)),
    ];
    if let Some(crop) = crop {
        map.push(("crop", extent(crop)));
    }
    Value::Map(map)
}

fn extent(extent: &Extent) -> Value<'_> {
    let Extent { width, height } = extent;
    Value::Map(vec![
        ("width", (*width).into()),
        ("height", (*height).into()),
    ])
}

fn tabular(pipeline: &TabularPipeline) -> Value<'_> {
    let TabularPipeline {
        columns,
        answer: kind,
    } = pipeline;
    Value::Map(vec![
        (
            "columns",
            Value::Array(columns.iter().map(column).collect()),
        ),
        ("answer", answer(kind)),
    ])
}

fn column(column: &Column) -> Value<'_> {
    let Column { name, input, kind } = column;
    let kind = match kind {
        ColumnKind::Number {
            mean,
            deviation,
            missing,
        } => {
            let mut map = vec![("mean", mean.into()), ("deviation", deviation.into())];
            if let Some(missing) = missing {
                map.push(("missing", missing.into()));
            }
            tagged("Number", Value::Map(map))
        }
        ColumnKind::Category { values, encoding } => {
            let encoding = match encoding {
                CategoryEncoding::OneHot => "OneHot",
                CategoryEncoding::Index => "Index",
            };
            let map = vec![
                ("values", Value::texts(values)),
                ("encoding", encoding.into()),
            ];
            tagged("Category", Value::Map(map))
        }
        ColumnKind::Text => Value::Text("Text"),
    };
    Value::Map(vec![
        ("name", name.into()),
        ("input", input.into()),
        ("kind", kind),
    ])
}

fn answer(kind: &AnswerKind) -> Value<'_> {
    match kind {
        AnswerKind::Tensors => Value::Text("Tensors"),
        AnswerKind::Embedding(Embedding {
            output,
            pooling,
            normalise,
        }) => {
            let pooling = match pooling {
                Pooling::None => "None",
                Pooling::Mean => "Mean",
                Pooling::Max => "Max",
                Pooling::First => "First",
                Pooling::Last => "Last",
            };
            let map = vec![
                ("output", output.into()),
                ("pooling", pooling.into()),
                ("normalise", u64::from(*normalise).into()),
            ];
            tagged("Embedding", Value::Map(map))
        }
        AnswerKind::Classes(Classes {
            output,
            activation,
            top,
        }) => {
            let activation = match activation {
                Activation::None => "None",
                Activation::Softmax => "Softmax",
                Activation::Sigmoid => "Sigmoid",
            };
            let map = vec![
                ("output", output.into()),
                ("activation", activation.into()),
                ("top", (*top).into()),
            ];
            tagged("Classes", Value::Map(map))
        }
    }
}
