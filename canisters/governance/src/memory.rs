//! Where everything lies in stable memory. A number is never given twice; one that
//! is retired stays here as a comment with its reason.
//!
//! | id | what |
//! |---|---|
//! | 0 | layout version |
//! | 1 | settings: ledgers, texts, genesis |
//! | 2 | parameters |
//! | 3 | sums of voting power |
//! | 4 | neurons |
//! | 5 | (principal, neuron) for each permission holder |
//! | 6 | voting states that proposals up to the key's number see |
//! | 7 | (time, neuron) when a neuron has to be counted anew |
//! | 8 | what was proposed |
//! | 9 | what became of it, by proposal number less one |
//! | 10 | why executions failed |
//! | 11 | ballots that were cast |
//! | 12 | (deadline, proposal) of proposals that accept votes |
//! | 13 | the same proposals by number |
//! | 14 | adopted proposals whose outcome is not recorded: the execution journal |
//! | 15 | generic functions, and ids that are not given again |
//! | 16 | closed proposals that still have their ballots |
//! | 17 | on what terms proposals are voted on |
//! | 18 | bits of 64 proposals each: status, topic, reward status |
//! | 19 | nodes of the certified tree over proposals |
//! | 20 | whom each neuron follows, by subject |
//! | 21 | (subject, followee, follower): the same the other way round |
//! | 22 | votes whose followers have not all been looked at |
//! | 23 | transfers from neurons that are under way: their journal |
//! | 24 | where the recount after a change of the power's rules is |
//! | 25 | rounds of voting rewards |
//! | 26 | closed proposals that wait for their rewards |
//! | 27 | the round in which a proposal was rewarded |
//! | 28 | the latest time that a movement was given |
//! | 30 | time of the newest transfer: no two have the same |
//! | 31 | payments from the treasury, and for cycles: their journal |
//! | 32 | payments that are under way |
//! | 33 | canisters of the DAO, and what was spent on each today |
//! | 34 | rules by which cycles are bought, and what was spent today |
//! | 35 | Wasm modules of upgrade proposals that are not decided or not executed |
//! | 36 | governance's upgrade of itself, while it is under way |
//! | 37 | canisters that were stopped for an upgrade and have to be started |
//! | 45 | the roll-out of a module to many canisters, the latest |
//! | 46 | (canister, slot of an hour) to its cycles then (`cycles_history`) |
//! | 47 | ballots once more, by neuron first (`ballots`) |
//! | 48 | the newest proposal whose ballots are not in 47 |

use std::cell::RefCell;

use ic_stable_structures::memory_manager::{MemoryId, MemoryManager, VirtualMemory};
use ic_stable_structures::{DefaultMemoryImpl, StableBTreeMap, StableCell, StableVec};

use crate::cascade::Cursor;
use crate::cbor::Cbor;
use crate::dao_canisters::{CyclesKeeping, DaoCanister};
use crate::execution::Stage;
use crate::following::{Followee, Subject};
use crate::function::StoredFunction;
use crate::movement::Movement;
use crate::neuron::{Neuron, NeuronKey, VotingState};
use crate::neurons::{PrincipalKey, Recount};
use crate::parameters::Parameters;
use crate::payment::Payment;
use crate::planes::Planes;
use crate::power::Sums;
use crate::proposal::{Cast, Content, Failure, Progress, Terms};
use crate::rewards::Rewards;
use crate::rollout::Rollout;
use crate::self_upgrade::SelfUpgrade;
use crate::settings::Settings;

pub type Memory = VirtualMemory<DefaultMemoryImpl>;

/// Each of the parts takes at least one bucket: 1 MiB keeps a fresh governance small,
/// and 32,768 buckets make 32 GiB. Tests make thousands of fresh ones, whose memory is
/// zeroed each time.
const BUCKET_SIZE_PAGES: u16 = if cfg!(test) { 1 } else { 16 };

/// Raised with every change to what the bytes mean.
///
/// | version | change |
/// |---|---|
/// | 1 | the first |
/// | 2 | memories from 18 on; `Terms` have a digest; neurons have maturity (`migration`) |
/// | 3 | ballots of new proposals are in 47 too |
pub const LAYOUT_VERSION: u32 = 3;

pub struct State {
    pub layout_version: StableCell<u32, Memory>,
    pub settings: StableCell<Cbor<Option<Settings>>, Memory>,
    pub parameters: StableCell<Cbor<Parameters>, Memory>,
    pub sums: StableCell<Cbor<Sums>, Memory>,
    pub neurons: StableBTreeMap<NeuronKey, Cbor<Neuron>, Memory>,
    pub neurons_by_principal: StableBTreeMap<(PrincipalKey, NeuronKey), (), Memory>,
    pub history: StableBTreeMap<(NeuronKey, u64), Cbor<VotingState>, Memory>,
    pub recounts: StableBTreeMap<(u64, NeuronKey), (), Memory>,
    pub contents: StableBTreeMap<u64, Cbor<Content>, Memory>,
    pub progress: StableVec<Progress, Memory>,
    pub failures: StableBTreeMap<u64, Cbor<Failure>, Memory>,
    pub ballots: StableBTreeMap<(u64, NeuronKey), Cast, Memory>,
    pub ballots_by_neuron: StableBTreeMap<(NeuronKey, u64), Cast, Memory>,
    pub ballots_by_neuron_after: StableCell<u64, Memory>,
    pub deadlines: StableBTreeMap<(u64, u64), (), Memory>,
    pub voting: StableBTreeMap<u64, (), Memory>,
    pub executions: StableBTreeMap<u64, Cbor<Stage>, Memory>,
    pub functions: StableBTreeMap<u64, Cbor<StoredFunction>, Memory>,
    pub closed_with_ballots: StableBTreeMap<u64, (), Memory>,
    pub terms: StableBTreeMap<u64, Cbor<Terms>, Memory>,
    pub planes: StableVec<Planes, Memory>,
    pub certified_nodes: StableVec<[u8; 32], Memory>,
    pub following: StableBTreeMap<(NeuronKey, Subject), Cbor<Vec<Followee>>, Memory>,
    pub followers: StableBTreeMap<(Subject, NeuronKey, NeuronKey), (), Memory>,
    pub cascades: StableBTreeMap<(u64, NeuronKey), Cbor<Cursor>, Memory>,
    pub movements: StableBTreeMap<NeuronKey, Cbor<Movement>, Memory>,
    pub recount: StableCell<Cbor<Recount>, Memory>,
    pub rewards: StableCell<Cbor<Rewards>, Memory>,
    pub unsettled: StableBTreeMap<u64, (), Memory>,
    pub rewarded: StableBTreeMap<u64, u64, Memory>,
    pub movement_clock: StableCell<u64, Memory>,
    pub last_transfer_nanos: StableCell<u64, Memory>,
    pub payments: StableBTreeMap<u64, Cbor<Payment>, Memory>,
    pub open_payments: StableBTreeMap<u64, (), Memory>,
    pub dao_canisters: StableBTreeMap<PrincipalKey, Cbor<DaoCanister>, Memory>,
    pub cycles_keeping: StableCell<Cbor<CyclesKeeping>, Memory>,
    pub wasm_modules: StableBTreeMap<u64, Vec<u8>, Memory>,
    pub self_upgrade: StableCell<Cbor<Option<SelfUpgrade>>, Memory>,
    pub stopped_canisters: StableBTreeMap<PrincipalKey, (), Memory>,
    pub rollout: StableCell<Cbor<Option<Rollout>>, Memory>,
    pub cycles_history: StableBTreeMap<(PrincipalKey, u16), (u64, u128), Memory>,
}

impl State {
    pub fn open(memory: DefaultMemoryImpl) -> Self {
        let manager = MemoryManager::init_with_bucket_size(memory, BUCKET_SIZE_PAGES);
        let at = |id| manager.get(MemoryId::new(id));
        Self {
            layout_version: StableCell::init(at(0), 0),
            settings: StableCell::init(at(1), Cbor(None)),
            parameters: StableCell::init(at(2), Cbor::default()),
            sums: StableCell::init(at(3), Cbor::default()),
            neurons: StableBTreeMap::init(at(4)),
            neurons_by_principal: StableBTreeMap::init(at(5)),
            history: StableBTreeMap::init(at(6)),
            recounts: StableBTreeMap::init(at(7)),
            contents: StableBTreeMap::init(at(8)),
            progress: StableVec::init(at(9)),
            failures: StableBTreeMap::init(at(10)),
            ballots: StableBTreeMap::init(at(11)),
            ballots_by_neuron: StableBTreeMap::init(at(47)),
            ballots_by_neuron_after: StableCell::init(at(48), 0),
            deadlines: StableBTreeMap::init(at(12)),
            voting: StableBTreeMap::init(at(13)),
            executions: StableBTreeMap::init(at(14)),
            functions: StableBTreeMap::init(at(15)),
            closed_with_ballots: StableBTreeMap::init(at(16)),
            terms: StableBTreeMap::init(at(17)),
            planes: StableVec::init(at(18)),
            certified_nodes: StableVec::init(at(19)),
            following: StableBTreeMap::init(at(20)),
            followers: StableBTreeMap::init(at(21)),
            cascades: StableBTreeMap::init(at(22)),
            movements: StableBTreeMap::init(at(23)),
            recount: StableCell::init(at(24), Cbor::default()),
            rewards: StableCell::init(at(25), Cbor::default()),
            unsettled: StableBTreeMap::init(at(26)),
            rewarded: StableBTreeMap::init(at(27)),
            movement_clock: StableCell::init(at(28), 0),
            last_transfer_nanos: StableCell::init(at(30), 0),
            payments: StableBTreeMap::init(at(31)),
            open_payments: StableBTreeMap::init(at(32)),
            dao_canisters: StableBTreeMap::init(at(33)),
            cycles_keeping: StableCell::init(at(34), Cbor::default()),
            wasm_modules: StableBTreeMap::init(at(35)),
            self_upgrade: StableCell::init(at(36), Cbor::default()),
            stopped_canisters: StableBTreeMap::init(at(37)),
            rollout: StableCell::init(at(45), Cbor::default()),
            cycles_history: StableBTreeMap::init(at(46)),
        }
    }

    pub fn settings(&self) -> &Settings {
        self.settings
            .get()
            .0
            .as_ref()
            .expect("BUG: governance is installed without settings")
    }

    pub fn parameters(&self) -> &Parameters {
        &self.parameters.get().0
    }

    /// Proposals are numbered from 1 without gaps.
    pub fn newest_proposal(&self) -> u64 {
        self.progress.len()
    }
}

thread_local! {
    static STATE: RefCell<State> = RefCell::new(State::open(DefaultMemoryImpl::default()));
}

/// Never held over an await: what follows one reads the state again.
pub fn with_state<R>(f: impl FnOnce(&mut State) -> R) -> R {
    STATE.with_borrow_mut(f)
}

/// A state over `memory`; over the same memory again it stands for an upgrade.
#[cfg(not(target_family = "wasm"))]
pub fn replace(memory: DefaultMemoryImpl) {
    STATE.set(State::open(memory));
}
