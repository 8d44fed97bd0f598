//! Canisters that an unfinished deployment has created, beside the deployment's own file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candid::Principal;
use serde::{Deserialize, Serialize};

use crate::deployment::write_json;
use crate::error::{ClientError, Result};
use crate::management::Management;

pub struct Journal {
    path: PathBuf,
    content: Content,
}

#[derive(Serialize, Deserialize)]
struct Content {
    endpoint: String,
    created: BTreeMap<String, Principal>,
}

impl Journal {
    /// What an interrupted run left, if it was for this endpoint and its canisters still exist.
    pub async fn open(deployment: &Path, endpoint: &str, management: &Management) -> Result<Self> {
        let path = beside(deployment);
        let mut journal = Self {
            content: Content {
                endpoint: endpoint.to_owned(),
                created: BTreeMap::new(),
            },
            path,
        };
        let Some(left) = read(&journal.path)? else {
            return Ok(journal);
        };
        if left.endpoint != endpoint {
            return Ok(journal);
        }
        for canister in left.created.values() {
            if management.controllers(*canister).await?.is_none() {
                return Ok(journal);
            }
        }
        journal.content = left;
        Ok(journal)
    }

    pub fn created(&self, name: &str) -> Option<Principal> {
        self.content.created.get(name).copied()
    }

    pub fn remember(&mut self, name: &str, canister: Principal) -> Result<()> {
        self.content.created.insert(name.to_owned(), canister);
        write_json(&self.path, &self.content)
    }

    pub fn remove(deployment: &Path) -> Result<()> {
        let path = beside(deployment);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(ClientError::file(path)(error))
            }
            _ => Ok(()),
        }
    }
}

fn read(path: &Path) -> Result<Option<Content>> {
    match std::fs::read_to_string(path) {
        // A journal that cannot be read is as good as none: its canisters are left behind, nothing is lost.
        Ok(text) => Ok(serde_json::from_str(&text).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ClientError::file(path)(error)),
    }
}

fn beside(deployment: &Path) -> PathBuf {
    deployment.with_extension("unfinished.json")
}
