//! The identifier of a version must never change its meaning: a golden vector,
//! worked out by a program in another language, and the property that every field counts.

mod golden;

use candid::Principal;
use golden::golden;
use proptest::prelude::*;
use stoa_types::manifest::{Dimension, Manifest, Relation};
use stoa_types::tensor::DataType;
use stoa_types::{Sha256, ValidManifest};

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
    ("a file less", |m| m.files.truncate(1)),
    ("files swapped", |m| m.files.swap(0, 1)),
    ("path", |m| m.files[0].path.push('x')),
    ("size_bytes", |m| m.files[0].size_bytes += 1),
    ("sha256", |m| m.files[0].sha256.0[31] ^= 1),
    ("cid", |m| m.files[0].cid.push('x')),
    ("chunk", |m| m.files[1].chunks[1].0[0] ^= 1),
    ("a chunk less", |m| m.files[1].chunks.truncate(1)),
    ("chunks swapped", |m| m.files[1].chunks.swap(0, 1)),
    ("an input as output", |m| {
        let input = m.signature.inputs.pop().unwrap();
        m.signature.outputs.push(input);
    }),
    ("input name", |m| m.signature.inputs[0].name.push('x')),
    ("input type", |m| {
        m.signature.inputs[0].datatype = DataType::FP64
    }),
    ("input shape", |m| m.signature.inputs[0].shape.truncate(1)),
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
    ("library_name", |m| {
        m.card.library_name = Some("x".to_owned())
    }),
    ("license_name", |m| {
        m.card.license_name = Some("x".to_owned())
    }),
    ("license_link", |m| {
        m.card.license_link = Some("x".to_owned())
    }),
    ("a parent less", |m| m.lineage.parents.clear()),
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
    ("service_endpoints", |m| m.lineage.service_endpoints.clear()),
    ("a royalty less", |m| m.royalties.truncate(1)),
    ("royalty owner", |m| {
        m.royalties[0].owner = Principal::from_slice(&[1, 2, 4])
    }),
    ("royalty subaccount", |m| m.royalties[1].subaccount = None),
    ("royalty subaccount of zeros", |m| {
        m.royalties[0].subaccount = Some(Sha256([0; 32]))
    }),
    ("royalty share", |m| m.royalties[0].basis_points -= 1),
    ("royalties swapped", |m| m.royalties.swap(0, 1)),
    ("a claim less", |m| m.claims.clear()),
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
