//! A failed call costs nothing, to the last unit; a good one costs what was quoted.

use candid::Nat;
use icrc_ledger_types::icrc1::account::Account;
use stoa_inference_api::{InferError, InferRequest, InferResult, Payment, Price};
use stoa_scenarios::{Actor, ONE_TOKEN, Proxy, World, inputs_of, run};
use stoa_types::Sha256;

/// Calls, and asserts that the caller's balance and allowance are what they were.
async fn refused_for_free(user: &Actor, request: &InferRequest) -> InferError {
    let spender = Account::from(user.inference().canister());
    let account = Account::from(user.principal());
    let balance = user.icp_balance().await;
    let allowance = user.icp().allowance(account, spender).await.unwrap();
    let error = user.inference().infer(request).await.unwrap().unwrap_err();
    assert_eq!(user.icp_balance().await, balance, "{error:?}");
    let after = user.icp().allowance(account, spender).await.unwrap();
    assert_eq!(after, allowance, "{error:?}");
    error
}

#[test]
fn should_not_charge_for_inputs_that_do_not_fit() {
    run(async {
        let (world, published) = World::shared().await;
        let user = world.actor().await;
        user.approve(ONE_TOKEN).await;
        let good = user.request(published.version);
        let changes: [&dyn Fn(&mut InferRequest); 7] = [
            &|r| inputs_of(r).clear(),
            &|r| inputs_of(r)[0].name = "pixel".to_owned(),
            &|r| inputs_of(r)[0].data.truncate(255),
            &|r| inputs_of(r)[0].shape = vec![64],
            &|r| inputs_of(r)[0].shape = vec![2, 64],
            &|r| inputs_of(r)[0].datatype = stoa_types::tensor::DataType::INT32,
            &|r| {
                let twice = inputs_of(r)[0].clone();
                inputs_of(r).push(twice);
            },
        ];
        for change in changes {
            let mut bad = good.clone();
            change(&mut bad);
            let error = refused_for_free(&user, &bad).await;
            assert!(
                matches!(error, InferError::InvalidInput { .. }),
                "{error:?}"
            );
        }
        // A batch beyond what the signature allows.
        let mut large = good.clone();
        inputs_of(&mut large)[0].shape = vec![65, 64];
        inputs_of(&mut large)[0].data = vec![0; 65 * 64 * 4];
        let error = refused_for_free(&user, &large).await;
        assert!(
            matches!(error, InferError::InvalidInput { .. }),
            "{error:?}"
        );
    });
}

#[test]
fn should_not_charge_without_an_allowance_that_covers_price_and_fee() {
    run(async {
        let (world, published) = World::shared().await;
        let user = world.actor().await;
        let request = user.request(published.version);
        let quote = user.quote(published.version).await;
        let needed = Nat::from(quote.price_e8s + quote.ledger_fee_e8s);
        let error = refused_for_free(&user, &request).await;
        assert_eq!(
            error,
            InferError::InsufficientAllowance {
                allowance_e8s: Nat::from(0_u8),
                needed_e8s: needed.clone()
            }
        );
        // One unit less than it takes.
        let short = quote.price_e8s + quote.ledger_fee_e8s - 1;
        user.approve(short).await;
        let error = refused_for_free(&user, &request).await;
        assert_eq!(
            error,
            InferError::InsufficientAllowance {
                allowance_e8s: Nat::from(short),
                needed_e8s: needed
            }
        );
    });
}

#[test]
fn should_not_charge_an_account_that_lacks_the_money() {
    run(async {
        let (world, published) = World::shared().await;
        let user = world.actor().await;
        let quote = user.quote(published.version).await;
        user.approve(ONE_TOKEN).await;
        // Leaves one unit less than price and fee.
        let left = quote.price_e8s + quote.ledger_fee_e8s - 1;
        let fee = user.icp().fee().await.unwrap();
        let spare = user.icp_balance().await - fee - Nat::from(left);
        let deployer = Account::from(world.deployer.principal());
        user.icp().transfer(deployer, spare, None).await.unwrap();
        assert_eq!(user.icp_balance().await, left);
        let error = refused_for_free(&user, &user.request(published.version)).await;
        assert!(
            matches!(error, InferError::InsufficientFunds { .. }),
            "{error:?}"
        );
    });
}

#[test]
fn should_not_charge_more_than_the_caller_allows() {
    run(async {
        let (world, published) = World::shared().await;
        let user = world.actor().await;
        user.approve(ONE_TOKEN).await;
        let quote = user.quote(published.version).await;
        let mut request = user.request(published.version);
        request.max_price = Some(Nat::from(quote.price_e8s - 1));
        let error = refused_for_free(&user, &request).await;
        assert_eq!(
            error,
            InferError::PriceTooHigh {
                price: Nat::from(quote.price_e8s),
                max_price: Nat::from(quote.price_e8s - 1)
            }
        );
        request.max_price = Some(Nat::from(quote.price_e8s));
        user.inference().infer(&request).await.unwrap().unwrap();
    });
}

#[test]
fn should_not_charge_for_a_version_that_is_not_loaded() {
    run(async {
        let (world, _) = World::shared().await;
        let user = world.actor().await;
        user.approve(ONE_TOKEN).await;
        let version = Sha256::of(b"not loaded");
        let error = refused_for_free(&user, &user.request(version)).await;
        assert_eq!(error, InferError::NotLoaded { version });
    });
}

#[test]
fn should_charge_exactly_what_was_quoted() {
    run(async {
        let (world, published) = World::shared().await;
        let user = world.actor().await;
        let quote = user.quote(published.version).await;
        user.approve(ONE_TOKEN).await;
        let spender = Account::from(user.inference().canister());
        let account = Account::from(user.principal());
        let balance = user.icp_balance().await;
        let answer = user
            .inference()
            .infer(&user.request(published.version))
            .await
            .unwrap()
            .unwrap();
        let taken = Nat::from(quote.price_e8s + quote.ledger_fee_e8s);
        assert_eq!(user.icp_balance().await, balance - taken.clone());
        let allowance = user.icp().allowance(account, spender).await.unwrap();
        assert_eq!(allowance, Nat::from(ONE_TOKEN) - taken);
        // What the call turned out to need less than was expected is credit.
        let Price::IcpE8s(price) = answer.receipt.price else {
            panic!("{:?}", answer.receipt.price);
        };
        let balances = user
            .inference()
            .balances_of(user.principal())
            .await
            .unwrap();
        assert_eq!(price + balances.credit_icp_e8s, quote.price_e8s);
        assert!(price > quote.author_price_e8s);
        assert!(answer.receipt.payment_block.is_some());
        assert_eq!(answer.receipt.caller, user.principal());
    });
}

#[test]
fn should_keep_books_that_the_ledger_agrees_with() {
    run(async {
        let (_, published) = World::shared().await;
        // Its own deployment, so that nobody else pays while the books are read.
        let world = World::new(stoa_client::deploy::DeployPlan::default()).await;
        let own = world.publish_digits().await;
        assert_ne!(own.version, published.version);
        world.admit(own.version).await;
        world.load(own.version).await;
        let user = world.actor().await;
        let quote = user.quote(own.version).await;
        user.approve(ONE_TOKEN).await;
        for _ in 0..3 {
            // Credit that a call leaves is too little for the next: each is charged in full.
            let request = user.request(own.version);
            user.inference().infer(&request).await.unwrap().unwrap();
        }
        let account = Account::from(user.inference().canister());
        // The canister spends revenue by itself; read until nothing is under way.
        let start = std::time::Instant::now();
        loop {
            let books = user.inference().status().await.unwrap().books.icp;
            let held = user.icp().balance(account).await.unwrap();
            let owned = books.received.clone() - books.sent.clone();
            let parts = [
                &books.credit,
                &books.royalties,
                &books.treasury,
                &books.reserve,
                &books.held,
                &books.sending,
            ];
            let sum = parts
                .into_iter()
                .fold(Nat::from(0_u8), |sum, part| sum + part.clone());
            assert_eq!(sum, owned);
            assert_eq!(books.received, Nat::from(3 * quote.price_e8s));
            if books.sending == 0_u8 && held == owned {
                break;
            }
            assert!(
                start.elapsed() < stoa_scenarios::PATIENCE,
                "{books:?}, ledger {held}"
            );
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    });
}

#[test]
fn should_refund_attached_cycles_but_for_the_price() {
    run(async {
        let (world, published) = World::shared().await;
        let proxy = Proxy::install(&world.deployer.connection).await;
        let quote = world.deployer.quote(published.version).await;
        let price = u128::try_from(quote.price_cycles.0.clone()).unwrap();
        let inference = world.deployer.inference().canister();
        let mut request = world.deployer.request(published.version);
        request.payment = Payment::Cycles;

        let sent = price + 12_345_678;
        let paid = proxy
            .forward::<_, InferResult>(inference, "infer", (&request,), sent)
            .await;
        let receipt = paid.answer.unwrap().unwrap().receipt;
        let accepted = cycles_of(&receipt.price);
        assert!(accepted <= price);
        assert_eq!(receipt.caller, proxy.canister);
        assert_eq!(receipt.payment_block, None);
        assert_eq!(accepted + paid.refunded_cycles, sent);

        let exact = proxy
            .forward::<_, InferResult>(inference, "infer", (&request,), price)
            .await;
        let receipt = exact.answer.unwrap().unwrap().receipt;
        assert_eq!(cycles_of(&receipt.price) + exact.refunded_cycles, price);
    });
}

#[test]
fn should_refund_all_attached_cycles_of_a_call_that_fails() {
    run(async {
        let (world, published) = World::shared().await;
        let proxy = Proxy::install(&world.deployer.connection).await;
        let quote = world.deployer.quote(published.version).await;
        let price = u128::try_from(quote.price_cycles.0.clone()).unwrap();
        let inference = world.deployer.inference().canister();
        let mut request = world.deployer.request(published.version);
        request.payment = Payment::Cycles;

        let short = proxy
            .forward::<_, InferResult>(inference, "infer", (&request,), price - 1)
            .await;
        assert_eq!(
            short.answer.unwrap().unwrap_err(),
            InferError::InsufficientCycles {
                attached: Nat::from(price - 1),
                price: quote.price_cycles.clone()
            }
        );
        assert_eq!(short.refunded_cycles, price - 1);

        let mut bad = request.clone();
        inputs_of(&mut bad)[0].shape = vec![1, 63];
        let sent = 2 * price;
        let refused = proxy
            .forward::<_, InferResult>(inference, "infer", (&bad,), sent)
            .await;
        let error = refused.answer.unwrap().unwrap_err();
        assert!(
            matches!(error, InferError::InvalidInput { .. }),
            "{error:?}"
        );
        assert_eq!(refused.refunded_cycles, sent);
    });
}

fn cycles_of(price: &Price) -> u128 {
    match price {
        Price::Cycles(cycles) => u128::try_from(cycles.0.clone()).unwrap(),
        other => panic!("{other:?}"),
    }
}
