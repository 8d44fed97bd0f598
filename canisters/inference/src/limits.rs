//! Every cap of this canister. None is a policy of the DAO: they follow from the platform's limits.

use std::time::Duration;

/// Input tensors of one call; an ingress message has 2 MiB.
pub const INPUT_BYTES_MAX: u64 = 1_900_000;
/// Output tensors of one call; a reply has 2 MiB, and the receipt goes along.
pub const OUTPUT_BYTES_MAX: u64 = 1_900_000;
/// A message has at most 40 billion instructions, and half of it is kept. A run stops after the piece of work in which it
/// passes this, and goes on in the next message.
pub const SLICE_INSTRUCTIONS: u64 = 14_000_000_000;
/// Of the largest piece, which runs whole: at 5 to 10 instructions for each, at most 6 billion.
pub const PIECE_MULTIPLY_ADDS_MAX: u64 = 600_000_000;
/// What is expected to need more is a job with its input in stable memory, so that an upgrade does not lose it.
pub const CALL_INSTRUCTIONS_MAX: u64 = SLICE_INSTRUCTIONS;
/// Cycles come and go with the call, whose caller waits; it cannot be stopped meanwhile, so a few messages and no more.
pub const RUN_INSTRUCTIONS_OF_CYCLES_MAX: u64 = 20 * SLICE_INSTRUCTIONS;
/// Of the longest run, some seventy messages.
pub const JOB_INSTRUCTIONS_MAX: u64 = 1_000_000_000_000;
/// Of a preview with all that is around its run: a query has 5 billion, and half of it is kept.
pub const QUERY_INSTRUCTIONS_MAX: u64 = 2_500_000_000;
/// The most that the DAO may allow for the run alone.
pub const PREVIEW_INSTRUCTIONS_MAX: u64 = 2_400_000_000;
/// A run may need this many times what was expected and then some, before it is ended and paid back.
pub const RUN_OVERRUN_FACTOR: u64 = 2;
pub const RUN_OVERRUN_INSTRUCTIONS: u64 = 1_000_000_000;

/// Jobs under way, of all callers: each holds its input, 2 MB at most.
pub const JOBS_OPEN_MAX: u64 = 64;
pub const JOBS_OF_CALLER_MAX: usize = 4;
/// Runs of several messages at a time: each holds its activations in the heap.
pub const LONG_RUNS_MAX: usize = 2;
/// Times that a job is begun. An upgrade in the middle costs one, a trap as well.
pub const JOB_STARTS_MAX: u32 = 5;
/// Ended jobs that are kept for their callers, and for how long.
pub const JOBS_KEPT_MAX: u64 = 256;
pub const JOBS_KEPT: Duration = Duration::from_secs(24 * 3_600);

/// A file is parsed in one message and held about four times on the way (file, protocol buffer, tensors, packed).
pub const MODEL_BYTES_MAX: u64 = 128 << 20;
/// What one model may take when it runs, see `stoa_engine::MemoryBound`.
pub const MODEL_MEMORY_BYTES_MAX: u64 = 1 << 30;
/// Records of loads in all; a failed one makes room.
pub const LOADS_MAX: u64 = 32;
/// Chunks asked for at a time, a MiB each.
pub const CHUNKS_AT_A_TIME: usize = 8;
/// Files that a pipeline reads, together (as the engine has it).
pub const PIPELINE_BYTES_MAX: u64 = 16 << 20;
/// All compiled models together may not be allowed more than this of the 4 GiB heap.
pub const MODEL_HEAP_BYTES_MAX: u64 = 5 << 29;
/// Ancestors that are asked for their royalty shares, and how deep.
pub const ANCESTORS_MAX: usize = 16;
pub const ANCESTOR_DEPTH_MAX: u32 = 8;
/// Loads under way at a time.
pub const LOADS_OPEN_MAX: u64 = 4;
/// A failed load may be tried again after this, so that trying costs little.
pub const LOAD_RETRY_AFTER: Duration = Duration::from_secs(600);
/// A step of a load that does not come back this often fails the load.
pub const LOAD_ATTEMPTS_MAX: u32 = 3;

/// How long a lock is held by a message that does not let go of it. The longest job has seventy messages of some ten
/// seconds.
pub const LOCK_LEASE: Duration = Duration::from_secs(3_600);

/// Calls of `infer` in flight, of all callers.
pub const CALLS_MAX: usize = 100;
/// Calls over HTTP in flight: paid by keys, and free.
pub const HTTP_CALLS_MAX: usize = 20;
pub const FREE_CALLS_MAX: usize = 4;
/// How old the registry's word on a version may be when a call is priced.
pub const REGISTRY_FRESH: Duration = Duration::from_secs(60);

/// Closed payments that the journal keeps for their payers to look up.
pub const PAYMENTS_CLOSED_MAX: u64 = 10_000;
pub const TRANSFERS_CLOSED_MAX: u64 = 10_000;
/// Outgoing transfers without an answer at a time.
pub const TRANSFERS_OPEN_MAX: u64 = 500;
/// Claims of cycles without an answer at a time.
pub const CYCLES_CLAIMS_OPEN_MAX: u64 = 100;
/// Transfers of one payout.
pub const PAYOUT_BATCH: usize = 20;
/// A deposit is at least this many ledger fees.
pub const DEPOSIT_FEES_MIN: u64 = 10;
/// The whole of a royalty.
pub const PARTS: u128 = 1_000_000_000;
pub const ROYALTY_ACCOUNTS_SHOWN_MAX: usize = 100;
/// A rate beyond this (1,000 ICP a billion instructions or a chunk) is a mistake.
pub const RATE_E8S_MAX: u64 = 100_000_000_000;
pub const KEYS_MAX: u64 = 5_000;
pub const KEYS_OF_OWNER_MAX: u64 = 20;
pub const KEY_LABEL_BYTES_MAX: usize = 64;
/// Names of models that the heap remembers.
pub const NAMES_MAX: usize = 1_000;
/// Hourly samples of the cycles balance: two days.
pub const CYCLES_SAMPLES_MAX: u64 = 48;
/// Until governance is asked for cycles again.
pub const CYCLES_REQUEST_EVERY: Duration = Duration::from_secs(3_600);
/// Open payments that one recovery looks at.
pub const RECOVERY_BATCH: usize = 50;
/// Ledger fees that a purchase of cycles leaves in the reserve.
pub const FEES_KEPT: u64 = 10;
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

/// Of what is written down or shown about something that failed: other people's words (an operator's name in somebody's
/// model, a ledger's message) may be as long as they like.
pub const MESSAGE_BYTES_MAX: usize = 500;

/// At most `MESSAGE_BYTES_MAX`, and a mark where something is left out.
pub fn shorten(message: String) -> String {
    const MARK: &str = "...";
    if message.len() <= MESSAGE_BYTES_MAX {
        return message;
    }
    let end = message.floor_char_boundary(MESSAGE_BYTES_MAX - MARK.len());
    format!("{}{MARK}", &message[..end])
}

pub fn retry_delay(attempts: u32) -> Duration {
    RETRY_FIRST
        .saturating_mul(1 << attempts.min(16))
        .min(RETRY_LAST)
}
