//! The manifest whose digest is fixed for ever.

use candid::Principal;
use stoa_types::Sha256;
use stoa_types::manifest::{
    Card, Dimension, EvaluationClaim, FileEntry, Lineage, Manifest, Parent, Pipeline, PipelineKind,
    Relation, RoyaltyShare, Signature, TensorSpec,
};
use stoa_types::tensor::DataType;

/// Uses every field and both arms of every option and variant with a payload.
pub fn golden() -> Manifest {
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
            ..Card::default()
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
