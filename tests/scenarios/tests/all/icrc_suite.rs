//! The published ICRC-1 and ICRC-2 suite against both ledgers of a deployment.

use std::time::SystemTime;

use async_trait::async_trait;
use candid::Principal;
use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use icrc1_test_env::LedgerEnv;
use stoa_client::Connection;
use stoa_client::deploy::DeployPlan;
use stoa_scenarios::{World, fresh_identity, run};

/// Somebody at a ledger.
#[derive(Clone)]
struct AtLedger {
    connection: Connection,
    ledger: Principal,
}

#[async_trait(?Send)]
impl LedgerEnv for AtLedger {
    fn fork(&self) -> Self {
        Self {
            connection: self.connection.with_identity(fresh_identity()),
            ledger: self.ledger,
        }
    }

    fn principal(&self) -> Principal {
        self.connection.principal()
    }

    async fn time(&self) -> SystemTime {
        SystemTime::now()
    }

    async fn query<Input, Output>(&self, method: &str, input: Input) -> anyhow::Result<Output>
    where
        Input: ArgumentEncoder + std::fmt::Debug,
        Output: for<'a> ArgumentDecoder<'a>,
    {
        let answer = self
            .connection
            .agent()
            .query(&self.ledger, method)
            .with_arg(candid::encode_args(input)?)
            .call()
            .await?;
        Ok(candid::decode_args(&answer)?)
    }

    async fn update<Input, Output>(&self, method: &str, input: Input) -> anyhow::Result<Output>
    where
        Input: ArgumentEncoder + std::fmt::Debug,
        Output: for<'a> ArgumentDecoder<'a>,
    {
        let answer = self
            .connection
            .agent()
            .update(&self.ledger, method)
            .with_arg(candid::encode_args(input)?)
            .call_and_wait()
            .await?;
        Ok(candid::decode_args(&answer)?)
    }
}

async fn passes(at: AtLedger) {
    let tests = icrc1_test_suite::test_suite(at).await;
    assert!(tests.len() >= 15, "{} tests: both standards", tests.len());
    assert!(
        icrc1_test_suite::execute_tests(tests).await,
        "what failed stands above"
    );
}

/// Governance without a fleet.
async fn world() -> World {
    World::new(DeployPlan {
        inference: 0,
        ..DeployPlan::default()
    })
    .await
}

#[test]
fn should_pass_the_published_suite_as_the_governance_token() {
    run(async {
        let world = world().await;
        passes(AtLedger {
            connection: world.deployer.connection.clone(),
            ledger: world.deployment.token_ledger,
        })
        .await;
    });
}

#[test]
fn should_pass_the_published_suite_as_icp() {
    run(async {
        let world = world().await;
        passes(AtLedger {
            connection: world.deployer.connection.clone(),
            ledger: world.deployment.icp_ledger,
        })
        .await;
    });
}
