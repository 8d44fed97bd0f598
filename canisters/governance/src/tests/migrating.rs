//! Stable memory as earlier versions left it.

use ic_stable_structures::memory_manager::{MemoryId, MemoryManager};
use ic_stable_structures::{StableBTreeMap, StableCell, StableVec};
use minicbor::{Decode, Encode};

use super::*;
use crate::cbor::Cbor;
use crate::memory::State;
use crate::neuron::Dissolve;
use crate::parameters::{Parameters, PowerRules};
use crate::permission::{Holder, Permissions};
use crate::power::Count;
use crate::proposal::{Terms, Thresholds};

/// As version 1 declared them, field for field.
#[derive(Encode, Decode)]
struct NeuronOf1 {
    #[n(0)]
    holders: Vec<Holder>,
    #[n(1)]
    stake_e8s: u64,
    #[n(2)]
    fees_e8s: u64,
    #[n(3)]
    created_at_seconds: u64,
    #[n(4)]
    dissolve: Dissolve,
    #[n(5)]
    aging_since_seconds: u64,
    #[n(6)]
    created_after_proposal: u64,
    #[n(7)]
    state_after_proposal: u64,
    #[n(8)]
    count: Count,
}

#[derive(Encode, Decode)]
struct TermsOf1 {
    #[cbor(n(0), with = "minicbor::bytes")]
    proposer: NeuronKey,
    #[n(1)]
    created_at_seconds: u64,
    #[n(2)]
    power_rules: PowerRules,
    #[n(3)]
    thresholds: Thresholds,
    #[n(4)]
    reject_cost_e8s: u64,
    #[n(5)]
    initial_voting_period_seconds: u64,
    #[n(6)]
    wait_for_quiet_deadline_increase_seconds: u64,
}

#[derive(Encode, Decode, Default)]
struct ParametersOf1 {
    #[n(0)]
    power: Option<PowerRules>,
    #[n(1)]
    neuron_minimum_stake_e8s: u64,
    #[n(2)]
    transaction_fee_e8s: u64,
    #[n(3)]
    reject_cost_e8s: u64,
    #[n(4)]
    initial_voting_period_seconds: u64,
    #[n(5)]
    wait_for_quiet_deadline_increase_seconds: u64,
    #[n(6)]
    max_number_of_neurons: u64,
    #[n(7)]
    max_number_of_proposals_with_ballots: u64,
    #[n(8)]
    max_number_of_principals_per_neuron: u64,
    #[n(9)]
    max_followees_per_function: u64,
    #[n(10)]
    max_proposals_to_keep_per_action: u32,
    #[n(11)]
    neuron_claimer_permissions: Option<Permissions>,
    #[n(12)]
    neuron_grantable_permissions: Option<Permissions>,
}

fn parameters_of_1(now: &Parameters) -> ParametersOf1 {
    ParametersOf1 {
        power: Some(now.power),
        neuron_minimum_stake_e8s: now.neuron_minimum_stake_e8s,
        transaction_fee_e8s: now.transaction_fee_e8s,
        reject_cost_e8s: now.reject_cost_e8s,
        initial_voting_period_seconds: now.initial_voting_period_seconds,
        wait_for_quiet_deadline_increase_seconds: now.wait_for_quiet_deadline_increase_seconds,
        max_number_of_neurons: now.max_number_of_neurons,
        max_number_of_proposals_with_ballots: now.max_number_of_proposals_with_ballots,
        max_number_of_principals_per_neuron: now.max_number_of_principals_per_neuron,
        max_followees_per_function: now.max_followees_per_function,
        max_proposals_to_keep_per_action: now.max_proposals_to_keep_per_action,
        neuron_claimer_permissions: Some(now.neuron_claimer_permissions),
        neuron_grantable_permissions: Some(now.neuron_grantable_permissions),
    }
}

/// The state of now in the layout of version 1: its memories, its bytes.
fn as_version_1(state: &State) -> DefaultMemoryImpl {
    let memory = DefaultMemoryImpl::default();
    let manager = MemoryManager::init_with_bucket_size(memory.clone(), 16);
    let at = |id| manager.get(MemoryId::new(id));
    StableCell::init(at(0), 1u32);
    StableCell::init(at(1), state.settings.get().clone());
    StableCell::init(at(2), Cbor(parameters_of_1(state.parameters())));
    StableCell::init(at(3), state.sums.get().clone());
    let mut neurons = StableBTreeMap::init(at(4));
    for entry in state.neurons.iter() {
        let now = entry.value().0;
        let then = NeuronOf1 {
            holders: now.holders,
            stake_e8s: now.stake_e8s,
            fees_e8s: now.fees_e8s,
            created_at_seconds: now.created_at_seconds,
            dissolve: now.dissolve,
            aging_since_seconds: now.aging_since_seconds,
            created_after_proposal: now.created_after_proposal,
            state_after_proposal: now.state_after_proposal,
            count: now.count,
        };
        neurons.insert(*entry.key(), Cbor(then));
    }
    macro_rules! copy {
        ($($id:literal $field:ident),+) => {
            $(let mut map = StableBTreeMap::init(at($id));
            for entry in state.$field.iter() {
                map.insert(entry.key().clone(), entry.value());
            })+
        };
    }
    copy!(5 neurons_by_principal, 6 history, 7 recounts, 8 contents, 10 failures, 11 ballots);
    copy!(12 deadlines, 13 voting, 14 executions, 15 functions, 16 closed_with_ballots);
    let progress = StableVec::init(at(9));
    for entry in state.progress.iter() {
        progress.push(&entry);
    }
    let mut terms = StableBTreeMap::init(at(17));
    for entry in state.terms.iter() {
        let Terms {
            proposer,
            created_at_seconds,
            power_rules,
            thresholds,
            reject_cost_e8s,
            initial_voting_period_seconds,
            wait_for_quiet_deadline_increase_seconds,
            digest: _,
            is_eligible_for_rewards: _,
        } = entry.value().0;
        let then = TermsOf1 {
            proposer,
            created_at_seconds,
            power_rules,
            thresholds,
            reject_cost_e8s,
            initial_voting_period_seconds,
            wait_for_quiet_deadline_increase_seconds,
        };
        terms.insert(*entry.key(), Cbor(then));
    }
    memory
}

/// Statement 28.
#[test]
fn should_take_over_everything_that_version_1_left() {
    governance();
    let keys: Vec<_> = (1..=4).map(|id| neuron(id, 1_000)).collect();
    let executed = propose(1, keys[0], motion());
    for (id, key) in (2..=3).zip(&keys[1..]) {
        vote(id, *key, executed, Vote::Yes);
    }
    run_jobs();
    set_time(START + PERIOD);
    housekeep();
    let open = propose(2, keys[1], motion());
    let queued = propose(2, keys[1], motion());
    for (id, key) in [(1, keys[0]), (3, keys[2])] {
        vote(id, key, queued, Vote::Yes);
    }
    configure(user(4), keys[3], Operation::StartDissolving {});
    let seen = || {
        let proposals: Vec<_> = (1..=3).map(read).collect();
        let neurons: Vec<_> = keys.iter().map(|key| read_neuron(*key)).collect();
        let parameters = crate::query_system::get_nervous_system_parameters();
        (proposals, neurons, parameters, runtime::certified_data())
    };
    let before = seen();
    let memory = with_state(|state| as_version_1(state));
    upgrade(memory.clone());
    assert_eq!(seen(), before);
    check_invariants();
    // And again: what the first upgrade wrote, the second reads.
    upgrade(memory);
    assert_eq!(seen(), before);
    run_jobs();
    assert!(read(queued).executed_timestamp_seconds > 0);
    vote(4, keys[3], open, Vote::No);
    assert_eq!(
        read(open).latest_tally.unwrap().no,
        1_375,
        "its power as of creation"
    );
    check_invariants();
}

#[test]
#[should_panic(expected = "stable memory has layout 4, this code knows up to 3")]
fn should_refuse_the_layout_of_a_later_version() {
    let memory = DefaultMemoryImpl::default();
    let manager = MemoryManager::init_with_bucket_size(memory.clone(), 16);
    StableCell::init(manager.get(MemoryId::new(0)), 4u32);
    upgrade(memory);
}
