//! A model on disk: `model.toml` and the files that it names, turned into a manifest.
//!
//! What must hold: equal files and an equal `model.toml` give an equal manifest, on every machine, so that the digest
//! that was voted on can be recomputed from a directory by anyone.

use std::path::{Path, PathBuf};

use candid::Principal;
use serde::Deserialize;
use stoa_content::hash_file;
use stoa_types::manifest::{
    Card, Dimension, EvaluationClaim, FileEntry, Lineage, Manifest, Parent, Pipeline, PipelineKind,
    Relation, RoyaltyShare, Signature, TensorSpec,
};
use stoa_types::pipeline::{ImagePipeline, TabularPipeline, TextPipeline};
use stoa_types::tensor::DataType;
use stoa_types::{Sha256, ValidManifest};

use crate::error::{ClientError, Result};
use crate::front_matter::parse_card;

pub(crate) const FILE_NAME: &str = "model.toml";

/// A model ready to be pushed.
#[derive(Clone, Debug)]
pub struct ModelDirectory {
    pub folder: PathBuf,
    pub manifest: Manifest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelToml {
    name: String,
    version: String,
    license: String,
    task: String,
    files: Vec<String>,
    /// Path of the model card.
    card: Option<String>,
    pipeline: PipelineToml,
    signature: SignatureToml,
    #[serde(default)]
    lineage: LineageToml,
    #[serde(default)]
    royalties: Vec<RoyaltyToml>,
    #[serde(default)]
    claims: Vec<ClaimToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PipelineToml {
    model: String,
    kind: PipelineKindToml,
    #[serde(default)]
    labels: Vec<String>,
    /// The table that `kind` names, with the names of the manifest's own types.
    text: Option<TextPipeline>,
    image: Option<ImagePipeline>,
    tabular: Option<TabularPipeline>,
}

impl PipelineToml {
    fn kind(&mut self) -> Result<PipelineKind, String> {
        let absent =
            |name| format!("pipeline.kind is \"{name}\", but there is no [pipeline.{name}]");
        let kind = match self.kind {
            PipelineKindToml::Tensors => PipelineKind::Tensors,
            PipelineKindToml::Text => {
                PipelineKind::Text(self.text.take().ok_or_else(|| absent("text"))?)
            }
            PipelineKindToml::Image => {
                PipelineKind::Image(self.image.take().ok_or_else(|| absent("image"))?)
            }
            PipelineKindToml::Tabular => {
                PipelineKind::Tabular(self.tabular.take().ok_or_else(|| absent("tabular"))?)
            }
        };
        if self.text.is_some() || self.image.is_some() || self.tabular.is_some() {
            return Err("pipeline has a table that its kind does not name".to_owned());
        }
        Ok(kind)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum PipelineKindToml {
    Tensors,
    Text,
    Image,
    Tabular,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureToml {
    inputs: Vec<TensorToml>,
    outputs: Vec<TensorToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TensorToml {
    name: String,
    datatype: String,
    shape: Vec<DimensionToml>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum DimensionToml {
    Fixed(u64),
    Dynamic { name: String, max: u64 },
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct LineageToml {
    parents: Vec<ParentToml>,
    datasets: Vec<String>,
    code_revision: Option<String>,
    service_endpoints: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParentToml {
    version: String,
    relation: RelationToml,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RelationToml {
    Finetune,
    Adapter,
    Quantized,
    Merge,
    Distilled,
    Converted,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoyaltyToml {
    owner: String,
    subaccount: Option<String>,
    basis_points: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimToml {
    dataset: String,
    split: String,
    metric: String,
    value: String,
}

impl ModelDirectory {
    /// Reads and hashes everything that `folder/model.toml` names.
    pub fn read(folder: &Path, publisher: &str) -> Result<Self> {
        let path = folder.join(FILE_NAME);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ClientError::InvalidFile {
                    path,
                    reason: format!(
                        "there is none: write one with `stoa model init {}`",
                        folder.display()
                    ),
                });
            }
            text => text.map_err(ClientError::file(&path))?,
        };
        let invalid = |reason: String| ClientError::InvalidFile {
            path: path.clone(),
            reason,
        };
        let model: ModelToml = toml::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        let card = match &model.card {
            Some(card) => read_card(&folder.join(card))?,
            None => Card::default(),
        };
        let mut files = model
            .files
            .iter()
            .map(|file| read_entry(folder, file))
            .collect::<Result<Vec<_>>>()?;
        // The order in which a manifest lists them, whatever order people write.
        files.sort_by(|left, right| left.path.cmp(&right.path));
        let manifest = manifest(model, publisher, files, card).map_err(invalid)?;
        ValidManifest::try_from(manifest.clone()).map_err(|error| invalid(error.to_string()))?;
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
        })
    }

    /// The identifier that the version will have.
    pub fn version(&self) -> Sha256 {
        self.manifest.digest()
    }

    /// Bytes of all files.
    pub fn size_bytes(&self) -> u64 {
        self.manifest.files.iter().map(|file| file.size_bytes).sum()
    }

    pub fn path_of(&self, file: &FileEntry) -> PathBuf {
        self.folder.join(&file.path)
    }
}

/// The files of a version as one IPFS folder, as shards serve it; `None` where a folder in it has too many names for one block.
pub fn folder_cid(manifest: &Manifest) -> Option<String> {
    let folder = stoa_content::directory_link(&manifest.files).ok()?;
    Some(folder.cid.to_string())
}

fn read_entry(folder: &Path, path: &str) -> Result<FileEntry> {
    let full = folder.join(path);
    std::fs::File::open(&full)
        .and_then(|file| hash_file(path, file))
        .map_err(ClientError::file(full))
}

fn read_card(path: &Path) -> Result<Card> {
    let text = std::fs::read_to_string(path).map_err(ClientError::file(path))?;
    parse_card(&text).map_err(|reason| ClientError::InvalidFile {
        path: path.to_owned(),
        reason,
    })
}

fn manifest(
    mut model: ModelToml,
    publisher: &str,
    files: Vec<FileEntry>,
    card: Card,
) -> Result<Manifest, String> {
    let kind = model.pipeline.kind()?;
    Ok(Manifest {
        schema: 1,
        publisher: publisher.to_owned(),
        name: model.name,
        version: model.version,
        license: model.license,
        task: model.task,
        files,
        signature: Signature {
            inputs: convert(model.signature.inputs, tensor)?,
            outputs: convert(model.signature.outputs, tensor)?,
        },
        pipeline: Pipeline {
            model: model.pipeline.model,
            kind,
            labels: model.pipeline.labels,
        },
        card,
        lineage: Lineage {
            parents: convert(model.lineage.parents, parent)?,
            datasets: model.lineage.datasets,
            code_revision: model.lineage.code_revision,
            service_endpoints: model.lineage.service_endpoints,
        },
        royalties: convert(model.royalties, royalty)?,
        claims: model
            .claims
            .into_iter()
            .map(|claim| EvaluationClaim {
                dataset: claim.dataset,
                split: claim.split,
                metric: claim.metric,
                value: claim.value,
            })
            .collect(),
    })
}

fn convert<T, U>(list: Vec<T>, element: impl Fn(T) -> Result<U, String>) -> Result<Vec<U>, String> {
    list.into_iter().map(element).collect()
}

fn tensor(tensor: TensorToml) -> Result<TensorSpec, String> {
    let datatype = DataType::from_name(&tensor.datatype).ok_or_else(|| {
        format!(
            "tensor \"{}\": there is no data type {}",
            tensor.name, tensor.datatype
        )
    })?;
    Ok(TensorSpec {
        name: tensor.name,
        datatype,
        shape: tensor
            .shape
            .into_iter()
            .map(|dimension| match dimension {
                DimensionToml::Fixed(extent) => Dimension::Fixed(extent),
                DimensionToml::Dynamic { name, max } => Dimension::Dynamic { name, max },
            })
            .collect(),
    })
}

fn parent(parent: ParentToml) -> Result<Parent, String> {
    Ok(Parent {
        version: digest("lineage.parents: version", &parent.version)?,
        relation: match parent.relation {
            RelationToml::Finetune => Relation::Finetune,
            RelationToml::Adapter => Relation::Adapter,
            RelationToml::Quantized => Relation::Quantized,
            RelationToml::Merge => Relation::Merge,
            RelationToml::Distilled => Relation::Distilled,
            RelationToml::Converted => Relation::Converted,
        },
    })
}

fn royalty(share: RoyaltyToml) -> Result<RoyaltyShare, String> {
    let owner = Principal::from_text(&share.owner)
        .map_err(|error| format!("royalties: owner {}: {error}", share.owner))?;
    let subaccount = share
        .subaccount
        .map(|text| digest("royalties: subaccount", &text))
        .transpose()?;
    Ok(RoyaltyShare {
        owner,
        subaccount,
        basis_points: share.basis_points,
    })
}

fn digest(field: &str, text: &str) -> Result<Sha256, String> {
    text.parse()
        .map_err(|_| format!("{field}: \"{text}\" is not 64 hexadecimal digits"))
}
