//! Every region of stable memory, in one place. An id is never used again for something else; a retired one
//! stays here as a comment with its reason.
//!
//! What must hold: everything that matters is here and nowhere else, so an upgrade at any moment loses
//! nothing but what `UNSTABLE_...` names say can be rebuilt. There is no `pre_upgrade`.

use std::cell::RefCell;

use ic_stable_structures::DefaultMemoryImpl;
use ic_stable_structures::memory_manager::{MemoryId, MemoryManager, VirtualMemory};

pub type Memory = VirtualMemory<DefaultMemoryImpl>;

/// Version of the layout below: `post_upgrade` refuses one that it does not know.
/// 1: books as two counters, refunds by transfer. 2: accounts. `migration.rs` takes 1 to 2.
pub const LAYOUT_VERSION: u32 = 2;

pub const LAYOUT: MemoryId = MemoryId::new(0);
pub const CONFIGURATION: MemoryId = MemoryId::new(1);
pub const LOADS: MemoryId = MemoryId::new(2);
/// (version, chunk index) to slot.
pub const SLOTS: MemoryId = MemoryId::new(3);
/// Slots of 1 MiB, one after the other: the files of the models.
pub const SLOT_BYTES: MemoryId = MemoryId::new(4);
pub const FREE_SLOTS: MemoryId = MemoryId::new(5);
pub const RECEIPT_INDEX: MemoryId = MemoryId::new(6);
pub const RECEIPT_DATA: MemoryId = MemoryId::new(7);
pub const PAYMENTS: MemoryId = MemoryId::new(8);
pub const OPEN_PAYMENTS: MemoryId = MemoryId::new(9);
/// Layout 1: earned and spent ICP as two counters. Read by the migration only; accounts took its place.
pub const RETIRED_BOOKS: MemoryId = MemoryId::new(10);
pub const TOP_UPS: MemoryId = MemoryId::new(11);
/// (unit, holder) to amount.
pub const ACCOUNTS: MemoryId = MemoryId::new(12);
/// What was received and sent of each unit.
pub const TOTALS: MemoryId = MemoryId::new(13);
/// Outgoing transfers.
pub const TRANSFERS: MemoryId = MemoryId::new(14);
pub const OPEN_TRANSFERS: MemoryId = MemoryId::new(15);
pub const KEYS: MemoryId = MemoryId::new(16);
/// Runs of several messages, under the id of their payment.
pub const JOBS: MemoryId = MemoryId::new(17);
pub const JOB_INPUTS: MemoryId = MemoryId::new(18);
pub const JOB_ANSWERS: MemoryId = MemoryId::new(19);
/// Samples of the cycles balance, for the burn rate.
pub const CYCLES_SAMPLES: MemoryId = MemoryId::new(20);
/// Free calls of this hour.
pub const FREE_QUOTA: MemoryId = MemoryId::new(21);
pub const CYCLES_REQUEST: MemoryId = MemoryId::new(22);
pub const CYCLES_BOUGHT: MemoryId = MemoryId::new(23);

thread_local! {
    static MANAGER: RefCell<MemoryManager<DefaultMemoryImpl>> =
        RefCell::new(MemoryManager::init(DefaultMemoryImpl::default()));
}

pub fn region(id: MemoryId) -> Memory {
    MANAGER.with_borrow(|manager| manager.get(id))
}
