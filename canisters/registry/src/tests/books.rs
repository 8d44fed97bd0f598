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
    let tip = with(|state| icrc3_get_tip_certificate(state, &runtime)).unwrap();
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
            proposal_id: None,
            action: action.clone(),
        };
        let hashed = hash(&record, parent);
        found.push(Sha256(hashed).to_string());
        parent = Some(hashed);
    }
    let expected: Vec<_> = actions.iter().map(|(_, hash)| (*hash).to_owned()).collect();
    assert_eq!(found, expected, "{found:#?}");
}

const GOLDEN: [&str; 12] = [
    "f0be0fd975bc40943e0020dad95af236d075d0bef9d0143e28076351dbabc70b",
    "6192709e4f089b34fcaa56902cab4fa6e7b317c43f2789d74ac3439dbd403f40",
    "e790f40f7d43c85659268379eb13c29b368ec152bb5e4144bf2533065895887d",
    "7592c77e095f82ba0d81749038faec8d4628e16d30ae9851e1ae4d38eae0928f",
    "71bec2612c746b755a1e8a7e958aeb93f57af29d0f598a7b4da388f8c3d3fc4e",
    "e949ca2aee8dea08649f120518f6e14c0eaee6df9e48157b665c656c4a53feff",
    "d28080f354808d531f50fca83ef1623126c1509324226e4496e57265f5106762",
    "f21aaab6923fd3b6a90cc04ab7ad5171f727a103996022fb359e92dbcbdebd17",
    "09c21cc827e77a76962c6e5f2106bc3491b1752c61ad62a040097863f8507098",
    "a3354191d8a607f6eb9d28ceedc2317da3bc9b6b38c74a4b041e749989070745",
    "85174cd0b5a746131000071000c905e3f083da160058f79b4d8abef8dc7bb119",
    "498a1b8c06ae90af686b2d26dd79005d024160161a86c2fa3d95e76db5ff45dc",
];
