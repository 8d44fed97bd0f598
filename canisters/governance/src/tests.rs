//! Governance driven natively: the test sets caller and time, plays the ledger, the
//! validators and the targets, and decides when their answers come.

mod certifying;
mod claiming;
mod cycles_history;
mod execution;
mod following;
mod holders;
mod ledger_change;
mod ledger_model;
mod limits;
mod listing;
mod migrating;
mod model;
mod moving;
mod moving_model;
mod naming;
mod neurons;
mod parameters_change;
mod plain;
mod quiet;
mod rewarding;
mod rivals;
mod rolling_out;
mod saved;
mod trapping;
mod treasury;
mod upgrades;
mod voting;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use candid::{CandidType, Encode, Nat, Principal};
use ic_stable_structures::DefaultMemoryImpl;
use stoa_governance_api::code::{ErrorType, Vote};
use stoa_governance_api::*;

use crate::memory::{self, with_state};
use crate::neuron::NeuronKey;
use crate::runtime::{self, Job, SentCall};
use crate::{execution as executing, install, lock};

pub const START: u64 = 1_800_000_000;
pub const MIN_DELAY: u64 = 100;
pub const MAX_DELAY: u64 = 1_000;
pub const MAX_AGE: u64 = 400;
pub const PERIOD: u64 = 500;
pub const REJECT_COST: u64 = 10;
pub const MIN_STAKE: u64 = 100;
pub const FUNCTION: u64 = 1_000;

pub fn user(id: u8) -> Principal {
    Principal::from_slice(&[id, 1])
}

pub fn target() -> Principal {
    Principal::from_slice(&[77])
}

pub fn ledger() -> Principal {
    Principal::from_slice(&[78])
}

pub fn function(id: u64) -> NervousSystemFunction {
    NervousSystemFunction {
        id,
        name: "Admit a version".to_string(),
        description: None,
        function_type: Some(FunctionType::GenericNervousSystemFunction(
            GenericNervousSystemFunction {
                validator_canister_id: Some(target()),
                target_canister_id: Some(target()),
                validator_method_name: Some("validate_admit_version".to_string()),
                target_method_name: Some("admit_version".to_string()),
                topic: Some(Topic::ApplicationBusinessLogic),
            },
        )),
    }
}

pub fn parameters() -> NervousSystemParameters {
    NervousSystemParameters {
        neuron_minimum_dissolve_delay_to_vote_seconds: Some(MIN_DELAY),
        max_dissolve_delay_seconds: Some(MAX_DELAY),
        max_dissolve_delay_bonus_percentage: Some(100),
        max_neuron_age_for_age_bonus: Some(MAX_AGE),
        max_age_bonus_percentage: Some(25),
        neuron_minimum_stake_e8s: Some(MIN_STAKE),
        transaction_fee_e8s: Some(1),
        reject_cost_e8s: Some(REJECT_COST),
        initial_voting_period_seconds: Some(PERIOD),
        wait_for_quiet_deadline_increase_seconds: Some(0),
        ..Default::default()
    }
}

/// A fresh governance; the memory that it is in.
pub fn governance_with(parameters: NervousSystemParameters) -> DefaultMemoryImpl {
    let stable = DefaultMemoryImpl::default();
    memory::replace(stable.clone());
    lose_heap();
    set_time(START);
    install::install(InitArgs {
        token_ledger: ledger(),
        icp_ledger: Principal::from_slice(&[79]),
        cycles_minting: Principal::from_slice(&[80]),
        parameters: Some(parameters),
        functions: vec![function(FUNCTION)],
        dao_canisters: None,
        cycles_policy: None,
        name: "Stoa".to_string(),
        description: "A library".to_string(),
        url: "https://example.org".to_string(),
    });
    stable
}

pub fn governance() -> DefaultMemoryImpl {
    governance_with(parameters())
}

fn lose_heap() {
    lock::forget_all();
    executing::forget_executing();
    crate::rewards::forget_asking();
    crate::housekeeping::forget_armed();
    crate::payment::forget_paying();
    crate::dao_canisters::forget_asking();
    crate::dao_canisters::forget_sweep();
    crate::actions::forget_upgrading();
    crate::rollout::forget_advancing();
    runtime::forget_traffic();
    runtime::take_sent();
    runtime::take_jobs();
}

pub fn upgrade(stable: DefaultMemoryImpl) {
    memory::replace(stable);
    lose_heap();
    install::open_after_upgrade();
    crate::housekeeping::start();
    crate::self_upgrade::go_on_after_upgrade();
}

pub fn set_time(seconds: u64) {
    runtime::set_time_seconds(seconds);
}

pub type Running<T> = Pin<Box<dyn Future<Output = T>>>;

pub fn poll<T>(running: &mut Running<T>) -> Option<T> {
    match running
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

pub fn one_call(method: &str) -> SentCall {
    let mut sent = runtime::take_sent();
    assert_eq!(sent.len(), 1, "one call is under way");
    let call = sent.remove(0);
    assert_eq!(call.method, method);
    call
}

pub fn reply<T: CandidType>(call: SentCall, value: T) {
    call.answer(Ok(Encode!(&value).unwrap()));
}

/// Begins a command; `None` while it waits for somebody's answer.
pub fn begin(caller: Principal, key: NeuronKey, command: Command) -> Running<CommandResponse> {
    Box::pin(async move {
        let response = crate::manage_neuron::manage_neuron(ManageNeuron {
            subaccount: key.to_vec(),
            command: Some(command),
        });
        // The caller is read when the command starts, as on the platform.
        runtime::set_caller(caller);
        response.await.command.expect("every command is answered")
    })
}

/// A command that waits for nobody.
pub fn command(caller: Principal, key: NeuronKey, command: Command) -> CommandResponse {
    poll(&mut begin(caller, key, command)).expect("the command waits for an answer")
}

pub fn error_of(response: CommandResponse) -> ErrorType {
    match response {
        CommandResponse::Error(error) => ErrorType::try_from(error.error_type).unwrap(),
        other => panic!("not refused: {other:?}"),
    }
}

pub fn key_of(owner: Principal, memo: u64) -> NeuronKey {
    neuron_staking_subaccount(owner, memo)
}

pub fn claim_command(controller: Principal, memo: u64) -> Command {
    Command::ClaimOrRefresh(ClaimOrRefresh {
        by: Some(By::MemoAndController(MemoAndController {
            controller: Some(controller),
            memo,
        })),
    })
}

/// Claims or refreshes with this balance on the ledger.
pub fn claim(owner: Principal, memo: u64, balance: u64) -> CommandResponse {
    let mut running = begin(owner, [0; 32], claim_command(owner, memo));
    assert!(poll(&mut running).is_none());
    reply(one_call("icrc1_balance_of"), Nat::from(balance));
    poll(&mut running).expect("the ledger has answered")
}

pub fn configure(owner: Principal, key: NeuronKey, operation: Operation) -> CommandResponse {
    command(
        owner,
        key,
        Command::Configure(Configure {
            operation: Some(operation),
        }),
    )
}

pub fn delay(owner: Principal, key: NeuronKey, seconds: u32) {
    let response = configure(
        owner,
        key,
        Operation::IncreaseDissolveDelay(IncreaseDissolveDelay {
            additional_dissolve_delay_seconds: seconds,
        }),
    );
    assert_eq!(response, CommandResponse::Configure {});
}

/// A neuron of the user that may vote.
pub fn neuron(id: u8, stake: u64) -> NeuronKey {
    let response = claim(user(id), 0, stake);
    assert!(
        matches!(response, CommandResponse::ClaimOrRefresh(_)),
        "{response:?}"
    );
    let key = key_of(user(id), 0);
    delay(user(id), key, MIN_DELAY as u32);
    key
}

pub fn proposal(action: Action) -> Command {
    Command::MakeProposal(Proposal {
        url: String::new(),
        title: "Title".to_string(),
        summary: "Summary".to_string(),
        action: Some(action),
    })
}

pub fn motion() -> Command {
    proposal(Action::Motion(Motion {
        motion_text: "Be it so".to_string(),
    }))
}

pub fn execute_function(payload: &[u8]) -> Command {
    proposal(Action::ExecuteGenericNervousSystemFunction(
        ExecuteGenericNervousSystemFunction {
            function_id: FUNCTION,
            payload: payload.to_vec(),
        },
    ))
}

pub fn id_of(response: CommandResponse) -> u64 {
    match response {
        CommandResponse::MakeProposal(made) => made.proposal_id.unwrap().id,
        other => panic!("not made: {other:?}"),
    }
}

pub fn propose(id: u8, key: NeuronKey, action: Command) -> u64 {
    id_of(command(user(id), key, action))
}

/// A proposal of the generic function, with the validator's consent.
pub fn propose_execution(id: u8, key: NeuronKey, payload: &[u8]) -> u64 {
    let mut running = begin(user(id), key, execute_function(payload));
    assert!(poll(&mut running).is_none());
    let call = one_call("validate_admit_version");
    assert_eq!(call.arguments, payload);
    reply(call, Ok::<String, String>("rendered".to_string()));
    id_of(poll(&mut running).expect("the validator has answered"))
}

pub fn vote(id: u8, key: NeuronKey, proposal: u64, vote: Vote) -> CommandResponse {
    command(
        user(id),
        key,
        Command::RegisterVote(RegisterVote {
            vote: vote.number(),
            proposal: Some(ProposalId { id: proposal }),
        }),
    )
}

/// Polls what timers would run; what waits for an answer comes back.
pub fn run_jobs() -> Vec<Job> {
    let mut waiting = Vec::new();
    loop {
        let jobs = runtime::take_jobs();
        if jobs.is_empty() {
            return waiting;
        }
        for mut job in jobs {
            if poll(&mut job).is_none() {
                waiting.push(job);
            }
        }
    }
}

/// One round of the timer, and what it starts.
pub fn housekeep() -> Vec<Job> {
    let mut round: Running<()> = Box::pin(crate::housekeeping::run());
    assert!(poll(&mut round).is_some());
    run_jobs()
}

pub fn read(proposal: u64) -> ProposalData {
    let response = crate::query_proposals::get_proposal(GetProposal {
        proposal_id: Some(ProposalId { id: proposal }),
    });
    match response.result {
        Some(GetProposalResult::Proposal(data)) => data,
        other => panic!("{other:?}"),
    }
}

pub fn read_neuron(key: NeuronKey) -> Neuron {
    let response = crate::query_neurons::get_neuron(GetNeuron {
        neuron_id: Some(key.into()),
    });
    match response.result {
        Some(GetNeuronResult::Neuron(neuron)) => neuron,
        other => panic!("{other:?}"),
    }
}

pub fn now() -> u64 {
    runtime::now_seconds()
}

/// The management canister's answer to `canister_status`.
pub fn status(cycles: u64, module_hash: Option<Vec<u8>>) -> Vec<u8> {
    use ic_management_canister_types::{
        CanisterStatusResult, CanisterStatusType, DefiniteCanisterSettings, MemoryMetrics,
        QueryStats,
    };
    let nothing = || Nat::from(0u8);
    candid::encode_one(CanisterStatusResult {
        status: CanisterStatusType::Running,
        ready_for_migration: false,
        version: 1,
        settings: DefiniteCanisterSettings {
            controllers: vec![runtime::canister_self()],
            compute_allocation: nothing(),
            memory_allocation: nothing(),
            freezing_threshold: nothing(),
            reserved_cycles_limit: nothing(),
            log_visibility: Default::default(),
            log_memory_limit: nothing(),
            wasm_memory_limit: nothing(),
            wasm_memory_threshold: nothing(),
            environment_variables: vec![],
        },
        module_hash,
        memory_size: nothing(),
        memory_metrics: MemoryMetrics {
            wasm_memory_size: nothing(),
            stable_memory_size: nothing(),
            global_memory_size: nothing(),
            wasm_binary_size: nothing(),
            custom_sections_size: nothing(),
            canister_history_size: nothing(),
            wasm_chunk_store_size: nothing(),
            snapshots_size: nothing(),
            log_memory_store_size: nothing(),
        },
        cycles: Nat::from(cycles),
        reserved_cycles: nothing(),
        idle_cycles_burned_per_day: nothing(),
        query_stats: QueryStats {
            num_calls_total: nothing(),
            num_instructions_total: nothing(),
            request_payload_bytes_total: nothing(),
            response_payload_bytes_total: nothing(),
        },
    })
    .unwrap()
}

/// What must hold after any step.
pub fn check_invariants() {
    check_following();
    check_indices();
    with_state(|state| {
        let mut sums = crate::power::Sums::default();
        let mut queued = 0;
        for entry in state.neurons.iter() {
            let neuron = entry.value().0;
            sums.add(&neuron.count);
            queued += u64::from(neuron.count.until.is_some());
            assert!(neuron.fees_e8s <= neuron.stake_e8s, "fees are covered");
        }
        assert_eq!(sums, state.sums.get().0, "sums are what neurons add up to");
        assert_eq!(queued, state.recounts.len());
        for id in 1..=state.newest_proposal() {
            let progress = state.progress_of(id).unwrap();
            let (mut yes, mut no) = (0, 0);
            for entry in state.ballots.range((id, [0; 32])..=(id, [u8::MAX; 32])) {
                let cast = entry.value();
                match cast.vote {
                    Vote::Yes => yes += cast.voting_power,
                    Vote::No => no += cast.voting_power,
                }
            }
            assert_eq!((progress.yes, progress.no), (yes, no), "tally of {id}");
            assert!(yes + no <= progress.total, "ballots of {id} fit the total");
        }
        let mut by_neuron: Vec<_> = state
            .ballots
            .iter()
            .map(|entry| (*entry.key(), entry.value()))
            .filter(|((proposal, _), _)| *proposal > *state.ballots_by_neuron_after.get())
            .map(|((proposal, neuron), cast)| ((neuron, proposal), cast))
            .collect();
        by_neuron.sort_by_key(|(key, _)| *key);
        let found: Vec<_> = state
            .ballots_by_neuron
            .iter()
            .map(|entry| (*entry.key(), entry.value()))
            .collect();
        assert_eq!(found, by_neuron, "ballots in both orders");
    });
}

/// Both ways of following say the same.
fn check_following() {
    with_state(|state| {
        let mut reversed = std::collections::BTreeSet::new();
        for entry in state.following.iter() {
            let (follower, subject) = *entry.key();
            for followee in entry.value().0 {
                reversed.insert((subject, followee.neuron, follower));
            }
        }
        let index: std::collections::BTreeSet<_> = state.followers.keys().collect();
        assert_eq!(index, reversed);
    });
}

/// Bits and certified tree say of each proposal what its record says.
fn check_indices() {
    with_state(|state| {
        for id in 1..=state.newest_proposal() {
            let progress = state.progress_of(id).unwrap();
            let mut filter = crate::planes::Filter::default();
            filter.include_status(progress.status());
            filter.include_topic(progress.topic);
            filter.include_reward_status(state.indexed_reward_status(id));
            assert_eq!(state.matching(&filter, id).next(), Some(id));
        }
        let before = runtime::certified_data();
        state.certify();
        assert_eq!(runtime::certified_data(), before, "the root is certified");
    });
}
