//! The stable structures and the few ways to reach them. Callers never hold a borrow across an `.await`:
//! every function here takes and returns values.

use std::cell::RefCell;

use ic_stable_structures::{StableBTreeMap, StableBTreeSet, StableCell, StableLog};
use stoa_inference_api::{InitArgs, Policy};
use stoa_types::Sha256;

use crate::memory::{self, LAYOUT_VERSION, Memory};
use crate::stored::{
    Books, Configuration, Load, Payment, StoredBooks, StoredConfiguration, StoredLoad,
    StoredPayment, StoredReceipt, StoredTopUp, TopUp,
};

/// What the ICP ledger asks for a transfer until it says otherwise.
const ICP_FEE_E8S: u64 = 10_000;

pub struct State {
    layout: StableCell<u32, Memory>,
    configuration: StableCell<StoredConfiguration, Memory>,
    loads: StableBTreeMap<[u8; 32], StoredLoad, Memory>,
    pub(crate) payments: StableBTreeMap<u64, StoredPayment, Memory>,
    pub(crate) open_payments: StableBTreeSet<u64, Memory>,
    books: StableCell<StoredBooks, Memory>,
    pub(crate) top_ups: StableBTreeMap<u64, StoredTopUp, Memory>,
    pub(crate) receipts: StableLog<StoredReceipt, Memory, Memory>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State {
        layout: StableCell::init(memory::region(memory::LAYOUT), 0),
        configuration: StableCell::init(
            memory::region(memory::CONFIGURATION),
            StoredConfiguration::Absent,
        ),
        loads: StableBTreeMap::init(memory::region(memory::LOADS)),
        payments: StableBTreeMap::init(memory::region(memory::PAYMENTS)),
        open_payments: StableBTreeSet::init(memory::region(memory::OPEN_PAYMENTS)),
        books: StableCell::init(memory::region(memory::BOOKS), StoredBooks::V1(Books::default())),
        top_ups: StableBTreeMap::init(memory::region(memory::TOP_UPS)),
        receipts: StableLog::init(
            memory::region(memory::RECEIPT_INDEX),
            memory::region(memory::RECEIPT_DATA),
        ),
    });
}

pub fn with<T>(read: impl FnOnce(&State) -> T) -> T {
    STATE.with_borrow(read)
}

pub fn with_mut<T>(write: impl FnOnce(&mut State) -> T) -> T {
    STATE.with_borrow_mut(write)
}

/// First installation.
pub fn initialise(arguments: InitArgs) {
    let InitArgs {
        registry,
        governance,
        icp_ledger,
        cycles_minting,
        policy,
    } = arguments;
    let mut configuration = Configuration {
        registry,
        governance,
        icp_ledger,
        cycles_minting,
        rate_e8s_per_billion_instructions: 0,
        rate_cycles_per_billion_instructions: 0,
        cycles_per_e8: 0,
        top_up_below_cycles: 0,
        top_up_e8s: 0,
        ledger_fee_e8s: ICP_FEE_E8S,
    };
    configuration.set_policy(&policy);
    with_mut(|state| {
        state.layout.set(LAYOUT_VERSION);
        state
            .configuration
            .set(StoredConfiguration::V1(configuration));
    });
}

/// After an upgrade: the memory must be one that this code knows how to read.
pub fn check_layout() {
    let found = with(|state| *state.layout.get());
    if found != LAYOUT_VERSION {
        ic_cdk::trap(format!(
            "stable memory has layout {found}, this code reads {LAYOUT_VERSION}"
        ));
    }
}

pub fn configuration() -> Configuration {
    with(|state| match state.configuration.get() {
        StoredConfiguration::V1(configuration) => configuration.clone(),
        StoredConfiguration::Absent => panic!("BUG: no configuration after init"),
    })
}

pub fn set_ledger_fee(fee_e8s: u64) {
    let configuration = Configuration {
        ledger_fee_e8s: fee_e8s,
        ..configuration()
    };
    with_mut(|state| {
        state
            .configuration
            .set(StoredConfiguration::V1(configuration))
    });
}

impl Configuration {
    pub fn policy(&self) -> Policy {
        Policy {
            rate_e8s_per_billion_instructions: self.rate_e8s_per_billion_instructions,
            rate_cycles_per_billion_instructions: self.rate_cycles_per_billion_instructions.into(),
            cycles_per_e8: self.cycles_per_e8.into(),
            top_up_below_cycles: self.top_up_below_cycles.into(),
            top_up_e8s: self.top_up_e8s,
        }
    }

    fn set_policy(&mut self, policy: &Policy) {
        self.rate_e8s_per_billion_instructions = policy.rate_e8s_per_billion_instructions;
        self.rate_cycles_per_billion_instructions =
            cycles(&policy.rate_cycles_per_billion_instructions);
        self.cycles_per_e8 = cycles(&policy.cycles_per_e8);
        self.top_up_below_cycles = cycles(&policy.top_up_below_cycles);
        self.top_up_e8s = policy.top_up_e8s;
    }
}

/// The platform counts cycles in 128 bits; a policy with more is a mistake of whoever installs.
fn cycles(amount: &candid::Nat) -> u128 {
    u128::try_from(amount.0.clone())
        .unwrap_or_else(|_| ic_cdk::trap(format!("{amount} cycles do not fit 128 bits")))
}

pub fn load(version: &Sha256) -> Option<Load> {
    with(|state| state.loads.get(&version.0)).map(|StoredLoad::V1(load)| load)
}

pub fn put_load(load: Load) {
    with_mut(|state| state.loads.insert(load.version.0, StoredLoad::V1(load)));
}

pub fn remove_load(version: &Sha256) {
    with_mut(|state| state.loads.remove(&version.0));
}

/// At most `LOADS_MAX`.
pub fn loads() -> Vec<Load> {
    with(|state| {
        state
            .loads
            .values()
            .map(|StoredLoad::V1(load)| load)
            .collect()
    })
}

pub fn payment(id: u64) -> Option<Payment> {
    with(|state| state.payments.get(&id)).map(|StoredPayment::V1(payment)| payment)
}

pub fn books() -> Books {
    with(|state| {
        let StoredBooks::V1(books) = state.books.get();
        *books
    })
}

pub fn change_books(change: impl FnOnce(&mut Books)) {
    let mut books = books();
    change(&mut books);
    with_mut(|state| state.books.set(StoredBooks::V1(books)));
}

impl Books {
    /// What may be spent. A refund in advance of any income makes it owe fees first, hence the floor.
    pub fn revenue_e8s(&self) -> u64 {
        self.earned_e8s.saturating_sub(self.spent_e8s)
    }

    pub fn earn(&mut self, e8s: u64) {
        self.earned_e8s = self
            .earned_e8s
            .checked_add(e8s)
            .expect("BUG: more ICP than there is");
    }

    pub fn spend(&mut self, e8s: u64) {
        self.spent_e8s = self
            .spent_e8s
            .checked_add(e8s)
            .expect("BUG: more ICP than there is");
    }

    /// Takes back what a transfer that definitely did not happen had been booked with.
    pub fn unspend(&mut self, e8s: u64) {
        self.spent_e8s = self
            .spent_e8s
            .checked_sub(e8s)
            .expect("BUG: more taken back than spent");
    }
}

pub fn top_ups_newest_first(count: usize) -> Vec<TopUp> {
    with(|state| {
        let values = state.top_ups.iter().rev().take(count);
        values
            .map(|entry| entry.value())
            .map(|StoredTopUp::V1(top_up)| top_up)
            .collect()
    })
}
