//! The identifier of a version must never change its meaning: a golden vector,
//! worked out by a program in another language, and the property that every field counts.

use candid::Principal;
use proptest::prelude::*;
use stoa_types::manifest::{
    Card, Dimension, EvaluationClaim, FileEntry, Lineage, Manifest, Parent, Pipeline, PipelineKind,
    Relation, RoyaltyShare, Signature, TensorSpec,
};
use stoa_types::tensor::DataType;
use stoa_types::{Problem, Sha256, ValidManifest};

/// Uses every field and both arms of every option and variant with a payload.
fn golden() -> Manifest {
    let weights = FileEntry {
        path: "model.onnx".to_owned(),
        size_bytes: (1 << 20) + 5,
        sha256: Sha256([0x11; 32]),
        cid: "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi".to_owned(),
        chunks: vec![Sha256([0x22; 32]), Sha256([0x33; 32])],
    };
    let readme = FileEntry {
        path: "README.md".to_owned(),
        size_bytes: 0,
        sha256: Sha256::of(b""),
        cid: "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku".to_owned(),
        chunks: vec![Sha256::of(b"")],
    };
    Manifest {
        schema: 1,
        publisher: "stoa".to_owned(),
        name: "digits".to_owned(),
        version: "1.2.3-rc.1+build.7".to_owned(),
        license: "Apache-2.0".to_owned(),
        task: "image-classification".to_owned(),
        files: vec![readme, weights],
        signature: Signature {
            inputs: vec![TensorSpec {
                name: "image".to_owned(),
                datatype: DataType::FP32,
                shape: vec![
                    Dimension::Dynamic {
                        name: "batch".to_owned(),
                        max: 16,
                    },
                    Dimension::Fixed(64),
                ],
            }],
            outputs: vec![TensorSpec {
                name: "probabilities".to_owned(),
                datatype: DataType::FP32,
                shape: vec![
                    Dimension::Dynamic {
                        name: "batch".to_owned(),
                        max: 16,
                    },
                    Dimension::Fixed(10),
                ],
            }],
        },
        pipeline: Pipeline {
            model: "model.onnx".to_owned(),
            kind: PipelineKind::Tensors,
            labels: vec!["zero".to_owned(), "eins".to_owned(), "二".to_owned()],
        },
        card: Card {
            markdown: "# Digits\n\nReads digits.\n".to_owned(),
            language: vec!["en".to_owned()],
            tags: vec!["vision".to_owned(), "small".to_owned()],
            datasets: vec!["sklearn/digits".to_owned()],
            metrics: vec!["accuracy".to_owned()],
            base_model: Some("stoa/digits-base".to_owned()),
        },
        lineage: Lineage {
            parents: vec![Parent {
                version: Sha256([0x44; 32]),
                relation: Relation::Quantized,
            }],
            datasets: vec!["sklearn/digits".to_owned()],
            code_revision: Some("https://example.org/repository@0123abc".to_owned()),
            service_endpoints: vec!["https://example.org/digits".to_owned()],
        },
        royalties: vec![
            RoyaltyShare {
                owner: Principal::from_slice(&[1, 2, 3]),
                subaccount: None,
                basis_points: 2_500,
            },
            RoyaltyShare {
                owner: Principal::from_slice(&[1, 2, 3]),
                subaccount: Some(Sha256([0x55; 32])),
                basis_points: 7_500,
            },
        ],
        claims: vec![EvaluationClaim {
            dataset: "sklearn/digits".to_owned(),
            split: "test".to_owned(),
            metric: "accuracy".to_owned(),
            value: "0.973".to_owned(),
        }],
    }
}

#[test]
fn should_give_the_golden_digest() {
    let digest = golden().digest();
    assert_eq!(
        digest.to_string(),
        "c9e5c8a384402a7a144a48624dd823e81bb36355608b9fd25c0fdbb7fa929984"
    );
    assert_eq!(ValidManifest::try_from(golden()).unwrap().digest(), digest);
}

type Change = fn(&mut Manifest);

/// One change for every leaf of the manifest, and for adding, removing and swapping entries of every list.
const CHANGES: &[(&str, Change)] = &[
    ("schema", |m| m.schema += 1),
    ("publisher", |m| m.publisher.push('x')),
    ("name", |m| m.name.push('x')),
    ("version", |m| m.version.push('x')),
    ("license", |m| m.license.push('x')),
    ("task", |m| m.task.push('x')),
    ("a file less", |m| drop(m.files.pop())),
    ("files swapped", |m| m.files.swap(0, 1)),
    ("path", |m| m.files[0].path.push('x')),
    ("size_bytes", |m| m.files[0].size_bytes += 1),
    ("sha256", |m| m.files[0].sha256.0[31] ^= 1),
    ("cid", |m| m.files[0].cid.push('x')),
    ("chunk", |m| m.files[1].chunks[1].0[0] ^= 1),
    ("a chunk less", |m| drop(m.files[1].chunks.pop())),
    ("chunks swapped", |m| m.files[1].chunks.swap(0, 1)),
    ("an input as output", |m| {
        let input = m.signature.inputs.pop().unwrap();
        m.signature.outputs.push(input);
    }),
    ("input name", |m| m.signature.inputs[0].name.push('x')),
    ("input type", |m| {
        m.signature.inputs[0].datatype = DataType::FP64
    }),
    ("input shape", |m| drop(m.signature.inputs[0].shape.pop())),
    ("fixed extent", |m| {
        m.signature.inputs[0].shape[1] = Dimension::Fixed(65)
    }),
    ("dynamic maximum", |m| {
        m.signature.inputs[0].shape[0] = Dimension::Dynamic {
            name: "batch".to_owned(),
            max: 17,
        };
    }),
    ("dynamic name", |m| {
        m.signature.inputs[0].shape[0] = Dimension::Dynamic {
            name: "n".to_owned(),
            max: 16,
        };
    }),
    ("dynamic becomes fixed", |m| {
        m.signature.inputs[0].shape[0] = Dimension::Fixed(16)
    }),
    ("output name", |m| m.signature.outputs[0].name.push('x')),
    ("pipeline model", |m| m.pipeline.model.push('x')),
    ("a label", |m| m.pipeline.labels[0].push('x')),
    ("labels swapped", |m| m.pipeline.labels.swap(0, 1)),
    ("markdown", |m| m.card.markdown.push('x')),
    ("language", |m| m.card.language.push("de".to_owned())),
    ("tags", |m| m.card.tags.push("x".to_owned())),
    ("card datasets", |m| m.card.datasets.push("x".to_owned())),
    ("metrics", |m| m.card.metrics.push("x".to_owned())),
    ("base_model text", |m| {
        m.card.base_model.as_mut().unwrap().push('x')
    }),
    ("base_model absent", |m| m.card.base_model = None),
    ("base_model empty", |m| {
        m.card.base_model = Some(String::new())
    }),
    ("a parent less", |m| drop(m.lineage.parents.pop())),
    ("parent", |m| m.lineage.parents[0].version.0[0] ^= 1),
    ("relation", |m| {
        m.lineage.parents[0].relation = Relation::Finetune
    }),
    ("lineage datasets", |m| {
        m.lineage.datasets.push("x".to_owned())
    }),
    ("code_revision", |m| m.lineage.code_revision = None),
    ("code_revision text", |m| {
        m.lineage.code_revision.as_mut().unwrap().push('x')
    }),
    ("service_endpoints", |m| {
        drop(m.lineage.service_endpoints.pop())
    }),
    ("a royalty less", |m| drop(m.royalties.pop())),
    ("royalty owner", |m| {
        m.royalties[0].owner = Principal::from_slice(&[1, 2, 4])
    }),
    ("royalty subaccount", |m| m.royalties[1].subaccount = None),
    ("royalty subaccount of zeros", |m| {
        m.royalties[0].subaccount = Some(Sha256([0; 32]))
    }),
    ("royalty share", |m| m.royalties[0].basis_points -= 1),
    ("royalties swapped", |m| m.royalties.swap(0, 1)),
    ("a claim less", |m| drop(m.claims.pop())),
    ("claim dataset", |m| m.claims[0].dataset.push('x')),
    ("claim split", |m| m.claims[0].split.push('x')),
    ("claim metric", |m| m.claims[0].metric.push('x')),
    ("claim value", |m| m.claims[0].value.push('0')),
];

#[test]
fn should_give_another_digest_for_every_single_change() {
    let mut digests = vec![("nothing", golden().digest())];
    for (name, change) in CHANGES {
        let mut manifest = golden();
        change(&mut manifest);
        let digest = manifest.digest();
        for (other, known) in &digests {
            assert_ne!(
                digest, *known,
                "changing {name} gives the digest of changing {other}"
            );
        }
        digests.push((name, digest));
    }
}

fn manifest() -> impl Strategy<Value = Manifest> {
    let texts = || prop::collection::vec("[a-z]{0,4}", 0..3);
    (
        (
            "[a-z]{0,4}",
            "[a-z]{0,4}",
            "[0-9.]{0,5}",
            any::<[u8; 32]>(),
            any::<u64>(),
        ),
        (texts(), texts(), texts(), texts(), texts()),
        (
            prop::option::of("[a-z]{0,3}"),
            prop::option::of("[a-z]{0,3}"),
            any::<u16>(),
            prop::option::of(any::<[u8; 32]>()),
        ),
        1_u64..5,
    )
        .prop_map(|(head, lists, options, extent)| {
            let mut m = golden();
            (m.publisher, m.name, m.version) = (head.0, head.1, head.2);
            m.files[0].sha256 = Sha256(head.3);
            m.files[0].size_bytes = head.4;
            (m.card.tags, m.card.language, m.card.datasets) = (lists.0, lists.1, lists.2);
            (m.pipeline.labels, m.lineage.datasets) = (lists.3, lists.4);
            (m.card.base_model, m.lineage.code_revision) = (options.0, options.1);
            m.royalties[0].basis_points = options.2;
            m.royalties[0].subaccount = options.3.map(Sha256);
            m.signature.inputs[0].shape[1] = Dimension::Fixed(extent);
            m
        })
}

proptest! {
    #[test]
    fn should_give_equal_digests_to_equal_manifests_only(a in manifest(), b in manifest()) {
        prop_assert_eq!(a == b, a.digest() == b.digest());
        prop_assert_eq!(a.clone().digest(), a.digest());
    }

    #[test]
    fn should_keep_the_digest_over_candid(m in manifest()) {
        let bytes = candid::encode_one(&m).unwrap();
        let back: Manifest = candid::decode_one(&bytes).unwrap();
        prop_assert_eq!(back.digest(), m.digest());
    }
}

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
            |m| drop(m.files[1].chunks.pop()),
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
