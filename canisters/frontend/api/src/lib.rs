//! What the frontend canister is told at installation, which it passes on to the page at `/config.json`.

use candid::{CandidType, Principal};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Where the page finds the canisters of its Stoa. The page trusts it because the answer is certified.
#[derive(CandidType, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Configuration {
    pub network: Network,
    pub governance: Principal,
    pub registry: Principal,
    pub token_ledger: Principal,
    pub icp_ledger: Principal,
    pub cycles_minting: Principal,
    /// Host names, beside the canister's own, under which gateways may serve the page and Internet Identity knows its users.
    pub domains: Vec<String>,
}

/// Which root key the page believes in, and who may sign in.
#[derive(CandidType, Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Network {
    /// The Internet Computer, whose root key is built into the agents; identities are Internet Identity's.
    Mainnet,
    /// A network for development, with a root key of its own (DER); the page offers marked development identities.
    Development { root_key: ByteBuf },
}

/// Why a configuration cannot be served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InvalidConfiguration {
    TooManyDomains {
        given: u64,
        max: u64,
    },
    /// Not a host name in lower case, as `models.example.org`.
    InvalidDomain {
        domain: String,
    },
    RootKeyTooLong {
        given_bytes: u64,
        max_bytes: u64,
    },
}

/// What `status` answers.
#[derive(CandidType, Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Status {
    pub cycles: candid::Nat,
    /// Files of the page, copies in other encodings left out.
    pub files: u64,
    pub bytes: u64,
}

/// So that `/.well-known/ic-domains` stays a small file.
pub const DOMAINS_MAX: usize = 20;
/// As DNS has it.
pub const DOMAIN_CHARACTERS_MAX: usize = 253;
/// A BLS12-381 key in DER has 133.
pub const ROOT_KEY_BYTES_MAX: usize = 512;

impl Configuration {
    pub fn check(&self) -> Result<(), InvalidConfiguration> {
        if self.domains.len() > DOMAINS_MAX {
            return Err(InvalidConfiguration::TooManyDomains {
                given: self.domains.len() as u64,
                max: DOMAINS_MAX as u64,
            });
        }
        if let Some(domain) = self.domains.iter().find(|domain| !is_host_name(domain)) {
            return Err(InvalidConfiguration::InvalidDomain {
                domain: domain.chars().take(100).collect(),
            });
        }
        if let Network::Development { root_key } = &self.network
            && root_key.len() > ROOT_KEY_BYTES_MAX
        {
            return Err(InvalidConfiguration::RootKeyTooLong {
                given_bytes: root_key.len() as u64,
                max_bytes: ROOT_KEY_BYTES_MAX as u64,
            });
        }
        Ok(())
    }
}

fn is_host_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= DOMAIN_CHARACTERS_MAX
        && name.contains('.')
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(letter)
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}
