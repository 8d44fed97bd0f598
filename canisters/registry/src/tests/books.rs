//! The audit log as ICRC-3 blocks: each names the one before, the tip is certified, and what is in a block never changes.

use candid::Nat;
use ic_certification::{HashTree, LookupResult};
use icrc_ledger_types::icrc::generic_value::ICRC3Value;
use icrc_ledger_types::icrc3::blocks::GetBlocksRequest;

use super::*;
use crate::blocks::{
    hash, icrc3_get_blocks, icrc3_get_tip_certificate, icrc3_supported_block_types,
};
use crate::state::records::{Action, AuditRecord, Cause};

fn blocks(start: u64, length: u64) -> Vec<(Nat, ICRC3Value)> {
    let range = GetBlocksRequest {
        start: Nat::from(start),
        length: Nat::from(length),
    };
    let result = with(|state| icrc3_get_blocks(state, &[range]));
    assert_eq!(result.archived_blocks, []);
    let blocks = result.blocks.into_iter();
    blocks.map(|block| (block.id, block.block)).collect()
}

#[test]
fn should_chain_every_block_to_the_one_before_and_certify_the_last() {
    let runtime = prepared();
    publish(&runtime, manifest());
    seal_new(&runtime, version_manifest("2.0.0"));
    let all = blocks(0, 1_000);
    assert_eq!(all.len() as u64, with(|state| state.audit.len()));
    let mut parent: Option<[u8; 32]> = None;
    for (index, (id, block)) in all.iter().enumerate() {
        assert_eq!(*id, Nat::from(index as u64));
        let ICRC3Value::Map(fields) = block else {
            panic!("a block is a map");
        };
        let phash = fields.get("phash").map(|value| match value {
            ICRC3Value::Blob(bytes) => bytes.to_vec(),
            other => panic!("phash is {other:?}"),
        });
        assert_eq!(phash, parent.map(|hash| hash.to_vec()));
        let Some(ICRC3Value::Text(block_type)) = fields.get("btype") else {
            panic!("a block has a type");
        };
        let supported = icrc3_supported_block_types();
        assert!(
            supported
                .iter()
                .any(|known| known.block_type == *block_type)
        );
        parent = Some(block.clone().hash());
    }
    let tip = icrc3_get_tip_certificate(&runtime).unwrap();
    let tree: HashTree = serde_cbor::from_slice(&tip.hash_tree).unwrap();
    assert_eq!(tree.digest(), runtime.certified_data());
    let last = parent.unwrap();
    assert_eq!(
        tree.lookup_path([b"last_block_hash".as_slice()]),
        LookupResult::Found(&last)
    );
    let index = [(all.len() - 1) as u8];
    assert_eq!(
        tree.lookup_path([b"last_block_index".as_slice()]),
        LookupResult::Found(&index)
    );
}

#[test]
fn should_answer_any_ranges_within_its_limits() {
    let runtime = prepared();
    publish(&runtime, manifest());
    assert_eq!(blocks(2, 2).len(), 2);
    assert_eq!(blocks(u64::MAX, u64::MAX).len(), 0);
    let everything = GetBlocksRequest {
        start: Nat::from(0_u8),
        length: Nat::from(u128::MAX),
    };
    let many = vec![everything; 150];
    let result = with(|state| icrc3_get_blocks(state, &many));
    assert_eq!(result.blocks.len(), 200);
    assert_eq!(result.log_length, Nat::from(6_u8));
}

/// What a block hashes to, for ever: these lines only ever get company.
#[test]
fn should_hash_each_kind_of_block_as_it_always_did() {
    let who = Principal::from_slice(&[1, 2, 3]);
    let version = Sha256([5; 32]);
    let actions: Vec<(Action, &str)> = vec![
        (
            Action::Installed {
                governance: who,
                shards: vec![who],
            },
            GOLDEN[0],
        ),
        (
            Action::ClaimedPublisher {
                handle: "stoa".into(),
            },
            GOLDEN[1],
        ),
        (
            Action::ChangedStatus {
                version,
                from: None,
                to: Status::Draft,
                proposal_id: None,
                reason: None,
                successor: None,
            },
            GOLDEN[2],
        ),
        (
            Action::ChangedStatus {
                version,
                from: Some(Status::Admitted),
                to: Status::Deprecated,
                proposal_id: Some(300),
                reason: Some("old".into()),
                successor: Some(version),
            },
            GOLDEN[3],
        ),
        (
            Action::SetPrice {
                model: "stoa/digits".into(),
                price_per_call_e8s: 7,
            },
            GOLDEN[4],
        ),
        (
            Action::RemovedVersion {
                version,
                cause: Cause::Expired,
            },
            GOLDEN[5],
        ),
        (
            Action::OfferedPublisher {
                handle: "stoa".into(),
                to: Some(who),
            },
            GOLDEN[6],
        ),
        (
            Action::TransferredPublisher {
                handle: "stoa".into(),
                from: who,
                to: who,
            },
            GOLDEN[7],
        ),
        (
            Action::SetCoPublishers {
                handle: "stoa".into(),
                co_publishers: vec![who],
            },
            GOLDEN[8],
        ),
        (
            Action::SetAlias {
                model: "stoa/digits".into(),
                alias: "small".into(),
                version: Some(version),
            },
            GOLDEN[9],
        ),
        (
            Action::SetParameters {
                parameters: crate::parameters::DEFAULT,
            },
            GOLDEN[10],
        ),
        (
            Action::Migrated {
                from_layout: 1,
                to_layout: 2,
            },
            GOLDEN[11],
        ),
    ];
    let mut parent = None;
    let mut found = vec![];
    for (action, _) in &actions {
        let record = AuditRecord {
            timestamp_nanos: 1_700_000_000_000_000_000,
            actor: who,
            action: action.clone(),
        };
        let hashed = hash(&record, parent);
        found.push(Sha256(hashed).to_string());
        parent = Some(hashed);
    }
    let expected: Vec<_> = actions.iter().map(|(_, hash)| (*hash).to_owned()).collect();
    assert_eq!(found, expected, "{found:#?}");
}

const GOLDEN: [&str; 12] = [""; 12];
