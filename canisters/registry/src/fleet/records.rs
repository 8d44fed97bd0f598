//! What the fleet keeps in stable memory, as CBOR with field names behind the version of its encoding.

use std::borrow::Cow;

use candid::Principal;
use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

pub type Digest = ByteArray<32>;

macro_rules! stored {
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

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct FleetSettings {
    pub shard_capacity_bytes: u64,
    pub shard_initial_cycles: u64,
    pub shard_cycles_min: u64,
    pub growth_free_percent: u8,
    pub shards_max: u64,
    pub watch_seconds: u64,
    pub module: Option<Module>,
    pub next_job: u64,
    /// The oldest job that is kept.
    pub first_job: u64,
}
stored!(FleetSettings, StoredFleetSettings);

impl Default for FleetSettings {
    fn default() -> Self {
        Self {
            shard_capacity_bytes: 400 << 30,
            // Creating takes 0.5 T; the rest keeps the first 100 GiB for three months.
            shard_initial_cycles: 4_000_000_000_000,
            shard_cycles_min: 1_000_000_000_000,
            growth_free_percent: 20,
            shards_max: 100,
            watch_seconds: 300,
            module: None,
            next_job: 0,
            first_job: 0,
        }
    }
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Module {
    pub hash: Digest,
    pub chunks: Vec<Digest>,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Role {
    #[default]
    Active,
    Retiring,
    Retired,
}

/// What the fleet knows of a shard, beside its `ShardRecord`.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Default, Debug)]
pub struct Member {
    pub role: Role,
    pub seen: Option<Seen>,
    pub unanswered: u64,
}
stored!(Member, StoredMember);

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub at_nanos: u64,
    pub used_bytes: u64,
    pub reserved_bytes: u64,
    pub stable_bytes: u64,
    pub chunks: u64,
    pub damaged_chunks: u64,
    pub scrub_passes: u64,
    /// No balance comes near 2^64: that are 18 million T.
    pub cycles: u64,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Job {
    pub work: Work,
    pub state: State,
    /// Of the step that is next.
    pub attempts: u64,
    pub due_at_nanos: u64,
    pub created_at_nanos: u64,
    pub updated_at_nanos: u64,
    pub problem: Option<String>,
}
stored!(Job, StoredJob);

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Waiting,
    Done,
    Failed,
}

/// What a job does, and how far it is.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum Work {
    Serve {
        version: Digest,
        /// Indexes of the next shard of the placement, and of the next file for it.
        shard: u32,
        file: u32,
    },
    Copy {
        version: Digest,
        /// Index within the placement.
        segment: u32,
        to: u16,
        /// The shard that no longer holds the segment afterwards.
        instead_of: Option<u16>,
        stage: CopyStage,
    },
    Mend {
        shard: u16,
        chunk: Digest,
    },
    Create {
        stage: CreateStage,
    },
    Retire {
        shard: u16,
        /// All versions up to this one have been looked at.
        after: Option<Digest>,
        /// Whether this look at all versions has found something still there.
        has_found: bool,
    },
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum CopyStage {
    Announce,
    /// Index of the next chunk within the segment.
    Pull(u32),
    Confirm,
    Serve,
    /// Index of the next chunk within the segment.
    Release(u32),
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum CreateStage {
    Wanted,
    /// The call to create a canister was about to be made. Found here by another run, its outcome is unknown.
    Asked,
    Created(Principal),
    Installed(Principal),
    HandedOver(Principal),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_read_back_what_it_writes() {
        fn assert_kept<T: Storable + Clone + PartialEq + std::fmt::Debug>(record: T) {
            assert_eq!(T::from_bytes(record.to_bytes()), record);
        }
        let digest = Digest::new([7; 32]);
        let principal = Principal::from_slice(&[1, 2]);
        assert_kept(FleetSettings {
            module: Some(Module {
                hash: digest,
                chunks: vec![digest],
            }),
            ..FleetSettings::default()
        });
        assert_kept(Member::default());
        for work in [
            Work::Serve {
                version: digest,
                shard: 1,
                file: 2,
            },
            Work::Copy {
                version: digest,
                segment: 3,
                to: 4,
                instead_of: Some(5),
                stage: CopyStage::Pull(6),
            },
            Work::Mend {
                shard: 7,
                chunk: digest,
            },
            Work::Create {
                stage: CreateStage::HandedOver(principal),
            },
            Work::Retire {
                shard: 8,
                after: Some(digest),
                has_found: true,
            },
        ] {
            assert_kept(Job {
                work,
                state: State::Waiting,
                attempts: 1,
                due_at_nanos: 2,
                created_at_nanos: 3,
                updated_at_nanos: 4,
                problem: Some("no answer".to_owned()),
            });
        }
    }
}
