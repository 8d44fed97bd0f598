//! Payments from notification to answer, with the ledger and the management
//! canister played by the test, so that calls can be held, lost and raced.

mod creating;
mod faulty;
mod mint;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use candid::{CandidType, Decode, Encode, Nat, Principal};
use ic_stable_structures::DefaultMemoryImpl;
use serde_bytes::ByteBuf;
use stoa_cmc_api::{
    ERROR_CODE_BAD_SUBNET_SELECTION, ERROR_CODE_FAILED_TO_FETCH_BLOCK, ERROR_CODE_OUT_OF_CYCLES,
    ERROR_CODE_OUTCOME_UNKNOWN, ERROR_CODE_UNAUTHORIZED, Fault, FaultKind, InitArgs,
    MEMO_CREATE_CANISTER, MEMO_TOP_UP_CANISTER, NotifyCreateCanisterArg,
    NotifyCreateCanisterResult, NotifyError, NotifyTopUpArg, NotifyTopUpResult, SubnetFilter,
    SubnetSelection,
};

use crate::journal::{Cbor, Stage};
use crate::ledger::{
    self, Block, Icrc1Account, Operation, QueryBlocksResponse, Tokens, Transaction, TransferArgs,
    TransferError,
};
use crate::memory::{self, with_state};
use crate::notify_create_canister::notify_create_canister;
use crate::runtime::{self, CallFailure, SentCall};
use crate::{faults, notify_top_up::notify_top_up, recovery};

const BLOCK: u64 = 7;
const AMOUNT: u64 = 100_000_000;
const RATE: u64 = 35_000;
const NOW: u64 = 1_800_000_000_000_000_000;
const PLENTY: u128 = 1_000_000_000_000_000;

fn customer() -> Principal {
    Principal::from_slice(&[1, 2, 3])
}

fn cycles_ledger() -> Principal {
    Principal::from_slice(&[6])
}

fn payer() -> [u8; 32] {
    [9; 32]
}

fn install() -> DefaultMemoryImpl {
    let stable = DefaultMemoryImpl::default();
    memory::replace(stable.clone());
    runtime::set_time_nanos(NOW);
    runtime::set_liquid_cycles(PLENTY);
    runtime::take_sent();
    recovery::forget_in_flight();
    memory::install(InitArgs {
        ledger: Principal::from_slice(&[2]),
        xdr_permyriad_per_icp: RATE,
        cycles_ledger: Some(cycles_ledger()),
    });
    stable
}

type Running<T> = Pin<Box<dyn Future<Output = T>>>;

fn poll<T>(running: &mut Running<T>) -> Option<T> {
    match running
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn notify() -> Running<NotifyTopUpResult> {
    Box::pin(notify_top_up(NotifyTopUpArg {
        block_index: BLOCK,
        canister_id: customer(),
    }))
}

fn payment_block() -> Block {
    Block {
        transaction: Transaction {
            memo: MEMO_TOP_UP_CANISTER,
            icrc1_memo: None,
            operation: Some(Operation::Transfer {
                from: ByteBuf::from(payer()),
                to: ByteBuf::from(ledger::account_identifier(
                    runtime::canister_self(),
                    &ledger::subaccount_of(customer()),
                )),
                amount: Tokens { e8s: AMOUNT },
            }),
        },
    }
}

fn one_call(method: &str) -> SentCall {
    let mut sent = runtime::take_sent();
    assert_eq!(sent.len(), 1, "one call is sent");
    let call = sent.remove(0);
    assert_eq!(call.method, method);
    call
}

fn reply<T: CandidType>(call: SentCall, value: T) {
    call.answer(Ok(Encode!(&value).unwrap()));
}

fn reply_block(block: Block) {
    reply(
        one_call("query_blocks"),
        QueryBlocksResponse {
            chain_length: BLOCK + 1,
            blocks: vec![block],
            first_block_index: BLOCK,
            archived_blocks: vec![],
        },
    );
}

fn reply_minting_account() {
    reply(
        one_call("icrc1_minting_account"),
        Some(Icrc1Account {
            owner: Principal::from_slice(&[5]),
            subaccount: None,
        }),
    );
}

/// Runs to the deposit, which waits for its answer.
fn until_deposit() -> (Running<NotifyTopUpResult>, SentCall) {
    let mut running = notify();
    assert!(poll(&mut running).is_none());
    reply_block(payment_block());
    assert!(poll(&mut running).is_none());
    (running, one_call("deposit_cycles"))
}

fn stage() -> Stage {
    with_state(|state| {
        let Cbor(payment) = state.payments.get(&BLOCK).unwrap();
        payment.stage
    })
}

fn cycles() -> Nat {
    Nat::from(u128::from(AMOUNT) * u128::from(RATE))
}

fn answer_now(result: Option<NotifyTopUpResult>) -> NotifyTopUpResult {
    result.expect("the call has finished")
}

#[test]
fn should_credit_a_payment_once_and_answer_the_same_again() {
    install();
    let (mut running, deposit) = until_deposit();
    assert_eq!(deposit.cycles, u128::from(AMOUNT) * u128::from(RATE));
    assert_eq!(deposit.arguments, customer().as_slice());
    reply(deposit, ());
    assert!(poll(&mut running).is_none());
    reply_minting_account();
    assert!(poll(&mut running).is_none());
    let burn = one_call("transfer");
    assert_eq!(burn.canister, Principal::from_slice(&[2]));
    let arguments = Decode!(&burn.arguments, TransferArgs).unwrap();
    assert_eq!(arguments.amount.e8s, AMOUNT);
    assert_eq!(arguments.fee.e8s, 0);
    assert_eq!(arguments.created_at_time.unwrap().timestamp_nanos, NOW);
    reply(burn, Ok::<u64, TransferError>(8));
    assert_eq!(answer_now(poll(&mut running)), Ok(cycles()));

    let mut again = notify();
    assert!(poll(&mut again).is_none());
    reply_block(payment_block());
    assert_eq!(answer_now(poll(&mut again)), Ok(cycles()));
    assert!(
        runtime::take_sent().is_empty(),
        "nothing is deposited again"
    );
}

#[test]
fn should_answer_processing_to_a_rival_while_the_deposit_is_in_flight() {
    install();
    let (mut first, deposit) = until_deposit();
    let mut rival = notify();
    assert!(poll(&mut rival).is_none());
    reply_block(payment_block());
    assert_eq!(answer_now(poll(&mut rival)), Err(NotifyError::Processing));
    reply(deposit, ());
    assert!(poll(&mut first).is_none());
}

#[test]
fn should_credit_once_when_two_rivals_read_the_block_at_the_same_time() {
    install();
    let (mut first, mut second) = (notify(), notify());
    assert!(poll(&mut first).is_none());
    assert!(poll(&mut second).is_none());
    for call in runtime::take_sent() {
        reply(
            call,
            QueryBlocksResponse {
                chain_length: BLOCK + 1,
                blocks: vec![payment_block()],
                first_block_index: BLOCK,
                archived_blocks: vec![],
            },
        );
    }
    assert!(poll(&mut second).is_none());
    let deposit = one_call("deposit_cycles");
    assert_eq!(answer_now(poll(&mut first)), Err(NotifyError::Processing));
    reply(deposit, ());
    assert!(poll(&mut second).is_none());
    assert!(matches!(stage(), Stage::Burning { .. }));
}

#[test]
fn should_refund_less_the_charge_when_the_canister_cannot_receive() {
    install();
    let (mut running, deposit) = until_deposit();
    deposit.answer(Err(CallFailure::new("no such canister")));
    assert!(poll(&mut running).is_none());
    let refund = one_call("transfer");
    let arguments = Decode!(&refund.arguments, TransferArgs).unwrap();
    assert_eq!(arguments.amount.e8s, AMOUNT - 3 * ledger::TRANSFER_FEE_E8S);
    assert_eq!(arguments.to.as_slice(), payer());
    assert_eq!(
        arguments.from_subaccount.unwrap().as_slice(),
        ledger::subaccount_of(customer())
    );
    reply(refund, Ok::<u64, TransferError>(11));
    assert_eq!(
        answer_now(poll(&mut running)),
        Err(NotifyError::Refunded {
            block_index: Some(11),
            reason: "no such canister".to_string()
        })
    );
}

#[test]
fn should_repeat_a_refund_of_unknown_outcome_with_the_same_arguments() {
    install();
    let (mut running, deposit) = until_deposit();
    deposit.answer(Err(CallFailure::new("no such canister")));
    assert!(poll(&mut running).is_none());
    let first = one_call("transfer");
    let first_arguments = first.arguments.clone();
    first.answer(Err(CallFailure::new("lost")));
    assert_eq!(answer_now(poll(&mut running)), Err(NotifyError::Processing));
    runtime::set_time_nanos(NOW + 60_000_000_000);
    let mut timer: Running<()> = Box::pin(recovery::finish_open_payments());
    assert!(poll(&mut timer).is_none());
    let second = one_call("transfer");
    assert_eq!(second.arguments, first_arguments);
    reply(
        second,
        Err::<u64, _>(TransferError::TxDuplicate { duplicate_of: 12 }),
    );
    assert!(poll(&mut timer).is_some());
    assert_eq!(
        stage(),
        Stage::Refunded {
            reason: "no such canister".to_string(),
            block: Some(12)
        }
    );
    with_state(|state| assert!(state.unfinished.is_empty()));
}

#[test]
fn should_not_repeat_a_deposit_that_an_upgrade_cut_off() {
    let stable = install();
    let (running, deposit) = until_deposit();
    drop((running, deposit));
    memory::replace(stable);
    recovery::forget_in_flight();
    memory::open_after_upgrade();
    let mut timer: Running<()> = Box::pin(recovery::finish_open_payments());
    assert!(poll(&mut timer).is_some());
    let mut again = notify();
    assert!(poll(&mut again).is_none());
    reply_block(payment_block());
    assert!(matches!(
        answer_now(poll(&mut again)),
        Err(NotifyError::Other {
            error_code: ERROR_CODE_OUTCOME_UNKNOWN,
            ..
        })
    ));
    assert!(runtime::take_sent().is_empty());
}

#[test]
fn should_finish_a_burn_after_an_upgrade_and_keep_the_answer() {
    let stable = install();
    let (mut running, deposit) = until_deposit();
    reply(deposit, ());
    assert!(poll(&mut running).is_none());
    drop(running);
    runtime::take_sent();
    memory::replace(stable);
    recovery::forget_in_flight();
    let mut again = notify();
    assert!(poll(&mut again).is_none());
    reply_block(payment_block());
    assert_eq!(answer_now(poll(&mut again)), Ok(cycles()));
    let mut timer: Running<()> = Box::pin(recovery::finish_open_payments());
    assert!(poll(&mut timer).is_none());
    reply_minting_account();
    assert!(poll(&mut timer).is_none());
    reply(one_call("transfer"), Ok::<u64, TransferError>(9));
    assert!(poll(&mut timer).is_some());
    assert!(matches!(stage(), Stage::Credited { .. }));
}

#[test]
#[should_panic(expected = "stable memory has layout 0")]
fn should_refuse_an_upgrade_over_an_unknown_layout() {
    memory::replace(DefaultMemoryImpl::default());
    memory::open_after_upgrade();
}

#[test]
fn should_refuse_what_is_not_a_payment_for_this_canister() {
    let refusal = |block: Block| {
        install();
        let mut running = notify();
        assert!(poll(&mut running).is_none());
        reply_block(block);
        match answer_now(poll(&mut running)) {
            Err(NotifyError::InvalidTransaction(text)) => text,
            other => panic!("{other:?}"),
        }
    };
    let mut wrong_memo = payment_block();
    wrong_memo.transaction.memo = 0;
    assert!(refusal(wrong_memo).contains("memo"));
    let mut no_transfer = payment_block();
    no_transfer.transaction.operation = None;
    assert!(refusal(no_transfer).contains("not a transfer"));
    let mut elsewhere = payment_block();
    if let Some(Operation::Transfer { to, .. }) = &mut elsewhere.transaction.operation {
        *to = ByteBuf::from(vec![0; 32]);
    }
    assert!(refusal(elsewhere).contains("subaccount"));
}

#[test]
fn should_read_the_memo_of_an_icrc1_transfer() {
    install();
    let mut block = payment_block();
    block.transaction.memo = 0;
    block.transaction.icrc1_memo = Some(ByteBuf::from(MEMO_TOP_UP_CANISTER.to_le_bytes().to_vec()));
    let mut running = notify();
    assert!(poll(&mut running).is_none());
    reply_block(block);
    assert!(poll(&mut running).is_none());
    let _deposit = one_call("deposit_cycles");
}

#[test]
fn should_ask_to_come_again_when_it_has_too_few_cycles() {
    install();
    runtime::set_liquid_cycles(1_000_000_000_000);
    let mut running = notify();
    assert!(poll(&mut running).is_none());
    reply_block(payment_block());
    assert!(matches!(
        answer_now(poll(&mut running)),
        Err(NotifyError::Other {
            error_code: ERROR_CODE_OUT_OF_CYCLES,
            ..
        })
    ));
    with_state(|state| assert!(state.payments.is_empty()));
}

#[test]
fn should_answer_too_old_to_what_was_forgotten() {
    install();
    with_state(|state| {
        let mut settings = state.settings();
        settings.forgotten_below = BLOCK + 1;
        state.settings.set(Cbor(Some(settings)));
    });
    let mut running = notify();
    assert!(poll(&mut running).is_none());
    reply_block(payment_block());
    assert_eq!(
        answer_now(poll(&mut running)),
        Err(NotifyError::TransactionTooOld(BLOCK + 1))
    );
}

#[test]
fn should_name_a_missing_block_and_a_silent_ledger() {
    install();
    let mut running = notify();
    assert!(poll(&mut running).is_none());
    reply(
        one_call("query_blocks"),
        QueryBlocksResponse {
            chain_length: 0,
            blocks: vec![],
            first_block_index: 0,
            archived_blocks: vec![],
        },
    );
    assert!(matches!(
        answer_now(poll(&mut running)),
        Err(NotifyError::InvalidTransaction(_))
    ));
    let mut running = notify();
    assert!(poll(&mut running).is_none());
    one_call("query_blocks").answer(Err(CallFailure::new("stopped")));
    assert!(matches!(
        answer_now(poll(&mut running)),
        Err(NotifyError::Other {
            error_code: ERROR_CODE_FAILED_TO_FETCH_BLOCK,
            ..
        })
    ));
}
