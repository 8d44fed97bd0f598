//! What governance costs with 1,000, 10,000 and 100,000 neurons, and with 100,000 proposals.
//!
//! Neurons and proposals are made natively by the canister's own code (`stoa_governance::image`), uploaded as the stable memory
//! of a snapshot and opened by an upgrade, so that the canister has no path that exists for this alone.
//!
//! `cargo run --workspace --bin governance [proposals, neurons ...]`

use candid::Principal;
use stoa_benches::{Execution, Mark, Meter, Snapshots, Table};
use stoa_client::Connection;
use stoa_client::governance::Governance;
use stoa_client::management::Management;
use stoa_client::wasm::Wasm;
use stoa_governance::image::Image;
use stoa_governance_api::code::Vote;
use stoa_governance_api::*;
use stoa_scenarios::{connect, fresh_identity, run, wasm_folder};

const CYCLES: u128 = 1_000_000_000_000_000;
const DELAY_SECONDS: u32 = 20_000_000;
const STAKE_E8S: u64 = 100_000_000_000;
const FOLLOWERS_MAX: u64 = 10_000;
const SIZES: [u64; 3] = [1_000, 10_000, 100_000];
const PROPOSALS: u64 = 100_000;
const SUMMARY_BYTES: usize = 1_000;
/// What a message may take, however many neurons there are; a benchmark that finds more fails.
const COMMAND_MAX: u64 = 3_000_000;
const QUERY_MAX: u64 = 6_000_000;
const UPGRADE_MAX: u64 = 50_000_000;
/// Half of the platform's limit.
const UPDATE_MAX: u64 = 20_000_000_000;
/// Of a listing.
const LISTED: u64 = 20;

fn main() {
    let given: Vec<u64> = std::env::args()
        .skip(1)
        .map(|argument| argument.parse().expect("a number"))
        .collect();
    match given.split_first() {
        Some((proposals, sizes)) => run(benchmark(sizes.to_vec(), *proposals)),
        None => run(benchmark(SIZES.to_vec(), PROPOSALS)),
    }
}

async fn benchmark(sizes: Vec<u64>, proposals: u64) {
    let mut columns: Vec<Vec<(String, u64)>> = Vec::new();
    for size in &sizes {
        let mut bench = Bench::with_neurons(*size).await;
        let column = bench.measure().await;
        println!("{size} neurons: {column:?}");
        columns.push(column);
    }
    let mut header = vec!["millions of instructions".to_string()];
    header.extend(sizes.iter().map(|size| format!("{size} neurons")));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = Table::new("Governance", &header);
    table
        .note("Of single executions, with the charge for dirty pages, as the embedded network counts them. Neurons are made natively by the canister's own code (`stoa_governance::image`), loaded as a snapshot and opened by an upgrade. The caller has three neurons, as many as 10,000 follow another one; proposals have a summary of 1,000 bytes. The listed proposals have few ballots, except where it says that all neurons voted: on twenty, before anything is measured. An update may use 40,000 million, a query 5,000, an upgrade 300,000.")
        .note("SNS governance, measured on a replica at 1,000 / 10,000 / 50,000 neurons: MakeProposal 7.4 / 60.6 / 341; RegisterVote 2.8 / 3.5 / 6.7, and 32 / 345 when all follow the voter; list_proposals(20) 27 / 221 / 1,081; post-upgrade 221 / 2,460.");
    for (index, (name, _)) in columns[0].iter().enumerate() {
        let mut row = vec![name.clone()];
        row.extend(columns.iter().map(|column| millions(column[index].1)));
        table.row(&row);
    }
    table.publish("governance");
    if proposals == 0 {
        return;
    }
    let made = format!("{proposals} proposals");
    let mut table = Table::new(
        "Proposals of governance",
        &["millions of instructions", &made],
    );
    table.note("`list_proposals` for the newest 20 that match, by a caller without neurons. All but the oldest 20, which changed a parameter, are motions; all were executed.");
    for (name, instructions) in list_many(proposals).await {
        table.row(&[name, millions(instructions)]);
    }
    table.publish("governance-proposals");
}

fn millions(instructions: u64) -> String {
    format!("{:.2}", instructions as f64 / 1_000_000.0)
}

fn init_args(parameters: Option<NervousSystemParameters>) -> InitArgs {
    InitArgs {
        token_ledger: Principal::from_slice(&[3]),
        icp_ledger: Principal::from_slice(&[1]),
        cycles_minting: Principal::from_slice(&[2]),
        parameters,
        functions: vec![],
        name: "Stoa".to_string(),
        description: String::new(),
        url: String::new(),
        dao_canisters: None,
        cycles_policy: None,
    }
}

fn motion() -> Action {
    Action::Motion(Motion {
        motion_text: "Be it so.".to_string(),
    })
}

fn now_seconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

async fn install(connection: &Connection, wasm: &Wasm, image: &Image) -> Principal {
    let memory = image.stable_memory();
    println!("{} MiB of stable memory", memory.len() >> 20);
    let arguments = candid::encode_one(init_args(None)).expect("arguments encode");
    Snapshots::new(connection)
        .install_over(CYCLES, wasm, arguments, &memory)
        .await
}

/// What listing costs where there are many proposals and few match.
async fn list_many(proposals: u64) -> Vec<(String, u64)> {
    let owner = Principal::from_slice(&[1, 1]);
    let parameters = NervousSystemParameters {
        initial_voting_period_seconds: Some(1),
        wait_for_quiet_deadline_increase_seconds: Some(0),
        ..Default::default()
    };
    const OPEN_MAX: u64 = 500;
    let began = now_seconds() - 3 * (proposals / OPEN_MAX) - 10;
    let mut image = Image::new(init_args(Some(parameters)), began);
    let neuron = image.stake(owner, 0, STAKE_E8S, DELAY_SECONDS, None);
    for number in 0..proposals {
        let action = if number < 20 {
            Action::ManageNervousSystemParameters(NervousSystemParameters {
                neuron_minimum_stake_e8s: Some(20_000 + number),
                ..Default::default()
            })
        } else {
            motion()
        };
        image.propose(owner, neuron, &"s".repeat(200), action);
        if number % OPEN_MAX == OPEN_MAX - 1 {
            image.pass(2);
        }
    }
    image.pass(2);
    let connection = connect(fresh_identity()).await;
    let wasm = wasm_folder().read("governance").expect("built");
    let canister = install(&connection, &wasm, &image).await;
    let meter = Meter::new(connection.endpoint());
    let all = || ListProposals {
        include_reward_status: vec![],
        before_proposal: None,
        limit: 20,
        exclude_type: vec![],
        include_topics: None,
        include_status: vec![],
    };
    let critical = || {
        Some(vec![TopicSelector {
            topic: Some(Topic::DaoCommunitySettings),
        }])
    };
    let mut rows = Vec::new();
    for (name, request, expected) in [
        ("without a filter", all(), 20),
        (
            "status: open, of which there are none",
            ListProposals {
                include_status: vec![1],
                ..all()
            },
            0,
        ),
        (
            "topic of the oldest 20",
            ListProposals {
                include_topics: critical(),
                ..all()
            },
            20,
        ),
        (
            "topic and status and reward status, all of the oldest 20",
            ListProposals {
                include_topics: critical(),
                include_status: vec![4],
                include_reward_status: vec![3],
                ..all()
            },
            20,
        ),
        (
            "without motions: looks at each",
            ListProposals {
                exclude_type: vec![1],
                ..all()
            },
            20,
        ),
    ] {
        let mark = meter.mark().await;
        let (listed,): (ListProposalsResponse,) = connection
            .query(canister, "list_proposals", (request,))
            .await
            .expect("listed");
        assert_eq!(listed.proposals.len(), expected, "{name}");
        let own = canister.to_text();
        let executions = meter.since(mark).await;
        let instructions = executions
            .iter()
            .filter(|one| one.canister == own && one.method == "list_proposals")
            .map(|one| one.instructions)
            .max()
            .expect("recorded");
        rows.push((name.to_string(), instructions));
    }
    rows
}

struct Bench {
    meter: Meter,
    management: Management,
    governance: Principal,
    /// Whom the crowd follows.
    leader: Member,
    /// Whom nobody follows; has three neurons.
    voter: Member,
    stranger: Connection,
    wasm: Wasm,
}

impl Bench {
    async fn with_neurons(size: u64) -> Self {
        let connection = connect(fresh_identity()).await;
        let people = [(); 3].map(|()| connection.with_identity(fresh_identity()));
        let image = Image::new(init_args(None), now_seconds() - 100);
        let [leader, voter, stranger] = people;
        let own = |person: &Connection, memo| {
            image.stake(person.principal(), memo, STAKE_E8S, DELAY_SECONDS, None)
        };
        let leading = own(&leader, 0);
        let proposing = own(&voter, 0);
        let mut others = vec![leading, own(&voter, 1), own(&voter, 2)];
        for number in 4..size {
            let owner = Principal::from_slice(&[&[7], &number.to_be_bytes()[..]].concat());
            let followee = (number < FOLLOWERS_MAX).then_some(leading);
            others.push(image.stake(owner, 0, STAKE_E8S, DELAY_SECONDS, followee));
        }
        for _ in 0..LISTED {
            let summary = "s".repeat(SUMMARY_BYTES);
            let proposal = image.propose(voter.principal(), proposing, &summary, motion());
            image.vote(&others, proposal);
        }
        let wasm = wasm_folder().read("governance").expect("built");
        let governance = install(&connection, &wasm, &image).await;
        Self {
            meter: Meter::new(connection.endpoint()),
            management: Management::new(&connection).await.expect("a topology"),
            leader: Member::new(leader, governance),
            voter: Member::new(voter, governance),
            stranger,
            governance,
            wasm,
        }
    }

    async fn measure(&mut self) -> Vec<(String, u64)> {
        let mut rows = Vec::new();
        let mut row = |name: &str, instructions: u64, max: u64| {
            assert!(instructions < max, "{name}: {instructions}");
            rows.push((name.to_string(), instructions));
        };
        let mark = self.meter.mark().await;
        let listed = self.voter.governance.proposals(LISTED as u32).await;
        let listed = listed.expect("listed");
        assert_eq!(listed.len() as u64, LISTED);
        assert!(listed.iter().all(|proposal| proposal.ballots.len() == 3));
        let query = self.of(mark, "query", "list_proposals").await;
        row(
            "list_proposals(20), all neurons voted on each",
            largest(&query),
            QUERY_MAX,
        );
        let mark = self.meter.mark().await;
        let newest = listed[0].id.as_ref().expect("a number").id;
        let shown = self.voter.governance.proposal(newest).await;
        assert_eq!(shown.expect("there").ballots.len(), 3);
        let query = self.of(mark, "query", "get_proposal").await;
        row(
            "get_proposal, all neurons voted on it",
            largest(&query),
            QUERY_MAX,
        );

        let mark = self.meter.mark().await;
        let mut proposals = Vec::new();
        for _ in 0..LISTED {
            proposals.push(self.voter.propose().await);
        }
        let made = self.of(mark, "update", "manage_neuron").await;
        row("MakeProposal (largest of 20)", largest(&made), COMMAND_MAX);

        let by_leader = self.leader.propose().await;
        self.settle().await;
        let mark = self.meter.mark().await;
        self.voter.vote(by_leader).await;
        let cast = self.of(mark, "update", "manage_neuron").await;
        row(
            "RegisterVote, followed by nobody",
            largest(&cast),
            COMMAND_MAX,
        );

        let mark = self.meter.mark().await;
        self.leader.vote(proposals[0]).await;
        let cast = self.of(mark, "update", "manage_neuron").await;
        row("RegisterVote, followed by all", largest(&cast), COMMAND_MAX);
        self.settle().await;
        let slices: Vec<Execution> = self
            .own_since(mark)
            .await
            .into_iter()
            .filter(|one| one.method != "manage_neuron" && one.entry_point != "query")
            .collect();
        row(
            "... its followers' votes, largest message",
            largest(&slices),
            UPDATE_MAX,
        );
        row(
            "... its followers' votes, all messages",
            slices.iter().map(|one| one.instructions).sum(),
            u64::MAX,
        );

        let mark = self.meter.mark().await;
        let listed = self.voter.governance.proposals(20).await.expect("listed");
        assert_eq!(listed.len(), 20);
        let query = self.of(mark, "query", "list_proposals").await;
        row("list_proposals(20)", largest(&query), QUERY_MAX);
        let mark = self.meter.mark().await;
        self.voter
            .governance
            .proposal(proposals[1])
            .await
            .expect("there");
        let query = self.of(mark, "query", "get_proposal").await;
        row("get_proposal", largest(&query), QUERY_MAX);

        let mark = self.meter.mark().await;
        self.management
            .upgrade(self.governance, &self.wasm, Vec::new())
            .await
            .expect("upgraded");
        let upgrade = self
            .own_since(mark)
            .await
            .iter()
            .filter(|one| matches!(one.entry_point.as_str(), "start" | "post_upgrade"))
            .map(|one| one.instructions)
            .sum();
        row("upgrade (start and post_upgrade)", upgrade, UPGRADE_MAX);

        let mark = self.meter.mark().await;
        for bytes in dear_messages() {
            let agent = self.stranger.agent();
            let sent = agent.update(&self.governance, "manage_neuron");
            // Refused or trapped; governance has paid for it.
            let _refused = sent.with_arg(bytes).call_and_wait().await;
        }
        let own = self.governance.to_text();
        let mut free = self.meter.since(mark).await;
        free.retain(|one| one.canister == own && one.method == "manage_neuron");
        row(
            "the dearest message of a stranger, 16 KiB",
            largest(&free),
            UPDATE_MAX,
        );
        rows
    }

    async fn own_since(&self, mark: Mark) -> Vec<Execution> {
        let canister = self.governance.to_text();
        let mut all = self.meter.since(mark).await;
        all.retain(|one| one.canister == canister);
        assert!(all.iter().all(|one| !one.trapped));
        all
    }

    async fn of(&self, mark: Mark, entry_point: &str, method: &str) -> Vec<Execution> {
        let mut found = self.own_since(mark).await;
        found.retain(|one| one.entry_point == entry_point && one.method == method);
        assert!(!found.is_empty(), "no {entry_point} {method} was recorded");
        found
    }

    /// Waits until governance has nothing to do but its rounds.
    async fn settle(&self) {
        let mut quiet = 0;
        while quiet < 2 {
            let mark = self.meter.mark().await;
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            let busy = !self.own_since(mark).await.is_empty();
            quiet = if busy { 0 } else { quiet + 1 };
        }
    }
}

struct Member {
    governance: Governance,
    neuron: [u8; 32],
}

impl Member {
    fn new(connection: Connection, canister: Principal) -> Self {
        let governance = Governance::new(&connection, canister);
        Self {
            neuron: governance.neuron_id(0),
            governance,
        }
    }

    async fn propose(&self) -> u64 {
        let proposal = Proposal {
            title: "A motion".to_string(),
            summary: "s".repeat(SUMMARY_BYTES),
            url: String::new(),
            action: Some(motion()),
        };
        self.governance
            .propose(self.neuron, proposal)
            .await
            .expect("proposed")
    }

    async fn vote(&self, proposal: u64) {
        self.governance
            .vote(self.neuron, proposal, Vote::Yes)
            .await
            .expect("voted");
    }
}

/// As long as a stranger's may be, and in one way or another hard to read.
fn dear_messages() -> Vec<Vec<u8>> {
    const LENGTH: usize = 16 * 1024 - 200;
    let proposal = candid::encode_one(ManageNeuron {
        subaccount: vec![1; 32],
        command: Some(Command::MakeProposal(Proposal {
            title: "t".repeat(256),
            summary: "s".repeat(LENGTH - 4_096),
            url: String::new(),
            action: Some(motion()),
        })),
    })
    .expect("a command encodes");
    #[derive(candid::CandidType)]
    struct WithMore<T> {
        subaccount: Vec<u8>,
        command: Option<Command>,
        more: Vec<T>,
    }
    let with_more = |more: Vec<Option<u8>>| {
        candid::encode_one(WithMore {
            subaccount: vec![1; 32],
            command: None,
            more,
        })
        .expect("a message encodes")
    };
    let begin = |types: &[u8], length: usize| {
        let mut bytes = b"DIDL".to_vec();
        bytes.extend(types);
        bytes.resize(length, 1);
        bytes
    };
    // 5,000 types, each the option of the one before.
    let mut many_types = b"DIDL".to_vec();
    many_types.extend([0x88, 0x27]);
    many_types.extend([0x6e, 0x7d]);
    for before in 0..4_999u32 {
        many_types.push(0x6e);
        many_types.extend([(before & 0x7f) as u8 | 0x80, (before >> 7) as u8]);
    }
    many_types.extend([1, 0x87, 0x27]);
    many_types.resize(LENGTH, 1);
    vec![
        proposal,
        with_more(vec![Some(1); LENGTH / 2 - 3_000]),
        with_more(vec![None; 10_000]),
        // An option of itself, nested as deep as there are bytes.
        begin(&[1, 0x6e, 0, 1, 0], LENGTH),
        many_types,
    ]
}

fn largest(executions: &[Execution]) -> u64 {
    executions
        .iter()
        .map(|one| one.instructions)
        .max()
        .unwrap_or(0)
}
