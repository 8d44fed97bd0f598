//! An inference canister that has everything which can be seen of one, upgraded: what is settled and what is under way, in
//! every unit, is the same afterwards, and what was under way ends once.

use std::collections::BTreeMap;

use candid::{Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use stoa_client::deploy::{DeployPlan, candid_nothing};
use stoa_client::management::Management;
use stoa_client::model_directory::ModelDirectory;
use stoa_client::wasm::Wasm;
use stoa_inference_api::{
    AddKeyArgs, Balances, Books, DepositArgs, InferRequest, InferResult, InferenceStatus, Job, Key,
    LoadState, LoadStatus, MoneyError, OutgoingTransfer, Payment, PaymentRecord, PaymentState,
    Policy, Quote, Receipt, SET_POLICY_FUNCTION_ID, Token, TopUpState, TransferState, WithdrawArgs,
};
use stoa_scenarios::{
    Actor, LedgerFault, LedgerFaultKind, ONE_TOKEN, PATIENCE, Proxy, World, digits,
    execute_function, other_build_of, run, until, wasm_folder,
};
use stoa_types::Sha256;
use tempfile::TempDir;

/// Above any balance that it could still reach: it does not buy cycles by itself.
const QUIET_CYCLES: u64 = 1_000_000_000_000;

/// All that the canister's interface shows and that time alone does not change.
#[derive(Debug)]
struct Seen {
    /// Without what burns and what lies in the heap.
    status: InferenceStatus,
    loads: Vec<LoadStatus>,
    quote: Quote,
    routes: Vec<Principal>,
    receipts: Vec<Receipt>,
    payments: Vec<PaymentRecord>,
    transfers: Vec<OutgoingTransfer>,
    balances: BTreeMap<Principal, Balances>,
    jobs: Vec<Job>,
    keys: Vec<Key>,
}

/// What it had to do with.
struct Known {
    user: Actor,
    people: Vec<Principal>,
    works: Sha256,
    broken: Sha256,
}

async fn see(known: &Known) -> Seen {
    let inference = known.user.inference();
    let mut loads = Vec::new();
    for version in [known.works, known.broken] {
        loads.push(inference.load_status(version).await.unwrap().unwrap());
    }
    let status = inference.status().await.unwrap();
    let mut receipts = Vec::new();
    for id in 0..status.receipts {
        receipts.push(inference.proven_receipt(id).await.unwrap());
    }
    let mut payments = Vec::new();
    while let Ok(record) = inference.get_payment(payments.len() as u64).await.unwrap() {
        payments.push(record);
    }
    let mut transfers = Vec::new();
    while let Ok(transfer) = inference
        .get_transfer(transfers.len() as u64)
        .await
        .unwrap()
    {
        transfers.push(transfer);
    }
    let mut balances = BTreeMap::new();
    for somebody in &known.people {
        let of_them = inference.balances_of(*somebody).await.unwrap();
        balances.insert(*somebody, of_them);
    }
    let mut jobs = Vec::new();
    for id in inference.list_jobs().await.unwrap() {
        jobs.push(inference.get_job(id).await.unwrap().unwrap());
    }
    Seen {
        status: InferenceStatus {
            cycles: Nat::default(),
            spendable_cycles: Nat::default(),
            cycles_burnt_per_day: None,
            model_memory_bytes: 0,
            ..status
        },
        loads,
        quote: known.user.quote(known.works).await,
        routes: known.user.registry().route(known.works).await.unwrap(),
        receipts,
        payments,
        transfers,
        balances,
        jobs,
        keys: inference.list_keys().await.unwrap(),
    }
}

impl Seen {
    /// Field by field, so that a difference can be read.
    fn expect_as(&self, before: &Seen) {
        assert_eq!(self.status, before.status);
        assert_eq!(self.loads, before.loads);
        assert_eq!(self.quote, before.quote);
        assert_eq!(self.routes, before.routes);
        assert_eq!(self.receipts, before.receipts);
        assert_eq!(self.payments, before.payments);
        assert_eq!(self.transfers, before.transfers);
        assert_eq!(self.balances, before.balances);
        assert_eq!(self.jobs, before.jobs);
        assert_eq!(self.keys, before.keys);
    }

    /// That there was something of everything to lose.
    fn expect_full(&self, known: &Known) {
        let Books { held, sent, .. } = &self.status.books.icp;
        assert!(*held == 0_u8 && *sent > 0_u8);
        assert!(self.status.books.governance_token.received > 0_u8);
        assert!(self.status.books.cycles.received > 0_u8);
        assert!(matches!(
            self.status.top_ups[0].state,
            TopUpState::Done { .. }
        ));
        let [ready, failed] = &self.loads[..] else {
            panic!("{:?}", self.loads);
        };
        assert!(matches!(ready.state, LoadState::Ready { .. }));
        assert!(matches!(failed.state, LoadState::Failed { .. }));
        assert!(self.routes.contains(&known.user.inference().canister()));
        let is = |wanted: fn(&PaymentState) -> bool| {
            let mut states = self.payments.iter().map(|record| &record.state);
            assert!(states.any(wanted), "{:?}", self.payments);
        };
        is(|state| matches!(state, PaymentState::Earned { .. }));
        is(|state| matches!(state, PaymentState::Credited { .. }));
        is(|state| *state == PaymentState::Charging);
        let states: Vec<_> = self.transfers.iter().map(|one| &one.state).collect();
        assert!(states.contains(&&TransferState::Sending), "{states:?}");
        let sent = |state: &&&TransferState| matches!(state, TransferState::Sent { .. });
        assert!(states.iter().any(|state| sent(&state)), "{states:?}");
        let [user, author, canister] = &known.people[..] else {
            panic!("{:?}", known.people);
        };
        assert!(self.balances[user].credit_icp_e8s > 0);
        assert!(self.balances[user].credit_token_e8s > 0);
        let royalty = &self.balances[author].royalties[0];
        assert!(royalty.icp_e8s > 0 && royalty.token_e8s > 0 && royalty.cycles > 0_u8);
        let paid_in_cycles = self.receipts.iter().any(|one| one.caller == *canister);
        assert!(paid_in_cycles);
        assert_eq!((self.jobs.len(), self.keys.len()), (1, 1));
    }
}

/// The digits model with something else in the place of its network.
fn without_a_network(publisher: &str) -> (TempDir, ModelDirectory) {
    let folder = tempfile::tempdir().unwrap();
    let from =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/models/digits");
    for name in ["README.md", "model.toml"] {
        std::fs::copy(from.join(name), folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("digits.onnx"), [7; 1_000]).unwrap();
    let model = ModelDirectory::read(folder.path(), publisher).unwrap();
    (folder, model)
}

async fn upgrade(world: &World, wasm: &Wasm) {
    let management = Management::new(&world.deployer.connection).await.unwrap();
    let inference = world.deployment.first_inference().unwrap();
    management
        .upgrade(inference, wasm, candid_nothing())
        .await
        .unwrap();
}

/// Every kind of payment, load, job and key; one withdrawal and one deposit whose ledger does not answer.
async fn filled(world: &World) -> Known {
    let author = world.actor().await;
    let handle = author.claim_handle().await;
    let works = world.publish(author.clone(), digits(&handle)).await.version;
    world.admit(works).await;
    world.load(works).await;
    let other = world.actor().await;
    let other_handle = other.claim_handle().await;
    let (_folder, model) = without_a_network(&other_handle);
    let broken = world.publish(other, model).await;
    world.admit(broken.version).await;
    let user = world.actor().await;
    let inference = user.inference();
    inference.load(broken.version).await.unwrap().unwrap();
    until("the failure", async || {
        let status = inference.load_status(broken.version).await.unwrap();
        matches!(status.unwrap().state, LoadState::Failed { .. }).then_some(())
    })
    .await;

    user.approve(9 * ONE_TOKEN).await;
    let spender = Account::from(inference.canister());
    let tokens = Nat::from(99 * ONE_TOKEN);
    user.tokens().approve(spender, tokens).await.unwrap();
    let request = |payment| InferRequest {
        payment,
        ..user.request(works)
    };
    let allowance = |token| Payment::Allowance {
        token,
        from_subaccount: None,
    };
    let deposit = |token| DepositArgs {
        token,
        amount_e8s: ONE_TOKEN,
        from_subaccount: None,
    };
    let withdraw = || {
        inference.withdraw(WithdrawArgs {
            token: Token::Icp,
            amount_e8s: ONE_TOKEN / 10,
            to: None,
        })
    };
    for token in [Token::Icp, Token::Governance] {
        let paid = inference.infer(&request(allowance(token))).await;
        paid.unwrap().unwrap();
        inference.deposit(deposit(token)).await.unwrap().unwrap();
    }
    let credit = request(Payment::Credit { token: Token::Icp });
    inference.infer(&credit).await.unwrap().unwrap();
    let job = inference.submit(&credit).await.unwrap().unwrap();
    inference.wait_job(job, PATIENCE).await.unwrap();
    let proxy = Proxy::install(&world.deployer.connection).await;
    let paid = proxy
        .forward::<_, InferResult>(
            inference.canister(),
            "infer",
            (request(Payment::Cycles),),
            10_000_000_000_000,
        )
        .await;
    paid.answer.unwrap().unwrap();
    let key = AddKeyArgs {
        hash: Sha256::of(b"a secret"),
        label: "A program".to_owned(),
        token: Token::Icp,
        limit_e8s: ONE_TOKEN,
        expires_at_nanos: None,
    };
    inference.add_key(key).await.unwrap().unwrap();
    withdraw().await.unwrap().unwrap();

    // Cycles were bought meanwhile; from here on the DAO has it otherwise.
    let status = until("a purchase of cycles", async || {
        let status = inference.status().await.unwrap();
        let done = |state: &TopUpState| matches!(state, TopUpState::Done { .. });
        let settled =
            !status.top_ups.is_empty() && status.top_ups.iter().all(|one| done(&one.state));
        settled.then_some(status)
    })
    .await;
    let policy = Policy {
        top_up_below_cycles: Nat::from(QUIET_CYCLES),
        ..status.policy
    };
    let payload = candid::encode_one(&policy).unwrap();
    let set_policy = execute_function(SET_POLICY_FUNCTION_ID, payload);
    world.adopt(set_policy).await;
    until("nothing under way", async || {
        let status = inference.status().await.unwrap();
        let done = |state: &TopUpState| matches!(state, TopUpState::Done { .. });
        let settled =
            status.books.icp.sending == 0_u8 && status.top_ups.iter().all(|one| done(&one.state));
        settled.then_some(())
    })
    .await;

    let silent = |method: &str| LedgerFault {
        calls: u32::MAX,
        ..LedgerFault::next(method, LedgerFaultKind::Reject)
    };
    let faults = vec![silent("icrc1_transfer"), silent("icrc2_transfer_from")];
    let ledger = world.deployment.icp_ledger;
    world.order_ledger_faults(ledger, faults).await;
    let pending = withdraw().await.unwrap().unwrap_err();
    assert!(matches!(pending, MoneyError::Pending { .. }), "{pending:?}");
    let pending = inference.deposit(deposit(Token::Icp)).await.unwrap();
    let pending = pending.unwrap_err();
    assert!(matches!(pending, MoneyError::Pending { .. }), "{pending:?}");
    Known {
        people: vec![user.principal(), author.principal(), proxy.canister],
        user,
        works,
        broken: broken.version,
    }
}

// Statements 28 and 29 of what the canisters promise. The build before has this one's layout, so what stands in for it is the same code under
// another hash; that code of an older layout is refused, natively: `should_refuse_a_layout_that_it_does_not_know`.
#[test]
fn should_keep_all_that_can_be_seen_through_upgrades_and_a_downgrade() {
    run(async {
        let mut plan = DeployPlan::default();
        // Royalties and the treasury's share stay to be seen.
        plan.policy.payout_e8s_min = 100 * ONE_TOKEN;
        let world = World::new(plan).await;
        let known = filled(&world).await;
        let before = see(&known).await;
        before.expect_full(&known);

        let (current, other) = (
            wasm_folder().read("inference").unwrap(),
            other_build_of("inference"),
        );
        let inference = known.user.inference();
        for wasm in [&current, &current, &other, &current] {
            upgrade(&world, wasm).await;
            inference
                .wait_ready(known.works, PATIENCE, |_| {})
                .await
                .unwrap();
            see(&known).await.expect_as(&before);
        }

        // The ledger is back: the withdrawal and the deposit happen, each once.
        let ledger = world.deployment.icp_ledger;
        world.order_ledger_faults(ledger, Vec::new()).await;
        upgrade(&world, &current).await;
        until("the ledger's answers", async || {
            let seen = see(&known).await;
            let open = seen
                .transfers
                .iter()
                .any(|one| one.state == TransferState::Sending)
                || seen
                    .payments
                    .iter()
                    .any(|one| one.state == PaymentState::Charging);
            (!open).then_some(())
        })
        .await;
        // What is seen is read piece by piece: all of it once more, now that it stands still.
        let after = see(&known).await;
        let user = known.user.principal();
        assert_eq!(
            after.balances[&user].credit_icp_e8s,
            before.balances[&user].credit_icp_e8s + ONE_TOKEN
        );
        let sent =
            |transfer: &OutgoingTransfer| matches!(transfer.state, TransferState::Sent { .. });
        assert!(after.transfers.iter().all(sent), "{:?}", after.transfers);
        assert_eq!(after.transfers.len(), before.transfers.len());
        assert_eq!(after.payments.len(), before.payments.len());
        let books = &after.status.books.icp;
        let held = known.user.icp_of(Account::from(inference.canister())).await;
        assert_eq!(held, books.received.clone() - books.sent.clone());

        // Stopped and started without new code it goes on as well: what runs a job is a timer.
        let management = Management::new(&world.deployer.connection).await.unwrap();
        management.stop(inference.canister()).await.unwrap();
        management.start(inference.canister()).await.unwrap();
        let request = InferRequest {
            payment: Payment::Credit { token: Token::Icp },
            ..known.user.request(known.works)
        };
        let job = inference.submit(&request).await.unwrap().unwrap();
        inference.wait_job(job, PATIENCE).await.unwrap();
    });
}
