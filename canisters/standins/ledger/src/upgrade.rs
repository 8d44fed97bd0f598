//! What an upgrade may change: fee, name, symbol and logo, by the argument that the official
//! ICRC ledger takes, of which this is the part that a DAO changes.

use candid::{CandidType, Nat};
use icrc_ledger_types::icrc::generic_metadata_value::MetadataValue;
use serde::Deserialize;

use crate::ledger::{Cbor, Ledger};
use crate::memory::{open_after_upgrade, with_ledger};
use crate::transfer::fitting;

const LOGO: &str = "icrc1:logo";

/// The official one has `Init` too, which an upgrade refuses.
#[derive(CandidType, Deserialize, Clone, PartialEq, Debug)]
pub enum LedgerArgument {
    Upgrade(Option<UpgradeArgs>),
}

/// What is absent stays as it is.
#[derive(CandidType, Deserialize, Clone, Default, PartialEq, Debug)]
pub struct UpgradeArgs {
    pub token_name: Option<String>,
    pub token_symbol: Option<String>,
    pub transfer_fee: Option<Nat>,
    /// Of entries beyond the standard ones this ledger keeps the logo alone.
    pub metadata: Option<Vec<(String, MetadataValue)>>,
}

/// Traps on an argument that it does not understand, so that the upgrade is undone.
pub fn after_upgrade(argument: Option<LedgerArgument>) {
    open_after_upgrade();
    if let Some(LedgerArgument::Upgrade(Some(change))) = argument {
        with_ledger(|ledger| apply(ledger, change));
    }
}

pub fn apply(ledger: &mut Ledger, change: UpgradeArgs) {
    let mut settings = ledger.settings().clone();
    if let Some(name) = change.token_name {
        settings.token_name = name;
    }
    if let Some(symbol) = change.token_symbol {
        settings.token_symbol = symbol;
    }
    if let Some(fee) = change.transfer_fee {
        settings.transfer_fee =
            fitting(&fee).unwrap_or_else(|| panic!("transfer_fee {fee} does not fit 64 bits"));
    }
    if let Some(entries) = change.metadata {
        // As on the official ledger, what is given takes the place of all that was.
        settings.logo = None;
        for (key, value) in entries {
            match (key.as_str(), value) {
                (LOGO, MetadataValue::Text(logo)) => settings.logo = Some(logo),
                _ => panic!("the metadata entry {key} is not one that this stand-in keeps"),
            }
        }
    }
    ledger.settings.set(Cbor(Some(settings)));
}
