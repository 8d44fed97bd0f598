//! Post-processors: special tokens around a text or a pair.

use super::Encoding;
use super::TokenizerError;
use super::json::Json;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PostProcessor {
    single: Vec<Part>,
    pair: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    First { kind: u32 },
    Second { kind: u32 },
    Special { ids: Vec<u32>, kind: u32 },
}

impl Default for PostProcessor {
    fn default() -> Self {
        PostProcessor {
            single: vec![Part::First { kind: 0 }],
            pair: vec![Part::First { kind: 0 }, Part::Second { kind: 1 }],
        }
    }
}

impl PostProcessor {
    /// `id` finds the id of a token.
    pub fn read(
        json: &Json<'_>,
        id: &dyn Fn(&str) -> Option<u32>,
    ) -> Result<PostProcessor, TokenizerError> {
        let special = |key: &str, kind: u32| -> Result<Part, TokenizerError> {
            let (_, id) = json.get(key)?.pair()?;
            Ok(Part::Special {
                ids: vec![id],
                kind,
            })
        };
        Ok(match json.kind()? {
            // It only moves offsets.
            "ByteLevel" => PostProcessor::default(),
            "BertProcessing" => PostProcessor {
                single: vec![
                    special("cls", 0)?,
                    Part::First { kind: 0 },
                    special("sep", 0)?,
                ],
                pair: vec![
                    special("cls", 0)?,
                    Part::First { kind: 0 },
                    special("sep", 0)?,
                    Part::Second { kind: 1 },
                    special("sep", 1)?,
                ],
            },
            "RobertaProcessing" => PostProcessor {
                single: vec![
                    special("cls", 0)?,
                    Part::First { kind: 0 },
                    special("sep", 0)?,
                ],
                pair: vec![
                    special("cls", 0)?,
                    Part::First { kind: 0 },
                    special("sep", 0)?,
                    special("sep", 0)?,
                    Part::Second { kind: 0 },
                    special("sep", 0)?,
                ],
            },
            "TemplateProcessing" => PostProcessor {
                single: template(json, "single", id)?,
                pair: template(json, "pair", id)?,
            },
            "Sequence" => {
                let mut found = PostProcessor::default();
                for processor in json.get("processors")?.list()? {
                    let next = PostProcessor::read(&processor, id)?;
                    if next == PostProcessor::default() {
                        continue;
                    }
                    if found != PostProcessor::default() {
                        return Err(processor.refuse("a second one that adds tokens"));
                    }
                    found = next;
                }
                found
            }
            kind => return Err(json.unknown(kind)),
        })
    }

    /// Special tokens around a text or a pair.
    pub fn added(&self, pair: bool) -> usize {
        let parts = if pair { &self.pair } else { &self.single };
        parts
            .iter()
            .map(|part| match part {
                Part::Special { ids, .. } => ids.len(),
                _ => 0,
            })
            .sum()
    }

    pub fn process(&self, first: Vec<u32>, second: Option<Vec<u32>>) -> Encoding {
        let parts = if second.is_some() {
            &self.pair
        } else {
            &self.single
        };
        let second = second.unwrap_or_default();
        let mut encoding = Encoding {
            ids: Vec::new(),
            types: Vec::new(),
        };
        for part in parts {
            let (ids, kind) = match part {
                Part::First { kind } => (&first, *kind),
                Part::Second { kind } => (&second, *kind),
                Part::Special { ids, kind } => (ids, *kind),
            };
            encoding.ids.extend(ids);
            encoding.types.resize(encoding.ids.len(), kind);
        }
        encoding
    }
}

fn template(
    json: &Json<'_>,
    key: &str,
    id: &dyn Fn(&str) -> Option<u32>,
) -> Result<Vec<Part>, TokenizerError> {
    let special_tokens = json.find("special_tokens");
    let mut parts = Vec::new();
    for piece in json.get(key)?.list()? {
        if let Some(sequence) = piece.find("Sequence") {
            let kind = sequence.get("type_id")?.id()?;
            let which = sequence.get("id")?;
            parts.push(match which.text()? {
                "A" => Part::First { kind },
                "B" => Part::Second { kind },
                other => return Err(which.unknown(other)),
            });
            continue;
        }
        let special = piece.get("SpecialToken")?;
        let kind = special.get("type_id")?.id()?;
        let name = special.get("id")?;
        let listed = match &special_tokens {
            Some(tokens) => tokens.find(name.text()?),
            None => None,
        };
        let ids = match listed {
            Some(token) => {
                let list = token.get("ids")?.list()?;
                list.iter().map(Json::id).collect::<Result<_, _>>()?
            }
            None => match id(name.text()?) {
                Some(id) => vec![id],
                None => return Err(name.refuse("it is not in the vocabulary")),
            },
        };
        parts.push(Part::Special { ids, kind });
    }
    Ok(parts)
}
