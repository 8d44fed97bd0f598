//! CIDs against an IPFS implementation that nobody here wrote
//! (`ipfs-unixfs-importer` under Node), and golden ones for those who have no Node.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use stoa_content::{
    Block, CarWriter, Cid, Duplicates, FileHasher, car_size_bytes, directory_link, file_blocks,
    file_link, folder_blocks, import,
};
use stoa_types::manifest::FileEntry;

const MIB: u64 = 1 << 20;

/// The same bytes as `tests/interop/pattern.mjs` makes.
fn pattern() -> Vec<u8> {
    (0..MIB).map(|i| (i * 31 + (i >> 8)) as u8).collect()
}

/// Chunk `index` of a file of this size.
fn chunk_bytes(pattern: &[u8], size_bytes: u64, index: u64) -> Vec<u8> {
    let mut chunk = pattern.to_vec();
    chunk[..4].copy_from_slice(&(index as u32).to_le_bytes());
    let length = (size_bytes - index * MIB).min(MIB);
    chunk.truncate(length as usize);
    chunk
}

fn entry(path: &str, size_bytes: u64) -> FileEntry {
    let pattern = pattern();
    let mut hasher = FileHasher::new();
    for index in 0..size_bytes.div_ceil(MIB) {
        hasher.update(&chunk_bytes(&pattern, size_bytes, index));
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

/// Runs a program of `tests/interop` with a question and reads its answer.
fn ask_node(arguments: &[&str], question: &serde_json::Value) -> serde_json::Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    for package in ["ipfs-unixfs-importer", "@ipld/car"] {
        assert!(
            folder.join("node_modules").join(package).is_dir(),
            "the npm packages of this test are missing: run scripts/setup, or `npm ci` in {}",
            folder.display()
        );
    }
    let mut node = Command::new("node")
        .args(arguments)
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cannot run `node`: install Node.js 20 or newer");
    let mut stdin = node.stdin.take().unwrap();
    stdin
        .write_all(serde_json::to_string(question).unwrap().as_bytes())
        .unwrap();
    drop(stdin);
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "node ended with {}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn question(case: Case) -> Vec<serde_json::Value> {
    let file = |(path, size): &(&str, u64)| serde_json::json!({"path": path, "size": size});
    case.iter().map(file).collect()
}

fn their_answers(cases: &[Case]) -> Vec<(String, u64)> {
    let questions: Vec<_> = cases.iter().map(|case| question(case)).collect();
    let answers = ask_node(&["cids.mjs"], &serde_json::json!(questions));
    let answers = answers.as_array().unwrap();
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

/// Our CAR file of a case: one file, or a folder.
fn our_car(case: Case, duplicates: Duplicates) -> (Cid, Vec<Block>, Vec<u8>) {
    let entries: Vec<_> = case.iter().map(|(path, size)| entry(path, *size)).collect();
    let (root, blocks) = match &entries[..] {
        [file] => (
            file.cid.parse().unwrap(),
            file_blocks(file, duplicates).unwrap(),
        ),
        files => (
            directory_link(files).unwrap().cid,
            folder_blocks(files, duplicates).unwrap(),
        ),
    };
    let pattern = pattern();
    let mut writer = CarWriter::new(Vec::new(), root).unwrap();
    for block in &blocks {
        match block {
            Block::Node { cid, bytes } => writer.write(*cid, bytes).unwrap(),
            Block::Chunk { file, index, .. } => {
                let size_bytes = entries[*file].size_bytes;
                let bytes = chunk_bytes(&pattern, size_bytes, *index);
                writer.write(block.cid(), &bytes).unwrap();
            }
        }
    }
    let bytes = writer.finish().unwrap();
    let sizes = blocks.iter().map(Block::size_bytes);
    assert_eq!(bytes.len() as u64, car_size_bytes(sizes));
    (root, blocks, bytes)
}

const CAR_CASES: &[Case] = &[
    &[("f", 0)],
    &[("f", 1)],
    &[("f", MIB - 1)],
    &[("f", MIB)],
    &[("f", MIB + 1)],
    FOLDER,
];

/// Somewhere below the build folder, not in a temporary file system of unknown size.
fn car_path(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    folder.join(format!("{name}-{}.car", std::process::id()))
}

#[test]
fn should_write_car_files_that_another_implementation_reads_block_by_block() {
    for case in CAR_CASES {
        let (root, blocks, bytes) = our_car(case, Duplicates::Once);
        let path = car_path("ours");
        std::fs::write(&path, bytes).unwrap();
        let answer = ask_node(
            &["car.mjs", "read", path.to_str().unwrap()],
            &serde_json::json!(null),
        );
        std::fs::remove_file(&path).unwrap();
        let ours: Vec<_> = blocks.iter().map(|block| block.cid().to_string()).collect();
        let expected =
            serde_json::json!({"version": 1, "roots": [root.to_string()], "blocks": ours});
        assert_eq!(answer, expected, "{case:?}");
    }
}

#[test]
fn should_import_car_files_of_another_implementation_and_its_order_of_blocks() {
    for case in CAR_CASES {
        let path = car_path("theirs");
        let asked = serde_json::json!(question(case));
        let answer = ask_node(&["car.mjs", "write", path.to_str().unwrap()], &asked);
        let input = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
        let mut kept = 0;
        let imported = import(input, |_, chunk| {
            kept += chunk.len() as u64;
            Ok(())
        });
        std::fs::remove_file(&path).unwrap();
        let imported = imported.unwrap();
        assert_eq!(answer["root"], imported.root.to_string());
        let expected: Vec<_> = case.iter().map(|(path, size)| entry(path, *size)).collect();
        assert_eq!(imported.files.len(), expected.len());
        for (file, expected) in imported.files.iter().zip(&expected) {
            assert_eq!(file.chunks, expected.chunks);
            assert_eq!(file.cid.to_string(), expected.cid);
            assert_eq!(file.size_bytes, expected.size_bytes);
            let is_folder = case.len() > 1;
            assert_eq!(file.path, if is_folder { &expected.path[..] } else { "" });
        }
        assert!(kept > 0 || *case == [("f", 0)], "{case:?}");
    }
}
