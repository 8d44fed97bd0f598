//! What governance and the stand-ins refuse, they refuse in the method itself: to canisters, which pass `inspect_message`
//! by, as to users; to the anonymous principal; and whatever the bytes of the message are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candid::utils::ArgumentEncoder;
use candid::{Principal, encode_args};
use candid_parser::utils::CandidSource;
use ic_agent::identity::AnonymousIdentity;
use stoa_client::Connection;
use stoa_client::deploy::DeployPlan;
use stoa_governance_api::code::Vote;
use stoa_governance_api::{
    Command, CommandResponse, CyclesPolicy, Disburse, GovernanceError, ManageNeuron,
    ManageNeuronResponse, ProposalId, RegisterCanisterResult, RegisterVote, RequestCyclesResult,
};
use stoa_scenarios::{LedgerFault, LedgerFaultKind, ONE_TOKEN, Proxy, WHALE, World, run};

const GOVERNANCE_INTERFACE: &str = include_str!("../../../../canisters/governance/governance.did");

async fn world() -> World {
    World::new(DeployPlan {
        inference: 0,
        ..DeployPlan::default()
    })
    .await
}

fn policy() -> CyclesPolicy {
    CyclesPolicy {
        low_balance_cycles: 1u8.into(),
        top_up_e8s: 1,
        canister_e8s_per_day: 1,
        total_e8s_per_day: 1,
    }
}

/// On the neuron with the majority.
fn foreign_commands(world: &World, proposal: u64) -> Vec<ManageNeuron> {
    let subaccount = world.deployer.governance().neuron_id(WHALE).to_vec();
    let vote = Command::RegisterVote(RegisterVote {
        vote: Vote::Yes.number(),
        proposal: Some(ProposalId { id: proposal }),
    });
    let disburse = Command::Disburse(Disburse {
        to_account: None,
        amount: None,
    });
    [vote, disburse]
        .into_iter()
        .map(|command| ManageNeuron {
            subaccount: subaccount.clone(),
            command: Some(command),
        })
        .collect()
}

/// Statement 17.
#[test]
fn should_refuse_canisters_what_it_refuses_users() {
    run(async {
        let world = world().await;
        let governance = world.deployment.governance;
        let stranger = Proxy::install(&world.deployer.connection).await;
        let voter = world.actor().await;
        let neuron = voter.stake(50 * ONE_TOKEN, 0).await;
        let motion = voter
            .governance()
            .propose_motion(neuron, "A motion", "Text.")
            .await
            .unwrap();
        let before = voter.governance().proposal(motion).await.unwrap();
        for request in foreign_commands(&world, motion) {
            let answer = stranger
                .forward::<_, ManageNeuronResponse>(governance, "manage_neuron", (request,), 0)
                .await
                .answer
                .expect("an answer, not a trap");
            let Some(CommandResponse::Error(GovernanceError { error_message, .. })) =
                answer.command
            else {
                panic!("{answer:?}");
            };
            let who = stranger.canister.to_text();
            assert!(error_message.contains(&who), "{error_message}");
        }
        let after = voter.governance().proposal(motion).await.unwrap();
        assert_eq!(before.latest_tally, after.latest_tally);

        let itself = stranger.canister;
        let asked: RequestCyclesResult = stranger
            .forward(governance, "request_cycles", (), 0)
            .await
            .answer
            .unwrap();
        assert!(asked.is_err());
        let registered: RegisterCanisterResult = stranger
            .forward(governance, "register_dao_canister", (itself,), 0)
            .await
            .answer
            .unwrap();
        assert!(registered.is_err());
        for (method, argument) in [
            ("set_cycles_policy", encode_args((policy(),)).unwrap()),
            ("add_dao_canister", encode_args((itself,)).unwrap()),
            (
                "remove_dao_canister",
                encode_args((world.deployment.registry,)).unwrap(),
            ),
            ("c2c_upgrade_itself", encode_args((3u8,)).unwrap()),
        ] {
            let answer = stranger
                .forward_raw(governance, method, &argument, 0)
                .await
                .answer;
            assert!(answer.unwrap_err().contains("only governance"), "{method}");
        }
        let fault = LedgerFault::next("icrc1_transfer", LedgerFaultKind::Reject);
        let faults = encode_args((vec![fault],)).unwrap();
        for standin in [
            world.deployment.icp_ledger,
            world.deployment.token_ledger,
            world.deployment.cycles_minting,
        ] {
            let answer = stranger
                .forward_raw(standin, "standin_set_faults", &faults, 0)
                .await
                .answer;
            assert!(answer.is_err(), "{standin}");
        }
    });
}

async fn is_refused(
    connection: &Connection,
    canister: Principal,
    method: &str,
    args: impl ArgumentEncoder,
) {
    let answer: stoa_client::Result<()> = connection.update(canister, method, args).await;
    assert!(answer.unwrap_err().is_reject(), "{method}");
}

/// Statement 19.
#[test]
fn should_refuse_the_anonymous_principal_and_users_what_is_not_theirs() {
    run(async {
        let world = world().await;
        let governance = world.deployment.governance;
        let user = world.actor().await;
        let anonymous = user.connection.with_identity(Arc::new(AnonymousIdentity));
        for request in foreign_commands(&world, 1) {
            is_refused(&anonymous, governance, "manage_neuron", (request,)).await;
        }
        for connection in [&anonymous, &user.connection] {
            let registry = world.deployment.registry;
            is_refused(connection, governance, "request_cycles", ()).await;
            is_refused(connection, governance, "register_dao_canister", (registry,)).await;
            is_refused(connection, governance, "set_cycles_policy", (policy(),)).await;
            is_refused(connection, governance, "add_dao_canister", (registry,)).await;
            is_refused(connection, governance, "remove_dao_canister", (registry,)).await;
            is_refused(connection, governance, "c2c_upgrade_itself", (3u8,)).await;
        }
    });
}

fn leb128(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn message(parts: &[&[u8]]) -> Vec<u8> {
    [b"DIDL".as_slice()]
        .iter()
        .chain(parts)
        .flat_map(|part| part.iter().copied())
        .collect()
}

/// Messages of some kilobytes that stand for very much, or for what cannot be.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let many = leb128(1 << 40);
    let nested_types: Vec<u8> = (0..2_000u64)
        .flat_map(|number| [vec![0x6e], leb128(number + 1)].concat())
        .collect();
    vec![
        ("nothing at all", Vec::new()),
        ("no Candid", b"not Candid".to_vec()),
        // type 0 = opt 0, and a value nested 10,000 deep.
        (
            "a deep value",
            message(&[&[1, 0x6e, 0, 1, 0], &[1; 10_000], &[0]]),
        ),
        // type 0 = vec null with 2^40 elements.
        (
            "a long vector of nothing",
            message(&[&[1, 0x6d, 0x7f, 1, 0], &many]),
        ),
        // type 0 = vec record {}: as long, and each element a value.
        (
            "a long vector of empty records",
            message(&[&[2, 0x6d, 1, 0x6c, 0, 1, 0], &many]),
        ),
        // The same where the method has no field for it: it has to be skipped.
        (
            "a long vector in a field that nobody asked for",
            message(&[&[2, 0x6c, 1, 7, 1, 0x6d, 0x7f, 1, 0], &many]),
        ),
        // type 0 = record { 0 : 0 }, of which there is no value.
        (
            "a type without values",
            message(&[&[1, 0x6c, 1, 0, 0, 1, 0]]),
        ),
        ("a value of the type empty", message(&[&[0, 1, 0x6f]])),
        // 10,000 arguments.
        (
            "many arguments",
            message(&[&[0], &leb128(10_000), &[0x7f; 10_000]]),
        ),
        ("2^40 arguments", message(&[&[0], &many])),
        ("2^40 types", message(&[&many])),
        (
            "types nested 2,000 deep",
            message(&[
                &leb128(2_001),
                &nested_types,
                &[0x6e, 0x7f, 1, 0],
                &[1; 2_000],
                &[0],
            ]),
        ),
        // record { 0 : nat; 0 : nat }, twice the same field.
        (
            "a field twice",
            message(&[&[1, 0x6c, 2, 0, 0x7d, 0, 0x7d, 1, 0, 1, 1]]),
        ),
        // A method of a service, of a name that has a gigabyte.
        (
            "a long name",
            message(&[&[1, 0x69, 1], &leb128(1 << 30), &[0x61; 100]]),
        ),
    ]
}

fn methods(interface: &str) -> Vec<(String, bool)> {
    let (env, service) = CandidSource::Text(interface).load().unwrap();
    env.as_service(&service.unwrap())
        .unwrap()
        .iter()
        .map(|(name, method)| {
            let function = env.as_func(method).unwrap();
            (name.to_string(), function.is_query())
        })
        .collect()
}

/// Statement 25: each is answered at once, as if nothing had been sent or by a refusal, and governance goes on.
#[test]
fn should_answer_every_candid_bomb_at_once_on_every_method() {
    run(async {
        let world = world().await;
        let governance = world.deployment.governance;
        let proxy = Proxy::install(&world.deployer.connection).await;
        let user = world.actor().await;
        let agent = user.connection.agent();
        let methods = methods(GOVERNANCE_INTERFACE);
        assert!(methods.len() > 20);
        let mut slowest = (Duration::ZERO, String::new());
        for (what, bytes) in bombs() {
            for (method, is_query) in &methods {
                let start = Instant::now();
                // By a canister, so that it reaches the method; queries as they come.
                let refused = if *is_query {
                    let query = agent.query(&governance, method.as_str());
                    query.with_arg(bytes.clone()).call().await.is_err()
                } else {
                    let forwarded = proxy.forward_raw(governance, method, &bytes, 0).await;
                    forwarded.answer.is_err()
                };
                slowest = slowest.max((start.elapsed(), format!("{what} to {method}")));
                if method == "manage_neuron" {
                    assert!(refused, "{what} is no command");
                }
            }
        }
        assert!(slowest.0 < Duration::from_secs(20), "{slowest:?}");
        // It answers, and what it had is there.
        world.deployer.governance().parameters().await.unwrap();
        let neurons = world.deployer.governance().neurons(None).await.unwrap();
        assert_eq!(neurons.len(), 2);
    });
}
