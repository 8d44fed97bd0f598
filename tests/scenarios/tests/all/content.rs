//! What goes into the library is what was announced, and what comes out is what went in.

use candid::Principal;
use stoa_client::Accepted;
use stoa_client::management::Management;
use stoa_client::pull::Source;
use stoa_client::push::{PushProgress, push};
use stoa_client::shard::Shard;
use stoa_client::wasm::Wasm;
use stoa_registry_api::{BeginUploadError, SealError, VersionStatus};
use stoa_scenarios::{Actor, World, digits, model_with_extra_file, run};
use stoa_shard_api::{Chunk, GetChunkError, GetChunkResult, PutChunkError, PutOutcome};
use stoa_types::Sha256;

const MIB: usize = 1 << 20;

fn shards(actor: &Actor) -> Vec<Shard> {
    actor
        .deployment
        .shards
        .iter()
        .map(|shard| Shard::new(&actor.connection, *shard))
        .collect()
}

#[test]
fn should_admit_exactly_the_digest_that_was_pushed() {
    run(async {
        let (world, published) = World::shared().await;
        let handle = &published.model.manifest.publisher;
        let local = digits(handle);
        let proven = world
            .deployer
            .registry()
            .proven_version(local.version())
            .await
            .unwrap();
        assert_eq!(proven.status, VersionStatus::Admitted);
        assert_eq!(proven.manifest, local.manifest);
        assert_eq!(proven.version, local.version());
        let by_name = format!("{handle}/{}", local.manifest.name);
        let resolved = world.deployer.registry().resolve(&by_name).await.unwrap();
        assert_eq!(resolved, local.version());
    });
}

#[test]
fn should_refuse_a_wrong_byte() {
    run(async {
        let (world, _) = World::shared().await;
        let publisher = world.actor().await;
        let (folder, model) = model_with_extra_file(&publisher.claim_handle().await, 1000);
        let plan = publisher
            .registry()
            .begin_upload(&model.manifest)
            .await
            .unwrap()
            .unwrap();
        let good = std::fs::read(folder.path().join("extra.bin")).unwrap();
        let hash = Sha256::of(&good);
        let placed = plan.chunks.iter().find(|chunk| chunk.hash == hash).unwrap();
        assert_eq!(placed.missing_on, placed.shards);
        for shard in &placed.shards {
            let shard = Shard::new(&publisher.connection, *shard);
            let mut wrong = good.clone();
            wrong[500] ^= 1;
            let refused = shard.put_chunk(&wrong).await.unwrap();
            let hash_of_wrong = Sha256::of(&wrong);
            assert_eq!(
                refused,
                Err(PutChunkError::NotExpected {
                    hash: hash_of_wrong
                })
            );
            assert_eq!(
                shard.get_chunk(hash_of_wrong).await.unwrap(),
                Err(GetChunkError::NotFound {
                    hash: hash_of_wrong
                })
            );
            assert_eq!(
                shard.put_chunk(&good).await.unwrap(),
                Ok(PutOutcome::Stored)
            );
            assert_eq!(shard.chunk(hash).await.unwrap(), good);
        }
    });
}

#[test]
fn should_refuse_chunks_that_were_not_announced() {
    run(async {
        let (world, _) = World::shared().await;
        let publisher = world.actor().await;
        for shard in shards(&publisher) {
            let before = shard.status().await.unwrap();
            let stray = b"nobody announced these bytes";
            assert_eq!(
                shard.put_chunk(stray).await.unwrap(),
                Err(PutChunkError::NotExpected {
                    hash: Sha256::of(stray)
                })
            );
            assert!(shard.status().await.unwrap().chunks >= before.chunks);
            assert!(shard.chunk(Sha256::of(stray)).await.is_err());
        }
    });
}

#[test]
fn should_take_announced_chunks_only_from_the_one_who_began_the_upload() {
    run(async {
        let (world, _) = World::shared().await;
        let publisher = world.actor().await;
        let stranger = world.actor().await;
        let (folder, model) = model_with_extra_file(&publisher.claim_handle().await, 1000);
        let plan = publisher
            .registry()
            .begin_upload(&model.manifest)
            .await
            .unwrap()
            .unwrap();
        let extra = std::fs::read(folder.path().join("extra.bin")).unwrap();
        let hash = Sha256::of(&extra);
        let placed = plan.chunks.iter().find(|chunk| chunk.hash == hash).unwrap();
        let refused = Shard::new(&stranger.connection, placed.shards[0])
            .put_chunk(&extra)
            .await
            .unwrap();
        assert_eq!(
            refused,
            Err(PutChunkError::NotUploader {
                uploader: publisher.principal()
            })
        );
    });
}

#[test]
fn should_not_seal_before_every_chunk_is_there() {
    run(async {
        let (world, _) = World::shared().await;
        let publisher = world.actor().await;
        let registry = publisher.registry();
        let (_folder, model) = model_with_extra_file(&publisher.claim_handle().await, 1000);
        let plan = registry
            .begin_upload(&model.manifest)
            .await
            .unwrap()
            .unwrap();
        let missing = plan
            .chunks
            .iter()
            .filter(|chunk| !chunk.missing_on.is_empty())
            .count() as u64;
        let refused = registry.seal(plan.version).await.unwrap();
        assert!(
            matches!(refused, Err(SealError::ChunksMissing { missing: n, .. }) if n >= missing),
            "{refused:?}"
        );
        let info = registry.version(plan.version).await.unwrap().unwrap();
        assert_eq!(info.status, VersionStatus::Draft);
    });
}

#[test]
fn should_go_on_with_an_interrupted_push_and_send_only_what_is_missing() {
    run(async {
        let (world, _) = World::shared().await;
        let publisher = world.actor().await;
        let registry = publisher.registry();
        let (folder, model) = model_with_extra_file(&publisher.claim_handle().await, 3 * MIB);
        let plan = registry
            .begin_upload(&model.manifest)
            .await
            .unwrap()
            .unwrap();
        let extra = std::fs::read(folder.path().join("extra.bin")).unwrap();
        // The interrupted push got one chunk to its shards.
        let first = Sha256::of(&extra[..MIB]);
        let placed = plan
            .chunks
            .iter()
            .find(|chunk| chunk.hash == first)
            .unwrap();
        for shard in &placed.shards {
            let shard = Shard::new(&publisher.connection, *shard);
            shard
                .put_chunk(&extra[..MIB])
                .await
                .unwrap()
                .accepted()
                .unwrap();
        }
        let mut planned = None;
        let pushed = push(&publisher.connection, &registry, &model, |step| {
            if let PushProgress::Planned { missing_bytes, .. } = step {
                planned = Some(missing_bytes);
            }
        })
        .await
        .unwrap();
        assert_eq!(planned, Some(pushed.sent_bytes));
        let copies = placed.shards.len() as u64;
        // Two of the three new chunks on each of their shards; digits itself is there from other scenarios.
        assert!(
            pushed.sent_bytes >= 2 * MIB as u64 * copies,
            "{}",
            pushed.sent_bytes
        );
        assert!(
            pushed.sent_bytes < 3 * MIB as u64 * copies,
            "{}",
            pushed.sent_bytes
        );

        let again = push(&publisher.connection, &registry, &model, |_| {})
            .await
            .unwrap();
        assert_eq!(again.sent_bytes, 0);
        assert_eq!(again.status_before, VersionStatus::Sealed);
    });
}

#[test]
fn should_give_back_every_byte_that_was_pushed() {
    run(async {
        let (world, _) = World::shared().await;
        let publisher = world.actor().await;
        let registry = publisher.registry();
        let (folder, model) = model_with_extra_file(&publisher.claim_handle().await, MIB + 1);
        let pushed = push(&publisher.connection, &registry, &model, |_| {})
            .await
            .unwrap();
        let reader = world.actor().await;
        let placement = reader.registry().placement(pushed.version).await.unwrap();
        for chunk in &placement.placement {
            assert_eq!(chunk.shards.len(), 2, "each chunk is on two shards");
        }
        let source = Source::new(&reader.connection, placement).unwrap();
        let target = tempfile::tempdir().unwrap();
        source.save(target.path(), |_| {}).await.unwrap();
        for file in &model.manifest.files {
            assert_eq!(
                std::fs::read(target.path().join(&file.path)).unwrap(),
                std::fs::read(folder.path().join(&file.path)).unwrap(),
                "{}",
                file.path
            );
        }
    });
}

/// A canister that answers any `get_chunk` with these bytes.
async fn liar(actor: &Actor, bytes: &[u8]) -> Principal {
    let answer: GetChunkResult = Ok(Chunk {
        data: bytes.to_vec(),
    });
    let reply = candid::encode_one(answer).unwrap();
    let escaped: String = reply.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let module = format!(
        r#"(module
          (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
          (import "ic0" "msg_reply" (func $reply))
          (memory 1) (data (i32.const 0) "{escaped}")
          (func (export "canister_query get_chunk")
            (call $append (i32.const 0) (i32.const {}))
            (call $reply)))"#,
        reply.len()
    );
    let bytes = wat::parse_str(module).unwrap();
    let wasm = Wasm {
        hash: Sha256::of(&bytes),
        bytes,
    };
    let management = Management::new(&actor.connection).await.unwrap();
    let canister = management.create(10_000_000_000_000, None).await.unwrap();
    management
        .install(canister, &wasm, Vec::new())
        .await
        .unwrap();
    canister
}

/// Where chunks are is what one node says; it may name a shard that lies.
#[test]
fn should_keep_no_chunk_of_a_shard_that_lies_and_go_to_the_next() {
    run(async {
        let (world, _) = World::shared().await;
        let publisher = world.actor().await;
        let registry = publisher.registry();
        let (_folder, model) = model_with_extra_file(&publisher.claim_handle().await, 1000);
        let pushed = push(&publisher.connection, &registry, &model, |_| {})
            .await
            .unwrap();
        let liar = liar(&publisher, &[7; 1000]).await;
        let honest = registry.placement(pushed.version).await.unwrap();
        let placed = |shards: &dyn Fn(&[Principal]) -> Vec<Principal>| {
            let mut info = honest.clone();
            for chunk in &mut info.placement {
                chunk.shards = shards(&chunk.shards);
            }
            Source::new(&publisher.connection, info).unwrap()
        };
        let target = tempfile::tempdir().unwrap();
        let lied = placed(&|_| vec![liar]).save(target.path(), |_| {}).await;
        let error = lied.unwrap_err().to_string();
        assert!(error.contains(&liar.to_text()), "{error}");
        let names = |folder: &std::path::Path| -> Vec<String> {
            let entries = std::fs::read_dir(folder).unwrap();
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| !name.ends_with(".part"))
                .collect()
        };
        assert_eq!(
            names(target.path()),
            Vec::<String>::new(),
            "nothing has a name"
        );

        placed(&|shards| [&[liar], shards].concat())
            .save(target.path(), |_| {})
            .await
            .unwrap();
        assert_eq!(names(target.path()).len(), model.manifest.files.len());
    });
}

#[test]
fn should_not_change_a_version_under_the_same_number() {
    run(async {
        let (world, _) = World::shared().await;
        let publisher = world.actor().await;
        let handle = publisher.claim_handle().await;
        let (_folder, model) = model_with_extra_file(&handle, 10);
        push(&publisher.connection, &publisher.registry(), &model, |_| {})
            .await
            .unwrap();
        let (_other_folder, other) = model_with_extra_file(&handle, 10);
        assert_ne!(other.version(), model.version());
        let refused = publisher
            .registry()
            .begin_upload(&other.manifest)
            .await
            .unwrap();
        assert_eq!(
            refused.unwrap_err(),
            BeginUploadError::VersionTaken {
                existing: model.version()
            }
        );
    });
}
