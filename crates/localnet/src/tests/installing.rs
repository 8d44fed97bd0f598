//! Installing, upgrading and reinstalling: all of it or nothing.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use ic_management_canister_types as types;
use sha2::{Digest, Sha256};

use super::{INSTALL, Net, REINSTALL, module};
use crate::wasm::ModuleStore;

/// Counts in stable memory what happened, with the digit of each entry point.
const WITNESS: &str = r#"
    (func $note (param i64)
        (if (i64.eqz (call $stable64_size)) (then (drop (call $stable64_grow (i64.const 1)))))
        (call $stable64_read (i64.const 0) (i64.const 0) (i64.const 8))
        (i64.store (i32.const 0) (i64.add (i64.mul (i64.load (i32.const 0)) (i64.const 10)) (local.get 0)))
        (call $stable64_write (i64.const 0) (i64.const 0) (i64.const 8)))
    (func (export "canister_init") (call $note (i64.const 1)))
    (func (export "canister_pre_upgrade") (call $bump) (call $note (i64.const 2)))
    (func (export "canister_post_upgrade") (call $note (i64.const 3)))
    (func (export "canister_update bump") (call $bump) (call $answer (i64.const 0)))
    (func (export "canister_query notes")
        (call $stable64_read (i64.const 0) (i64.const 0) (i64.const 8)) (call $answer (i64.load (i32.const 0))))
"#;

fn failing(entry_point: &str) -> String {
    let before = format!("(func (export \"{entry_point}\")");
    assert!(WITNESS.contains(&before));
    WITNESS.replace(
        &before,
        &format!("{before} (call $note (i64.const 9)) (call $boom)"),
    )
}

#[test]
fn should_run_the_entry_points_of_each_mode() {
    let net = Net::new();
    let canister = net.canister(WITNESS);
    net.call(canister, "bump", &[]).reply();
    assert_eq!(net.query(canister, "notes", &[]).number(), 1);
    net.upgrade(canister, WITNESS).reply();
    assert_eq!(net.query(canister, "notes", &[]).number(), 123);
    assert_eq!(
        net.query(canister, "counter", &[]).number(),
        0,
        "the heap is new"
    );
    let flags = types::UpgradeFlags {
        skip_pre_upgrade: Some(true),
        wasm_memory_persistence: None,
    };
    net.install(
        canister,
        types::CanisterInstallMode::Upgrade(Some(flags)),
        WITNESS,
    )
    .reply();
    assert_eq!(net.query(canister, "notes", &[]).number(), 1233);
    net.install(canister, REINSTALL, WITNESS).reply();
    assert_eq!(net.query(canister, "notes", &[]).number(), 1);
}

#[test]
fn should_keep_the_heap_when_the_upgrade_asks_for_it() {
    let net = Net::new();
    let persisting = format!("{PERSISTS} {WITNESS}");
    let canister = net.canister(&persisting);
    net.call(canister, "bump", &[]).reply();
    net.install(canister, upgrade_that(KEEP), &persisting)
        .reply();
    assert_eq!(
        net.query(canister, "counter", &[]).number(),
        2,
        "with what pre_upgrade did"
    );
    net.install(canister, upgrade_that(REPLACE), &persisting)
        .reply();
    assert_eq!(net.query(canister, "counter", &[]).number(), 0);
}

/// The section by which a module says that its heap outlives upgrades.
const PERSISTS: &str = r#"(@custom "icp:private enhanced-orthogonal-persistence" "")"#;
const KEEP: types::WasmMemoryPersistence = types::WasmMemoryPersistence::Keep;
const REPLACE: types::WasmMemoryPersistence = types::WasmMemoryPersistence::Replace;

fn upgrade_that(persistence: types::WasmMemoryPersistence) -> types::CanisterInstallMode {
    types::CanisterInstallMode::Upgrade(Some(types::UpgradeFlags {
        skip_pre_upgrade: None,
        wasm_memory_persistence: Some(persistence),
    }))
}

#[test]
fn should_keep_the_heap_only_of_modules_that_ask_for_it_and_never_by_mistake() {
    let net = Net::new();
    let plain = net.canister(WITNESS);
    let refused = net.install(plain, upgrade_that(KEEP), WITNESS);
    assert_eq!(refused.error_code(), "IC0504");
    net.install(plain, upgrade_that(REPLACE), WITNESS).reply();
    let persisting = format!("{PERSISTS} {WITNESS}");
    net.upgrade(plain, &persisting).reply();
    net.call(plain, "bump", &[]).reply();
    assert_eq!(net.upgrade(plain, &persisting).error_code(), "IC0504");
    let downgraded = net.install(plain, upgrade_that(KEEP), WITNESS);
    assert_eq!(downgraded.error_code(), "IC0504");
    assert_eq!(net.query(plain, "counter", &[]).number(), 1);
    net.install(plain, REINSTALL, WITNESS).reply();
}

#[test]
fn should_install_only_from_a_chunk_store_that_the_caller_controls() {
    let net = Net::new();
    let (target, store) = (net.create(), net.create());
    let wasm = module(WITNESS);
    let upload = types::UploadChunkArgs {
        canister_id: store,
        chunk: wasm.clone(),
    };
    let reply = net.manage("upload_chunk", (upload,)).reply();
    let chunk: types::ChunkHash = candid::decode_one(&reply).unwrap();
    let install = |store| {
        let argument = types::InstallChunkedCodeArgs {
            mode: INSTALL,
            target_canister: target,
            store_canister: Some(store),
            chunk_hashes_list: vec![chunk.clone()],
            wasm_module_hash: chunk.hash.clone(),
            arg: Vec::new(),
            sender_canister_version: None,
        };
        net.manage("install_chunked_code", (argument,))
    };
    let nowhere = crate::network::canister_id(0x0000_0000_FFEF_FFFF);
    assert_eq!(install(nowhere).error_code(), "IC0406");
    let given_away = types::UpdateSettingsArgs {
        canister_id: store,
        settings: types::CanisterSettings {
            controllers: Some(vec![store]),
            ..Default::default()
        },
        sender_canister_version: None,
    };
    install(store).reply();
    net.manage("update_settings", (given_away,)).reply();
    assert_eq!(install(store).error_code(), "IC0512");
}

#[test]
fn should_undo_an_upgrade_that_fails_in_any_step() {
    let net = Net::new();
    let canister = net.canister(WITNESS);
    net.call(canister, "bump", &[]).reply();
    assert_eq!(
        net.upgrade(canister, &failing("canister_post_upgrade"))
            .error_code(),
        "IC0503"
    );
    assert_eq!(net.query(canister, "notes", &[]).number(), 1);
    assert_eq!(net.query(canister, "counter", &[]).number(), 1);
    let stubborn = net.canister(&failing("canister_pre_upgrade"));
    assert_eq!(net.upgrade(stubborn, WITNESS).error_code(), "IC0503");
    assert_eq!(net.query(stubborn, "notes", &[]).number(), 1);
}

#[test]
fn should_leave_a_canister_empty_when_its_first_installation_fails() {
    let net = Net::new();
    let canister = net.create();
    assert_eq!(
        net.install(canister, INSTALL, &failing("canister_init"))
            .error_code(),
        "IC0503"
    );
    assert_eq!(net.query(canister, "counter", &[]).error_code(), "IC0537");
    net.install(canister, INSTALL, WITNESS).reply();
    assert_eq!(net.query(canister, "notes", &[]).number(), 1);
}

#[test]
fn should_keep_modes_apart() {
    let net = Net::new();
    let canister = net.create();
    assert_eq!(net.upgrade(canister, WITNESS).error_code(), "IC0537");
    net.install(canister, REINSTALL, WITNESS).reply();
    assert_eq!(
        net.install(canister, INSTALL, WITNESS).error_code(),
        "IC0514"
    );
}

#[test]
fn should_give_init_its_argument_and_run_the_start_function_before() {
    let net = Net::new();
    let canister = net.canister(
        r#"(func $begin (i64.store (i32.const 1024) (i64.const 100))) (start $begin)
        (func (export "canister_init")
            (i64.store (i32.const 1024) (i64.add (call $counter) (i64.extend_i32_u (call $msg_arg_data_size)))))
        (func (export "canister_update bump") (call $bump) (call $answer (i64.const 0)))"#,
    );
    net.call(canister, "bump", &[]).reply();
    assert_eq!(
        net.query(canister, "counter", &[]).number(),
        100 + "argument".len() as u64 + 1
    );
}

#[test]
fn should_install_a_gzipped_module_under_the_hash_of_what_was_sent() {
    let net = Net::new();
    let canister = net.create();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&module(WITNESS)).unwrap();
    let sent = encoder.finish().unwrap();
    let hash: [u8; 32] = Sha256::digest(&sent).into();
    net.install_bytes(canister, INSTALL, sent).reply();
    assert_eq!(net.query(canister, "notes", &[]).number(), 1);
    assert_eq!(
        net.network.read_tree().canisters[&canister].module_hash,
        Some(hash)
    );
    assert_eq!(net.status(canister).module_hash, Some(hash.to_vec()));
}

#[test]
fn should_install_from_chunks() {
    let net = Net::new();
    let canister = net.create();
    let wasm = module(WITNESS);
    let hash: [u8; 32] = Sha256::digest(&wasm).into();
    let mut hashes = Vec::new();
    for chunk in wasm.chunks(500) {
        let argument = types::UploadChunkArgs {
            canister_id: canister,
            chunk: chunk.to_vec(),
        };
        let reply = net.manage("upload_chunk", (argument,)).reply();
        hashes.push(candid::decode_one::<types::ChunkHash>(&reply).unwrap());
    }
    let arguments = |wasm_module_hash: Vec<u8>, chunk_hashes_list| types::InstallChunkedCodeArgs {
        mode: INSTALL,
        target_canister: canister,
        store_canister: None,
        chunk_hashes_list,
        wasm_module_hash,
        arg: Vec::new(),
        sender_canister_version: None,
    };
    let record = types::CanisterIdRecord {
        canister_id: canister,
    };
    let stored = net.manage("stored_chunks", (record.clone(),)).reply();
    assert_eq!(
        candid::decode_one::<Vec<types::ChunkHash>>(&stored)
            .unwrap()
            .len(),
        hashes.len()
    );
    let wrong = net.manage(
        "install_chunked_code",
        (arguments(vec![1; 32], hashes.clone()),),
    );
    assert_eq!(wrong.error_code(), "IC0504");
    let absent = vec![types::ChunkHash { hash: vec![3; 32] }];
    assert_eq!(
        net.manage("install_chunked_code", (arguments(hash.to_vec(), absent),))
            .error_code(),
        "IC0504"
    );
    net.manage("install_chunked_code", (arguments(hash.to_vec(), hashes),))
        .reply();
    assert_eq!(net.query(canister, "notes", &[]).number(), 1);
    net.manage("clear_chunk_store", (record.clone(),)).reply();
    let stored = net.manage("stored_chunks", (record,)).reply();
    assert!(
        candid::decode_one::<Vec<types::ChunkHash>>(&stored)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn should_keep_compiled_modules_between_networks() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let net = Net::with_modules(ModuleStore::new(Some(folder.path().to_path_buf())));
        let canister = net.canister(WITNESS);
        assert_eq!(net.query(canister, "notes", &[]).number(), 1);
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(files.len(), 1);
    }
}

#[test]
fn should_compile_again_when_the_kept_module_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let store = || ModuleStore::new(Some(folder.path().to_path_buf()));
    Net::with_modules(store()).canister(WITNESS);
    let file = std::fs::read_dir(folder.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::write(&file, b"not a module").unwrap();
    let net = Net::with_modules(store());
    let canister = net.canister(WITNESS);
    assert_eq!(net.query(canister, "notes", &[]).number(), 1);
}
