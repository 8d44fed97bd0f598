//! Canisters from creation to deletion, and who may do what to them.

use candid::{Nat, Principal};
use ic_management_canister_types as types;

use super::calls::{PROXY, answer_of, call_of};
use super::{INSTALL, Net, Outcome};
use crate::network::canister_id;

const HELLO: &str = r#"
    (func (export "canister_update hello") (call $bump) (call $answer (i64.const 1)))
    (func (export "canister_update print") (call $debug_print (i32.const 16) (i32.const 4)) (call $answer (i64.const 1)))
    (func (export "canister_update variable")
        (call $env_var_name_copy (i32.const 1) (i32.const 100) (i32.const 0) (call $env_var_name_size (i32.const 1)))
        (call $env_var_value_copy (i32.const 100) (call $env_var_name_size (i32.const 1))
            (i32.const 200) (i32.const 0) (call $env_var_value_size (i32.const 100) (call $env_var_name_size (i32.const 1))))
        (call $msg_reply_data_append (i32.const 200)
            (call $env_var_value_size (i32.const 100) (call $env_var_name_size (i32.const 1))))
        (call $msg_reply))
"#;

fn record(canister_id: Principal) -> (types::CanisterIdRecord,) {
    (types::CanisterIdRecord { canister_id },)
}

fn settings(net: &Net, canister_id: Principal, settings: types::CanisterSettings) -> Outcome {
    let argument = types::UpdateSettingsArgs {
        canister_id,
        settings,
        sender_canister_version: None,
    };
    net.manage("update_settings", (argument,))
}

#[test]
fn should_reject_calls_to_a_stopped_canister_until_it_is_started() {
    let net = Net::new();
    let canister = net.canister(HELLO);
    net.manage("stop_canister", record(canister)).reply();
    assert_eq!(net.call(canister, "hello", &[]).error_code(), "IC0508");
    assert_eq!(net.query(canister, "counter", &[]).error_code(), "IC0508");
    assert_eq!(
        net.status(canister).status,
        types::CanisterStatusType::Stopped
    );
    net.manage("start_canister", record(canister)).reply();
    assert_eq!(net.call(canister, "hello", &[]).number(), 1);
}

#[test]
fn should_stop_only_when_open_calls_are_answered() {
    let net = Net::new();
    let (proxy, other) = (net.canister(PROXY), net.canister(PROXY));
    // Each asks the other in turn; the answers come back before the first is stopped.
    let inner = call_of(proxy, "missing", 0, &[]);
    let (call, _) = net.submit(net.user, proxy, "call", &call_of(other, "call", 0, &inner));
    let argument = candid::encode_args(record(proxy)).unwrap();
    let (stop, _) = net.submit(
        net.user,
        Principal::management_canister(),
        "stop_canister",
        &argument,
    );
    let (_, _, answer) = answer_of(net.wait(call));
    net.wait(stop).reply();
    assert_eq!(net.status(proxy).status, types::CanisterStatusType::Stopped);
    assert!(!answer.is_empty());
}

#[test]
fn should_delete_only_stopped_canisters() {
    let net = Net::new();
    let canister = net.canister(HELLO);
    assert_eq!(
        net.manage("delete_canister", record(canister)).error_code(),
        "IC0510"
    );
    net.manage("stop_canister", record(canister)).reply();
    net.manage("delete_canister", record(canister)).reply();
    assert_eq!(net.call(canister, "hello", &[]).error_code(), "IC0301");
    assert_eq!(net.query(canister, "counter", &[]).error_code(), "IC0301");
    assert!(!net.network.read_tree().canisters.contains_key(&canister));
    assert_ne!(net.create(), canister);
}

fn create_at(net: &Net, id: Principal) -> Outcome {
    let argument = types::ProvisionalCreateCanisterWithCyclesArgs {
        amount: None,
        settings: None,
        specified_id: Some(id),
        sender_canister_version: None,
    };
    net.manage("provisional_create_canister_with_cycles", (argument,))
}

#[test]
fn should_create_a_canister_at_a_specified_id_once() {
    let net = Net::new();
    let ledger = Principal::from_text("ryjl3-tyaaa-aaaaa-aaaba-cai").unwrap();
    create_at(&net, ledger).reply();
    let asked = net.cycles(ledger);
    assert!((99_999_000_000_000..100_000_000_000_000).contains(&asked));
    assert!(net.cycles(ledger) < asked, "it pays for being asked");
    assert_eq!(create_at(&net, ledger).error_code(), "IC0538");
    assert_eq!(create_at(&net, net.user).error_code(), "IC0408");
    assert_eq!(
        create_at(&net, canister_id(0x0000_0000_FFE0_1234)).error_code(),
        "IC0408"
    );
}

#[test]
fn should_let_only_controllers_control() {
    let net = Net::new();
    let canister = net.canister(HELLO);
    let stranger = Principal::self_authenticating([9]);
    let argument = candid::encode_args(record(canister)).unwrap();
    for method in [
        "canister_status",
        "stop_canister",
        "uninstall_code",
        "delete_canister",
        "stored_chunks",
    ] {
        let outcome = net.call_as(
            stranger,
            Principal::management_canister(),
            method,
            &argument,
        );
        assert!(matches!(outcome, Outcome::Refused(_)), "{method}");
        assert_eq!(outcome.error_code(), "IC0512", "{method}");
    }
    let controllers = vec![stranger];
    settings(
        &net,
        canister,
        types::CanisterSettings {
            controllers: Some(controllers.clone()),
            ..Default::default()
        },
    )
    .reply();
    assert_eq!(
        net.network.read_tree().canisters[&canister].controllers,
        controllers
    );
    assert_eq!(
        net.manage("canister_status", record(canister)).error_code(),
        "IC0512"
    );
}

#[test]
fn should_refuse_what_only_canisters_may_call() {
    let net = Net::new();
    for method in [
        "raw_rand",
        "deposit_cycles",
        "create_canister",
        "http_request",
        "fetch_canister_logs",
        "sign_with_ecdsa",
    ] {
        let outcome = net.call(Principal::management_canister(), method, b"DIDL\0\0");
        assert!(matches!(outcome, Outcome::Refused(_)), "{method}");
        assert_eq!(outcome.error_code(), "IC0406", "{method}");
    }
    let argument = candid::encode_args(record(net.create())).unwrap();
    let info = net.call(Principal::management_canister(), "canister_info", &argument);
    assert_eq!(info.error_code(), "IC0406");
}

#[test]
fn should_refuse_methods_that_do_not_exist_and_arguments_that_cannot_be_read() {
    let net = Net::new();
    let refused = |method: &str, argument: &[u8]| {
        let outcome = net.call(Principal::management_canister(), method, argument);
        assert!(matches!(outcome, Outcome::Refused(_)), "{method}");
        outcome.error_code()
    };
    assert_eq!(refused("no_such_method", b"DIDL\0\0"), "IC0536");
    for method in [
        "start_canister",
        "install_code",
        "install_chunked_code",
        "canister_info",
    ] {
        assert_eq!(refused(method, b"DIDL\0\0"), "IC0408", "{method}");
        assert_eq!(refused(method, b"nonsense"), "IC0408", "{method}");
    }
}

#[test]
fn should_answer_queries_while_a_canister_is_stopping() {
    let net = Net::new();
    let canister = net.canister(PROXY);
    settings(
        &net,
        canister,
        types::CanisterSettings {
            controllers: Some(vec![net.user, canister]),
            ..Default::default()
        },
    )
    .reply();
    // It waits for itself to stop, which it cannot while it waits.
    let stop = candid::encode_args(record(canister)).unwrap();
    let aaaaa = Principal::management_canister();
    let argument = call_of(aaaaa, "stop_canister", 0, &stop);
    let (waiting, _) = net.submit(net.user, canister, "call", &argument);
    while net.status(canister).status == types::CanisterStatusType::Running {}
    assert_eq!(net.query(canister, "counter", &[]).number(), 0);
    assert_eq!(net.call(canister, "call", &argument).error_code(), "IC0509");
    net.manage("start_canister", record(canister)).reply();
    let (code, _, message) = answer_of(net.wait(waiting));
    assert_eq!((code, &message[..7]), (5, &b"IC0511:"[..]));
}

#[test]
fn should_serve_canisters_that_call_the_management_canister() {
    let net = Net::new();
    let proxy = net.canister(PROXY);
    let aaaaa = Principal::management_canister();
    let call = |method: &str, cycles, argument: Vec<u8>| {
        answer_of(net.call(proxy, "call", &call_of(aaaaa, method, cycles, &argument)))
    };
    let (code, refund, random) = call("raw_rand", 10, candid::encode_args(()).unwrap());
    assert_eq!((code, refund), (0, 10));
    assert_eq!(candid::decode_one::<Vec<u8>>(&random).unwrap().len(), 32);

    let (code, refund, created) = call(
        "create_canister",
        700_000_000_000,
        candid::encode_args((types::CreateCanisterArgs::default(),)).unwrap(),
    );
    assert_eq!(
        (code, refund),
        (0, 0),
        "{}",
        String::from_utf8_lossy(&created)
    );
    let created = candid::decode_one::<types::CanisterIdRecord>(&created).unwrap();
    let (code, _, status) = call(
        "canister_status",
        0,
        candid::encode_args((created.clone(),)).unwrap(),
    );
    assert_eq!(code, 0);
    let status: types::CanisterStatusResult = candid::decode_one(&status).unwrap();
    assert_eq!(status.cycles, Nat::from(200_000_000_000u64));
    assert_eq!(status.settings.controllers, [proxy]);

    let (code, refund, _) = call(
        "deposit_cycles",
        50,
        candid::encode_args((created.clone(),)).unwrap(),
    );
    assert_eq!((code, refund), (0, 0));
    let (code, _, info) = call(
        "canister_info",
        0,
        candid::encode_args((types::CanisterInfoArgs {
            canister_id: created.canister_id,
            num_requested_changes: Some(5),
        },))
        .unwrap(),
    );
    assert_eq!(code, 0);
    let info: types::CanisterInfoResult = candid::decode_one(&info).unwrap();
    assert_eq!((info.total_num_changes, info.recent_changes.len()), (1, 1));

    let (code, refund, message) = call(
        "create_canister",
        7,
        candid::encode_args((types::CreateCanisterArgs::default(),)).unwrap(),
    );
    assert_eq!(
        (code, refund),
        (4, 7),
        "{}",
        String::from_utf8_lossy(&message)
    );
    let (code, _, message) = call("no_such_method", 0, Vec::new());
    assert_eq!((code, &message[..7]), (5, &b"IC0536:"[..]));
}

#[test]
fn should_reject_open_calls_when_code_is_uninstalled() {
    let net = Net::new();
    let (proxy, other) = (net.canister(PROXY), net.canister(PROXY));
    settings(
        &net,
        other,
        types::CanisterSettings {
            controllers: Some(vec![net.user, other]),
            ..Default::default()
        },
    )
    .reply();
    // `other` uninstalls itself in the middle of answering `proxy`.
    let uninstall = candid::encode_args(record(other)).unwrap();
    let inner = call_of(
        Principal::management_canister(),
        "uninstall_code",
        0,
        &uninstall,
    );
    let (code, refund, message) =
        answer_of(net.call(proxy, "call", &call_of(other, "call", 77, &inner)));
    assert_eq!((code, refund), (4, 77));
    assert!(String::from_utf8(message).unwrap().contains("uninstalled"));
    assert_eq!(net.status(other).module_hash, None);
}

#[test]
fn should_freeze_a_canister_that_cannot_pay() {
    let net = Net::new();
    let canister = net.create_with(1_000_000_000_000);
    net.install(canister, INSTALL, HELLO).reply();
    let threshold = types::CanisterSettings {
        freezing_threshold: Some(Nat::from(u64::MAX)),
        ..Default::default()
    };
    settings(&net, canister, threshold).reply();
    assert_eq!(net.call(canister, "hello", &[]).error_code(), "IC0207");
    let stop = net.manage("stop_canister", record(canister));
    assert!(matches!(stop, Outcome::Refused(_)), "it pays for that, too");
    assert_eq!(stop.error_code(), "IC0207");
    let thawed = types::CanisterSettings {
        freezing_threshold: Some(Nat::from(60u8)),
        ..Default::default()
    };
    settings(&net, canister, thawed).reply();
    assert_eq!(net.call(canister, "hello", &[]).number(), 1);
    let poor = net.create_with(1_000_000);
    let refused = net.install(poor, INSTALL, HELLO);
    assert!(matches!(refused, Outcome::Refused(_)), "{refused:?}");
    assert_eq!(refused.error_code(), "IC0207");
    let short = net.create_with(100_000_000_000);
    let rejected = net.install(short, INSTALL, HELLO);
    assert!(matches!(rejected, Outcome::Rejected(_)), "{rejected:?}");
    assert_eq!(rejected.error_code(), "IC0207");
    let top_up = types::ProvisionalTopUpCanisterArgs {
        canister_id: poor,
        amount: Nat::from(10u64.pow(13)),
    };
    net.manage("provisional_top_up_canister", (top_up,)).reply();
    net.install(poor, INSTALL, HELLO).reply();
}

#[test]
fn should_show_environment_variables_to_the_canister() {
    let net = Net::new();
    let canister = net.canister(HELLO);
    let variable = |name: &str, value: &str| types::EnvironmentVariable {
        name: name.into(),
        value: value.into(),
    };
    let given = |variables| types::CanisterSettings {
        environment_variables: Some(variables),
        ..Default::default()
    };
    settings(
        &net,
        canister,
        given(vec![variable("b", "two"), variable("a", "one")]),
    )
    .reply();
    assert_eq!(
        net.call(canister, "variable", &[]),
        Outcome::Replied(b"two".to_vec())
    );
    let twice = vec![variable("a", "1"), variable("a", "2")];
    assert_eq!(
        settings(&net, canister, given(twice)).error_code(),
        "IC0408"
    );
}

#[test]
fn should_show_logs_to_those_who_may_see_them() {
    let net = Net::new();
    let canister = net.canister(HELLO);
    net.call(canister, "print", &[]).reply();
    let argument = candid::encode_args((types::FetchCanisterLogsArgs {
        canister_id: canister,
        filter: None,
    },))
    .unwrap();
    let aaaaa = Principal::management_canister();
    let logs: types::FetchCanisterLogsResult =
        candid::decode_one(&net.query(aaaaa, "fetch_canister_logs", &argument).reply()).unwrap();
    assert_eq!(logs.canister_log_records[0].content, b"boom");
    net.upgrade(canister, HELLO).reply();
    let kept = net.query(aaaaa, "fetch_canister_logs", &argument).reply();
    assert_eq!(
        candid::decode_one::<types::FetchCanisterLogsResult>(&kept).unwrap(),
        logs
    );
    net.install(canister, super::REINSTALL, HELLO).reply();
    let cleared = net.query(aaaaa, "fetch_canister_logs", &argument).reply();
    let cleared: types::FetchCanisterLogsResult = candid::decode_one(&cleared).unwrap();
    assert!(cleared.canister_log_records.is_empty());
    settings(
        &net,
        canister,
        types::CanisterSettings {
            controllers: Some(vec![]),
            ..Default::default()
        },
    )
    .reply();
    assert_eq!(
        net.query(aaaaa, "fetch_canister_logs", &argument)
            .error_code(),
        "IC0406"
    );
}

#[test]
fn should_return_to_a_snapshot() {
    let net = Net::new();
    let canister = net.canister(HELLO);
    net.call(canister, "hello", &[]).reply();
    let take = types::TakeCanisterSnapshotArgs {
        canister_id: canister,
        replace_snapshot: None,
        uninstall_code: None,
        sender_canister_version: None,
    };
    let taken: types::Snapshot =
        candid::decode_one(&net.manage("take_canister_snapshot", (take,)).reply()).unwrap();
    net.call(canister, "hello", &[]).reply();
    net.upgrade(canister, HELLO).reply();
    let load = types::LoadCanisterSnapshotArgs {
        canister_id: canister,
        snapshot_id: taken.id.clone(),
        sender_canister_version: None,
    };
    net.manage("load_canister_snapshot", (load.clone(),))
        .reply();
    assert_eq!(net.query(canister, "counter", &[]).number(), 1);
    net.call(canister, "hello", &[]).reply();
    net.manage("load_canister_snapshot", (load.clone(),))
        .reply();
    assert_eq!(
        net.query(canister, "counter", &[]).number(),
        1,
        "running on it does not change it"
    );
    let listed = net
        .manage("list_canister_snapshots", record(canister))
        .reply();
    assert_eq!(
        candid::decode_one::<Vec<types::Snapshot>>(&listed).unwrap(),
        std::slice::from_ref(&taken)
    );
    let delete = types::DeleteCanisterSnapshotArgs {
        canister_id: canister,
        snapshot_id: taken.id,
    };
    net.manage("delete_canister_snapshot", (delete,)).reply();
    assert_eq!(
        net.manage("load_canister_snapshot", (load,)).error_code(),
        "IC0305"
    );
}

#[test]
fn should_refuse_ingress_to_canisters_that_do_not_exist() {
    let net = Net::new();
    let outcome = net.call(canister_id(0x0000_0000_FFEF_FFFF), "hello", &[]);
    assert!(matches!(outcome, Outcome::Refused(_)));
    assert_eq!(outcome.error_code(), "IC0301");
}

#[test]
fn should_execute_a_request_once_however_often_it_is_submitted() {
    use stoa_localnet_wire::{Ingress, Replica, RequestId, Submission};
    let net = Net::new();
    let canister = net.canister(HELLO);
    let ingress = Ingress {
        request_id: RequestId([200; 32]),
        message_bytes: 300,
        sender: net.user,
        canister_id: canister,
        effective_canister_id: canister,
        method_name: "hello".into(),
        arg: Vec::new(),
        ingress_expiry_nanos: net.network.now() + 60_000_000_000,
        sender_info: None,
    };
    for _ in 0..3 {
        assert_eq!(
            net.runtime.block_on(net.replica.submit(ingress.clone())),
            Submission::Accepted
        );
    }
    net.wait(ingress.request_id).reply();
    assert_eq!(
        net.runtime.block_on(net.replica.submit(ingress)),
        Submission::Accepted
    );
    net.call(canister, "hello", &[]).reply();
    assert_eq!(net.query(canister, "counter", &[]).number(), 2);
}

#[test]
fn should_count_versions() {
    let net = Net::new();
    let canister = net.create();
    assert_eq!(net.status(canister).version, 0);
    net.install(canister, INSTALL, HELLO).reply();
    net.call(canister, "hello", &[]).reply();
    net.call(canister, "counter", &[]).reply();
    net.query(canister, "counter", &[]).reply();
    assert_eq!(
        net.call(canister, "no_such_method", &[]).error_code(),
        "IC0536"
    );
    assert_eq!(net.status(canister).version, 3);
    net.manage("stop_canister", record(canister)).reply();
    net.manage("start_canister", record(canister)).reply();
    settings(&net, canister, types::CanisterSettings::default()).reply();
    // Stopping, stopped, running, and the settings.
    assert_eq!(net.status(canister).version, 7);
}

#[test]
fn should_not_raise_allocations_that_would_freeze_the_canister() {
    let net = Net::new();
    let canister = net.create_with(1_000_000_000_000);
    let compute = types::CanisterSettings {
        compute_allocation: Some(Nat::from(50u8)),
        ..Default::default()
    };
    assert_eq!(settings(&net, canister, compute).error_code(), "IC0530");
    let memory = types::CanisterSettings {
        memory_allocation: Some(Nat::from(1u64 << 40)),
        ..Default::default()
    };
    assert_eq!(settings(&net, canister, memory).error_code(), "IC0531");
    let too_much = types::CanisterSettings {
        compute_allocation: Some(Nat::from(101u8)),
        ..Default::default()
    };
    assert_eq!(settings(&net, canister, too_much).error_code(), "IC0504");
    assert_eq!(
        net.status(canister).settings.compute_allocation,
        Nat::from(0u8)
    );
}

#[test]
fn should_keep_a_log_of_the_size_in_the_settings_or_none() {
    let net = Net::new();
    let canister = net.canister(HELLO);
    let limited = |bytes: u64| {
        let given = types::CanisterSettings {
            log_memory_limit: Some(Nat::from(bytes)),
            ..Default::default()
        };
        settings(&net, canister, given)
    };
    assert_eq!(limited(4_095).error_code(), "IC0406");
    assert_eq!(limited((2 << 20) + 1).error_code(), "IC0406");
    limited(2 << 20).reply();
    limited(0).reply();
    net.call(canister, "print", &[]).reply();
    let argument = candid::encode_args((types::FetchCanisterLogsArgs {
        canister_id: canister,
        filter: None,
    },))
    .unwrap();
    let aaaaa = Principal::management_canister();
    let logs = net.query(aaaaa, "fetch_canister_logs", &argument).reply();
    let logs: types::FetchCanisterLogsResult = candid::decode_one(&logs).unwrap();
    let printed = logs.canister_log_records.iter();
    assert!(printed.into_iter().all(|record| record.content.is_empty()));
}

/// As on a subnet that has no admins.
#[test]
fn should_know_the_queries_of_the_management_canister_and_no_others() {
    let net = Net::new();
    let aaaaa = Principal::management_canister();
    let canister = net.canister(PROXY);
    let about = candid::encode_args(record(canister)).unwrap();
    let asked = |method: &str, argument: &[u8]| net.query(aaaaa, method, argument);
    asked("canister_status", &about).reply();
    let listed = asked("list_canisters", b"DIDL\0\0");
    assert_eq!(listed.clone().error_code(), "IC0406");
    assert_eq!(
        listed.message(),
        "list_canisters is only available on subnets with subnet admins"
    );
    for method in ["list_canister_snapshots", "stored_chunks", "no_such_method"] {
        assert_eq!(asked(method, &about).error_code(), "IC0536", "{method}");
    }
    // Nor are these for canisters, or for users as updates.
    let ingress = net.call(aaaaa, "list_canisters", b"DIDL\0\0");
    assert!(matches!(ingress, Outcome::Refused(_)));
    assert_eq!(ingress.error_code(), "IC0536");
    for (method, code, error) in [
        ("list_canisters", 5, "IC0536: "),
        ("fetch_canister_logs", 4, "IC0406: "),
    ] {
        let argument = call_of(aaaaa, method, 3, &about);
        let (given, refund, message) = answer_of(net.call(canister, "call", &argument));
        assert_eq!((given, refund), (code, 3), "{method}");
        assert!(message.starts_with(error.as_bytes()), "{method}");
    }
}

/// A canister may say which version of itself calls; then it must be that one.
#[test]
fn should_hold_a_canister_to_the_version_that_it_says_it_is() {
    let net = Net::new();
    let proxy = net.canister(PROXY);
    let child = net.create();
    settings(
        &net,
        child,
        types::CanisterSettings {
            controllers: Some(vec![net.user, proxy]),
            ..Default::default()
        },
    )
    .reply();
    let uninstall = |version: Option<u64>| {
        let argument = types::UninstallCodeArgs {
            canister_id: child,
            sender_canister_version: version,
        };
        let argument = candid::encode_args((argument,)).unwrap();
        let aaaaa = Principal::management_canister();
        answer_of(net.call(
            proxy,
            "call",
            &call_of(aaaaa, "uninstall_code", 9, &argument),
        ))
    };
    let version = net.status(proxy).version;
    let (code, refund, message) = uninstall(Some(version + 1));
    assert_eq!((code, refund), (5, 9));
    assert!(message.starts_with(b"IC0504: "));
    let version = net.status(proxy).version;
    assert_eq!(uninstall(Some(version)).0, 0);
    assert_eq!(uninstall(None).0, 0);
    let argument = candid::encode_args((types::CanisterInfoArgs {
        canister_id: child,
        num_requested_changes: Some(2),
    },))
    .unwrap();
    let aaaaa = Principal::management_canister();
    let info = call_of(aaaaa, "canister_info", 0, &argument);
    let info: types::CanisterInfoResult =
        candid::decode_one(&answer_of(net.call(proxy, "call", &info)).2).unwrap();
    let origins: Vec<_> = info
        .recent_changes
        .iter()
        .map(|change| &change.origin)
        .collect();
    let from = |canister_version| {
        types::ChangeOrigin::FromCanister(types::FromCanisterRecord {
            canister_id: proxy,
            canister_version,
        })
    };
    assert_eq!(origins, [&from(Some(version)), &from(None)]);
}

#[test]
fn should_charge_an_ingress_message_by_the_size_of_its_envelope() {
    use stoa_localnet_wire::{Ingress, Replica, RequestId, Submission};
    let net = Net::new();
    let canister = net.canister(HELLO);
    let paid = |id: u8, message_bytes: usize| {
        let before = net.network.read().canisters.get(&canister).unwrap().cycles;
        let ingress = Ingress {
            request_id: RequestId([id; 32]),
            message_bytes,
            sender: net.user,
            canister_id: canister,
            effective_canister_id: canister,
            method_name: "hello".into(),
            arg: Vec::new(),
            ingress_expiry_nanos: net.network.now() + 60_000_000_000,
            sender_info: None,
        };
        let request = ingress.request_id;
        let submitted = net.runtime.block_on(net.replica.submit(ingress));
        assert_eq!(submitted, Submission::Accepted);
        net.wait(request).reply();
        before - net.network.read().canisters.get(&canister).unwrap().cycles
    };
    let (small, large) = (paid(1, 300), paid(2, 100_300));
    assert_eq!(large - small, 100_000 * 2_000);
}

#[test]
fn should_take_from_a_canister_that_runs_out_of_cycles_all_that_it_cannot_pay_for() {
    let net = Net::new();
    let canister = net.create_with(1_000_000_000_000);
    net.install(canister, INSTALL, HELLO).reply();
    let take = types::TakeCanisterSnapshotArgs {
        canister_id: canister,
        replace_snapshot: None,
        uninstall_code: None,
        sender_canister_version: None,
    };
    net.manage("take_canister_snapshot", (take,)).reply();
    let given = types::CanisterSettings {
        compute_allocation: Some(Nat::from(50u8)),
        memory_allocation: Some(Nat::from(1u64 << 30)),
        freezing_threshold: Some(Nat::from(0u8)),
        ..Default::default()
    };
    settings(&net, canister, given).reply();
    net.network
        .write()
        .canisters
        .get_mut(&canister)
        .unwrap()
        .cycles = 1;
    let begun = std::time::Instant::now();
    let emptied = |net: &Net| {
        net.network
            .read()
            .canisters
            .get(&canister)
            .unwrap()
            .code
            .is_none()
    };
    while !emptied(&net) {
        assert!(begun.elapsed().as_secs() < 60, "it pays for nothing");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let network = net.network.read();
    let left = network.canisters.get(&canister).unwrap();
    assert_eq!(left.settings.compute_allocation, 0);
    assert_eq!(left.settings.memory_allocation, 0);
    assert!(left.snapshots.is_empty());
    assert_eq!(left.cycles, 0);
    assert!(left.history.is_empty());
}

#[test]
fn should_record_the_hash_of_the_variables_that_a_canister_is_created_with() {
    use sha2::{Digest, Sha256};
    let net = Net::new();
    let create = |variables: Option<Vec<types::EnvironmentVariable>>| {
        let argument = types::ProvisionalCreateCanisterWithCyclesArgs {
            amount: None,
            settings: Some(types::CanisterSettings {
                environment_variables: variables,
                ..Default::default()
            }),
            specified_id: None,
            sender_canister_version: None,
        };
        let reply = net
            .manage("provisional_create_canister_with_cycles", (argument,))
            .reply();
        let id = candid::decode_one::<types::CanisterIdRecord>(&reply).unwrap();
        let state = net.network.read();
        let history = &state.canisters.get(&id.canister_id).unwrap().history;
        match history[0].details.clone() {
            Some(types::ChangeDetails::Creation(creation)) => creation.environment_variables_hash,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(create(None), None);
    let variable = types::EnvironmentVariable {
        name: "a".into(),
        value: "one".into(),
    };
    let entry = [Sha256::digest("a"), Sha256::digest("one")].concat();
    assert_eq!(
        create(Some(vec![variable])),
        Some(Sha256::digest(entry).to_vec())
    );
}
