//! The whole way: from an empty network to a paid, verified answer.

use std::time::Instant;

use candid::Nat;
use icrc_ledger_types::icrc1::account::Account;
use stoa_client::deploy::{DeployPlan, hand_over};
use stoa_client::pull::Source;
use stoa_client::verify::{LocalModel, verify_bytes};
use stoa_registry_api::VersionStatus;
use stoa_scenarios::{World, digits, digits_inputs, outputs_of, run};
use stoa_types::pipeline::Input;

#[test]
fn should_take_a_model_the_whole_way_from_push_to_a_verified_receipt() {
    run(async {
        let start = Instant::now();
        let world = World::new(DeployPlan::default()).await;
        let step = |name: &str| println!("{:6.2} s  {name}", start.elapsed().as_secs_f64());
        step("deployed");
        hand_over(&world.deployer.connection, &world.deployment, |_, _| {})
            .await
            .unwrap();
        step("handed over");

        let published = world.publish_digits().await;
        let version = published.version;
        let handle = &published.model.manifest.publisher;
        assert_eq!(version, digits(handle).version());
        step("pushed and submitted");
        world.admit(version).await;
        step("admitted");
        world.load(version).await;
        step("loaded");

        let user = world.actor().await;
        let quote = user.quote(version).await;
        user.approve(quote.price_e8s + quote.ledger_fee_e8s).await;
        let before = user.icp_balance().await;
        let answer = user
            .inference()
            .infer(&user.request(version))
            .await
            .unwrap()
            .unwrap();
        let paid = quote.price_e8s + quote.ledger_fee_e8s;
        assert_eq!(user.icp_balance().await, before - Nat::from(paid));
        assert_eq!(outputs_of(&answer)[0].shape, [1, 10]);
        step("paid and answered");

        let receipt = user
            .inference()
            .proven_receipt(answer.receipt.id)
            .await
            .unwrap();
        assert_eq!(receipt, answer.receipt);
        let proven = user.registry().proven_version(version).await.unwrap();
        assert_eq!(proven.status, VersionStatus::Admitted);
        let placement = user.registry().placement(version).await.unwrap();
        let source = Source::new(&user.connection, placement).unwrap();
        let (verified, run_files) = verify_bytes(&source, |_| {}).await.unwrap();
        assert_eq!(verified.bytes, source.size_bytes());
        let local = LocalModel::load(&proven.manifest, run_files)
            .unwrap()
            .verify_run(&receipt, Input::Tensors(digits_inputs()))
            .unwrap();
        assert_eq!(local, answer.answer);
        step("verified");

        let earned = user
            .icp()
            .balance(Account::from(user.inference().canister()))
            .await
            .unwrap();
        let status = user.inference().status().await.unwrap();
        assert!(earned > 0_u8 || !status.top_ups.is_empty());
    });
}
