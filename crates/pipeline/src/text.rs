//! Texts to the tensors that a language model takes: ids, mask and types, padded to one length.

use stoa_types::manifest::{Dimension, Signature};
use stoa_types::pipeline::{PaddingLength, Side, TextInput, TextPipeline};
use stoa_types::tensor::{DataType, Tensor};

use super::{Context, PipelineError, check_items, invalid, items_max};
use crate::error::InputError;
use crate::tokenizer::{Encoding, Room, Tokenizer, TooLong};

/// Of all texts of a call together, with their pairs: as they are given, and once more when they are normalized. The dearest take
/// half of what a query may (`benches/results/inference.md`), and a model of 8,192 tokens reads some 40 kB of a text.
pub const TEXT_BYTES_MAX: usize = 1 << 19;

#[derive(Debug)]
pub(super) struct TextToTokens {
    tokenizer: Tokenizer,
    ids: Target,
    mask: Option<Target>,
    types: Option<Target>,
    tokens_max: usize,
    /// The extent of the tokens' dimension, where the signature fixes it.
    tokens_fixed: Option<usize>,
    pad: u32,
    side: Side,
    length: PaddingLength,
    items_max: u64,
}

#[derive(Clone, Debug)]
struct Target {
    name: String,
    datatype: DataType,
}

impl TextToTokens {
    pub fn new(
        text: &TextPipeline,
        signature: &Signature,
        tokenizer: &[u8],
    ) -> Result<Self, PipelineError> {
        let tokenizer = Tokenizer::from_json(tokenizer)?;
        let token = &text.padding.token;
        let pad = tokenizer
            .id(token)
            .ok_or_else(|| PipelineError::UnknownPaddingToken {
                token: token.clone(),
            })?;
        let target = |name: &str| {
            let spec = signature.inputs.iter().find(|spec| spec.name == name);
            match spec.map(|spec| spec.datatype) {
                Some(datatype @ (DataType::INT64 | DataType::INT32)) => Ok(Target {
                    name: name.to_owned(),
                    datatype,
                }),
                _ => Err(invalid(name, "it must be an input of INT64 or INT32")),
            }
        };
        let ids = signature.inputs.iter().find(|spec| spec.name == text.ids);
        let tokens_fixed = match ids.and_then(|spec| spec.shape.get(1)) {
            Some(Dimension::Fixed(extent)) => Some(*extent as usize),
            Some(Dimension::Dynamic { .. }) => None,
            None => return Err(invalid(&text.ids, "it has no dimension for tokens")),
        };
        Ok(TextToTokens {
            tokenizer,
            ids: target(&text.ids)?,
            mask: text.mask.as_deref().map(target).transpose()?,
            types: text.types.as_deref().map(target).transpose()?,
            tokens_max: text.tokens_max as usize,
            tokens_fixed,
            pad,
            side: text.padding.side,
            length: text.padding.length,
            items_max: items_max(signature, &text.ids)?,
        })
    }

    pub fn prepare(&self, texts: &[TextInput]) -> Result<(Vec<Tensor>, Context), InputError> {
        check_items("texts", texts.len(), self.items_max)?;
        let bytes = |text: &TextInput| text.text.len() + text.pair.as_ref().map_or(0, String::len);
        let given: usize = texts.iter().map(bytes).sum();
        if given > TEXT_BYTES_MAX {
            return Err(self.too_long("texts".to_owned(), &format!("{given} bytes in all")));
        }
        let mut room = Room {
            bytes: TEXT_BYTES_MAX,
        };
        let encode = |(index, text): (usize, &TextInput)| {
            self.tokenizer
                .encode(&text.text, text.pair.as_deref(), self.tokens_max, &mut room)
                .map_err(|TooLong| {
                    let item = format!("texts[{index}]");
                    self.too_long(item, "too many bytes with those before it when normalized")
                })
        };
        let encodings: Vec<Encoding> = texts
            .iter()
            .enumerate()
            .map(encode)
            .collect::<Result<_, _>>()?;
        let longest = encodings.iter().map(|encoding| encoding.ids.len()).max();
        let length = match (self.tokens_fixed, self.length) {
            (Some(fixed), _) => fixed,
            (None, PaddingLength::Fixed) => self.tokens_max,
            // An empty text without special tokens has no token; a dimension is at least 1.
            (None, PaddingLength::Longest) => longest.unwrap_or(0).max(1),
        };
        let spans: Vec<(usize, usize)> = encodings
            .iter()
            .map(|encoding| match self.side {
                Side::Right => (0, encoding.ids.len()),
                Side::Left => (length - encoding.ids.len(), length),
            })
            .collect();

        let fill = |target: &Target, padding: u32, values: &dyn Fn(&Encoding, usize) -> u32| {
            let mut data = Vec::new();
            for (encoding, (begin, end)) in encodings.iter().zip(&spans) {
                for at in 0..length {
                    let value = if (*begin..*end).contains(&at) {
                        values(encoding, at - begin)
                    } else {
                        padding
                    };
                    match target.datatype {
                        DataType::INT32 => data.extend((value as i32).to_le_bytes()),
                        _ => data.extend(i64::from(value).to_le_bytes()),
                    }
                }
            }
            Tensor {
                name: target.name.clone(),
                datatype: target.datatype,
                shape: vec![texts.len() as u64, length as u64],
                data,
            }
        };
        let mut tensors = vec![fill(&self.ids, self.pad, &|encoding, at| encoding.ids[at])];
        if let Some(mask) = &self.mask {
            tensors.push(fill(mask, 0, &|_, _| 1));
        }
        if let Some(types) = &self.types {
            tensors.push(fill(types, 0, &|encoding, at| encoding.types[at]));
        }
        let context = Context {
            items: texts.len() as u64,
            tokens: spans.iter().map(|(begin, end)| (end - begin) as u64).sum(),
            plain: false,
            spans,
        };
        Ok((tensors, context))
    }

    fn too_long(&self, item: String, found: &str) -> InputError {
        InputError::Item {
            item,
            reason: format!(
                "{found}, and a call may have {TEXT_BYTES_MAX}: shorten them, since no more than {} tokens of each are read, or \
                 make several calls",
                self.tokens_max
            ),
        }
    }
}
