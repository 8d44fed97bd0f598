//! Jobs step by step: what they come to, what an interruption in the middle leaves, and who may start them.

use std::time::Duration;

use candid::Principal;
use stoa_registry_api as wire;
use stoa_registry_api::{JobKind, JobState};
use stoa_types::Sha256;

use super::records::{CreateStage, Digest, Module, Role, Work};
use super::{functions, jobs, module, status, watch};
use crate::begin_upload::begin_upload;
use crate::claim_publisher::claim_publisher;
use crate::memory::RawMemory;
use crate::runtime::Task;
use crate::seal::seal;
use crate::state::{self, State, with, with_mut};
use crate::testing::{
    GOVERNANCE, Running, TestRuntime, file, install, manifest_of, principal, shard,
};

const MODEL: &[u8] = b"weights of a very small network";
const README: &[u8] = b"# Digits";

thread_local! {
    static MEMORY: std::cell::RefCell<RawMemory> = std::cell::RefCell::default();
}

/// What an upgrade does.
fn reopen() {
    let memory = MEMORY.with_borrow(RawMemory::clone);
    state::set(State::open(memory, 1).unwrap());
}

/// A registry with three shards and one sealed version on two of them.
fn publish_sealed() -> (TestRuntime, Sha256) {
    MEMORY.set(install());
    let runtime = TestRuntime::new();
    let owner = principal(1);
    with_mut(|state| claim_publisher(state, &runtime, owner, "stoa".into())).unwrap();
    let manifest = manifest_of(vec![file("README.md", README), file("model.onnx", MODEL)]);
    let plan = Running::start(begin_upload(&runtime, owner, manifest))
        .finish()
        .unwrap();
    for chunk in &plan.chunks {
        let data = [MODEL, README]
            .into_iter()
            .find(|data| Sha256::of(data) == chunk.hash);
        for shard in &chunk.missing_on {
            runtime.put(*shard, data.unwrap());
        }
    }
    Running::start(seal(&runtime, owner, plan.version))
        .finish()
        .unwrap();
    (runtime, plan.version)
}

fn run_jobs(runtime: &TestRuntime) {
    for _ in 0..100 {
        Running::start(jobs::run(runtime)).finish();
        let next = with(|state| state.fleet.queue.first());
        match next {
            Some((due, _)) if due > runtime_now(runtime) + 3_600_000_000_000 => return,
            Some((due, _)) => runtime.now_nanos.set(due.max(runtime_now(runtime))),
            None => return,
        }
    }
}

fn runtime_now(runtime: &TestRuntime) -> u64 {
    runtime.now_nanos.get()
}

fn listed(kind: JobKind) -> Vec<wire::FleetJob> {
    let args = wire::ListJobsArgs {
        before: None,
        limit: None,
    };
    with(|state| status::list_jobs(state, &args))
        .into_iter()
        .filter(|job| job.kind == kind)
        .collect()
}

fn states(kind: JobKind) -> Vec<JobState> {
    listed(kind).into_iter().map(|job| job.state).collect()
}

/// A module that is chosen and all here.
fn with_module() {
    let bytes = b"the code of a shard".to_vec();
    with_mut(|state| {
        let hash = Digest::new(Sha256::of(&bytes).0);
        let chunks = vec![hash];
        module::choose(state, Module { hash, chunks });
        assert_eq!(module::put_chunk(state, principal(3), bytes), Ok(0));
    });
}

fn shards_of_segments(version: &Sha256) -> Vec<Vec<u16>> {
    with(|state: &State| {
        state
            .placement(version)
            .segments
            .into_iter()
            .map(|segment| segment.shards)
            .collect()
    })
}

#[test]
fn should_tell_each_shard_the_files_that_it_holds_once_a_version_is_sealed() {
    let (runtime, version) = publish_sealed();
    run_jobs(&runtime);
    assert_eq!(states(JobKind::Serve), [JobState::Done]);
    let manifest = with(|state| state.manifest(&version));
    for (number, expected) in [(0, true), (1, true), (2, false)] {
        for file in &manifest.files {
            let key = (version, file.path.clone());
            let is_served = runtime.on_shard(shard(number), |shard| shard.served.contains(&key));
            assert_eq!(is_served, expected, "{} on {number}", file.path);
        }
    }
}

#[test]
fn should_go_on_telling_after_a_shard_was_silent_and_an_upgrade() {
    let (runtime, version) = publish_sealed();
    runtime.on_shard(shard(1), |shard| shard.is_down = true);
    Running::start(jobs::run(&runtime)).finish();
    let job = listed(JobKind::Serve).remove(0);
    assert_eq!((job.state, job.attempts), (JobState::Waiting, 1));
    assert!(job.problem.unwrap().contains("did not answer"));

    reopen();
    runtime.on_shard(shard(1), |shard| shard.is_down = false);
    run_jobs(&runtime);
    assert_eq!(states(JobKind::Serve), [JobState::Done]);
    let served = runtime.on_shard(shard(1), |shard| shard.served.len());
    let files = with(|state| state.manifest(&version).files.len());
    assert_eq!(served, files);
}

#[test]
fn should_lose_one_step_where_a_callback_traps() {
    let (runtime, _) = publish_sealed();
    let mut run = Running::start(jobs::run(&runtime));
    assert!(run.step().is_none(), "the first call is out");
    drop(run);
    run_jobs(&runtime);
    assert_eq!(states(JobKind::Serve), [JobState::Done]);
}

#[test]
fn should_mend_a_damaged_chunk_from_the_other_shard() {
    let (runtime, version) = publish_sealed();
    run_jobs(&runtime);
    let chunk = with(|state| state.manifest(&version).files[0].chunks[0]);
    runtime.on_shard(shard(0), |shard| shard.damaged.insert(chunk));
    Running::start(watch::run(&runtime)).finish();
    assert_eq!(listed(JobKind::Mend).len(), 1);
    Running::start(watch::run(&runtime)).finish();
    assert_eq!(listed(JobKind::Mend).len(), 1, "one job for one damage");
    run_jobs(&runtime);
    assert_eq!(states(JobKind::Mend), [JobState::Done]);
    assert!(runtime.on_shard(shard(0), |shard| shard.damaged.is_empty()));
}

#[test]
fn should_say_of_a_chunk_without_a_good_copy_that_it_cannot_be_mended() {
    let (runtime, version) = publish_sealed();
    run_jobs(&runtime);
    let chunk = with(|state| state.manifest(&version).files[0].chunks[0]);
    for number in [0, 1] {
        runtime.on_shard(shard(number), |shard| shard.damaged.insert(chunk));
    }
    Running::start(watch::run(&runtime)).finish();
    Running::start(jobs::run(&runtime)).finish();
    let jobs = listed(JobKind::Mend);
    assert_eq!(jobs.len(), 2);
    assert!(jobs.iter().all(|job| job.problem.is_some()));
}

#[test]
fn should_empty_a_shard_that_the_dao_retires_and_never_hold_fewer_than_two_copies() {
    let (runtime, version) = publish_sealed();
    run_jobs(&runtime);
    assert_eq!(shards_of_segments(&version), [[0, 1], [0, 1]]);
    let args = wire::ShardArgs { shard: shard(0) };
    with_mut(|state| functions::retire_shard(state, &runtime, GOVERNANCE, &args)).unwrap();

    let chunks: Vec<Sha256> = with(|state| {
        let files = state.manifest(&version).files;
        files.into_iter().flat_map(|file| file.chunks).collect()
    });
    for _ in 0..200 {
        if states(JobKind::Retire) == [JobState::Done] {
            break;
        }
        let mut run = Running::start(jobs::run(&runtime));
        loop {
            for chunk in &chunks {
                let copies = runtime
                    .shards
                    .borrow()
                    .values()
                    .filter(|shard| shard.held.contains_key(chunk))
                    .count();
                assert!(copies >= 2, "a chunk with {copies} copies");
            }
            if run.step().is_some() {
                break;
            }
        }
        runtime.pass(Duration::from_secs(10));
        reopen();
    }
    assert_eq!(states(JobKind::Retire), [JobState::Done]);
    assert_eq!(shards_of_segments(&version), [[1, 2], [1, 2]]);
    assert_eq!(with(|state| state.fleet.member(0).role), Role::Retired);
    assert!(runtime.on_shard(shard(0), |shard| shard.held.is_empty()));
    let served = runtime.on_shard(shard(2), |shard| shard.served.len());
    assert_eq!(served, 2, "the new shard serves the files");
}

/// Statement 30: an upgrade in the middle of a repair and of a move, behind any number of calls. What was out is never answered.
#[test]
fn should_end_a_repair_and_a_move_wherever_an_upgrade_cuts_them_off() {
    for calls in 1..8 {
        let (runtime, version) = publish_sealed();
        run_jobs(&runtime);
        let cut_off = || {
            let mut run = Running::start(jobs::run(&runtime));
            let _ended = (0..calls).find_map(|_| run.step());
            drop(run);
            reopen();
        };
        let chunk = with(|state| state.manifest(&version).files[0].chunks[0]);
        runtime.on_shard(shard(0), |shard| shard.damaged.insert(chunk));
        Running::start(watch::run(&runtime)).finish();
        cut_off();
        run_jobs(&runtime);
        assert_eq!(states(JobKind::Mend), [JobState::Done], "{calls} calls");
        assert!(runtime.on_shard(shard(0), |shard| shard.damaged.is_empty()));

        let args = wire::ShardArgs { shard: shard(0) };
        with_mut(|state| functions::retire_shard(state, &runtime, GOVERNANCE, &args)).unwrap();
        for _ in 0..100 {
            cut_off();
            Running::start(jobs::run(&runtime)).finish();
            runtime.pass(Duration::from_secs(10));
        }
        assert_eq!(states(JobKind::Retire), [JobState::Done], "{calls} calls");
        assert_eq!(shards_of_segments(&version), [[1, 2], [1, 2]]);
        assert!(runtime.on_shard(shard(0), |shard| shard.held.is_empty()));
        for number in [1, 2] {
            assert_eq!(runtime.on_shard(shard(number), |shard| shard.held.len()), 2);
        }
    }
}

/// Statement 16.
#[test]
fn should_create_a_shard_that_governance_alone_controls_before_it_is_used() {
    let (runtime, _) = publish_sealed();
    run_jobs(&runtime);
    with_module();
    runtime.management.borrow_mut().failing = ["install_code", "update_settings"].into();
    with_mut(|state| super::grow(state, &runtime));
    with_mut(|state| super::grow(state, &runtime));
    assert_eq!(listed(JobKind::Create).len(), 1, "one at a time");
    run_jobs(&runtime);

    assert_eq!(states(JobKind::Create), [JobState::Done]);
    let management = runtime.management.borrow();
    let made: Vec<&Principal> = management.controllers.keys().collect();
    assert_eq!(made.len(), 1);
    assert_eq!(management.controllers[made[0]], [GOVERNANCE]);
    assert_eq!(management.installed[made[0]], b"the code of a shard");
    let listed = with(|state| state.shards.get(&3).unwrap().principal);
    assert_eq!(listed, *made[0]);
    let joined = (GOVERNANCE, "register_dao_canister".to_owned());
    assert!(runtime.with_services(|services| services.heard.contains(&joined)));
}

/// Statement 2.
#[test]
fn should_neither_forget_nor_repeat_a_creation_that_was_interrupted() {
    let (runtime, _) = publish_sealed();
    run_jobs(&runtime);
    with_module();
    with_mut(|state| super::grow(state, &runtime));
    let mut run = Running::start(jobs::run(&runtime));
    assert!(run.step().is_none());
    drop(run);
    reopen();
    let work = with(|state| jobs::waiting(state).next().unwrap().work);
    let stage = CreateStage::Asked;
    assert_eq!(
        work,
        Work::Create { stage },
        "the intent came before the call"
    );
    run_jobs(&runtime);
    assert_eq!(states(JobKind::Create), [JobState::Failed]);
    assert_eq!(with(|state| state.shards.len()), 3);

    with_mut(|state| super::grow(state, &runtime));
    run_jobs(&runtime);
    assert_eq!(with(|state| state.shards.len()), 4, "another one is made");
}

#[test]
fn should_grow_where_no_two_shards_have_room() {
    let (runtime, _) = publish_sealed();
    run_jobs(&runtime);
    with_module();
    with_mut(|state| super::consider_growth(state, &runtime));
    assert!(listed(JobKind::Create).is_empty());
    for number in [0, 1] {
        with_mut(|state| {
            let mut record = state.shards.get(&number).unwrap();
            record.assigned_bytes = record.capacity_bytes.unwrap();
            state.shards.insert(number, record);
        });
    }
    with_mut(|state| super::consider_growth(state, &runtime));
    assert_eq!(listed(JobKind::Create).len(), 1);
}

#[test]
fn should_keep_its_own_cycles_rather_than_make_a_shard() {
    let (runtime, _) = publish_sealed();
    run_jobs(&runtime);
    with_module();
    runtime.cycles.set(2_000_000_000_000);
    with_mut(|state| super::grow(state, &runtime));
    Running::start(jobs::run(&runtime)).finish();
    let job = listed(JobKind::Create).remove(0);
    assert!(job.problem.unwrap().contains("cycles"));
    assert!(runtime.management.borrow().controllers.is_empty());
}

/// Statement 15.
#[test]
fn should_give_cycles_to_shards_that_can_spend_little_whatever_they_have() {
    let (runtime, _) = publish_sealed();
    let trillion = 1_000_000_000_000;
    let given = || {
        Running::start(watch::run(&runtime)).finish();
        std::mem::take(&mut runtime.management.borrow_mut().deposited)
    };
    assert!(given().is_empty(), "all have three trillion");
    runtime.on_shard(shard(0), |shard| shard.liquid_cycles = Some(trillion));
    assert!(given().is_empty(), "the least by the policy");
    runtime.on_shard(shard(0), |shard| shard.liquid_cycles = Some(trillion - 1));
    let missing = u128::from(3 * trillion + 1);
    assert_eq!(given(), [(shard(0), missing)].into());

    // The registry's own freezing limit leaves it less than it would have to keep.
    runtime
        .freezing_limit
        .set(runtime.cycles.get() - missing - 2 * u128::from(trillion));
    assert_eq!(given().len(), 1);
    runtime.freezing_limit.set(runtime.freezing_limit.get() + 1);
    assert!(given().is_empty());
}

#[test]
fn should_accept_decisions_about_the_fleet_from_governance_alone() {
    let (runtime, _) = publish_sealed();
    let before = with(status::fleet_status);
    let args = wire::ShardArgs { shard: shard(0) };
    let someone = principal(1);
    let policy = before.policy.clone();
    let new_module = wire::ShardModule {
        hash: Sha256([1; 32]),
        chunk_hashes: vec![Sha256([1; 32])],
    };
    let refusals = [
        with_mut(|state| functions::retire_shard(state, &runtime, someone, &args)),
        with_mut(|state| functions::set_fleet_policy(state, &runtime, someone, &policy)),
        with_mut(|state| functions::set_shard_module(state, &runtime, someone, &new_module)),
        with_mut(|state| functions::grow_fleet(state, &runtime, someone)),
        Running::start(functions::scrub_shards(&runtime, someone)).finish(),
        Running::start(functions::add_shard(&runtime, someone, args)).finish(),
    ];
    for refusal in refusals {
        assert!(
            refusal
                .unwrap_err()
                .contains("only the governance canister")
        );
    }
    assert_eq!(with(status::fleet_status).policy, before.policy);
}

#[test]
fn should_refuse_module_bytes_that_the_dao_has_not_named() {
    let (_runtime, _) = publish_sealed();
    let hash = Sha256::of(b"something else");
    let put = with_mut(|state| module::put_chunk(state, principal(3), b"something else".to_vec()));
    assert_eq!(put, Err(wire::PutModuleChunkError::NotWanted { hash }));
    let anonymous = Principal::anonymous();
    let put = with_mut(|state| module::put_chunk(state, anonymous, Vec::new()));
    assert_eq!(put, Err(wire::PutModuleChunkError::AnonymousCaller));
}

#[test]
fn should_refuse_a_policy_out_of_bounds_and_a_fleet_of_one() {
    let (runtime, _) = publish_sealed();
    let policy = with(status::fleet_status).policy;
    let wrong = wire::FleetPolicy {
        growth_free_percent: 91,
        ..policy.clone()
    };
    let refused = with(|state| functions::validate_set_fleet_policy(state, &wrong));
    assert!(refused.unwrap_err().contains("growth_free_percent"));
    let right = with(|state| functions::validate_set_fleet_policy(state, &policy));
    assert!(right.unwrap().contains("Most shards"));

    let retire = |number| {
        let args = wire::ShardArgs {
            shard: shard(number),
        };
        with_mut(|state| functions::retire_shard(state, &runtime, GOVERNANCE, &args))
    };
    retire(0).unwrap();
    assert!(retire(0).unwrap_err().contains("Retiring"));
    assert!(retire(1).unwrap_err().contains("two are needed"));
}

/// Statement 23.
#[test]
fn should_keep_the_last_thousand_jobs_that_ended_and_every_one_that_waits() {
    let (runtime, _) = publish_sealed();
    run_jobs(&runtime);
    let work = Work::Mend {
        shard: 0,
        chunk: Digest::new([9; 32]),
    };
    let stuck = with_mut(|state| jobs::enqueue(state, &runtime, work.clone()));
    for _ in 0..1_200 {
        with_mut(|state| {
            let id = jobs::enqueue(state, &runtime, work.clone());
            jobs::settle(state, &runtime, id, jobs::Step::Done);
        });
    }
    with(|state| {
        assert_eq!(state.fleet.queue.len(), 1);
        assert!(state.fleet.jobs.contains_key(&stuck));
        assert!(state.fleet.jobs.len() <= 1_002);
    });
}

#[test]
fn should_schedule_the_next_look_at_the_shards() {
    let (runtime, _) = publish_sealed();
    runtime.scheduled.borrow_mut().clear();
    Running::start(watch::run(&runtime)).finish();
    assert!(runtime.scheduled.borrow().contains(&Task::FleetWatch));
    runtime.on_shard(shard(2), |shard| shard.is_down = true);
    Running::start(watch::run(&runtime)).finish();
    let unanswered: Vec<u64> = with(status::fleet_status)
        .shards
        .iter()
        .map(|shard| shard.unanswered)
        .collect();
    assert_eq!(unanswered, [0, 0, 1]);
    assert!(state::with(|state| state.fleet.member(0).seen.is_some()));
}
