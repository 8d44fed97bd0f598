//! The fleet on the real Wasm: a full one grows, a damaged chunk is found and mended, a retired shard is emptied, and upgrades in the
//! middle of each lose nothing.

use std::time::{Duration, Instant};

use candid::Principal;
use stoa_client::deploy::{DeployPlan, candid_nothing};
use stoa_client::fleet::{self, Decision, Fleet};
use stoa_client::management::Management;
use stoa_client::push::push;
use stoa_client::shard::Shard;
use stoa_client::wasm::Wasm;
use stoa_governance_api::code::Vote;
use stoa_governance_api::{Action, ExecuteGenericNervousSystemFunction, Proposal};
use stoa_registry_api::{FleetPolicy, FleetStatus, JobKind, JobState, ShardRole};
use stoa_scenarios::{PATIENCE, World, model_with_extra_file, page, run, wasm_folder};
use stoa_shard_api::GetChunkError;
use stoa_types::Sha256;

const MIB: usize = 1 << 20;

/// Neurons of every world: one that decides, one that proposes.
const WHALE: u64 = 0;
const PROPOSER: u64 = 1;

/// Changes the byte behind the first place in stable memory that has these eight bytes, when it takes the place of another module.
const DAMAGE: &str = r#"
(module
  (import "ic0" "msg_arg_data_copy" (func $arg_copy (param i32 i32 i32)))
  (import "ic0" "stable64_size" (func $stable_size (result i64)))
  (import "ic0" "stable64_read" (func $stable_read (param i64 i64 i64)))
  (import "ic0" "stable64_write" (func $stable_write (param i64 i64 i64)))
  (memory 2)
  (func (export "canister_post_upgrade")
    (local $needle i64) (local $page i64) (local $pages i64) (local $at i32)
    (call $arg_copy (i32.const 0) (i32.const 0) (i32.const 8))
    (local.set $needle (i64.load (i32.const 0)))
    (local.set $pages (call $stable_size))
    (loop $next_page
      (if (i64.ge_u (local.get $page) (local.get $pages)) (then unreachable))
      (call $stable_read (i64.const 64) (i64.mul (local.get $page) (i64.const 65536)) (i64.const 65536))
      (local.set $at (i32.const 0))
      (loop $next_byte
        (if (i64.eq (i64.load offset=64 (local.get $at)) (local.get $needle))
          (then
            (i32.store8 (i32.const 32) (i32.xor (i32.load8_u offset=64 (local.get $at)) (i32.const 255)))
            (call $stable_write
              (i64.add (i64.mul (local.get $page) (i64.const 65536)) (i64.extend_i32_u (local.get $at)))
              (i64.const 32) (i64.const 1))
            return))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $next_byte (i32.lt_u (local.get $at) (i32.const 65528))))
      (local.set $page (i64.add (local.get $page) (i64.const 1)))
      (br $next_page))))
"#;

fn fleet_of(world: &World) -> Fleet {
    Fleet::new(&world.deployer.connection, world.deployment.registry)
}

/// Proposes, votes and waits until it has run.
async fn decide(world: &World, decision: Decision) {
    let governance = world.deployer.governance();
    let action = Action::ExecuteGenericNervousSystemFunction(ExecuteGenericNervousSystemFunction {
        function_id: decision.function_id,
        payload: decision.payload,
    });
    let proposal = Proposal {
        url: String::new(),
        title: decision.title,
        summary: String::new(),
        action: Some(action),
    };
    let proposal = governance
        .propose(governance.neuron_id(PROPOSER), proposal)
        .await
        .expect("proposed");
    governance
        .vote(governance.neuron_id(WHALE), proposal, Vote::Yes)
        .await
        .expect("voted");
    governance
        .wait_executed(proposal, PATIENCE)
        .await
        .expect("executed");
}

async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: waited in vain");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn wait_for_jobs(world: &World, kind: JobKind, count: usize) {
    let fleet = fleet_of(world);
    wait_for(&format!("{count} jobs {kind:?}"), async || {
        let jobs = fleet.jobs(None).await.unwrap();
        let done = jobs
            .iter()
            .filter(|job| job.kind == kind && job.state == JobState::Done)
            .count();
        (done >= count).then_some(())
    })
    .await;
}

async fn quick_policy(world: &World, change: impl FnOnce(&mut FleetPolicy)) {
    let mut policy = fleet_of(world).status().await.unwrap().policy;
    policy.watch_seconds = 2;
    change(&mut policy);
    decide(world, fleet::set_policy(&policy).unwrap()).await;
}

async fn with_module(world: &World) -> Wasm {
    let module = wasm_folder().read("shard").unwrap();
    let named = fleet::module_of(&module.bytes);
    decide(world, fleet::set_module(&named).unwrap()).await;
    fleet_of(world).put_module(&module.bytes).await.unwrap();
    assert!(fleet_of(world).status().await.unwrap().is_module_complete);
    module
}

fn principals(status: &FleetStatus, role: ShardRole) -> Vec<Principal> {
    status
        .shards
        .iter()
        .filter(|shard| shard.role == role)
        .map(|shard| shard.shard)
        .collect()
}

#[test]
fn should_mend_a_damaged_chunk_that_the_scrub_finds() {
    run(async {
        let world = World::new(DeployPlan::default()).await;
        let publisher = world.actor().await;
        let handle = publisher.claim_handle().await;
        let (folder, model) = model_with_extra_file(&handle, 2 * MIB + 7);
        push(&publisher.connection, &publisher.registry(), &model, |_| {})
            .await
            .unwrap();
        quick_policy(&world, |_| {}).await;

        // The one who controls a shard before the hand-over damages its memory.
        let bytes = std::fs::read(folder.path().join("extra.bin")).unwrap();
        let chunk = Sha256::of(&bytes[..MIB]);
        let canister = world.deployment.shards[0];
        let damage = wat::parse_str(DAMAGE).unwrap();
        let damage = Wasm {
            hash: Sha256::of(&damage),
            bytes: damage,
        };
        let management = Management::new(&world.deployer.connection).await.unwrap();
        let needle = bytes[4096..4104].to_vec();
        management.upgrade(canister, &damage, needle).await.unwrap();
        let module = wasm_folder().read("shard").unwrap();
        management
            .upgrade(canister, &module, candid_nothing())
            .await
            .unwrap();
        let shard = Shard::new(&publisher.connection, canister);
        assert_eq!(
            shard.get_chunk(chunk).await.unwrap(),
            Err(GetChunkError::Corrupt { hash: chunk })
        );

        decide(&world, fleet::scrub().unwrap()).await;
        wait_for_jobs(&world, JobKind::Mend, 1).await;
        assert!(shard.chunk(chunk).await.unwrap() == bytes[..MIB]);
        let seen = wait_for("a look after the mending", async || {
            let status = fleet_of(&world).status().await.unwrap();
            let shard = status
                .shards
                .into_iter()
                .find(|shard| shard.shard == canister);
            shard.unwrap().seen.filter(|seen| seen.damaged_chunks == 0)
        })
        .await;
        assert!(seen.scrub_passes >= 1);
    });
}

#[test]
fn should_grow_when_it_is_full_and_give_governance_alone_the_new_shards() {
    run(async {
        let plan = DeployPlan {
            shard_capacity_bytes: 4 * MIB as u64,
            ..DeployPlan::default()
        };
        let world = World::new(plan).await;
        let management = Management::new(&world.deployer.connection).await.unwrap();
        with_module(&world).await;
        quick_policy(&world, |policy| {
            policy.shard_capacity_bytes = 64 * MIB as u64;
            policy.growth_free_percent = 50;
        })
        .await;
        let publisher = world.actor().await;
        let handle = publisher.claim_handle().await;
        let (_first, model) = model_with_extra_file(&handle, 3 * MIB);
        push(&publisher.connection, &publisher.registry(), &model, |_| {})
            .await
            .unwrap();

        let grown = wait_for("two more shards", async || {
            let status = fleet_of(&world).status().await.unwrap();
            (status.shards.len() >= 4).then_some(status)
        })
        .await;
        for shard in principals(&grown, ShardRole::Active) {
            if world.deployment.shards.contains(&shard) {
                continue;
            }
            let controllers = management.controllers(shard).await.unwrap();
            assert_eq!(controllers, Some(vec![world.deployment.governance]));
        }
        let second = world.actor().await;
        let handle = second.claim_handle().await;
        let (folder, model) = model_with_extra_file(&handle, 5 * MIB);
        let pushed = push(&second.connection, &second.registry(), &model, |_| {})
            .await
            .unwrap();
        let bytes = std::fs::read(folder.path().join("extra.bin")).unwrap();
        let info = second
            .registry()
            .version(pushed.version)
            .await
            .unwrap()
            .unwrap();
        for chunk in info.placement {
            assert_eq!(chunk.shards.len(), 2);
            for shard in chunk.shards {
                Shard::new(&second.connection, shard)
                    .chunk(chunk.hash)
                    .await
                    .unwrap();
            }
        }
        assert_eq!(bytes.len(), 5 * MIB);
    });
}

#[test]
fn should_empty_a_retired_shard_through_upgrades_in_the_middle_of_the_move() {
    run(async {
        let plan = DeployPlan {
            shards: 3,
            ..DeployPlan::default()
        };
        let world = World::new(plan).await;
        let publisher = world.actor().await;
        let handle = publisher.claim_handle().await;
        let (folder, model) = model_with_extra_file(&handle, 20 * MIB + 7);
        let pushed = push(&publisher.connection, &publisher.registry(), &model, |_| {})
            .await
            .unwrap();
        wait_for_jobs(&world, JobKind::Serve, 1).await;
        let placed = async || {
            let version = publisher.registry().version(pushed.version).await;
            version.unwrap().unwrap().placement
        };
        let retired = placed().await[0].shards[0];
        decide(&world, fleet::retire(retired).unwrap()).await;

        let management = Management::new(&world.deployer.connection).await.unwrap();
        for name in ["registry", "shard", "registry"] {
            let module = wasm_folder().read(name).unwrap();
            let canisters = match name {
                "registry" => vec![world.deployment.registry],
                _ => world.deployment.shards.clone(),
            };
            for canister in canisters {
                management
                    .upgrade(canister, &module, candid_nothing())
                    .await
                    .unwrap();
            }
        }
        wait_for("the shard to be retired", async || {
            let status = fleet_of(&world).status().await.unwrap();
            principals(&status, ShardRole::Retired)
                .contains(&retired)
                .then_some(())
        })
        .await;
        for chunk in placed().await {
            assert_eq!(chunk.shards.len(), 2);
            assert!(!chunk.shards.contains(&retired));
            for shard in chunk.shards {
                Shard::new(&publisher.connection, shard)
                    .chunk(chunk.hash)
                    .await
                    .unwrap();
            }
        }
        let emptied = Shard::new(&publisher.connection, retired);
        assert_eq!(emptied.status().await.unwrap().used_bytes, 0);

        // Whoever knows the old place is sent to the new one, by the gateway that he came by.
        let manifest = &model.manifest;
        let (base, _) = page(publisher.connection.endpoint(), &retired.to_text());
        let url = format!(
            "{base}/models/{handle}/{}/{}/extra.bin",
            manifest.name, manifest.version
        );
        let bytes = std::fs::read(folder.path().join("extra.bin")).unwrap();
        let sent = tokio::task::spawn_blocking(move || {
            let curl = |arguments: &[&str]| {
                let all = ["--silent", "--show-error", "--fail", "--max-time", "300"];
                let output = std::process::Command::new("curl")
                    .args(all)
                    .args(arguments)
                    .arg(&url)
                    .output();
                output.expect("curl is installed").stdout
            };
            let code = curl(&["-o", "/dev/null", "-w", "%{http_code}"]);
            assert_eq!(code, b"307");
            curl(&["--location"])
        });
        assert!(sent.await.unwrap() == bytes);
    });
}
