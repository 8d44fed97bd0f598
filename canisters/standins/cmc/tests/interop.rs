//! Every exposed method can be used by a client of the official cycles minting
//! canister, whose interface the npm package `@icp-sdk/canisters` ships.

use std::path::PathBuf;

use candid::types::subtype::{OptReport, subtype_with_config};
use candid_parser::utils::CandidSource;

#[test]
fn should_serve_clients_of_the_official_canister_in_every_method() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(
        "../../governance/tests/interop/node_modules/@icp-sdk/canisters/declarations/cmc/cmc.did",
    );
    assert!(
        path.exists(),
        "{} is missing: run scripts/setup, or `npm ci --omit=peer` in governance/tests/interop",
        path.display()
    );
    let (mut env, ours) = CandidSource::Text(include_str!("../cmc.did"))
        .load()
        .unwrap();
    let ours = ours.unwrap();
    let (official_env, official) = CandidSource::File(&path).load().unwrap();
    let official = env.merge_type(official_env, official.unwrap());
    let methods: Vec<_> = env
        .as_service(&ours)
        .unwrap()
        .iter()
        .filter(|(name, _)| !name.starts_with("standin_"))
        .collect();
    assert_eq!(methods.len(), 5);
    for (name, method) in methods {
        let (_, expected) = env
            .as_service(&official)
            .unwrap()
            .iter()
            .find(|(other, _)| other == name)
            .unwrap_or_else(|| panic!("the official canister has no method {name}"));
        subtype_with_config(
            OptReport::Error,
            &mut Default::default(),
            &env,
            method,
            expected,
        )
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
