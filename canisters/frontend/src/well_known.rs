//! Files that are made from the configuration: where the page finds its canisters, and what custom domains need.

use candid::Principal;
use serde_json::json;
use stoa_frontend_api::{Configuration, Network};

use crate::assets::File;

const CONFIGURATION: &str = "config.json";
/// Which domains gateways may serve this canister under: a name a line.
const DOMAINS: &str = ".well-known/ic-domains";
/// On which origins Internet Identity gives a user the same principal as at the canister's own.
const ALTERNATIVE_ORIGINS: &str = ".well-known/ii-alternative-origins";

/// Without domains there are no files about them, and asking for one is a 404.
pub fn files(own_id: Principal, configuration: &Configuration) -> Vec<File> {
    let mut files = vec![(CONFIGURATION, json_of(own_id, configuration).into())];
    if !configuration.domains.is_empty() {
        let lines = configuration.domains.join("\n") + "\n";
        let origins: Vec<String> = configuration
            .domains
            .iter()
            .map(|domain| format!("https://{domain}"))
            .collect();
        files.push((DOMAINS, lines.into_bytes().into()));
        files.push((
            ALTERNATIVE_ORIGINS,
            json!({ "alternativeOrigins": origins })
                .to_string()
                .into_bytes()
                .into(),
        ));
    }
    files
}

pub fn content_type(path: &str) -> Option<&'static str> {
    match path {
        DOMAINS => Some("text/plain; charset=utf-8"),
        ALTERNATIVE_ORIGINS => Some("application/json; charset=utf-8"),
        _ => None,
    }
}

fn json_of(own_id: Principal, configuration: &Configuration) -> Vec<u8> {
    let (network, root_key) = match &configuration.network {
        Network::Mainnet => ("Mainnet", None),
        Network::Development { root_key } => ("Development", Some(hex(root_key))),
    };
    let value = json!({
        "network": network,
        "root_key": root_key,
        "frontend": own_id.to_text(),
        "governance": configuration.governance.to_text(),
        "registry": configuration.registry.to_text(),
        "token_ledger": configuration.token_ledger.to_text(),
        "icp_ledger": configuration.icp_ledger.to_text(),
        "cycles_minting": configuration.cycles_minting.to_text(),
    });
    value.to_string().into_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
