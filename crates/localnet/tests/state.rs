//! What a network keeps in its state folder, however it ends.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use candid::Principal;
use ic_agent::Agent;
use ic_management_canister_types as types;

use self::support::{Process, create, install, manage, numbers, order};

/// Counts the same thing in heap, stable memory and a global, over 40 pages; and
/// half of it after a call to itself.
const COUNTER: &str = r#"(module
    (import "ic0" "msg_reply" (func $reply))
    (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
    (import "ic0" "stable64_grow" (func $sgrow (param i64) (result i64)))
    (import "ic0" "stable64_write" (func $swrite (param i64 i64 i64)))
    (import "ic0" "stable64_read" (func $sread (param i64 i64 i64)))
    (import "ic0" "call_new" (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "ic0" "call_perform" (func $perform (result i32)))
    (import "ic0" "canister_self_size" (func $self_size (result i32)))
    (import "ic0" "canister_self_copy" (func $self_copy (param i32 i32 i32)))
    (import "ic0" "global_timer_set" (func $timer (param i64) (result i64)))
    (import "ic0" "debug_print" (func $print (param i32 i32)))
    (import "ic0" "certified_data_set" (func $certify (param i32 i32)))
    (import "ic0" "time" (func $time (result i64)))
    (memory (export "memory") 4 10) (table 4 funcref) (elem (i32.const 1) $replied $rejected)
    (global $g (mut i64) (i64.const 0))
    (data (i32.const 32) "bump")
    (func $bump (local $at i32)
        (global.set $g (i64.add (global.get $g) (i64.const 1)))
        (local.set $at (i32.const 65536))
        (loop $pages
            (i64.store (local.get $at) (global.get $g))
            (local.set $at (i32.add (local.get $at) (i32.const 4096)))
            (br_if $pages (i32.lt_u (local.get $at) (i32.const 229376))))
        (i64.store (i32.const 0) (global.get $g))
        (call $swrite (i64.const 5000) (i64.const 0) (i64.const 8)))
    (func $replied (param i32) (call $bump) (call $reply))
    (func $rejected (param i32) (call $reply))
    (func (export "canister_init") (drop (call $sgrow (i64.const 1))))
    (func (export "canister_update bump") (call $bump) (call $reply))
    (func (export "canister_update twice")
        (call $self_copy (i32.const 64) (i32.const 0) (call $self_size))
        (call $call_new (i32.const 64) (call $self_size) (i32.const 32) (i32.const 4)
            (i32.const 1) (i32.const 0) (i32.const 2) (i32.const 0))
        (drop (call $perform)))
    (func (export "canister_update prepare")
        (call $print (i32.const 32) (i32.const 4)) (call $certify (i32.const 32) (i32.const 4))
        (drop (call $timer (i64.add (call $time) (i64.const 2000000000)))) (call $reply))
    (func (export "canister_global_timer") (call $bump))
    (func $out (param i64) (i64.store (i32.const 16) (local.get 0)) (call $append (i32.const 16) (i32.const 8)))
    (func (export "canister_query read")
        (call $out (global.get $g)) (call $out (i64.load (i32.const 65536))) (call $out (i64.load (i32.const 225280)))
        (call $sread (i64.const 8) (i64.const 5000) (i64.const 8)) (call $out (i64.load (i32.const 8)))
        (call $reply)))"#;

async fn read(agent: &Agent, canister: Principal) -> u64 {
    let reply = agent
        .query(&canister, "read")
        .call()
        .await
        .expect("a reply");
    let numbers = numbers(&reply);
    assert!(
        numbers.iter().all(|number| *number == numbers[0]),
        "heap, stable memory and globals belong together: {numbers:?}"
    );
    numbers[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn should_lose_nothing_acknowledged_when_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::on(folder.path());
    let agent = process.agent().await;
    let root_key = agent.read_root_key();
    let canister = install(&agent, COUNTER).await;
    let mut process = process;
    let (mut sent, mut acknowledged) = (0, 0);
    for round in 0..4u64 {
        let agent = Arc::new(process.agent().await);
        let (begun, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let senders: Vec<_> = (0..3)
            .map(|sender| {
                let (agent, begun, done) = (agent.clone(), begun.clone(), done.clone());
                let (method, bumps) = [("bump", 1), ("bump", 1), ("twice", 2)][sender];
                tokio::spawn(async move {
                    loop {
                        begun.fetch_add(bumps, Ordering::SeqCst);
                        if agent.update(&canister, method).await.is_err() {
                            return;
                        }
                        done.fetch_add(bumps, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(300 + 170 * round)).await;
        process.kill();
        senders.iter().for_each(|sender| sender.abort());
        sent += begun.load(Ordering::SeqCst);
        acknowledged += done.load(Ordering::SeqCst);
        process = Process::on(folder.path());
        let agent = process.agent().await;
        assert_eq!(agent.read_root_key(), root_key);
        // What was accepted and not executed is executed now.
        let mut before = u64::MAX;
        let mut found = read(&agent, canister).await;
        while found != before {
            before = found;
            tokio::time::sleep(Duration::from_millis(200)).await;
            found = read(&agent, canister).await;
        }
        assert!(
            (acknowledged..=sent).contains(&found),
            "acknowledged {acknowledged}, sent {sent}, found {found}"
        );
        assert!(done.load(Ordering::SeqCst) > 0, "nothing was done");
        sent = found;
        acknowledged = found;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn should_execute_what_was_accepted_before_it_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::on(folder.path());
    let agent = process.agent().await;
    let canister = install(&agent, COUNTER).await;
    let mut requests = Vec::new();
    for _ in 0..20 {
        let signed = agent.update(&canister, "twice").sign().expect("a request");
        agent
            .update_signed(canister, signed.signed_update.clone())
            .await
            .expect("it is accepted");
        requests.push(signed.request_id);
    }
    process.kill();
    let process = Process::on(folder.path());
    let agent = process.agent().await;
    for request in &requests {
        agent.wait(request, canister).await.expect("an answer");
    }
    assert_eq!(read(&agent, canister).await, 40);
}

/// Everything that is not the memory of a canister.
#[tokio::test(flavor = "multi_thread")]
async fn should_go_on_where_it_was_after_a_kill_and_after_an_orderly_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::on(folder.path());
    let agent = process.agent().await;
    let canister = install(&agent, COUNTER).await;
    let store = create(&agent).await;
    let chunk = types::UploadChunkArgs {
        canister_id: store,
        chunk: vec![7; 1 << 20],
    };
    let stored: types::ChunkHash = manage(&agent, store, "upload_chunk", (chunk,)).await;
    let settings = types::UpdateSettingsArgs {
        canister_id: canister,
        settings: types::CanisterSettings {
            freezing_threshold: Some(77_000u32.into()),
            environment_variables: Some(vec![types::EnvironmentVariable {
                name: "NAME".to_owned(),
                value: "value".to_owned(),
            }]),
            ..types::CanisterSettings::default()
        },
        sender_canister_version: None,
    };
    order(&agent, canister, "update_settings", (settings,)).await;
    agent.update(&canister, "bump").await.unwrap();
    let take = types::TakeCanisterSnapshotArgs {
        canister_id: canister,
        replace_snapshot: None,
        uninstall_code: None,
        sender_canister_version: None,
    };
    let snapshot: types::Snapshot =
        manage(&agent, canister, "take_canister_snapshot", (take,)).await;
    agent.update(&canister, "prepare").await.unwrap();
    let record = types::CanisterIdRecord {
        canister_id: canister,
    };
    let status = |agent: Agent| async move {
        let record = types::CanisterIdRecord {
            canister_id: canister,
        };
        let mut status: types::CanisterStatusResult =
            manage(&agent, canister, "canister_status", (record,)).await;
        // It pays for its existence all the time.
        status.cycles = 0u8.into();
        status
    };
    let before = status(agent.clone()).await;
    for orderly in [false, true, false] {
        match orderly {
            true => process.stop(),
            false => process.kill(),
        }
        process = Process::on(folder.path());
        let agent = process.agent().await;
        let mut after = status(agent.clone()).await;
        // The timer may have run.
        after.version = before.version;
        assert_eq!(after, before);
        let store_record = types::CanisterIdRecord { canister_id: store };
        let chunks: Vec<types::ChunkHash> =
            manage(&agent, store, "stored_chunks", (store_record,)).await;
        assert_eq!(chunks, std::slice::from_ref(&stored));
        let snapshots: Vec<types::Snapshot> = manage(
            &agent,
            canister,
            "list_canister_snapshots",
            (record.clone(),),
        )
        .await;
        assert_eq!(snapshots, std::slice::from_ref(&snapshot));
    }
    let agent = process.agent().await;
    let patience = std::time::Instant::now() + Duration::from_secs(20);
    while read(&agent, canister).await < 2 && std::time::Instant::now() < patience {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(read(&agent, canister).await, 2, "the timer runs once");
    let load = types::LoadCanisterSnapshotArgs {
        canister_id: canister,
        snapshot_id: snapshot.id.clone(),
        sender_canister_version: None,
    };
    order(&agent, canister, "load_canister_snapshot", (load,)).await;
    assert_eq!(read(&agent, canister).await, 1);
    assert_ne!(create(&agent).await, store, "ids are never given out again");
}

#[test]
fn should_refuse_a_folder_that_another_network_works_on() {
    let folder = tempfile::tempdir().unwrap();
    let _working = Process::on(folder.path());
    let options = stoa_localnet::Options {
        state: Some(folder.path().to_path_buf()),
        ..stoa_localnet::Options::default()
    };
    let refused = stoa_localnet::start(options).unwrap_err();
    assert!(refused.to_string().contains("another network"), "{refused}");
}
