//! What both kinds of payment have in common: reading the block, writing the intent
//! down, burning or giving back.

use candid::Principal;
use stoa_cmc_api::{
    ERROR_CODE_FAILED_TO_FETCH_BLOCK, ERROR_CODE_OUT_OF_CYCLES, MEMO_CREATE_CANISTER,
    MEMO_MINT_CYCLES, MEMO_TOP_UP_CANISTER, NotifyError,
};

use crate::journal::{Cbor, PAYMENTS_MAX, Payment, Stage};
use crate::ledger::{self, Block, Operation, TRANSFER_FEE_E8S, Transferred};
use crate::memory::with_state;
use crate::runtime;

/// What mainnet keeps of a top-up, or a deposit, that it cannot deliver: two ledger fees.
const REFUND_CHARGE_E8S: u64 = 2 * TRANSFER_FEE_E8S;
/// What mainnet keeps where it cannot create a canister: four ledger fees.
const CREATION_REFUND_CHARGE_E8S: u64 = 4 * TRANSFER_FEE_E8S;
/// Kept for this canister's own life.
const OWN_CYCLES_MIN: u128 = 1_000_000_000_000;

/// A block that pays for something.
pub struct Paid {
    pub payer: [u8; 32],
    pub amount_e8s: u64,
    pub memo: u64,
}

/// 1 XDR buys 10^12 cycles, an ICP has 10^8 e8s, the rate is in 10^-4:
/// 10^12 / 10^8 / 10^4 = 1.
fn cycles_for(amount_e8s: u64, xdr_permyriad_per_icp: u64) -> u128 {
    // Cannot overflow: both factors have 64 bits.
    u128::from(amount_e8s) * u128::from(xdr_permyriad_per_icp)
}

pub fn cycles_of(amount_e8s: u64) -> u128 {
    with_state(|state| cycles_for(amount_e8s, state.settings().xdr_permyriad_per_icp))
}

/// The payment in a block, if it is one of `memo` for `whose` subaccount.
pub async fn read(block_index: u64, whose: Principal, memo: u64) -> Result<Paid, NotifyError> {
    let block = ledger::fetch_block(block_index)
        .await
        .map_err(|failure| NotifyError::Other {
            error_code: ERROR_CODE_FAILED_TO_FETCH_BLOCK,
            error_message: format!("block {block_index} could not be read: {}", failure.message),
        })?
        .ok_or_else(|| {
            NotifyError::InvalidTransaction(format!("the ledger has no block {block_index}"))
        })?;
    check(&block, whose, memo)
}

fn check(block: &Block, whose: Principal, expected_memo: u64) -> Result<Paid, NotifyError> {
    let invalid = |text: String| Err(NotifyError::InvalidTransaction(text));
    let transaction = &block.transaction;
    let Some(Operation::Transfer { from, to, amount }) = &transaction.operation else {
        return invalid("the transaction is not a transfer".to_string());
    };
    let memo = memo(
        transaction.memo,
        transaction.icrc1_memo.as_ref().map(|memo| memo.as_slice()),
    );
    if memo != expected_memo {
        return invalid(format!(
            "the memo is {memo:#x}, it should be {expected_memo:#x}; a top-up has \
             {MEMO_TOP_UP_CANISTER:#x}, a new canister {MEMO_CREATE_CANISTER:#x}, cycles at the cycles \
             ledger {MEMO_MINT_CYCLES:#x}"
        ));
    }
    let expected =
        ledger::account_identifier(runtime::canister_self(), &ledger::subaccount_of(whose));
    if to.as_slice() != expected {
        return invalid(format!(
            "the transfer does not go to the subaccount of {whose}"
        ));
    }
    match <[u8; 32]>::try_from(from.as_slice()) {
        Ok(payer) => Ok(Paid {
            payer,
            amount_e8s: amount.e8s,
            memo,
        }),
        Err(_) => invalid("the payer's account identifier has not 32 bytes".to_string()),
    }
}

/// An ICRC-1 transfer carries the number as eight bytes, little-endian.
fn memo(number: u64, icrc1: Option<&[u8]>) -> u64 {
    match icrc1.and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()) {
        Some(bytes) if number == 0 => u64::from_le_bytes(bytes),
        _ => number,
    }
}

pub enum Begin {
    New,
    /// Somebody asked before: what they were told stands.
    Known(Stage),
}

/// Writes the intent down, if nobody has.
pub fn begin(block_index: u64, whose: Principal, paid: Paid) -> Result<Begin, NotifyError> {
    with_state(|state| {
        let mut settings = state.settings();
        if block_index < settings.forgotten_below {
            return Err(NotifyError::TransactionTooOld(settings.forgotten_below));
        }
        if let Some(Cbor(payment)) = state.payments.get(&block_index) {
            return Ok(Begin::Known(payment.stage));
        }
        let cycles = cycles_for(paid.amount_e8s, settings.xdr_permyriad_per_icp);
        let liquid = runtime::liquid_cycles();
        if liquid < cycles.saturating_add(OWN_CYCLES_MIN) {
            return Err(NotifyError::Other {
                error_code: ERROR_CODE_OUT_OF_CYCLES,
                error_message: format!(
                    "{cycles} cycles are due, {liquid} are here and {OWN_CYCLES_MIN} must stay"
                ),
            });
        }
        if state.payments.len() >= PAYMENTS_MAX
            && let Some((oldest, Cbor(payment))) = state.payments.first_key_value()
            && payment.stage.is_finished()
        {
            state.payments.remove(&oldest);
            settings.forgotten_below = oldest + 1;
            state.settings.set(Cbor(Some(settings)));
        }
        state.payments.insert(
            block_index,
            Cbor(Payment {
                canister: whose.as_slice().to_vec(),
                payer: paid.payer,
                amount_e8s: paid.amount_e8s,
                stage: Stage::Depositing,
                creation: Some(paid.memo == MEMO_CREATE_CANISTER),
            }),
        );
        state.unfinished.insert(block_index, ());
        Ok(Begin::New)
    })
}

fn payment(block_index: u64) -> Payment {
    with_state(|state| state.payments.get(&block_index))
        .map(|Cbor(payment)| payment)
        .expect("BUG: a payment in flight was forgotten")
}

pub fn stage(block_index: u64) -> Stage {
    payment(block_index).stage
}

pub fn set_stage(block_index: u64, stage: Stage) {
    let mut payment = payment(block_index);
    let finished = stage.is_finished();
    payment.stage = stage;
    with_state(|state| {
        state.payments.insert(block_index, Cbor(payment));
        if finished {
            state.unfinished.remove(&block_index);
        }
    });
}

/// Sends what a payment still needs: the burn or the refund. An unknown outcome
/// leaves it as it is, for the timer to ask again with the same arguments.
pub async fn finish(block_index: u64) {
    let payment = payment(block_index);
    let canister = payment.canister();
    let stage = match payment.stage {
        Stage::Burning {
            cycles,
            created_at_nanos,
        } => match ledger::burn(
            canister,
            payment.amount_e8s,
            MEMO_TOP_UP_CANISTER,
            created_at_nanos,
        )
        .await
        {
            Transferred::Unknown => return,
            // What cannot be burned lies where nobody can spend it.
            Transferred::Done { .. } | Transferred::Refused { .. } => Stage::Credited { cycles },
        },
        Stage::BurningAfterCreation {
            canister: created,
            created_at_nanos,
        } => match ledger::burn(
            canister,
            payment.amount_e8s,
            MEMO_CREATE_CANISTER,
            created_at_nanos,
        )
        .await
        {
            Transferred::Unknown => return,
            Transferred::Done { .. } | Transferred::Refused { .. } => {
                Stage::Created { canister: created }
            }
        },
        Stage::BurningAfterMint {
            minted,
            created_at_nanos,
        } => match ledger::burn(
            canister,
            payment.amount_e8s,
            MEMO_MINT_CYCLES,
            created_at_nanos,
        )
        .await
        {
            Transferred::Unknown => return,
            Transferred::Done { .. } | Transferred::Refused { .. } => Stage::Minted { minted },
        },
        Stage::Refunding {
            reason,
            created_at_nanos,
        } => {
            let charge = if payment.creation == Some(true) {
                CREATION_REFUND_CHARGE_E8S
            } else {
                REFUND_CHARGE_E8S
            };
            let back = payment.amount_e8s.saturating_sub(charge);
            match ledger::refund(canister, payment.payer, back, created_at_nanos).await {
                Transferred::Unknown => return,
                Transferred::Done { block } => Stage::Refunded {
                    reason,
                    block: Some(block),
                },
                Transferred::Refused { reason: refusal } => Stage::Refunded {
                    reason: format!("{reason}; nothing went back: {refusal}"),
                    block: None,
                },
            }
        }
        _ => return,
    };
    set_stage(block_index, stage);
}
