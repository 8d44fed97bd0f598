//! What lies in the folder: the files that people put beside a model, read once.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};
use stoa_types::limits::{LABEL_BYTES_MAX, LABELS_MAX};
use stoa_types::manifest::PipelineKind;

use super::model_file::ModelFile;
use crate::error::{ClientError, Result};
use crate::front_matter;

pub(super) const CARD: &str = "README.md";
const TOKENIZER: &str = "tokenizer.json";
const LABELS: &str = "labels.txt";

/// Goes with a model wherever it lies: small, and needed to understand or use it elsewhere.
const COMPANIONS: [&str; 18] = [
    CARD,
    "LICENSE",
    "LICENSE.md",
    "LICENSE.txt",
    "NOTICE",
    "config.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "modules.json",
    "1_Pooling/config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab",
    LABELS,
    "metadata.json",
];

pub(super) struct Folder {
    pub path: PathBuf,
    pub card: Option<String>,
    pub config: Json,
    pub tokenizer_config: Json,
    pub special_tokens: Json,
    pub preprocessor: Json,
    pub pooling: Json,
    pub modules: Json,
    /// Of Teachable Machine.
    pub metadata: Json,
    pub tokenizer: Option<Json>,
    label_lines: Vec<String>,
}

impl Folder {
    pub fn read(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            return Err(ClientError::InvalidFile {
                path: path.to_owned(),
                reason: "it is not a folder".to_owned(),
            });
        }
        let json = |name: &str| read_json(path, name).map(Option::unwrap_or_default);
        let labels = read_text(path, LABELS)?.unwrap_or_default();
        let labels = labels.lines().map(str::trim_end);
        Ok(Self {
            path: path.to_owned(),
            card: read_text(path, CARD)?,
            config: json("config.json")?,
            tokenizer_config: json("tokenizer_config.json")?,
            special_tokens: json("special_tokens_map.json")?,
            preprocessor: json("preprocessor_config.json")?,
            pooling: json("1_Pooling/config.json")?,
            modules: json("modules.json")?,
            metadata: json("metadata.json")?,
            tokenizer: read_json(path, TOKENIZER)?,
            label_lines: labels.map(str::to_owned).collect(),
        })
    }

    /// What the folder is called, if a model can be called so.
    pub fn name(&self) -> Option<String> {
        let full = self.path.canonicalize().ok()?;
        Some(full.file_name()?.to_str()?.to_owned())
    }

    /// One value of the card's front matter.
    pub fn card_field(&self, key: &str) -> Option<String> {
        let card = self.card.as_deref()?;
        front_matter::value(card, key)
    }

    /// Class names by index: of the configuration, of Teachable Machine, or a line each.
    pub fn labels(&self, to_do: &mut Vec<String>) -> Vec<String> {
        let labels = self
            .labels_of_config()
            .or_else(|| strings(self.metadata.get("labels")?))
            .unwrap_or_else(|| self.label_lines.clone());
        let fit = labels.len() as u64 <= LABELS_MAX
            && labels
                .iter()
                .all(|label| !label.is_empty() && label.len() as u64 <= LABEL_BYTES_MAX);
        if fit {
            return labels;
        }
        to_do.push("pipeline.labels: some are empty or too long, so none were taken".to_owned());
        Vec::new()
    }

    /// `id2label`, where it says more than the numbers that Transformers makes up.
    fn labels_of_config(&self) -> Option<Vec<String>> {
        let by_id: &Map<String, Json> = self.config.get("id2label")?.as_object()?;
        let labels: Vec<String> = (0..by_id.len())
            .map(|id| Some(by_id.get(&id.to_string())?.as_str()?.to_owned()))
            .collect::<Option<_>>()?;
        let made_up = labels
            .iter()
            .enumerate()
            .all(|(id, label)| *label == format!("LABEL_{id}"));
        (!made_up).then_some(labels)
    }

    /// The files of the version: the model, what the pipeline needs, and what people need to understand them.
    pub fn files_of(&self, model: &ModelFile, kind: &PipelineKind) -> Vec<String> {
        let mut files = vec![model.path.clone()];
        files.extend(model.sources.clone());
        if matches!(kind, PipelineKind::Text(_)) || self.tokenizer.is_some() {
            files.push(TOKENIZER.to_owned());
        }
        let present = COMPANIONS
            .iter()
            .filter(|name| self.path.join(name).is_file());
        files.extend(present.map(|name| (*name).to_owned()));
        files.sort();
        files.dedup();
        files
    }
}

pub(super) fn strings(json: &Json) -> Option<Vec<String>> {
    json.as_array()?
        .iter()
        .map(|text| text.as_str().map(str::to_owned))
        .collect()
}

pub(super) fn read_text(folder: &Path, name: &str) -> Result<Option<String>> {
    let path = folder.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ClientError::file(path)(error)),
    }
}

fn read_json(folder: &Path, name: &str) -> Result<Option<Json>> {
    let Some(text) = read_text(folder, name)? else {
        return Ok(None);
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| ClientError::InvalidFile {
            path: folder.join(name),
            reason: format!("not JSON: {error}"),
        })
}
