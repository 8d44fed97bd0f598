//! One identity on one endpoint: typed calls over the stock agent.
//!
//! What must hold: every answer is verified by the agent with its default settings, against mainnet's
//! root key unless the endpoint is not mainnet; only then is the endpoint asked for its key.

use std::sync::Arc;
use std::time::Duration;

use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use candid::{Principal, decode_args, encode_args};
use ic_agent::{Agent, AgentError, Identity};

use crate::error::{ClientError, Result};

/// Hosts that serve the Internet Computer itself, also with a subdomain before them.
const MAINNET_HOSTS: [&str; 4] = ["icp-api.io", "ic0.app", "icp0.io", "internetcomputer.org"];

/// How long the agent polls for an answer. Installing a large canister on a busy network takes minutes.
const POLLING_TIME_MAX: Duration = Duration::from_secs(10 * 60);

#[derive(Clone, Debug)]
pub struct Connection {
    agent: Agent,
    endpoint: String,
}

impl Connection {
    pub async fn open(endpoint: &str, identity: Arc<dyn Identity>) -> Result<Self> {
        let agent = Agent::builder()
            .with_url(endpoint)
            .with_arc_identity(identity)
            .with_max_polling_time(POLLING_TIME_MAX)
            .build()
            .map_err(|source| ClientError::InvalidEndpoint {
                endpoint: endpoint.to_owned(),
                source: Box::new(source),
            })?;
        if !is_mainnet(endpoint) {
            agent
                .fetch_root_key()
                .await
                .map_err(|source| ClientError::Unreachable {
                    endpoint: endpoint.to_owned(),
                    source: Box::new(source),
                })?;
        }
        Ok(Self {
            agent,
            endpoint: endpoint.trim_end_matches('/').to_owned(),
        })
    }

    /// The same endpoint and root key, as somebody else.
    pub fn with_identity(&self, identity: Arc<dyn Identity>) -> Self {
        let mut agent = self.agent.clone();
        agent.set_arc_identity(identity);
        Self {
            agent,
            endpoint: self.endpoint.clone(),
        }
    }

    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn principal(&self) -> Principal {
        self.agent
            .get_principal()
            .expect("BUG: an identity without a principal")
    }

    pub async fn query<A, R>(&self, canister: Principal, method: &str, args: A) -> Result<R>
    where
        A: ArgumentEncoder,
        R: for<'a> ArgumentDecoder<'a>,
    {
        let reply = self
            .agent
            .query(&canister, method)
            .with_arg(encode(method, args)?)
            .call()
            .await
            .map_err(|source| call_error(canister, method, source))?;
        decode(canister, method, &reply)
    }

    pub async fn update<A, R>(&self, canister: Principal, method: &str, args: A) -> Result<R>
    where
        A: ArgumentEncoder,
        R: for<'a> ArgumentDecoder<'a>,
    {
        self.update_routed(canister, canister, method, args).await
    }

    /// An update whose effective canister is not the one called: what the management canister needs.
    pub(crate) async fn update_routed<A, R>(
        &self,
        canister: Principal,
        effective: Principal,
        method: &str,
        args: A,
    ) -> Result<R>
    where
        A: ArgumentEncoder,
        R: for<'a> ArgumentDecoder<'a>,
    {
        let reply = self
            .agent
            .update(&canister, method)
            .with_effective_canister_id(effective)
            .with_arg(encode(method, args)?)
            .call_and_wait()
            .await
            .map_err(|source| call_error(canister, method, source))?;
        decode(canister, method, &reply)
    }
}

/// Whether `endpoint` is the Internet Computer itself, whose root key is built in and never fetched.
pub fn is_mainnet(endpoint: &str) -> bool {
    let without_scheme = endpoint
        .split_once("://")
        .map_or(endpoint, |(_, rest)| rest);
    let authority = without_scheme
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host = host
        .split(':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    MAINNET_HOSTS.iter().any(|mainnet| {
        host == *mainnet
            || host
                .strip_suffix(mainnet)
                .is_some_and(|subdomain| subdomain.ends_with('.'))
    })
}

fn encode<A: ArgumentEncoder>(method: &str, args: A) -> Result<Vec<u8>> {
    encode_args(args).map_err(|source| ClientError::Encode {
        method: method.to_owned(),
        source,
    })
}

fn decode<R>(canister: Principal, method: &str, reply: &[u8]) -> Result<R>
where
    R: for<'a> ArgumentDecoder<'a>,
{
    decode_args(reply).map_err(|source| ClientError::UnknownAnswer {
        canister,
        method: method.to_owned(),
        source,
    })
}

fn call_error(canister: Principal, method: &str, source: AgentError) -> ClientError {
    ClientError::Call {
        canister,
        method: method.to_owned(),
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_trust_the_built_in_key_for_mainnet_hosts_only() {
        for endpoint in [
            "https://icp-api.io",
            "https://icp0.io/",
            "https://abc.raw.icp0.io:443/path",
            "https://ICP0.io.",
        ] {
            assert!(is_mainnet(endpoint), "{endpoint}");
        }
        for endpoint in [
            "http://127.0.0.1:4943",
            "http://localhost:4943/icp0.io",
            "https://icp0.io@example.org",
            "https://noticp0.io",
            "https://icp0.io.example.org",
        ] {
            assert!(!is_mainnet(endpoint), "{endpoint}");
        }
    }
}
