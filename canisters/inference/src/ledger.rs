//! Transfers on the ledgers of ICP and the governance token, and what each answer means: done, definitely not done, or not known.

use candid::{CandidType, Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::{Memo, TransferArg, TransferError};
use icrc_ledger_types::icrc2::transfer_from::{TransferFromArgs, TransferFromError};
use serde::Deserialize;
use sha2::Digest;
use stoa_types::Sha256;

use crate::runtime::{self, CallFailure, Runtime};
use crate::state;
use crate::stored::{Funds, Payment, Transfer, Unit};

/// What is known about a transfer after asking for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Now or, by an earlier request of the same, before.
    Done {
        block: u64,
    },
    Refused(Refusal),
    /// It may have happened; asking again with the same arguments tells.
    Unknown {
        message: String,
    },
}

/// The ledger did not move anything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    BadFee {
        expected_e8s: u64,
    },
    InsufficientFunds {
        balance: Nat,
    },
    InsufficientAllowance {
        allowance: Nat,
    },
    /// Outside of the ledger's window: whether an earlier request went through cannot be learnt by asking again.
    TooOld,
    Other {
        message: String,
    },
}

impl Refusal {
    /// Whether this says that the transfer did not happen, where an earlier request of the same had no known
    /// outcome. The ledger looks for a duplicate before it looks at balances and allowances, but after the fee and its
    /// own state; and a request that was not delivered has looked at nothing.
    pub fn is_about_all_requests(&self) -> bool {
        match self {
            Refusal::InsufficientFunds { .. } | Refusal::InsufficientAllowance { .. } => true,
            Refusal::BadFee { .. } | Refusal::TooOld | Refusal::Other { .. } => false,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::BadFee { expected_e8s } => {
                write!(f, "the ledger's fee is now {expected_e8s} e8s")
            }
            Refusal::InsufficientFunds { balance } => write!(f, "the account holds {balance} e8s"),
            Refusal::InsufficientAllowance { allowance } => {
                write!(f, "the allowance is {allowance} e8s")
            }
            Refusal::TooOld => f.write_str("the ledger does not remember transfers of that time"),
            Refusal::Other { message } => f.write_str(message),
        }
    }
}

/// Takes a payment's amount from the payer, by allowance. Arguments follow from the record alone, so a
/// retry repeats them.
pub async fn charge<R: Runtime>(runtime: &R, payment: &Payment) -> Outcome {
    let from_subaccount = match payment.funds {
        Funds::Allowance { from_subaccount } => from_subaccount,
        Funds::Credit { .. } => panic!("BUG: no ledger is asked for credit"),
    };
    let arguments = TransferFromArgs {
        spender_subaccount: None,
        from: account(payment.caller, from_subaccount),
        to: account(runtime.own_id(), None),
        amount: payment.amount.into(),
        fee: Some(payment.fee.into()),
        memo: Some(Memo::from(memo(b"stoa-pay", payment.id))),
        created_at_time: Some(payment.created_at_nanos),
    };
    let answer: Result<Result<Nat, TransferFromError>, CallFailure> = runtime::call(
        runtime,
        ledger_of(payment.unit),
        "icrc2_transfer_from",
        (arguments,),
    )
    .await;
    settle(answer, |error| match error {
        TransferFromError::BadFee { expected_fee } => bad_fee(expected_fee),
        TransferFromError::InsufficientFunds { balance } => {
            Outcome::Refused(Refusal::InsufficientFunds { balance })
        }
        TransferFromError::InsufficientAllowance { allowance } => {
            Outcome::Refused(Refusal::InsufficientAllowance { allowance })
        }
        TransferFromError::TooOld => Outcome::Refused(Refusal::TooOld),
        TransferFromError::Duplicate { duplicate_of } => done(duplicate_of),
        other => Outcome::Refused(Refusal::Other {
            message: other.to_string(),
        }),
    })
}

/// Sends what a record of an outgoing transfer says, exactly as it says.
pub async fn send<R: Runtime>(runtime: &R, transfer: &Transfer) -> Outcome {
    let arguments = TransferArg {
        from_subaccount: None,
        to: account(transfer.to, transfer.to_subaccount),
        amount: transfer.amount.into(),
        fee: Some(transfer.fee.into()),
        memo: Some(Memo::from(transfer.memo.clone())),
        created_at_time: Some(transfer.created_at_nanos),
    };
    let answer: Result<Result<Nat, TransferError>, CallFailure> = runtime::call(
        runtime,
        ledger_of(transfer.unit),
        "icrc1_transfer",
        (arguments,),
    )
    .await;
    settle(answer, |error| match error {
        TransferError::BadFee { expected_fee } => bad_fee(expected_fee),
        TransferError::InsufficientFunds { balance } => {
            Outcome::Refused(Refusal::InsufficientFunds { balance })
        }
        TransferError::TooOld => Outcome::Refused(Refusal::TooOld),
        TransferError::Duplicate { duplicate_of } => done(duplicate_of),
        other => Outcome::Refused(Refusal::Other {
            message: other.to_string(),
        }),
    })
}

pub fn ledger_of(unit: Unit) -> Principal {
    let configuration = state::configuration();
    match unit {
        Unit::Icp => configuration.icp_ledger,
        Unit::Governance => configuration
            .token_ledger
            .expect("BUG: a payment in a token whose ledger is not known"),
        Unit::Cycles => panic!("BUG: no ledger counts cycles"),
    }
}

/// Sends ICP to where the cycles minting canister looks for a top-up of this canister.
pub async fn pay_minting<R: Runtime>(
    runtime: &R,
    amount_e8s: u64,
    fee_e8s: u64,
    created_at_nanos: u64,
) -> Outcome {
    let configuration = state::configuration();
    let arguments = IcpTransfer {
        memo: stoa_cmc_api::MEMO_TOP_UP_CANISTER,
        amount: Tokens { e8s: amount_e8s },
        fee: Tokens { e8s: fee_e8s },
        from_subaccount: None,
        to: minting_account(configuration.cycles_minting, runtime.own_id()).to_vec(),
        created_at_time: Some(Timestamp {
            timestamp_nanos: created_at_nanos,
        }),
    };
    let answer: Result<Result<u64, IcpTransferError>, CallFailure> =
        runtime::call(runtime, configuration.icp_ledger, "transfer", (arguments,)).await;
    settle(
        answer.map(|result| result.map(Nat::from)),
        |error| match error {
            IcpTransferError::BadFee { expected_fee } => Outcome::Refused(Refusal::BadFee {
                expected_e8s: expected_fee.e8s,
            }),
            IcpTransferError::InsufficientFunds { balance } => {
                Outcome::Refused(Refusal::InsufficientFunds {
                    balance: balance.e8s.into(),
                })
            }
            IcpTransferError::TxTooOld { .. } => Outcome::Refused(Refusal::TooOld),
            IcpTransferError::TxDuplicate { duplicate_of } => Outcome::Done {
                block: duplicate_of,
            },
            IcpTransferError::TxCreatedInFuture => Outcome::Refused(Refusal::Other {
                message: "the ledger's clock is behind".to_owned(),
            }),
        },
    )
}

fn settle<E>(
    answer: Result<Result<Nat, E>, CallFailure>,
    refused: impl FnOnce(E) -> Outcome,
) -> Outcome {
    match answer {
        Ok(Ok(block)) => done(block),
        Ok(Err(error)) => refused(error),
        Err(CallFailure {
            outcome: runtime::Outcome::NotExecuted,
            message,
        }) => Outcome::Refused(Refusal::Other { message }),
        Err(CallFailure {
            outcome: runtime::Outcome::Unknown,
            message,
        }) => Outcome::Unknown { message },
    }
}

fn done(block: Nat) -> Outcome {
    match u64::try_from(block.0) {
        Ok(block) => Outcome::Done { block },
        Err(_) => Outcome::Unknown {
            message: "the ledger's block index does not fit 64 bits".to_owned(),
        },
    }
}

fn bad_fee(expected: Nat) -> Outcome {
    Outcome::Refused(match u64::try_from(expected.0) {
        Ok(expected_e8s) => Refusal::BadFee { expected_e8s },
        Err(_) => Refusal::Other {
            message: "the ledger's fee does not fit 64 bits".to_owned(),
        },
    })
}

fn account(owner: Principal, subaccount: Option<Sha256>) -> Account {
    Account {
        owner,
        subaccount: subaccount.map(|subaccount| subaccount.0),
    }
}

/// Eight letters and the journal's id: no two payments are the same transfer to the ledger.
pub fn memo(kind: &[u8; 8], id: u64) -> Vec<u8> {
    [kind.as_slice(), &id.to_be_bytes()].concat()
}

/// Account identifier of the ICP ledger: CRC-32, big-endian, of the SHA-224 behind it. The subaccount names the canister
/// to top up: the length of its principal, the principal, zeros.
pub fn minting_account(minting: Principal, canister: Principal) -> [u8; 32] {
    let mut subaccount = [0; 32];
    let name = canister.as_slice();
    subaccount[0] = name.len() as u8;
    subaccount[1..=name.len()].copy_from_slice(name);

    let mut hasher = sha2::Sha224::new();
    hasher.update(b"\x0Aaccount-id");
    hasher.update(minting.as_slice());
    hasher.update(subaccount);
    let hash = hasher.finalize();
    let mut account = [0; 32];
    account[..4].copy_from_slice(&crc32fast::hash(&hash).to_be_bytes());
    account[4..].copy_from_slice(&hash);
    account
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct IcpTransfer {
    pub memo: u64,
    pub amount: Tokens,
    pub fee: Tokens,
    pub from_subaccount: Option<Vec<u8>>,
    #[serde(with = "serde_bytes")]
    pub to: Vec<u8>,
    pub created_at_time: Option<Timestamp>,
}

#[derive(CandidType, Deserialize, Clone, Copy, Debug)]
pub struct Tokens {
    pub e8s: u64,
}

#[derive(CandidType, Deserialize, Clone, Copy, Debug)]
pub struct Timestamp {
    pub timestamp_nanos: u64,
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum IcpTransferError {
    BadFee { expected_fee: Tokens },
    InsufficientFunds { balance: Tokens },
    TxTooOld { allowed_window_nanos: u64 },
    TxCreatedInFuture,
    TxDuplicate { duplicate_of: u64 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_derive_the_minting_account_as_the_ledger_crate_does() {
        let minting = Principal::from_text("rkp4c-7iaaa-aaaaa-aaaca-cai").unwrap();
        for canister in ["ryjl3-tyaaa-aaaaa-aaaba-cai", "qaa6y-5yaaa-aaaaa-aaafa-cai"] {
            let canister = Principal::from_text(canister).unwrap();
            let expected = ic_ledger_types::AccountIdentifier::new(
                &minting,
                &ic_ledger_types::Subaccount::from(canister),
            );
            assert_eq!(minting_account(minting, canister), *expected.as_bytes());
        }
    }
}
