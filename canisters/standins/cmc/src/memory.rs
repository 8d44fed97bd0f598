//! Where everything lies in stable memory. A number is never given twice; one that
//! is retired stays here as a comment with its reason.
//!
//! | id | what |
//! |---|---|
//! | 0 | layout version |
//! | 1 | settings |
//! | 2 | journal of payments by block index |
//! | 3 | block indices of payments that are not finished |
//! | 4 | faults that tests have ordered |

use std::cell::RefCell;

use ic_stable_structures::memory_manager::{MemoryId, MemoryManager, VirtualMemory};
use ic_stable_structures::{DefaultMemoryImpl, StableBTreeMap, StableCell};
use stoa_cmc_api::InitArgs;

use crate::journal::{Cbor, Payment, Settings};
use crate::runtime;

pub type Memory = VirtualMemory<DefaultMemoryImpl>;

const BUCKET_SIZE_PAGES: u16 = 16;

/// Raised with every change to what the bytes mean.
pub const LAYOUT_VERSION: u32 = 1;

pub struct State {
    layout_version: StableCell<u32, Memory>,
    pub settings: StableCell<Cbor<Option<Settings>>, Memory>,
    pub payments: StableBTreeMap<u64, Cbor<Payment>, Memory>,
    pub unfinished: StableBTreeMap<u64, (), Memory>,
    pub faults: StableCell<Vec<u8>, Memory>,
}

impl State {
    pub fn settings(&self) -> Settings {
        self.settings
            .get()
            .0
            .clone()
            .expect("BUG: installed without settings")
    }
}

thread_local! {
    static STATE: RefCell<State> = RefCell::new(open(DefaultMemoryImpl::default()));
}

fn open(memory: DefaultMemoryImpl) -> State {
    let manager = MemoryManager::init_with_bucket_size(memory, BUCKET_SIZE_PAGES);
    let at = |id| manager.get(MemoryId::new(id));
    State {
        layout_version: StableCell::init(at(0), 0),
        settings: StableCell::init(at(1), Cbor(None)),
        payments: StableBTreeMap::init(at(2)),
        unfinished: StableBTreeMap::init(at(3)),
        faults: StableCell::init(at(4), vec![]),
    }
}

pub fn with_state<R>(f: impl FnOnce(&mut State) -> R) -> R {
    STATE.with_borrow_mut(f)
}

pub fn install(arguments: InitArgs) {
    with_state(|state| {
        state.layout_version.set(LAYOUT_VERSION);
        state.settings.set(Cbor(Some(Settings {
            ledger: arguments.ledger.as_slice().to_vec(),
            xdr_permyriad_per_icp: arguments.xdr_permyriad_per_icp,
            rate_timestamp_seconds: runtime::time_nanos() / 1_000_000_000,
            forgotten_below: 0,
            cycles_ledger: arguments
                .cycles_ledger
                .map(|ledger| ledger.as_slice().to_vec()),
        })));
    });
}

/// Traps on a layout that this code does not know, so that the upgrade is undone.
pub fn open_after_upgrade() {
    with_state(|state| {
        let found = *state.layout_version.get();
        assert!(
            found == LAYOUT_VERSION,
            "stable memory has layout {found}, this code knows {LAYOUT_VERSION}"
        );
    });
}

/// A fresh state over `memory`, and the same again stands for an upgrade.
#[cfg(test)]
pub fn replace(memory: DefaultMemoryImpl) {
    STATE.set(open(memory));
}
