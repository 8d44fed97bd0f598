//! Doing a paid call again on this machine, with bytes that were checked and the engine that the canister runs.
//!
//! What must hold: equality is of hashes over every bit of every tensor. A difference means that the canister lied, or
//! that the engines differ; the engine's name is in the receipt and is compared first.

use std::path::Path;

use stoa_content::hash_file;
use stoa_engine::{CheckedInputs, ENGINE, Limits, Model};
use stoa_inference_api::Receipt;
use stoa_types::Sha256;
use stoa_types::manifest::{FileEntry, Manifest};
use stoa_types::tensor::{Tensor, hash_tensors};

use crate::error::{ClientError, Result, VerificationError};
use crate::pull::Source;

/// The bytes of a version were read and are what the manifest names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerifiedBytes {
    pub files: u64,
    pub bytes: u64,
}

/// A model that was fetched, checked and compiled here.
pub struct LocalModel {
    model: Model,
    version: Sha256,
}

/// Reads every byte of a version, keeping none but the file that is run.
pub async fn verify_bytes(
    source: &Source,
    mut progress: impl FnMut(u64),
) -> Result<(VerifiedBytes, Vec<u8>)> {
    let manifest = source.manifest();
    let mut onnx = Vec::new();
    let mut verified = VerifiedBytes { files: 0, bytes: 0 };
    for file in &manifest.files {
        let is_model = file.path == manifest.pipeline.model;
        source
            .read(file, |chunk| {
                if is_model {
                    onnx.extend_from_slice(chunk);
                }
                verified.bytes += chunk.len() as u64;
                progress(chunk.len() as u64);
                Ok(())
            })
            .await?;
        verified.files += 1;
    }
    Ok((verified, onnx))
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

/// The file that a version's pipeline runs.
pub fn model_file(manifest: &Manifest) -> Result<&FileEntry> {
    manifest
        .files
        .iter()
        .find(|file| file.path == manifest.pipeline.model)
        .ok_or_else(|| {
            ClientError::Failed(format!(
                "the pipeline runs {}, which is not among the files",
                manifest.pipeline.model
            ))
        })
}

impl LocalModel {
    /// `onnx` must be the bytes of `manifest.pipeline.model`; they are hashed again here.
    pub fn load(manifest: &Manifest, onnx: Vec<u8>) -> Result<Self> {
        let file = model_file(manifest)?;
        let found = Sha256::of(&onnx);
        if found != file.sha256 {
            return Err(VerificationError::Contradicted {
                what: format!("the hash of {}", file.path),
                claimed: found.to_string(),
                proven: file.sha256.to_string(),
            }
            .into());
        }
        let model = stoa_engine::load(onnx, &manifest.signature, Limits::default())
            .map_err(|error| ClientError::Failed(format!("the model does not load: {error}")))?;
        Ok(Self {
            model,
            version: manifest.digest(),
        })
    }

    pub fn run(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>> {
        let inputs = self.check(inputs)?;
        self.run_checked(inputs)
    }

    /// Does the call of `receipt` again and compares every bit; answers the outputs.
    pub fn verify_run(&self, receipt: &Receipt, inputs: Vec<Tensor>) -> Result<Vec<Tensor>> {
        expect("the version", &receipt.version, &self.version)?;
        // A receipt hashes the inputs in the order of the signature, whatever order the caller chose.
        let inputs = self.check(inputs)?;
        let input_hash = hash_tensors(inputs.tensors());
        expect("the hash of the inputs", &receipt.input_hash, &input_hash)?;
        if receipt.engine != ENGINE {
            return Err(ClientError::Failed(format!(
                "the receipt names the engine \"{}\" and this is \"{ENGINE}\": results can only be compared with the same one",
                receipt.engine
            )));
        }
        let outputs = self.run_checked(inputs)?;
        let output_hash = hash_tensors(&outputs);
        expect(
            "the hash of the outputs",
            &receipt.output_hash,
            &output_hash,
        )?;
        Ok(outputs)
    }

    fn check(&self, inputs: Vec<Tensor>) -> Result<CheckedInputs> {
        self.model
            .check_inputs(inputs)
            .map_err(|error| ClientError::InvalidArgument(error.to_string()))
    }

    fn run_checked(&self, inputs: CheckedInputs) -> Result<Vec<Tensor>> {
        self.model
            .start(inputs)
            .and_then(stoa_engine::Run::finish)
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
