//! Who calls, where, and which canisters: what every command starts from.

use std::path::PathBuf;
use std::sync::Arc;

use candid::Principal;
use stoa_client::governance::Governance;
use stoa_client::identity::{Identities, Identity};
use stoa_client::inference::Inference;
use stoa_client::ledger::Ledger;
use stoa_client::registry::Registry;
use stoa_client::{Connection, Deployment, Result};
use stoa_types::Sha256;

use crate::arguments::{Global, Token};
use crate::localnet;

pub const DEFAULT_PORT: u16 = 4943;

pub struct Context {
    global: Global,
}

/// A connection and the deployment that it is used with.
pub struct Stoa {
    pub connection: Connection,
    pub deployment: Deployment,
}

impl Context {
    pub fn new(global: Global) -> Self {
        Self { global }
    }

    pub fn deployment_path(&self) -> PathBuf {
        self.global
            .deployment
            .clone()
            .unwrap_or_else(Deployment::default_path)
    }

    pub fn global(&self) -> &Global {
        &self.global
    }

    pub fn identity_name(&self) -> &str {
        &self.global.identity
    }

    /// What was named, else where the deployment is, else the local network that was started from here, else its
    /// usual place.
    pub fn endpoint(&self) -> String {
        if let Some(endpoint) = &self.global.network {
            return endpoint.clone();
        }
        if let Ok(deployment) = Deployment::read(&self.deployment_path()) {
            return deployment.endpoint;
        }
        localnet::running().map_or_else(
            || local_endpoint(DEFAULT_PORT),
            |running| localnet::endpoint(&running),
        )
    }

    pub fn identity(&self) -> Result<Arc<dyn Identity>> {
        Identities::of_user()?.open(&self.global.identity, &self.endpoint())
    }

    pub async fn connection(&self) -> Result<Connection> {
        Connection::open(&self.endpoint(), self.identity()?).await
    }

    pub async fn open(&self) -> Result<Stoa> {
        let deployment = Deployment::read(&self.deployment_path())?;
        Ok(Stoa {
            connection: self.connection().await?,
            deployment,
        })
    }
}

impl Stoa {
    pub fn registry(&self) -> Registry {
        Registry::new(&self.connection, self.deployment.registry)
    }

    pub fn governance(&self) -> Governance {
        Governance::new(&self.connection, self.deployment.governance)
    }

    /// The inference canister that was named, else the deployment's first.
    pub fn inference(&self, named: Option<Principal>) -> Result<Inference> {
        let canister = match named {
            Some(canister) => canister,
            None => self.deployment.first_inference()?,
        };
        Ok(Inference::new(&self.connection, canister))
    }

    /// The inference canister that was named, else one to which the registry sends callers of the version: the deployment's first
    /// where that is one of them.
    pub async fn inference_for(
        &self,
        named: Option<Principal>,
        version: Sha256,
    ) -> Result<Inference> {
        if named.is_some() {
            return self.inference(named);
        }
        let route = self.registry().route(version).await?;
        let first = self.deployment.inference.first();
        let first = first.filter(|first| route.contains(first));
        self.inference(first.or(route.first()).copied())
    }

    pub fn ledger(&self, token: Token) -> Ledger {
        let canister = match token {
            Token::Icp => self.deployment.icp_ledger,
            Token::Stoa => self.deployment.token_ledger,
        };
        Ledger::new(&self.connection, canister)
    }
}

pub fn local_endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
