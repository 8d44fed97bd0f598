//! Files of many chunks, whose responses are written down when they are certified.

use super::elsewhere::{OTHER, args};
use super::*;
use crate::certified::Place;

const TAIL: &[u8] = b"the last chunk";
const URL: &str = "/models/stoa/digits/1.0.0/weights/long.bin";

/// A file of 101 chunks, of which somebody holds the last.
fn long_file() -> (Sha256, FileEntry) {
    let mut chunks: Vec<Sha256> = (0..100).map(|number| Sha256([number; 32])).collect();
    chunks.push(Sha256::of(TAIL));
    let size_bytes = (100 * MIB + TAIL.len()) as u64;
    let entry = FileEntry {
        path: "weights/long.bin".to_owned(),
        size_bytes,
        sha256: Sha256([7; 32]),
        cid: stoa_content::file_cid(&chunks, size_bytes)
            .unwrap()
            .to_string(),
        chunks,
    };
    (Sha256([1; 32]), entry)
}

/// Where its responses are, whether they are written down, and whether these are what would be derived.
fn is_written_down(world: &World) -> bool {
    let place = |url: &str| {
        let request = HttpRequest {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            certificate_version: Some(2),
        };
        let target = super::super::request::Request::parse(&request).target();
        respond::find(&world.store, &target)
    };
    let resource = place(URL).expect("it is served");
    assert!(matches!(resource.place, Place::File(_)));
    let written = world.store.responses_at(&resource.place);
    if let Some(written) = &written {
        assert_eq!(*written, resource.replies.terminal());
    }
    written.is_some()
}

fn check_answers(world: &World, expected_shard: Principal) {
    let tail = world.get(URL, &[("Range", "bytes=104857600-")]);
    assert_eq!((tail.status_code, &tail.body[..]), (206, TAIL));
    assert_eq!(
        header(&tail, "content-range"),
        Some("bytes 104857600-104857613/104857614")
    );
    let location = format!("https://{expected_shard}.icp0.io{URL}?elsewhere");
    for headers in [&[][..], &[("Range", "bytes=52428800-")]] {
        let sent = world.get(URL, headers);
        assert_eq!(sent.status_code, 307);
        assert_eq!(header(&sent, "location"), Some(&*location));
    }
    let etag = format!("\"{}\"", Sha256([7; 32]));
    let same = world.get(URL, &[("If-None-Match", &etag)]);
    assert_eq!(same.status_code, 304);
    let beyond = world.get(URL, &[("Range", "bytes=104857614-")]);
    assert_eq!(beyond.status_code, 416);
    assert_eq!(world.verified("POST", URL, &[]).status_code, 405);
}

#[test]
fn should_prove_every_answer_about_a_long_file_out_of_what_was_written_down() {
    let mut world = World::new();
    let empty = world.store.certified.root_hash();
    let (version, entry) = long_file();
    world.hold(version, TAIL);
    world.serve(&args(version, entry.clone(), [&[OTHER], &[SHARD, OTHER]]));
    assert!(is_written_down(&world));
    check_answers(&world, OTHER);
    world.upgrade();
    assert!(is_written_down(&world));
    check_answers(&world, OTHER);

    // A segment moved: other responses, written down anew.
    let third = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1]);
    world.serve(&args(version, entry, [&[third], &[third, SHARD]]));
    assert!(is_written_down(&world));
    check_answers(&world, third);

    assert!(world.store.release(&version).is_done);
    assert_eq!(world.get(URL, &[]).status_code, 404);
    assert_eq!(world.store.certified.root_hash(), empty);
    assert_eq!(world.store.written_responses(), 0);
}

/// Written by the code of layout 3, which derived all responses whenever somebody asked: that file, served.
const LAYOUT_3: &str = include_str!("layout_3.txt");

/// Written by the code of layout 4, whose tree of names was in the heap: that file, served, and four versions of other names.
const LAYOUT_4: &str = include_str!("layout_4.txt");

/// A shard whose memory was written by earlier code, upgraded.
fn brought_up(memory: &str) -> World {
    use ic_stable_structures::Memory;

    let mut world = World::new();
    world.memory = VectorMemory::default();
    let mut lines = memory.lines();
    world.memory.grow(lines.next().unwrap().parse().unwrap());
    for line in lines {
        let (address, hex) = line.split_once(' ').unwrap();
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        let address = u64::from_str_radix(address, 16).unwrap();
        world.memory.write(address, &bytes);
    }
    world.upgrade();
    world.store.check_names();
    world
}

/// Statement 28.
#[test]
fn should_bring_up_a_memory_of_layout_3_and_prove_all_that_it_proved() {
    let mut world = brought_up(LAYOUT_3);
    assert!(!is_written_down(&world));
    check_answers(&world, OTHER);
    world.upgrade();
    check_answers(&world, OTHER);
    // What is told again is written down.
    let (version, entry) = long_file();
    let third = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1]);
    world.serve(&args(version, entry, [&[third], &[third, SHARD]]));
    assert!(is_written_down(&world));
    check_answers(&world, third);
}

/// Statement 28: names were filled into their trees in one go, and change one by one from then on.
#[test]
fn should_bring_up_a_memory_of_layout_4_and_prove_every_name() {
    let mut world = brought_up(LAYOUT_4);
    let names = [
        (2, "a-b/x/1.0.0"),
        (3, "a/x/1.0.0"),
        (4, "a/x/2.0.0-rc.1"),
        (5, "stoa/digits-small/1.0.0"),
    ];
    let check_names = |world: &World, gone: u8| {
        for (number, name) in names {
            let url = format!("/models/{name}/model.bin");
            let answer = world.get(&url, &[]);
            if number == gone {
                assert_eq!(answer.status_code, 404, "{url}");
            } else {
                assert_eq!((answer.status_code, answer.body), (200, vec![number; 9]));
            }
        }
        for absent in ["a/x/2.0.0", "a/y/1.0.0", "a-c/x/1.0.0", "stoa/digits/1.0.1"] {
            let url = format!("/models/{absent}/model.bin");
            assert_eq!(world.get(&url, &[]).status_code, 404, "{url}");
        }
    };
    for _ in 0..2 {
        assert!(is_written_down(&world));
        check_answers(&world, OTHER);
        check_names(&world, 0);
        world.upgrade();
    }
    for (number, _) in names {
        assert!(world.store.release(&Sha256([number; 32])).is_done);
        world.store.check_names();
        check_names(&world, number);
        let (version, bytes) = (Sha256([number; 32]), [number; 9]);
        world.hold(version, &bytes);
        let entry = hash_file("model.bin", &bytes[..]).unwrap();
        let (_, name) = names[usize::from(number) - 2];
        let mut parts = name.split('/').map(str::to_owned);
        let mut next = || parts.next().unwrap();
        let (publisher, name, semver) = (next(), next(), next());
        world.serve(&ServeArgs {
            publisher,
            name,
            ..serve_args(version, &semver, vec![entry])
        });
        world.store.check_names();
        check_names(&world, 0);
    }
    check_answers(&world, OTHER);
}
