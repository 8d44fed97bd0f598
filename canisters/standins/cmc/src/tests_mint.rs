//! Payments for cycles at the cycles ledger.

use stoa_cmc_api::{
    ERROR_CODE_MEMO_TOO_LONG, MEMO_MINT_CYCLES, NotifyMintCyclesArg, NotifyMintCyclesResult,
    NotifyMintCyclesSuccess,
};

use super::*;
use crate::notify_mint_cycles::{DepositArgs, DepositResult, notify_mint_cycles};

fn mint(arguments: NotifyMintCyclesArg) -> Running<NotifyMintCyclesResult> {
    runtime::set_caller(customer());
    Box::pin(notify_mint_cycles(arguments))
}

fn minting() -> NotifyMintCyclesArg {
    NotifyMintCyclesArg {
        block_index: BLOCK,
        to_subaccount: Some([3; 32]),
        deposit_memo: Some(ByteBuf::from(vec![4])),
    }
}

fn minting_block() -> Block {
    let mut block = payment_block();
    block.transaction.memo = MEMO_MINT_CYCLES;
    block
}

#[test]
fn should_deposit_cycles_of_a_payment_once_and_say_so_again() {
    install();
    let mut running = mint(minting());
    assert!(poll(&mut running).is_none());
    reply_block(minting_block());
    assert!(poll(&mut running).is_none());
    let deposit = one_call("deposit");
    assert_eq!(deposit.canister, cycles_ledger());
    assert_eq!(deposit.cycles, u128::from(AMOUNT) * u128::from(RATE));
    let arguments = Decode!(&deposit.arguments, DepositArgs).unwrap();
    assert_eq!(arguments.to.owner, customer());
    assert_eq!(arguments.to.subaccount, Some([3; 32]));
    assert_eq!(arguments.memo, Some(ByteBuf::from(vec![4])));
    reply(
        deposit,
        DepositResult {
            balance: 12u8.into(),
            block_index: 2u8.into(),
        },
    );
    assert!(poll(&mut running).is_none());
    reply_minting_account();
    assert!(poll(&mut running).is_none());
    let burn = one_call("transfer");
    assert_eq!(
        Decode!(&burn.arguments, TransferArgs).unwrap().memo,
        MEMO_MINT_CYCLES
    );
    reply(burn, Ok::<u64, TransferError>(8));
    let success = NotifyMintCyclesSuccess {
        block_index: 2u8.into(),
        minted: (u128::from(AMOUNT) * u128::from(RATE)).into(),
        balance: 12u8.into(),
    };
    assert_eq!(poll(&mut running), Some(Ok(success.clone())));

    let mut again = mint(minting());
    assert!(poll(&mut again).is_none());
    reply_block(minting_block());
    assert_eq!(poll(&mut again), Some(Ok(success)));
    assert!(
        runtime::take_sent().is_empty(),
        "nothing is deposited again"
    );
}

#[test]
fn should_give_back_what_the_cycles_ledger_does_not_take_less_two_fees() {
    install();
    let mut running = mint(minting());
    assert!(poll(&mut running).is_none());
    reply_block(minting_block());
    assert!(poll(&mut running).is_none());
    one_call("deposit").answer(Err(CallFailure::new("less than the fee")));
    assert!(poll(&mut running).is_none());
    let refund = one_call("transfer");
    let arguments = Decode!(&refund.arguments, TransferArgs).unwrap();
    assert_eq!(arguments.amount.e8s, AMOUNT - 3 * ledger::TRANSFER_FEE_E8S);
    assert_eq!(arguments.to.as_slice(), payer());
    reply(refund, Ok::<u64, TransferError>(11));
    assert!(matches!(
        poll(&mut running),
        Some(Err(NotifyError::Refunded {
            block_index: Some(11),
            ..
        }))
    ));
}

#[test]
fn should_not_take_another_payment_for_cycles_at_the_ledger_nor_a_long_memo() {
    install();
    let mut running = mint(minting());
    assert!(poll(&mut running).is_none());
    reply_block(payment_block());
    assert!(matches!(
        poll(&mut running),
        Some(Err(NotifyError::InvalidTransaction(_)))
    ));
    let long = NotifyMintCyclesArg {
        deposit_memo: Some(ByteBuf::from(vec![0; 33])),
        ..minting()
    };
    assert!(matches!(
        poll(&mut mint(long)),
        Some(Err(NotifyError::Other {
            error_code: ERROR_CODE_MEMO_TOO_LONG,
            ..
        }))
    ));
}
