//! The endpoints as callers meet them: official types in, official errors out.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use candid::{Decode, Encode, Nat, Principal};
use ic_stable_structures::DefaultMemoryImpl;
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::{Memo, TransferArg, TransferError};
use icrc_ledger_types::icrc2::allowance::AllowanceArgs;
use icrc_ledger_types::icrc2::approve::{ApproveArgs, ApproveError};
use icrc_ledger_types::icrc2::transfer_from::{TransferFromArgs, TransferFromError};

use crate::account::AccountIdentifier;
use crate::init::{InitArgs, install};
use crate::ledger::{PERMITTED_DRIFT_NANOS, TRANSACTION_WINDOW_NANOS};
use crate::{icp, memory, runtime};

const FEE: u64 = 10_000;
const NOW: u64 = 1_800_000_000_000_000_000;

fn owner(id: u8) -> Principal {
    Principal::from_slice(&[id])
}

fn account(id: u8) -> Account {
    owner(id).into()
}

fn install_with(balances: &[(u8, u64)]) {
    let mut ledger = memory::open(DefaultMemoryImpl::default());
    install(
        &mut ledger,
        InitArgs {
            token_name: "Internet Computer".to_string(),
            token_symbol: "ICP".to_string(),
            decimals: 8,
            transfer_fee: Nat::from(FEE),
            minting_account: account(255),
            initial_balances: balances
                .iter()
                .map(|(id, amount)| (account(*id), Nat::from(*amount)))
                .collect(),
            holds_cycles: None,
        },
        NOW,
    );
    memory::replace(ledger);
    runtime::set_time_nanos(NOW);
    runtime::set_caller(owner(1));
}

/// Natively nothing makes a request wait.
fn answered<T>(request: impl Future<Output = T>) -> T {
    match pin!(request).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the request waits"),
    }
}

fn icrc1(to: u8, amount: u64) -> TransferArg {
    TransferArg {
        from_subaccount: None,
        to: account(to),
        fee: None,
        created_at_time: None,
        memo: None,
        amount: Nat::from(amount),
    }
}

fn official_transfer(to: u8, amount: u64, fee: u64) -> ic_ledger_types::TransferArgs {
    ic_ledger_types::TransferArgs {
        memo: ic_ledger_types::Memo(7),
        amount: ic_ledger_types::Tokens::from_e8s(amount),
        fee: ic_ledger_types::Tokens::from_e8s(fee),
        from_subaccount: None,
        to: ic_ledger_types::AccountIdentifier::new(
            &owner(to),
            &ic_ledger_types::DEFAULT_SUBACCOUNT,
        ),
        created_at_time: Some(ic_ledger_types::Timestamp {
            timestamp_nanos: NOW,
        }),
    }
}

/// Through the bytes, as a caller with the official crate sends and reads them.
fn send(arguments: &ic_ledger_types::TransferArgs) -> ic_ledger_types::TransferResult {
    let bytes = Encode!(arguments).unwrap();
    let answer = answered(crate::transfer(Decode!(&bytes, icp::TransferArgs).unwrap()));
    Decode!(&Encode!(&answer).unwrap(), ic_ledger_types::TransferResult).unwrap()
}

#[test]
fn should_serve_the_official_icp_client_types() {
    use ic_ledger_types::TransferError as E;
    install_with(&[(1, 1_000_000)]);
    assert_eq!(send(&official_transfer(2, 100, FEE)), Ok(1));
    assert_eq!(
        send(&official_transfer(2, 100, FEE)),
        Err(E::TxDuplicate { duplicate_of: 1 })
    );
    assert!(matches!(
        send(&official_transfer(2, 100, FEE + 1)),
        Err(E::BadFee { .. })
    ));
    assert!(matches!(
        send(&official_transfer(2, 1_000_000, FEE)),
        Err(E::InsufficientFunds { .. })
    ));
    runtime::set_time_nanos(NOW + TRANSACTION_WINDOW_NANOS + 1);
    assert!(matches!(
        send(&official_transfer(2, 5, FEE)),
        Err(E::TxTooOld { .. })
    ));
    runtime::set_time_nanos(NOW - PERMITTED_DRIFT_NANOS - 1);
    assert_eq!(
        send(&official_transfer(2, 5, FEE)),
        Err(E::TxCreatedInFuture)
    );

    let blocks = crate::query_blocks(icp::GetBlocksArgs {
        start: 0,
        length: 10,
    });
    let blocks: ic_ledger_types::QueryBlocksResponse = Decode!(
        &Encode!(&blocks).unwrap(),
        ic_ledger_types::QueryBlocksResponse
    )
    .unwrap();
    assert_eq!(blocks.chain_length, 2);
    assert!(matches!(
        blocks.blocks[0].transaction.operation,
        Some(ic_ledger_types::Operation::Mint { .. })
    ));
    assert_eq!(blocks.blocks[1].transaction.memo.0, 7);
    assert!(matches!(
        &blocks.blocks[1].transaction.operation,
        Some(ic_ledger_types::Operation::Transfer { amount, .. }) if amount.e8s() == 100
    ));
    assert!(blocks.blocks[1].parent_hash.is_some());
    let held = crate::account_balance(icp::AccountBalanceArgs {
        account: AccountIdentifier::from(account(2)).into(),
    });
    assert_eq!(held.e8s, 100);
    assert_eq!(crate::icrc1_balance_of(account(2)), Nat::from(100u64));
}

#[test]
fn should_page_blocks_and_answer_nothing_past_the_end() {
    install_with(&[(1, 5), (2, 5), (3, 5)]);
    let page = |start, length| crate::query_blocks(icp::GetBlocksArgs { start, length });
    assert_eq!(page(1, 1).blocks.len(), 1);
    assert_eq!(page(1, 1).first_block_index, 1);
    assert_eq!(page(2, u64::MAX).blocks.len(), 1);
    assert_eq!(page(u64::MAX, u64::MAX).blocks.len(), 0);
}

#[test]
fn should_answer_every_icrc1_error() {
    install_with(&[(1, 1_000_000)]);
    assert_eq!(
        answered(crate::icrc1_transfer(icrc1(2, 5))),
        Ok(Nat::from(1u64))
    );
    let bad_fee = TransferArg {
        fee: Some(Nat::from(1u64)),
        ..icrc1(2, 5)
    };
    assert_eq!(
        answered(crate::icrc1_transfer(bad_fee)),
        Err(TransferError::BadFee {
            expected_fee: Nat::from(FEE)
        })
    );
    assert_eq!(
        answered(crate::icrc1_transfer(icrc1(255, 5))),
        Err(TransferError::BadBurn {
            min_burn_amount: Nat::from(FEE)
        })
    );
    assert_eq!(
        answered(crate::icrc1_transfer(icrc1(2, 1_000_000))),
        Err(TransferError::InsufficientFunds {
            balance: Nat::from(1_000_000 - 5 - FEE)
        })
    );
    let at = |created_at_time| TransferArg {
        created_at_time: Some(created_at_time),
        ..icrc1(2, 5)
    };
    assert_eq!(
        answered(crate::icrc1_transfer(at(NOW
            - TRANSACTION_WINDOW_NANOS
            - 1))),
        Err(TransferError::TooOld)
    );
    assert_eq!(
        answered(crate::icrc1_transfer(at(NOW + PERMITTED_DRIFT_NANOS + 1))),
        Err(TransferError::CreatedInFuture { ledger_time: NOW })
    );
    assert_eq!(
        answered(crate::icrc1_transfer(at(NOW))),
        Ok(Nat::from(2u64))
    );
    assert_eq!(
        answered(crate::icrc1_transfer(at(NOW))),
        Err(TransferError::Duplicate {
            duplicate_of: Nat::from(2u64)
        })
    );
    runtime::set_caller(owner(255));
    assert!(matches!(
        answered(crate::icrc1_transfer(icrc1(2, u64::MAX))),
        Err(TransferError::GenericError { .. })
    ));
}

#[test]
#[should_panic(expected = "longer than 32 bytes")]
fn should_trap_on_a_memo_of_33_bytes_as_the_official_ledger_does() {
    install_with(&[(1, 1_000_000)]);
    let _answer = answered(crate::icrc1_transfer(TransferArg {
        memo: Some(Memo::from(vec![0; 33])),
        ..icrc1(2, 5)
    }));
}

#[test]
#[should_panic(expected = "checksum")]
fn should_trap_on_a_receiver_whose_checksum_is_wrong() {
    install_with(&[(1, 1_000_000)]);
    let _answer = answered(crate::transfer(icp::TransferArgs {
        memo: 0,
        amount: icp::Tokens { e8s: 1 },
        fee: icp::Tokens { e8s: FEE },
        from_subaccount: None,
        to: vec![1; 32].into(),
        created_at_time: None,
    }));
}

#[test]
fn should_answer_icrc2_errors_and_keep_allowances_past_64_bits_at_the_cap() {
    install_with(&[(1, 1_000_000)]);
    let approve = |amount: Nat| ApproveArgs {
        from_subaccount: None,
        spender: account(2),
        amount,
        expected_allowance: None,
        expires_at: None,
        fee: None,
        memo: None,
        created_at_time: None,
    };
    let huge = Nat::from(u128::MAX);
    assert_eq!(
        answered(crate::icrc2_approve(approve(huge))),
        Ok(Nat::from(1u64))
    );
    let allowance = crate::icrc2_allowance(AllowanceArgs {
        account: account(1),
        spender: account(2),
    });
    assert_eq!(allowance.allowance, Nat::from(u64::MAX));
    let expired = ApproveArgs {
        expires_at: Some(NOW),
        ..approve(Nat::from(1u64))
    };
    assert_eq!(
        answered(crate::icrc2_approve(expired)),
        Err(ApproveError::Expired { ledger_time: NOW })
    );
    let changed = ApproveArgs {
        expected_allowance: Some(Nat::from(3u64)),
        ..approve(Nat::from(1u64))
    };
    assert_eq!(
        answered(crate::icrc2_approve(changed)),
        Err(ApproveError::AllowanceChanged {
            current_allowance: Nat::from(u64::MAX)
        })
    );
    runtime::set_caller(owner(3));
    assert_eq!(
        answered(crate::icrc2_transfer_from(TransferFromArgs {
            spender_subaccount: None,
            from: account(1),
            to: account(3),
            amount: Nat::from(1u64),
            fee: None,
            memo: None,
            created_at_time: None,
        })),
        Err(TransferFromError::InsufficientAllowance {
            allowance: Nat::from(0u64)
        })
    );
}
