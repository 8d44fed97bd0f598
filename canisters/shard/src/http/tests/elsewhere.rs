//! Bytes that another shard holds: a reader is sent there, and by no gateway to and fro.

use super::*;

pub const OTHER: Principal = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 8, 1, 1]);

/// A file of three chunks, of which this shard holds the first only; its second segment begins with the second chunk.
fn split() -> (World, Vec<u8>) {
    let mut world = World::new();
    let bytes = pattern(2 * MIB + 5);
    let version = Sha256([1; 32]);
    world.hold(version, &bytes[..MIB]);
    let entry = hash_file("weights/a b.bin", &bytes[..]).unwrap();
    world.serve(&args(version, entry, [&[SHARD, OTHER], &[OTHER]]));
    (world, bytes)
}

pub fn args(version: Sha256, file: FileEntry, shards: [&[Principal]; 2]) -> ServeArgs {
    let segments = (0..)
        .zip(shards)
        .map(|(first_chunk, shards)| SegmentPlace {
            first_chunk,
            shards: shards.to_vec(),
        })
        .collect();
    ServeArgs {
        files: vec![FileToServe { file, segments }],
        ..serve_args(version, "1.0.0", Vec::new())
    }
}

const URL: &str = "/models/stoa/digits/1.0.0/weights/a%20b.bin";

#[test]
fn should_send_a_reader_on_to_the_shard_that_holds_the_bytes() {
    let (mut world, bytes) = split();
    let first = world.get(URL, &[]);
    assert_eq!((first.status_code, &first.body[..]), (206, &bytes[..MIB]));
    let expected = format!("https://{OTHER}.icp0.io{URL}?elsewhere");
    for range in ["bytes=1048576-", "bytes=2097152-", "bytes=-5"] {
        let sent = world.get(URL, &[("Range", range)]);
        assert_eq!(sent.status_code, 307, "{range}");
        assert_eq!(header(&sent, "location"), Some(&*expected));
        assert_eq!(header(&sent, "cache-control"), Some("no-store"));
    }
    let head = world.verified("HEAD", URL, &[("Range", "bytes=1048576-")]);
    assert_eq!(head.status_code, 307);
    world.upgrade();
    let sent = world.get(URL, &[("Range", "bytes=1048576-")]);
    assert_eq!(sent.status_code, 307);

    let again = format!("{URL}?elsewhere");
    let lost = world.get(&again, &[("Range", "bytes=1048576-")]);
    assert_eq!(lost.status_code, 503, "who was sent here is not sent back");
}

#[test]
fn should_send_a_reader_on_by_the_gateway_that_he_came_by() {
    let (mut world, bytes) = split();
    let host = format!("{SHARD}.localhost:4943");
    let headers = [("Host", &*host), ("Range", "bytes=1048576-")];
    let sent = world.update(URL, &headers);
    assert_eq!(sent.status_code, 307);
    let expected = format!("http://{OTHER}.localhost:4943{URL}?elsewhere");
    assert_eq!(header(&sent, "location"), Some(&*expected));

    // An odd range that begins here ends here; one that begins there is sent there.
    let part = world.update(URL, &[("Range", "bytes=1048570-1048580")]);
    assert_eq!(
        (part.status_code, &part.body[..]),
        (206, &bytes[1_048_570..MIB])
    );
    let odd = world.update(URL, &[("Host", &*host), ("Range", "bytes=1048580-1048590")]);
    assert_eq!(header(&odd, "location"), Some(&*expected));

    // With the allowance spent, mainnet's name is what is certified.
    while world.store.allowance.take(NOW) {}
    let sent = world.get(URL, &headers);
    let expected = format!("https://{OTHER}.icp0.io{URL}?elsewhere");
    assert_eq!(header(&sent, "location"), Some(&*expected));
}

#[test]
fn should_send_a_reader_of_damaged_bytes_to_the_other_copy() {
    let (mut world, bytes) = split();
    world.store.damage(&Sha256::of(&bytes[..MIB]));
    assert_eq!(world.get(URL, &[]).status_code, 307);
}

#[test]
fn should_follow_a_segment_that_moved() {
    let (mut world, bytes) = split();
    let version = Sha256([1; 32]);
    let entry = hash_file("weights/a b.bin", &bytes[..]).unwrap();
    let third = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1]);
    world.serve(&args(version, entry, [&[SHARD, OTHER], &[third]]));
    let sent = world.get(URL, &[("Range", "bytes=1048576-")]);
    let location = header(&sent, "location").unwrap();
    assert!(location.contains(&third.to_text()), "{location}");

    let released = world.store.release(&version);
    assert!(released.is_done);
    assert_eq!(world.get(URL, &[]).status_code, 404);
    let empty = World::new();
    assert_eq!(
        world.store.certified.root_hash(),
        empty.store.certified.root_hash()
    );
}

#[test]
fn should_refuse_segments_that_are_not_in_order() {
    let mut world = World::new();
    let entry = hash_file("f", &pattern(2 * MIB)[..]).unwrap();
    for starts in [&[1_u64][..], &[0, 0], &[0, 2]] {
        let mut args = serve_args(Sha256([1; 32]), "1.0.0", vec![entry.clone()]);
        args.files[0].segments = starts
            .iter()
            .map(|first_chunk| SegmentPlace {
                first_chunk: *first_chunk,
                shards: vec![SHARD],
            })
            .collect();
        let path = "f".to_owned();
        let refused = world.store.serve(&args, SHARD);
        assert_eq!(refused, Err(ServeError::WrongFile { path }), "{starts:?}");
    }
}
