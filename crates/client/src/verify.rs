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
use stoa_types::manifest::Manifest;
use stoa_types::pipeline::{Answer, Input, hash_answer, hash_input};

use crate::error::{ClientError, Result, VerificationError};
use crate::pull::Source;

/// The bytes of a version were read and are what the manifest names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerifiedBytes {
    pub files: u64,
    pub bytes: u64,
}

/// The files of a version that a run of it reads, by path.
pub type RunFiles = BTreeMap<String, Vec<u8>>;

/// A model that was fetched, checked and compiled here, with what its pipeline needs.
pub struct LocalModel {
    model: Model,
    pipeline: Pipeline,
    version: Sha256,
}

/// Paths of the network and of what the pipeline reads beside it.
fn run_paths(manifest: &Manifest) -> Vec<&str> {
    let mut paths = Pipeline::files(&manifest.pipeline);
    paths.push(&manifest.pipeline.model);
    paths
}

/// Reads every byte of a version, keeping the files that are run and no others.
pub async fn verify_bytes(
    source: &Source,
    mut progress: impl FnMut(u64),
) -> Result<(VerifiedBytes, RunFiles)> {
    let manifest = source.manifest();
    let kept = run_paths(manifest);
    let mut run_files = RunFiles::new();
    let mut verified = VerifiedBytes { files: 0, bytes: 0 };
    for file in &manifest.files {
        let mut keep = kept
            .contains(&file.path.as_str())
            .then(|| run_files.entry(file.path.clone()).or_default());
        source
            .read(file, |chunk| {
                if let Some(kept) = &mut keep {
                    kept.extend_from_slice(chunk);
                }
                verified.bytes += chunk.len() as u64;
                progress(chunk.len() as u64);
                Ok(())
            })
            .await?;
        verified.files += 1;
    }
    Ok((verified, run_files))
}

/// Reads what is run from a folder; [`LocalModel::load`] checks it.
pub fn run_files_in(manifest: &Manifest, folder: &Path) -> Result<RunFiles> {
    run_paths(manifest)
        .into_iter()
        .map(|path| {
            let at = folder.join(path);
            let bytes = std::fs::read(&at).map_err(ClientError::file(&at))?;
            Ok((path.to_owned(), bytes))
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

impl LocalModel {
    /// `files` must be those that the manifest's pipeline runs; they are hashed again here.
    pub fn load(manifest: &Manifest, mut files: RunFiles) -> Result<Self> {
        for path in run_paths(manifest) {
            let named = manifest.files.iter().find(|file| file.path == path);
            let expected = named.map(|file| file.sha256).unwrap_or_default();
            let found = files.get(path).map(|bytes| Sha256::of(bytes));
            if found != Some(expected) {
                return Err(VerificationError::Contradicted {
                    what: format!("the hash of {path}"),
                    claimed: found.map_or("nothing".to_owned(), |found| found.to_string()),
                    proven: expected.to_string(),
                }
                .into());
            }
        }
        let failed =
            |error: String| ClientError::Failed(format!("the model does not load: {error}"));
        let onnx = files.remove(&manifest.pipeline.model).unwrap_or_default();
        let beside: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
            .collect();
        let pipeline = Pipeline::new(&manifest.pipeline, &manifest.signature, &beside)
            .map_err(|error| failed(error.to_string()))?;
        let model = stoa_engine::load(onnx, &manifest.signature, Limits::default())
            .map_err(|error| failed(error.to_string()))?;
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

    /// Does the call of `receipt` again and compares every bit; answers what it gives.
    pub fn verify_run(&self, receipt: &Receipt, input: Input) -> Result<Answer> {
        expect("the version", &receipt.version, &self.version)?;
        let as_given = match &input {
            Input::Tensors(_) => None,
            other => Some(hash_input(other)),
        };
        let prepared = self.prepare(input)?;
        // A receipt hashes tensors in the order of the signature, whatever order the caller chose; everything else as it came.
        let input_hash =
            as_given.unwrap_or_else(|| stoa_types::tensor::hash_tensors(prepared.inputs.tensors()));
        expect("the hash of the input", &receipt.input_hash, &input_hash)?;
        if receipt.engine != ENGINE {
            return Err(ClientError::Failed(format!(
                "the receipt names the engine \"{}\" and this is \"{ENGINE}\": results can only be compared with the same one",
                receipt.engine
            )));
        }
        let answer = self.run_prepared(prepared)?;
        expect(
            "the hash of the answer",
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
        self.model
            .start(prepared.inputs)
            .and_then(stoa_engine::Run::finish)
            .and_then(|outputs| self.pipeline.answer(&prepared.context, outputs))
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
