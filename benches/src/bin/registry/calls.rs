//! The calls that are measured, and the manifests in them.

use std::collections::BTreeMap;

use candid::encode_one;
use stoa_registry::image::manifest;
use stoa_registry_api::*;
use stoa_types::Sha256;
use stoa_types::manifest::Manifest;

/// A model like all others, whose eight chunks there are.
pub fn small_manifest(models: u32) -> (Manifest, BTreeMap<Sha256, Vec<u8>>) {
    let mut bytes = vec![0; 8 << 20];
    // Each chunk is another, and other with each library.
    for (index, chunk) in (0_u32..).zip(bytes.chunks_mut(1 << 20)) {
        chunk[..4].copy_from_slice(&models.to_le_bytes());
        chunk[4..8].copy_from_slice(&index.to_le_bytes());
    }
    let mut manifest = manifest(&format!("bench-{models}"), models, None);
    manifest.files = vec![stoa_content::hash_file("model.onnx", bytes.as_slice()).expect("a file")];
    let chunks = bytes
        .chunks(1 << 20)
        .map(|chunk| (Sha256::of(chunk), chunk.to_vec()));
    (manifest, chunks.collect())
}

/// As many chunks and as long texts as the rules allow.
pub fn largest_manifest(publisher: &str, models: u32) -> Manifest {
    let hash = |n: u32| Sha256::of(&[models.to_le_bytes(), n.to_le_bytes()].concat());
    let chunks: Vec<Sha256> = (0..16_384).map(hash).collect();
    let size_bytes = 16_384 << 20;
    let mut largest = manifest(publisher, models + 1, None);
    let file = &mut largest.files[0];
    file.cid = stoa_content::file_cid(&chunks, size_bytes)
        .expect("a tree of chunks")
        .to_string();
    file.size_bytes = size_bytes;
    file.chunks = chunks;
    largest.card.markdown = "x".repeat(128 * 1024);
    largest.pipeline.labels = vec!["12345".to_owned(); 32_768];
    largest
}

pub type Call = (&'static str, &'static str, Vec<u8>);

pub fn queries(models: u32) -> Vec<Call> {
    let search = |args: SearchArgs| encode_one(args).expect("arguments encode");
    let base = SearchArgs {
        limit: Some(100),
        ..SearchArgs::default()
    };
    let last = manifest(&format!("lab-{}", (models - 1) / 1_000), models - 1, None);
    let name = format!("{}/{}", last.publisher, last.name);
    let first = manifest("lab-0", 8, None).digest();
    vec![
        (
            "search: everything, a page of 100",
            "search",
            search(base.clone()),
        ),
        (
            "search: a word of every version, a page of 100",
            "search",
            search(SearchArgs {
                text: Some("base".into()),
                ..base.clone()
            }),
        ),
        (
            "search: eight words and five filters",
            "search",
            search(SearchArgs {
                text: Some("b ba bas base n ne tr on".into()),
                task: Some("text-classification".into()),
                tag: Some("onnx".into()),
                publisher: Some("lab-0".into()),
                status: Some(VersionStatus::Admitted),
                license: Some("MIT".into()),
                ..base.clone()
            }),
        ),
        (
            "search: a page in the middle",
            "search",
            search(SearchArgs {
                before: Some(u64::from(models / 2)),
                ..base.clone()
            }),
        ),
        (
            "search: one model by its name",
            "search",
            search(SearchArgs {
                text: Some(last.name.clone()),
                ..base
            }),
        ),
        (
            "list_versions: a page of 100",
            "list_versions",
            encode_one(ListVersionsArgs {
                after: None,
                limit: Some(100),
            })
            .expect("arguments encode"),
        ),
        (
            "list_lineage: children",
            "list_lineage",
            encode_one(LineageArgs {
                version: first,
                direction: LineageDirection::Children,
                depth: None,
                after: None,
                limit: None,
            })
            .expect("arguments encode"),
        ),
        (
            "resolve",
            "resolve",
            encode_one(&name).expect("arguments encode"),
        ),
        (
            "get_model",
            "get_model",
            encode_one(&name).expect("arguments encode"),
        ),
        (
            "get_version_certified",
            "get_version_certified",
            encode_one(first).expect("arguments encode"),
        ),
        (
            "icrc3_get_blocks: 200",
            "icrc3_get_blocks",
            encode_one(vec![icrc_ledger_types::icrc3::blocks::GetBlocksRequest {
                start: 0_u8.into(),
                length: 200_u8.into(),
            }])
            .expect("arguments encode"),
        ),
    ]
}
