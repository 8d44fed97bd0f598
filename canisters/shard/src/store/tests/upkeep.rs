//! What a store does over time: strays, the scrub, repairs; and answers in batches.

use super::*;
use crate::store::strays::STRAY_AFTER_NANOS;

/// Statement 21: strays expire.
#[test]
fn should_expire_what_was_announced_and_never_sent() {
    let mut store = store();
    let args = expect_args(1, 1, &right_sizes(&[3, 4]));
    store.expect(&args, NOW).unwrap();
    store.put(principal(1), &bytes(3)).unwrap();
    let later = expect_args(2, 2, &right_sizes(&[4, 5]));
    store.expect(&later, NOW + 1).unwrap();

    assert_eq!(store.sweep_strays(NOW + STRAY_AFTER_NANOS - 1), Sweep::Done);
    assert_eq!(store.usage().reserved_bytes, 160 + 200);
    assert_eq!(store.sweep_strays(NOW + STRAY_AFTER_NANOS), Sweep::Done);
    store.check_invariants();
    let refused = store.put(principal(1), &bytes(4));
    let uploader = principal(2);
    assert_eq!(refused, Err(PutChunkError::NotUploader { uploader }));
    assert_eq!(store.put(principal(2), &bytes(4)), Ok(PutOutcome::Stored));

    assert_eq!(store.sweep_strays(NOW + STRAY_AFTER_NANOS + 1), Sweep::Done);
    assert_eq!(store.usage().reserved_bytes, 0);
    assert_eq!(store.usage().chunks, 2, "what has come stays");
    store.check_invariants();
}

/// Statement 28.
#[test]
fn should_find_every_damaged_chunk_slice_by_slice_through_an_upgrade() {
    let memory = LimitedMemory::unlimited();
    let mut store = Store::create(memory.memories(), REGISTRY, 1 << 30).unwrap();
    let chunk = |number: u8| vec![number; 1 << 20];
    let chunks: Vec<ExpectedChunk> = (0..70)
        .map(|number| ExpectedChunk {
            hash: Sha256::of(&chunk(number)),
            size_bytes: 1 << 20,
        })
        .collect();
    let args = ExpectArgs {
        chunks: chunks.clone(),
        ..expect_args(1, 1, &[])
    };
    store.expect(&args, NOW).unwrap();
    for number in 0..70 {
        store.put(principal(1), &chunk(number)).unwrap();
    }
    assert_eq!(store.scrub_slice(NOW), Slice::Done, "nothing was asked for");
    for number in [0, 33, 69] {
        store.data.write(number * (1 << 20) + 77, &[0xff]);
    }

    store.start_scrub(NOW);
    assert_eq!(store.scrub_slice(NOW + 1), Slice::Paused);
    assert_eq!(store.scrub_report().checked_bytes, 32 << 20);
    drop(store);
    let mut store = Store::open(memory.memories()).unwrap();
    assert_eq!(store.scrub_slice(NOW + 2), Slice::Paused);
    assert_eq!(store.scrub_slice(NOW + 3), Slice::Done);

    let report = store.scrub_report();
    let mut damaged: Vec<Sha256> = [0, 33, 69].map(|number| chunks[number].hash).to_vec();
    damaged.sort_unstable();
    assert_eq!(report.damaged, damaged);
    assert_eq!((report.checked_chunks, report.passes), (70, 1));
    assert_eq!(report.finished_at_nanos, Some(NOW + 3));

    for hash in damaged {
        let number = (0..70).find(|number| chunks[*number as usize].hash == hash);
        assert_eq!(
            store.put_copy(&chunk(number.unwrap())),
            Ok(PutOutcome::Stored)
        );
    }
    assert_eq!(store.scrub_report().damaged_chunks, 0);
    store.check_invariants();
}

/// Statement 23.
#[test]
fn should_answer_as_many_chunks_as_fit_a_reply() {
    let mut store = store();
    let seeds: Vec<u8> = (1..=5).collect();
    store
        .expect(&expect_args(1, 1, &right_sizes(&seeds)), NOW)
        .unwrap();
    for seed in &seeds {
        store.put(principal(1), &bytes(*seed)).unwrap();
    }
    let missing = Sha256::of(b"nothing");
    let mut hashes = vec![missing];
    hashes.extend(seeds.iter().map(|seed| Sha256::of(&bytes(*seed))));
    let ask = |reply_bytes_max| {
        let args = GetChunksArgs {
            hashes: hashes.clone(),
            reply_bytes_max,
        };
        store.get_chunks(&args).unwrap()
    };
    assert_eq!(ask(None).len(), 6);
    let some = ask(Some(40 + 80 + 119));
    assert_eq!(some.len(), 3);
    assert_eq!(some[0], Err(GetChunkError::NotFound { hash: missing }));
    assert_eq!(some[2].as_ref().unwrap().data, bytes(2));
    assert_eq!(ask(Some(0)).len(), 1, "always one");
}
