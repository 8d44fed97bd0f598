//! After genesis nobody but governance controls anything.

use stoa_client::deploy::{DeployPlan, hand_over};
use stoa_client::management::Management;
use stoa_scenarios::{World, run, wasm_folder};

/// Statement 16.
#[test]
fn should_leave_governance_as_the_only_controller_of_every_canister() {
    run(async {
        let world = World::new(DeployPlan::default()).await;
        let connection = &world.deployer.connection;
        let management = Management::new(connection).await.unwrap();
        for (name, canister) in world.deployment.canisters() {
            let before = management.controllers(canister).await.unwrap();
            assert_eq!(before, Some(vec![world.deployer.principal()]), "{name}");
        }
        hand_over(connection, &world.deployment, |_, _| {})
            .await
            .unwrap();
        for (name, canister) in world.deployment.canisters() {
            let after = management.controllers(canister).await.unwrap();
            assert_eq!(after, Some(vec![world.deployment.governance]), "{name}");
        }

        // The installer is nobody special any more.
        let shard = world.deployment.shards[0];
        let wasm = wasm_folder().read("shard").unwrap();
        let nothing = candid::encode_args(()).unwrap();
        assert!(
            management
                .upgrade(shard, &wasm, nothing)
                .await
                .unwrap_err()
                .is_reject()
        );
        let mine = vec![world.deployer.principal()];
        assert!(
            management
                .set_controllers(shard, mine)
                .await
                .unwrap_err()
                .is_reject()
        );
        // Doing it again does nothing.
        hand_over(connection, &world.deployment, |_, _| {})
            .await
            .unwrap();
    });
}
