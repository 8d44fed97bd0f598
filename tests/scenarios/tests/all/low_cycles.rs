//! Statement 22, of cycles: a shard that comes near its freezing limit answers an error, and never stores half of anything. The limit is moved
//! by what the canister has to have for, as its controller may, so that nobody has to wait until it has burnt its cycles.

use candid::{Nat, Principal};
use ic_management_canister_types::{CanisterSettings, UpdateSettingsArgs};
use stoa_client::management::Management;
use stoa_scenarios::{LoneShard, run};
use stoa_shard_api::{
    GetChunkError, GetChunkResult, PullArgs, PullError, PullResult, PutChunkError, ShardHealth,
};
use stoa_types::Sha256;

const MIB: u64 = 1 << 20;
const BILLION: u128 = 1_000_000_000;
const DAY_SECONDS: u128 = 24 * 3_600;

/// The seconds that a canister has to have cycles for.
async fn set_freezing_threshold(lone: &LoneShard, seconds: Nat) {
    let argument = UpdateSettingsArgs {
        canister_id: lone.canister,
        settings: CanisterSettings {
            freezing_threshold: Some(seconds),
            ..CanisterSettings::default()
        },
        sender_canister_version: None,
    };
    lone.connection
        .agent()
        .update(&Principal::management_canister(), "update_settings")
        .with_effective_canister_id(lone.canister)
        .with_arg(candid::encode_one(argument).unwrap())
        .call_and_wait()
        .await
        .unwrap();
}

/// Moves the freezing limit to where the shard may spend this much.
async fn let_it_spend(lone: &LoneShard, cycles: u128) {
    let management = Management::new(&lone.connection).await.unwrap();
    let status = management.status(lone.canister).await.unwrap();
    let kept = status.cycles - Nat::from(cycles);
    let seconds = kept * Nat::from(DAY_SECONDS) / status.idle_cycles_burned_per_day;
    set_freezing_threshold(lone, seconds).await;
}

async fn health(lone: &LoneShard) -> ShardHealth {
    let (mut health,): (ShardHealth,) = lone
        .connection
        .query(lone.canister, "health", ())
        .await
        .unwrap();
    // The one thing that a refused message changes, and what is derived from it.
    health.status.cycles = Nat::default();
    health.status.liquid_cycles = None;
    health
}

async fn assert_lacks(lone: &LoneShard, number: usize) {
    let hash = Sha256::of(&LoneShard::chunk(number));
    let (answer,): (GetChunkResult,) = lone
        .connection
        .query(lone.canister, "get_chunk", (hash,))
        .await
        .unwrap();
    assert_eq!(answer, Err(GetChunkError::NotFound { hash }));
}

#[test]
fn should_answer_an_error_and_store_nothing_by_halves_where_cycles_run_low() {
    run(async {
        let lone = LoneShard::new(1 << 30).await;
        lone.expect(1, 0..20).await.unwrap();
        lone.put(0).await;
        let before = health(&lone).await;

        // It could pay for what it does, and is near to what it must keep.
        let_it_spend(&lone, 150 * BILLION).await;
        let refused = lone.try_put(1).await.unwrap();
        match refused {
            Err(PutChunkError::LowCycles { balance, needed }) => {
                assert_eq!(needed, Nat::from(200 * BILLION));
                assert!(balance < needed, "{balance}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(health(&lone).await, before);
        assert_lacks(&lone, 1).await;
        lone.assert_holds(0..1).await;

        // Neither does it take in what its registry orders.
        let source = LoneShard::new(1 << 30).await;
        source.expect(1, 1..2).await.unwrap();
        source.put(1).await;
        let pull = PullArgs {
            source: source.canister,
            hashes: vec![Sha256::of(&LoneShard::chunk(1))],
        };
        let refused: PullResult = lone.ask("c2c_pull", &pull).await;
        assert!(
            matches!(
                refused,
                Err(PullError::Refused {
                    error: PutChunkError::LowCycles { .. },
                    ..
                })
            ),
            "{refused:?}"
        );
        assert_eq!(health(&lone).await, before);

        // Frozen: the network refuses what is sent.
        set_freezing_threshold(&lone, Nat::from(u64::MAX)).await;
        let refused = lone.try_put(1).await.unwrap_err().to_string();
        assert!(refused.contains("out of cycles"), "{refused}");

        set_freezing_threshold(&lone, Nat::from(30 * DAY_SECONDS)).await;
        assert_eq!(health(&lone).await, before);
        lone.put(1).await;
        lone.assert_holds(0..2).await;
    });
}

/// Memory grows by buckets: the chunk for which there is a new one to be had is refused as a whole.
#[test]
fn should_store_nothing_where_growing_would_freeze_it() {
    run(async {
        let lone = LoneShard::new(1 << 30).await;
        let all = 40;
        lone.expect(1, 0..all).await.unwrap();
        lone.put(0).await;
        // Enough for every message, and by far not for 16 MiB more in all the time that it now has to have cycles for.
        let_it_spend(&lone, 2_000 * BILLION).await;
        let mut stored = 1;
        let refused = loop {
            assert!(stored < all, "it never grew");
            let before = health(&lone).await;
            match lone.try_put(stored).await {
                Ok(Ok(_)) => stored += 1,
                Ok(Err(error)) => panic!("{error:?}"),
                Err(error) => {
                    assert_eq!(health(&lone).await, before);
                    break error.to_string();
                }
            }
        };
        assert!(refused.contains("cycles"), "{refused}");
        assert_lacks(&lone, stored).await;
        lone.assert_holds(0..stored).await;

        set_freezing_threshold(&lone, Nat::from(30 * DAY_SECONDS)).await;
        for number in stored..all {
            lone.put(number).await;
        }
        lone.assert_holds(0..all).await;
        let used = health(&lone).await.status.used_bytes;
        assert_eq!(used, all as u64 * MIB);
    });
}
