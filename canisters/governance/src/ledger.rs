//! What governance asks an ICRC-1 ledger (the token's, and ICP's, which speaks ICRC-1
//! as well), and what each answer means.
//!
//! What must hold: unknown means unknown, never failed. A transfer is repeated only
//! with the same arguments, `created_at_time` and memo among them, so that the ledger
//! tells `Duplicate` where the first request went through; and only inside of the
//! ledger's window. A refusal of a repetition says nothing about the first request
//! unless the ledger looks for duplicates before it looks at what it refuses for.

use candid::utils::ArgumentEncoder;
use candid::{CandidType, Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::{Memo, TransferArg, TransferError};
use serde::de::DeserializeOwned;

use crate::refusal::Refusal;
use crate::runtime::{self, CallFailure};

const TIMEOUT_SECONDS: u32 = 60;
/// Answers are a number, or an error with one and a text.
const DECODING_QUOTA: usize = 20_000;

/// For how long the ledger tells duplicates; ICRC-1 ledgers and the ICP ledger have 24
/// hours. Two minutes less, for clocks that differ and calls that take their time.
pub const WINDOW_NANOS: u64 = (24 * 60 - 2) * 60 * 1_000_000_000;

/// One transfer from an account of governance. Everything that the ledger tells
/// duplicates by is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transfer {
    pub from_subaccount: Option<[u8; 32]>,
    pub to: Account,
    pub amount_e8s: u64,
    /// `None` where the ledger takes none: minting and burning.
    pub fee_e8s: Option<u64>,
    pub memo: Vec<u8>,
    pub created_at_nanos: u64,
}

/// What is known about a transfer after asking for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Now or, by an earlier request of the same, before.
    Done { block: u64 },
    /// This request moved nothing.
    Refused(TransferRefusal),
    /// It may have happened; asking again with the same arguments tells.
    Unknown { message: String },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferRefusal {
    /// Whether earlier requests of the same did not go through either: true where the
    /// ledger looks for duplicates before it refuses for this.
    pub covers_earlier_requests: bool,
    /// Outside of the ledger's window: whether an earlier request went through is in the
    /// ledger's blocks alone.
    pub too_old: bool,
    /// The same request may be accepted later.
    pub temporary: bool,
    pub message: String,
}

pub async fn transfer(ledger: Principal, transfer: &Transfer) -> Outcome {
    let argument = TransferArg {
        from_subaccount: transfer.from_subaccount,
        to: transfer.to,
        fee: transfer.fee_e8s.map(Nat::from),
        created_at_time: Some(transfer.created_at_nanos),
        memo: Some(Memo::from(transfer.memo.clone())),
        amount: Nat::from(transfer.amount_e8s),
    };
    let answer: Result<Result<Nat, TransferError>, CallFailure> =
        ask(ledger, "icrc1_transfer", (argument,)).await;
    let refused = |covers_earlier_requests, too_old, temporary, message| {
        Outcome::Refused(TransferRefusal {
            covers_earlier_requests,
            too_old,
            temporary,
            message,
        })
    };
    match answer {
        Ok(Ok(block))
        | Ok(Err(TransferError::Duplicate {
            duplicate_of: block,
        })) => match u64::try_from(block.0) {
            Ok(block) => Outcome::Done { block },
            Err(_) => Outcome::Unknown {
                message: "the ledger's block index does not fit 64 bits".to_string(),
            },
        },
        Ok(Err(error @ TransferError::InsufficientFunds { .. })) => {
            refused(true, false, false, error.to_string())
        }
        Ok(Err(error @ TransferError::TooOld)) => refused(false, true, false, error.to_string()),
        Ok(Err(error)) => {
            // A clock that is behind catches up as well.
            let temporary = matches!(
                error,
                TransferError::TemporarilyUnavailable | TransferError::CreatedInFuture { .. }
            );
            refused(false, false, temporary, error.to_string())
        }
        Err(failure) if failure.refused => refused(false, false, true, failure.message),
        Err(failure) => Outcome::Unknown {
            message: failure.message,
        },
    }
}

pub async fn balance_of(ledger: Principal, account: Account) -> Result<u64, Refusal> {
    number(ask(ledger, "icrc1_balance_of", (account,)).await)
}

pub async fn total_supply(ledger: Principal) -> Result<u64, Refusal> {
    number(ask(ledger, "icrc1_total_supply", ()).await)
}

pub async fn minting_account(ledger: Principal) -> Result<Option<Account>, Refusal> {
    ask(ledger, "icrc1_minting_account", ())
        .await
        .map_err(|failure: CallFailure| Refusal::LedgerFailed {
            message: failure.message,
        })
}

fn number(answer: Result<Nat, CallFailure>) -> Result<u64, Refusal> {
    let failed = |message: String| Refusal::LedgerFailed { message };
    let amount = answer.map_err(|failure| failed(failure.message))?;
    u64::try_from(&amount.0).map_err(|_| failed(format!("{amount} e8s do not fit 64 bits")))
}

/// An answer that does not decode counts as unknown: something was executed.
async fn ask<A: ArgumentEncoder, T: CandidType + DeserializeOwned>(
    ledger: Principal,
    method: &str,
    arguments: A,
) -> Result<T, CallFailure> {
    ask_with_quota(ledger, method, arguments, DECODING_QUOTA).await
}

pub async fn ask_with_quota<A: ArgumentEncoder, T: CandidType + DeserializeOwned>(
    ledger: Principal,
    method: &str,
    arguments: A,
    quota: usize,
) -> Result<T, CallFailure> {
    let arguments = candid::encode_args(arguments).expect("BUG: arguments encode");
    let answer = runtime::call(ledger, method, &arguments, TIMEOUT_SECONDS).await?;
    let mut config = candid::DecoderConfig::new();
    config.set_decoding_quota(quota);
    candid::utils::decode_one_with_config(&answer, &config).map_err(|error| CallFailure {
        refused: false,
        message: format!("the answer of {method} does not decode: {error}"),
    })
}
