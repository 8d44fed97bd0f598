//! A first `model.toml` for a folder with a model: from the Hugging Face layout (card, configuration, tokenizer, ONNX files) or
//! from a TensorFlow.js layers model, which is converted to ONNX beside it.
//!
//! What must hold: what is written can be pushed as it is, and the engine has loaded the model with the signature that
//! stands in it. What could not be read off the folder is named, for a person to decide.

mod folder;
mod hugging_face;
mod image;
mod model_file;
mod text;
mod written;

use std::path::{Path, PathBuf};

use stoa_types::ValidManifest;
use stoa_types::manifest::{Dimension, PipelineKind, Signature};
use stoa_types::names::{check_model_name, check_semver, check_task};

use crate::error::{ClientError, Result};
use crate::model_directory::{FILE_NAME, ModelDirectory};
use folder::Folder;
use model_file::ModelFile;

/// What the caller says; the rest is read off the folder.
#[derive(Clone, Debug, Default)]
pub struct InitOptions {
    pub name: Option<String>,
    pub version: Option<String>,
    pub license: Option<String>,
    pub task: Option<String>,
    /// Which model of several: a path below the folder, ONNX or TensorFlow.js.
    pub model: Option<String>,
    /// Write over a `model.toml` that is there, and over an ONNX file that another conversion wrote.
    pub replace: bool,
}

/// What was written, and what a person should look at.
#[derive(Clone, Debug)]
pub struct Initialized {
    pub path: PathBuf,
    pub model: ModelDirectory,
    /// The ONNX file that was made here.
    pub converted: Option<PathBuf>,
    pub to_do: Vec<String>,
}

/// Everything that goes into `model.toml`.
struct Draft {
    name: String,
    version: String,
    license: String,
    task: String,
    files: Vec<String>,
    card: Option<String>,
    model: String,
    labels: Vec<String>,
    kind: PipelineKind,
    signature: Signature,
}

/// Nobody has this handle in mind: the publisher is named when the model is pushed.
const ANY_PUBLISHER: &str = "publisher";

pub fn init(path: &Path, options: &InitOptions) -> Result<Initialized> {
    let target = path.join(FILE_NAME);
    if target.exists() && !options.replace {
        return Err(ClientError::InvalidFile {
            path: target,
            reason: "it exists: edit it, or write it anew with --replace".to_owned(),
        });
    }
    let folder = Folder::read(path)?;
    let mut to_do = Vec::new();
    let file = model_file::find(&folder, options)?;
    let draft = draft(&folder, &file, options, &mut to_do)?;
    check_loads(&file, &draft.signature)?;
    let text = written::to_toml(&draft);
    std::fs::write(&target, text).map_err(ClientError::file(&target))?;
    // What was written is read as push will read it.
    let model = ModelDirectory::read(path, ANY_PUBLISHER)?;
    ValidManifest::try_from(model.manifest.clone()).map_err(|error| ClientError::InvalidFile {
        path: target.clone(),
        reason: error.to_string(),
    })?;
    Ok(Initialized {
        path: target,
        model,
        converted: file.converted,
        to_do,
    })
}

fn draft(
    folder: &Folder,
    file: &ModelFile,
    options: &InitOptions,
    to_do: &mut Vec<String>,
) -> Result<Draft> {
    let task = task(folder, options, to_do)?;
    let labels = folder.labels(to_do);
    let mut choose = |open: &stoa_engine::OpenDimension| {
        image::dimension(folder, open)
            .or_else(|| text::dimension(folder, open))
            .unwrap_or_else(|| default_dimension(open))
    };
    let signature =
        stoa_engine::propose_signature(&file.onnx, &stoa_engine::Limits::default(), &mut choose)
            .map_err(|error| ClientError::InvalidFile {
                path: folder.path.join(&file.path),
                reason: error.to_string(),
            })?;
    let kind = match text::pipeline(folder, &signature, &task, &labels, to_do) {
        Some(text) => PipelineKind::Text(text),
        None => match image::pipeline(folder, &signature, &task, &labels, to_do) {
            Some(image) => PipelineKind::Image(image),
            None => PipelineKind::Tensors,
        },
    };
    Ok(Draft {
        name: name(folder, options)?,
        version: version(options)?,
        license: license(folder, options)?,
        task,
        files: folder.files_of(file, &kind),
        card: folder.card.as_ref().map(|_| folder::CARD.to_owned()),
        model: file.path.clone(),
        labels,
        kind,
        signature,
    })
}

/// The first dimension is most often how many at once; others are lengths.
fn default_dimension(open: &stoa_engine::OpenDimension) -> Dimension {
    Dimension::Dynamic {
        name: open.name.clone(),
        max: if open.axis == 0 { 64 } else { 512 },
    }
}

/// A manifest whose model does not load would be voted on for nothing.
fn check_loads(file: &ModelFile, signature: &Signature) -> Result<()> {
    let loaded = stoa_engine::load(file.onnx.clone(), signature, stoa_engine::Limits::default());
    loaded.map(drop).map_err(|error| {
        ClientError::Failed(format!("{} would not run on chain: {error}", file.path))
    })
}

fn name(folder: &Folder, options: &InitOptions) -> Result<String> {
    let invalid = |name: &str, reason: String| {
        ClientError::InvalidArgument(format!(
            "\"{name}\" is no name for a model: {reason}; choose one with --name"
        ))
    };
    let name = match &options.name {
        Some(name) => name.clone(),
        None => folder.name().ok_or_else(|| {
            ClientError::InvalidArgument(
                "the folder's name gives no name for the model: choose one with --name".to_owned(),
            )
        })?,
    };
    check_model_name(&name).map_err(|problem| invalid(&name, problem.to_string()))?;
    Ok(name)
}

fn version(options: &InitOptions) -> Result<String> {
    let version = options.version.as_deref().unwrap_or("1.0.0");
    check_semver(version).map_err(|problem| {
        ClientError::InvalidArgument(format!("\"{version}\" is no version number: {problem}"))
    })?;
    Ok(version.to_owned())
}

fn license(folder: &Folder, options: &InitOptions) -> Result<String> {
    let given = options
        .license
        .clone()
        .or_else(|| folder.card_field("license"));
    let Some(given) = given else {
        return Err(ClientError::InvalidArgument(
            "nothing says under which licence the model is: name it in SPDX with --license, as Apache-2.0 or MIT".to_owned(),
        ));
    };
    hugging_face::spdx(&given).ok_or_else(|| {
        ClientError::InvalidArgument(format!(
            "\"{given}\" is no SPDX licence: name one with --license, or your own as LicenseRef-<name> and put its text into the folder"
        ))
    })
}

fn task(folder: &Folder, options: &InitOptions, to_do: &mut Vec<String>) -> Result<String> {
    if let Some(task) = &options.task {
        check_task(task).map_err(|problem| {
            ClientError::InvalidArgument(format!(
                "\"{task}\" is no task: {problem}, as image-classification"
            ))
        })?;
        return Ok(task.clone());
    }
    let found = folder
        .card_field("pipeline_tag")
        .filter(|task| check_task(task).is_ok())
        .or_else(|| hugging_face::task(folder));
    Ok(found.unwrap_or_else(|| {
        to_do.push(
            "task: nothing says what the model is for; it is \"other\" now, write what Hugging Face would call it"
                .to_owned(),
        );
        "other".to_owned()
    }))
}

#[cfg(test)]
mod tests;
