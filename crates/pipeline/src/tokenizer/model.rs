//! Models: a piece of text becomes ids of a vocabulary.

use super::bpe::Bpe;
use super::json::Json;
use super::word_piece::WordPiece;
use super::{Map, TokenizerError};

#[derive(Clone, Debug)]
pub(super) enum Model {
    WordPiece(WordPiece),
    Bpe(Box<Bpe>),
    WordLevel(WordLevel),
}

/// A word is a token or unknown.
#[derive(Clone, Debug)]
pub(super) struct WordLevel {
    vocabulary: Map<String, u32>,
    unknown: Option<u32>,
}

impl Model {
    pub fn read(json: &Json<'_>) -> Result<Model, TokenizerError> {
        // Old files do not say what they are; their fields do.
        let kind = match json.text_of("type")? {
            Some(kind) => kind,
            None if json.find("merges").is_some() => "BPE".to_owned(),
            None if json.find("continuing_subword_prefix").is_some() => "WordPiece".to_owned(),
            None => return Err(json.refuse("`type` is missing")),
        };
        Ok(match kind.as_str() {
            "WordPiece" => Model::WordPiece(WordPiece::read(json)?),
            "BPE" => Model::Bpe(Box::new(Bpe::read(json)?)),
            "WordLevel" => {
                let vocabulary = json.get("vocab")?.vocabulary()?;
                let unknown = json.get("unk_token")?.text()?;
                Model::WordLevel(WordLevel {
                    unknown: vocabulary.get(unknown).copied(),
                    vocabulary,
                })
            }
            kind => return Err(json.unknown(kind)),
        })
    }

    pub fn id(&self, token: &str) -> Option<u32> {
        match self {
            Model::WordPiece(model) => model.id(token),
            Model::Bpe(model) => model.id(token),
            Model::WordLevel(model) => model.vocabulary.get(token).copied(),
        }
    }

    pub fn tokenize(&self, piece: &str, ids: &mut Vec<u32>) {
        match self {
            Model::WordPiece(model) => model.tokenize(piece, ids),
            Model::Bpe(model) => model.tokenize(piece, ids),
            Model::WordLevel(model) => {
                ids.extend(model.vocabulary.get(piece).copied().or(model.unknown));
            }
        }
    }
}
