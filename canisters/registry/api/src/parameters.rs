//! What the DAO may change by a vote without changing code.

use candid::CandidType;
use serde::Deserialize;

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct RegistryParameters {
    /// Storage deposit for each MiB begun, in e8s of ICP.
    pub deposit_e8s_per_mib: u64,
    /// The least that is asked for; 0 together with the rate: no deposits.
    pub deposit_e8s_min: u64,
    /// A draft or sealed version that nobody touches goes after this.
    pub draft_lifetime_seconds: u64,
    /// A proposed version whose proposal nobody notes is rejected after this: longer than any vote takes.
    pub proposal_lifetime_seconds: u64,
    /// Versions of one principal that nobody has decided about.
    pub open_versions_per_caller_max: u64,
    /// The same of all principals together.
    pub open_versions_max: u64,
    /// Chunks that `begin_upload` may list for one principal within an hour, over all its calls: what a free call may cost.
    pub planned_chunks_per_hour_max: u64,
    /// Below this balance the registry asks governance for cycles.
    pub cycles_min: u64,
}
