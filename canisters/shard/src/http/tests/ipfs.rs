//! The shard as a trustless gateway: blocks and CARs, each hashed.

use super::*;

#[test]
fn should_be_a_trustless_gateway_of_raw_blocks_and_cars() {
    let mut world = World::new();
    let large = pattern(3 * MIB + 9);
    // A chunk that repeats is in a CAR once.
    let repeating = [&large[..MIB], &large[..MIB], b"end"].concat();
    let entries = world.publish(
        "1.0.0",
        &[
            ("large", &large),
            ("small", b"small"),
            ("repeating", &repeating),
            ("empty", b""),
        ],
    );
    for entry in &entries {
        let cid: Cid = entry.cid.parse().unwrap();
        let url = format!("/ipfs/{cid}");
        let raw = world.get(&format!("{url}?format=raw"), &[]);
        assert_eq!((raw.status_code, Sha256::of(&raw.body)), (200, cid.digest));
        assert_eq!(
            header(&raw, "content-type"),
            Some("application/vnd.ipld.raw")
        );
        assert_eq!(header(&raw, "x-ipfs-roots"), Some(&*cid.to_string()));
        assert_eq!(header(&raw, "etag"), Some(&*format!("\"{cid}.raw\"")));
        let by_accept = world.get(&url, &[("Accept", "application/vnd.ipld.raw")]);
        assert_eq!(by_accept.body, raw.body);

        let car = world.assembled(&format!("{url}?format=car"), &[]);
        let blocks = car_blocks(&cid, &car);
        let mut expected: Vec<Cid> = entry.chunks.iter().map(|chunk| Cid::raw(*chunk)).collect();
        let mut seen = std::collections::BTreeSet::new();
        expected.retain(|cid| seen.insert(*cid));
        if entry.chunks.len() > 1 {
            expected.insert(0, cid);
        }
        assert_eq!(blocks, expected, "{}", entry.path);
        let block = world.assembled(&format!("{url}?format=car&dag-scope=block"), &[]);
        assert_eq!(car_blocks(&cid, &block), [cid]);
        assert_eq!(world.get(&url, &[]).status_code, 406);
        assert_eq!(
            world.get(&format!("{url}?format=tar"), &[]).status_code,
            406
        );
    }
    let probe = world.get("/ipfs/bafkqaaa?format=raw", &[]);
    assert_eq!((probe.status_code, probe.body.len()), (200, 0));
    let probe = world.get("/ipfs/bafkqaaa?format=car", &[]);
    assert_eq!((probe.status_code, probe.body.len()), (200, 26));
    assert!(probe.body.ends_with(b"\x67version\x01"));
}

/// CIDs of the blocks of a CAR, each hashed.
pub fn car_blocks(root: &Cid, car: &[u8]) -> Vec<Cid> {
    let mut rest = car;
    let mut take = || {
        let (length, behind) = leb128(rest);
        let (section, behind) = behind.split_at(length);
        rest = behind;
        (section, rest.is_empty())
    };
    let (header, mut is_end) = take();
    let expected = [
        &b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00"[..],
        &root.to_bytes(),
        b"\x67version\x01",
    ]
    .concat();
    assert_eq!(header, expected);
    let mut cids = Vec::new();
    while !is_end {
        let (section, end) = take();
        is_end = end;
        let (cid, block) = section.split_at(36);
        let cid = Cid::from_bytes(cid).unwrap();
        assert_eq!(cid.digest, Sha256::of(block));
        cids.push(cid);
    }
    cids
}

fn leb128(bytes: &[u8]) -> (usize, &[u8]) {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
    let number = bytes[..=end]
        .iter()
        .rev()
        .fold(0, |number, byte| number << 7 | usize::from(byte & 0x7f));
    (number, &bytes[end + 1..])
}
