//! What the ledger says of itself.

use candid::{CandidType, Nat};
use icrc_ledger_types::icrc::generic_metadata_value::MetadataValue;
use icrc_ledger_types::icrc1::account::Account;
use serde::Deserialize;

use crate::icp;
use crate::ledger::MEMO_LENGTH_BYTES_MAX;
use crate::memory::with_ledger;

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct StandardRecord {
    pub name: String,
    pub url: String,
}

const STANDARDS: [(&str, &str); 5] = [
    (
        "ICRC-1",
        "https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-1",
    ),
    (
        "ICRC-2",
        "https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-2",
    ),
    (
        "ICRC-3",
        "https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-3",
    ),
    (
        "ICRC-10",
        "https://github.com/dfinity/ICRC/blob/main/ICRCs/ICRC-10/ICRC-10.md",
    ),
    (
        "ICRC-21",
        "https://github.com/dfinity/wg-identity-authentication/blob/main/topics/ICRC-21/icrc_21_consent_msg.md",
    ),
];

pub fn supported_standards() -> Vec<StandardRecord> {
    STANDARDS
        .iter()
        .map(|(name, url)| StandardRecord {
            name: name.to_string(),
            url: url.to_string(),
        })
        .collect()
}

pub fn name() -> icp::Name {
    icp::Name {
        name: with_ledger(|ledger| ledger.settings().token_name.clone()),
    }
}

pub fn symbol() -> icp::Symbol {
    icp::Symbol {
        symbol: with_ledger(|ledger| ledger.settings().token_symbol.clone()),
    }
}

pub fn icrc1_decimals() -> u8 {
    with_ledger(|ledger| ledger.settings().decimals)
}

pub fn decimals() -> icp::Decimals {
    icp::Decimals {
        decimals: icrc1_decimals().into(),
    }
}

fn fee() -> u64 {
    with_ledger(|ledger| ledger.settings().transfer_fee)
}

pub fn icrc1_fee() -> Nat {
    Nat::from(fee())
}

pub fn transfer_fee() -> icp::TransferFee {
    icp::TransferFee {
        transfer_fee: icp::Tokens { e8s: fee() },
    }
}

pub fn icrc1_total_supply() -> Nat {
    Nat::from(with_ledger(|ledger| ledger.supply()))
}

pub fn icrc1_minting_account() -> Option<Account> {
    Some(with_ledger(|ledger| ledger.settings().minting_account))
}

pub fn icrc1_metadata() -> Vec<(String, MetadataValue)> {
    with_ledger(|ledger| {
        let settings = ledger.settings();
        let entry = |key: &str, value: MetadataValue| (key.to_string(), value);
        vec![
            entry("icrc1:name", settings.token_name.clone().into()),
            entry("icrc1:symbol", settings.token_symbol.clone().into()),
            entry("icrc1:decimals", u64::from(settings.decimals).into()),
            entry("icrc1:fee", settings.transfer_fee.into()),
            entry(
                "icrc1:max_memo_length",
                (MEMO_LENGTH_BYTES_MAX as u64).into(),
            ),
        ]
    })
}
