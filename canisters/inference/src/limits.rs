//! Every cap of this canister. None is a policy of the DAO: they follow from the platform's limits.

use std::time::Duration;

/// Input tensors of one call; an ingress message has 2 MiB.
pub const INPUT_BYTES_MAX: u64 = 1_900_000;
/// Output tensors of one call; a reply has 2 MiB, and the receipt goes along.
pub const OUTPUT_BYTES_MAX: u64 = 1_900_000;
/// A run is one message of at most 40 billion instructions; half is left as a margin over the measured probe.
pub const RUN_INSTRUCTIONS_MAX: u64 = 20_000_000_000;

/// A file is parsed in one message and held about four times on the way (file, protocol buffer, tensors, packed).
pub const MODEL_BYTES_MAX: u64 = 128 << 20;
/// What one model may take when it runs, see `stoa_engine::MemoryBound`.
pub const MODEL_MEMORY_BYTES_MAX: u64 = 1 << 30;
/// Records of loads in all; a failed one makes room.
pub const LOADS_MAX: u64 = 32;
/// Loads under way at a time.
pub const LOADS_OPEN_MAX: u64 = 4;
/// A failed load may be tried again after this, so that trying costs little.
pub const LOAD_RETRY_AFTER: Duration = Duration::from_secs(600);
/// A step of a load that does not come back this often fails the load.
pub const LOAD_ATTEMPTS_MAX: u32 = 3;

/// Calls of `infer` in flight, of all callers.
pub const CALLS_MAX: usize = 100;
/// How old the registry's word on a version may be when a call is priced.
pub const REGISTRY_FRESH: Duration = Duration::from_secs(60);

/// Closed payments that the journal keeps for their payers to look up.
pub const PAYMENTS_CLOSED_MAX: u64 = 10_000;
/// Open payments that one recovery looks at.
pub const RECOVERY_BATCH: usize = 50;
pub const TOP_UPS_KEPT_MAX: u64 = 1_000;
/// Top-ups that `status` shows.
pub const TOP_UPS_SHOWN_MAX: usize = 20;
/// Receipts that follow the one asked for, in one answer.
pub const SUCCESSORS_MAX: u64 = 100;

/// The ledger forgets a transfer after 24 hours; past this, a retry could execute it twice.
pub const LEDGER_WINDOW: Duration = Duration::from_secs(23 * 3_600);
/// First pause before a retry; it doubles each time up to the second.
pub const RETRY_FIRST: Duration = Duration::from_secs(10);
pub const RETRY_LAST: Duration = Duration::from_secs(3_600);

/// Until a timer looks again at what a message in flight is working on.
pub const RETRY_WHILE_BUSY: Duration = Duration::from_secs(60);

/// Liquid cycles that are left alone: room for the callbacks in flight (each reserves up to 40 billion instructions)
/// and for buying more cycles.
pub const CYCLES_RESERVE: u128 = 100_000_000_000;
/// On a subnet of 13 nodes an instruction costs a cycle; twice that for storage and messages.
pub const CYCLES_PER_INSTRUCTION: u128 = 2;

pub fn retry_delay(attempts: u32) -> Duration {
    RETRY_FIRST
        .saturating_mul(1 << attempts.min(16))
        .min(RETRY_LAST)
}
