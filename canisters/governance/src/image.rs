//! The memory of a governance with many neurons or proposals, made natively by the code that
//! makes it on chain, for benchmarks to load as a snapshot. Not part of the canister: it is
//! not compiled for its target.

use std::task::{Context, Poll, Waker};

use candid::Principal;
use ic_stable_structures::DefaultMemoryImpl;
use stoa_governance_api::code::Vote;
use stoa_governance_api::{
    Action, Command, CommandResponse, Configure, Follow, IncreaseDissolveDelay, InitArgs,
    ManageNeuron, NeuronId, Operation, Proposal, neuron_staking_subaccount,
};

use crate::neuron::NeuronKey;
use crate::register_vote::Voting;
use crate::{claim_or_refresh, configure, follow, housekeeping, install, manage_neuron, memory};
use crate::{runtime, runtime::Job};

/// A governance that is being filled. One at a time in a thread, since it is the thread's.
pub struct Image {
    memory: DefaultMemoryImpl,
    now_seconds: u64,
}

impl Image {
    pub fn new(arguments: InitArgs, now_seconds: u64) -> Self {
        let memory = DefaultMemoryImpl::default();
        memory::replace(memory.clone());
        runtime::set_time_seconds(now_seconds);
        install::install(arguments);
        Self {
            memory,
            now_seconds,
        }
    }

    /// What the ledger says is believed; nobody holds tokens here.
    pub fn stake(
        &self,
        owner: Principal,
        memo: u64,
        stake_e8s: u64,
        dissolve_delay_seconds: u32,
        followee: Option<NeuronKey>,
    ) -> NeuronKey {
        let key = neuron_staking_subaccount(owner, memo);
        claim_or_refresh::settle(key, Some(owner), stake_e8s).expect("claimed");
        let delay = Configure {
            operation: Some(Operation::IncreaseDissolveDelay(IncreaseDissolveDelay {
                additional_dissolve_delay_seconds: dissolve_delay_seconds,
            })),
        };
        configure::configure(key, owner, delay).expect("configured");
        if let Some(followee) = followee {
            let following = Follow {
                function_id: 0,
                followees: vec![NeuronId::from(followee)],
            };
            follow::follow(key, owner, following).expect("following");
        }
        key
    }

    /// Of an action that is rendered without asking anybody. What it starts runs at once.
    pub fn propose(
        &self,
        owner: Principal,
        proposer: NeuronKey,
        summary: &str,
        action: Action,
    ) -> u64 {
        runtime::set_caller(owner);
        let request = ManageNeuron {
            subaccount: proposer.to_vec(),
            command: Some(Command::MakeProposal(Proposal {
                url: String::new(),
                title: "A proposal".to_string(),
                summary: summary.to_string(),
                action: Some(action),
            })),
        };
        let mut made = Box::pin(manage_neuron::manage_neuron(request));
        let Poll::Ready(response) = made.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("the proposal waits for an answer");
        };
        run_jobs(vec![]);
        match response.command {
            Some(CommandResponse::MakeProposal(made)) => made.proposal_id.expect("a number").id,
            other => panic!("{other:?}"),
        }
    }

    /// Yes, by neurons that have not voted on it. Whoever follows them has nothing left to vote.
    pub fn vote(&self, voters: &[NeuronKey], proposal: u64) {
        memory::with_state(|state| {
            let mut voting = Voting::open(state, proposal).expect("there");
            for voter in voters {
                let put = voting.put(state, *voter, Vote::Yes, self.now_seconds);
                put.expect("it has power");
            }
            voting.close(state, self.now_seconds);
        });
        run_jobs(vec![]);
    }

    /// Time goes by, and what is due at its end is done.
    pub fn pass(&mut self, seconds: u64) {
        self.now_seconds += seconds;
        runtime::set_time_seconds(self.now_seconds);
        while memory::with_state(|state| {
            let due = state.deadlines.first_key_value();
            due.is_some_and(|((deadline, _), ())| deadline <= self.now_seconds)
        }) {
            run_jobs(vec![Box::pin(housekeeping::run())]);
        }
    }

    /// The whole stable memory, as it is now.
    pub fn stable_memory(&self) -> Vec<u8> {
        self.memory.borrow().clone()
    }
}

/// What waits for somebody's answer is dropped: there is nobody.
fn run_jobs(mut jobs: Vec<Job>) {
    loop {
        jobs.extend(runtime::take_jobs());
        if jobs.is_empty() {
            return;
        }
        for mut job in jobs.drain(..) {
            let _nobody_answers = job.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}
