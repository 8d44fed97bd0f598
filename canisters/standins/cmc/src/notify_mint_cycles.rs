//! `notify_mint_cycles`: a payment in the ledger becomes cycles of the caller at the
//! cycles ledger, once.

use candid::{CandidType, Decode, Encode, Nat, Principal};
use serde::Deserialize;
use serde_bytes::ByteBuf;
use stoa_cmc_api::{
    ERROR_CODE_MEMO_TOO_LONG, ERROR_CODE_NO_CYCLES_LEDGER, FaultKind, MEMO_MINT_CYCLES,
    NotifyError, NotifyMintCyclesArg, NotifyMintCyclesResult,
};

use crate::faults;
use crate::journal::{Minted, Stage, WideNumber};
use crate::memory::with_state;
use crate::payment::{self, Begin};
use crate::recovery::InFlight;
use crate::runtime::{self, CallFailure};

const MEMO_BYTES_MAX: usize = 32;

/// Of the cycles ledger's interface what is needed here.
#[derive(CandidType, Deserialize)]
pub struct DepositArgs {
    pub to: Account,
    pub memo: Option<ByteBuf>,
}

#[derive(CandidType, Deserialize)]
pub struct Account {
    pub owner: Principal,
    pub subaccount: Option<[u8; 32]>,
}

#[derive(CandidType, Deserialize)]
pub struct DepositResult {
    pub balance: Nat,
    pub block_index: Nat,
}

pub async fn notify_mint_cycles(arguments: NotifyMintCyclesArg) -> NotifyMintCyclesResult {
    let NotifyMintCyclesArg {
        block_index,
        to_subaccount,
        deposit_memo,
    } = arguments;
    let caller = runtime::caller();
    if let Some(memo) = &deposit_memo
        && memo.len() > MEMO_BYTES_MAX
    {
        return Err(NotifyError::Other {
            error_code: ERROR_CODE_MEMO_TOO_LONG,
            error_message: format!(
                "the memo has {} bytes, {MEMO_BYTES_MAX} are allowed",
                memo.len()
            ),
        });
    }
    let cycles_ledger =
        with_state(|state| state.settings().cycles_ledger()).ok_or_else(|| NotifyError::Other {
            error_code: ERROR_CODE_NO_CYCLES_LEDGER,
            error_message: "this stand-in was installed without a cycles ledger".to_string(),
        })?;
    let fault = faults::take();
    if let Some(error) = faults::before(&fault).await {
        return Err(error);
    }
    let paid = payment::read(block_index, caller, MEMO_MINT_CYCLES).await?;
    let cycles = payment::cycles_of(paid.amount_e8s);
    if let Begin::Known(stage) = payment::begin(block_index, caller, paid)? {
        faults::after(&fault).await;
        return stage.answer_mint();
    }

    let in_flight = InFlight::enter(block_index).expect("BUG: a new payment is in flight already");
    let deposit = DepositArgs {
        to: Account {
            owner: caller,
            subaccount: to_subaccount,
        },
        memo: deposit_memo,
    };
    let deposited = if fault == Some(FaultKind::Undeliverable) {
        Err(faults::undeliverable())
    } else {
        send(cycles_ledger, &deposit, cycles).await
    };
    let next = match deposited {
        Ok(minted) => Stage::BurningAfterMint {
            minted,
            created_at_nanos: runtime::time_nanos(),
        },
        // A deposit that was not answered with a reply was undone.
        Err(failure) => Stage::Refunding {
            reason: failure.message,
            created_at_nanos: runtime::time_nanos(),
        },
    };
    payment::set_stage(block_index, next);
    payment::finish(block_index).await;
    drop(in_flight);
    faults::after(&fault).await;
    payment::stage(block_index).answer_mint()
}

async fn send(
    cycles_ledger: Principal,
    deposit: &DepositArgs,
    cycles: u128,
) -> Result<Minted, CallFailure> {
    let arguments = Encode!(deposit).expect("BUG: a deposit encodes");
    let reply = runtime::pay(cycles_ledger, "deposit", arguments, cycles).await?;
    // The cycles are there, whatever the answer looks like.
    let told = Decode!(&reply, DepositResult).ok();
    let wide = |number: Option<Nat>| {
        WideNumber::from(number.map_or(0, |number| u128::try_from(number.0).unwrap_or(u128::MAX)))
    };
    let (balance, block_index) = match told {
        Some(told) => (Some(told.balance), Some(told.block_index)),
        None => (None, None),
    };
    Ok(Minted {
        block_index: wide(block_index),
        cycles: cycles.into(),
        balance: wide(balance),
    })
}
