//! Money through the real canister: callers who pay in every way at the same time, withdraw and claim, ledgers and a
//! minting canister that refuse, lose answers or answer late, payouts, purchases of cycles, and upgrades in between. After
//! each round, once nothing is under way: the books add up to the last unit, and the ledgers say the same.

use std::time::{Duration, Instant};

use candid::Nat;
use futures_util::future::join_all;
use icrc_ledger_types::icrc1::account::Account;
use stoa_client::deploy::{DeployPlan, candid_nothing};
use stoa_client::ledger::Ledger;
use stoa_client::management::Management;
use stoa_cmc_api::{Fault as MintingFault, FaultKind as MintingFaultKind};
use stoa_inference_api::{
    Books, ClaimArgs, DepositArgs, InferRequest, InferenceStatus, Payment, Price, Token,
    TopUpState, WithdrawArgs,
};
use stoa_scenarios::{
    Actor, LedgerFault, LedgerFaultKind, ONE_TOKEN, PATIENCE, Published, World, run, wasm_folder,
};

const ROUNDS: u64 = 40;
/// Messages of one round, at the same time.
const MESSAGES: u64 = 8;
const CALLERS: usize = 4;
/// Of the author; a round has some of them.
const PRICE_E8S: u64 = 3_000_000;

/// SplitMix64: the same rounds every time, as far as the network's order of messages allows.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn token(&mut self) -> Token {
        if self.below(3) == 0 {
            Token::Governance
        } else {
            Token::Icp
        }
    }
}

enum Act {
    Infer(Payment),
    Submit(Payment),
    Deposit(DepositArgs),
    Withdraw(WithdrawArgs),
    Claim(ClaimArgs),
    TopUp,
}

fn act(random: &mut Random) -> Act {
    let token = random.token();
    let amount_e8s = 100_000 + random.below(20_000_000);
    let payment = match random.below(2) {
        0 => Payment::Credit { token },
        _ => Payment::Allowance {
            token,
            from_subaccount: None,
        },
    };
    match random.below(12) {
        0..=3 => Act::Infer(payment),
        4 => Act::Submit(payment),
        5 | 6 => Act::Deposit(DepositArgs {
            token,
            amount_e8s,
            from_subaccount: None,
        }),
        7 | 8 => Act::Withdraw(WithdrawArgs {
            token,
            amount_e8s: amount_e8s / 2,
            to: None,
        }),
        9 | 10 => Act::Claim(ClaimArgs {
            token,
            subaccount: None,
        }),
        _ => Act::TopUp,
    }
}

/// Refusals are as good as answers here: what is asked for is that no unit goes astray.
async fn perform(actor: &Actor, published: &Published, act: Act) {
    let inference = actor.inference();
    let request = |payment| InferRequest {
        payment,
        ..actor.request(published.version)
    };
    match act {
        Act::Infer(payment) => drop(inference.infer(&request(payment)).await),
        Act::Submit(payment) => drop(inference.submit(&request(payment)).await),
        Act::Deposit(arguments) => drop(inference.deposit(arguments).await),
        Act::Withdraw(arguments) => drop(inference.withdraw(arguments).await),
        Act::Claim(arguments) => drop(inference.claim(arguments).await),
        Act::TopUp => drop(inference.top_up().await),
    }
}

async fn order_faults(world: &World, random: &mut Random) {
    let kind = |random: &mut Random| match random.below(4) {
        0 => LedgerFaultKind::Reject,
        1 => LedgerFaultKind::AnswerLate { seconds: 1 },
        2 => LedgerFaultKind::TemporarilyUnavailable,
        _ => LedgerFaultKind::LoseAnswer,
    };
    let ledgers = [world.deployment.icp_ledger, world.deployment.token_ledger];
    for ledger in ledgers {
        let mut faults = Vec::new();
        for method in ["icrc2_transfer_from", "icrc1_transfer", "transfer"] {
            if random.below(2) == 0 {
                faults.push(LedgerFault {
                    method: method.to_owned(),
                    kind: kind(random),
                    after_calls: random.below(3) as u32,
                    calls: 1 + random.below(2) as u32,
                });
            }
        }
        world.order_ledger_faults(ledger, faults).await;
    }
    let faults = match random.below(3) {
        0 => Some(MintingFaultKind::LoseAnswer),
        1 => Some(MintingFaultKind::Reject),
        _ => None,
    };
    let faults = faults.map(|kind| MintingFault {
        kind,
        after_calls: 0,
        calls: 1,
    });
    world
        .order_minting_faults(faults.into_iter().collect())
        .await;
}

async fn upgrade(world: &World) {
    let management = Management::new(&world.deployer.connection).await.unwrap();
    let inference = world.deployment.first_inference().unwrap();
    let wasm = wasm_folder().read("inference").unwrap();
    management
        .upgrade(inference, &wasm, candid_nothing())
        .await
        .unwrap();
}

fn sum(books: &Books) -> Nat {
    let parts = [
        &books.credit,
        &books.royalties,
        &books.treasury,
        &books.reserve,
        &books.held,
        &books.sending,
    ];
    parts
        .into_iter()
        .fold(Nat::from(0_u8), |sum, part| sum + part.clone())
}

fn is_quiet(status: &InferenceStatus) -> bool {
    let books = [&status.books.icp, &status.books.governance_token];
    books
        .iter()
        .all(|books| books.held == 0_u8 && books.sending == 0_u8)
        && status.jobs_open == 0
        && status.top_ups.iter().all(|bought| {
            !matches!(
                bought.state,
                TopUpState::Transferring | TopUpState::Notifying { .. }
            )
        })
}

/// Waits until nothing is under way and holds the books against the ledgers. What is always true is checked meanwhile.
async fn check(world: &World, round: u64) -> InferenceStatus {
    let inference = world.deployer.inference();
    let account = Account::from(inference.canister());
    let balance = async |ledger: &Ledger| ledger.balance(account).await.unwrap();
    let (icp, tokens) = (world.deployer.icp(), world.deployer.tokens());
    let start = Instant::now();
    loop {
        let status = inference.status().await.unwrap();
        let of_icp = &status.books.icp;
        let of_tokens = &status.books.governance_token;
        for books in [of_icp, of_tokens] {
            let owed = books.received.clone() - books.sent.clone();
            assert_eq!(sum(books), owed, "round {round}");
        }
        // A charge whose answer was lost is on the ledger before it is in the books.
        if is_quiet(&status)
            && balance(&icp).await == sum(of_icp)
            && balance(&tokens).await == sum(of_tokens)
        {
            return status;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "round {round}: {:?}, ledgers {} and {}",
            status.books,
            balance(&icp).await,
            balance(&tokens).await
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

// Statements 1, 2, 5, 7, 9 and 30 of what the canisters promise, on the real Wasm.
#[test]
fn should_conserve_every_unit_whatever_ledgers_do_and_whenever_it_is_upgraded() {
    run(async {
        let mut plan = DeployPlan::default();
        // A payout and a purchase of cycles every few calls.
        plan.policy.payout_e8s_min = 5_000_000;
        plan.policy.top_up_e8s = 4_000_000;
        plan.policy.rate_e8s_per_billion_instructions = 10_000_000_000;
        let world = World::new(plan).await;
        let author = world.actor().await;
        let handle = author.claim_handle().await;
        let digits = stoa_scenarios::digits(&handle);
        let published = world.publish_at(author.clone(), digits, PRICE_E8S).await;
        world.admit(published.version).await;
        world.load(published.version).await;
        // The author is among the callers: he claims royalties.
        let mut callers = vec![author];
        for _ in 1..CALLERS {
            callers.push(world.actor().await);
        }
        for caller in &callers {
            caller.approve(9 * ONE_TOKEN).await;
            let spender = Account::from(caller.inference().canister());
            let all = Nat::from(99 * ONE_TOKEN);
            caller.tokens().approve(spender, all).await.unwrap();
        }

        let mut random = Random(2_026);
        let begun = Instant::now();
        for round in 0..ROUNDS {
            order_faults(&world, &mut random).await;
            let messages = (0..MESSAGES).map(|_| {
                let caller = &callers[random.below(CALLERS as u64) as usize];
                perform(caller, &published, act(&mut random))
            });
            let messages: Vec<_> = messages.collect();
            if random.below(2) == 0 {
                // In the middle of them.
                tokio::join!(join_all(messages), upgrade(&world));
            } else {
                join_all(messages).await;
            }
            // No more faults; an upgrade arms every timer at once, so that what was left open is asked for again.
            for ledger in [world.deployment.icp_ledger, world.deployment.token_ledger] {
                world.order_ledger_faults(ledger, Vec::new()).await;
            }
            world.order_minting_faults(Vec::new()).await;
            upgrade(&world).await;
            check(&world, round).await;
        }
        let status = check(&world, ROUNDS).await;
        println!(
            "{ROUNDS} rounds: {:.1} s, {} receipts, {} purchases of cycles",
            begun.elapsed().as_secs_f64(),
            status.receipts,
            status.top_ups.len()
        );

        // Enough happened for this to mean something.
        assert!(status.receipts > 20, "{}", status.receipts);
        assert!(!status.top_ups.is_empty());
        assert!(status.books.icp.sent > 0_u8);
        assert!(status.books.governance_token.received > 0_u8);

        // What receipts say was paid is what was earned: it is somebody's here, or was sent to him.
        let mut earned = [Nat::from(0_u8), Nat::from(0_u8)];
        for id in 0..status.receipts {
            let inference = world.deployer.inference();
            let receipt = inference.get_receipt(id).await.unwrap().unwrap().receipt;
            match receipt.price {
                Price::IcpE8s(e8s) => earned[0] += e8s,
                Price::TokenE8s(e8s) => earned[1] += e8s,
                Price::Cycles(_) => panic!("nobody attached cycles"),
            }
        }
        for (earned, books) in earned
            .into_iter()
            .zip([&status.books.icp, &status.books.governance_token])
        {
            let paid_in = books.received.clone() - books.credit.clone();
            assert!(earned <= paid_in, "{earned} of {books:?}");
        }
    });
}
