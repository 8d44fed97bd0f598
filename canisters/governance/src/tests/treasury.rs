//! Payments and cycles: each reject, each lost answer, each upgrade in between.

use ic_management_canister_types::CanisterStatusResult;
use icrc_ledger_types::icrc1::transfer::{TransferArg, TransferError};
use stoa_cmc_api::{NotifyError, NotifyTopUpArg, NotifyTopUpResult};
use stoa_governance_api::code::TransferFrom;

use super::*;
use crate::payment::{Payment, Stage};
use crate::runtime::CallFailure;
use crate::{dao_canisters, query_treasury};

const AMOUNT: u64 = 5_000;
const DAY: u64 = 24 * 60 * 60;

fn icp_ledger() -> Principal {
    Principal::from_slice(&[79])
}

fn minting() -> Principal {
    Principal::from_slice(&[80])
}

fn payee() -> Principal {
    Principal::from_slice(&[90])
}

fn transfer_action(from: TransferFrom) -> Command {
    proposal(Action::TransferSnsTreasuryFunds(TransferSnsTreasuryFunds {
        from_treasury: from.number(),
        to_principal: Some(payee()),
        to_subaccount: None,
        memo: Some(3),
        amount_e8s: AMOUNT,
    }))
}

/// Adopted by its proposer alone, and the ledger asked.
fn adopted(from: TransferFrom) -> (DefaultMemoryImpl, u64, Vec<Job>, SentCall) {
    let stable = governance();
    let key = neuron(1, 1_000);
    let id = propose(1, key, transfer_action(from));
    let waiting = run_jobs();
    let call = one_call("icrc1_transfer");
    (stable, id, waiting, call)
}

fn argument(call: &SentCall) -> TransferArg {
    candid::decode_one(&call.arguments).unwrap()
}

fn done(block: u64) -> Result<Nat, TransferError> {
    Ok(Nat::from(block))
}

fn lost() -> Result<Vec<u8>, CallFailure> {
    Err(CallFailure {
        refused: false,
        message: "no answer".to_string(),
    })
}

/// Polls what waits, then what timers have to do later, at that time.
fn go_on(waiting: Vec<Job>) -> Vec<Job> {
    let mut left: Vec<Job> = waiting
        .into_iter()
        .filter_map(|mut job| poll(&mut job).is_none().then_some(job))
        .collect();
    set_time(now() + 600);
    left.extend(run_jobs());
    left.extend(housekeep());
    left
}

fn payment(id: u64) -> Payment {
    with_state(|state| state.payments.get(&id).unwrap().0)
}

fn outcome(proposal: u64) -> (bool, Option<String>) {
    let data = read(proposal);
    (
        data.executed_timestamp_seconds > 0,
        data.failure_reason.map(|reason| reason.error_message),
    )
}

#[test]
fn should_pay_from_the_treasury_that_the_proposal_names() {
    let (_, id, waiting, call) = adopted(TransferFrom::IcpTreasury);
    assert_eq!(call.canister, icp_ledger());
    let asked = argument(&call);
    assert_eq!(asked.from_subaccount, None);
    assert_eq!(asked.to.owner, payee());
    assert_eq!(asked.amount, Nat::from(AMOUNT));
    assert_eq!(asked.memo.clone().unwrap().0.as_slice(), 3u64.to_be_bytes());
    assert!(asked.created_at_time.is_some());
    assert_eq!(outcome(id), (false, None));
    reply(call, done(7));
    assert!(go_on(waiting).is_empty());
    assert_eq!(outcome(id), (true, None));
    assert!(matches!(payment(0).stage, Stage::Paid { block: 7 }));

    let (_, id, waiting, call) = adopted(TransferFrom::SnsTokenTreasury);
    assert_eq!(call.canister, ledger());
    let treasury = token_treasury_subaccount(runtime::canister_self());
    assert_eq!(argument(&call).from_subaccount, Some(treasury));
    reply(call, done(8));
    assert!(go_on(waiting).is_empty());
    assert_eq!(outcome(id), (true, None));
}

#[test]
fn should_repeat_a_transfer_of_unknown_outcome_with_the_same_arguments_and_take_duplicate_for_done()
{
    let (_, id, waiting, call) = adopted(TransferFrom::IcpTreasury);
    let first = call.arguments.clone();
    call.answer(lost());
    let waiting = go_on(waiting);
    let again = one_call("icrc1_transfer");
    assert_eq!(again.arguments, first);
    reply(
        again,
        Err::<Nat, _>(TransferError::Duplicate {
            duplicate_of: Nat::from(9u8),
        }),
    );
    assert!(go_on(waiting).is_empty());
    assert_eq!(outcome(id), (true, None));
    assert!(matches!(payment(0).stage, Stage::Paid { block: 9 }));
}

#[test]
fn should_not_take_the_refusal_of_a_repetition_for_a_failure_of_the_first() {
    let (_, id, waiting, call) = adopted(TransferFrom::IcpTreasury);
    call.answer(lost());
    let mut waiting = go_on(waiting);
    // The first may have gone through, whatever the ledger's state says now.
    for refusal in [
        TransferError::TemporarilyUnavailable,
        TransferError::GenericError {
            error_code: Nat::from(1u8),
            message: "later".to_string(),
        },
    ] {
        reply(one_call("icrc1_transfer"), Err::<Nat, _>(refusal));
        waiting = go_on(waiting);
        assert_eq!(outcome(id), (false, None));
    }
    // This one the ledger says only after it has looked for duplicates.
    reply(
        one_call("icrc1_transfer"),
        Err::<Nat, _>(TransferError::InsufficientFunds {
            balance: Nat::from(1u8),
        }),
    );
    assert!(go_on(waiting).is_empty());
    let (executed, reason) = outcome(id);
    assert!(!executed && reason.unwrap().contains("nothing was paid"));
}

/// Statement 7.
#[test]
fn should_record_a_definite_refusal_and_ask_again_after_a_passing_one() {
    let (_, id, waiting, call) = adopted(TransferFrom::IcpTreasury);
    call.answer(Err(CallFailure {
        refused: true,
        message: "the ledger has no room".to_string(),
    }));
    let waiting = go_on(waiting);
    reply(
        one_call("icrc1_transfer"),
        Err::<Nat, _>(TransferError::TemporarilyUnavailable),
    );
    let waiting = go_on(waiting);
    assert_eq!(outcome(id), (false, None));
    reply(
        one_call("icrc1_transfer"),
        Err::<Nat, _>(TransferError::GenericError {
            error_code: Nat::from(5u8),
            message: "frozen account".to_string(),
        }),
    );
    assert!(go_on(waiting).is_empty());
    let (executed, reason) = outcome(id);
    assert!(!executed && reason.unwrap().contains("frozen account"));
    assert!(runtime::take_sent().is_empty());
}

/// Statement 8.
#[test]
fn should_not_repeat_a_transfer_past_the_ledgers_window() {
    let (_, id, waiting, call) = adopted(TransferFrom::IcpTreasury);
    call.answer(lost());
    drop(waiting);
    set_time(START + DAY);
    runtime::take_jobs();
    assert!(housekeep().is_empty());
    assert!(runtime::take_sent().is_empty(), "the ledger is not asked");
    let (executed, reason) = outcome(id);
    assert!(!executed);
    assert!(reason.unwrap().contains("not known"));
    assert!(matches!(payment(0).stage, Stage::Unresolved { .. }));
}

#[test]
fn should_go_on_after_an_upgrade_in_each_state() {
    let (stable, id, waiting, call) = adopted(TransferFrom::IcpTreasury);
    let first = call.arguments.clone();
    // The platform drops what waited.
    drop((waiting, call));
    upgrade(stable.clone());
    set_time(START + 60);
    let waiting = [run_jobs(), housekeep()].concat_jobs();
    let again = one_call("icrc1_transfer");
    assert_eq!(again.arguments, first, "the journal knows what was asked");
    reply(again, done(7));
    assert!(go_on(waiting).is_empty());
    assert_eq!(outcome(id), (true, None));
    upgrade(stable);
    assert!(run_jobs().is_empty() && runtime::take_sent().is_empty());
}

/// Not in the next round, which comes a minute later.
#[test]
fn should_try_again_after_an_upgrade_as_soon_as_it_is_time() {
    let (stable, id, waiting, call) = adopted(TransferFrom::IcpTreasury);
    let first = call.arguments.clone();
    drop((waiting, call));
    upgrade(stable);
    // The last timer that is set is that of the payment, after that of the first round.
    let mut timer = runtime::take_jobs().pop().unwrap();
    set_time(payment(0).next_attempt_seconds);
    assert!(poll(&mut timer).is_none(), "it waits for the ledger");
    let again = one_call("icrc1_transfer");
    assert_eq!(again.arguments, first);
    reply(again, done(7));
    assert!(go_on(vec![timer]).is_empty());
    assert_eq!(outcome(id), (true, None));
}

trait ConcatJobs {
    fn concat_jobs(self) -> Vec<Job>;
}

impl ConcatJobs for [Vec<Job>; 2] {
    fn concat_jobs(self) -> Vec<Job> {
        self.into_iter().flatten().collect()
    }
}

/// Statement 31: time that stands still.
#[test]
fn should_give_every_transfer_a_time_of_its_own() {
    governance();
    let times: Vec<u64> = with_state(|state| (0..3).map(|_| state.transfer_time()).collect());
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    assert!(times[2] <= now() * 1_000_000_000 + 2);
}

// Cycles.

fn child() -> Principal {
    Principal::from_slice(&[91])
}

fn with_child() -> DefaultMemoryImpl {
    let stable = governance();
    dao_canisters::next_sweep_at(u64::MAX);
    with_state(|state| {
        state.add_dao_canister(child()).unwrap();
        state.set_cycles_policy(
            CyclesPolicy {
                low_balance_cycles: Nat::from(1_000u32),
                top_up_e8s: AMOUNT,
                canister_e8s_per_day: 2 * AMOUNT,
                total_e8s_per_day: 3 * AMOUNT,
            }
            .try_into()
            .unwrap(),
        );
    });
    stable
}

fn request() -> Running<RequestCyclesResult> {
    Box::pin(dao_canisters::request_cycles(child()))
}

fn balance_answer(cycles: u64) -> Vec<u8> {
    status(cycles, None)
}

/// Asked and granted: the transfer to the minting canister waits for the ledger.
fn granted() -> (Vec<Job>, SentCall) {
    let mut running = request();
    assert!(poll(&mut running).is_none());
    one_call("canister_status").answer(Ok(balance_answer(999)));
    let begun = poll(&mut running).expect("the balance is known").unwrap();
    assert_eq!(begun.amount_e8s, AMOUNT);
    let waiting = run_jobs();
    (waiting, one_call("icrc1_transfer"))
}

#[test]
fn should_pay_the_minting_canister_and_ask_it_until_it_has_credited_the_block() {
    with_child();
    let (waiting, call) = granted();
    assert_eq!(call.canister, icp_ledger());
    let asked = argument(&call);
    assert_eq!(asked.to.owner, minting());
    assert_eq!(
        asked.to.subaccount,
        Some(dao_canisters::subaccount_of(child()))
    );
    assert_eq!(asked.memo.unwrap().0.as_slice(), b"TPUP\0\0\0\0");
    reply(call, done(7));
    let mut waiting: Vec<Job> = waiting
        .into_iter()
        .filter_map(|mut job| poll(&mut job).is_none().then_some(job))
        .collect();
    for answer in [
        Some(Err(NotifyError::Processing)),
        None,
        Some(Err(NotifyError::Other {
            error_code: 2,
            error_message: "no block".to_string(),
        })),
    ] {
        let question = one_call("notify_top_up");
        let argument: NotifyTopUpArg = candid::decode_one(&question.arguments).unwrap();
        assert_eq!((argument.block_index, argument.canister_id), (7, child()));
        match answer {
            Some(answer) => reply::<NotifyTopUpResult>(question, answer),
            None => question.answer(lost()),
        }
        waiting = go_on(waiting);
        assert!(matches!(payment(0).stage, Stage::Notifying { block: 7 }));
    }
    reply::<NotifyTopUpResult>(one_call("notify_top_up"), Ok(Nat::from(12_345u32)));
    assert!(go_on(waiting).is_empty());
    assert!(matches!(
        payment(0).stage,
        Stage::Credited {
            block: 7,
            cycles: 12_345
        }
    ));
    assert!(runtime::take_sent().is_empty());
}

#[test]
fn should_count_a_top_up_against_the_day_and_give_it_back_only_if_nothing_was_paid() {
    with_child();
    let spent = || query_treasury::get_treasury().spent_today_e8s;
    let (waiting, call) = granted();
    assert_eq!(spent(), AMOUNT);
    reply(
        call,
        Err::<Nat, _>(TransferError::InsufficientFunds {
            balance: Nat::from(0u8),
        }),
    );
    assert!(go_on(waiting).is_empty());
    assert_eq!(spent(), 0, "nothing was paid");

    let (waiting, call) = granted();
    reply(call, done(8));
    let waiting: Vec<Job> = waiting
        .into_iter()
        .filter_map(|mut job| poll(&mut job).is_none().then_some(job))
        .collect();
    reply::<NotifyTopUpResult>(
        one_call("notify_top_up"),
        Err(NotifyError::Refunded {
            block_index: Some(9),
            reason: "deleted".to_string(),
        }),
    );
    assert!(go_on(waiting).is_empty());
    assert_eq!(spent(), AMOUNT, "what was paid stays counted");
}

#[test]
fn should_stop_at_the_limits_and_begin_again_the_next_day() {
    with_child();
    for block in [7, 8] {
        let (waiting, call) = granted();
        reply(call, done(block));
        let waiting: Vec<Job> = waiting
            .into_iter()
            .filter_map(|mut job| poll(&mut job).is_none().then_some(job))
            .collect();
        reply::<NotifyTopUpResult>(one_call("notify_top_up"), Ok(Nat::from(1u8)));
        assert!(go_on(waiting).is_empty());
    }
    let refused = poll(&mut request()).expect("refused for free");
    assert_eq!(
        refused,
        Err(RequestCyclesError::LimitReached {
            spent_e8s: 2 * AMOUNT,
            limit_e8s: 2 * AMOUNT
        })
    );
    set_time(now() + DAY);
    let (_waiting, _call) = granted();
}

#[test]
fn should_refuse_what_is_not_needed_too_often_or_at_the_same_time() {
    with_child();
    let mut running = request();
    assert!(poll(&mut running).is_none());
    assert_eq!(
        poll(&mut request()).unwrap(),
        Err(RequestCyclesError::Busy),
        "one request at a time"
    );
    one_call("canister_status").answer(Ok(balance_answer(1_000)));
    assert_eq!(
        poll(&mut running).unwrap(),
        Err(RequestCyclesError::NotNeeded {
            balance: Nat::from(1_000u32),
            below: Nat::from(1_000u32)
        })
    );
    assert_eq!(
        poll(&mut request()).unwrap(),
        Err(RequestCyclesError::TooSoon {
            retry_after_seconds: 60
        })
    );
    set_time(now() + 60);
    let (_waiting, _call) = granted();
    set_time(now() + 60);
    assert_eq!(
        poll(&mut request()).unwrap(),
        Err(RequestCyclesError::UnderWay { payment: 0 })
    );
    let mut stranger: Running<RequestCyclesResult> =
        Box::pin(dao_canisters::request_cycles(user(5)));
    assert_eq!(
        poll(&mut stranger).unwrap(),
        Err(RequestCyclesError::NotOfTheDao)
    );
}

/// Statement 6.
#[test]
fn should_check_again_what_was_checked_before_the_balance_was_asked() {
    with_child();
    let mut running = request();
    assert!(poll(&mut running).is_none());
    with_state(|state| {
        let key = crate::neurons::PrincipalKey::from(&child());
        state.dao_canisters.remove(&key);
    });
    one_call("canister_status").answer(Ok(balance_answer(1)));
    assert_eq!(
        poll(&mut running).unwrap(),
        Err(RequestCyclesError::NotOfTheDao)
    );
    assert!(run_jobs().is_empty() && runtime::take_sent().is_empty());
}

#[test]
fn should_ask_in_the_place_of_canisters_that_cannot_once_an_hour_and_after_an_upgrade() {
    let stable = with_child();
    for other in 100..120 {
        with_state(|state| state.add_dao_canister(Principal::from_slice(&[other]))).unwrap();
    }
    dao_canisters::next_sweep_at(0);
    let asked = |waiting: &mut Vec<Job>| {
        let sent = runtime::take_sent();
        let count = sent.len();
        for call in sent {
            assert_eq!(call.method, "canister_status");
            call.answer(Ok(balance_answer(1_000)));
        }
        waiting.retain_mut(|job| poll(job).is_none());
        assert!(waiting.is_empty(), "none of them is low");
        count
    };
    // All 21, some in each round.
    assert_eq!(asked(&mut housekeep()), 10);
    assert_eq!(asked(&mut housekeep()), 10);
    assert_eq!(asked(&mut housekeep()), 1);
    set_time(START + 3_599);
    assert_eq!(asked(&mut housekeep()), 0);
    set_time(START + 3_600);
    assert_eq!(asked(&mut housekeep()), 10);
    upgrade(stable);
    set_time(START + 3_700);
    assert_eq!(asked(&mut run_jobs()), 10);
}

/// Statement 15: a canister that burns 100 cycles a day, by how many days of them it may not fall below and what it has reserved.
#[test]
fn should_count_the_cycles_above_the_freezing_limit_alone() {
    with_child();
    let freezing = |days: u64, reserved: u64| {
        let mut answer: CanisterStatusResult = candid::decode_one(&balance_answer(5_000)).unwrap();
        answer.idle_cycles_burned_per_day = Nat::from(100u8);
        answer.settings.freezing_threshold = Nat::from(days * DAY);
        answer.reserved_cycles = Nat::from(reserved);
        candid::encode_one(answer).unwrap()
    };
    let asked = |answer| {
        set_time(now() + 60);
        let mut running = request();
        assert!(poll(&mut running).is_none());
        one_call("canister_status").answer(Ok(answer));
        poll(&mut running).unwrap()
    };
    for (days, reserved, liquid) in [(30, 0, 2_000u64), (40, 0, 1_000), (41, 100, 1_000)] {
        let refused = RequestCyclesError::NotNeeded {
            balance: Nat::from(liquid),
            below: Nat::from(1_000u32),
        };
        assert_eq!(asked(freezing(days, reserved)), Err(refused));
    }
    // It has five times the limit, and all but 900 of it keep it from being frozen.
    assert_eq!(asked(freezing(41, 0)).unwrap().amount_e8s, AMOUNT);
}

#[test]
fn should_top_itself_up_when_it_runs_low_and_not_every_round() {
    with_child();
    // Statement 15.
    runtime::set_cycle_balance(1_500);
    runtime::set_freezing_limit(500);
    assert!(housekeep().is_empty() && runtime::take_sent().is_empty());
    runtime::set_freezing_limit(0);
    runtime::set_cycle_balance(1_000);
    assert!(housekeep().is_empty() && runtime::take_sent().is_empty());
    runtime::set_cycle_balance(1_499);
    runtime::set_freezing_limit(500);
    let waiting = housekeep();
    let call = one_call("icrc1_transfer");
    assert_eq!(
        argument(&call).to.subaccount,
        Some(dao_canisters::subaccount_of(runtime::canister_self()))
    );
    reply(
        call,
        Err::<Nat, _>(TransferError::InsufficientFunds {
            balance: Nat::from(0u8),
        }),
    );
    assert!(go_on(waiting).is_empty());
    assert!(
        runtime::take_sent().is_empty(),
        "an empty treasury is not asked every minute"
    );
    runtime::set_cycle_balance(u128::MAX);
    runtime::set_freezing_limit(0);
}
