//! What stands in stable memory. These are not the wire types: each is wrapped in
//! an enum of its versions and written as CBOR with field names, so that a later reader knows what it has before it.
//! A field that came later has a default, which is what it means where it is absent; the layout's version keeps
//! code that does not know it from opening the memory.

use std::borrow::Cow;

use candid::Principal;
use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use serde::{Deserialize, Serialize};
use stoa_registry_api::VersionStatus;
use stoa_types::Sha256;
use stoa_types::manifest::Manifest;

/// Writes `$record` as `V1` of `$envelope`. A `V2` gets its own record type, a variant, and an arm that converts.
macro_rules! stored_as {
    ($record:ty, $envelope:ident) => {
        #[derive(Serialize, Deserialize)]
        enum $envelope<'a> {
            V1(Cow<'a, $record>),
        }

        impl Storable for $record {
            fn to_bytes(&self) -> Cow<'_, [u8]> {
                let mut bytes = Vec::new();
                ciborium::into_writer(&$envelope::V1(Cow::Borrowed(self)), &mut bytes)
                    .expect("BUG: a record does not encode");
                Cow::Owned(bytes)
            }

            fn into_bytes(self) -> Vec<u8> {
                self.to_bytes().into_owned()
            }

            fn from_bytes(bytes: Cow<[u8]>) -> Self {
                let $envelope::V1(record) = ciborium::from_reader(&bytes[..])
                    .expect("BUG: a stored record does not decode");
                record.into_owned()
            }

            const BOUND: Bound = Bound::Unbounded;
        }
    };
}

/// A digest as 32 bytes of CBOR, not as an array of numbers.
mod digest {
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_bytes::ByteArray;
    use stoa_types::Sha256;

    pub fn serialize<S: Serializer>(hash: &Sha256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&hash.0)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Sha256, D::Error> {
        ByteArray::<32>::deserialize(deserializer).map(|bytes| Sha256(bytes.into_array()))
    }
}

/// The same, where there may be none.
mod optional_digest {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_bytes::ByteArray;
    use stoa_types::Sha256;

    pub fn serialize<S: Serializer>(
        hash: &Option<Sha256>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        hash.map(|hash| ByteArray::new(hash.0))
            .serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Sha256>, D::Error> {
        let bytes = Option::<ByteArray<32>>::deserialize(deserializer)?;
        Ok(bytes.map(|bytes| Sha256(bytes.into_array())))
    }
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    pub governance: Principal,
    /// Versions that nobody has decided about, of all principals.
    pub open_drafts: u64,
    /// Where deposits are paid; absent in a registry that was installed with layout 1: then none are asked for.
    #[serde(default)]
    pub icp_ledger: Option<Principal>,
    /// As the ledger last said.
    #[serde(default = "usual_ledger_fee_e8s")]
    pub ledger_fee_e8s: u64,
    #[serde(default)]
    pub next_deposit: u64,
    #[serde(default)]
    pub next_document: u32,
    /// Where the search index is made anew: everything up to this digest is in it.
    #[serde(default)]
    pub indexing: Option<IndexingFrom>,
}

/// ICP's.
pub const fn usual_ledger_fee_e8s() -> u64 {
    10_000
}

impl Settings {
    pub fn new(governance: Principal, icp_ledger: Option<Principal>) -> Self {
        Self {
            governance,
            open_drafts: 0,
            icp_ledger,
            ledger_fee_e8s: usual_ledger_fee_e8s(),
            next_deposit: 0,
            next_document: 0,
            indexing: None,
        }
    }
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum IndexingFrom {
    Start,
    Behind(#[serde(with = "digest")] Sha256),
}
stored_as!(Settings, StoredSettings);

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ShardRecord {
    pub principal: Principal,
    /// As the shard itself said; absent until it was asked.
    pub capacity_bytes: Option<u64>,
    /// What drafts and versions were given room for. An upper bound: two drafts with equal new chunks count twice.
    pub assigned_bytes: u64,
}
stored_as!(ShardRecord, StoredShard);

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct PublisherRecord {
    pub owner: Principal,
    pub created_at_nanos: u64,
    #[serde(default)]
    pub co_publishers: Vec<Principal>,
    #[serde(default)]
    pub offered_to: Option<Principal>,
}
stored_as!(PublisherRecord, StoredPublisher);

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct AccountRecord {
    pub handles: Vec<String>,
    pub open_drafts: u64,
}
stored_as!(AccountRecord, StoredAccount);

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct ModelRecord {
    pub price_per_call_e8s: u64,
    /// What the name alone means.
    pub newest_admitted: Option<NewestAdmitted>,
    /// Versions of every status.
    #[serde(default)]
    pub versions: u64,
    #[serde(default, with = "optional_digest")]
    pub latest: Option<Sha256>,
    #[serde(default, with = "optional_digest")]
    pub stable: Option<Sha256>,
    /// The publisher's own, in the order of their names.
    #[serde(default)]
    pub aliases: Vec<AliasRecord>,
    /// The number of the version that stands for the model in a search.
    #[serde(default)]
    pub face: Option<u32>,
}
stored_as!(ModelRecord, StoredModel);

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct NewestAdmitted {
    pub semver: String,
    #[serde(with = "digest")]
    pub version: Sha256,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct AliasRecord {
    pub alias: String,
    #[serde(with = "digest")]
    pub version: Sha256,
}

/// Everything about a version that changes or that a listing shows; the manifest stands apart.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct VersionRecord {
    pub publisher: String,
    pub name: String,
    pub semver: String,
    pub license: String,
    pub task: String,
    pub size_bytes: u64,
    pub status: Status,
    /// Who began the upload; open drafts are counted against it.
    pub created_by: Principal,
    pub created_at_nanos: u64,
    /// From whom all its shards expect its chunks; absent until every shard has said so.
    pub announced_for: Option<Principal>,
    /// The card's.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Number in the search index; absent of drafts.
    #[serde(default)]
    pub document: Option<u32>,
    #[serde(default)]
    pub deposit: Option<u64>,
    /// When it goes; 0 where it does not.
    #[serde(default)]
    pub expires_at_nanos: u64,
    #[serde(default)]
    pub proposal_id: Option<u64>,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default, with = "optional_digest")]
    pub successor: Option<Sha256>,
    /// The shards may have let go of the bytes.
    #[serde(default)]
    pub is_released: bool,
    /// Everything that came with layout 2 is known of it.
    #[serde(default)]
    pub is_complete: bool,
}
stored_as!(VersionRecord, StoredVersion);

impl VersionRecord {
    pub fn model(&self) -> String {
        format!("{}/{}", self.publisher, self.name)
    }

    pub fn reference(&self) -> String {
        format!("{}/{}@{}", self.publisher, self.name, self.semver)
    }
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    Draft,
    Sealed,
    Proposed,
    Admitted,
    Deprecated,
    Revoked,
    Rejected,
}

impl Status {
    /// Nobody has decided about it yet.
    pub fn is_open(self) -> bool {
        matches!(self, Status::Draft | Status::Sealed | Status::Proposed)
    }
}

impl From<Status> for VersionStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Draft => Self::Draft,
            Status::Sealed => Self::Sealed,
            Status::Proposed => Self::Proposed,
            Status::Admitted => Self::Admitted,
            Status::Deprecated => Self::Deprecated,
            Status::Revoked => Self::Revoked,
            Status::Rejected => Self::Rejected,
        }
    }
}

/// Where the segments of a version's files are, in the order of the manifest.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct PlacementRecord {
    pub segments: Vec<SegmentRecord>,
}
stored_as!(PlacementRecord, StoredPlacement);

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct SegmentRecord {
    /// Index of the file in the manifest.
    pub file: u32,
    /// Index of the segment's first chunk within the file.
    pub first_chunk: u32,
    pub chunks: u32,
    /// Numbers of the shards that have it whole.
    pub shards: Vec<u16>,
}

/// The manifest is a document that never changes and names its own schema, so it is kept in the very
/// encoding it came in, behind a byte for that encoding: 1 is Candid of `Manifest`, which
/// later fields and variants can only add to. Its digest, the key, tells whether it was read rightly.
#[derive(Clone, PartialEq, Debug)]
pub struct ManifestRecord(pub Manifest);

const MANIFEST_CANDID: u8 = 1;

impl Storable for ManifestRecord {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        let mut bytes = vec![MANIFEST_CANDID];
        bytes.extend(candid::encode_one(&self.0).expect("BUG: a manifest does not encode"));
        Cow::Owned(bytes)
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        let (encoding, rest) = bytes.split_first().expect("BUG: an empty manifest record");
        assert_eq!(
            *encoding, MANIFEST_CANDID,
            "BUG: manifest in an unknown encoding"
        );
        Self(candid::decode_one(rest).expect("BUG: a stored manifest does not decode"))
    }

    const BOUND: Bound = Bound::Unbounded;
}

/// `chunk hash · shard number (big-endian)`
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ChunkPlace {
    pub hash: [u8; 32],
    pub shard: u16,
}

impl Storable for ChunkPlace {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.into_bytes())
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.hash.to_vec();
        bytes.extend(self.shard.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        let (hash, shard) = bytes
            .split_first_chunk::<32>()
            .expect("BUG: a chunk place is cut off");
        Self {
            hash: *hash,
            shard: u16::from_be_bytes(shard.try_into().expect("BUG: a chunk place is cut off")),
        }
    }

    const BOUND: Bound = Bound::Bounded {
        max_size: 34,
        is_fixed_size: true,
    };
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct AuditRecord {
    pub timestamp_nanos: u64,
    pub actor: Principal,
    pub action: Action,
}
stored_as!(AuditRecord, StoredAudit);

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum Action {
    Installed {
        governance: Principal,
        shards: Vec<Principal>,
    },
    ClaimedPublisher {
        handle: String,
    },
    ChangedStatus {
        #[serde(with = "digest")]
        version: Sha256,
        from: Option<Status>,
        to: Status,
        #[serde(default)]
        proposal_id: Option<u64>,
        #[serde(default)]
        reason: Option<String>,
        #[serde(default, with = "optional_digest")]
        successor: Option<Sha256>,
    },
    SetPrice {
        model: String,
        price_per_call_e8s: u64,
    },
    RemovedVersion {
        #[serde(with = "digest")]
        version: Sha256,
        cause: Cause,
    },
    OfferedPublisher {
        handle: String,
        to: Option<Principal>,
    },
    TransferredPublisher {
        handle: String,
        from: Principal,
        to: Principal,
    },
    SetCoPublishers {
        handle: String,
        co_publishers: Vec<Principal>,
    },
    SetAlias {
        model: String,
        alias: String,
        #[serde(with = "optional_digest")]
        version: Option<Sha256>,
    },
    SetParameters {
        parameters: Parameters,
    },
    AddedShard {
        shard: Principal,
    },
    RetiredShard {
        shard: Principal,
    },
    SetFleetPolicy,
    SetShardModule {
        #[serde(with = "digest")]
        module: Sha256,
    },
    Migrated {
        from_layout: u32,
        to_layout: u32,
    },
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    Withdrawn,
    Expired,
}

/// What the DAO may change; the wire type says what each means.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Parameters {
    pub deposit_e8s_per_mib: u64,
    pub deposit_e8s_min: u64,
    pub draft_lifetime_seconds: u64,
    pub proposal_lifetime_seconds: u64,
    pub open_versions_per_caller_max: u64,
    pub open_versions_max: u64,
    pub planned_chunks_per_hour_max: u64,
    pub cycles_min: u64,
}
stored_as!(Parameters, StoredParameters);

/// A storage deposit, in an account of its own (`deposits.rs`).
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct DepositRecord {
    #[serde(with = "digest")]
    pub version: Sha256,
    pub payer: Principal,
    pub amount_e8s: u64,
    pub created_at_nanos: u64,
    pub state: DepositState,
    /// The transfer that the state is about: repeated as it is until its outcome is known.
    pub transfer: TransferRecord,
}
stored_as!(DepositRecord, StoredDeposit);

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransferRecord {
    pub created_at_nanos: u64,
    pub fee_e8s: u64,
    /// Requests sent whose outcome was not learnt.
    pub attempts: u32,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum DepositState {
    Charging,
    NotTaken { reason: String },
    Held { block: Option<u64> },
    Returning,
    Returned { block: Option<u64> },
    Forwarding,
    Forwarded { block: Option<u64> },
}

/// What an inference canister has to hear.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct NoticeRecord {
    pub status: Status,
    pub attempts: u32,
}
stored_as!(NoticeRecord, StoredNotice);

#[cfg(test)]
mod tests;
