//! Every exposed method can be used by a client of the reference interface, which the
//! npm package `@icp-sdk/canisters` ships (`scripts/setup` installs it beside this file).

use std::collections::BTreeSet;
use std::path::PathBuf;

use candid::TypeEnv;
use candid::types::subtype::{OptReport, equal, subtype_with_config};
use candid::types::{Type, TypeInner};
use candid::{Decode, Encode};
use candid_parser::utils::CandidSource;
use stoa_governance_api as api;

/// Methods that no SNS has.
const OWN: &[&str] = &[
    "add_dao_canister",
    "c2c_upgrade_itself",
    "get_cycles_history",
    "get_proposal_certified",
    "get_rollout",
    "get_treasury",
    "list_dao_canisters",
    "list_payments",
    "register_dao_canister",
    "remove_dao_canister",
    "request_cycles",
    "set_cycles_policy",
    "upgrade_canisters",
    "validate_add_dao_canister",
    "validate_remove_dao_canister",
    "validate_set_cycles_policy",
    "validate_upgrade_canisters",
];

struct Both {
    env: TypeEnv,
    ours: Type,
    reference: Type,
    /// Names that both define; the reference's are found as `name/1`.
    common_names: Vec<String>,
}

fn load() -> Both {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/interop/node_modules/@icp-sdk/canisters/declarations/sns/governance.did");
    assert!(
        path.exists(),
        "{} is missing: run scripts/setup, or `npm ci --omit=peer` in tests/interop",
        path.display()
    );
    let (mut env, ours) = CandidSource::Text(include_str!("../governance.did"))
        .load()
        .unwrap();
    let (reference_env, reference) = CandidSource::File(&path).load().unwrap();
    let common_names = env
        .0
        .keys()
        .filter(|name| reference_env.0.contains_key(*name))
        .map(|name| name.to_string())
        .collect();
    let reference = env.merge_type(reference_env, reference.unwrap());
    Both {
        env,
        ours: ours.unwrap(),
        reference,
        common_names,
    }
}

fn methods(env: &TypeEnv, service: &Type) -> Vec<(String, Type)> {
    env.as_service(service)
        .unwrap()
        .iter()
        .map(|(name, method)| (name.to_string(), method.clone()))
        .collect()
}

/// With the strict rule for options, which lets no difference hide behind an `opt`,
/// except where an argument holds an action: there we know fewer than the reference.
#[test]
fn should_serve_clients_of_the_reference_in_every_method() {
    let both = load();
    let reference = methods(&both.env, &both.reference);
    let ours = methods(&both.env, &both.ours);
    assert!(ours.len() >= 10);
    for (name, method) in ours {
        if OWN.contains(&name.as_str()) {
            assert!(!reference.iter().any(|(other, _)| *other == name));
            continue;
        }
        let (_, expected) = reference
            .iter()
            .find(|(other, _)| *other == name)
            .unwrap_or_else(|| panic!("the reference has no method {name}"));
        let report = if name == "manage_neuron" {
            OptReport::Silence
        } else {
            OptReport::Error
        };
        subtype_with_config(
            report,
            &mut Default::default(),
            &both.env,
            &method,
            expected,
        )
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// What `manage_neuron` is made of, type by type: equal but for what contains actions.
#[test]
fn should_define_the_types_of_the_reference_under_their_names() {
    let both = load();
    let ours_alone: BTreeSet<&str> = [
        // Contain an action, of which we have fewer.
        "Action",
        "Command",
        "ManageNeuron",
        "Proposal",
        "ProposalData",
        "ListProposalsResponse",
        "GetProposalResponse",
        // Without operations of extensions.
        "TopicInfo",
        "ListTopicsResponse",
    ]
    .into();
    let mut compared = 0;
    for name in &both.common_names {
        if ours_alone.contains(name.as_str()) {
            continue;
        }
        let left: Type = TypeInner::Var(name.clone()).into();
        let right: Type = TypeInner::Var(format!("{name}/1")).into();
        equal(&mut Default::default(), &both.env, &left, &right)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        compared += 1;
    }
    assert!(compared > 40, "{compared} types compared");
}

#[test]
fn should_read_an_unknown_action_as_none_instead_of_refusing_the_message() {
    #[derive(candid::CandidType)]
    enum Action {
        MintSnsTokens { amount_e8s: Option<u64> },
    }
    #[derive(candid::CandidType)]
    struct Proposal {
        url: String,
        title: String,
        action: Option<Action>,
        summary: String,
    }
    let bytes = Encode!(&Proposal {
        url: String::new(),
        title: "Title".to_string(),
        action: Some(Action::MintSnsTokens {
            amount_e8s: Some(5)
        }),
        summary: String::new(),
    })
    .unwrap();
    let decoded = Decode!(&bytes, api::Proposal).unwrap();
    assert_eq!(decoded.title, "Title");
    assert_eq!(decoded.action, None);
}
