//! Storage deposits: taken before the work, never twice, never lost, whatever the ledger or the network does in between.

use std::time::Duration;

use icrc_ledger_types::icrc1::account::Account;
use proptest::prelude::*;
use stoa_registry_api::{DepositInfo, DepositRefusal, DepositState, ListDepositsArgs};

use super::*;
use crate::deposits::{get_deposit, list_deposits, quote_deposit};
use crate::ledger::subaccount;
use crate::memory::RawMemory;
use crate::runtime::Task;
use crate::testing::services::Fate;
use crate::testing::{LEDGER, REGISTRY};
use crate::withdraw::withdraw;

const FEE: u64 = 10_000;
/// The least: the test's files have a few bytes.
const DEPOSIT: u64 = 1_000_000;
const FUNDS: u64 = 100_000_000;

fn account(owner: Principal) -> Account {
    Account::from(owner)
}

/// A registry that asks for deposits, and an owner who has allowed it to take some.
fn funded() -> (RawMemory, TestRuntime) {
    let memory = install();
    let runtime = TestRuntime::new();
    with_mut(|state| {
        state.parameters.set(crate::parameters::DEFAULT);
        claim_publisher(state, &runtime, principal(OWNER), "stoa".into()).unwrap();
    });
    runtime.with_services(|services| {
        let ledger = &mut services.ledger;
        ledger.fee_e8s = FEE;
        ledger.balances.insert(account(principal(OWNER)), FUNDS);
        ledger.allowances.insert(principal(OWNER), FUNDS);
    });
    (memory, runtime)
}

fn balance(runtime: &TestRuntime, account: Account) -> u64 {
    runtime.with_services(|services| services.ledger.balance(account))
}

fn of_owner(runtime: &TestRuntime) -> u64 {
    balance(runtime, account(principal(OWNER)))
}

fn of_deposit(runtime: &TestRuntime, id: u64) -> u64 {
    let account = Account {
        owner: REGISTRY,
        subaccount: Some(subaccount(id)),
    };
    balance(runtime, account)
}

fn fate(runtime: &TestRuntime, fates: &[Fate]) {
    runtime.with_services(|services| services.fates = fates.iter().copied().collect());
}

fn deposits_of_owner() -> Vec<DepositInfo> {
    let args = ListDepositsArgs {
        payer: principal(OWNER),
        before: None,
        limit: None,
    };
    with(|state| list_deposits(state, &args))
}

fn state_of(id: u64) -> DepositState {
    with(|state| get_deposit(state, id)).unwrap().state
}

/// What the timer does within a day and more.
fn settle(runtime: &TestRuntime) {
    for _ in 0..30 {
        run_task(runtime, Task::Deposits);
        runtime.pass(Duration::from_secs(3_600));
    }
}

#[test]
fn should_quote_what_it_takes_and_hold_it_until_governance_decides() {
    let (_memory, runtime) = funded();
    let quote = with(|state| quote_deposit(state, &runtime, 39));
    assert_eq!((quote.amount_e8s, quote.ledger_fee_e8s), (DEPOSIT, FEE));
    assert_eq!((quote.ledger, quote.spender.owner), (LEDGER, REGISTRY));
    let large = with(|state| quote_deposit(state, &runtime, (100 << 20) + 1));
    assert_eq!(large.amount_e8s, 101 * 50_000);

    let version = propose(&runtime, manifest());
    assert_eq!(of_owner(&runtime), FUNDS - DEPOSIT - FEE);
    assert_eq!(of_deposit(&runtime, 0), DEPOSIT);
    admit(&runtime, GOVERNANCE, version).unwrap();
    assert_eq!(state_of(0), DepositState::Forwarding);
    run_timers(&runtime);
    assert_eq!(state_of(0), DepositState::Forwarded { block: Some(1) });
    assert_eq!(balance(&runtime, account(GOVERNANCE)), DEPOSIT - FEE);
    assert_eq!(of_deposit(&runtime, 0), 0);
}

#[test]
fn should_return_the_deposit_of_a_withdrawn_version_less_the_ledgers_fee() {
    let (_memory, runtime) = funded();
    let plan = begin(&runtime, manifest()).unwrap();
    let held = DepositState::Held { block: Some(0) };
    assert_eq!(plan.deposit.as_ref().unwrap().state, held);
    let withdrawn =
        with_mut(|state| withdraw(state, &runtime, principal(OWNER), plan.version)).unwrap();
    assert_eq!(withdrawn.deposit.unwrap().state, DepositState::Returning);
    with(State::check_invariants);
    run_timers(&runtime);
    assert_eq!(state_of(0), DepositState::Returned { block: Some(1) });
    assert_eq!(of_owner(&runtime), FUNDS - 2 * FEE);
    assert_eq!(
        with(|state| get_version(state, plan.version)).err(),
        Some(GetVersionError::NotFound)
    );
    // The same manifest may come again, with a deposit of its own.
    let again = begin(&runtime, manifest()).unwrap();
    assert_eq!(again.deposit.unwrap().id, 1);
}

/// Statement 31: two messages may see the same time. The ledger takes transfers that are equal in everything, the time among it, for one.
#[test]
fn should_take_and_return_two_equal_deposits_of_one_moment() {
    let (_memory, runtime) = funded();
    let moment = runtime.now_nanos.get();
    let other = Manifest {
        version: "1.0.1".to_owned(),
        ..manifest()
    };
    let versions = [manifest(), other].map(|manifest| begin(&runtime, manifest).unwrap().version);
    assert_eq!(of_owner(&runtime), FUNDS - 2 * (DEPOSIT + FEE));
    for (id, version) in versions.into_iter().enumerate() {
        assert_eq!(of_deposit(&runtime, id as u64), DEPOSIT);
        with_mut(|state| withdraw(state, &runtime, principal(OWNER), version)).unwrap();
    }
    run_timers(&runtime);
    assert_eq!(of_owner(&runtime), FUNDS - 2 * 2 * FEE);
    with(State::check_invariants);
    assert_eq!(runtime.now_nanos.get(), moment, "it stood still");
}

#[test]
fn should_say_what_is_needed_where_allowance_or_funds_are_missing_and_leave_nothing_behind() {
    let (_memory, runtime) = funded();
    let ask = |allowance: u64, funds: u64| {
        runtime.with_services(|services| {
            let ledger = &mut services.ledger;
            ledger.allowances.insert(principal(OWNER), allowance);
            ledger.balances.insert(account(principal(OWNER)), funds);
        });
        begin(&runtime, manifest())
    };
    let needed_e8s = DEPOSIT + FEE;
    let allowance_e8s = needed_e8s - 1;
    assert_eq!(
        ask(allowance_e8s, FUNDS),
        Err(BeginUploadError::DepositRefused {
            needed_e8s,
            refusal: DepositRefusal::InsufficientAllowance { allowance_e8s }
        })
    );
    let balance_e8s = 5;
    assert_eq!(
        ask(FUNDS, balance_e8s),
        Err(BeginUploadError::DepositRefused {
            needed_e8s,
            refusal: DepositRefusal::InsufficientFunds { balance_e8s }
        })
    );
    assert_eq!(with(|state| state.versions.len()), 0);
    assert!(with(|state| state.open_deposits.is_empty()));
    assert!(ask(needed_e8s, needed_e8s).is_ok());
    assert_eq!(of_owner(&runtime), 0);
}

#[test]
fn should_learn_the_ledgers_fee_from_its_refusal_and_go_on() {
    let (_memory, runtime) = funded();
    runtime.with_services(|services| services.ledger.fee_e8s = 2 * FEE);
    let plan = begin(&runtime, manifest()).unwrap();
    assert_eq!(of_owner(&runtime), FUNDS - DEPOSIT - 2 * FEE);
    with_mut(|state| withdraw(state, &runtime, principal(OWNER), plan.version)).unwrap();
    runtime.with_services(|services| services.ledger.fee_e8s = 3 * FEE);
    settle(&runtime);
    assert_eq!(of_owner(&runtime), FUNDS - 5 * FEE);
}

#[test]
fn should_charge_once_where_the_answer_is_lost_and_the_publisher_asks_again() {
    let (_memory, runtime) = funded();
    fate(&runtime, &[Fate::AnswerLost]);
    assert!(matches!(
        begin(&runtime, manifest()),
        Err(BeginUploadError::DepositUnknown { .. })
    ));
    runtime.pass(Duration::from_secs(60));
    let plan = begin(&runtime, manifest()).unwrap();
    assert_eq!(plan.deposit.unwrap().id, 0);
    assert_eq!(of_owner(&runtime), FUNDS - DEPOSIT - FEE);
    assert_eq!(runtime.with_services(|services| services.ledger.blocks), 1);
}

#[test]
fn should_return_a_deposit_whose_answer_was_lost_and_whose_draft_never_came() {
    let (_memory, runtime) = funded();
    fate(&runtime, &[Fate::AnswerLost]);
    begin(&runtime, manifest()).unwrap_err();
    assert_eq!(of_deposit(&runtime, 0), DEPOSIT);
    settle(&runtime);
    assert_eq!(of_owner(&runtime), FUNDS - 2 * FEE);
    assert!(matches!(state_of(0), DepositState::Returned { .. }));
}

#[test]
fn should_return_the_deposit_where_the_draft_is_refused_after_it_was_taken() {
    let (_memory, runtime) = funded();
    let mut other = manifest();
    other.card.markdown = "other".to_owned();
    let mut first = Running::start(begin_upload(&runtime, principal(OWNER), other));
    // The call to the ledger is under way.
    assert_eq!(first.step(), None);
    let second = begin(&runtime, manifest()).unwrap();
    let existing = second.version;
    assert_eq!(
        first.finish(),
        Err(BeginUploadError::VersionTaken { existing })
    );
    with(State::check_invariants);
    settle(&runtime);
    assert_eq!(of_owner(&runtime), FUNDS - DEPOSIT - 3 * FEE);
    assert_eq!(of_deposit(&runtime, 0), 0);
}

/// Statement 5.
#[test]
fn should_not_take_a_second_deposit_from_two_calls_at_once() {
    let (_memory, runtime) = funded();
    for steps in 1..6 {
        let semver = format!("{steps}.0.0");
        let mut first = Running::start(begin_upload(
            &runtime,
            principal(OWNER),
            version_manifest(&semver),
        ));
        for _ in 0..steps {
            assert_eq!(first.step(), None);
        }
        assert_eq!(
            begin(&runtime, version_manifest(&semver)),
            Err(BeginUploadError::Busy)
        );
        // While a call waits, the timer keeps its hands off its deposit.
        run_task(&runtime, Task::Deposits);
        first.finish().unwrap();
        with(State::check_invariants);
    }
    assert_eq!(of_owner(&runtime), FUNDS - 5 * (DEPOSIT + FEE));
}

/// A call whose callback traps is dropped where it waits; an upgrade loses every call and every timer.
/// Statements 1 and 2.
#[test]
fn should_end_in_exactly_one_outcome_wherever_a_call_is_cut_off_or_an_upgrade_comes_between() {
    for steps in 1..=8 {
        for fates in [
            [Fate::Answered; 2],
            [Fate::AnswerLost; 2],
            [Fate::RequestLost; 2],
        ] {
            let (memory, runtime) = funded();
            fate(&runtime, &fates);
            let mut call = Running::start(begin_upload(&runtime, principal(OWNER), manifest()));
            for _ in 0..steps {
                if call.step().is_some() {
                    break;
                }
            }
            drop(call);
            state::set(State::open(memory, 5).unwrap());
            with(State::check_invariants);
            fate(&runtime, &[]);
            let plan = begin(&runtime, manifest()).unwrap();
            let id = plan.deposit.unwrap().id;
            assert!(matches!(state_of(id), DepositState::Held { .. }));
            settle(&runtime);
            assert_eq!(of_deposit(&runtime, id), DEPOSIT, "{steps} {fates:?}");
            assert_eq!(
                of_owner(&runtime),
                FUNDS - DEPOSIT - FEE,
                "{steps} {fates:?}"
            );
        }
    }
}

/// Statements 7 and 8.
#[test]
fn should_repeat_the_same_transfer_within_the_ledgers_window_only() {
    for (lost, after_window) in [
        (Fate::AnswerLost, false),
        (Fate::RequestLost, false),
        (Fate::AnswerLost, true),
        (Fate::RequestLost, true),
    ] {
        let (_memory, runtime) = funded();
        let version = propose(&runtime, manifest());
        admit(&runtime, GOVERNANCE, version).unwrap();
        // Nobody hears from the ledger for a day and a half, or for an hour.
        fate(&runtime, &[lost; 40]);
        let hours = if after_window { 36 } else { 1 };
        for _ in 0..hours {
            run_task(&runtime, Task::Deposits);
            runtime.pass(Duration::from_secs(3_600));
        }
        fate(&runtime, &[]);
        settle(&runtime);
        assert!(matches!(state_of(0), DepositState::Forwarded { .. }));
        assert_eq!(balance(&runtime, account(GOVERNANCE)), DEPOSIT - FEE);
        assert_eq!(of_deposit(&runtime, 0), 0);
        assert_eq!(runtime.with_services(|services| services.ledger.blocks), 2);
    }
}

/// Statements 7 and 9.
#[test]
fn should_treat_a_call_that_was_not_delivered_as_refused() {
    let (_memory, runtime) = funded();
    fate(&runtime, &[Fate::NotDelivered]);
    assert!(matches!(
        begin(&runtime, manifest()),
        Err(BeginUploadError::DepositRefused {
            refusal: DepositRefusal::Other { .. },
            ..
        })
    ));
    assert!(begin(&runtime, manifest()).is_ok());
    assert_eq!(of_owner(&runtime), FUNDS - DEPOSIT - FEE);
}

#[test]
fn should_list_a_payers_deposits_newest_first_over_pages() {
    let (_memory, runtime) = funded();
    for number in 0..5 {
        begin(&runtime, version_manifest(&format!("1.0.{number}"))).unwrap();
    }
    let ids: Vec<_> = deposits_of_owner().iter().map(|info| info.id).collect();
    assert_eq!(ids, [4, 3, 2, 1, 0]);
    let args = ListDepositsArgs {
        payer: principal(OWNER),
        before: Some(3),
        limit: Some(2),
    };
    let page = with(|state| list_deposits(state, &args));
    assert_eq!(page.iter().map(|info| info.id).collect::<Vec<_>>(), [2, 1]);
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Answered),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::RequestLost),
        1 => Just(Fate::NotDelivered),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Begin(u8),
    Withdraw(u8),
    Admit(u8),
    Timer,
    Pass(u32),
    Upgrade,
    Fee(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u8..3).prop_map(Step::Begin),
        2 => (0_u8..3).prop_map(Step::Withdraw),
        1 => (0_u8..3).prop_map(Step::Admit),
        3 => Just(Step::Timer),
        2 => (1_u32..90_000).prop_map(Step::Pass),
        1 => Just(Step::Upgrade),
        1 => (1_u64..4).prop_map(Step::Fee),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    /// However calls end and whatever comes between: in the end every deposit is settled or held for one version, and
    /// what the owner has lost is what is held, what the treasury has, and the ledger's fees.
    #[test]
    fn should_account_for_every_unit_under_any_sequence(
        steps in prop::collection::vec((any_step(), prop::collection::vec(any_fate(), 0..3)), 1..25)
    ) {
        let (memory, runtime) = funded();
        let manifest_of = |number: u8| version_manifest(&format!("{number}.0.0"));
        let mut money_before = runtime.with_services(|services| services.ledger.total());
        for (step, fates) in steps {
            fate(&runtime, &fates);
            match step {
                Step::Begin(number) => {
                    // Refused or unknown is fine; the books tell.
                    drop(begin(&runtime, manifest_of(number)));
                }
                Step::Withdraw(number) => {
                    let version = manifest_of(number).digest();
                    drop(with_mut(|state| withdraw(state, &runtime, principal(OWNER), version)));
                }
                Step::Admit(number) => {
                    let version = manifest_of(number).digest();
                    with_mut(|state| {
                        if let Some(record) = state.version(&version)
                            && record.status == Status::Draft
                        {
                            crate::search::insert(state, version, &manifest_of(number));
                            let record = state.version(&version).unwrap();
                            let decision = crate::state::Decision::default();
                            state.set_status(&runtime, GOVERNANCE, version, record, Status::Admitted, decision);
                        }
                    });
                }
                Step::Timer => run_task(&runtime, Task::Deposits),
                Step::Pass(seconds) => runtime.pass(Duration::from_secs(seconds.into())),
                Step::Upgrade => state::set(State::open(memory.clone(), 5).unwrap()),
                Step::Fee(factor) => runtime.with_services(|services| services.ledger.fee_e8s = factor * FEE),
            }
            with(State::check_invariants);
            let money_now = runtime.with_services(|services| services.ledger.total());
            prop_assert!(money_now <= money_before);
            money_before = money_now;
        }
        fate(&runtime, &[]);
        settle(&runtime);
        settle(&runtime);
        prop_assert!(with(|state| state.open_deposits.is_empty()));
        for info in deposits_of_owner() {
            let left = of_deposit(&runtime, info.id);
            match info.state {
                DepositState::Held { .. } => prop_assert_eq!(left, info.amount_e8s),
                _ => prop_assert_eq!(left, 0),
            }
        }
    }
}
