//! Pushes and pulls of the real program that are killed, repeated, made by two at once, or made in bad faith. Each ends
//! with every byte verified or with an error that says what was wrong.

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use stoa_client::deploy::DeployPlan;
use stoa_client::model_directory::ModelDirectory;
use stoa_client::pull::Source;
use stoa_client::push::{PushOptions, push, push_with};
use stoa_client::shard::Shard;
use stoa_client::{Accepted, ClientError};
use stoa_registry_api::{BeginUploadError, SealError, VersionStatus};
use stoa_scenarios::{Actor, Line, PATIENCE, World, model_with_extra_file, run};
use stoa_shard_api::PutChunkError;
use stoa_types::Sha256;
use stoa_types::limits::CHUNKS_MAX;

const MIB: usize = 1 << 20;

/// As large as the models that the library is made for; not a whole number of chunks.
const LARGE_BYTES: usize = 90 * MIB + 12_345;

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn number(json: &Value, key: &str) -> u64 {
    json[key]
        .as_u64()
        .unwrap_or_else(|| panic!("no {key} in {json}"))
}

/// Bytes that all shards hold together.
async fn stored(actor: &Actor) -> u64 {
    let mut sum = 0;
    for shard in actor.registry().list_shards().await.unwrap() {
        let status = Shard::new(&actor.connection, shard).status().await.unwrap();
        sum += status.used_bytes;
    }
    sum
}

/// Size of the file, 0 where there is none.
fn size_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn assert_equal_files(model: &ModelDirectory, folder: &Path) {
    for file in &model.manifest.files {
        assert!(
            std::fs::read(folder.join(&file.path)).unwrap()
                == std::fs::read(model.path_of(file)).unwrap(),
            "{} came back with other bytes",
            file.path
        );
    }
}

/// Waits until `is_midway`, then kills the process as `kill -9` does.
async fn kill_midway(mut process: std::process::Child, mut is_midway: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_midway().await {
        assert!(start.elapsed() < PATIENCE, "it does not get on");
        assert!(
            process.try_wait().unwrap().is_none(),
            "it ended before it could be killed"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn should_go_on_after_the_client_was_killed_in_the_middle_of_a_push_and_of_a_pull() {
    run(async {
        let world = World::new(DeployPlan::default()).await;
        let (publisher, stoa) = world.actor_at_command_line().await;
        let handle = publisher.claim_handle().await;
        let (folder, model) = model_with_extra_file(&handle, LARGE_BYTES);
        let pushing = ["model", "push", text(folder.path())];

        let before = stored(&publisher).await;
        kill_midway(stoa.start(&pushing), async || {
            stored(&publisher).await > before + 40 * MIB as u64
        })
        .await;
        let pushed = stoa.json(&pushing);
        let (sent, present) = (
            number(&pushed, "sent_bytes"),
            number(&pushed, "present_bytes"),
        );
        assert!(present > 30 * MIB as u64, "{pushed}");
        assert_eq!(sent + present, 2 * model.size_bytes(), "two copies of each");
        assert_eq!(pushed["version"], model.version().to_string());
        assert_eq!(number(&stoa.json(&pushing), "sent_bytes"), 0);

        let name = format!("{handle}/digits@1.0.0");
        let target = stoa.folder.path().join("pulled");
        let pulling = ["model", "pull", &name, text(&target)];
        kill_midway(stoa.start(&pulling), async || {
            size_of(&target.join("extra.bin.part")) > 20 * MIB as u64
        })
        .await;
        assert!(
            !target.join("extra.bin").exists(),
            "half a file has no name"
        );
        let pulled = stoa.json(&pulling);
        assert!(
            number(&pulled, "fetched_bytes") < 75 * MIB as u64,
            "{pulled}"
        );
        assert_equal_files(&model, &target);

        // What was damaged since is found, and fetched again once it is out of the way.
        let damaged = target.join("extra.bin");
        let mut bytes = std::fs::read(&damaged).unwrap();
        bytes[50 * MIB] ^= 1;
        std::fs::write(&damaged, bytes).unwrap();
        let error = stoa.error(&["model", "verify", &name, "--folder", text(&target)]);
        assert!(error.contains("extra.bin"), "{error}");
        let error = stoa.error(&pulling);
        assert!(error.contains("it exists with other content"), "{error}");
        std::fs::remove_file(&damaged).unwrap();
        assert_eq!(
            number(&stoa.json(&pulling), "fetched_bytes"),
            LARGE_BYTES as u64
        );
        stoa.json(&["model", "verify", &name, "--folder", text(&target)]);
        stoa.json(&["model", "verify", &name]);
    });
}

/// Of a bar as it was drawn, such as `pulling ███░░░ 6.00 MiB/24.01 MiB 11 MiB/s 2s`: mebibytes done, and all.
fn drawn_mebibytes(line: &str) -> Option<(f64, f64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| word.starts_with("MiB/"))?;
    let done = words[at.checked_sub(1)?].parse().ok()?;
    let all = words[at].strip_prefix("MiB/")?.parse().ok()?;
    Some((done, all))
}

#[test]
fn should_draw_how_far_it_is_in_a_terminal_and_nowhere_else() {
    run(async {
        let (world, _) = World::shared().await;
        let (publisher, stoa) = world.actor_at_command_line().await;
        let handle = publisher.claim_handle().await;
        let (folder, _) = model_with_extra_file(&handle, 24 * MIB);
        let name = format!("{handle}/digits@1.0.0");
        // A push sends each byte twice.
        for (what, all, arguments) in [
            ("pushing", 48.0, vec!["model", "push", text(folder.path())]),
            ("pulling", 24.0, vec!["model", "pull", &name, "pulled"]),
            ("verifying", 24.0, vec!["model", "verify", &name]),
        ] {
            let seen = stoa.in_terminal(&arguments);
            let drawn: Vec<_> = seen
                .split('\r')
                .filter(|line| line.contains(what))
                .collect();
            let midway = drawn.iter().filter_map(|line| drawn_mebibytes(line));
            assert!(
                midway
                    .filter(|(done, of)| 0.0 < *done && done < of && (all..all + 1.0).contains(of))
                    .count()
                    > 0,
                "{seen:?}"
            );
            // The bar goes, the result stays.
            let cleared = seen.rsplit_once("\u{1b}[2K").expect("a line is cleared").1;
            assert_eq!(drawn_mebibytes(cleared), None, "{seen:?}");
            assert_eq!(String::from_utf8_lossy(&stoa.run(&arguments).stderr), "");
        }
    });
}

#[test]
fn should_wait_while_the_network_is_gone_and_then_go_on() {
    run(async {
        let (world, _) = World::shared().await;
        let line = Line::to(world.deployer.connection.endpoint()).await;
        let publisher = world.actor_through(line.endpoint()).await;
        let (_folder, model) = model_with_extra_file(&publisher.claim_handle().await, 12 * MIB);
        let registry = publisher.registry();

        let before = line.passed_bytes();
        let outage = async {
            while line.passed_bytes() < before + 6 * MIB as u64 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            line.cut();
            tokio::time::sleep(Duration::from_secs(1)).await;
            line.mend();
        };
        let (pushed, ()) = tokio::join!(
            push(&publisher.connection, &registry, &model, |_| {}),
            outage
        );
        let pushed = pushed.unwrap();
        assert_eq!(pushed.version, model.version());

        let proven = registry.proven_version(pushed.version).await.unwrap();
        let source = Source::of(&publisher.connection, &registry, &proven)
            .await
            .unwrap();
        let target = tempfile::tempdir().unwrap();
        let mut fetched = 0;
        let outage = Cell::new(None);
        source
            .save(target.path(), |bytes| {
                fetched += bytes;
                if fetched > 4 * MIB as u64 && outage.get().is_none() {
                    line.cut();
                    outage.set(Some(()));
                    let line = line.mending_after(Duration::from_secs(1));
                    tokio::spawn(line);
                }
            })
            .await
            .unwrap();
        assert!(outage.get().is_some());
        assert_equal_files(&model, target.path());
    });
}

#[test]
fn should_give_up_on_a_network_that_stays_away_and_lose_nothing() {
    run(async {
        let (world, _) = World::shared().await;
        let line = Line::to(world.deployer.connection.endpoint()).await;
        let publisher = world.actor_through(line.endpoint()).await;
        let (_folder, model) = model_with_extra_file(&publisher.claim_handle().await, 3 * MIB);
        line.cut();
        let options = PushOptions {
            patience: Duration::from_millis(300),
            ..PushOptions::default()
        };
        let registry = publisher.registry();
        let pushing = push_with(&publisher.connection, &registry, &model, &options, |_| {});
        let error = pushing.await.unwrap_err();
        assert!(
            matches!(error, ClientError::ConnectionLost { .. }),
            "{error}"
        );
        assert!(
            error.to_string().contains("goes on where this one stopped"),
            "{error}"
        );
        line.mend();
        push(&publisher.connection, &registry, &model, |_| {})
            .await
            .unwrap();
    });
}

#[test]
fn should_send_only_what_changed_when_a_changed_model_is_pushed() {
    run(async {
        let (world, _) = World::shared().await;
        let (publisher, stoa) = world.actor_at_command_line().await;
        let (folder, _) = model_with_extra_file(&publisher.claim_handle().await, 8 * MIB);
        let pushing = ["model", "push", text(folder.path())];
        stoa.json(&pushing);

        let extra = folder.path().join("extra.bin");
        let mut bytes = std::fs::read(&extra).unwrap();
        bytes[5 * MIB + 77] ^= 1;
        bytes.extend(b"and more");
        std::fs::write(&extra, bytes).unwrap();
        let description = folder.path().join("model.toml");
        let text = std::fs::read_to_string(&description).unwrap();
        std::fs::write(&description, text.replace("1.0.0", "1.0.1")).unwrap();

        let pushed = stoa.json(&pushing);
        // One chunk changed and a small one is new, each on two shards.
        assert_eq!(
            number(&pushed, "sent_bytes"),
            2 * (MIB as u64 + 8),
            "{pushed}"
        );
    });
}

#[test]
fn should_take_one_file_from_two_publishers_at_once_and_keep_it_for_both() {
    run(async {
        let (world, _) = World::shared().await;
        let (first, second) = (world.actor().await, world.actor().await);
        let (folder, model) = model_with_extra_file(&first.claim_handle().await, 6 * MIB);
        let same = ModelDirectory::read(folder.path(), &second.claim_handle().await).unwrap();
        assert_ne!(model.version(), same.version());
        let (first_registry, second_registry) = (first.registry(), second.registry());
        let (one, other) = tokio::join!(
            push(&first.connection, &first_registry, &model, |_| {}),
            push(&second.connection, &second_registry, &same, |_| {}),
        );
        let (one, other) = (one.unwrap(), other.unwrap());

        // The first lets go of its version; the bytes stay for the second.
        first_registry
            .withdraw(one.version)
            .await
            .unwrap()
            .accepted()
            .unwrap();
        let reader = world.actor().await;
        let registry = reader.registry();
        let proven = registry.proven_version(other.version).await.unwrap();
        assert_eq!(proven.status, VersionStatus::Sealed);
        let source = Source::of(&reader.connection, &registry, &proven)
            .await
            .unwrap();
        let target = tempfile::tempdir().unwrap();
        source.save(target.path(), |_| {}).await.unwrap();
        assert_equal_files(&same, target.path());

        // A third one who comes later sends none of it.
        let third = world.actor().await;
        let late = ModelDirectory::read(folder.path(), &third.claim_handle().await).unwrap();
        let pushed = push(&third.connection, &third.registry(), &late, |_| {})
            .await
            .unwrap();
        assert_eq!(pushed.sent_bytes, 0);
    });
}

#[test]
fn should_withdraw_what_nobody_has_decided_about_and_nothing_of_others() {
    run(async {
        let (world, published) = World::shared().await;
        let (publisher, stoa) = world.actor_at_command_line().await;
        let handle = publisher.claim_handle().await;
        let (folder, model) = model_with_extra_file(&handle, 1000);
        stoa.json(&["model", "push", text(folder.path()), "--publisher", &handle]);
        let mine = stoa.json(&["model", "list", "--mine"]);
        assert_eq!(mine["versions"][0]["version"], model.version().to_string());

        stoa.json(&["model", "withdraw", &format!("{handle}/digits@1.0.0")]);
        assert_eq!(
            stoa.json(&["model", "list", "--mine"])["versions"],
            Value::Array(Vec::new())
        );
        let error = stoa.error(&["model", "show", &format!("{handle}/digits@1.0.0")]);
        assert!(error.contains("the registry knows no version"), "{error}");
        // It may be pushed again, and then it is there again.
        stoa.json(&["model", "push", text(folder.path())]);
        stoa.json(&["model", "verify", &model.version().to_string()]);

        let error = stoa.error(&["model", "withdraw", &published.version.to_string()]);
        assert!(error.contains("only the owner"), "{error}");
    });
}

#[test]
fn should_find_admitted_models_by_name_text_and_filters() {
    run(async {
        let (world, published) = World::shared().await;
        let (_, stoa) = world.actor_at_command_line().await;
        let handle = &published.model.manifest.publisher;
        let name = format!("{handle}/digits@1.0.0");
        let only = |found: Value| {
            let versions = found["versions"].as_array().expect("a list");
            assert_eq!(versions.len(), 1, "{found}");
            assert_eq!(versions[0]["name"], name);
        };
        only(stoa.json(&["model", "search", "digits", "--publisher", handle]));
        only(stoa.json(&[
            "model",
            "search",
            "DIG",
            "--publisher",
            handle,
            "--status",
            "admitted",
        ]));
        only(stoa.json(&[
            "model",
            "list",
            "--publisher",
            handle,
            "--license",
            "Apache-2.0",
        ]));
        only(stoa.json(&["model", "list", &format!("{handle}/digits")]));
        let nothing = stoa.json(&["model", "search", "nobodywroteaboutthis"]);
        assert_eq!(nothing["versions"], Value::Array(Vec::new()));

        let shown = stoa.json(&["model", "show", &format!("{handle}/digits")]);
        assert_eq!(shown["proven"]["version"], published.version.to_string());
        assert_eq!(shown["proven"]["status"], "admitted");
        let error = stoa.error(&["model", "show", &format!("{handle}/digits@best")]);
        assert!(error.contains("no alias \"best\""), "{error}");
        let error = stoa.error(&["model", "show", "digits"]);
        assert!(error.contains("publisher/name"), "{error}");
    });
}

#[test]
fn should_refuse_a_hostile_publisher_by_what_was_wrong() {
    run(async {
        let (world, _) = World::shared().await;
        let hostile = world.actor().await;
        let registry = hostile.registry();
        let handle = hostile.claim_handle().await;
        let (folder, model) = model_with_extra_file(&handle, 1000);
        let plan = registry
            .begin_upload(&model.manifest)
            .await
            .unwrap()
            .accepted()
            .unwrap();
        let shard = Shard::new(&hostile.connection, plan.chunks[0].shards[0]);

        // More than a chunk.
        let refused = shard.put_chunk(&vec![7; MIB + 1]).await.unwrap();
        let (given, max) = (MIB as u64 + 1, MIB as u64);
        assert_eq!(refused, Err(PutChunkError::ChunkTooLarge { given, max }));
        // Bytes that are not what was announced.
        let wrong = vec![8; 1000];
        let hash = Sha256::of(&wrong);
        assert_eq!(
            shard.put_chunk(&wrong).await.unwrap(),
            Err(PutChunkError::NotExpected { hash })
        );

        // A manifest that announces the right chunk with a wrong size.
        let mut lying = model.manifest.clone();
        lying.version = "1.0.1".to_owned();
        let extra = lying
            .files
            .iter_mut()
            .find(|file| file.path == "extra.bin")
            .unwrap();
        extra.size_bytes = 999;
        match registry.begin_upload(&lying).await.unwrap() {
            Err(
                BeginUploadError::ShardFailed { .. } | BeginUploadError::InvalidManifest { .. },
            ) => {}
            Ok(plan) => {
                let extra = std::fs::read(folder.path().join("extra.bin")).unwrap();
                for chunk in &plan.chunks {
                    for missing in &chunk.missing_on {
                        let shard = Shard::new(&hostile.connection, *missing);
                        if chunk.hash == Sha256::of(&extra) {
                            // Stored or refused; in no case does it make a version.
                            shard.put_chunk(&extra).await.unwrap().ok();
                        }
                    }
                }
                let refused = registry.seal(plan.version).await.unwrap();
                assert!(
                    matches!(
                        refused,
                        Err(SealError::SizeMismatch { .. } | SealError::ChunksMissing { .. })
                    ),
                    "{refused:?}"
                );
            }
            other => panic!("{other:?}"),
        }

        // One chunk too many, and a manifest that no message can carry.
        let mut vast = model.manifest.clone();
        vast.version = "1.0.2".to_owned();
        let extra = vast
            .files
            .iter_mut()
            .find(|file| file.path == "extra.bin")
            .unwrap();
        extra.size_bytes = (CHUNKS_MAX + 1) * MIB as u64;
        extra.chunks = (0..=CHUNKS_MAX)
            .map(|index| Sha256::of(&index.to_le_bytes()))
            .collect();
        let refused = registry.begin_upload(&vast).await.unwrap().unwrap_err();
        assert!(
            matches!(
                refused,
                BeginUploadError::TooManyChunks { .. } | BeginUploadError::InvalidManifest { .. }
            ),
            "{refused:?}"
        );
        let extra = vast
            .files
            .iter_mut()
            .find(|file| file.path == "extra.bin")
            .unwrap();
        extra.chunks = vec![Sha256::of(b""); 80_000];
        assert!(registry.begin_upload(&vast).await.is_err(), "over 2 MiB");

        // Nothing of this stands in the way of the honest bytes.
        let pushed = push(&hostile.connection, &registry, &model, |_| {})
            .await
            .unwrap();
        let info = registry.version(pushed.version).await.unwrap().unwrap();
        assert_eq!(info.status, VersionStatus::Sealed);
    });
}
