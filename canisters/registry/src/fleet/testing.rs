//! Shards and the management canister as the fleet meets them, following their rules in plain maps.

use std::collections::{BTreeMap, VecDeque};

use candid::{CandidType, Decode, Encode, Principal};
use serde::de::DeserializeOwned;
use stoa_shard_api::{
    PullArgs, PullError, Pulled, ReleaseArgs, ReleaseError, ScrubReport, ServeArgs, ServeError,
    ShardHealth, ShardStatus,
};

use super::create::{
    CanisterId, CanisterInfo, CanisterInfoArgs, CreateCanisterArgs, InstallCodeArgs,
    UpdateSettingsArgs,
};
use crate::runtime::CallFailure;
use crate::testing::{REGISTRY, TestRuntime, TestShard};

#[derive(Default)]
pub struct TestManagement {
    pub controllers: BTreeMap<Principal, Vec<Principal>>,
    pub installed: BTreeMap<Principal, Vec<u8>>,
    pub deposited: BTreeMap<Principal, u128>,
    /// Methods of the calls to come that fail, in order.
    pub failing: VecDeque<&'static str>,
}

fn decode<T: CandidType + DeserializeOwned>(bytes: &[u8]) -> T {
    Decode!(bytes, T).expect("arguments of the declared type")
}

pub fn manage(
    runtime: &TestRuntime,
    method: &str,
    argument: &[u8],
    cycles: u128,
) -> Result<Vec<u8>, CallFailure> {
    let mut management = runtime.management.borrow_mut();
    if management.failing.front() == Some(&method) {
        management.failing.pop_front();
        return Err(CallFailure {
            is_unknown: false,
            message: "rejected".to_owned(),
        });
    }
    match method {
        "create_canister" => {
            let number = management.controllers.len() as u8;
            let canister_id = Principal::from_slice(&[3, number]);
            let args: CreateCanisterArgs = decode(argument);
            let controllers = args.settings.and_then(|settings| settings.controllers);
            management
                .controllers
                .insert(canister_id, controllers.unwrap_or_default());
            runtime.cycles.set(runtime.cycles.get() - cycles);
            Ok(Encode!(&CanisterId { canister_id }).unwrap())
        }
        "install_code" => {
            let args: InstallCodeArgs = decode(argument);
            assert_eq!(management.controllers[&args.canister_id], [REGISTRY]);
            let init: stoa_shard_api::InitArgs = decode(&args.arg);
            assert_eq!(init.registry, REGISTRY);
            management
                .installed
                .insert(args.canister_id, args.wasm_module);
            let shard = TestShard {
                capacity_bytes: init.capacity_bytes,
                ..TestShard::default()
            };
            runtime.shards.borrow_mut().insert(args.canister_id, shard);
            Ok(Encode!().unwrap())
        }
        "update_settings" => {
            let args: UpdateSettingsArgs = decode(argument);
            let controllers = args.settings.controllers.unwrap();
            management.controllers.insert(args.canister_id, controllers);
            Ok(Encode!().unwrap())
        }
        "canister_info" => {
            let args: CanisterInfoArgs = decode(argument);
            let controllers = management.controllers[&args.canister_id].clone();
            Ok(Encode!(&CanisterInfo { controllers }).unwrap())
        }
        "deposit_cycles" => {
            let args: CanisterId = decode(argument);
            *management.deposited.entry(args.canister_id).or_default() += cycles;
            Ok(Encode!().unwrap())
        }
        other => panic!("the management canister has no {other} here"),
    }
}

/// `None` where `callee` is no shard or has no such method here.
pub fn call(
    runtime: &TestRuntime,
    callee: Principal,
    method: &str,
    argument: &[u8],
) -> Option<Result<Vec<u8>, CallFailure>> {
    let mut shards = runtime.shards.borrow_mut();
    let is_down = shards.get(&callee)?.is_down;
    if is_down && method != "c2c_release" {
        return Some(Err(CallFailure {
            is_unknown: true,
            message: "the canister is stopped".to_owned(),
        }));
    }
    let reply = match method {
        "c2c_pull" => {
            let args: PullArgs = decode(argument);
            Encode!(&pull(&mut shards, callee, &args)).unwrap()
        }
        "c2c_serve" => {
            let args: ServeArgs = decode(argument);
            let shard = shards.get_mut(&callee)?;
            let paths = args
                .files
                .into_iter()
                .map(|file| (args.version, file.file.path));
            shard.served.extend(paths);
            Encode!(&Ok::<(), ServeError>(())).unwrap()
        }
        "c2c_release" => {
            let args: ReleaseArgs = decode(argument);
            let chunks = args.chunks?;
            let shard = shards.get_mut(&callee)?;
            for chunk in chunks {
                shard.held.remove(&chunk);
            }
            Encode!(&Ok::<(), ReleaseError>(())).unwrap()
        }
        "health" => Encode!(&health(&shards[&callee])).unwrap(),
        _ => return None,
    };
    Some(Ok(reply))
}

fn pull(
    shards: &mut BTreeMap<Principal, TestShard>,
    callee: Principal,
    args: &PullArgs,
) -> Result<Pulled, PullError> {
    let mut pulled = Pulled { copied: 0, held: 0 };
    for hash in &args.hashes {
        let shard = &shards[&callee];
        if shard.held.contains_key(hash) && !shard.damaged.contains(hash) {
            pulled.held += 1;
            continue;
        }
        let failed = |message: &str| PullError::SourceFailed {
            hash: *hash,
            message: message.to_owned(),
        };
        let source = shards.get(&args.source).ok_or(failed("no such shard"))?;
        if source.is_down || source.damaged.contains(hash) {
            return Err(failed("no good copy"));
        }
        let size = *source.held.get(hash).ok_or(failed("not held"))?;
        let shard = shards.get_mut(&callee).unwrap();
        assert!(
            shard.expected.contains_key(hash) || shard.damaged.contains(hash),
            "a chunk that was not announced"
        );
        shard.held.insert(*hash, size);
        shard.damaged.remove(hash);
        pulled.copied += 1;
    }
    Ok(pulled)
}

fn health(shard: &TestShard) -> ShardHealth {
    ShardHealth {
        status: ShardStatus {
            registry: REGISTRY,
            chunks: shard.held.len() as u64,
            used_bytes: shard.held.values().sum(),
            reserved_bytes: 0,
            capacity_bytes: shard.capacity_bytes,
            cycles: 3_000_000_000_000_u64.into(),
            liquid_cycles: shard.liquid_cycles.map(Into::into),
        },
        scrub: ScrubReport {
            is_running: false,
            passes: 1,
            started_at_nanos: None,
            finished_at_nanos: None,
            checked_chunks: 0,
            checked_bytes: 0,
            damaged_chunks: shard.damaged.len() as u64,
            damaged: shard.damaged.iter().copied().collect(),
        },
        stable_bytes: 0,
        versions: 0,
    }
}
