//! What every kind of response says, to the letter. A response is certified when what it is about is stored, and derived again when
//! somebody asks: whoever changes a text here has to certify anew all that is stored, or no gateway believes these answers any more.

use std::fmt::Write;

use super::elsewhere::{OTHER, args};
use super::*;

const GOLDEN: &str = include_str!("golden.txt");

fn world() -> (World, Vec<FileEntry>) {
    let mut world = World::new();
    let entries = world.publish(
        "1.0.0",
        &[
            ("weights.bin", &pattern(2 * MIB + 5)),
            ("README.md", b"# Digits\n"),
            ("a b/config.json", b"{}"),
        ],
    );
    let version = Sha256([2; 32]);
    let bytes = pattern(MIB + 1);
    world.hold(version, &bytes[..MIB]);
    let entry = hash_file("split.bin", &bytes[..]).unwrap();
    world.serve(&ServeArgs {
        semver: "2.0.0".to_owned(),
        ..args(version, entry, [&[SHARD, OTHER], &[OTHER]])
    });
    let damaged = world.publish("3.0.0", &[("damaged.bin", b"to be damaged")]);
    world.store.damage(&damaged[0].chunks[0]);
    (world, entries)
}

type Headers<'a> = Vec<(&'a str, &'a str)>;

#[test]
fn should_say_what_was_certified_to_the_letter() {
    let (world, entries) = world();
    let weights = &entries[0];
    let models = "/models/stoa/digits";
    let blob = format!("/blob/{}", entries[1].sha256);
    let block = format!("/ipfs/{}", entries[1].cid);
    let file = format!("/ipfs/{}", weights.cid);
    let etag = format!("\"{}\"", entries[1].sha256);
    let plain: [(&str, &str); 0] = [];
    let asked: Vec<(&str, String, Headers)> = vec![
        ("GET", "/none".into(), plain.to_vec()),
        ("GET", blob.clone(), plain.to_vec()),
        ("GET", blob.clone(), vec![("If-None-Match", &etag)]),
        ("GET", blob.clone(), vec![("Range", "bytes=9-")]),
        ("POST", blob, plain.to_vec()),
        ("GET", format!("{models}/1.0.0/README.md"), plain.to_vec()),
        (
            "GET",
            format!("{models}/1.0.0/a%20b/config.json"),
            plain.to_vec(),
        ),
        ("GET", format!("{models}/1.0.0/weights.bin"), plain.to_vec()),
        (
            "GET",
            format!("{models}/1.0.0/weights.bin"),
            vec![("Range", "bytes=2097152-")],
        ),
        (
            "GET",
            format!("{models}/2.0.0/split.bin"),
            vec![("Range", "bytes=1048576-")],
        ),
        ("GET", format!("{models}/3.0.0/damaged.bin"), plain.to_vec()),
        ("GET", format!("{block}?format=raw"), plain.to_vec()),
        ("GET", format!("{block}?format=car"), plain.to_vec()),
        ("GET", block, plain.to_vec()),
        ("GET", format!("{file}?format=raw"), plain.to_vec()),
        ("GET", format!("{file}?format=car"), plain.to_vec()),
        (
            "GET",
            format!("{file}?format=car&dag-scope=block"),
            plain.to_vec(),
        ),
        ("GET", "/ipfs/bafkqaaa?format=raw".into(), plain.to_vec()),
        ("GET", "/ipfs/bafkqaaa?format=car".into(), plain.to_vec()),
    ];
    let mut text = String::new();
    for (method, url, headers) in asked {
        let response = world.verified(method, &url, &headers);
        writeln!(text, "{method} {url} {headers:?}\n{}", response.status_code).unwrap();
        for (name, value) in &response.headers {
            if name != "IC-Certificate" {
                writeln!(text, "{name}: {value}").unwrap();
            }
        }
        let body = Sha256::of(&response.body);
        writeln!(text, "{} bytes {body}\n", response.body.len()).unwrap();
    }
    // All of them, the folders' paths among them, and how they are put together.
    let root = Sha256(world.store.certified.root_hash());
    writeln!(text, "root {root}").unwrap();
    assert!(text == GOLDEN, "it says:\n{text}");
}
