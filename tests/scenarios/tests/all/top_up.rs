//! An inference canister buys its own cycles with what it earned.

use std::time::{Duration, Instant};

use candid::Nat;
use icrc_ledger_types::icrc1::account::Account;
use stoa_client::deploy::DeployPlan;
use stoa_inference_api::{InferenceStatus, TopUpError, TopUpState};
use stoa_scenarios::{Actor, ONE_TOKEN, PATIENCE, World, run};

/// What installing, loading and a few calls may burn between two readings of a balance, at most.
const BURNT_CYCLES_MAX: u64 = 50_000_000_000;

async fn wait_for(user: &Actor, good: impl Fn(&InferenceStatus) -> bool) -> InferenceStatus {
    let start = Instant::now();
    loop {
        let status = user.inference().status().await.unwrap();
        if good(&status) {
            return status;
        }
        assert!(start.elapsed() < PATIENCE, "{:?}", status.top_ups);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn done(status: &InferenceStatus) -> usize {
    let done = |state: &TopUpState| matches!(state, TopUpState::Done { .. });
    status
        .top_ups
        .iter()
        .filter(|bought| done(&bought.state))
        .count()
}

#[test]
fn should_turn_revenue_into_cycles() {
    run(async {
        let plan = DeployPlan::default();
        // An XDR is a trillion cycles and ten thousand permyriad; an ICP is `ONE_TOKEN` e8s.
        let cycles_per_e8 = plan.xdr_permyriad_per_icp * (1_000_000_000_000 / 10_000 / ONE_TOKEN);
        let world = World::new(plan.clone()).await;
        let published = world.publish_digits().await;
        world.admit(published.version).await;
        world.load(published.version).await;
        let user = world.actor().await;
        let quote = user.quote(published.version).await;
        let account = Account::from(user.inference().canister());

        let refused = user.inference().top_up().await.unwrap().unwrap_err();
        assert!(
            matches!(refused, TopUpError::NotEnoughRevenue { revenue_e8s: 0, .. }),
            "{refused:?}"
        );
        let before = user.inference().status().await.unwrap();
        assert!(before.top_ups.is_empty());

        user.approve(ONE_TOKEN).await;
        let request = user.request(published.version);
        user.inference().infer(&request).await.unwrap().unwrap();
        // It has begun by itself, or begins now; asked again and again it spends what it earned.
        let start = Instant::now();
        loop {
            match user.inference().top_up().await.unwrap() {
                Err(TopUpError::NotEnoughRevenue { .. }) => break,
                Ok(_) | Err(TopUpError::Busy { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
            assert!(start.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let after = wait_for(&user, |status| done(status) == status.top_ups.len()).await;

        assert!(!after.top_ups.is_empty());
        let mut spent = 0;
        let mut gained = Nat::from(0_u8);
        for bought in &after.top_ups {
            let TopUpState::Done { cycles, .. } = &bought.state else {
                panic!("{bought:?}");
            };
            assert!(bought.amount_e8s <= plan.policy.top_up_e8s);
            assert_eq!(*cycles, Nat::from(bought.amount_e8s) * cycles_per_e8);
            spent += bought.amount_e8s + quote.ledger_fee_e8s;
            gained += cycles.clone();
        }
        // What came in is what went out and what is left, to the last unit; the ledger says the same.
        let books = &after.books.icp;
        assert_eq!(books.received, Nat::from(quote.price_e8s));
        assert_eq!(books.sent, Nat::from(spent));
        assert_eq!(
            user.icp().balance(account).await.unwrap(),
            books.received.clone() - books.sent.clone()
        );
        // And the cycles have come.
        assert!(
            after.cycles.clone() + Nat::from(BURNT_CYCLES_MAX)
                >= before.cycles.clone() + gained.clone(),
            "{} cycles before, {} after {gained} were bought",
            before.cycles,
            after.cycles
        );
    });
}

#[test]
fn should_not_buy_cycles_that_are_not_needed() {
    run(async {
        let mut plan = DeployPlan::default();
        plan.policy.top_up_below_cycles = Nat::from(1_000_000_000_000_u64);
        let world = World::new(plan).await;
        let published = world.publish_digits().await;
        world.admit(published.version).await;
        world.load(published.version).await;
        let user = world.actor().await;
        user.approve(ONE_TOKEN).await;
        let quote = user.quote(published.version).await;
        let request = user.request(published.version);
        user.inference().infer(&request).await.unwrap().unwrap();
        let refused = user.inference().top_up().await.unwrap().unwrap_err();
        assert!(
            matches!(refused, TopUpError::NotNeeded { .. }),
            "{refused:?}"
        );
        let status = user.inference().status().await.unwrap();
        assert!(status.top_ups.is_empty());
        assert_eq!(status.books.icp.received, Nat::from(quote.price_e8s));
        assert_eq!(status.books.icp.sent, Nat::from(0_u8));
    });
}
