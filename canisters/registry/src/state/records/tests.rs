//! Old bytes are read, new ones come back as they went.

use super::*;

fn assert_reads<T: Storable + PartialEq + std::fmt::Debug>(hex: &str, expected: T) {
    let decode = |index| u8::from_str_radix(&hex[index..index + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(decode).collect();
    assert_eq!(T::from_bytes(Cow::Borrowed(&bytes)), expected);
}

/// Bytes that version 1 wrote. Later code must read them, so these lines only ever get company.
#[test]
fn should_read_records_of_version_1() {
    let owner = Principal::from_slice(&[1, 2, 3]);
    assert_reads(
        "a1625631a26a676f7665726e616e6365430102036b6f70656e5f64726166747307",
        Settings {
            open_drafts: 7,
            ..Settings::new(owner, None)
        },
    );
    assert_reads(
        "a1625631a3697072696e636970616c430102036e63617061636974795f6279746573f66e61737369676e65645f627974657305",
        ShardRecord {
            principal: owner,
            capacity_bytes: None,
            assigned_bytes: 5,
        },
    );
    assert_reads(
        "a1625631a2656f776e65724301020370637265617465645f61745f6e616e6f7309",
        PublisherRecord {
            owner,
            created_at_nanos: 9,
            co_publishers: vec![],
            offered_to: None,
        },
    );
}

#[test]
fn should_read_back_what_it_writes() {
    fn assert_kept<T: Storable + Clone + PartialEq + std::fmt::Debug>(record: T) {
        assert_eq!(T::from_bytes(record.to_bytes()), record);
    }
    let owner = Principal::from_slice(&[7; 29]);
    let version = Sha256([5; 32]);
    assert_kept(AccountRecord {
        handles: vec!["a".into()],
        open_drafts: 3,
    });
    assert_kept(ModelRecord {
        price_per_call_e8s: u64::MAX,
        newest_admitted: Some(NewestAdmitted {
            semver: "1.0.0".into(),
            version,
        }),
        versions: 7,
        latest: Some(version),
        stable: None,
        aliases: vec![AliasRecord {
            alias: "small".into(),
            version,
        }],
        face: Some(4),
    });
    assert_kept(VersionRecord {
        publisher: "stoa".into(),
        name: "digits".into(),
        semver: "1.0.0".into(),
        license: "MIT".into(),
        task: "x".into(),
        size_bytes: 1 << 34,
        status: Status::Proposed,
        created_by: owner,
        created_at_nanos: 1,
        announced_for: Some(owner),
        tags: vec!["vision".into()],
        document: Some(9),
        deposit: Some(1),
        expires_at_nanos: 5,
        proposal_id: Some(3),
        reason: Some("wrong".into()),
        successor: Some(version),
        is_released: true,
        is_complete: true,
    });
    assert_kept(PlacementRecord {
        segments: vec![SegmentRecord {
            file: 1,
            first_chunk: 1024,
            chunks: 3,
            shards: vec![0, 499],
        }],
    });
    assert_kept(ChunkPlace {
        hash: [3; 32],
        shard: 258,
    });
    for action in [
        Action::Installed {
            governance: owner,
            shards: vec![owner],
        },
        Action::ClaimedPublisher {
            handle: "stoa".into(),
        },
        Action::ChangedStatus {
            version,
            from: None,
            to: Status::Draft,
            proposal_id: Some(1),
            reason: Some("wrong".into()),
            successor: Some(version),
        },
        Action::RemovedVersion {
            version,
            cause: Cause::Expired,
        },
        Action::OfferedPublisher {
            handle: "stoa".into(),
            to: None,
        },
        Action::TransferredPublisher {
            handle: "stoa".into(),
            from: owner,
            to: owner,
        },
        Action::SetCoPublishers {
            handle: "stoa".into(),
            co_publishers: vec![owner],
        },
        Action::SetAlias {
            model: "stoa/digits".into(),
            alias: "small".into(),
            version: Some(version),
        },
        Action::SetParameters {
            parameters: crate::parameters::DEFAULT,
        },
        Action::Migrated {
            from_layout: 1,
            to_layout: 2,
        },
        Action::SetPrice {
            model: "stoa/digits".into(),
            price_per_call_e8s: 1,
        },
    ] {
        assert_kept(AuditRecord {
            timestamp_nanos: 1,
            actor: owner,
            action,
        });
    }
}
