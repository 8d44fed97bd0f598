//! Runs of several messages: paid once, begun again after an upgrade or a trap, ended some time.

use stoa_inference_api::{GetJobError, InferError, JobState, Payment};
use stoa_registry_api::VersionStatus;
use stoa_types::Sha256;

use super::world::{
    FEE, Fate, PAYER_FUNDS, World, allowance, credit, payer, request, tensors, world,
};
use crate::infer::{infer, submit};
use crate::limits::{JOB_STARTS_MAX, JOBS_KEPT};
use crate::{accounts, jobs, journal, load, load_job, queries, receipts, state, volatile};

/// Each reading of the counter is most of a slice, so that a run stops after nearly every node.
fn long_world() -> (World, Sha256) {
    let world = world();
    world.with(|inner| inner.instructions_a_reading = 15_000_000_000);
    let version = world.admit_digits();
    world
        .finish(load::load(&world, payer(0), version, None))
        .unwrap();
    world.finish(load_job::drive(&world));
    // Its price at the world's rate is several ICP.
    world.with(|inner| {
        for who in 0..2 {
            inner.balances.insert(payer(who), 100 * PAYER_FUNDS);
            inner.allowances.insert(payer(who), 100 * PAYER_FUNDS);
        }
        inner.cycles = 10_000_000_000_000_000;
    });
    let policy = stoa_inference_api::Policy {
        rate_e8s_per_billion_instructions: 20_000,
        ..super::world::policy()
    };
    crate::policy::set_policy(super::world::governance(), &policy).unwrap();
    world.restart_calls();
    (world, version)
}

fn slices(world: &World) -> usize {
    world.with(|inner| inner.log.iter().filter(|name| **name == "c2c_run").count())
}

fn spent(world: &World) -> u64 {
    let credit = accounts::balances_of(payer(0)).credit_icp_e8s;
    100 * PAYER_FUNDS - world.balance(payer(0)) - credit
}

#[test]
fn should_run_over_several_messages_and_answer_whoever_waits() {
    let (world, version) = long_world();
    let quote = queries::quote(version).unwrap();
    assert!(quote.messages > 1, "{quote:?}");
    let answer = world
        .finish(infer(&world, payer(0), request(version, allowance())))
        .unwrap();
    assert_eq!(tensors(&answer.answer)[0].shape, [1, 10]);
    assert!(slices(&world) > 1);
    assert_eq!(receipts::count(), 1);
    assert_eq!(spent(&world), quote.price_e8s + FEE);
    assert_eq!(jobs::open_count(), 0);
    assert!(state::with(|state| state.job_inputs.is_empty()));
    // The same bits as in one message.
    let long = answer.answer;
    world.with(|inner| inner.instructions_a_reading = 1);
    world.with(|inner| inner.attached = u64::MAX.into());
    let short = world
        .finish(infer(&world, payer(0), request(version, Payment::Cycles)))
        .unwrap();
    assert_eq!(short.answer, long);
}

#[test]
fn should_go_on_after_an_upgrade_in_the_middle_and_charge_once() {
    for call in 1..5 {
        std::thread::spawn(move || {
            let (world, version) = long_world();
            world.set_fate(call, Fate::TrapBefore);
            let waiting = world.attempt(infer(&world, payer(0), request(version, allowance())));
            assert!(waiting.is_none());
            world.upgrade();
            world.run_timers();
            let ids = jobs::list_jobs(payer(0));
            let job = jobs::get_job(payer(0), ids[0]).unwrap();
            let JobState::Done { receipt, .. } = job.state else {
                panic!("call {call}: {:?}", job.state);
            };
            assert_eq!(receipt.id, 0);
            assert_eq!(receipts::count(), 1);
            let price = queries::quote(version).unwrap().price_e8s;
            assert_eq!(spent(&world), price + FEE);
            // Nobody else may read it.
            assert_eq!(
                jobs::get_job(payer(1), ids[0]),
                Err(GetJobError::NotFound { id: ids[0] })
            );
            assert!(volatile::is_at_rest());
            accounts::check_invariants();
        })
        .join()
        .unwrap();
    }
}

#[test]
fn should_submit_without_waiting_and_keep_the_answer_for_a_day() {
    let (world, version) = long_world();
    assert_eq!(
        world.finish(submit(&world, payer(0), request(version, Payment::Cycles))),
        Err(InferError::NotWithCycles)
    );
    let id = world
        .finish(submit(&world, payer(0), request(version, allowance())))
        .unwrap();
    let state_of = || jobs::get_job(payer(0), id).unwrap().state;
    assert!(matches!(state_of(), JobState::Running { restarts: 0, .. }));
    world.run_timers();
    assert!(matches!(state_of(), JobState::Done { .. }));
    world.pass(JOBS_KEPT + std::time::Duration::from_secs(1));
    world.finish(jobs::drive(&world));
    assert_eq!(
        jobs::get_job(payer(0), id),
        Err(GetJobError::NotFound { id })
    );
    assert!(state::with(|state| state.job_answers.is_empty()));
}

#[test]
fn should_pay_a_job_once_whatever_happens_to_any_call() {
    for call in 0..6 {
        for fate in Fate::ALL {
            std::thread::spawn(move || {
                let (world, version) = long_world();
                world.set_fate(call, fate);
                let _answer = world.attempt(infer(&world, payer(0), request(version, allowance())));
                world.run_timers();
                let price = queries::quote(version).unwrap().price_e8s;
                let expected = match (call, fate) {
                    // The charge definitely did not happen.
                    (0, Fate::Refused) => (0, 0),
                    _ => (1, price + FEE),
                };
                assert_eq!(
                    (receipts::count(), spent(&world)),
                    expected,
                    "call {call} {fate:?}"
                );
                assert_eq!(journal::open_ids(9), Vec::<u64>::new());
                assert!(volatile::is_at_rest());
                accounts::check_invariants();
            })
            .join()
            .unwrap();
        }
    }
}

#[test]
fn should_give_up_and_pay_back_a_job_that_keeps_trapping() {
    let (world, version) = long_world();
    world.with(|inner| inner.trap_runs = true);
    let id = world
        .finish(submit(&world, payer(0), request(version, allowance())))
        .unwrap();
    world.run_timers();
    let JobState::Failed { message } = jobs::get_job(payer(0), id).unwrap().state else {
        panic!();
    };
    assert!(message.contains(&JOB_STARTS_MAX.to_string()), "{message}");
    // All of it, with the ledger's fee.
    assert_eq!(spent(&world), 0);
    assert_eq!(receipts::count(), 0);
    accounts::check_invariants();
}

#[test]
fn should_end_a_job_whose_version_was_revoked_and_pay_it_back() {
    let (world, version) = long_world();
    let id = world
        .finish(submit(&world, payer(0), request(version, allowance())))
        .unwrap();
    let arguments = stoa_inference_api::VersionStatusArgs {
        version,
        status: VersionStatus::Revoked.name().to_owned(),
    };
    crate::registration::note_status(&world, super::world::registry(), arguments).unwrap();
    world.run_timers();
    let state = jobs::get_job(payer(0), id).unwrap().state;
    assert!(matches!(state, JobState::Failed { .. }), "{state:?}");
    assert_eq!(spent(&world), 0);
}

#[test]
fn should_have_a_limit_on_the_jobs_of_a_caller() {
    let (world, version) = long_world();
    for _ in 0..4 {
        world
            .finish(submit(&world, payer(0), request(version, allowance())))
            .unwrap();
    }
    assert_eq!(
        world.finish(submit(&world, payer(0), request(version, allowance()))),
        Err(InferError::Busy)
    );
    world
        .finish(submit(&world, payer(1), request(version, allowance())))
        .unwrap();
    world.run_timers();
    assert_eq!(receipts::count(), 5);
    assert_eq!(
        world
            .finish(infer(&world, payer(1), request(version, credit())))
            .unwrap_err(),
        InferError::InsufficientCredit {
            credit_e8s: 0,
            needed_e8s: queries::quote(version).unwrap().price_e8s
        }
    );
}
