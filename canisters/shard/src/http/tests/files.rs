//! Files that come and go: releases, shared bytes, wrong and taken names.

use super::*;

#[test]
fn should_serve_no_longer_what_was_released_and_keep_what_others_share() {
    let mut world = World::new();
    let shared = pattern(2 * MIB);
    let first = world.publish("1.0.0", &[("shared", &shared), ("own", b"own")]);
    world.publish("2.0.0", &[("renamed", &shared)]);
    let before = world.store.usage().chunks;
    let released = world.store.release(&Sha256::of(b"1.0.0"));
    assert!(released.is_done);
    assert_eq!(
        (released.freed_chunks, before - world.store.usage().chunks),
        (1, 1)
    );
    assert_eq!(
        world
            .get("/models/stoa/digits/1.0.0/shared", &[])
            .status_code,
        404
    );
    assert_eq!(
        world
            .get(&format!("/blob/{}", first[1].sha256), &[])
            .status_code,
        404
    );
    assert!(world.assembled("/models/stoa/digits/2.0.0/renamed", &[]) == shared);
    let raw = world.get(&format!("/ipfs/{}?format=raw", first[0].cid), &[]);
    assert_eq!(
        raw.status_code, 200,
        "the node is that of the other version too"
    );

    assert!(world.store.release(&Sha256::of(b"2.0.0")).is_done);
    assert_eq!(world.store.usage().used_bytes, 0);
    let empty = World::new();
    assert_eq!(
        world.store.certified.root_hash(),
        empty.store.certified.root_hash()
    );
}

#[test]
fn should_refuse_files_that_their_cid_does_not_name_and_names_that_are_taken() {
    let mut world = World::new();
    let entries = world.publish("1.0.0", &[("w.bin", b"weights")]);
    let wrong = FileEntry {
        cid: Cid::raw(Sha256([1; 32])).to_string(),
        ..entries[0].clone()
    };
    let version = Sha256([3; 32]);
    let path = "w.bin".to_owned();
    assert_eq!(
        world
            .store
            .serve(&serve_args(version, "2.0.0", vec![wrong]), SHARD),
        Err(ServeError::WrongFile { path })
    );
    let taken = Sha256::of(b"1.0.0");
    assert_eq!(
        world
            .store
            .serve(&serve_args(version, "1.0.0", entries.clone()), SHARD),
        Err(ServeError::NameTaken { version: taken })
    );
    // Saying it again changes nothing.
    let root = world.store.certified.root_hash();
    world.serve(&serve_args(taken, "1.0.0", entries));
    assert_eq!(world.store.certified.root_hash(), root);
}
