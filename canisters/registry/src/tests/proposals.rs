//! How the end of a vote comes to the registry, and how what nobody decides about ends.

use std::time::Duration;

use stoa_registry_api::{NoteProposalArgs, NoteProposalError, NoteProposalResult, WithdrawError};

use super::*;
use crate::details::describe_version;
use crate::proposals::note_proposal;
use crate::runtime::Task;
use crate::withdraw::withdraw;

fn note(runtime: &TestRuntime, version: Sha256, proposal_id: u64) -> NoteProposalResult {
    let args = NoteProposalArgs {
        version,
        proposal_id,
    };
    let result = Running::start(note_proposal(runtime, principal(5), args)).finish();
    with(State::check_invariants);
    result
}

#[test]
fn should_reject_a_version_whose_proposal_was_rejected_and_release_its_bytes() {
    let runtime = prepared();
    let version = propose(&runtime, manifest());
    runtime.with_services(|services| services.propose(7, version));
    assert_eq!(note(&runtime, version, 7), Ok(VersionStatus::Proposed));
    run_task(&runtime, Task::Proposals);
    assert_eq!(status(version), VersionStatus::Proposed);

    runtime.with_services(|services| services.reject(7));
    run_task(&runtime, Task::Proposals);
    assert_eq!(status(version), VersionStatus::Rejected);
    let details = with(|state| describe_version(state, version)).unwrap();
    assert_eq!(details.reason.as_deref(), Some("proposal 7 was rejected"));
    assert_eq!(details.proposal_id, Some(7));
    assert!(!details.is_stored);
    assert!(with(|state| state.watched.is_empty()));
    assert_eq!(with(|state| state.releases.len()), 2);
    assert!(matches!(
        admit(&runtime, GOVERNANCE, version),
        Err(AdmitError::WrongStatus { .. })
    ));
}

#[test]
fn should_note_at_once_that_a_proposal_was_already_rejected() {
    let runtime = prepared();
    let version = propose(&runtime, manifest());
    runtime.with_services(|services| {
        services.propose(7, version);
        services.reject(7);
    });
    assert_eq!(note(&runtime, version, 7), Ok(VersionStatus::Rejected));
}

#[test]
fn should_log_the_proposal_by_which_a_version_was_admitted() {
    let runtime = prepared();
    let version = propose(&runtime, manifest());
    runtime.with_services(|services| services.propose(7, version));
    note(&runtime, version, 7).unwrap();
    admit(&runtime, GOVERNANCE, version).unwrap();
    let args = AuditLogArgs {
        start: 0,
        limit: None,
    };
    let log = with(|state| audit_log::audit_log(state, &args));
    let last = log.entries.last().unwrap();
    assert!(matches!(
        last.action,
        AuditAction::ChangedStatus {
            to: VersionStatus::Admitted,
            proposal_id: Some(7),
            ..
        }
    ));
    run_timers(&runtime);
    assert_eq!(status(version), VersionStatus::Admitted);
}

#[test]
fn should_believe_governance_and_nobody_else_about_a_proposal() {
    let runtime = prepared();
    let version = propose(&runtime, version_manifest("1.0.0"));
    let other = propose(&runtime, version_manifest("2.0.0"));
    runtime.with_services(|services| {
        services.propose(7, other);
        services.proposals.entry(8).or_insert_with(|| {
            let mut motion = crate::proposals::ProposalData {
                proposal: None,
                decided_timestamp_seconds: 1,
                executed_timestamp_seconds: 0,
                failed_timestamp_seconds: 0,
                latest_tally: None,
                minimum_yes_proportion_of_total: None,
                minimum_yes_proportion_of_exercised: None,
            };
            motion.proposal = Some(crate::proposals::Proposal { action: None });
            motion
        });
    });
    for wrong in [7, 8, 99] {
        assert!(
            matches!(
                note(&runtime, version, wrong),
                Err(NoteProposalError::OtherProposal { .. })
            ),
            "{wrong}"
        );
    }
    assert!(with(|state| state.watched.is_empty()));
    let sealed = seal_new(&runtime, version_manifest("3.0.0"));
    assert!(matches!(
        note(&runtime, sealed, 7),
        Err(NoteProposalError::WrongStatus { .. })
    ));
    let args = NoteProposalArgs {
        version,
        proposal_id: 7,
    };
    let anonymous = Running::start(note_proposal(&runtime, Principal::anonymous(), args)).finish();
    assert_eq!(anonymous, Err(NoteProposalError::AnonymousCaller));
}

#[test]
fn should_not_let_a_second_proposal_take_the_place_of_one_that_is_open() {
    let runtime = prepared();
    let version = propose(&runtime, manifest());
    runtime.with_services(|services| {
        services.propose(7, version);
        services.propose(8, version);
        services.reject(8);
    });
    note(&runtime, version, 7).unwrap();
    assert_eq!(note(&runtime, version, 8), Ok(VersionStatus::Proposed));
    let details = with(|state| describe_version(state, version)).unwrap();
    assert_eq!(details.proposal_id, Some(7));

    // Its execution failed: another may be noted.
    runtime.with_services(|services| {
        let data = services.proposals.get_mut(&7).unwrap();
        data.decided_timestamp_seconds = 1;
        data.failed_timestamp_seconds = 2;
        services.propose(9, version);
    });
    run_task(&runtime, Task::Proposals);
    note(&runtime, version, 9).unwrap();
    let details = with(|state| describe_version(state, version)).unwrap();
    assert_eq!(details.proposal_id, Some(9));
}

#[test]
fn should_check_again_after_the_call_whether_the_vote_has_ended() {
    let runtime = prepared();
    let version = propose(&runtime, manifest());
    runtime.with_services(|services| {
        services.propose(7, version);
        services.reject(7);
    });
    let args = NoteProposalArgs {
        version,
        proposal_id: 7,
    };
    let mut noting = Running::start(note_proposal(&runtime, principal(5), args));
    assert_eq!(noting.step(), None);
    admit(&runtime, GOVERNANCE, version).unwrap();
    let status_now = VersionStatus::Admitted;
    assert_eq!(
        noting.finish(),
        Err(NoteProposalError::WrongStatus { status: status_now })
    );
    assert_eq!(status(version), VersionStatus::Admitted);
}

#[test]
fn should_sweep_what_nobody_touches_and_reject_what_nobody_proposes() {
    let runtime = prepared();
    let draft = begin(&runtime, version_manifest("1.0.0")).unwrap().version;
    let sealed = seal_new(&runtime, version_manifest("2.0.0"));
    let proposed = propose(&runtime, version_manifest("3.0.0"));
    let watched = propose(&runtime, version_manifest("4.0.0"));
    runtime.with_services(|services| services.propose(7, watched));
    note(&runtime, watched, 7).unwrap();
    let admitted = publish(&runtime, version_manifest("5.0.0"));

    runtime.pass(Duration::from_secs(13 * 86_400));
    run_task(&runtime, Task::Sweep);
    assert_eq!(with(|state| state.versions.len()), 5);
    begin(&runtime, version_manifest("1.0.0")).unwrap();
    runtime.pass(Duration::from_secs(2 * 86_400));
    run_task(&runtime, Task::Sweep);
    assert_eq!(
        with(|state| get_version(state, sealed)).err(),
        Some(GetVersionError::NotFound)
    );
    assert_eq!(status(draft), VersionStatus::Draft, "it was touched");

    runtime.pass(Duration::from_secs(50 * 86_400));
    run_timers(&runtime);
    run_task(&runtime, Task::Sweep);
    assert_eq!(
        with(|state| get_version(state, draft)).err(),
        Some(GetVersionError::NotFound)
    );
    assert_eq!(status(proposed), VersionStatus::Rejected);
    assert_eq!(status(watched), VersionStatus::Proposed, "the vote goes on");
    assert_eq!(status(admitted), VersionStatus::Admitted);
    let causes: Vec<_> = with(|state| {
        let args = AuditLogArgs {
            start: 0,
            limit: Some(500),
        };
        audit_log::audit_log(state, &args).entries
    })
    .into_iter()
    .filter_map(|entry| match entry.action {
        AuditAction::RemovedVersion { version, .. } => Some(version),
        _ => None,
    })
    .collect();
    assert_eq!(causes, [sealed, draft]);
}

#[test]
fn should_sweep_many_in_bounded_runs() {
    let runtime = prepared();
    for number in 0..12 {
        begin(&runtime, version_manifest(&format!("1.0.{number}"))).unwrap();
    }
    runtime.pass(Duration::from_secs(15 * 86_400));
    let mut left = vec![];
    while with(|state| !state.versions.is_empty()) {
        run_task(&runtime, Task::Sweep);
        left.push(with(|state| state.versions.len()));
    }
    assert_eq!(left, [7, 2, 0]);
    assert_eq!(with(|state| state.models.len()), 0);
}

#[test]
fn should_withdraw_what_is_undecided_for_its_publisher_alone() {
    let runtime = prepared();
    let try_withdraw =
        |caller, version| with_mut(|state| withdraw(state, &runtime, caller, version));
    let version = propose(&runtime, manifest());
    let publisher = "stoa".to_owned();
    assert_eq!(
        try_withdraw(principal(7), version),
        Err(WithdrawError::NotPublisher { publisher })
    );
    assert_eq!(
        try_withdraw(Principal::anonymous(), version),
        Err(WithdrawError::AnonymousCaller)
    );
    try_withdraw(principal(OWNER), version).unwrap();
    with(State::check_invariants);
    assert_eq!(
        try_withdraw(principal(OWNER), version),
        Err(WithdrawError::NotFound { version })
    );
    assert!(matches!(
        admit(&runtime, GOVERNANCE, version),
        Err(AdmitError::NotFound { .. })
    ));
    let admitted = publish(&runtime, version_manifest("2.0.0"));
    let status = VersionStatus::Admitted;
    assert_eq!(
        try_withdraw(principal(OWNER), admitted),
        Err(WithdrawError::WrongStatus { status })
    );
}

#[test]
fn should_not_withdraw_under_a_call_that_counts_on_the_version() {
    let runtime = prepared();
    let plan = begin(&runtime, manifest()).unwrap();
    put_all(&runtime, &plan);
    let version = plan.version;
    let mut sealing = Running::start(seal(&runtime, principal(OWNER), version));
    assert_eq!(sealing.step(), None);
    let refused = with_mut(|state| withdraw(state, &runtime, principal(OWNER), version));
    assert_eq!(refused, Err(WithdrawError::Busy));
    assert_eq!(sealing.finish(), Ok(()));
}
