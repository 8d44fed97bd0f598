//! The rules one by one, then random operations against a plain map.

use std::collections::BTreeMap;

use candid::{Nat, Principal};
use ic_stable_structures::DefaultMemoryImpl;
use proptest::prelude::*;

use super::*;
use crate::init::{InitArgs, install};
use crate::memory;

const FEE: u64 = 10;
const START: u64 = 1_700_000_000_000_000_000;

fn account(id: u8) -> Account {
    Account {
        owner: Principal::from_slice(&[id]),
        subaccount: None,
    }
}

fn minting() -> Account {
    account(255)
}

fn ledger_in(stable: DefaultMemoryImpl, balances: &[(u8, u64)]) -> Ledger {
    let mut ledger = memory::open(stable);
    install(
        &mut ledger,
        InitArgs {
            token_name: "Test".to_string(),
            token_symbol: "TST".to_string(),
            decimals: 8,
            transfer_fee: Nat::from(FEE),
            minting_account: minting(),
            initial_balances: balances
                .iter()
                .map(|(id, amount)| (account(*id), Nat::from(*amount)))
                .collect(),
            holds_cycles: None,
        },
        START,
    );
    ledger
}

fn ledger(balances: &[(u8, u64)]) -> Ledger {
    ledger_in(DefaultMemoryImpl::default(), balances)
}

fn transfer(from: u8, to: u8, amount: u64) -> TransferRequest {
    TransferRequest {
        from: account(from).into(),
        to: account(to).into(),
        spender: None,
        amount: Some(amount),
        fee: None,
        memo: Memo::None,
        created_at_time: None,
    }
}

fn transfer_from(spender: u8, from: u8, to: u8, amount: u64) -> TransferRequest {
    TransferRequest {
        spender: Some(account(spender).into()),
        ..transfer(from, to, amount)
    }
}

fn approve(from: u8, spender: u8, allowance: u64) -> ApproveRequest {
    ApproveRequest {
        from: account(from),
        spender: account(spender),
        allowance,
        expected_allowance: None,
        expires_at: None,
        fee: None,
        memo: Memo::None,
        created_at_time: None,
    }
}

fn balance(ledger: &Ledger, id: u8) -> u64 {
    ledger.balance(&account(id).into())
}

fn allowed(ledger: &Ledger, owner: u8, spender: u8, now: u64) -> u64 {
    ledger
        .allowance(&account(owner).into(), &account(spender).into(), now)
        .amount
}

fn check_invariants(ledger: &Ledger) {
    let sum: u64 = ledger.balances.values().sum();
    assert_eq!(sum, ledger.supply(), "balances sum to the supply");
    assert!(
        ledger.balances.values().all(|balance| balance > 0),
        "empty accounts are not kept"
    );
    assert!(
        ledger
            .allowances
            .values()
            .all(|Cbor(allowance)| allowance.amount > 0)
    );
    assert_eq!(ledger.recent.len(), ledger.recent_by_time.len());
    let mut parent = None;
    for index in 0..ledger.blocks.len() {
        let block = ledger.blocks.get(index).unwrap();
        assert_eq!(block.parent_hash, parent, "block {index} names its parent");
        parent = Some(block.hash());
    }
    assert_eq!(ledger.totals.get().0.tip_hash, parent);
}

#[test]
fn should_move_tokens_and_burn_the_fee() {
    let mut ledger = ledger(&[(1, 1_000)]);
    assert_eq!(ledger.transfer(transfer(1, 2, 100), START), Ok(1));
    assert_eq!(balance(&ledger, 1), 1_000 - 100 - FEE);
    assert_eq!(balance(&ledger, 2), 100);
    assert_eq!(ledger.supply(), 1_000 - FEE);
    check_invariants(&ledger);
}

#[test]
fn should_keep_subaccounts_apart_and_treat_the_zero_one_as_the_default() {
    let mut ledger = ledger(&[(1, 1_000)]);
    let with = |fill: u8| Account {
        subaccount: Some([fill; 32]),
        ..account(1)
    };
    let mut request = transfer(1, 1, 100);
    request.to = with(7).into();
    ledger.transfer(request, START).unwrap();
    assert_eq!(ledger.balance(&with(7).into()), 100);
    assert_eq!(ledger.balance(&with(0).into()), 1_000 - 100 - FEE);
    check_invariants(&ledger);
}

#[test]
fn should_refuse_a_transfer_above_the_balance_or_with_another_fee() {
    let mut ledger = ledger(&[(1, 100)]);
    assert_eq!(
        ledger.transfer(transfer(1, 2, 91), START),
        Err(Refusal::InsufficientFunds { balance: 100 })
    );
    let mut wrong_fee = transfer(1, 2, 1);
    wrong_fee.fee = Some(Some(FEE + 1));
    assert_eq!(
        ledger.transfer(wrong_fee, START),
        Err(Refusal::BadFee { expected: FEE })
    );
    let mut huge_fee = transfer(1, 2, 1);
    huge_fee.fee = Some(None);
    assert_eq!(
        ledger.transfer(huge_fee, START),
        Err(Refusal::BadFee { expected: FEE })
    );
    let mut huge = transfer(1, 2, 1);
    huge.amount = None;
    assert_eq!(
        ledger.transfer(huge, START),
        Err(Refusal::InsufficientFunds { balance: 100 })
    );
    assert_eq!(
        ledger.transfer(transfer(1, 2, u64::MAX), START),
        Err(Refusal::InsufficientFunds { balance: 100 })
    );
    assert_eq!(ledger.blocks.len(), 1);
    check_invariants(&ledger);
}

#[test]
fn should_mint_without_fee_and_refuse_a_mint_past_64_bits() {
    let mut ledger = ledger(&[(1, 100)]);
    assert_eq!(ledger.transfer(transfer(255, 2, 50), START), Ok(1));
    assert_eq!(ledger.supply(), 150);
    let mut with_fee = transfer(255, 2, 50);
    with_fee.fee = Some(Some(FEE));
    assert_eq!(
        ledger.transfer(with_fee, START),
        Err(Refusal::BadFee { expected: 0 })
    );
    assert_eq!(
        ledger.transfer(transfer(255, 2, u64::MAX), START),
        Err(Refusal::SupplyExhausted { supply: 150 })
    );
    check_invariants(&ledger);
}

#[test]
fn should_burn_without_fee_but_not_less_than_the_minimum() {
    let mut ledger = ledger(&[(1, 100), (2, 4)]);
    assert_eq!(
        ledger.transfer(transfer(1, 255, FEE - 1), START),
        Err(Refusal::BadBurn { minimum: FEE })
    );
    assert_eq!(
        ledger.transfer(transfer(1, 255, 0), START),
        Err(Refusal::BadBurn { minimum: FEE })
    );
    // Who holds less than the minimum may burn all of it.
    assert_eq!(ledger.transfer(transfer(2, 255, 4), START), Ok(2));
    assert_eq!(ledger.transfer(transfer(1, 255, FEE), START), Ok(3));
    assert_eq!(ledger.supply(), 100 - FEE);
    check_invariants(&ledger);
}

#[test]
fn should_make_one_block_of_a_repeated_transaction_and_two_of_different_ones() {
    let mut ledger = ledger(&[(1, 1_000)]);
    let request = |memo: u8| TransferRequest {
        memo: Memo::Bytes(vec![memo]),
        created_at_time: Some(START),
        ..transfer(1, 2, 10)
    };
    assert_eq!(ledger.transfer(request(1), START), Ok(1));
    assert_eq!(
        ledger.transfer(request(1), START + TRANSACTION_WINDOW_NANOS),
        Err(Refusal::Duplicate { of: 1 })
    );
    assert_eq!(ledger.transfer(request(2), START), Ok(2));
    // Without created_at_time nothing is deduplicated.
    assert_eq!(ledger.transfer(transfer(1, 2, 10), START), Ok(3));
    assert_eq!(ledger.transfer(transfer(1, 2, 10), START), Ok(4));
    check_invariants(&ledger);
}

#[test]
fn should_refuse_a_transaction_outside_the_window() {
    let mut ledger = ledger(&[(1, 1_000)]);
    let at = |created_at| TransferRequest {
        created_at_time: Some(created_at),
        ..transfer(1, 2, 10)
    };
    let now = START + TRANSACTION_WINDOW_NANOS;
    assert_eq!(ledger.transfer(at(START - 1), now), Err(Refusal::TooOld));
    assert_eq!(
        ledger.transfer(at(now + PERMITTED_DRIFT_NANOS + 1), now),
        Err(Refusal::CreatedInFuture { ledger_time: now })
    );
    assert_eq!(ledger.transfer(at(now + PERMITTED_DRIFT_NANOS), now), Ok(1));
    assert_eq!(ledger.transfer(at(START), now), Ok(2));
    check_invariants(&ledger);
}

#[test]
fn should_forget_transactions_once_they_leave_the_window() {
    let mut ledger = ledger(&[(1, 1_000)]);
    for offset in 0..5 {
        let request = TransferRequest {
            created_at_time: Some(START + offset),
            ..transfer(1, 2, 1)
        };
        ledger.transfer(request, START).unwrap();
    }
    assert_eq!(ledger.recent.len(), 5);
    ledger
        .transfer(transfer(1, 2, 1), START + TRANSACTION_WINDOW_NANOS + 5)
        .unwrap();
    assert_eq!(ledger.recent.len(), 0);
    check_invariants(&ledger);
}

#[test]
fn should_trap_on_a_long_memo_self_approval_and_delegated_mints() {
    let mut ledger = ledger(&[(1, 1_000)]);
    let mut long = transfer(1, 2, 1);
    long.memo = Memo::Bytes(vec![0; MEMO_LENGTH_BYTES_MAX + 1]);
    assert!(matches!(
        ledger.transfer(long, START),
        Err(Refusal::Trap(_))
    ));
    assert!(matches!(
        ledger.approve(approve(1, 1, 5), START),
        Err(Refusal::Trap(_))
    ));
    assert!(matches!(
        ledger.approve(approve(255, 1, 5), START),
        Err(Refusal::Trap(_))
    ));
    assert!(matches!(
        ledger.transfer(transfer_from(1, 255, 2, 5), START),
        Err(Refusal::Trap(_))
    ));
    check_invariants(&ledger);
}

#[test]
fn should_spend_an_allowance_with_the_fee_until_it_is_used_up() {
    let mut ledger = ledger(&[(1, 1_000)]);
    ledger.approve(approve(1, 2, 100), START).unwrap();
    assert_eq!(balance(&ledger, 1), 1_000 - FEE);
    assert_eq!(
        ledger.transfer(transfer_from(2, 1, 3, 91), START),
        Err(Refusal::InsufficientAllowance { allowance: 100 })
    );
    assert_eq!(ledger.transfer(transfer_from(2, 1, 3, 50), START), Ok(2));
    assert_eq!(allowed(&ledger, 1, 2, START), 40);
    assert_eq!(ledger.transfer(transfer_from(2, 1, 3, 30), START), Ok(3));
    assert_eq!(allowed(&ledger, 1, 2, START), 0);
    assert!(ledger.allowances.is_empty());
    // An owner needs no allowance of their own.
    assert_eq!(ledger.transfer(transfer_from(1, 1, 3, 1), START), Ok(4));
    check_invariants(&ledger);
}

#[test]
fn should_name_the_missing_allowance_before_the_missing_funds() {
    let mut ledger = ledger(&[(1, 20)]);
    assert_eq!(
        ledger.transfer(transfer_from(2, 1, 3, 500), START),
        Err(Refusal::InsufficientAllowance { allowance: 0 })
    );
    ledger.approve(approve(1, 2, u64::MAX), START).unwrap();
    assert_eq!(
        ledger.transfer(transfer_from(2, 1, 3, 500), START),
        Err(Refusal::InsufficientFunds { balance: 10 })
    );
    assert_eq!(allowed(&ledger, 1, 2, START), u64::MAX);
    check_invariants(&ledger);
}

#[test]
fn should_set_an_allowance_only_where_the_expected_one_stands() {
    let mut ledger = ledger(&[(1, 1_000)]);
    ledger.approve(approve(1, 2, 100), START).unwrap();
    let expecting = |expected| ApproveRequest {
        expected_allowance: Some(expected),
        ..approve(1, 2, 7)
    };
    assert_eq!(
        ledger.approve(expecting(Some(99)), START),
        Err(Refusal::AllowanceChanged { current: 100 })
    );
    assert_eq!(
        ledger.approve(expecting(None), START),
        Err(Refusal::AllowanceChanged { current: 100 })
    );
    assert_eq!(ledger.approve(expecting(Some(100)), START), Ok(2));
    assert_eq!(allowed(&ledger, 1, 2, START), 7);
    check_invariants(&ledger);
}

#[test]
fn should_let_an_allowance_expire() {
    let mut ledger = ledger(&[(1, 1_000)]);
    let expiring = |at| ApproveRequest {
        expires_at: Some(at),
        ..approve(1, 2, 100)
    };
    assert_eq!(
        ledger.approve(expiring(START), START),
        Err(Refusal::Expired { ledger_time: START })
    );
    ledger.approve(expiring(START + 5), START).unwrap();
    assert_eq!(allowed(&ledger, 1, 2, START + 4), 100);
    assert_eq!(allowed(&ledger, 1, 2, START + 5), 0);
    assert_eq!(
        ledger.transfer(transfer_from(2, 1, 3, 1), START + 5),
        Err(Refusal::InsufficientAllowance { allowance: 0 })
    );
    assert!(ledger.allowances.is_empty() && ledger.expirations.is_empty());
    check_invariants(&ledger);
}

#[test]
fn should_refuse_an_approval_whose_fee_cannot_be_paid() {
    let mut ledger = ledger(&[(1, FEE - 1)]);
    assert_eq!(
        ledger.approve(approve(1, 2, 1), START),
        Err(Refusal::InsufficientFunds { balance: FEE - 1 })
    );
    let mut wrong_fee = approve(1, 2, 1);
    wrong_fee.fee = Some(Some(0));
    assert_eq!(
        ledger.approve(wrong_fee, START),
        Err(Refusal::BadFee { expected: FEE })
    );
    check_invariants(&ledger);
}

#[test]
fn should_keep_everything_across_an_upgrade() {
    let stable = DefaultMemoryImpl::default();
    let mut before = ledger_in(stable.clone(), &[(1, 1_000)]);
    let request = || TransferRequest {
        created_at_time: Some(START),
        ..transfer(1, 2, 10)
    };
    before.transfer(request(), START).unwrap();
    before.approve(approve(1, 2, 100), START).unwrap();
    let totals = before.totals.get().clone();
    drop(before);
    let mut after = memory::open(stable);
    assert_eq!(*after.layout_version.get(), memory::LAYOUT_VERSION);
    assert_eq!(after.totals.get(), &totals);
    assert_eq!(after.settings().token_symbol, "TST");
    assert_eq!(allowed(&after, 1, 2, START), 100);
    assert_eq!(
        after.transfer(request(), START),
        Err(Refusal::Duplicate { of: 1 })
    );
    check_invariants(&after);
}

#[test]
#[should_panic(expected = "stable memory has layout 0")]
fn should_refuse_an_upgrade_over_an_unknown_layout() {
    memory::replace(memory::open(DefaultMemoryImpl::default()));
    memory::open_after_upgrade();
}

/// A ledger kept by hand: what the real one is held against.
#[derive(Default)]
struct Model {
    balances: BTreeMap<u8, u64>,
    allowances: BTreeMap<(u8, u8), u64>,
}

impl Model {
    fn balance(&self, id: u8) -> u64 {
        self.balances.get(&id).copied().unwrap_or(0)
    }

    fn allowance(&self, owner: u8, spender: u8) -> u64 {
        self.allowances.get(&(owner, spender)).copied().unwrap_or(0)
    }

    fn transfer(&mut self, spender: Option<u8>, from: u8, to: u8, amount: u64) -> bool {
        let delegate = spender.filter(|spender| *spender != from);
        if to == 255 {
            let minimum = FEE.min(self.balance(from));
            if amount == 0 || amount < minimum {
                return false;
            }
        } else if from == 255 {
            if spender.is_some() {
                return false;
            }
            *self.balances.entry(to).or_default() += amount;
            return true;
        }
        let cost = if to == 255 { amount } else { amount + FEE };
        if self.balance(from) < cost {
            return false;
        }
        if let Some(spender) = delegate {
            if self.allowance(from, spender) < cost {
                return false;
            }
            *self.allowances.get_mut(&(from, spender)).unwrap() -= cost;
        }
        *self.balances.get_mut(&from).unwrap() -= cost;
        if to != 255 {
            *self.balances.entry(to).or_default() += amount;
        }
        true
    }

    fn approve(&mut self, from: u8, spender: u8, amount: u64) -> bool {
        if from == spender || from == 255 || self.balance(from) < FEE {
            return false;
        }
        *self.balances.get_mut(&from).unwrap() -= FEE;
        self.allowances.insert((from, spender), amount);
        true
    }
}

#[derive(Clone, Debug)]
enum Step {
    Transfer(u8, u8, u64),
    TransferFrom(u8, u8, u8, u64),
    Approve(u8, u8, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let who = || prop_oneof![4 => 0..4u8, 1 => Just(255u8)];
    let amount = || 0..200u64;
    prop_oneof![
        (who(), who(), amount()).prop_map(|(a, b, n)| Step::Transfer(a, b, n)),
        (who(), who(), who(), amount()).prop_map(|(s, a, b, n)| Step::TransferFrom(s, a, b, n)),
        (who(), who(), amount()).prop_map(|(a, b, n)| Step::Approve(a, b, n)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn should_agree_with_a_plain_map_under_random_operations(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let mut ledger = ledger(&[(0, 500), (1, 300), (2, 5)]);
        let mut model = Model::default();
        model.balances.extend([(0, 500), (1, 300), (2, 5)]);
        for step in steps {
            let (done, expected) = match step {
                Step::Transfer(from, to, amount) => (
                    ledger.transfer(transfer(from, to, amount), START).is_ok(),
                    model.transfer(None, from, to, amount),
                ),
                Step::TransferFrom(spender, from, to, amount) => (
                    ledger.transfer(transfer_from(spender, from, to, amount), START).is_ok(),
                    model.transfer(Some(spender), from, to, amount),
                ),
                Step::Approve(from, spender, amount) => (
                    ledger.approve(approve(from, spender, amount), START).is_ok(),
                    model.approve(from, spender, amount),
                ),
            };
            prop_assert_eq!(done, expected, "{:?}", step);
            for id in [0, 1, 2, 3, 255] {
                prop_assert_eq!(balance(&ledger, id), model.balance(id));
                for spender in [0, 1, 2, 3, 255] {
                    prop_assert_eq!(
                        allowed(&ledger, id, spender, START),
                        model.allowance(id, spender)
                    );
                }
            }
        }
        check_invariants(&ledger);
    }
}
