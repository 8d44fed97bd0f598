//! A version as an IPFS folder: its nodes, paths below them, and CARs of all of it or of some bytes.

use stoa_content::{Duplicates, directory_link, folder_blocks};

use super::ipfs::car_blocks;
use super::*;

fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("README.md", b"# A model".to_vec()),
        ("model.onnx", pattern(2 * MIB + 5)),
        ("onnx/deep/w x.bin", pattern(MIB + 3)),
        ("onnx/model.onnx", pattern(2 * MIB + 5)),
        ("tokenizer.json", b"{}".to_vec()),
    ]
}

fn publish(world: &mut World, semver: &str) -> Vec<FileEntry> {
    let files = files();
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(path, bytes)| (*path, bytes.as_slice()))
        .collect();
    world.publish(semver, &files)
}

fn root(entries: &[FileEntry]) -> Cid {
    directory_link(entries).unwrap().cid
}

/// The CIDs of a walk through some of the files, as a folder.
fn walk(entries: &[FileEntry]) -> Vec<Cid> {
    let blocks = folder_blocks(entries, Duplicates::Once).unwrap();
    blocks.iter().map(|block| block.cid()).collect()
}

#[test]
fn should_serve_a_version_as_a_folder_by_its_cid() {
    let mut world = World::new();
    let entries = publish(&mut world, "1.0.0");
    for upgraded in [false, true] {
        if upgraded {
            world.upgrade();
        }
        let cid = root(&entries);
        let raw = world.get(&format!("/ipfs/{cid}?format=raw"), &[]);
        assert_eq!(Sha256::of(&raw.body), cid.digest);
        let url = format!("/ipfs/{cid}?format=car");
        let all = world.assembled(&url, &[]);
        assert_eq!(car_blocks(&cid, &all), walk(&entries));
        let same = world.assembled(
            &format!("/ipfs/{cid}"),
            &[("Accept", "application/vnd.ipld.car")],
        );
        assert!(same == all);
        for scope in ["dag-scope=block", "dag-scope=entity", "entity-bytes=0:5"] {
            let car = world.assembled(&format!("{url}&{scope}"), &[]);
            assert_eq!(car_blocks(&cid, &car), [cid], "{scope}");
        }
        // Behind the root, the README, and the model with its three chunks.
        let folder = walk(&entries)[6];
        let car = world.assembled(&format!("/ipfs/{folder}?format=car"), &[]);
        assert_eq!(car_blocks(&folder, &car)[0], folder);
    }
}

#[test]
fn should_serve_paths_below_a_folder_with_what_proves_them() {
    let mut world = World::new();
    let entries = publish(&mut world, "1.0.0");
    let cid = root(&entries);
    let all = walk(&entries);
    let cid_of = |path: &str| -> Cid {
        let entry = entries.iter().find(|entry| entry.path == path).unwrap();
        entry.cid.parse().unwrap()
    };

    let url = |path: &str| format!("/ipfs/{cid}/{path}?format=car");
    let readme = world.get(&url("README.md"), &[]);
    assert_eq!(
        car_blocks(
            &cid_of("README.md"),
            &world.assembled(&url("README.md"), &[])
        ),
        [cid, cid_of("README.md")]
    );
    let roots = format!("{cid},{}", cid_of("README.md"));
    assert_eq!(header(&readme, "x-ipfs-roots"), Some(&*roots));
    assert_eq!(
        header(&readme, "x-ipfs-path"),
        Some(&*format!("/ipfs/{cid}/README.md"))
    );

    let deep = world.assembled(&url("onnx/deep/w%20x.bin"), &[]);
    let blocks = car_blocks(&cid_of("onnx/deep/w x.bin"), &deep);
    assert_eq!(blocks.len(), 3 + 3, "three folders, a node, two chunks");
    assert_eq!((blocks[0], blocks[3]), (cid, cid_of("onnx/deep/w x.bin")));
    assert!(blocks.iter().all(|block| all.contains(block)));

    let onnx = world.assembled(&url("onnx"), &[]);
    let folder = blocks[1];
    assert_eq!(car_blocks(&folder, &onnx)[..2], [cid, folder]);
    let listed = world.assembled(&format!("{}&dag-scope=entity", url("onnx")), &[]);
    assert_eq!(car_blocks(&folder, &listed), [cid, folder]);
    // The same from the folder within.
    let inner = format!("/ipfs/{folder}/deep/w%20x.bin?format=car&dag-scope=block");
    assert_eq!(
        car_blocks(&blocks[3], &world.get(&inner, &[]).body),
        blocks[1..4]
    );

    assert_eq!(
        world
            .get(&format!("/ipfs/{cid}/README.md?format=raw"), &[])
            .status_code,
        406
    );
    assert_eq!(world.get(&format!("/ipfs/{cid}"), &[]).status_code, 406);
    for missing in [
        "x",
        "README.md/x",
        "onnx/x",
        "onnx/",
        "",
        "onnx/deep/w",
        "%3C*%3E",
        "zzz/y",
    ] {
        assert_eq!(world.get(&url(missing), &[]).status_code, 404, "{missing}");
    }
    let etag = header(&readme, "etag").unwrap();
    let same = world.get(&url("README.md"), &[("If-None-Match", etag)]);
    assert_eq!(same.status_code, 304);
}

#[test]
fn should_give_the_blocks_of_some_bytes_of_a_file_and_no_others() {
    let mut world = World::new();
    let entries = publish(&mut world, "1.0.0");
    let model: Cid = entries[1].cid.parse().unwrap();
    let chunk = |index: usize| Cid::raw(entries[1].chunks[index]);
    let direct = format!("/ipfs/{model}?format=car&entity-bytes=");
    let update = |range: &str| world.update(&format!("{direct}{range}"), &[]);
    let second = update("1048576:2097151");
    assert_eq!(car_blocks(&model, &second.body), [model, chunk(1)]);
    let etag = format!("\"{model}.car.bytes.1048576-2097151\"");
    assert_eq!(header(&second, "etag"), Some(&*etag));
    assert_eq!(car_blocks(&model, &update("-3:*").body), [model, chunk(2)]);
    assert_eq!(
        car_blocks(&model, &update("2097151:*").body),
        [model, chunk(1), chunk(2)]
    );
    assert_eq!(
        update("5:1048580").status_code,
        400,
        "two chunks are more than an answer"
    );

    let query = |range: &str| world.assembled(&format!("{direct}{range}"), &[]);
    assert_eq!(car_blocks(&model, &query("0:*")).len(), 4, "the whole file");
    assert_eq!(
        car_blocks(&model, &query("9999999:*")),
        [model],
        "none of it"
    );
    assert_eq!(world.get(&format!("{direct}x"), &[]).status_code, 406);

    let cid = root(&entries);
    let below = format!("/ipfs/{cid}/model.onnx?format=car&entity-bytes=0:9");
    let first = world.update(&below, &[]);
    assert_eq!(car_blocks(&model, &first.body), [cid, model, chunk(0)]);
    while world.store.allowance.take(NOW) {}
    assert_eq!(world.get(&below, &[]).status_code, 503);
}

#[test]
fn should_share_a_folder_between_versions_and_forget_it_with_the_last() {
    let mut world = World::new();
    let entries = publish(&mut world, "1.0.0");
    publish(&mut world, "1.0.1");
    let url = format!("/ipfs/{}/README.md?format=car", root(&entries));
    assert!(world.store.release(&Sha256::of(b"1.0.0")).is_done);
    assert_eq!(world.get(&url, &[]).status_code, 206);
    assert!(world.store.release(&Sha256::of(b"1.0.1")).is_done);
    assert_eq!(world.get(&url, &[]).status_code, 404);
    let empty = World::new();
    assert_eq!(
        world.store.certified.root_hash(),
        empty.store.certified.root_hash()
    );
}

/// Files come page by page, and what folders make necessary is done slice by slice, with upgrades in between (statements 24 and 28).
#[test]
fn should_certify_a_large_folder_in_slices() {
    let mut world = World::new();
    let version = Sha256([5; 32]);
    let entries: Vec<FileEntry> = (0..900)
        .map(|number: u32| {
            let bytes = number.to_le_bytes();
            hash_file(
                &format!("folder-{}/{number:0>200}", number / 450),
                &bytes[..],
            )
            .unwrap()
        })
        .collect();
    for number in 0..900_u32 {
        world.hold(version, &number.to_le_bytes());
    }
    let mut pages = entries.chunks(500).map(|page| ServeArgs {
        files_total: 900,
        ..serve_args(version, "1.0.0", page.to_vec())
    });
    world.store.serve(&pages.next().unwrap(), SHARD).unwrap();
    let last = pages.next().unwrap();
    let mut slices = 0;
    while let Err(unfinished) = world.store.serve(&last, SHARD) {
        let ServeError::Unfinished { done, total } = unfinished else {
            panic!("{unfinished:?}");
        };
        // The root, two folders, and each file below two of them.
        assert_eq!(total, 1 + 2 + 900 + 2 + 900);
        assert!(done > 0 && done < total);
        slices += 1;
        world.upgrade();
    }
    assert!(slices > 1, "{slices}");
    let path = &entries[899].path;
    let url = format!("/ipfs/{}/{path}?format=car", root(&entries));
    assert_eq!(world.get(&url, &[]).status_code, 206);
}

#[test]
fn should_serve_no_folder_of_a_version_that_is_too_deep() {
    let mut world = World::new();
    let path = format!("{}f", "d/".repeat(40));
    let entries = world.publish("1.0.0", &[(&path, b"x")]);
    let cid = root(&entries);
    assert_eq!(
        world
            .get(&format!("/ipfs/{cid}?format=raw"), &[])
            .status_code,
        404
    );
    let file = format!("/models/stoa/digits/1.0.0/{path}");
    assert_eq!(world.get(&file, &[]).status_code, 200);
}
