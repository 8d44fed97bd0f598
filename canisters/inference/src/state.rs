//! The stable structures and the few ways to reach them. Callers never hold a borrow across an `.await`:
//! every function here takes and returns values.

use std::cell::RefCell;

use ic_stable_structures::{StableBTreeMap, StableBTreeSet, StableCell, StableLog};
use stoa_inference_api::InitArgs;
use stoa_types::Sha256;

use crate::memory::{self, LAYOUT_VERSION, Memory};
use crate::policy::ValidPolicy;
use crate::stored::{
    AccountKey, Configuration, Load, Payment, StoredAnswer, StoredBooks, StoredBought,
    StoredConfiguration, StoredCyclesRequest, StoredJob, StoredKey, StoredLoad, StoredPayment,
    StoredPolicy, StoredQuota, StoredReceipt, StoredSample, StoredTopUp, StoredTotals,
    StoredTransfer, TopUp, Totals, Unit,
};

/// What the ledgers ask for a transfer until they say otherwise.
const FEE_E8S: u64 = 10_000;

pub struct State {
    pub(crate) layout: StableCell<u32, Memory>,
    pub(crate) configuration: StableCell<StoredConfiguration, Memory>,
    loads: StableBTreeMap<[u8; 32], StoredLoad, Memory>,
    pub(crate) payments: StableBTreeMap<u64, StoredPayment, Memory>,
    pub(crate) open_payments: StableBTreeSet<u64, Memory>,
    pub(crate) retired_books: StableCell<StoredBooks, Memory>,
    pub(crate) top_ups: StableBTreeMap<u64, StoredTopUp, Memory>,
    pub(crate) receipts: StableLog<StoredReceipt, Memory, Memory>,
    pub(crate) accounts: StableBTreeMap<AccountKey, u128, Memory>,
    pub(crate) totals: StableCell<StoredTotals, Memory>,
    pub(crate) transfers: StableBTreeMap<u64, StoredTransfer, Memory>,
    pub(crate) open_transfers: StableBTreeSet<u64, Memory>,
    pub(crate) keys: StableBTreeMap<[u8; 32], StoredKey, Memory>,
    pub(crate) jobs: StableBTreeMap<u64, StoredJob, Memory>,
    /// Candid of a `stoa_types::pipeline::Input`.
    pub(crate) job_inputs: StableBTreeMap<u64, Vec<u8>, Memory>,
    pub(crate) job_answers: StableBTreeMap<u64, StoredAnswer, Memory>,
    pub(crate) cycles_samples: StableBTreeMap<u64, StoredSample, Memory>,
    pub(crate) free_quota: StableCell<StoredQuota, Memory>,
    pub(crate) cycles_request: StableCell<StoredCyclesRequest, Memory>,
    pub(crate) cycles_bought: StableCell<StoredBought, Memory>,
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
        retired_books: StableCell::init(
            memory::region(memory::RETIRED_BOOKS),
            StoredBooks::V1(Default::default()),
        ),
        top_ups: StableBTreeMap::init(memory::region(memory::TOP_UPS)),
        receipts: StableLog::init(
            memory::region(memory::RECEIPT_INDEX),
            memory::region(memory::RECEIPT_DATA),
        ),
        accounts: StableBTreeMap::init(memory::region(memory::ACCOUNTS)),
        totals: StableCell::init(
            memory::region(memory::TOTALS),
            StoredTotals::V1([Totals::default(); 3]),
        ),
        transfers: StableBTreeMap::init(memory::region(memory::TRANSFERS)),
        open_transfers: StableBTreeSet::init(memory::region(memory::OPEN_TRANSFERS)),
        keys: StableBTreeMap::init(memory::region(memory::KEYS)),
        jobs: StableBTreeMap::init(memory::region(memory::JOBS)),
        job_inputs: StableBTreeMap::init(memory::region(memory::JOB_INPUTS)),
        job_answers: StableBTreeMap::init(memory::region(memory::JOB_ANSWERS)),
        cycles_samples: StableBTreeMap::init(memory::region(memory::CYCLES_SAMPLES)),
        free_quota: StableCell::init(
            memory::region(memory::FREE_QUOTA),
            StoredQuota::V1 { hour: 0, used: 0 },
        ),
        cycles_request: StableCell::init(
            memory::region(memory::CYCLES_REQUEST),
            StoredCyclesRequest::Never,
        ),
        cycles_bought: StableCell::init(
            memory::region(memory::CYCLES_BOUGHT),
            StoredBought::V1(0),
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
pub fn initialise(arguments: InitArgs) -> Result<(), String> {
    let InitArgs {
        registry,
        governance,
        icp_ledger,
        token_ledger,
        cycles_minting,
        policy,
    } = arguments;
    let policy = ValidPolicy::try_from(policy)?;
    if policy.takes_token() && token_ledger.is_none() {
        return Err("a price in the governance token needs its ledger".to_owned());
    }
    with_mut(|state| {
        state.layout.set(LAYOUT_VERSION);
    });
    put_configuration(Configuration {
        registry,
        governance,
        icp_ledger,
        token_ledger,
        cycles_minting,
        policy: policy.into_stored(),
        icp_fee_e8s: FEE_E8S,
        token_fee_e8s: FEE_E8S,
    });
    Ok(())
}

pub fn configuration() -> Configuration {
    with(|state| match state.configuration.get() {
        StoredConfiguration::V2(configuration) => configuration.clone(),
        StoredConfiguration::V1(old) => old.clone().into(),
        StoredConfiguration::Absent => panic!("BUG: no configuration after init"),
    })
}

pub fn policy() -> StoredPolicy {
    configuration().policy
}

pub fn set_policy(policy: ValidPolicy) {
    put_configuration(Configuration {
        policy: policy.into_stored(),
        ..configuration()
    });
}

pub fn put_configuration(configuration: Configuration) {
    with_mut(|state| {
        state
            .configuration
            .set(StoredConfiguration::V2(configuration))
    });
}

pub fn ledger_fee(unit: Unit) -> u64 {
    let configuration = configuration();
    match unit {
        Unit::Icp => configuration.icp_fee_e8s,
        Unit::Governance => configuration.token_fee_e8s,
        Unit::Cycles => 0,
    }
}

pub fn set_ledger_fee(unit: Unit, fee_e8s: u64) {
    let mut configuration = configuration();
    match unit {
        Unit::Icp => configuration.icp_fee_e8s = fee_e8s,
        Unit::Governance => configuration.token_fee_e8s = fee_e8s,
        Unit::Cycles => panic!("BUG: no ledger counts cycles"),
    }
    put_configuration(configuration);
}

impl From<StoredLoad> for Load {
    fn from(stored: StoredLoad) -> Self {
        match stored {
            StoredLoad::V1(old) => old.into(),
            StoredLoad::V2(load) => load,
        }
    }
}

impl From<StoredPayment> for Payment {
    fn from(stored: StoredPayment) -> Self {
        match stored {
            StoredPayment::V1(old) => old.into(),
            StoredPayment::V2(payment) => payment,
        }
    }
}

pub fn load(version: &Sha256) -> Option<Load> {
    with(|state| state.loads.get(&version.0)).map(Load::from)
}

pub fn put_load(load: Load) {
    with_mut(|state| state.loads.insert(load.version.0, StoredLoad::V2(load)));
}

pub fn remove_load(version: &Sha256) {
    with_mut(|state| state.loads.remove(&version.0));
}

/// At most `LOADS_MAX`.
pub fn loads() -> Vec<Load> {
    with(|state| state.loads.values().map(Load::from).collect())
}

pub fn payment(id: u64) -> Option<Payment> {
    with(|state| state.payments.get(&id)).map(Payment::from)
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
