//! The Wasm files that the canisters are installed from.

use std::path::{Path, PathBuf};

use stoa_types::Sha256;

use crate::error::{ClientError, Result};

const DEFAULT_FOLDER: &str = "target/canisters";

/// A module as it is installed; the network reports the SHA-256 of exactly these bytes.
#[derive(Clone)]
pub struct Wasm {
    pub bytes: Vec<u8>,
    pub hash: Sha256,
}

impl Wasm {
    /// From a file, whatever is in it: the network refuses what is no module.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(ClientError::file(path))?;
        Ok(Self {
            hash: Sha256::of(&bytes),
            bytes,
        })
    }
}

#[derive(Clone, Debug)]
pub struct WasmFolder(PathBuf);

impl WasmFolder {
    /// `STOA_WASM_DIR`, else where scripts/build puts them.
    pub fn of_environment() -> Self {
        Self(
            std::env::var_os("STOA_WASM_DIR")
                .filter(|value| !value.is_empty())
                .map_or_else(|| PathBuf::from(DEFAULT_FOLDER), PathBuf::from),
        )
    }

    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    pub fn read(&self, name: &str) -> Result<Wasm> {
        let path = self.0.join(format!("{name}.wasm.gz"));
        if !path.exists() {
            return Err(ClientError::WasmMissing { path });
        }
        Wasm::read(&path)
    }
}
