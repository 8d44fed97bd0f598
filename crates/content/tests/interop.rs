//! CIDs against an IPFS implementation that nobody here wrote
//! (`ipfs-unixfs-importer` under Node), and golden ones for those who have no Node.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use stoa_content::{FileHasher, directory_link, file_link};
use stoa_types::manifest::FileEntry;

const MIB: u64 = 1 << 20;

/// The same bytes as `tests/interop/cids.mjs` makes.
fn pattern() -> Vec<u8> {
    (0..MIB).map(|i| (i * 31 + (i >> 8)) as u8).collect()
}

fn entry(path: &str, size_bytes: u64) -> FileEntry {
    let mut chunk = pattern();
    let mut hasher = FileHasher::new();
    for index in 0..size_bytes.div_ceil(MIB) {
        chunk[..4].copy_from_slice(&(index as u32).to_le_bytes());
        let length = (size_bytes - index * MIB).min(MIB);
        hasher.update(&chunk[..length as usize]);
    }
    hasher.finish(path)
}

type Case = &'static [(&'static str, u64)];

/// One file alone, or several as a folder.
fn our_answer(case: Case) -> (String, u64) {
    let link = match case {
        [(path, size)] => {
            let file = entry(path, *size);
            let link = file_link(&file.chunks, *size).unwrap();
            assert_eq!(link.cid.to_string(), file.cid);
            link
        }
        files => {
            let files: Vec<_> = files
                .iter()
                .map(|(path, size)| entry(path, *size))
                .collect();
            directory_link(&files).unwrap()
        }
    };
    (link.cid.to_string(), link.cumulative_size_bytes)
}

const FOLDER: Case = &[
    ("README.md", 0),
    ("model.onnx", 2 * MIB + 1),
    ("onnx/a.onnx", 17),
    ("onnx/deep/b.bin", MIB),
    ("onnx2/c", 3),
];

fn their_answers(cases: &[Case]) -> Vec<(String, u64)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    assert!(
        folder.join("node_modules/ipfs-unixfs-importer").is_dir(),
        "the npm packages of this test are missing: run scripts/setup, or `npm ci` in {}",
        folder.display()
    );
    let question: Vec<Vec<serde_json::Value>> = cases
        .iter()
        .map(|case| {
            let file = |(path, size): &(&str, u64)| serde_json::json!({"path": path, "size": size});
            case.iter().map(file).collect()
        })
        .collect();
    let mut node = Command::new("node")
        .arg("cids.mjs")
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cannot run `node`: install Node.js 20 or newer");
    let mut stdin = node.stdin.take().unwrap();
    stdin
        .write_all(serde_json::to_string(&question).unwrap().as_bytes())
        .unwrap();
    drop(stdin);
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "node ended with {}", output.status);
    let answers: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    answers
        .iter()
        .map(|answer| {
            let cid = answer["cid"].as_str().unwrap().to_owned();
            (cid, answer["cumulativeSize"].as_u64().unwrap())
        })
        .collect()
}

#[test]
fn should_agree_with_another_implementation_of_the_profile() {
    let cases: &[Case] = &[
        &[("f", 0)],
        &[("f", 1)],
        &[("f", MIB - 1)],
        &[("f", MIB)],
        &[("f", MIB + 1)],
        &[("f", 2 * MIB)],
        &[("f", 5 * MIB + 12_345)],
        // The widest tree of one level, and the narrowest of two: the second node has one leaf, of one byte.
        &[("f", 1024 * MIB)],
        &[("f", 1024 * MIB + 1)],
        FOLDER,
    ];
    let theirs = their_answers(cases);
    assert_eq!(theirs.len(), cases.len());
    for (case, theirs) in cases.iter().zip(theirs) {
        assert_eq!(our_answer(case), theirs, "{case:?}");
    }
}

#[test]
fn should_give_the_golden_cids() {
    let golden: &[(Case, &str)] = &[
        (
            &[("f", 0)],
            "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        ),
        (
            &[("f", 1)],
            "bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu",
        ),
        (
            &[("f", MIB + 1)],
            "bafybeifviteylpjxhdssazjmn4v25vfgcdzdi4rxdmnibcgdu37jo3ijey",
        ),
        (
            FOLDER,
            "bafybeicabkogc3hzibhqtjextdwip2iv7lpunvmnbras3e56hzvn64xyv4",
        ),
    ];
    for (case, cid) in golden {
        assert_eq!(our_answer(case).0, *cid, "{case:?}");
    }
}
