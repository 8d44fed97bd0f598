//! The lines of docs/governance.md for dfx and icp-cli: a shell runs them as they stand there, with stand-ins for the two
//! tools that hand over their arguments, and exactly those Candid texts are sent.

use std::path::Path;
use std::process::Command;

use candid_parser::utils::CandidSource;
use stoa_client::deploy::DeployPlan;
use stoa_governance_api::{
    CommandResponse, GetProposalResponse, GetProposalResult, ListNeuronsResponse,
    ListProposalsResponse, ManageNeuronResponse,
};
use stoa_scenarios::{Actor, ONE_TOKEN, World, run};

/// One call as a line of the page makes it.
#[derive(Debug)]
struct Line {
    tool: String,
    canister: String,
    method: String,
    arguments: String,
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/governance.md");
    std::fs::read_to_string(path).expect("docs/governance.md")
}

/// The shell code of the page, block after block.
fn blocks(page: &str) -> Vec<String> {
    page.split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().expect("a block ends").to_owned())
        .collect()
}

/// What a shell makes of the code, the tools replaced by a printer of their arguments.
fn calls(code: &str, variables: &[(&str, &str)]) -> Vec<Line> {
    let printer = r#"
        say() { printf '%s\0' "$#" "$@"; }
        dfx() { say dfx "$@"; }
        icp() { say icp "$@"; }
    "#;
    let output = Command::new("bash")
        .arg("-euc")
        .arg(format!("{printer}\n{code}"))
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .expect("bash runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let mut words = text.split_terminator('\0');
    let mut calls = Vec::new();
    while let Some(count) = words.next() {
        let count: usize = count.parse().expect("a count");
        let words: Vec<&str> = words.by_ref().take(count).collect();
        let [tool, "canister", "call", "--network", _, rest @ ..] = &words[..] else {
            panic!("not a call: {words:?}");
        };
        let rest = rest.strip_prefix(&["--query"]).unwrap_or(rest);
        let [canister, method, arguments] = rest else {
            panic!("not canister, method and arguments: {rest:?}");
        };
        calls.push(Line {
            tool: (*tool).to_owned(),
            canister: (*canister).to_owned(),
            method: (*method).to_owned(),
            arguments: (*arguments).to_owned(),
        });
    }
    calls
}

/// As both tools do it: the arguments' types are those of the interface that the canister shows.
async fn send(user: &Actor, line: &Line) -> Vec<u8> {
    let agent = user.connection.agent();
    let canister = candid::Principal::from_text(&line.canister).expect("a canister's id");
    let interface = agent
        .read_state_canister_metadata(canister, "candid:service")
        .await
        .expect("the interface is public");
    let interface = String::from_utf8(interface).expect("text");
    let (env, service) = CandidSource::Text(&interface).load().expect("Candid");
    let method = env
        .get_method(&service.expect("a service"), &line.method)
        .unwrap_or_else(|error| panic!("{}: {error}", line.method))
        .clone();
    let bytes = candid_parser::parse_idl_args(&line.arguments)
        .unwrap_or_else(|error| panic!("{}: {error}", line.arguments))
        .to_bytes_with_types(&env, &method.args)
        .unwrap_or_else(|error| panic!("{}: {error}", line.arguments));
    if method.is_query() {
        agent
            .query(&canister, &line.method)
            .with_arg(bytes)
            .call()
            .await
    } else {
        agent
            .update(&canister, &line.method)
            .with_arg(bytes)
            .call_and_wait()
            .await
    }
    .unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

async fn command(user: &Actor, line: &Line) -> CommandResponse {
    let answer = send(user, line).await;
    let answer: ManageNeuronResponse = candid::decode_one(&answer).expect("an answer");
    match answer.command.expect("a command") {
        CommandResponse::Error(refusal) => panic!("{line:?}: {}", refusal.error_message),
        done => done,
    }
}

fn blob(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// Governance without a fleet.
async fn world() -> World {
    World::new(DeployPlan {
        inference: 0,
        ..DeployPlan::default()
    })
    .await
}

#[test]
fn should_stake_propose_vote_and_list_by_the_documented_lines() {
    run(async {
        let world = world().await;
        let user = world.actor().await;
        let neuron = blob(&user.governance().neuron_id(0));
        let (governance, ledger) = (
            world.deployment.governance.to_text(),
            world.deployment.token_ledger.to_text(),
        );
        let principal = user.principal().to_text();
        let page = page();
        let blocks = blocks(&page);
        let mut variables = vec![
            ("GOVERNANCE", governance.as_str()),
            ("TOKEN_LEDGER", ledger.as_str()),
            ("NETWORK", "http://127.0.0.1:4943"),
            ("NEURON", neuron.as_str()),
            ("PRINCIPAL", principal.as_str()),
        ];
        let [stake, delay, propose, vote, list] = &blocks[..] else {
            panic!("{} blocks", blocks.len());
        };

        let [transfer, claim] = &calls(stake, &variables)[..] else {
            panic!("two lines stake");
        };
        let sent: Result<candid::Nat, icrc_ledger_types::icrc1::transfer::TransferError> =
            candid::decode_one(&send(&user, transfer).await).expect("an answer");
        sent.expect("transferred");
        assert!(matches!(
            command(&user, claim).await,
            CommandResponse::ClaimOrRefresh(_)
        ));
        for line in &calls(delay, &variables) {
            assert_eq!(command(&user, line).await, CommandResponse::Configure {});
        }

        let [line] = &calls(propose, &variables)[..] else {
            panic!("one line proposes");
        };
        let CommandResponse::MakeProposal(made) = command(&user, line).await else {
            panic!("not made");
        };
        let proposal = made.proposal_id.expect("a number").id;
        let number = proposal.to_string();
        variables.push(("PROPOSAL", &number));

        // The proposer has voted; somebody who staked before votes by the same line.
        let voter = world.deployer.governance().neuron_id(1);
        let voter = blob(&voter);
        let mut of_voter = variables.clone();
        of_voter.push(("NEURON", &voter));
        let of_voter: Vec<_> = of_voter.into_iter().rev().fold(
            Vec::new(),
            |mut kept: Vec<(&str, &str)>, (name, value)| {
                if kept.iter().all(|(other, _)| *other != name) {
                    kept.push((name, value));
                }
                kept
            },
        );
        let [line] = &calls(vote, &of_voter)[..] else {
            panic!("one line votes");
        };
        assert_eq!(line.tool, "icp");
        assert_eq!(
            command(&world.deployer, line).await,
            CommandResponse::RegisterVote {}
        );

        let [proposals, one, neurons] = &calls(list, &variables)[..] else {
            panic!("three lines list");
        };
        let answer: ListProposalsResponse =
            candid::decode_one(&send(&user, proposals).await).expect("an answer");
        assert!(
            answer
                .proposals
                .iter()
                .any(|listed| listed.id.is_some_and(|id| id.id == proposal))
        );
        let answer: GetProposalResponse =
            candid::decode_one(&send(&user, one).await).expect("an answer");
        let Some(GetProposalResult::Proposal(data)) = answer.result else {
            panic!("{answer:?}");
        };
        assert_eq!(
            data.proposal.expect("its content").title,
            "More small models"
        );
        let answer: ListNeuronsResponse =
            candid::decode_one(&send(&user, neurons).await).expect("an answer");
        let [mine] = &answer.neurons[..] else {
            panic!("{} neurons", answer.neurons.len());
        };
        assert_eq!(mine.cached_neuron_stake_e8s, 10 * ONE_TOKEN);
    });
}
