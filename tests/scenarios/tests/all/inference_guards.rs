//! Who may tell an inference canister what, on the real Wasm: by ingress, and by calls of other canisters, which no
//! `inspect_message` sees.

use candid::utils::ArgumentEncoder;
use candid::{Nat, Principal, Reserved};
use stoa_client::ClientError;
use stoa_inference_api::{
    AddKeyArgs, ClaimArgs, ClaimCyclesArgs, ClaimCyclesResult, DepositArgs, DepositResult,
    InferResult, KeyResult, LoadResult, ModelArgs, Payment, Policy, SettleArgs, SettleSubject,
    SubmitResult, Token, VersionStatusArgs, WithdrawArgs, WithdrawResult,
};
use stoa_scenarios::{Proxy, World, run, wasm_folder};
use stoa_types::Sha256;

fn settle() -> SettleArgs {
    SettleArgs {
        subject: SettleSubject::Payment(0),
        block: None,
    }
}

/// What only governance, the registry or the canister itself may call.
#[derive(Clone)]
enum Order {
    SetPolicy(Box<Policy>),
    LoadModel(Sha256),
    UnloadModel(Sha256),
    SettlePayment,
    VersionStatus(Sha256),
    LoadStep(Sha256),
    Run,
}

fn orders(policy: Policy, version: Sha256) -> Vec<Order> {
    vec![
        Order::SetPolicy(Box::new(policy)),
        Order::LoadModel(version),
        Order::UnloadModel(version),
        Order::SettlePayment,
        Order::VersionStatus(version),
        Order::LoadStep(version),
        Order::Run,
    ]
}

/// The reject message, of a call that must be refused.
async fn given_by_a_canister(proxy: &Proxy, inference: Principal, order: Order) -> String {
    async fn send<A: ArgumentEncoder>(
        proxy: &Proxy,
        inference: Principal,
        method: &str,
        arguments: A,
    ) -> String {
        let forwarded = proxy
            .forward::<_, Reserved>(inference, method, arguments, 0)
            .await;
        match forwarded.answer {
            Ok(_) => panic!("{method} was taken from a stranger"),
            Err(message) => message,
        }
    }
    let model = |version| ModelArgs { version };
    match order {
        Order::SetPolicy(policy) => send(proxy, inference, "set_policy", (*policy,)).await,
        Order::LoadModel(version) => send(proxy, inference, "load_model", (model(version),)).await,
        Order::UnloadModel(version) => {
            send(proxy, inference, "unload_model", (model(version),)).await
        }
        Order::SettlePayment => send(proxy, inference, "settle_payment", (settle(),)).await,
        Order::VersionStatus(version) => {
            let arguments = VersionStatusArgs {
                version,
                status: "revoked".to_owned(),
            };
            send(proxy, inference, "c2c_version_status", (arguments,)).await
        }
        Order::LoadStep(version) => send(proxy, inference, "c2c_load_step", (version,)).await,
        Order::Run => send(proxy, inference, "c2c_run", (0_u64,)).await,
    }
}

// Statement 17: no method relies on `inspect_message`.
#[test]
fn should_refuse_orders_from_canisters_that_may_not_give_them() {
    run(async {
        let (world, published) = World::shared().await;
        let user = world.actor().await;
        let inference = user.inference();
        let before = inference.status().await.unwrap();
        let proxy = Proxy::install(&world.deployer.connection).await;
        let mut policy = before.policy.clone();
        policy.rate_e8s_per_billion_instructions = 0;
        for order in orders(policy, published.version) {
            let message = given_by_a_canister(&proxy, inference.canister(), order).await;
            assert!(message.contains("only"), "{message}");
        }
        let after = inference.status().await.unwrap();
        assert_eq!(after.policy, before.policy);
        // Still loaded, admitted and for sale.
        assert!(user.quote(published.version).await.price_e8s > 0);
    });
}

// Statement 19.
#[test]
fn should_refuse_who_has_no_name_in_every_method_that_acts_for_its_caller() {
    run(async {
        let (world, published) = World::shared().await;
        let anonymous = world
            .deployer
            .connection
            .with_identity(std::sync::Arc::new(ic_agent::identity::AnonymousIdentity));
        let inference = world.deployer.inference().canister();
        let (icp, version) = (Token::Icp, published.version);
        let request = world.deployer.request(version);
        let deposit = DepositArgs {
            token: icp,
            amount_e8s: 1_000_000,
            from_subaccount: None,
        };
        let withdraw = WithdrawArgs {
            token: icp,
            amount_e8s: 1_000_000,
            to: None,
        };
        let claim = ClaimArgs {
            token: icp,
            subaccount: None,
        };
        let claim_cycles = ClaimCyclesArgs {
            subaccount: None,
            to: inference,
        };
        let key = AddKeyArgs {
            hash: version,
            label: String::new(),
            token: icp,
            limit_e8s: 1,
            expires_at_nanos: None,
        };
        // Turned away before it costs anything; that each method refuses as well is a native test.
        let turned_away = |error: ClientError| {
            let text = error.to_string();
            assert!(error.is_reject(), "{text}");
        };
        macro_rules! refused {
            ($method:literal, $arguments:expr, $result:ty) => {{
                let answer: Result<($result,), ClientError> =
                    anonymous.update(inference, $method, $arguments).await;
                turned_away(answer.unwrap_err());
            }};
        }
        refused!("infer", (&request,), InferResult);
        refused!("submit", (&request,), SubmitResult);
        refused!("load", (version, None::<Payment>), LoadResult);
        refused!("deposit", (deposit,), DepositResult);
        refused!("withdraw", (withdraw,), WithdrawResult);
        refused!("claim", (claim,), WithdrawResult);
        refused!("claim_cycles", (claim_cycles,), ClaimCyclesResult);
        refused!("add_key", (key,), KeyResult);
    });
}

// Statement 18.
#[test]
fn should_turn_away_oversized_and_unknown_messages_before_they_cost_anything() {
    run(async {
        let (world, published) = World::shared().await;
        let user = world.actor().await;
        let inference = user.inference().canister();
        let rejected = async |method: &str, arguments: Vec<u8>| {
            let answer = user
                .connection
                .agent()
                .update(&inference, method)
                .with_arg(arguments)
                .call_and_wait()
                .await;
            assert!(answer.is_err(), "{method} was taken");
        };
        let version = candid::encode_one(published.version).unwrap();
        rejected("c2c_run", candid::encode_one(0_u64).unwrap()).await;
        rejected("c2c_load_step", version.clone()).await;
        rejected("no_such_method", version.clone()).await;
        rejected("load", [version, vec![0; 600]].concat()).await;
    });
}

// Statement 25.
#[test]
fn should_refuse_arguments_that_are_small_and_decode_to_much() {
    run(async {
        let (world, published) = World::shared().await;
        let user = world.actor().await;
        let inference = user.inference();
        let before = inference.status().await.unwrap().cycles;
        // Vectors of nothing, a hundred million of them; and a record in a record, a thousand deep.
        let mut nulls = b"DIDL\x01\x6d\x7f\x01\x00".to_vec();
        leb128(&mut nulls, 100_000_000);
        let mut deep = b"DIDL".to_vec();
        leb128(&mut deep, 1_001);
        for level in 0..1_000_u64 {
            deep.extend([0x6c, 0x01, 0x00]);
            leb128(&mut deep, level + 1);
        }
        deep.extend([0x6c, 0x00, 0x01, 0x00]);
        for method in ["infer", "infer_query", "quote_call", "http_request", "load"] {
            for bomb in [&nulls, &deep] {
                let agent = user.connection.agent();
                let answer = agent
                    .query(&inference.canister(), method)
                    .with_arg(bomb.clone())
                    .call()
                    .await;
                assert!(answer.is_err(), "{method}");
                let answer = agent
                    .update(&inference.canister(), method)
                    .with_arg(bomb.clone())
                    .call_and_wait()
                    .await;
                assert!(answer.is_err(), "{method}");
            }
        }
        // Each cost next to nothing: all ten together less than a billion cycles, if nobody else had called.
        let after = inference.status().await.unwrap().cycles;
        assert!(before.clone() + Nat::from(100_000_000_000_u64) > after);
        assert!(user.quote(published.version).await.price_e8s > 0);
    });
}

fn leb128(into: &mut Vec<u8>, mut number: u64) {
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            into.push(byte);
            return;
        }
        into.push(byte | 0x80);
    }
}

// Statement 33: there is no draw whose result could be known before a request is accepted.
#[test]
fn should_use_no_randomness_of_the_platform() {
    let wasm = wasm_folder().read("inference").unwrap();
    let mut module = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(wasm.bytes.as_slice()),
        &mut module,
    )
    .unwrap();
    assert!(module.starts_with(b"\0asm"));
    let has = |name: &[u8]| module.windows(name.len()).any(|window| window == name);
    // What it does call is found this way.
    assert!(has(b"deposit_cycles"));
    assert!(!has(b"raw_rand"));
}
