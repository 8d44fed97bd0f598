//! Doing a paid call again on this machine, with bytes that were checked and the engine that the canister runs.
//!
//! What must hold: equality is of hashes over every bit of every tensor. A difference means that the canister lied, or
//! that the engines differ; the engine's name is in the receipt and is compared first.

use std::collections::BTreeMap;
use std::path::Path;

use stoa_content::hash_file;
use stoa_engine::{ENGINE, Limits, Model, Pipeline, Prepared};
use stoa_inference_api::Receipt;
use stoa_types::Sha256;
use stoa_types::manifest::{FileEntry, Manifest};
use stoa_types::pipeline::{Answer, Input, hash_answer, hash_input};

use crate::error::{ClientError, Result, VerificationError};
use crate::pull::Source;

/// The bytes of a version were read and are what the manifest names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerifiedBytes {
    pub files: u64,
    pub bytes: u64,
}

/// A model that was fetched, checked and compiled here, with its pipeline.
pub struct LocalModel {
    model: Model,
    pipeline: Pipeline,
    version: Sha256,
}

/// The files that a run reads, by path: the network and what its pipeline needs.
pub type RunFiles = BTreeMap<String, Vec<u8>>;

/// Reads every byte of a version, keeping none but the files that a run reads.
pub async fn verify_bytes(
    source: &Source,
    mut progress: impl FnMut(u64),
) -> Result<(VerifiedBytes, RunFiles)> {
    let manifest = source.manifest();
    let needed = run_paths(manifest);
    let mut kept = RunFiles::new();
    let mut verified = VerifiedBytes { files: 0, bytes: 0 };
    for file in &manifest.files {
        let is_needed = needed.contains(&file.path.as_str());
        let mut bytes = Vec::new();
        source
            .read(file, |chunk| {
                if is_needed {
                    bytes.extend_from_slice(chunk);
                }
                verified.bytes += chunk.len() as u64;
                progress(chunk.len() as u64);
                Ok(())
            })
            .await?;
        verified.files += 1;
        if is_needed {
            kept.insert(file.path.clone(), bytes);
        }
    }
    Ok((verified, kept))
}

/// The network first, then what its pipeline reads.
fn run_paths(manifest: &Manifest) -> Vec<&str> {
    std::iter::once(manifest.pipeline.model.as_str())
        .chain(Pipeline::files(&manifest.pipeline))
        .collect()
}

/// What a run reads, from a folder that has a version's files. [`LocalModel::load`] hashes them.
pub fn run_files(manifest: &Manifest, folder: &Path) -> Result<RunFiles> {
    run_paths(manifest)
        .into_iter()
        .map(|name| {
            let path = folder.join(name);
            let bytes = std::fs::read(&path).map_err(ClientError::file(&path))?;
            Ok((name.to_owned(), bytes))
        })
        .collect()
}

/// Reads the files of `folder` that a proven manifest names; what else lies there does not matter.
pub fn verify_folder(manifest: &Manifest, folder: &Path) -> Result<VerifiedBytes> {
    let mut verified = VerifiedBytes { files: 0, bytes: 0 };
    for file in &manifest.files {
        let path = folder.join(&file.path);
        let found = std::fs::File::open(&path)
            .and_then(|open| hash_file(&file.path, open))
            .map_err(ClientError::file(&path))?;
        if found != *file {
            return Err(ClientError::InvalidFile {
                path,
                reason: format!(
                    "it is not what the version names: its SHA-256 is {}, the manifest says {}",
                    found.sha256, file.sha256
                ),
            });
        }
        verified.files += 1;
        verified.bytes += found.size_bytes;
    }
    Ok(verified)
}

fn entry<'a>(manifest: &'a Manifest, path: &str) -> Result<&'a FileEntry> {
    manifest
        .files
        .iter()
        .find(|file| file.path == path)
        .ok_or_else(|| {
            ClientError::Failed(format!(
                "the pipeline reads {path}, which is not among the files"
            ))
        })
}

impl LocalModel {
    /// `files` must be the bytes that the manifest names; they are hashed again here.
    pub fn load(manifest: &Manifest, mut files: RunFiles) -> Result<Self> {
        for path in run_paths(manifest) {
            let bytes = files
                .get(path)
                .ok_or_else(|| ClientError::Failed(format!("a run needs {path}")))?;
            expect(
                &format!("the hash of {path}"),
                &Sha256::of(bytes),
                &entry(manifest, path)?.sha256,
            )?;
        }
        let description = &manifest.pipeline;
        let onnx = files.remove(&description.model).unwrap_or_default();
        let model = stoa_engine::load(onnx, &manifest.signature, Limits::default())
            .map_err(|error| ClientError::Failed(format!("the model does not load: {error}")))?;
        let beside: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
            .collect();
        let pipeline =
            Pipeline::new(description, &manifest.signature, &beside).map_err(|error| {
                ClientError::Failed(format!("the pipeline cannot be set up: {error}"))
            })?;
        Ok(Self {
            model,
            pipeline,
            version: manifest.digest(),
        })
    }

    pub fn run(&self, input: Input) -> Result<Answer> {
        let prepared = self.prepare(input)?;
        self.run_prepared(prepared)
    }

    /// Does the call of `receipt` again and compares every bit; gives the answer.
    pub fn verify_run(&self, receipt: &Receipt, input: Input) -> Result<Answer> {
        expect("the version", &receipt.version, &self.version)?;
        let given = match &input {
            Input::Tensors(_) => None,
            other => Some(hash_input(other)),
        };
        let prepared = self.prepare(input)?;
        // A receipt hashes tensors in the order of the signature, whatever order the caller chose.
        let input_hash = given
            .unwrap_or_else(|| hash_input(&Input::Tensors(prepared.inputs.tensors().to_vec())));
        expect("the hash of the inputs", &receipt.input_hash, &input_hash)?;
        if receipt.engine != ENGINE {
            return Err(ClientError::Failed(format!(
                "the receipt names the engine \"{}\" and this is \"{ENGINE}\": results can only be compared with the same one",
                receipt.engine
            )));
        }
        let answer = self.run_prepared(prepared)?;
        expect(
            "the hash of the outputs",
            &receipt.output_hash,
            &hash_answer(&answer),
        )?;
        Ok(answer)
    }

    fn prepare(&self, input: Input) -> Result<Prepared> {
        self.pipeline
            .prepare(input)
            .map_err(|error| ClientError::InvalidArgument(error.to_string()))
    }

    fn run_prepared(&self, prepared: Prepared) -> Result<Answer> {
        let Prepared { inputs, context } = prepared;
        self.model
            .start(inputs)
            .and_then(stoa_engine::Run::finish)
            .and_then(|outputs| self.pipeline.answer(&context, outputs))
            .map_err(|error| ClientError::Failed(format!("the run failed: {error}")))
    }
}

fn expect(what: &str, claimed: &Sha256, proven: &Sha256) -> Result<(), VerificationError> {
    if claimed == proven {
        return Ok(());
    }
    Err(VerificationError::Contradicted {
        what: what.to_owned(),
        claimed: claimed.to_string(),
        proven: proven.to_string(),
    })
}
