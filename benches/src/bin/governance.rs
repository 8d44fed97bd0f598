//! What governance costs with 1,000, 10,000 and 100,000 neurons.
//!
//! The neurons are made by a canister, the crowd, that is their controller and stands in for the token's ledger: it
//! says that every account holds the same. So each neuron is claimed, given its dissolve delay and told whom to follow by
//! the very commands that people send, with no path in governance that exists for this alone; from within the
//! network they go a hundred at a time and without signatures.

use candid::Principal;
use stoa_benches::{Execution, Mark, Meter, Table};
use stoa_client::Connection;
use stoa_client::governance::Governance;
use stoa_client::management::Management;
use stoa_client::wasm::Wasm;
use stoa_governance_api::code::Vote;
use stoa_governance_api::*;
use stoa_scenarios::{connect, fresh_identity, run, wasm_folder};
use stoa_types::Sha256;

const CYCLES: u128 = 1_000_000_000_000_000;
const DELAY_SECONDS: u32 = 20_000_000;
const BATCH: u64 = 2_000;
const WIDTH: u32 = 100;
const SIZES: [u64; 3] = [1_000, 10_000, 100_000];

/// `seed` takes 12,288 bytes:
///
/// ```text
/// | 0 length, 4 id of governance | 36 length of claim, 40 place of its memo | 44 length of configure, 48 place of its id |
/// | 52 length of follow, 56 place of its id | 60 first memo, 68 end | 76 commands at a time |
/// | 1024 claim | 4096 configure | 8192 follow |
/// ```
/// and replies when all are made. An answer to a claim ends with the neuron's id.
const CROWD: &str = r#"
(module
  (import "ic0" "msg_arg_data_size" (func $arg_size (result i32)))
  (import "ic0" "msg_arg_data_copy" (func $arg_copy (param i32 i32 i32)))
  (import "ic0" "call_new" (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "ic0" "call_data_append" (func $call_data_append (param i32 i32)))
  (import "ic0" "call_perform" (func $call_perform (result i32)))
  (import "ic0" "msg_reply_data_append" (func $reply_append (param i32 i32)))
  (import "ic0" "msg_reply" (func $reply))
  (memory 2)
  (table 4 funcref)
  (elem (i32.const 0) $on_claimed $on_configured $on_followed $on_reject)
  (data (i32.const 16384) "manage_neuron")
  ;; Candid of one nat: 1,000 tokens, 100,000,000,000 in LEB128.
  (data (i32.const 16400) "DIDL\00\01\7d\80\d0\db\c3\f4\02")
  (global $next (mut i64) (i64.const 0))
  (global $end (mut i64) (i64.const 0))
  (global $live (mut i32) (i32.const 0))

  (func (export "canister_update icrc1_balance_of")
    (call $reply_append (i32.const 16400) (i32.const 13))
    (call $reply))

  (func $command (param $on_reply i32) (param $data i32) (param $size i32)
    (call $call_new
      (i32.const 4) (i32.load (i32.const 0))
      (i32.const 16384) (i32.const 13)
      (local.get $on_reply) (i32.const 0)
      (i32.const 3) (i32.const 0))
    (call $call_data_append (local.get $data) (local.get $size))
    (if (call $call_perform) (then unreachable)))

  (func $claim_next
    (if (i64.ge_u (global.get $next) (global.get $end))
      (then
        (global.set $live (i32.sub (global.get $live) (i32.const 1)))
        (if (i32.eqz (global.get $live)) (then (call $reply)))
        (return)))
    (i64.store (i32.add (i32.const 1024) (i32.load (i32.const 40))) (global.get $next))
    (global.set $next (i64.add (global.get $next) (i64.const 1)))
    (call $command (i32.const 0) (i32.const 1024) (i32.load (i32.const 36))))

  (func (export "canister_update seed")
    (local $left i32)
    (call $arg_copy (i32.const 0) (i32.const 0) (i32.const 12288))
    (global.set $next (i64.load (i32.const 60)))
    (global.set $end (i64.load (i32.const 68)))
    (local.set $left (i32.load (i32.const 76)))
    (global.set $live (local.get $left))
    (loop $more
      (call $claim_next)
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left))))

  (func $on_claimed (param i32)
    (local $at i32)
    (local.set $at (i32.sub (call $arg_size) (i32.const 32)))
    (call $arg_copy (i32.add (i32.const 4096) (i32.load (i32.const 48))) (local.get $at) (i32.const 32))
    (call $arg_copy (i32.add (i32.const 8192) (i32.load (i32.const 56))) (local.get $at) (i32.const 32))
    (call $command (i32.const 1) (i32.const 4096) (i32.load (i32.const 44)))
    (call $command (i32.const 2) (i32.const 8192) (i32.load (i32.const 52))))

  (func $on_configured (param i32))
  (func $on_followed (param i32) (call $claim_next))
  (func $on_reject (param i32) unreachable))
"#;

fn main() {
    run(benchmark());
}

async fn benchmark() {
    let mut bench = Bench::new().await;
    let mut columns: Vec<Vec<(String, u64)>> = Vec::new();
    let mut made = 0;
    for size in SIZES {
        bench.seed(made, size).await;
        made = size;
        let column = bench.measure().await;
        println!("{size}: {column:?}");
        columns.push(column);
    }
    let mut table = Table::new(
        "Governance",
        &[
            "millions of instructions",
            "1,000 neurons",
            "10,000",
            "100,000",
        ],
    );
    table
        .note("Of single executions, with the charge for dirty pages, as the embedded network counts them. Each neuron is claimed, given a dissolve delay and a followee by ordinary commands of a canister (`src/bin/governance.rs`). The caller of the queries has three neurons; proposals have a summary of 1,000 bytes.")
        .note("SNS governance, measured on a replica at 1,000 / 10,000 / 50,000 neurons: MakeProposal 7.4 / 60.6 / 341; RegisterVote 2.8 / 3.5 / 6.7, and 32 / 345 when all follow the voter; list_proposals(20) 27 / 221 / 1,081; post-upgrade 221 / 2,460.");
    for (index, (name, _)) in columns[0].iter().enumerate() {
        let mut row = vec![name.clone()];
        row.extend(
            columns
                .iter()
                .map(|column| format!("{:.2}", column[index].1 as f64 / 1_000_000.0)),
        );
        table.row(&row);
    }
    table.publish("governance");
}

struct Bench {
    meter: Meter,
    management: Management,
    governance: Principal,
    crowd: Principal,
    /// Whom the crowd follows.
    leader: Member,
    /// Whom nobody follows; has three neurons.
    voter: Member,
    wasm: Wasm,
}

impl Bench {
    async fn new() -> Self {
        let connection = connect(fresh_identity()).await;
        let management = Management::new(&connection).await.expect("a topology");
        let governance = management.create(CYCLES, None).await.expect("created");
        let crowd = management.create(CYCLES, None).await.expect("created");
        let bytes = wat::parse_str(CROWD).expect("the module is a constant");
        let module = Wasm {
            hash: Sha256::of(&bytes),
            bytes,
        };
        management
            .install(crowd, &module, Vec::new())
            .await
            .expect("installed");
        let arguments = InitArgs {
            token_ledger: crowd,
            icp_ledger: Principal::from_slice(&[1]),
            cycles_minting: Principal::from_slice(&[2]),
            parameters: None,
            functions: vec![],
            name: "Stoa".to_string(),
            description: String::new(),
            url: String::new(),
            dao_canisters: None,
            cycles_policy: None,
        };
        let wasm = wasm_folder().read("governance").expect("built");
        let arguments = candid::encode_one(arguments).expect("arguments encode");
        management
            .install(governance, &wasm, arguments)
            .await
            .expect("installed");
        Self {
            meter: Meter::new(connection.endpoint()),
            leader: Member::join(&connection, governance, 1).await,
            voter: Member::join(&connection, governance, 3).await,
            management,
            governance,
            crowd,
            wasm,
        }
    }

    /// Neurons with memos from `from` to `end`.
    async fn seed(&self, from: u64, end: u64) {
        let agent = self.leader.connection.agent();
        for start in (from..end).step_by(BATCH as usize) {
            let stop = (start + BATCH).min(end);
            let argument =
                seed_argument(self.governance, self.crowd, self.leader.neuron, start, stop);
            agent
                .update(&self.crowd, "seed")
                .with_arg(argument)
                .call_and_wait()
                .await
                .expect("seeded");
        }
        let last = neuron_staking_subaccount(self.crowd, end - 1);
        let question = GetNeuron {
            neuron_id: Some(last.into()),
        };
        let (answer,): (GetNeuronResponse,) = self
            .leader
            .connection
            .query(self.governance, "get_neuron", (question,))
            .await
            .expect("answered");
        let Some(GetNeuronResult::Neuron(neuron)) = answer.result else {
            panic!("the last neuron of the crowd is not there: {answer:?}");
        };
        assert_eq!(neuron.followees.len(), 1);
    }

    async fn measure(&mut self) -> Vec<(String, u64)> {
        let mut rows = Vec::new();
        let mut row = |name: &str, instructions: u64| rows.push((name.to_string(), instructions));
        let mark = self.meter.mark().await;
        let mut proposals = Vec::new();
        for _ in 0..20 {
            proposals.push(self.voter.propose().await);
        }
        let made = self.of(mark, "update", "manage_neuron").await;
        row("MakeProposal (largest of 20)", largest(&made));

        let by_leader = self.leader.propose().await;
        self.settle().await;
        let mark = self.meter.mark().await;
        self.voter.vote(by_leader).await;
        let cast = self.of(mark, "update", "manage_neuron").await;
        row("RegisterVote, followed by nobody", largest(&cast));

        let mark = self.meter.mark().await;
        self.leader.vote(proposals[0]).await;
        let cast = self.of(mark, "update", "manage_neuron").await;
        row("RegisterVote, followed by all", largest(&cast));
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
        );
        row(
            "... its followers' votes, all messages",
            slices.iter().map(|one| one.instructions).sum(),
        );

        let mark = self.meter.mark().await;
        let listed = self.voter.governance.proposals(20).await.expect("listed");
        assert_eq!(listed.len(), 20);
        let query = self.of(mark, "query", "list_proposals").await;
        row("list_proposals(20)", largest(&query));
        let mark = self.meter.mark().await;
        self.voter
            .governance
            .proposal(proposals[1])
            .await
            .expect("there");
        let query = self.of(mark, "query", "get_proposal").await;
        row("get_proposal", largest(&query));

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
        row("upgrade (start and post_upgrade)", upgrade);
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
    connection: Connection,
    governance: Governance,
    neuron: [u8; 32],
}

impl Member {
    /// Claims neurons with memos from 0 on; the crowd's ledger has their stake already.
    async fn join(connection: &Connection, canister: Principal, neurons: u64) -> Self {
        let connection = connection.with_identity(fresh_identity());
        let governance = Governance::new(&connection, canister);
        for memo in 0..neurons {
            let id = governance.neuron_id(memo);
            for command in [claim(connection.principal(), memo), raise_delay()] {
                let request = ManageNeuron {
                    subaccount: id.to_vec(),
                    command: Some(command),
                };
                let (response,): (ManageNeuronResponse,) = connection
                    .update(canister, "manage_neuron", (request,))
                    .await
                    .expect("answered");
                let refused = matches!(response.command, Some(CommandResponse::Error(_)));
                assert!(!refused, "{response:?}");
            }
        }
        Self {
            neuron: governance.neuron_id(0),
            connection,
            governance,
        }
    }

    async fn propose(&self) -> u64 {
        let proposal = Proposal {
            title: "A motion".to_string(),
            summary: "s".repeat(1_000),
            url: String::new(),
            action: Some(Action::Motion(Motion {
                motion_text: "Be it so.".to_string(),
            })),
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

fn claim(controller: Principal, memo: u64) -> Command {
    Command::ClaimOrRefresh(ClaimOrRefresh {
        by: Some(By::MemoAndController(MemoAndController {
            controller: Some(controller),
            memo,
        })),
    })
}

fn raise_delay() -> Command {
    Command::Configure(Configure {
        operation: Some(Operation::IncreaseDissolveDelay(IncreaseDissolveDelay {
            additional_dissolve_delay_seconds: DELAY_SECONDS,
        })),
    })
}

fn seed_argument(
    governance: Principal,
    crowd: Principal,
    leader: [u8; 32],
    start: u64,
    end: u64,
) -> Vec<u8> {
    /// Told apart from all else in a message.
    const MEMO: u64 = 0x5ee0_0123_4567_89ab;
    const ID: [u8; 32] = [0xe7; 32];
    let encoded = |subaccount: [u8; 32], command| {
        candid::encode_one(ManageNeuron {
            subaccount: subaccount.to_vec(),
            command: Some(command),
        })
        .expect("a command encodes")
    };
    let claim = encoded([0; 32], claim(crowd, MEMO));
    let configure = encoded(ID, raise_delay());
    let follow = encoded(
        ID,
        Command::Follow(Follow {
            function_id: 0,
            followees: vec![leader.into()],
        }),
    );
    let mut argument = vec![0; 12_288];
    let mut put = |at: usize, bytes: &[u8]| argument[at..at + bytes.len()].copy_from_slice(bytes);
    let number = |value: usize| u32::try_from(value).expect("small").to_le_bytes();
    put(0, &number(governance.as_slice().len()));
    put(4, governance.as_slice());
    for (at, message, mark) in [
        (36, &claim, MEMO.to_le_bytes().to_vec()),
        (44, &configure, ID.to_vec()),
        (52, &follow, ID.to_vec()),
    ] {
        put(at, &number(message.len()));
        let place = message
            .windows(mark.len())
            .position(|window| window == mark)
            .expect("the mark is in the message");
        put(at + 4, &number(place));
    }
    put(60, &start.to_le_bytes());
    put(68, &end.to_le_bytes());
    put(76, &WIDTH.to_le_bytes());
    put(1_024, &claim);
    put(4_096, &configure);
    put(8_192, &follow);
    argument
}

fn largest(executions: &[Execution]) -> u64 {
    executions
        .iter()
        .map(|one| one.instructions)
        .max()
        .unwrap_or(0)
}
