//! What the client believes: every part of a proof is tampered with, and each time it is refused.

use candid::Principal;
use stoa_client::receipt::verify_receipt;
use stoa_client::registry::verify_version;
use stoa_client::{Accepted, VerificationError};
use stoa_inference_api::CertifiedReceipt;
use stoa_registry_api::{CertifiedVersion, VersionStatus};
use stoa_scenarios::{Actor, World, run};
use stoa_types::Sha256;

async fn certified_version(actor: &Actor, version: Sha256) -> CertifiedVersion {
    actor
        .registry()
        .certified_version(version)
        .await
        .unwrap()
        .accepted()
        .unwrap()
}

/// One bit in the middle of `bytes`, another.
fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    flipped
}

#[test]
fn should_believe_a_certified_version_as_it_came() {
    run(async {
        let (world, published) = World::shared().await;
        let certified = certified_version(&world.deployer, published.version).await;
        let proven = verify_version(
            world.deployer.connection.agent(),
            world.deployment.registry,
            published.version,
            certified,
        )
        .unwrap();
        assert_eq!(proven.status, VersionStatus::Admitted);
    });
}

#[test]
fn should_refuse_a_version_with_anything_in_it_changed() {
    run(async {
        let (world, published) = World::shared().await;
        let version = published.version;
        let unadmitted = world.publish_digits().await.version;
        let genuine = certified_version(&world.deployer, version).await;
        let other = certified_version(&world.deployer, unadmitted).await;
        let refusal =
            |canister: Principal, asked: Sha256, change: &dyn Fn(&mut CertifiedVersion)| {
                let mut changed = genuine.clone();
                change(&mut changed);
                verify_version(world.deployer.connection.agent(), canister, asked, changed)
                    .expect_err("a changed answer was believed")
            };
        let registry = world.deployment.registry;
        let contradicted =
            |error: &VerificationError| matches!(error, VerificationError::Contradicted { .. });

        let error = refusal(registry, version, &|c| c.status = VersionStatus::Revoked);
        assert!(contradicted(&error), "{error}");
        let error = refusal(registry, version, &|c| {
            c.manifest.license = "MIT".to_owned()
        });
        assert!(contradicted(&error), "{error}");
        let error = refusal(registry, unadmitted, &|_| {});
        assert!(contradicted(&error), "{error}");
        // The whole answer about another version, for the one that was asked for.
        let error = refusal(registry, version, &|c| *c = other.clone());
        assert!(contradicted(&error), "{error}");

        let error = refusal(registry, version, &|c| c.witness = other.witness.clone());
        assert!(
            matches!(
                error,
                VerificationError::WitnessLacks { .. }
                    | VerificationError::WitnessNotCertified { .. }
            ),
            "{error}"
        );
        let error = refusal(registry, version, &|c| c.witness = Vec::new());
        assert!(
            matches!(error, VerificationError::Malformed { .. }),
            "{error}"
        );
        let error = refusal(registry, version, &|c| c.certificate = Vec::new());
        assert!(
            matches!(error, VerificationError::Malformed { .. }),
            "{error}"
        );
        refusal(registry, version, &|c| c.witness = flipped(&c.witness));
        refusal(registry, version, &|c| {
            c.certificate = flipped(&c.certificate)
        });

        // The certificate is the registry's, and no other canister's.
        let error = refusal(world.deployment.governance, version, &|_| {});
        assert!(
            matches!(error, VerificationError::Certificate { .. }),
            "{error}"
        );
    });
}

#[test]
fn should_refuse_a_certificate_of_another_network() {
    run(async {
        let (world, published) = World::shared().await;
        let certified = certified_version(&world.deployer, published.version).await;
        // Mainnet's root key is what an agent starts with.
        let elsewhere = ic_agent::Agent::builder()
            .with_url(world.deployer.connection.endpoint())
            .build()
            .unwrap();
        let error = verify_version(
            &elsewhere,
            world.deployment.registry,
            published.version,
            certified,
        )
        .unwrap_err();
        assert!(
            matches!(error, VerificationError::Certificate { .. }),
            "{error}"
        );
    });
}

#[test]
fn should_refuse_a_certificate_that_is_out_of_date() {
    run(async {
        let (world, published) = World::shared().await;
        let certified = certified_version(&world.deployer, published.version).await;
        let hasty = hasty(world);
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        let error = verify_version(
            &hasty,
            world.deployment.registry,
            published.version,
            certified,
        )
        .unwrap_err();
        assert!(
            matches!(error, VerificationError::Certificate { .. }),
            "{error}"
        );
    });
}

/// Statement 32, of an inference canister.
#[test]
fn should_refuse_a_receipt_with_anything_in_it_changed() {
    run(async {
        let (world, published) = World::shared().await;
        let user = world.actor().await;
        user.approve(10_000_000_000).await;
        let mut ids = Vec::new();
        for _ in 0..2 {
            let answer = user
                .inference()
                .infer(&user.request(published.version))
                .await
                .unwrap()
                .unwrap();
            ids.push(answer.receipt.id);
        }
        let agent = user.connection.agent();
        let canister = user.inference().canister();
        let genuine = user.inference().receipt_to_tip(ids[0]).await.unwrap();
        assert!(!genuine.successors.is_empty());
        verify_receipt(agent, canister, &genuine).unwrap();

        let refused = |change: &dyn Fn(&mut CertifiedReceipt)| {
            let mut changed = genuine.clone();
            change(&mut changed);
            verify_receipt(agent, canister, &changed).expect_err("a changed receipt was believed")
        };
        refused(&|c| c.receipt.instructions += 1);
        refused(&|c| c.receipt.output_hash = Sha256([0; 32]));
        refused(&|c| c.receipt.caller = Principal::anonymous());
        // Made consistent with itself, it breaks the chain that follows it.
        refused(&|c| {
            c.receipt.output_hash = Sha256([0; 32]);
            c.receipt.hash = c.receipt.compute_hash();
        });
        refused(&|c| c.successors.clear());
        refused(&|c| drop(c.successors.remove(0)));
        refused(&|c| {
            let last = c.successors.last_mut().unwrap();
            last.instructions += 1;
            last.hash = last.compute_hash();
        });
        refused(&|c| c.witness = flipped(&c.witness));
        refused(&|c| c.certificate = flipped(&c.certificate));
        let other = world.deployment.registry;
        verify_receipt(agent, other, &genuine).unwrap_err();

        let hasty = hasty(world);
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        verify_receipt(&hasty, canister, &genuine).unwrap_err();
        verify_receipt(agent, canister, &genuine).unwrap();
    });
}

/// An agent that takes nothing older than a second.
fn hasty(world: &World) -> ic_agent::Agent {
    let hasty = ic_agent::Agent::builder()
        .with_url(world.deployer.connection.endpoint())
        .with_ingress_expiry(std::time::Duration::from_secs(1))
        .build()
        .unwrap();
    hasty.set_root_key(world.deployer.connection.agent().read_root_key());
    hasty
}
