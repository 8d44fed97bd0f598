//! `TransferSnsTreasuryFunds`: pays from the treasury, in ICP or in the token. The payment
//! has a journal of its own (`payment`), which records the outcome of the proposal.

use std::time::Duration;

use candid::Principal;
use icrc_ledger_types::icrc1::account::Account;
use minicbor::{Decode, Encode};
use stoa_governance_api as api;
use stoa_governance_api::code::TransferFrom;
use stoa_governance_api::token_treasury_subaccount;

use super::{Action, Performed, invalid};
use crate::memory::with_state;
use crate::payment::{self, Ledger, Order, Purpose};
use crate::refusal::Refusal;
use crate::runtime;

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct TreasuryTransfer {
    #[n(0)]
    pub ledger: Ledger,
    #[cbor(n(1), with = "crate::cbor::principal")]
    pub to: Principal,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub to_subaccount: Option<[u8; 32]>,
    #[n(3)]
    pub memo: Option<u64>,
    #[n(4)]
    pub amount_e8s: u64,
}

pub fn parse(wire: api::TransferSnsTreasuryFunds) -> Result<Action, Refusal> {
    let ledger = match TransferFrom::try_from(wire.from_treasury) {
        Ok(TransferFrom::IcpTreasury) => Ledger::Icp,
        Ok(TransferFrom::SnsTokenTreasury) => Ledger::Token,
        Err(unknown) => {
            return invalid(format!(
                "{unknown} is no treasury: 1 is that in ICP, 2 that in the token"
            ));
        }
    };
    let Some(to) = wire.to_principal else {
        return invalid("`to_principal` is missing".to_string());
    };
    let to_subaccount = match wire.to_subaccount {
        None => None,
        Some(given) => match <[u8; 32]>::try_from(given.subaccount.as_slice()) {
            Ok(subaccount) => Some(subaccount),
            Err(_) => {
                return invalid(format!(
                    "a subaccount has 32 bytes, not {}",
                    given.subaccount.len()
                ));
            }
        },
    };
    if wire.amount_e8s == 0 {
        return invalid("`amount_e8s` must be more than nothing".to_string());
    }
    Ok(Action::TransferTreasury {
        transfer: TreasuryTransfer {
            ledger,
            to,
            to_subaccount,
            memo: wire.memo,
            amount_e8s: wire.amount_e8s,
        },
    })
}

impl From<TreasuryTransfer> for api::TransferSnsTreasuryFunds {
    fn from(transfer: TreasuryTransfer) -> Self {
        Self {
            from_treasury: match transfer.ledger {
                Ledger::Icp => TransferFrom::IcpTreasury,
                Ledger::Token => TransferFrom::SnsTokenTreasury,
            }
            .number(),
            to_principal: Some(transfer.to),
            to_subaccount: transfer.to_subaccount.map(|subaccount| api::Subaccount {
                subaccount: subaccount.to_vec(),
            }),
            memo: transfer.memo,
            amount_e8s: transfer.amount_e8s,
        }
    }
}

pub fn render(transfer: &TreasuryTransfer) -> String {
    let (token, e8s) = (
        match transfer.ledger {
            Ledger::Icp => "ICP",
            Ledger::Token => "governance token",
        },
        transfer.amount_e8s,
    );
    let account = Account {
        owner: transfer.to,
        subaccount: transfer.to_subaccount,
    };
    let memo = transfer
        .memo
        .map_or("(none)".to_string(), |memo| memo.to_string());
    format!(
        "# Transfer from the treasury\n\n## Treasury\n\n{token}\n\n## Amount\n\n{}.{:08} ({e8s} \
         e8s)\n\n## To\n\n{account}\n\n## Memo\n\n{memo}",
        e8s / 100_000_000,
        e8s % 100_000_000,
    )
}

/// Writes the payment down in the message that takes the proposal from the queue.
pub fn execute(proposal: u64, transfer: TreasuryTransfer) -> Performed {
    let from_subaccount = match transfer.ledger {
        // As an SNS keeps it: the default account.
        Ledger::Icp => None,
        Ledger::Token => Some(token_treasury_subaccount(runtime::canister_self())),
    };
    let payment = with_state(|state| {
        state.open_payment(Order {
            ledger: transfer.ledger,
            from_subaccount,
            to: Account {
                owner: transfer.to,
                subaccount: transfer.to_subaccount,
            },
            amount_e8s: transfer.amount_e8s,
            memo: transfer
                .memo
                .map_or_else(Vec::new, |memo| memo.to_be_bytes().to_vec()),
            purpose: Purpose::Proposal { id: proposal },
        })
    });
    runtime::run_after(Duration::ZERO, payment::advance(payment));
    Performed::InJournal
}
