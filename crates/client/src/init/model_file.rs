//! Which file of the folder is the model; a TensorFlow.js model becomes an ONNX file beside it.

use std::path::{Path, PathBuf};

use super::InitOptions;
use super::folder::{Folder, read_text};
use crate::error::{ClientError, Result};

/// Where exporters put the model, in the order of preference.
const USUAL: [&str; 2] = ["model.onnx", "onnx/model.onnx"];
const TENSORFLOW_JS: &str = "model.json";
const CONVERTED: &str = "model.onnx";
/// Below the folder: exports keep variants one level down.
const DEPTH_MAX: usize = 3;

pub(super) struct ModelFile {
    /// Relative to the folder, with `/`.
    pub path: String,
    pub onnx: Vec<u8>,
    pub converted: Option<PathBuf>,
    /// What it was converted from, so that anyone can do that again.
    pub sources: Vec<String>,
}

pub(super) fn find(folder: &Folder, options: &InitOptions) -> Result<ModelFile> {
    if let Some(path) = &options.model {
        return if path.ends_with(".json") {
            convert(folder, path, options)
        } else {
            onnx(folder, path)
        };
    }
    // A conversion that an earlier call wrote is made again from its source.
    if is_tensorflow_js(folder, TENSORFLOW_JS)? {
        return convert(folder, TENSORFLOW_JS, options);
    }
    let mut found = Vec::new();
    collect(&folder.path, &folder.path, 0, &mut found)?;
    found.sort();
    let usual = USUAL.iter().find(|path| found.iter().any(|f| f == *path));
    match (usual, &found[..]) {
        (Some(path), _) => onnx(folder, path),
        (None, [one]) => onnx(folder, one),
        (None, []) => Err(ClientError::InvalidFile {
            path: folder.path.clone(),
            reason: "there is no model: neither an .onnx file nor a TensorFlow.js model.json. Export to ONNX, for example with `optimum-cli export onnx`".to_owned(),
        }),
        (None, several) => Err(ClientError::InvalidFile {
            path: folder.path.clone(),
            reason: format!(
                "there are several models, choose one with --model: {}",
                several.join(", ")
            ),
        }),
    }
}

fn onnx(folder: &Folder, path: &str) -> Result<ModelFile> {
    let full = folder.path.join(path);
    Ok(ModelFile {
        path: path.to_owned(),
        onnx: std::fs::read(&full).map_err(ClientError::file(full))?,
        converted: None,
        sources: Vec::new(),
    })
}

fn is_tensorflow_js(folder: &Folder, path: &str) -> Result<bool> {
    let json = read_text(&folder.path, path)?;
    Ok(json.is_some_and(|json| stoa_convert::is_tensorflow_js(&json)))
}

fn convert(folder: &Folder, path: &str, options: &InitOptions) -> Result<ModelFile> {
    let source = folder.path.join(path);
    let json = std::fs::read_to_string(&source).map_err(ClientError::file(&source))?;
    let beside = source.parent().unwrap_or(&folder.path).to_owned();
    let mut sources = vec![path.to_owned()];
    let onnx = stoa_convert::tensorflow_js(&json, |shard| {
        let full = beside.join(shard);
        sources.extend(relative(&folder.path, &full));
        std::fs::read(full)
    })
    .map_err(|error| ClientError::InvalidFile {
        path: source,
        reason: error.to_string(),
    })?;
    let target = folder.path.join(CONVERTED);
    let present = std::fs::read(&target).ok();
    if present.as_ref().is_some_and(|present| *present != onnx) && !options.replace {
        return Err(ClientError::InvalidFile {
            path: target,
            reason: format!(
                "it exists and is not what {path} converts to: write it anew with --replace, or take it as it is with --model {CONVERTED}"
            ),
        });
    }
    std::fs::write(&target, &onnx).map_err(ClientError::file(&target))?;
    Ok(ModelFile {
        path: CONVERTED.to_owned(),
        onnx,
        converted: Some(target),
        sources,
    })
}

fn collect(root: &Path, folder: &Path, depth: usize, found: &mut Vec<String>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(ClientError::file(folder))?;
    for entry in entries {
        let entry = entry.map_err(ClientError::file(folder))?;
        let path = entry.path();
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if path.is_dir() {
            if depth < DEPTH_MAX && !hidden {
                collect(root, &path, depth + 1, found)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == "onnx")
        {
            found.extend(relative(root, &path));
        }
    }
    Ok(())
}

fn relative(root: &Path, path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path
        .strip_prefix(root)
        .ok()?
        .iter()
        .map(|part| part.to_str())
        .collect();
    Some(parts?.join("/"))
}
