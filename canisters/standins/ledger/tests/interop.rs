//! Every exposed method can be used by a client of the official ledgers, whose
//! interfaces the npm package `@icp-sdk/canisters` ships (`scripts/setup` installs it).

use std::path::PathBuf;

use candid::TypeEnv;
use candid::types::Type;
use candid::types::subtype::{OptReport, subtype_with_config};
use candid_parser::utils::CandidSource;

fn methods(env: &TypeEnv, service: &Type) -> Vec<(String, Type)> {
    env.as_service(service)
        .unwrap()
        .iter()
        .map(|(name, method)| (name.to_string(), method.clone()))
        .collect()
}

/// The methods that the official interface has too, each shown to serve its clients.
fn served(official: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../governance/tests/interop/node_modules/@icp-sdk/canisters/declarations")
        .join(official);
    assert!(
        path.exists(),
        "{} is missing: run scripts/setup, or `npm ci --omit=peer` in governance/tests/interop",
        path.display()
    );
    let (mut env, ours) = CandidSource::Text(include_str!("../ledger.did"))
        .load()
        .unwrap();
    let (official_env, official) = CandidSource::File(&path).load().unwrap();
    let official = env.merge_type(official_env, official.unwrap());
    let official = methods(&env, &official);
    methods(&env, &ours.unwrap())
        .into_iter()
        // The two official ledgers answer this with different types; ours is ICP's.
        .filter(|(name, _)| !(path.ends_with("icrc_ledger.did") && name == "archives"))
        .filter_map(|(name, method)| {
            let (_, expected) = official.iter().find(|(other, _)| *other == name)?;
            subtype_with_config(
                OptReport::Error,
                &mut Default::default(),
                &env,
                &method,
                expected,
            )
            .unwrap_or_else(|error| panic!("{name}: {error}"));
            Some(name)
        })
        .collect()
}

/// Methods that the official interface has not.
fn methods_beyond(official: &str) -> Vec<String> {
    let served = served(official);
    let (env, ours) = CandidSource::Text(include_str!("../ledger.did"))
        .load()
        .unwrap();
    methods(&env, &ours.unwrap())
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !served.contains(name))
        .collect()
}

#[test]
fn should_serve_clients_of_the_icp_ledger() {
    let served = served("ledger-icp/ledger.did");
    for method in [
        "transfer",
        "account_balance",
        "query_blocks",
        "icrc1_transfer",
    ] {
        assert!(served.iter().any(|name| name == method), "{method}");
    }
    let ours_alone = methods_beyond("ledger-icp/ledger.did");
    let known = |name: &String| {
        name.starts_with("icrc3_")
            || name.starts_with("standin_")
            || OF_CYCLES.contains(&name.as_str())
    };
    assert!(ours_alone.iter().all(known), "{ours_alone:?}");
}

/// What the cycles ledger has and the other two have not.
const OF_CYCLES: [&str; 3] = ["create_canister", "deposit", "withdraw"];

#[test]
fn should_serve_clients_of_the_cycles_ledger() {
    let served = served("cycles-ledger/cycles-ledger.did");
    for method in OF_CYCLES.into_iter().chain([
        "icrc1_balance_of",
        "icrc1_fee",
        "icrc1_decimals",
        "icrc1_symbol",
        "icrc1_transfer",
        "icrc2_approve",
    ]) {
        assert!(served.iter().any(|name| name == method), "{method}");
    }
}

#[test]
fn should_serve_clients_of_the_icrc_ledger() {
    let served = served("ledger-icrc/icrc_ledger.did");
    for method in [
        "icrc1_transfer",
        "icrc2_approve",
        "icrc2_transfer_from",
        "icrc3_get_blocks",
        "icrc3_get_archives",
        "icrc3_get_tip_certificate",
        "icrc3_supported_block_types",
        "icrc10_supported_standards",
        "icrc21_canister_call_consent_message",
    ] {
        assert!(served.iter().any(|name| name == method), "{method}");
    }
    assert_eq!(served.len(), 19, "{served:?}");
}
