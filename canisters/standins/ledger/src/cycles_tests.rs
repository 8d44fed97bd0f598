//! The cycles ledger: what comes in, what goes out, and what comes back.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use candid::{Nat, Principal};
use ic_management_canister_types::CanisterSettings;
use ic_stable_structures::DefaultMemoryImpl;
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::TransferArg;
use stoa_cmc_api::{SubnetFilter, SubnetSelection};

use crate::cycles::*;
use crate::init::{InitArgs, install};
use crate::runtime::{self, Paid};
use crate::{memory, query_blocks};

const FEE: u64 = 100_000_000;
const BALANCE: u64 = 5_000_000_000_000;
const NOW: u64 = 1_800_000_000_000_000_000;

fn owner(id: u8) -> Principal {
    Principal::from_slice(&[id])
}

fn canister() -> Principal {
    Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
}

fn install_ledger(holds_cycles: Option<bool>) {
    let mut ledger = memory::open(DefaultMemoryImpl::default());
    install(
        &mut ledger,
        InitArgs {
            token_name: "Trillion Cycles".to_string(),
            token_symbol: "TCYCLES".to_string(),
            decimals: 12,
            transfer_fee: Nat::from(FEE),
            minting_account: Principal::management_canister().into(),
            initial_balances: vec![(owner(1).into(), Nat::from(BALANCE))],
            holds_cycles,
        },
        NOW,
    );
    memory::replace(ledger);
    runtime::set_time_nanos(NOW);
    runtime::set_caller(owner(1));
    runtime::take_paid();
}

fn now<T>(request: impl Future<Output = T>) -> T {
    match pin!(request).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the request waits"),
    }
}

fn balance(of: Principal) -> u64 {
    let balance = query_blocks::icrc1_balance_of(Account::from(of));
    u64::try_from(balance.0).unwrap()
}

fn supply() -> u64 {
    memory::with_ledger(|ledger| ledger.supply())
}

fn blocks() -> u64 {
    memory::with_ledger(|ledger| ledger.blocks.len())
}

fn withdrawal(amount: u64) -> WithdrawArgs {
    WithdrawArgs {
        amount: Nat::from(amount),
        from_subaccount: None,
        to: canister(),
        created_at_time: None,
    }
}

fn creation(amount: u64) -> CreateCanisterArgs {
    CreateCanisterArgs {
        from_subaccount: None,
        created_at_time: Some(NOW),
        amount: Nat::from(amount),
        creation_args: None,
    }
}

#[test]
fn should_credit_what_comes_with_a_deposit_less_the_fee() {
    install_ledger(Some(true));
    runtime::offer_cycles(u128::from(3 * FEE));
    let result = deposit(DepositArgs {
        to: owner(2).into(),
        memo: None,
    });
    assert_eq!(result.balance, Nat::from(2 * FEE));
    assert_eq!(result.block_index, Nat::from(1u8));
    assert_eq!(balance(owner(2)), 2 * FEE);
    assert_eq!(supply(), BALANCE + 2 * FEE);
}

#[test]
fn should_trap_on_a_deposit_of_no_more_than_the_fee() {
    for cycles in [0, u128::from(FEE), u128::MAX] {
        install_ledger(Some(true));
        runtime::offer_cycles(cycles);
        let to = owner(2).into();
        let trapped = std::panic::catch_unwind(|| deposit(DepositArgs { to, memo: None }));
        assert!(trapped.is_err(), "{cycles} cycles were taken");
    }
}

#[test]
fn should_send_cycles_to_a_canister_and_burn_them_with_the_fee() {
    install_ledger(Some(true));
    assert_eq!(now(withdraw(withdrawal(1_000))), Ok(Nat::from(1u8)));
    assert_eq!(
        runtime::take_paid(),
        [Paid::Deposit {
            canister: canister(),
            cycles: 1_000
        }]
    );
    assert_eq!(balance(owner(1)), BALANCE - 1_000 - FEE);
    assert_eq!(supply(), BALANCE - 1_000 - FEE);
}

#[test]
fn should_give_back_what_could_not_be_sent_less_a_second_fee() {
    install_ledger(Some(true));
    runtime::refuse_next(3, "no such canister");
    assert_eq!(
        now(withdraw(withdrawal(3 * FEE))),
        Err(WithdrawError::FailedToWithdraw {
            fee_block: Some(Nat::from(2u8)),
            rejection_code: RejectionCode::DestinationInvalid,
            rejection_reason: "no such canister".to_string(),
        })
    );
    assert_eq!(balance(owner(1)), BALANCE - 2 * FEE);
    assert_eq!(supply(), BALANCE - 2 * FEE);
    runtime::refuse_next(5, "frozen");
    let Err(WithdrawError::FailedToWithdraw { fee_block, .. }) = now(withdraw(withdrawal(FEE)))
    else {
        panic!("the refusal was not told");
    };
    assert_eq!(fee_block, None, "the fee took all of it");
    assert_eq!(balance(owner(1)), BALANCE - 4 * FEE);
}

#[test]
fn should_refuse_a_withdrawal_of_nothing_of_too_much_and_to_a_key() {
    install_ledger(Some(true));
    assert!(matches!(
        now(withdraw(withdrawal(0))),
        Err(WithdrawError::GenericError { .. })
    ));
    for amount in [BALANCE, BALANCE - FEE + 1, u64::MAX] {
        assert_eq!(
            now(withdraw(withdrawal(amount))),
            Err(WithdrawError::InsufficientFunds {
                balance: Nat::from(BALANCE)
            })
        );
    }
    let receiver = Principal::self_authenticating([1; 32]);
    let to_a_key = WithdrawArgs {
        to: receiver,
        ..withdrawal(1)
    };
    assert_eq!(
        now(withdraw(to_a_key)),
        Err(WithdrawError::InvalidReceiver { receiver })
    );
    let larger_than_any_balance = WithdrawArgs {
        amount: Nat::from(u128::MAX),
        ..withdrawal(1)
    };
    assert!(matches!(
        now(withdraw(larger_than_any_balance)),
        Err(WithdrawError::InsufficientFunds { .. })
    ));
    assert_eq!(blocks(), 1, "a refused request leaves no block");
    assert!(runtime::take_paid().is_empty());
}

#[test]
fn should_withdraw_once_however_often_it_is_asked() {
    install_ledger(Some(true));
    let request = WithdrawArgs {
        created_at_time: Some(NOW),
        ..withdrawal(1_000)
    };
    assert_eq!(now(withdraw(request.clone())), Ok(Nat::from(1u8)));
    assert_eq!(
        now(withdraw(request)),
        Err(WithdrawError::Duplicate {
            duplicate_of: Nat::from(1u8)
        })
    );
    assert_eq!(runtime::take_paid().len(), 1);
    for (created_at_time, expected) in [
        (0, WithdrawError::TooOld),
        (
            u64::MAX,
            WithdrawError::CreatedInFuture { ledger_time: NOW },
        ),
    ] {
        let request = WithdrawArgs {
            created_at_time: Some(created_at_time),
            ..withdrawal(1_000)
        };
        assert_eq!(now(withdraw(request)), Err(expected));
    }
}

#[test]
fn should_create_one_canister_for_a_request_and_name_it_again() {
    install_ledger(Some(true));
    let created = CreateCanisterSuccess {
        block_id: Nat::from(1u8),
        canister_id: runtime::CREATED,
    };
    assert_eq!(now(create_canister(creation(2_000))), Ok(created));
    let [Paid::Creation { settings, cycles }] = &runtime::take_paid()[..] else {
        panic!("not one canister was created");
    };
    assert_eq!(*cycles, 2_000);
    assert_eq!(
        settings.controllers,
        Some(vec![owner(1)]),
        "the caller controls it where nothing is said"
    );
    assert_eq!(balance(owner(1)), BALANCE - 2_000 - FEE);
    assert_eq!(
        now(create_canister(creation(2_000))),
        Err(CreateCanisterError::Duplicate {
            duplicate_of: Nat::from(1u8),
            canister_id: Some(runtime::CREATED),
        })
    );
    assert!(runtime::take_paid().is_empty());
}

#[test]
fn should_create_with_the_settings_that_are_given() {
    install_ledger(Some(true));
    let settings = CanisterSettings {
        controllers: Some(vec![owner(3), owner(4)]),
        freezing_threshold: Some(Nat::from(7u8)),
        ..CanisterSettings::default()
    };
    let request = CreateCanisterArgs {
        creation_args: Some(CreationArgs {
            subnet_selection: Some(SubnetSelection::Subnet {
                subnet: runtime::subnet_self(),
            }),
            settings: Some(settings.clone()),
        }),
        ..creation(2_000)
    };
    assert!(now(create_canister(request)).is_ok());
    assert_eq!(
        runtime::take_paid(),
        [Paid::Creation {
            settings: Box::new(settings),
            cycles: 2_000
        }]
    );
}

#[test]
fn should_give_back_what_made_no_canister() {
    let selections = [
        None,
        Some(SubnetSelection::Subnet { subnet: owner(9) }),
        Some(SubnetSelection::Filter(SubnetFilter {
            subnet_type: Some("fiduciary".to_string()),
        })),
    ];
    for subnet_selection in selections {
        install_ledger(Some(true));
        if subnet_selection.is_none() {
            runtime::refuse_next(4, "too few cycles");
        }
        let request = CreateCanisterArgs {
            creation_args: Some(CreationArgs {
                subnet_selection,
                settings: None,
            }),
            ..creation(3 * FEE)
        };
        let Err(CreateCanisterError::FailedToCreate {
            refund_block,
            fee_block,
            ..
        }) = now(create_canister(request))
        else {
            panic!("the failure was not told");
        };
        assert_eq!(fee_block, Some(Nat::from(1u8)));
        assert_eq!(refund_block, Some(Nat::from(2u8)));
        assert_eq!(balance(owner(1)), BALANCE - 2 * FEE);
        assert!(runtime::take_paid().is_empty());
    }
}

#[test]
fn should_forget_created_canisters_when_they_can_have_no_duplicate() {
    install_ledger(Some(true));
    assert!(now(create_canister(creation(2_000))).is_ok());
    let later = NOW + crate::ledger::TRANSACTION_WINDOW_NANOS + 1;
    runtime::set_time_nanos(later);
    assert!(now(withdraw(withdrawal(1))).is_ok());
    memory::with_ledger(|ledger| assert!(ledger.created_canisters.is_empty()));
}

#[test]
fn should_not_burn_cycles_by_a_transfer() {
    install_ledger(Some(true));
    let burn = TransferArg {
        from_subaccount: None,
        to: Principal::management_canister().into(),
        fee: None,
        created_at_time: None,
        memo: None,
        amount: Nat::from(FEE),
    };
    let trapped = std::panic::catch_unwind(|| now(crate::icrc1_transfer(burn)));
    assert!(trapped.is_err());
    assert_eq!(supply(), BALANCE);
}

#[test]
fn should_do_nothing_of_this_on_a_ledger_of_tokens() {
    install_ledger(None);
    let to = owner(2).into();
    runtime::offer_cycles(u128::from(3 * FEE));
    assert!(std::panic::catch_unwind(|| deposit(DepositArgs { to, memo: None })).is_err());
    assert!(std::panic::catch_unwind(|| now(withdraw(withdrawal(1)))).is_err());
    assert!(std::panic::catch_unwind(|| now(create_canister(creation(1)))).is_err());
    assert_eq!(blocks(), 1);
}
