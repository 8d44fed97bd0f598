//! How a call's input becomes the network's input and its output the answer, as the manifest describes it, and the
//! forms in which callers give inputs and get answers. What it means is in `stoa-engine` (module `pipeline`).
//!
//! All of a description is part of the manifest's hash. Fractions are decimal text there, so that no float enters
//! the hash; they are read as the nearest f32.

use candid::CandidType;
use serde::Deserialize;
use serde_bytes::ByteBuf;

use crate::hash::Sha256;
use crate::rih::{self, Value};
use crate::tensor::{self, Tensor};

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum PipelineKind {
    /// Tensors in, tensors out, exactly as the signature says.
    Tensors,
    /// Texts in, through a Hugging Face `tokenizer.json`.
    Text(TextPipeline),
    /// PNG and JPEG files in.
    Image(ImagePipeline),
    /// Rows of named columns in.
    Tabular(TabularPipeline),
}

/// Texts become token ids of shape [texts, tokens].
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TextPipeline {
    /// Path of the `tokenizer.json` among the version's files.
    pub tokenizer: String,
    /// Input that takes the token ids (INT64 or INT32).
    pub ids: String,
    /// Input that takes 1 for a token and 0 for padding.
    pub mask: Option<String>,
    /// Input that takes 0 for the first and 1 for the second text of a pair.
    pub types: Option<String>,
    /// Longer texts are cut to this many tokens, special ones included.
    pub tokens_max: u64,
    pub padding: Padding,
    pub answer: AnswerKind,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Padding {
    /// The token that fills up, such as `[PAD]`; it must be in the vocabulary.
    pub token: String,
    pub side: Side,
    pub length: PaddingLength,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Left,
    Right,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaddingLength {
    /// To the longest text of the call.
    Longest,
    /// Always to `tokens_max`.
    Fixed,
}

/// What a caller gets: the outputs, or what they mean.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum AnswerKind {
    Tensors,
    /// One vector for each text or image.
    Embedding(Embedding),
    /// The likeliest labels for each text, image or row.
    Classes(Classes),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Embedding {
    /// An FP32 output: [items, tokens, width], or [items, width] with `Pooling::None`.
    pub output: String,
    pub pooling: Pooling,
    /// Divide by the Euclidean length.
    pub normalise: bool,
}

/// How the vectors of a text's tokens become one. Padding does not count.
#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pooling {
    None,
    Mean,
    Max,
    First,
    Last,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Classes {
    /// An FP32 output of shape [items, labels].
    pub output: String,
    pub activation: Activation,
    /// How many labels an answer has at most, the highest score first; equal scores by index.
    pub top: u64,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Activation {
    None,
    /// Over all labels; scores add up to 1.
    Softmax,
    /// Each label by itself.
    Sigmoid,
}

/// Pictures become a tensor of shape [images, channels, height, width] or [images, height, width, channels]:
/// decoded to 8 bits a channel, resized, cut, then `(value * scale - mean) / deviation`.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ImagePipeline {
    /// The input, FP32 or UINT8 (then `scale` is 1, `mean` 0 and `deviation` 1).
    pub input: String,
    pub colours: Colours,
    pub layout: ImageLayout,
    pub resize: Resize,
    pub filter: Filter,
    /// What is cut from the middle after resizing.
    pub crop: Option<Extent>,
    /// Decimal text, such as `0.00392156862745098` for 1/255.
    pub scale: String,
    /// Decimal text, one for each channel.
    pub mean: Vec<String>,
    pub deviation: Vec<String>,
    pub answer: AnswerKind,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Colours {
    Rgb,
    Bgr,
    Grey,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImageLayout {
    /// Channels, then rows.
    Nchw,
    /// Rows, then channels.
    Nhwc,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resize {
    /// To this size, whatever the sides' ratio was.
    Exact(Extent),
    /// The shorter side to this, the longer one in the same ratio (rounded down).
    ShortestSide(u64),
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    pub width: u64,
    pub height: u64,
}

/// As Pillow computes them, in its fixed-point arithmetic.
#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filter {
    Nearest,
    Bilinear,
    Bicubic,
}

/// Rows become tensors: the columns that name one input are put side by side in their order.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TabularPipeline {
    pub columns: Vec<Column>,
    pub answer: AnswerKind,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Column {
    pub name: String,
    /// The input that takes it, of shape [rows, columns] (a category in one-hot form counts as many as its values).
    pub input: String,
    pub kind: ColumnKind,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum ColumnKind {
    /// `(value - mean) / deviation`; `missing` stands in for a missing value, which is refused where it is absent.
    Number {
        mean: String,
        deviation: String,
        missing: Option<String>,
    },
    /// One of `values`. Another value is refused; a missing one is all zeros, or -1 as an index.
    Category {
        values: Vec<String>,
        encoding: CategoryEncoding,
    },
    /// Passed on to an input of strings.
    Text,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum CategoryEncoding {
    OneHot,
    Index,
}

/// What a caller gives.
#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub enum Input {
    /// Always allowed, whatever the pipeline: the network's own inputs.
    Tensors(Vec<Tensor>),
    /// At most 512 KiB in all, as given and again as normalized.
    Texts(Vec<TextInput>),
    /// Whole PNG or JPEG files: at most 4 Mi pixels in all, as given and again as resized.
    Images(Vec<ByteBuf>),
    /// Cells in the order of the pipeline's columns.
    Rows(Vec<Vec<Cell>>),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TextInput {
    pub text: String,
    /// The second text of a pair.
    pub pair: Option<String>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub enum Cell {
    Number(f64),
    Text(String),
    Missing,
}

/// What a caller gets.
#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub enum Answer {
    Tensors(Vec<Tensor>),
    /// One vector for each item.
    Embeddings(Vec<Vec<f32>>),
    /// For each item its classes, the highest score first.
    Classes(Vec<Vec<Class>>),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub struct Class {
    pub index: u64,
    /// Empty where the manifest names no labels.
    pub label: String,
    pub score: f32,
}

impl Input {
    /// Items in a call: texts, images or rows; for tensors 1.
    pub fn items(&self) -> u64 {
        match self {
            Input::Tensors(_) => 1,
            Input::Texts(texts) => texts.len() as u64,
            Input::Images(images) => images.len() as u64,
            Input::Rows(rows) => rows.len() as u64,
        }
    }

    /// Bytes that the caller sent, without framing.
    pub fn size_bytes(&self) -> u64 {
        let length = |bytes: &[u8]| bytes.len() as u64;
        match self {
            Input::Tensors(tensors) => tensors.iter().map(|tensor| length(&tensor.data)).sum(),
            Input::Texts(texts) => texts
                .iter()
                .map(|text| {
                    length(text.text.as_bytes())
                        + text.pair.as_ref().map_or(0, |pair| length(pair.as_bytes()))
                })
                .sum(),
            Input::Images(images) => images.iter().map(|image| length(image)).sum(),
            Input::Rows(rows) => rows
                .iter()
                .flatten()
                .map(|cell| match cell {
                    Cell::Number(_) => 8,
                    Cell::Text(text) => length(text.as_bytes()),
                    Cell::Missing => 1,
                })
                .sum(),
        }
    }
}

/// Hash of an input as receipts carry it. Tensors as [`tensor::hash_tensors`]; otherwise the representation-independent
/// hash of `{Texts: array of {text: text, pair: text if present}}`, `{Images: array of blob}` or
/// `{Rows: array of array of {Number: blob (8 bytes, little-endian)} | {Text: text} | "Missing"}`.
pub fn hash_input(input: &Input) -> Sha256 {
    let (name, list) = match input {
        Input::Tensors(tensors) => return tensor::hash_tensors(tensors),
        Input::Texts(texts) => {
            let list = texts.iter().map(|text| {
                let mut map = vec![("text", Value::from(&text.text))];
                if let Some(pair) = &text.pair {
                    map.push(("pair", pair.into()));
                }
                Value::Map(map)
            });
            ("Texts", list.collect())
        }
        Input::Images(images) => {
            let list = images.iter().map(|image| Value::Blob(image));
            ("Images", list.collect())
        }
        Input::Rows(rows) => {
            // Numbers become their eight bytes, which must outlive the value that borrows them.
            let bytes: Vec<Vec<[u8; 8]>> = rows
                .iter()
                .map(|row| {
                    row.iter()
                        .map(|cell| match cell {
                            Cell::Number(number) => number.to_le_bytes(),
                            _ => [0; 8],
                        })
                        .collect()
                })
                .collect();
            let list: Vec<Value<'_>> = rows
                .iter()
                .zip(&bytes)
                .map(|(row, bytes)| {
                    let cells = row.iter().zip(bytes).map(|(cell, bytes)| match cell {
                        Cell::Number(_) => Value::Map(vec![("Number", Value::Blob(bytes))]),
                        Cell::Text(text) => Value::Map(vec![("Text", text.into())]),
                        Cell::Missing => Value::Text("Missing"),
                    });
                    Value::Array(cells.collect())
                })
                .collect();
            return rih::hash(&Value::Map(vec![("Rows", Value::Array(list))]));
        }
    };
    rih::hash(&Value::Map(vec![(name, Value::Array(list))]))
}

/// Hash of an answer as receipts carry it. Tensors as [`tensor::hash_tensors`]; otherwise the representation-independent
/// hash of `{Embeddings: array of blob (f32, little-endian)}` or
/// `{Classes: array of array of {index: nat, label: text, score: blob (f32, little-endian)}}`.
pub fn hash_answer(answer: &Answer) -> Sha256 {
    match answer {
        Answer::Tensors(tensors) => tensor::hash_tensors(tensors),
        Answer::Embeddings(vectors) => {
            let bytes: Vec<Vec<u8>> = vectors
                .iter()
                .map(|vector| vector.iter().flat_map(|x| x.to_le_bytes()).collect())
                .collect();
            let list = bytes.iter().map(|bytes| Value::Blob(bytes)).collect();
            rih::hash(&Value::Map(vec![("Embeddings", Value::Array(list))]))
        }
        Answer::Classes(items) => {
            let scores: Vec<Vec<[u8; 4]>> = items
                .iter()
                .map(|classes| classes.iter().map(|c| c.score.to_le_bytes()).collect())
                .collect();
            let list = items
                .iter()
                .zip(&scores)
                .map(|(classes, scores)| {
                    let classes = classes.iter().zip(scores).map(|(class, score)| {
                        Value::Map(vec![
                            ("index", class.index.into()),
                            ("label", Value::from(&class.label)),
                            ("score", Value::Blob(score)),
                        ])
                    });
                    Value::Array(classes.collect())
                })
                .collect();
            rih::hash(&Value::Map(vec![("Classes", Value::Array(list))]))
        }
    }
}
