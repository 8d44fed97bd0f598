//! The audit log as ICRC-3 blocks: each names the hash of the one before, the last one is certified, so that a reader who
//! trusts the root key alone can tell that nothing was changed, left out or put in between.
//!
//! ```text
//! block   { phash: Blob (but for the first), btype: Text, ts: Nat (nanoseconds), tx: Map }
//! tx      { actor: Blob, and what the type says: blobs for digests and principals, texts, nats, arrays }
//! ```
//! A block is made from its entry whenever it is asked for, and hashed when the entry is written: what is made from an entry
//! that exists must never change (the test with committed hashes says so).

use candid::{Nat, Principal};
use icrc_ledger_types::icrc::generic_value::ICRC3Value as Value;
use icrc_ledger_types::icrc3::archive::{GetArchivesArgs, GetArchivesResult};
use icrc_ledger_types::icrc3::blocks::{
    BlockWithId, GetBlocksRequest, GetBlocksResult, ICRC3DataCertificate, SupportedBlockType,
};
use serde_bytes::ByteBuf;
use stoa_registry_api::VersionStatus;
use stoa_types::Sha256;

use crate::certification;
use crate::limits::{BLOCK_RANGES_PER_CALL_MAX, BLOCKS_PER_CALL_MAX};
use crate::runtime::Runtime;
use crate::state::State;
use crate::state::records::{Action, AuditRecord, Cause, Parameters, Status};

type Fields = Vec<(&'static str, Value)>;

pub fn hash(record: &AuditRecord, parent: Option<[u8; 32]>) -> [u8; 32] {
    block(record, parent).hash()
}

fn block(record: &AuditRecord, parent: Option<[u8; 32]>) -> Value {
    let (block_type, mut fields) = transaction(&record.action);
    fields.push(("actor", principal(&record.actor)));
    push_some(&mut fields, "proposal_id", record.proposal_id.map(nat));
    let mut block = vec![
        ("btype", text(block_type)),
        ("ts", nat(record.timestamp_nanos)),
        ("tx", map(fields)),
    ];
    if let Some(parent) = parent {
        block.push(("phash", blob(&parent)));
    }
    map(block)
}

const TYPES: [&str; 18] = [
    "stoa_installed",
    "stoa_claimed_publisher",
    "stoa_changed_status",
    "stoa_set_price",
    "stoa_removed_version",
    "stoa_offered_publisher",
    "stoa_transferred_publisher",
    "stoa_set_co_publishers",
    "stoa_set_alias",
    "stoa_set_parameters",
    "stoa_migrated",
    "stoa_added_shard",
    "stoa_retired_shard",
    "stoa_set_fleet_policy",
    "stoa_set_shard_module",
    "stoa_added_inference",
    "stoa_removed_inference",
    "stoa_assigned_model",
];

fn transaction(action: &Action) -> (&'static str, Fields) {
    match action {
        Action::Installed { governance, shards } => (
            TYPES[0],
            vec![
                ("governance", principal(governance)),
                ("shards", principals(shards)),
            ],
        ),
        Action::ClaimedPublisher { handle } => (TYPES[1], vec![("handle", text(handle))]),
        Action::ChangedStatus {
            version,
            from,
            to,
            proposal_id,
            reason,
            successor,
        } => {
            let mut fields = vec![("version", digest(version)), ("to", status(*to))];
            push_some(&mut fields, "from", from.map(status));
            push_some(&mut fields, "proposal_id", proposal_id.map(nat));
            push_some(&mut fields, "reason", reason.as_deref().map(text));
            push_some(&mut fields, "successor", successor.as_ref().map(digest));
            (TYPES[2], fields)
        }
        Action::SetPrice {
            model,
            price_per_call_e8s,
        } => (
            TYPES[3],
            vec![
                ("model", text(model)),
                ("price_per_call_e8s", nat(*price_per_call_e8s)),
            ],
        ),
        Action::RemovedVersion { version, cause } => {
            let cause = match cause {
                Cause::Withdrawn => "withdrawn",
                Cause::Expired => "expired",
            };
            (
                TYPES[4],
                vec![("version", digest(version)), ("cause", text(cause))],
            )
        }
        Action::OfferedPublisher { handle, to } => {
            let mut fields = vec![("handle", text(handle))];
            push_some(&mut fields, "to", to.as_ref().map(principal));
            (TYPES[5], fields)
        }
        Action::TransferredPublisher { handle, from, to } => (
            TYPES[6],
            vec![
                ("handle", text(handle)),
                ("from", principal(from)),
                ("to", principal(to)),
            ],
        ),
        Action::SetCoPublishers {
            handle,
            co_publishers,
        } => (
            TYPES[7],
            vec![
                ("handle", text(handle)),
                ("co_publishers", principals(co_publishers)),
            ],
        ),
        Action::SetAlias {
            model,
            alias,
            version,
        } => {
            let mut fields = vec![("model", text(model)), ("alias", text(alias))];
            push_some(&mut fields, "version", version.as_ref().map(digest));
            (TYPES[8], fields)
        }
        Action::SetParameters { parameters } => (TYPES[9], parameter_fields(parameters)),
        Action::AddedShard { shard } => (TYPES[11], vec![("shard", principal(shard))]),
        Action::RetiredShard { shard } => (TYPES[12], vec![("shard", principal(shard))]),
        Action::SetFleetPolicy => (TYPES[13], vec![]),
        Action::SetShardModule { module } => (TYPES[14], vec![("module", digest(module))]),
        Action::Migrated {
            from_layout,
            to_layout,
        } => (
            TYPES[10],
            vec![
                ("from_layout", nat(u64::from(*from_layout))),
                ("to_layout", nat(u64::from(*to_layout))),
            ],
        ),
        Action::AddedInference { canister } => (TYPES[15], vec![("canister", principal(canister))]),
        Action::RemovedInference { canister } => {
            (TYPES[16], vec![("canister", principal(canister))])
        }
        Action::AssignedModel { version, canisters } => (
            TYPES[17],
            vec![
                ("version", digest(version)),
                ("canisters", principals(canisters)),
            ],
        ),
    }
}

fn parameter_fields(parameters: &Parameters) -> Fields {
    let p = parameters;
    vec![
        ("deposit_e8s_per_mib", nat(p.deposit_e8s_per_mib)),
        ("deposit_e8s_min", nat(p.deposit_e8s_min)),
        ("draft_lifetime_seconds", nat(p.draft_lifetime_seconds)),
        (
            "proposal_lifetime_seconds",
            nat(p.proposal_lifetime_seconds),
        ),
        (
            "open_versions_per_caller_max",
            nat(p.open_versions_per_caller_max),
        ),
        ("open_versions_max", nat(p.open_versions_max)),
        (
            "planned_chunks_per_hour_max",
            nat(p.planned_chunks_per_hour_max),
        ),
        ("cycles_min", nat(p.cycles_min)),
    ]
}

fn push_some(fields: &mut Fields, name: &'static str, value: Option<Value>) {
    if let Some(value) = value {
        fields.push((name, value));
    }
}

fn map(fields: Fields) -> Value {
    let named = |(name, value): (&str, Value)| (name.to_owned(), value);
    Value::Map(fields.into_iter().map(named).collect())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn nat(number: u64) -> Value {
    Value::Nat(Nat::from(number))
}

fn blob(bytes: &[u8]) -> Value {
    Value::Blob(ByteBuf::from(bytes))
}

fn digest(hash: &Sha256) -> Value {
    blob(&hash.0)
}

fn principal(principal: &Principal) -> Value {
    blob(principal.as_slice())
}

fn principals(list: &[Principal]) -> Value {
    Value::Array(list.iter().map(principal).collect())
}

fn status(status: Status) -> Value {
    text(VersionStatus::from(status).name())
}

/// Blocks of up to a hundred ranges, in their order, up to as many as fit a reply.
pub fn icrc3_get_blocks(state: &State, ranges: &[GetBlocksRequest]) -> GetBlocksResult {
    let length = state.audit.len();
    let mut blocks = Vec::new();
    for range in ranges.iter().take(BLOCK_RANGES_PER_CALL_MAX) {
        let start = u64::try_from(&range.start.0).unwrap_or(u64::MAX);
        let wanted = u64::try_from(&range.length.0).unwrap_or(u64::MAX);
        let room = BLOCKS_PER_CALL_MAX - blocks.len() as u64;
        let end = start.saturating_add(wanted.min(room)).min(length);
        for index in start..end {
            let record = state.audit.get(index).expect("BUG: an entry is gone");
            let parent = index
                .checked_sub(1)
                .and_then(|before| state.audit_hashes.get(before));
            blocks.push(BlockWithId {
                id: Nat::from(index),
                block: block(&record, parent),
            });
        }
    }
    GetBlocksResult {
        log_length: Nat::from(length),
        blocks,
        archived_blocks: vec![],
    }
}

/// The whole log is in this canister.
pub fn icrc3_get_archives(_: &GetArchivesArgs) -> GetArchivesResult {
    vec![]
}

pub fn icrc3_get_tip_certificate(
    state: &State,
    runtime: &impl Runtime,
) -> Option<ICRC3DataCertificate> {
    let certificate = ByteBuf::from(runtime.certificate()?);
    let hash_tree = ByteBuf::from(certification::tip_witness(state));
    Some(ICRC3DataCertificate {
        certificate,
        hash_tree,
    })
}

pub fn icrc3_supported_block_types() -> Vec<SupportedBlockType> {
    TYPES
        .iter()
        .map(|block_type| SupportedBlockType {
            block_type: (*block_type).to_owned(),
            url: "https://github.com/dfinity/ICRC-1/blob/main/standards/ICRC-3/README.md"
                .to_owned(),
        })
        .collect()
}
