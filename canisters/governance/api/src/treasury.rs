//! What the DAO owns, pays and keeps alive: Stoa's own part of the interface, which an
//! SNS has elsewhere (its root and its community's scripts).

use candid::{CandidType, Nat, Principal};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::Subaccount;

/// Where an SNS keeps the treasury of its token, and so does Stoa: its default account
/// is the one that mints. The treasury in ICP is the default account of the ICP ledger.
///
/// SHA-256 of: `0x12`, `token-distribution`, governance's bytes, eight zeros.
pub fn token_treasury_subaccount(governance: Principal) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([0x12]);
    hash.update(b"token-distribution");
    hash.update(governance.as_slice());
    hash.update(0u64.to_be_bytes());
    hash.finalize().into()
}

/// When and with how much a canister of the DAO is topped up.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct CyclesPolicy {
    /// A canister with less than this above its freezing limit is topped up.
    pub low_balance_cycles: Nat,
    /// What a top-up turns into cycles.
    pub top_up_e8s: u64,
    /// Limits of what is paid between midnight and midnight, UTC.
    pub canister_e8s_per_day: u64,
    pub total_e8s_per_day: u64,
}

/// What governance read of a canister's balance.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct CyclesSample {
    pub at_seconds: u64,
    pub cycles: Nat,
}

/// A top-up that was begun: `list_payments` tells how it goes on.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TopUpBegun {
    pub payment: u64,
    pub amount_e8s: u64,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum RequestCyclesError {
    /// The caller is not one of the canisters that `list_dao_canisters` names.
    NotOfTheDao,
    /// A top-up of this canister is under way.
    UnderWay {
        payment: u64,
    },
    /// This canister's request is being looked at.
    Busy,
    TooSoon {
        retry_after_seconds: u64,
    },
    NotNeeded {
        balance: Nat,
        below: Nat,
    },
    /// The day's limit of this canister, or of all together, is reached.
    LimitReached {
        spent_e8s: u64,
        limit_e8s: u64,
    },
    /// Governance must be a controller to see the balance.
    BalanceUnknown {
        message: String,
    },
}

pub type RequestCyclesResult = Result<TopUpBegun, RequestCyclesError>;

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum RegisterCanisterError {
    /// Only a canister of the DAO, or a proposal, can register another.
    NotOfTheDao,
    /// A canister of the DAO is controlled by governance and nobody else.
    NotControlled {
        controllers: Vec<Principal>,
    },
    TooMany {
        max: u64,
    },
    ControllersUnknown {
        message: String,
    },
}

pub type RegisterCanisterResult = Result<(), RegisterCanisterError>;

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum TreasuryLedger {
    Icp,
    Token,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum PaymentPurpose {
    /// `TransferSnsTreasuryFunds`.
    Proposal { id: u64 },
    /// ICP to the cycles minting canister, for this canister.
    TopUp { canister: Principal },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum PaymentState {
    /// The transfer is written down, and asked for until its outcome is known.
    Transferring,
    /// The ICP lies at the minting canister, which is asked for the cycles.
    Notifying {
        block: u64,
    },
    Done {
        block: u64,
        cycles: Option<Nat>,
    },
    /// The minting canister gave the ICP back, less its charge.
    Refunded {
        block: Option<u64>,
        reason: String,
    },
    /// Nothing was paid.
    Failed {
        reason: String,
    },
    /// The ICP lies at the minting canister, which does not accept it as a payment.
    NotCredited {
        block: u64,
        reason: String,
    },
    /// Whether it was paid stands in the ledger's blocks alone; it is not repeated.
    Unresolved {
        reason: String,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct PaymentInfo {
    pub id: u64,
    pub ledger: TreasuryLedger,
    pub to: Principal,
    pub to_subaccount: Option<Subaccount>,
    pub amount_e8s: u64,
    pub created_at_nanos: u64,
    /// How often ledger or minting canister were asked.
    pub attempts: u32,
    pub purpose: PaymentPurpose,
    pub state: PaymentState,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ListPayments {
    /// Only payments with a smaller id; the newest where it is absent.
    pub before: Option<u64>,
    /// 100 at most.
    pub limit: u32,
}

/// Where the treasury lies, and the rules by which cycles are bought from it.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct TreasuryInfo {
    pub icp_ledger: Principal,
    pub token_ledger: Principal,
    pub cycles_minting: Principal,
    /// On the ICP ledger: governance's default account.
    pub icp_subaccount: Option<Subaccount>,
    /// On the token ledger.
    pub token_subaccount: Option<Subaccount>,
    pub cycles_policy: CyclesPolicy,
    /// Governance's own.
    pub cycles: Nat,
    /// For top-ups, since midnight UTC.
    pub spent_today_e8s: u64,
    pub payments_under_way: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart from this code: `printf` of the bytes piped to `sha256sum`.
    #[test]
    fn should_derive_the_treasury_that_an_sns_derives() {
        let expected = "342e5a170f9d7dc78018f42d9f06d6d1b6a6e0e1707317b21e742477e5f5acf1";
        let subaccount = token_treasury_subaccount(Principal::from_slice(&[1, 2, 3]));
        let hexadecimal: String = subaccount.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hexadecimal, expected);
    }
}
