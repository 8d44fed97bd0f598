//! What a manifest may not be: each rule broken once.

mod golden;

use candid::Principal;
use golden::golden;
use stoa_types::manifest::{Dimension, Manifest};
use stoa_types::{Problem, Sha256, ValidManifest};

type Change = fn(&mut Manifest);

/// Each breaks exactly one rule; the field and the kind of problem are as expected.
#[test]
fn should_refuse_each_broken_rule_with_its_field() {
    type Case = (&'static str, fn(&Problem) -> bool, Change);
    let cases: &[Case] = &[
        (
            "schema",
            |p| matches!(p, Problem::UnknownSchema { .. }),
            |m| m.schema = 2,
        ),
        (
            "publisher",
            |p| matches!(p, Problem::Grammar { .. }),
            |m| m.publisher = "Stoa".into(),
        ),
        (
            "name",
            |p| matches!(p, Problem::TooShort { .. }),
            |m| m.name.clear(),
        ),
        (
            "version",
            |p| matches!(p, Problem::NotSemVer { .. }),
            |m| m.version = "1.0".into(),
        ),
        (
            "license",
            |p| matches!(p, Problem::NotSpdx { .. }),
            |m| m.license = "mine".into(),
        ),
        (
            "task",
            |p| matches!(p, Problem::Grammar { .. }),
            |m| m.task = "a b".into(),
        ),
        (
            "files",
            |p| matches!(p, Problem::TooFew { .. }),
            |m| m.files.clear(),
        ),
        (
            "files[1].path",
            |p| matches!(p, Problem::NotSorted { .. }),
            |m| m.files.swap(0, 1),
        ),
        (
            "files[1].path",
            |p| matches!(p, Problem::Duplicate { .. }),
            |m| m.files[1].path = "readme.md".into(),
        ),
        (
            "files[1].path",
            |p| matches!(p, Problem::Duplicate { .. }),
            |m| m.files[1].path = "README.md/x".into(),
        ),
        (
            "files[1].path",
            |p| matches!(p, Problem::Grammar { .. }),
            |m| m.files[1].path = "../x".into(),
        ),
        (
            "files[1].chunks",
            |p| {
                matches!(
                    p,
                    Problem::ChunkCount {
                        expected: 2,
                        given: 1,
                        ..
                    }
                )
            },
            |m| m.files[1].chunks.truncate(1),
        ),
        (
            "files[1].chunks",
            |p| {
                matches!(
                    p,
                    Problem::ChunkCount {
                        expected: 17_592_186_044_416,
                        ..
                    }
                )
            },
            |m| m.files[1].size_bytes = u64::MAX,
        ),
        (
            "files[1].chunks[1]",
            |p| {
                matches!(
                    p,
                    Problem::ChunkSizeConflict {
                        given: 5,
                        other: 1_048_576
                    }
                )
            },
            |m| m.files[1].chunks[1] = m.files[1].chunks[0],
        ),
        (
            "files[..].chunks",
            |p| {
                matches!(
                    p,
                    Problem::TooMany {
                        given: 16_386,
                        max: 16_384
                    }
                )
            },
            |m| m.files[1].chunks = vec![Sha256([1; 32]); 16_385],
        ),
        (
            "files[0].sha256",
            |p| matches!(p, Problem::HashMismatch { .. }),
            |m| m.files[0].sha256.0[0] ^= 1,
        ),
        (
            "files[0].cid",
            |p| matches!(p, Problem::TooLong { .. }),
            |m| m.files[0].cid = "x".repeat(65),
        ),
        (
            "signature.inputs",
            |p| matches!(p, Problem::TooFew { .. }),
            |m| m.signature.inputs.clear(),
        ),
        (
            "signature.outputs[1].name",
            |p| matches!(p, Problem::Duplicate { .. }),
            |m| m.signature.outputs.push(m.signature.outputs[0].clone()),
        ),
        (
            "signature.inputs[0].shape",
            |p| matches!(p, Problem::TooMany { .. }),
            |m| m.signature.inputs[0].shape = vec![Dimension::Fixed(1); 9],
        ),
        (
            "signature.inputs[0].shape[0]",
            |p| matches!(p, Problem::OutOfRange { given: 0, .. }),
            |m| m.signature.inputs[0].shape[0] = Dimension::Fixed(0),
        ),
        (
            "signature.inputs[0].shape[1]",
            |p| matches!(p, Problem::OutOfRange { .. }),
            |m| m.signature.inputs[0].shape[1] = Dimension::Fixed((1 << 31) + 1),
        ),
        (
            "signature.inputs[0].shape",
            |p| matches!(p, Problem::TooManyElements { .. }),
            |m| m.signature.inputs[0].shape = vec![Dimension::Fixed(1 << 31); 8],
        ),
        (
            "signature.outputs[0].shape[0]",
            |p| {
                matches!(
                    p,
                    Problem::DimensionConflict {
                        given: 8,
                        other: 16,
                        ..
                    }
                )
            },
            |m| {
                m.signature.outputs[0].shape[0] = Dimension::Dynamic {
                    name: "batch".into(),
                    max: 8,
                };
            },
        ),
        (
            "pipeline.model",
            |p| matches!(p, Problem::NoSuchFile { .. }),
            |m| m.pipeline.model = "other.onnx".into(),
        ),
        (
            "pipeline.labels[1]",
            |p| {
                matches!(
                    p,
                    Problem::ControlCharacter {
                        code_point: 10,
                        at: 1
                    }
                )
            },
            |m| m.pipeline.labels[1] = "a\nb".into(),
        ),
        (
            "pipeline.labels",
            |p| matches!(p, Problem::TooMany { .. }),
            |m| m.pipeline.labels = vec!["x".into(); 32_769],
        ),
        (
            "manifest",
            |p| matches!(p, Problem::TextTotal { .. }),
            |m| m.pipeline.labels = vec!["x".repeat(200); 2_000],
        ),
        (
            "card.markdown",
            |p| matches!(p, Problem::TooLong { .. }),
            |m| m.card.markdown = "x".repeat(128 * 1024 + 1),
        ),
        (
            "card.tags[0]",
            |p| matches!(p, Problem::TooShort { .. }),
            |m| m.card.tags[0].clear(),
        ),
        (
            "card.metrics",
            |p| matches!(p, Problem::TooMany { given: 65, max: 64 }),
            |m| m.card.metrics = vec!["x".into(); 65],
        ),
        (
            "lineage.parents[1].version",
            |p| matches!(p, Problem::Duplicate { .. }),
            |m| m.lineage.parents.push(m.lineage.parents[0].clone()),
        ),
        (
            "lineage.code_revision",
            |p| matches!(p, Problem::TooShort { .. }),
            |m| m.lineage.code_revision = Some(String::new()),
        ),
        (
            "royalties",
            |p| {
                matches!(
                    p,
                    Problem::SharesTooHigh {
                        given: 10_001,
                        max: 10_000
                    }
                )
            },
            |m| m.royalties[0].basis_points = 2_501,
        ),
        (
            "royalties[0].basis_points",
            |p| matches!(p, Problem::OutOfRange { given: 0, .. }),
            |m| m.royalties[0].basis_points = 0,
        ),
        (
            "royalties[0].owner",
            |p| matches!(p, Problem::NotPayable),
            |m| m.royalties[0].owner = Principal::anonymous(),
        ),
        (
            "royalties[1].owner",
            |p| matches!(p, Problem::Duplicate { .. }),
            |m| m.royalties[1].subaccount = Some(Sha256([0; 32])),
        ),
        (
            "signature.inputs[0].name",
            |p| matches!(p, Problem::TooShort { .. }),
            |m| m.signature.inputs[0].name.clear(),
        ),
        (
            "signature.outputs",
            |p| matches!(p, Problem::TooFew { .. }),
            |m| m.signature.outputs.clear(),
        ),
        (
            "card.language[0]",
            |p| matches!(p, Problem::TooLong { given: 36, max: 35 }),
            |m| m.card.language = vec!["x".repeat(36)],
        ),
        (
            "card.datasets[0]",
            |p| matches!(p, Problem::ControlCharacter { .. }),
            |m| m.card.datasets = vec!["a\u{202E}b".into()],
        ),
        (
            "card.metrics[0]",
            |p| matches!(p, Problem::TooLong { given: 65, .. }),
            |m| m.card.metrics = vec!["x".repeat(65)],
        ),
        (
            "card.base_model",
            |p| matches!(p, Problem::TooShort { .. }),
            |m| m.card.base_model = Some(String::new()),
        ),
        (
            "lineage.parents",
            |p| matches!(p, Problem::TooMany { given: 65, max: 64 }),
            |m| m.lineage.parents = vec![m.lineage.parents[0].clone(); 65],
        ),
        (
            "lineage.datasets[0]",
            |p| matches!(p, Problem::TooLong { given: 257, .. }),
            |m| m.lineage.datasets = vec!["x".repeat(257)],
        ),
        (
            "lineage.service_endpoints",
            |p| matches!(p, Problem::TooMany { given: 17, max: 16 }),
            |m| m.lineage.service_endpoints = vec!["x".into(); 17],
        ),
        (
            "royalties",
            |p| matches!(p, Problem::TooMany { given: 17, max: 16 }),
            |m| m.royalties = vec![m.royalties[0].clone(); 17],
        ),
        (
            "claims",
            |p| matches!(p, Problem::TooMany { given: 65, max: 64 }),
            |m| m.claims = vec![m.claims[0].clone(); 65],
        ),
        (
            "claims[0].dataset",
            |p| matches!(p, Problem::TooShort { .. }),
            |m| m.claims[0].dataset.clear(),
        ),
        (
            "claims[0].metric",
            |p| matches!(p, Problem::ControlCharacter { .. }),
            |m| m.claims[0].metric = "a\nb".into(),
        ),
        (
            "claims[0].value",
            |p| matches!(p, Problem::Grammar { .. }),
            |m| m.claims[0].value = "97.3%".into(),
        ),
        (
            "claims[0].split",
            |p| matches!(p, Problem::TooLong { .. }),
            |m| m.claims[0].split = "x".repeat(65),
        ),
    ];
    for (field, is_expected, change) in cases {
        let mut manifest = golden();
        change(&mut manifest);
        let refused = ValidManifest::try_from(manifest).expect_err(field);
        assert_eq!(refused.field, *field, "{refused}");
        assert!(is_expected(&refused.problem), "{refused:?}");
    }
}

#[test]
fn should_name_a_repeated_chunk_once() {
    let mut manifest = golden();
    let mut copy = manifest.files[1].clone();
    copy.path = "model2.onnx".to_owned();
    manifest.files.push(copy);
    let valid = ValidManifest::try_from(manifest).unwrap();
    let sizes: Vec<_> = valid
        .distinct_chunks()
        .iter()
        .map(|chunk| chunk.size_bytes)
        .collect();
    assert_eq!(sizes, [0, 1 << 20, 5]);
    assert_eq!(valid.size_bytes(), 2 * ((1 << 20) + 5));
    assert_eq!(valid.manifest().distinct_chunks(), valid.distinct_chunks());
}
