//! Who may do what, tried by somebody who may not.

use candid::encode_args;
use ic_agent::identity::AnonymousIdentity;
use stoa_client::management::Management;
use stoa_client::{Accepted, Result};
use stoa_inference_api::{InferError, LoadError};
use stoa_registry_api::{
    AdmitVersionArgs, BeginUploadError, ClaimPublisherError, SealError, SetPriceError, SubmitError,
    VersionStatus,
};
use stoa_scenarios::{Proxy, World, digits, run, wasm_folder};
use stoa_shard_api::{
    ExpectArgs, ExpectError, ExpectResult, ExpectedChunk, PullArgs, PullError, PullResult,
    ReleaseArgs, ReleaseError, ReleaseResult, ScrubError, ScrubResult, ServeArgs, ServeError,
    ServeResult,
};
use stoa_types::Sha256;

#[test]
fn should_not_load_a_version_that_is_not_admitted() {
    run(async {
        let (world, _) = World::shared().await;
        let published = world.publish_digits().await;
        let user = world.actor().await;
        let refused = user.inference().load(published.version).await.unwrap();
        assert_eq!(
            refused.unwrap_err(),
            LoadError::NotAdmitted {
                version: published.version,
                status: "proposed".to_owned()
            }
        );
        user.approve(1_000_000_000).await;
        let before = user.icp_balance().await;
        let refused = user
            .inference()
            .infer(&user.request(published.version))
            .await
            .unwrap();
        assert_eq!(
            refused.unwrap_err(),
            InferError::NotLoaded {
                version: published.version
            }
        );
        assert_eq!(user.icp_balance().await, before);
    });
}

#[test]
fn should_not_load_a_version_that_nobody_knows() {
    run(async {
        let (world, _) = World::shared().await;
        let version = Sha256::of(b"no such version");
        let refused = world.deployer.inference().load(version).await.unwrap();
        assert_eq!(refused.unwrap_err(), LoadError::NotFound { version });
    });
}

#[test]
fn should_not_let_a_stranger_admit_a_version() {
    run(async {
        let (world, _) = World::shared().await;
        let published = world.publish_digits().await;
        let stranger = world.actor().await;
        for caller in [&stranger, &published.publisher, &world.deployer] {
            let args = AdmitVersionArgs {
                version: published.version,
            };
            let answer: Result<()> = caller
                .connection
                .update(world.deployment.registry, "admit_version", (args,))
                .await;
            assert!(answer.unwrap_err().is_reject());
        }
        let proven = stranger
            .registry()
            .proven_version(published.version)
            .await
            .unwrap();
        assert_eq!(proven.status, VersionStatus::Proposed);
    });
}

#[test]
fn should_not_let_a_stranger_announce_chunks() {
    run(async {
        let (world, _) = World::shared().await;
        let stranger = world.actor().await;
        let chunk = b"from a stranger";
        for shard in &world.deployment.shards {
            let shard = stoa_client::shard::Shard::new(&stranger.connection, *shard);
            let args = ExpectArgs {
                version: Sha256::of(b"version"),
                uploader: stranger.principal(),
                chunks: vec![ExpectedChunk {
                    hash: Sha256::of(chunk),
                    size_bytes: chunk.len() as u64,
                }],
            };
            match shard.expect(&args).await {
                Ok(refused) => assert_eq!(
                    refused.unwrap_err(),
                    ExpectError::NotRegistry {
                        registry: world.deployment.registry
                    }
                ),
                // Turned away before it became a call.
                Err(error) => assert!(error.is_reject()),
            }
            assert!(shard.put_chunk(chunk).await.unwrap().is_err());
        }
    });
}

/// Statement 17: a canister's call meets no `inspect_message`, and the methods refuse it themselves.
#[test]
fn should_not_let_another_canister_play_the_registry_to_a_shard() {
    run(async {
        let (world, _) = World::shared().await;
        let stranger = world.actor().await;
        let proxy = Proxy::install(&stranger.connection).await;
        let (shard, registry) = (world.deployment.shards[0], world.deployment.registry);
        let version = Sha256::of(b"version");
        let expect = ExpectArgs {
            version,
            uploader: stranger.principal(),
            chunks: Vec::new(),
        };
        let refused: ExpectResult = proxy
            .forward(shard, "c2c_expect", (expect,), 0)
            .await
            .answer
            .unwrap();
        assert_eq!(refused, Err(ExpectError::NotRegistry { registry }));
        let serve = ServeArgs {
            version,
            publisher: "stoa".to_owned(),
            name: "digits".to_owned(),
            semver: "1.0.0".to_owned(),
            files: Vec::new(),
            files_total: 0,
        };
        let refused: ServeResult = proxy
            .forward(shard, "c2c_serve", (serve,), 0)
            .await
            .answer
            .unwrap();
        assert_eq!(refused, Err(ServeError::NotRegistry { registry }));
        let release = ReleaseArgs {
            version,
            chunks: None,
        };
        let refused: ReleaseResult = proxy
            .forward(shard, "c2c_release", (release,), 0)
            .await
            .answer
            .unwrap();
        assert_eq!(refused, Err(ReleaseError::NotRegistry { registry }));
        let pull = PullArgs {
            source: shard,
            hashes: Vec::new(),
        };
        let refused: PullResult = proxy
            .forward(shard, "c2c_pull", (pull,), 0)
            .await
            .answer
            .unwrap();
        assert_eq!(refused, Err(PullError::NotRegistry { registry }));
        let refused: ScrubResult = proxy
            .forward(shard, "c2c_scrub", (), 0)
            .await
            .answer
            .unwrap();
        assert_eq!(refused, Err(ScrubError::NotRegistry { registry }));
    });
}

#[test]
fn should_not_let_a_stranger_install_code_or_take_control() {
    run(async {
        let (world, _) = World::shared().await;
        let stranger = world.actor().await;
        let management = Management::new(&stranger.connection).await.unwrap();
        let wasm = wasm_folder().read("shard").unwrap();
        for (name, canister) in world.deployment.canisters() {
            let before = management.module_hash(canister).await.unwrap();
            let controllers = management.controllers(canister).await.unwrap();
            let nothing = encode_args(()).unwrap();
            let installed = management.upgrade(canister, &wasm, nothing.clone()).await;
            assert!(installed.unwrap_err().is_reject(), "{name}");
            let installed = management.install(canister, &wasm, nothing).await;
            assert!(installed.unwrap_err().is_reject(), "{name}");
            let taken = management
                .set_controllers(canister, vec![stranger.principal()])
                .await;
            assert!(taken.unwrap_err().is_reject(), "{name}");
            assert_eq!(management.module_hash(canister).await.unwrap(), before);
            assert_eq!(management.controllers(canister).await.unwrap(), controllers);
        }
    });
}

#[test]
fn should_keep_a_publishers_models_to_the_publisher() {
    run(async {
        let (world, _) = World::shared().await;
        let publisher = world.actor().await;
        let stranger = world.actor().await;
        let handle = publisher.claim_handle().await;
        let taken = stranger.registry().claim_publisher(&handle).await.unwrap();
        assert_eq!(taken.unwrap_err(), ClaimPublisherError::Taken);

        let model = digits(&handle);
        let refused = stranger
            .registry()
            .begin_upload(&model.manifest)
            .await
            .unwrap();
        assert_eq!(
            refused.unwrap_err(),
            BeginUploadError::NotPublisher {
                publisher: handle.clone()
            }
        );
        stoa_client::push::push(&publisher.connection, &publisher.registry(), &model, |_| {})
            .await
            .unwrap();
        let version = model.version();
        let not_publisher = || handle.clone();
        let refused = stranger.registry().seal(version).await.unwrap();
        assert_eq!(
            refused.unwrap_err(),
            SealError::NotPublisher {
                publisher: not_publisher()
            }
        );
        let refused = stranger.registry().submit(version).await.unwrap();
        assert_eq!(
            refused.unwrap_err(),
            SubmitError::NotPublisher {
                publisher: not_publisher()
            }
        );
        let name = format!("{handle}/{}", model.manifest.name);
        let refused = stranger.registry().set_price(&name, 1).await.unwrap();
        assert_eq!(
            refused.unwrap_err(),
            SetPriceError::NotPublisher {
                publisher: not_publisher()
            }
        );
    });
}

#[test]
fn should_refuse_anonymous_callers() {
    run(async {
        let (world, published) = World::shared().await;
        let mut anonymous = world.actor().await;
        anonymous.connection = anonymous
            .connection
            .with_identity(std::sync::Arc::new(AnonymousIdentity));
        let refused = anonymous.registry().claim_publisher("anonymous").await;
        match refused {
            Ok(answer) => assert_eq!(answer.unwrap_err(), ClaimPublisherError::AnonymousCaller),
            Err(error) => assert!(error.is_reject()),
        }
        match anonymous
            .inference()
            .infer(&anonymous.request(published.version))
            .await
        {
            Ok(answer) => assert_eq!(answer.unwrap_err(), InferError::AnonymousCaller),
            Err(error) => assert!(error.is_reject()),
        }
        let staked = anonymous
            .governance()
            .stake(&anonymous.tokens(), 0, 0)
            .await;
        assert!(staked.is_err());
        // Reading is for everybody.
        anonymous
            .registry()
            .version(published.version)
            .await
            .unwrap()
            .accepted()
            .unwrap();
    });
}
