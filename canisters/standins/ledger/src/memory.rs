//! Where everything lies in stable memory. A number is never given twice; one that
//! is retired stays here as a comment with its reason.
//!
//! | id | what |
//! |---|---|
//! | 0 | layout version |
//! | 1 | settings |
//! | 2 | totals: supply, hash of the newest block |
//! | 3 | balances by account identifier |
//! | 4 | allowances by (owner, spender) |
//! | 5 | (expiry, owner, spender) of allowances that expire |
//! | 6, 7 | index and data of the block log |
//! | 8 | block index by hash of a transaction in the window |
//! | 9 | (created_at_time, block index) of them, with the hash |
//! | 10 | faults that tests have ordered |
//! | 11 | canisters that were created with cycles, by block index |

use std::cell::RefCell;

use ic_stable_structures::memory_manager::{MemoryId, MemoryManager, VirtualMemory};
use ic_stable_structures::{DefaultMemoryImpl, StableBTreeMap, StableCell, StableLog};

use crate::ledger::Ledger;

pub type Memory = VirtualMemory<DefaultMemoryImpl>;

/// Grows by 1 MiB: a fresh ledger stays small, and 32,768 buckets make 32 GiB.
const BUCKET_SIZE_PAGES: u16 = 16;

/// Raised with every change to what the bytes mean.
pub const LAYOUT_VERSION: u32 = 1;

thread_local! {
    static LEDGER: RefCell<Option<Ledger>> = const { RefCell::new(None) };
}

pub fn with_ledger<R>(f: impl FnOnce(&mut Ledger) -> R) -> R {
    LEDGER.with_borrow_mut(|ledger| {
        f(ledger.get_or_insert_with(|| open(DefaultMemoryImpl::default())))
    })
}

#[cfg(test)]
pub fn replace(ledger: Ledger) {
    LEDGER.set(Some(ledger));
}

pub fn open(memory: DefaultMemoryImpl) -> Ledger {
    let manager = MemoryManager::init_with_bucket_size(memory, BUCKET_SIZE_PAGES);
    let at = |id| manager.get(MemoryId::new(id));
    Ledger {
        layout_version: StableCell::init(at(0), 0),
        settings: StableCell::init(at(1), None.into()),
        totals: StableCell::init(at(2), Default::default()),
        balances: StableBTreeMap::init(at(3)),
        allowances: StableBTreeMap::init(at(4)),
        expirations: StableBTreeMap::init(at(5)),
        blocks: StableLog::init(at(6), at(7)),
        recent: StableBTreeMap::init(at(8)),
        recent_by_time: StableBTreeMap::init(at(9)),
        faults: StableCell::init(at(10), Default::default()),
        created_canisters: StableBTreeMap::init(at(11)),
    }
}

/// Traps on a layout that this code does not know, so that the upgrade is undone.
pub fn open_after_upgrade() {
    with_ledger(|ledger| {
        let found = *ledger.layout_version.get();
        assert!(
            found == LAYOUT_VERSION,
            "stable memory has layout {found}, this code knows {LAYOUT_VERSION}"
        );
        ledger.certify_tip();
    });
}
