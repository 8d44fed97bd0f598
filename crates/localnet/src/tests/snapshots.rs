//! Snapshots carried from one canister to another, piece by piece.

use candid::{CandidType, Principal};
use ic_management_canister_types as types;
use serde::de::DeserializeOwned;

use super::{Net, Outcome, module};

/// Writes to heap, stable memory and a global; counts.
const WRITER: &str = r#"
    (func (export "canister_update write")
        (call $bump) (global.set $g (i64.const 77)) (i64.store (i32.const 100000) (i64.const 5))
        (drop (call $stable64_grow (i64.const 3))) (call $stable64_write (i64.const 150000) (i64.const 1024) (i64.const 8))
        (drop (call $global_timer_set (i64.const 9000000000000000000)))
        (call $certified_data_set (i32.const 16) (i32.const 4)) (call $answer (call $counter)))
    (func (export "canister_update forget") (call $answer (call $global_timer_set (i64.const 0))))
    (func (export "canister_query all")
        (call $append64 (call $counter)) (call $append64 (global.get $g)) (call $append64 (i64.load (i32.const 100000)))
        (call $stable64_read (i64.const 8) (i64.const 150000) (i64.const 8)) (call $append64 (i64.load (i32.const 8)))
        (call $msg_reply))"#;

fn manage<T: DeserializeOwned + CandidType>(
    net: &Net,
    method: &str,
    argument: impl CandidType,
) -> T {
    candid::decode_one(&net.manage(method, (argument,)).reply()).unwrap()
}

fn take(net: &Net, canister: Principal) -> Vec<u8> {
    let argument = types::TakeCanisterSnapshotArgs {
        canister_id: canister,
        replace_snapshot: None,
        uninstall_code: None,
        sender_canister_version: None,
    };
    manage::<types::Snapshot>(net, "take_canister_snapshot", argument).id
}

fn load(net: &Net, canister: Principal, snapshot: &[u8]) -> Outcome {
    let argument = types::LoadCanisterSnapshotArgs {
        canister_id: canister,
        snapshot_id: snapshot.to_vec(),
        sender_canister_version: None,
    };
    net.manage("load_canister_snapshot", (argument,))
}

fn read(net: &Net, canister: Principal, snapshot: &[u8], kind: types::SnapshotDataKind) -> Vec<u8> {
    let argument = types::ReadCanisterSnapshotDataArgs {
        canister_id: canister,
        snapshot_id: snapshot.to_vec(),
        kind,
    };
    manage::<types::ReadCanisterSnapshotDataResult>(net, "read_canister_snapshot_data", argument)
        .chunk
}

fn upload(
    net: &Net,
    canister: Principal,
    snapshot: &[u8],
    kind: types::SnapshotDataOffset,
    chunk: Vec<u8>,
) -> Outcome {
    let argument = types::UploadCanisterSnapshotDataArgs {
        canister_id: canister,
        snapshot_id: snapshot.to_vec(),
        kind,
        chunk,
    };
    net.manage("upload_canister_snapshot_data", (argument,))
}

fn metadata(
    net: &Net,
    canister: Principal,
    snapshot: &[u8],
) -> types::ReadCanisterSnapshotMetadataResult {
    let argument = types::ReadCanisterSnapshotMetadataArgs {
        canister_id: canister,
        snapshot_id: snapshot.to_vec(),
    };
    manage(net, "read_canister_snapshot_metadata", argument)
}

fn announced(
    canister: Principal,
    from: &types::ReadCanisterSnapshotMetadataResult,
) -> types::UploadCanisterSnapshotMetadataArgs {
    types::UploadCanisterSnapshotMetadataArgs {
        canister_id: canister,
        replace_snapshot: None,
        wasm_module_size: from.wasm_module_size,
        globals: from.globals.iter().flatten().cloned().collect(),
        wasm_memory_size: from.wasm_memory_size,
        stable_memory_size: from.stable_memory_size,
        certified_data: from.certified_data.clone(),
        global_timer: from.global_timer.clone(),
        on_low_wasm_memory_hook_status: from.on_low_wasm_memory_hook_status.clone(),
    }
}

fn announce(net: &Net, argument: types::UploadCanisterSnapshotMetadataArgs) -> Vec<u8> {
    manage::<types::UploadCanisterSnapshotMetadataResult>(
        net,
        "upload_canister_snapshot_metadata",
        argument,
    )
    .snapshot_id
}

#[test]
fn should_carry_a_canister_to_another_through_its_snapshot() {
    let net = Net::new();
    let from = net.canister(WRITER);
    net.call(from, "write", &[]).reply();
    let taken = take(&net, from);
    net.call(from, "write", &[]).reply();
    let found = metadata(&net, from, &taken);
    assert_eq!(found.stable_memory_size, 3 << 16);
    assert_eq!(found.certified_data, b"boom");
    assert!(matches!(
        found.global_timer,
        Some(types::CanisterTimer::Active(9_000_000_000_000_000_000))
    ));
    let to = net.create();
    let made = announce(&net, announced(to, &found));
    use types::{SnapshotDataKind as Kind, SnapshotDataOffset as Offset};
    let (offset, size) = (0, found.wasm_module_size);
    let bytes = read(&net, from, &taken, Kind::WasmModule { offset, size });
    assert_eq!(bytes, module(WRITER));
    let half = bytes.len() / 2;
    for (at, part) in [(half, &bytes[half..]), (0, &bytes[..half])] {
        let kind = Offset::WasmModule { offset: at as u64 };
        upload(&net, to, &made, kind, part.to_vec()).reply();
    }
    let size = found.wasm_memory_size;
    let heap = read(&net, from, &taken, Kind::WasmMemory { offset, size });
    upload(&net, to, &made, Offset::WasmMemory { offset }, heap).reply();
    let (offset, size) = (140_000, 20_000);
    let stable = read(&net, from, &taken, Kind::StableMemory { offset, size });
    upload(&net, to, &made, Offset::StableMemory { offset }, stable).reply();
    load(&net, to, &made).reply();
    assert_eq!(net.query(to, "all", &[]).numbers(), [1, 77, 5, 1]);
    assert_eq!(net.query(from, "all", &[]).numbers(), [2, 77, 5, 2]);
    net.call(to, "write", &[]).reply();
    load(&net, to, &made).reply();
    assert_eq!(
        net.query(to, "all", &[]).numbers(),
        [1, 77, 5, 1],
        "running on it does not change it"
    );
    assert_eq!(
        net.network.read_tree().canisters[&to].certified_data,
        b"boom"
    );
}

#[test]
fn should_load_a_snapshot_of_another_canister_for_who_controls_both() {
    let net = Net::new();
    let from = net.canister(WRITER);
    net.call(from, "write", &[]).reply();
    let taken = take(&net, from);
    let to = net.create();
    load(&net, to, &taken).reply();
    assert_eq!(net.query(to, "all", &[]).numbers(), [1, 77, 5, 1]);
    let stranger = Principal::self_authenticating([9]);
    let argument = types::UpdateSettingsArgs {
        canister_id: from,
        settings: types::CanisterSettings {
            controllers: Some(vec![stranger]),
            ..types::CanisterSettings::default()
        },
        sender_canister_version: None,
    };
    net.manage("update_settings", (argument,)).reply();
    assert_eq!(load(&net, to, &taken).error_code(), "IC0406");
}

#[test]
fn should_refuse_pieces_that_do_not_fit_and_snapshots_that_were_taken() {
    let net = Net::new();
    let canister = net.canister(WRITER);
    let taken = take(&net, canister);
    let found = metadata(&net, canister, &taken);
    use types::SnapshotDataOffset as Offset;
    let immutable = upload(
        &net,
        canister,
        &taken,
        Offset::WasmMemory { offset: 0 },
        vec![1],
    );
    assert_eq!(immutable.error_code(), "IC0409");
    let made = announce(&net, announced(canister, &found));
    let pieces = [
        (
            Offset::WasmModule {
                offset: found.wasm_module_size,
            },
            1,
        ),
        (Offset::WasmMemory { offset: u64::MAX }, 2),
        (Offset::StableMemory { offset: 1 }, 1),
        (
            Offset::WasmMemory {
                offset: found.wasm_memory_size - 1,
            },
            2,
        ),
    ];
    for (kind, length) in pieces {
        let refused = upload(&net, canister, &made, kind, vec![1; length]);
        assert_eq!(refused.error_code(), "IC0408");
    }
    let argument = types::ReadCanisterSnapshotDataArgs {
        canister_id: canister,
        snapshot_id: made.clone(),
        kind: types::SnapshotDataKind::WasmMemory {
            offset: 1,
            size: found.wasm_memory_size,
        },
    };
    let refused = net.manage("read_canister_snapshot_data", (argument,));
    assert_eq!(refused.error_code(), "IC0408");
    // All zeros are no module.
    assert_eq!(load(&net, canister, &made).error_code(), "IC0505");
    assert_eq!(load(&net, canister, b"no such").error_code(), "IC0305");
    let mut odd = announced(canister, &found);
    odd.wasm_memory_size += 1;
    let refused = net.manage("upload_canister_snapshot_metadata", (odd,));
    assert_eq!(refused.error_code(), "IC0408");
}

#[test]
fn should_refuse_a_snapshot_whose_globals_are_not_those_of_its_module() {
    let net = Net::new();
    let canister = net.canister(WRITER);
    net.call(canister, "write", &[]).reply();
    let taken = take(&net, canister);
    let found = metadata(&net, canister, &taken);
    let mut argument = announced(canister, &found);
    argument.globals = vec![types::SnapshotMetadataGlobal::I32(1)];
    let made = announce(&net, argument);
    let kind = types::SnapshotDataOffset::WasmModule { offset: 0 };
    upload(&net, canister, &made, kind, module(WRITER)).reply();
    assert_eq!(load(&net, canister, &made).error_code(), "IC0408");
    assert_eq!(net.query(canister, "counter", &[]).number(), 1);
}

/// Only one that was uploaded says what becomes of timer and hook.
#[test]
fn should_leave_the_timer_alone_when_it_loads_a_snapshot_that_was_taken() {
    let net = Net::new();
    let canister = net.canister(WRITER);
    net.call(canister, "write", &[]).reply();
    let taken = take(&net, canister);
    let timer = |snapshot: &[u8]| match metadata(&net, canister, snapshot).global_timer {
        Some(types::CanisterTimer::Active(at)) => at,
        _ => 0,
    };
    assert_eq!(timer(&taken), 9_000_000_000_000_000_000);
    net.call(canister, "forget", &[]).reply();
    load(&net, canister, &taken).reply();
    assert_eq!(timer(&take(&net, canister)), 0);
    let made = announce(&net, announced(canister, &metadata(&net, canister, &taken)));
    let kind = types::SnapshotDataOffset::WasmModule { offset: 0 };
    upload(&net, canister, &made, kind, module(WRITER)).reply();
    load(&net, canister, &made).reply();
    assert_eq!(timer(&take(&net, canister)), timer(&taken));
}

#[test]
fn should_refuse_a_snapshot_whose_hook_does_not_fit_its_heap() {
    let net = Net::new();
    let canister = net.canister(WRITER);
    let found = metadata(&net, canister, &take(&net, canister));
    let mut argument = announced(canister, &found);
    argument.on_low_wasm_memory_hook_status = Some(types::OnLowWasmMemoryHookStatus::Executed);
    let made = announce(&net, argument);
    let kind = types::SnapshotDataOffset::WasmModule { offset: 0 };
    upload(&net, canister, &made, kind, module(WRITER)).reply();
    assert_eq!(load(&net, canister, &made).error_code(), "IC0408");
}

#[test]
fn should_refuse_to_treat_the_snapshot_of_another_canister_as_ones_own() {
    let net = Net::new();
    let (one, other) = (net.canister(WRITER), net.canister(WRITER));
    let taken = take(&net, one);
    let delete = |snapshot_id: Vec<u8>| {
        let argument = types::DeleteCanisterSnapshotArgs {
            canister_id: other,
            snapshot_id,
        };
        net.manage("delete_canister_snapshot", (argument,))
    };
    assert_eq!(delete(taken.clone()).error_code(), "IC0406");
    let replace = types::TakeCanisterSnapshotArgs {
        canister_id: other,
        replace_snapshot: Some(taken.clone()),
        uninstall_code: None,
        sender_canister_version: None,
    };
    let refused = net.manage("take_canister_snapshot", (replace,));
    assert_eq!(refused.error_code(), "IC0406");
    let piece = types::SnapshotDataOffset::WasmMemory { offset: 0 };
    let refused = upload(&net, other, &taken, piece, vec![1]);
    assert_eq!(refused.error_code(), "IC0406");
    let argument = types::ReadCanisterSnapshotMetadataArgs {
        canister_id: other,
        snapshot_id: taken.clone(),
    };
    let refused = net.manage("read_canister_snapshot_metadata", (argument,));
    assert_eq!(refused.error_code(), "IC0406");
    let mut unknown = taken;
    unknown[0] ^= 1;
    assert_eq!(delete(unknown).error_code(), "IC0305");
}

#[test]
fn should_not_take_a_snapshot_that_the_canister_cannot_keep() {
    let net = Net::new();
    let canister = net.canister(WRITER);
    let used = net.status(canister).memory_size.0;
    let used = u64::try_from(used).unwrap();
    // What exists takes some 60 of its 100 T cycles until then.
    let seconds = 60_000_000_000_000 * (1 << 30) / (127_000 * u128::from(used));
    let argument = types::UpdateSettingsArgs {
        canister_id: canister,
        settings: types::CanisterSettings {
            freezing_threshold: Some(seconds.into()),
            ..types::CanisterSettings::default()
        },
        sender_canister_version: None,
    };
    net.manage("update_settings", (argument,)).reply();
    let argument = types::TakeCanisterSnapshotArgs {
        canister_id: canister,
        replace_snapshot: None,
        uninstall_code: None,
        sender_canister_version: None,
    };
    let refused = net.manage("take_canister_snapshot", (argument.clone(),));
    assert_eq!(refused.error_code(), "IC0532");
    let instead = types::TakeCanisterSnapshotArgs {
        uninstall_code: Some(true),
        ..argument
    };
    net.manage("take_canister_snapshot", (instead,)).reply();
}
