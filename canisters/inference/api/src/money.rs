//! Paying: in which way, prepaid credit, keys for HTTP, where money is and where it goes.

use candid::{CandidType, Nat, Principal};
use serde::Deserialize;
use stoa_types::Sha256;

/// What ledgers hold. Amounts are in e8s.
#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Token {
    Icp,
    Governance,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum Payment {
    /// Cycles attached to this call; what is over is refunded.
    Cycles,
    /// Prepaid with `deposit`, or given back by a call that failed.
    Credit { token: Token },
    /// An ICRC-2 allowance to this canister, from the caller's account. Credit that covers the price is used first: it costs
    /// no ledger fee.
    Allowance {
        token: Token,
        from_subaccount: Option<Sha256>,
    },
}

/// As ICRC-1 has it.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Account {
    pub owner: Principal,
    pub subaccount: Option<Sha256>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct DepositArgs {
    pub token: Token,
    /// What the credit grows by; the ledger's fee comes on top.
    pub amount_e8s: u64,
    pub from_subaccount: Option<Sha256>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct WithdrawArgs {
    pub token: Token,
    /// What the credit falls by; the ledger's fee is taken from it.
    pub amount_e8s: u64,
    /// Default: the caller's own account.
    pub to: Option<Account>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ClaimArgs {
    pub token: Token,
    /// Of the caller's account that the royalty share names; it is paid to that account.
    pub subaccount: Option<Sha256>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ClaimCyclesArgs {
    /// As the royalty share names it.
    pub subaccount: Option<Sha256>,
    /// The canister that gets the cycles.
    pub to: Principal,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum MoneyError {
    AnonymousCaller,
    TokenNotTaken {
        token: Token,
    },
    /// It would not even cover the ledger's fee sensibly.
    AmountTooSmall {
        given_e8s: u64,
        min_e8s: u64,
    },
    InsufficientBalance {
        balance: Nat,
        needed: Nat,
    },
    InsufficientAllowance {
        allowance_e8s: Nat,
        needed_e8s: Nat,
    },
    /// Nothing moved.
    Refused {
        message: String,
    },
    /// The ledger's answer did not come; the canister goes on asking. `get_payment` (deposits) or `get_transfer` shows it.
    Pending {
        id: u64,
        message: String,
    },
    TooManyKeys {
        max: u64,
    },
    Busy,
}

/// A transfer to somebody outside. Every path ends in one of the last three.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct OutgoingTransfer {
    pub id: u64,
    pub token: Token,
    pub purpose: TransferPurpose,
    pub to: Account,
    /// What arrives.
    pub amount_e8s: u64,
    pub fee_e8s: u64,
    pub created_at_nanos: u64,
    pub state: TransferState,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum TransferPurpose {
    Withdrawal { by: Principal },
    Royalty,
    Treasury,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum TransferState {
    Sending,
    Sent {
        block: u64,
    },
    /// It did not happen; the money is where it was.
    Failed {
        message: String,
    },
    /// The ledger did not tell the outcome within its window of 24 hours; its blocks must be read.
    Unresolved {
        message: String,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum GetTransferError {
    NotFound { id: u64 },
}

/// How far a payment got. Every path ends in one of the last six.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum PaymentState {
    /// Written down, the ledger's answer not known (yet).
    Charging,
    /// Paid, at this block where a ledger was asked; what it is for has not ended.
    Charged { block: Option<u64> },
    /// Paid, run, receipt written. What `price` leaves of the amount is credit of the payer.
    Earned {
        block: Option<u64>,
        receipt: u64,
        price: Nat,
    },
    /// A load that was paid for and is there.
    Loaded { block: Option<u64> },
    /// Credit of the payer: a deposit, or what it was for failed.
    Credited { block: Option<u64>, amount: Nat },
    /// The ledger refused; nothing moved.
    NotCharged { message: String },
    /// By a transfer, as this canister did before it had credit.
    Refunded { block: u64, refund_block: u64 },
    /// The ledger did not tell the outcome within its window of 24 hours; its blocks must be read.
    Unresolved { message: String },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum PaymentPurpose {
    Call { version: Sha256 },
    Job { version: Sha256 },
    Load { version: Sha256 },
    Deposit,
}

/// A payment by allowance or from credit, as the journal has it. `PaymentFailed.journal_id` names it.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct PaymentRecord {
    pub id: u64,
    pub caller: Principal,
    pub purpose: PaymentPurpose,
    pub token: Token,
    /// Taken or held; of a call the quoted price.
    pub amount_e8s: u64,
    /// What the ledger took besides.
    pub ledger_fee_e8s: u64,
    pub created_at_nanos: u64,
    pub state: PaymentState,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum GetPaymentError {
    /// Never there, or closed so long ago that the journal has let go of it.
    NotFound { id: u64 },
}

/// Lets whoever holds the secret spend the caller's credit over HTTP, as a bearer token.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct AddKeyArgs {
    /// SHA-256 of the secret (of the text behind `Bearer `). The secret itself never comes here before it is used.
    pub hash: Sha256,
    pub label: String,
    pub token: Token,
    /// What it may spend in all.
    pub limit_e8s: u64,
    pub expires_at_nanos: Option<u64>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Key {
    pub hash: Sha256,
    pub label: String,
    pub token: Token,
    /// What it may still spend.
    pub left_e8s: u64,
    pub expires_at_nanos: Option<u64>,
}

/// What this canister owes somebody.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Balances {
    pub credit_icp_e8s: u64,
    pub credit_token_e8s: u64,
    /// Of the account without a subaccount first; at most 100.
    pub royalties: Vec<RoyaltyBalance>,
}

/// Paid out by itself once it is large enough, or with `claim`.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct RoyaltyBalance {
    pub subaccount: Option<Sha256>,
    pub icp_e8s: u64,
    pub token_e8s: u64,
    /// Of callers that attached cycles; `claim_cycles` sends them.
    pub cycles: Nat,
}

/// Where the money of one unit is. What was received and not sent is the sum of all the others.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Books {
    pub received: Nat,
    pub sent: Nat,
    pub credit: Nat,
    pub royalties: Nat,
    pub treasury: Nat,
    /// Own: for cycles, and for the ledger fees of calls that fail.
    pub reserve: Nat,
    /// Of calls under way.
    pub held: Nat,
    /// On the way out, or not known to have arrived.
    pub sending: Nat,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct AllBooks {
    /// In e8s.
    pub icp: Books,
    pub governance_token: Books,
    /// Accepted from callers. The royalties are owed, the rest is this canister's own balance.
    pub cycles: Books,
}

/// The credit after it.
pub type DepositResult = Result<u64, MoneyError>;
pub type WithdrawResult = Result<OutgoingTransfer, MoneyError>;
pub type ClaimCyclesResult = Result<Nat, MoneyError>;
pub type KeyResult = Result<(), MoneyError>;
pub type GetPaymentResult = Result<PaymentRecord, GetPaymentError>;
pub type GetTransferResult = Result<OutgoingTransfer, GetTransferError>;
