//! Stable memory: the layout's version and the configuration. An id is never used for anything else again.
//!
//! | id | what |
//! |---|---|
//! | 0 | version tag of this layout |
//! | 1 | the configuration, as Candid |

use std::cell::RefCell;

use ic_stable_structures::memory_manager::{MemoryId, MemoryManager, VirtualMemory};
use ic_stable_structures::{DefaultMemoryImpl, StableCell};
use stoa_frontend_api::Configuration;

use crate::runtime;

const LAYOUT: MemoryId = MemoryId::new(0);
const CONFIGURATION: MemoryId = MemoryId::new(1);

const LAYOUT_VERSION: u32 = 1;

type Memory = VirtualMemory<DefaultMemoryImpl>;

struct Cells {
    layout: StableCell<u32, Memory>,
    configuration: StableCell<Vec<u8>, Memory>,
}

thread_local! {
    static CELLS: RefCell<Cells> = RefCell::new({
        let manager = MemoryManager::init_with_bucket_size(DefaultMemoryImpl::default(), 1);
        Cells {
            layout: StableCell::init(manager.get(LAYOUT), 0),
            configuration: StableCell::init(manager.get(CONFIGURATION), Vec::new()),
        }
    });
}

pub fn initialise(configuration: &Configuration) {
    CELLS.with_borrow_mut(|cells| {
        cells.layout.set(LAYOUT_VERSION);
    });
    set_configuration(configuration);
}

/// Traps on a layout that this code does not know, so that the upgrade does not happen.
pub fn check_layout() {
    let found = CELLS.with_borrow(|cells| *cells.layout.get());
    if found != LAYOUT_VERSION {
        runtime::trap(&format!(
            "stable memory has layout {found}; this code knows {LAYOUT_VERSION}"
        ));
    }
}

/// Traps on one that cannot be served, so that the installation or upgrade does not happen.
pub fn set_configuration(configuration: &Configuration) {
    if let Err(error) = configuration.check() {
        runtime::trap(&format!("the configuration is refused: {error:?}"));
    }
    let bytes =
        candid::encode_one(configuration).expect("BUG: the configuration cannot be encoded");
    CELLS.with_borrow_mut(|cells| {
        cells.configuration.set(bytes);
    });
}

pub fn configuration() -> Configuration {
    CELLS.with_borrow(|cells| {
        candid::decode_one(cells.configuration.get())
            .expect("BUG: the stored configuration cannot be decoded")
    })
}
