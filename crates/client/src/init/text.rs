//! Texts: which inputs take the tokens, how long they may be, and what the answer is.

use serde_json::Value as Json;
use stoa_engine::OpenDimension;
use stoa_types::manifest::{Dimension, Signature, TensorSpec};
use stoa_types::pipeline::{
    Activation, AnswerKind, Classes, Embedding, Padding, PaddingLength, Pooling, Side, TextPipeline,
};
use stoa_types::tensor::DataType;

use super::folder::Folder;

const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";
const TYPES: &str = "token_type_ids";
/// Texts in one call at most, to begin with.
const TEXTS_MAX: u64 = 32;
/// Where nothing says less: longer texts cost the square of their length.
const TOKENS_MAX: u64 = 512;
/// Classes in an answer at most, to begin with.
const TOP_MAX: u64 = 5;
/// What a tokenizer says that knows no limit.
const NO_LIMIT: u64 = 1 << 31;

/// The extent of an open dimension of a tokenizer's input.
pub(super) fn dimension(folder: &Folder, open: &OpenDimension) -> Option<Dimension> {
    folder.tokenizer.as_ref()?;
    if ![IDS, MASK, TYPES].contains(&open.input.as_str()) {
        return None;
    }
    let max = match open.axis {
        0 => TEXTS_MAX,
        _ => tokens_max(folder),
    };
    Some(Dimension::Dynamic {
        name: open.name.clone(),
        max,
    })
}

pub(super) fn pipeline(
    folder: &Folder,
    signature: &Signature,
    task: &str,
    labels: &[String],
    to_do: &mut Vec<String>,
) -> Option<TextPipeline> {
    folder.tokenizer.as_ref()?;
    let given = |name: &str| signature.inputs.iter().any(|input| input.name == name);
    let known = signature
        .inputs
        .iter()
        .all(|input| [IDS, MASK, TYPES].contains(&input.name.as_str()));
    if !given(IDS) || !known {
        to_do.push(format!(
            "pipeline: there is a tokenizer.json, but the inputs are not those of a text model ({IDS}, {MASK}, {TYPES}), so callers give tensors"
        ));
        return None;
    }
    let Some(token) = padding_token(folder) else {
        to_do.push(
            "pipeline: nothing says which token pads a text, so callers give tensors".to_owned(),
        );
        return None;
    };
    let side = match folder.tokenizer_config.get("padding_side") {
        Some(Json::String(side)) if side == "left" => Side::Left,
        _ => Side::Right,
    };
    Some(TextPipeline {
        tokenizer: "tokenizer.json".to_owned(),
        ids: IDS.to_owned(),
        mask: given(MASK).then(|| MASK.to_owned()),
        types: given(TYPES).then(|| TYPES.to_owned()),
        tokens_max: tokens_max(folder),
        padding: Padding {
            token,
            side,
            length: PaddingLength::Longest,
        },
        answer: answer(folder, signature, task, labels),
    })
}

fn tokens_max(folder: &Folder) -> u64 {
    let limits = [
        folder.tokenizer_config.get("model_max_length"),
        folder.config.get("max_position_embeddings"),
    ];
    // Written as a float where it is 1e30, for no limit.
    let limits = limits.into_iter().flatten().filter_map(Json::as_u64);
    limits
        .filter(|limit| (1..NO_LIMIT).contains(limit))
        .fold(TOKENS_MAX, u64::min)
}

fn padding_token(folder: &Folder) -> Option<String> {
    let named = |json: &Json| {
        let token = json.get("pad_token")?;
        let text = token.get("content").unwrap_or(token);
        text.as_str().map(str::to_owned)
    };
    named(&folder.tokenizer_config)
        .or_else(|| named(&folder.special_tokens))
        .or_else(|| named(folder.tokenizer.as_ref()?.get("padding")?))
        .or_else(|| {
            let added = folder.tokenizer.as_ref()?.get("added_tokens")?.as_array()?;
            let texts = added
                .iter()
                .filter_map(|token| token.get("content")?.as_str());
            let mut pads = texts.filter(|text| ["[PAD]", "<pad>"].contains(text));
            pads.next().map(str::to_owned)
        })
}

fn answer(folder: &Folder, signature: &Signature, task: &str, labels: &[String]) -> AnswerKind {
    let floats = |rank: usize| {
        signature
            .outputs
            .iter()
            .find(|output| output.datatype == DataType::FP32 && output.shape.len() == rank)
    };
    match task {
        "text-classification" => floats(2).map_or(AnswerKind::Tensors, |output| {
            classes(output, labels, is_multi_label(folder))
        }),
        "sentence-similarity" | "feature-extraction" => match (floats(2), floats(3)) {
            (Some(whole), _) if whole.name == "sentence_embedding" => {
                embedding(whole, Pooling::None, false)
            }
            (_, Some(tokens)) => embedding(tokens, pooling(folder), is_normalised(folder)),
            (Some(whole), None) => embedding(whole, Pooling::None, false),
            (None, None) => AnswerKind::Tensors,
        },
        _ => AnswerKind::Tensors,
    }
}

fn embedding(output: &TensorSpec, pooling: Pooling, normalise: bool) -> AnswerKind {
    AnswerKind::Embedding(Embedding {
        output: output.name.clone(),
        pooling,
        normalise,
    })
}

/// As sentence-transformers writes it; the mean is what most are trained with.
fn pooling(folder: &Folder) -> Pooling {
    let set = |key: &str| folder.pooling.get(key).and_then(Json::as_bool) == Some(true);
    if set("pooling_mode_cls_token") {
        Pooling::First
    } else if set("pooling_mode_max_tokens") {
        Pooling::Max
    } else if set("pooling_mode_lasttoken") {
        Pooling::Last
    } else {
        Pooling::Mean
    }
}

fn is_normalised(folder: &Folder) -> bool {
    let modules = folder.modules.as_array();
    modules.into_iter().flatten().any(|module| {
        let class = module.get("type").and_then(Json::as_str);
        class.is_some_and(|class| class.ends_with("Normalize"))
    })
}

fn is_multi_label(folder: &Folder) -> bool {
    folder.config.get("problem_type").and_then(Json::as_str) == Some("multi_label_classification")
}

/// The likeliest labels of an output of logits.
pub(super) fn classes(output: &TensorSpec, labels: &[String], each_by_itself: bool) -> AnswerKind {
    let count = match output.shape.last() {
        Some(Dimension::Fixed(count)) => *count,
        _ => labels.len().max(1) as u64,
    };
    AnswerKind::Classes(Classes {
        output: output.name.clone(),
        activation: if each_by_itself {
            Activation::Sigmoid
        } else {
            Activation::Softmax
        },
        top: count.min(TOP_MAX),
    })
}
