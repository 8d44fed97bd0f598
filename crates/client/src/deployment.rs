//! Which canisters make up a deployment, as a file that the command line, the scenarios and other clients read.

use std::path::{Path, PathBuf};

use candid::Principal;
use serde::{Deserialize, Serialize};
use stoa_types::Sha256;

use crate::error::{ClientError, Result};

const ENVIRONMENT: &str = "STOA_DEPLOYMENT";
const HOME_ENVIRONMENT: &str = "STOA_HOME";
const DEFAULT_HOME: &str = ".stoa";
const FILE_NAME: &str = "local.json";

/// Where local state is kept: `STOA_HOME`, else `.stoa` here.
pub fn home() -> PathBuf {
    from_environment(HOME_ENVIRONMENT).unwrap_or_else(|| PathBuf::from(DEFAULT_HOME))
}

fn from_environment(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Deployment {
    pub endpoint: String,
    pub governance: Principal,
    pub registry: Principal,
    pub shards: Vec<Principal>,
    pub inference: Vec<Principal>,
    pub token_ledger: Principal,
    pub icp_ledger: Principal,
    pub cycles_minting: Principal,
    /// The web application; absent where it was left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub frontend: Option<Principal>,
    /// On networks where the others have their mainnet ids as well.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cycles_ledger: Option<Principal>,
    /// Of the model that was pushed last, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version_digest: Option<String>,
}

impl Deployment {
    /// `STOA_DEPLOYMENT`, else `local.json` in [`home`].
    pub fn default_path() -> PathBuf {
        from_environment(ENVIRONMENT).unwrap_or_else(|| home().join(FILE_NAME))
    }

    pub fn read(path: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ClientError::InvalidFile {
                    path: path.to_owned(),
                    reason: "there is no deployment: make one with `stoa deploy`, or name its file with --deployment"
                        .to_owned(),
                });
            }
            Err(error) => return Err(ClientError::file(path)(error)),
        };
        serde_json::from_str(&text).map_err(|error| ClientError::InvalidFile {
            path: path.to_owned(),
            reason: format!("not a deployment: {error}"),
        })
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        write_json(path, self)
    }

    /// The inference canister that calls go to where none is named.
    pub fn first_inference(&self) -> Result<Principal> {
        self.inference.first().copied().ok_or_else(|| {
            ClientError::Failed("the deployment has no inference canister".to_owned())
        })
    }

    pub fn remember_version(&mut self, version: Sha256, path: &Path) -> Result<()> {
        self.version_digest = Some(version.to_string());
        self.write(path)
    }

    /// Where a browser finds the web application: the canister's own host on a network of this machine. Elsewhere the
    /// network's gateway decides.
    pub fn page(&self) -> Option<String> {
        let canister = self.frontend?;
        let port = ["http://127.0.0.1:", "http://localhost:"]
            .iter()
            .find_map(|local| self.endpoint.strip_prefix(local))?;
        Some(format!("http://{canister}.localhost:{port}/"))
    }

    /// Every canister with its name, in the order in which they are created.
    pub fn canisters(&self) -> Vec<(String, Principal)> {
        let numbered = |name: &'static str, list: &[Principal]| {
            (1..)
                .zip(list.to_vec())
                .map(move |(number, canister): (u32, Principal)| {
                    (format!("{name} {number}"), canister)
                })
                .collect::<Vec<_>>()
        };
        [
            vec![
                ("icp ledger".to_owned(), self.icp_ledger),
                ("cycles minting".to_owned(), self.cycles_minting),
                ("token ledger".to_owned(), self.token_ledger),
                ("governance".to_owned(), self.governance),
                ("registry".to_owned(), self.registry),
            ],
            self.cycles_ledger
                .map(|canister| ("cycles ledger".to_owned(), canister))
                .into_iter()
                .collect(),
            numbered("shard", &self.shards),
            numbered("inference", &self.inference),
            self.frontend
                .map(|canister| ("frontend".to_owned(), canister))
                .into_iter()
                .collect(),
        ]
        .concat()
    }
}

/// Written beside and renamed, so that a reader never meets half a file.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    if let Some(parent) = path.parent()
        && !parent.as_os_str().is_empty()
    {
        std::fs::create_dir_all(parent).map_err(ClientError::file(parent))?;
    }
    let mut text = serde_json::to_string_pretty(value).expect("BUG: a deployment is plain JSON");
    text.push('\n');
    let beside = path.with_extension(format!("writing-{}", std::process::id()));
    std::fs::write(&beside, text).map_err(ClientError::file(&beside))?;
    std::fs::rename(&beside, path).map_err(ClientError::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_read_back_what_it_writes_and_name_every_canister() {
        let id = |number: u8| Principal::from_slice(&[number]);
        let deployment = Deployment {
            endpoint: "http://127.0.0.1:4943".to_owned(),
            governance: id(1),
            registry: id(2),
            shards: vec![id(3), id(4)],
            inference: vec![id(5)],
            token_ledger: id(6),
            icp_ledger: id(7),
            cycles_minting: id(8),
            frontend: Some(id(9)),
            cycles_ledger: None,
            version_digest: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/local.json");
        deployment.write(&path).unwrap();
        assert_eq!(Deployment::read(&path).unwrap(), deployment);
        assert_eq!(deployment.canisters().len(), 9);
        assert_eq!(
            deployment.page(),
            Some(format!("http://{}.localhost:4943/", id(9)))
        );
    }
}
