//! Every canister survives an upgrade with everything that it knew.

use candid::{Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use stoa_client::deploy::{DeployPlan, candid_nothing};
use stoa_client::management::Management;
use stoa_client::push::push;
use stoa_client::shard::Shard;
use stoa_governance_api::code::Vote;
use stoa_governance_api::{NervousSystemParameters, Neuron, ProposalData};
use stoa_inference_api::{Receipt, TopUp};
use stoa_registry_api::{VersionInfo, VersionStatus};
use stoa_scenarios::{
    Actor, ONE_TOKEN, PATIENCE, Published, World, model_with_extra_file, outputs_of, run,
    wasm_folder,
};
use stoa_types::Sha256;

/// All that can be seen from outside and that an upgrade must not change.
struct Seen {
    versions: Vec<VersionInfo>,
    proven: Vec<VersionStatus>,
    shards: Vec<Principal>,
    chunks: Vec<(u64, u64)>,
    neurons: Vec<Neuron>,
    proposals: Vec<ProposalData>,
    parameters: NervousSystemParameters,
    balances: Vec<Nat>,
    allowance: Nat,
    supplies: Vec<Nat>,
    receipts: Vec<Receipt>,
    top_ups: Vec<TopUp>,
    revenue: u64,
    price_e8s: u64,
}

impl Seen {
    /// Field by field, so that a difference can be read.
    fn expect_as(&self, before: &Seen) {
        assert_eq!(self.versions, before.versions);
        assert_eq!(self.proven, before.proven);
        assert_eq!(self.shards, before.shards);
        assert_eq!(self.chunks, before.chunks);
        assert_eq!(self.neurons, before.neurons);
        assert_eq!(self.proposals, before.proposals);
        assert_eq!(self.parameters, before.parameters);
        assert_eq!(self.balances, before.balances);
        assert_eq!(self.allowance, before.allowance);
        assert_eq!(self.supplies, before.supplies);
        assert_eq!(self.receipts, before.receipts);
        assert_eq!(self.top_ups, before.top_ups);
        assert_eq!(self.revenue, before.revenue);
        assert_eq!(self.price_e8s, before.price_e8s);
    }
}

async fn see(world: &World, user: &Actor, versions: &[Sha256], called: Sha256) -> Seen {
    let registry = user.registry();
    let mut seen_versions = Vec::new();
    let mut proven = Vec::new();
    for version in versions {
        seen_versions.push(registry.version(*version).await.unwrap().unwrap());
        proven.push(registry.proven_version(*version).await.unwrap().status);
    }
    let mut chunks = Vec::new();
    for shard in &world.deployment.shards {
        let status = Shard::new(&user.connection, *shard).status().await.unwrap();
        chunks.push((status.chunks, status.used_bytes));
    }
    // The voter's eyes: own ballots are in the answer.
    let governance = world.deployer.governance();
    let user_account = Account::from(user.principal());
    let inference_account = Account::from(user.inference().canister());
    let mut balances = Vec::new();
    for ledger in [user.icp(), user.tokens()] {
        for account in [user_account, inference_account] {
            balances.push(ledger.balance(account).await.unwrap());
        }
    }
    let inference = user.inference();
    let status = inference.status().await.unwrap();
    let mut receipts = Vec::new();
    for id in 0..status.receipts {
        receipts.push(inference.proven_receipt(id).await.unwrap());
    }
    Seen {
        versions: seen_versions,
        proven,
        shards: registry.list_shards().await.unwrap(),
        chunks,
        neurons: governance.neurons(None).await.unwrap(),
        proposals: governance.proposals(0).await.unwrap(),
        parameters: governance.parameters().await.unwrap(),
        balances,
        allowance: user
            .icp()
            .allowance(user_account, inference_account)
            .await
            .unwrap(),
        supplies: vec![
            user.icp().total_supply().await.unwrap(),
            user.tokens().total_supply().await.unwrap(),
        ],
        receipts,
        top_ups: status.top_ups,
        revenue: status.revenue_e8s,
        price_e8s: user.quote(called).await.price_e8s,
    }
}

/// A rebuilt model is measured anew, and a heap that is laid out otherwise costs some instructions more or less.
async fn expect_instructions_near(user: &Actor, version: Sha256, before: u64) {
    let now = user.quote(version).await.instructions_per_call;
    assert!(
        now.abs_diff(before) <= before / 50,
        "{before} instructions a call before, {now} after"
    );
}

async fn upgrade_all(world: &World) {
    let management = Management::new(&world.deployer.connection).await.unwrap();
    let wasm = wasm_folder();
    for (name, canister) in world.deployment.canisters() {
        let module = match name.as_str() {
            "icp ledger" | "token ledger" => "ledger",
            "cycles minting" => "cmc",
            name if name.starts_with("shard") => "shard",
            name if name.starts_with("inference") => "inference",
            name => name,
        };
        management
            .upgrade(canister, &wasm.read(module).unwrap(), candid_nothing())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// A canister without timers at work whose books would change between two looks.
async fn quiet_world() -> (World, Published, Actor) {
    let mut plan = DeployPlan::default();
    plan.policy.top_up_below_cycles = Nat::from(1_000_000_000_000_u64);
    let world = World::new(plan).await;
    let published = world.publish_digits().await;
    world.admit(published.version).await;
    world.load(published.version).await;
    let user = world.actor().await;
    user.approve(5 * ONE_TOKEN).await;
    (world, published, user)
}

#[test]
fn should_keep_drafts_chunks_votes_balances_receipts_and_models_through_upgrades() {
    run(async {
        let (world, published, user) = quiet_world().await;
        let version = published.version;
        let before_upgrade = user
            .inference()
            .infer(&user.request(version))
            .await
            .unwrap()
            .unwrap();

        // A draft with one of its chunks.
        let author = world.actor().await;
        let handle = author.claim_handle().await;
        let (folder, draft) = model_with_extra_file(&handle, 2 << 20);
        let plan = author
            .registry()
            .begin_upload(&draft.manifest)
            .await
            .unwrap()
            .unwrap();
        let extra = std::fs::read(folder.path().join("extra.bin")).unwrap();
        let first = Sha256::of(&extra[..1 << 20]);
        let placed = plan
            .chunks
            .iter()
            .find(|chunk| chunk.hash == first)
            .unwrap();
        for shard in &placed.shards {
            let shard = Shard::new(&author.connection, *shard);
            shard.put_chunk(&extra[..1 << 20]).await.unwrap().unwrap();
        }
        // A proposal in the middle of its vote.
        let governance = user.governance();
        let neuron = user.stake(50 * ONE_TOKEN, 0).await;
        let motion = governance
            .propose_motion(neuron, "A motion", "Text.")
            .await
            .unwrap();

        let versions = [version, draft.version()];
        let before = see(&world, &user, &versions, version).await;
        let instructions = user.quote(version).await.instructions_per_call;
        assert_eq!(
            before.proven,
            [VersionStatus::Admitted, VersionStatus::Draft]
        );
        // Twice: what the first upgrade wrote, the second has to read.
        for _ in 0..2 {
            upgrade_all(&world).await;
            user.inference()
                .wait_ready(version, PATIENCE, |_| {})
                .await
                .unwrap();
            let after = see(&world, &user, &versions, version).await;
            after.expect_as(&before);
            expect_instructions_near(&user, version, instructions).await;
        }

        // And everything goes on: the model runs, the draft is finished, the vote is cast.
        let again = user
            .inference()
            .infer(&user.request(version))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(outputs_of(&again), outputs_of(&before_upgrade));
        assert_eq!(again.receipt.id, before_upgrade.receipt.id + 1);
        assert_eq!(again.receipt.previous, before_upgrade.receipt.hash);
        let pushed = push(&author.connection, &author.registry(), &draft, |_| {})
            .await
            .unwrap();
        let one_chunk_on_each = (1 << 20) * placed.shards.len() as u64;
        assert_eq!(pushed.sent_bytes, one_chunk_on_each);
        let whale = world.deployer.governance();
        whale
            .vote(whale.neuron_id(0), motion, Vote::Yes)
            .await
            .unwrap();
        whale.wait_executed(motion, PATIENCE).await.unwrap();
        let refused = whale
            .try_vote(whale.neuron_id(0), motion, Vote::Yes)
            .await
            .unwrap();
        assert!(refused.is_err());
    });
}

#[test]
fn should_finish_a_load_that_an_upgrade_interrupts() {
    run(async {
        let mut plan = DeployPlan::default();
        plan.policy.top_up_below_cycles = Nat::from(1_000_000_000_000_u64);
        let world = World::new(plan).await;
        let published = world.publish_digits().await;
        world.admit(published.version).await;
        let inference = world.deployer.inference();
        inference.load(published.version).await.unwrap().unwrap();
        let management = Management::new(&world.deployer.connection).await.unwrap();
        let wasm = wasm_folder().read("inference").unwrap();
        management
            .upgrade(inference.canister(), &wasm, candid_nothing())
            .await
            .unwrap();
        inference
            .wait_ready(published.version, PATIENCE, |_| {})
            .await
            .unwrap();
    });
}
