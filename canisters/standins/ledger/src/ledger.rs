//! The rules: what a transaction needs, what it changes, and in which order the
//! official ledgers check it.
//!
//! What holds after every request: balances sum to `supply`; `supply` is what was
//! minted less what was burned and paid as fees (fees are burned); a refused
//! request has changed nothing but pruned what had expired; one `created_at_time`
//! with one content makes one block.

use std::borrow::Cow;

use candid::Principal;
use ic_stable_structures::storable::Bound;
use ic_stable_structures::{StableBTreeMap, StableCell, StableLog, Storable};
use icrc_ledger_types::icrc1::account::Account;
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use crate::account::{AccountIdentifier, Party};
use crate::block::{Block, Memo, Operation, Transaction};
use crate::faults::Fault;
use crate::icrc3;
use crate::memory::Memory;
use crate::refusal::Refusal;

/// A transaction with a `created_at_time` is accepted this long after it.
pub const TRANSACTION_WINDOW_NANOS: u64 = 24 * 60 * 60 * 1_000_000_000;
/// How far a caller's clock may run ahead, as on the official ledgers.
pub const PERMITTED_DRIFT_NANOS: u64 = 60 * 1_000_000_000;
/// So many deduplicated transactions are remembered; past it the ledger asks to
/// wait. The official ledgers' number; at 124 bytes each it is about 370 MB.
const TRANSACTIONS_IN_WINDOW_MAX: u64 = 3_000_000;
/// Every transaction adds one entry to each list at most, so this many at a time
/// empties the lists faster than they fill.
const PRUNED_AT_ONCE_MAX: usize = 16;
pub const MEMO_LENGTH_BYTES_MAX: usize = 32;

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Settings {
    #[n(0)]
    pub token_name: String,
    #[n(1)]
    pub token_symbol: String,
    #[n(2)]
    pub decimals: u8,
    #[n(3)]
    pub transfer_fee: u64,
    #[n(4)]
    pub minting_account: Account,
    /// Whether its tokens are the cycles in this canister.
    #[n(5)]
    pub holds_cycles: Option<bool>,
}

#[derive(Clone, Default, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Totals {
    #[n(0)]
    pub supply: u64,
    /// Of the newest block.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub tip_hash: Option<[u8; 32]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct StoredAllowance {
    #[n(0)]
    pub amount: u64,
    #[n(1)]
    pub expires_at: Option<u64>,
}

/// Stores a value as CBOR with numbered fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cbor<T>(pub T);

impl<T> From<T> for Cbor<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Default> Default for Cbor<T> {
    fn default() -> Self {
        Self(T::default())
    }
}

impl<T: Encode<()> + for<'b> Decode<'b, ()>> Storable for Cbor<T> {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(minicbor::to_vec(&self.0).expect("BUG: encoding to memory cannot fail"))
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        Self(minicbor::decode(&bytes).expect("BUG: a stored value does not decode"))
    }

    const BOUND: Bound = Bound::Unbounded;
}

type Key = [u8; 32];

pub struct Ledger {
    pub layout_version: StableCell<u32, Memory>,
    pub settings: StableCell<Cbor<Option<Settings>>, Memory>,
    pub totals: StableCell<Cbor<Totals>, Memory>,
    /// Only accounts that hold something.
    pub balances: StableBTreeMap<Key, u64, Memory>,
    /// Only allowances of more than nothing.
    pub allowances: StableBTreeMap<(Key, Key), Cbor<StoredAllowance>, Memory>,
    pub expirations: StableBTreeMap<(u64, (Key, Key)), (), Memory>,
    pub blocks: StableLog<Block, Memory, Memory>,
    pub recent: StableBTreeMap<Key, u64, Memory>,
    pub recent_by_time: StableBTreeMap<(u64, u64), Key, Memory>,
    pub faults: StableCell<Cbor<Vec<Fault>>, Memory>,
    /// By the block that paid for it, as long as that can have a duplicate.
    pub created_canisters: StableBTreeMap<u64, Principal, Memory>,
}

/// A request to move tokens. `amount` and `fee` of `None` inside `Some` stand for
/// numbers that do not fit 64 bits, which no account can pay.
pub struct TransferRequest {
    pub from: Party,
    pub to: Party,
    /// Who moves them, where it is not the owner's own call.
    pub spender: Option<Party>,
    pub amount: Option<u64>,
    pub fee: Option<Option<u64>>,
    pub memo: Memo,
    pub created_at_time: Option<u64>,
}

/// A request to take tokens out of the ledger: what they stand for leaves the canister.
pub struct TakeOutRequest {
    pub from: Account,
    pub amount: Option<u64>,
    pub memo: Memo,
    pub created_at_time: Option<u64>,
}

pub struct ApproveRequest {
    pub from: Account,
    pub spender: Account,
    /// Capped: more than 64 bits is as good as all there is.
    pub allowance: u64,
    pub expected_allowance: Option<Option<u64>>,
    pub expires_at: Option<u64>,
    pub fee: Option<Option<u64>>,
    pub memo: Memo,
    pub created_at_time: Option<u64>,
}

impl Ledger {
    pub fn settings(&self) -> &Settings {
        self.settings
            .get()
            .0
            .as_ref()
            .expect("BUG: the ledger is installed without settings")
    }

    pub fn supply(&self) -> u64 {
        self.totals.get().0.supply
    }

    pub fn balance(&self, account: &AccountIdentifier) -> u64 {
        self.balances.get(&account.0).unwrap_or(0)
    }

    /// What `spender` may still take, with when that ends; nothing once it has.
    pub fn allowance(
        &self,
        owner: &AccountIdentifier,
        spender: &AccountIdentifier,
        now: u64,
    ) -> StoredAllowance {
        self.allowances
            .get(&(owner.0, spender.0))
            .map(|Cbor(allowance)| allowance)
            .filter(|allowance| allowance.expires_at.is_none_or(|at| at > now))
            .unwrap_or(StoredAllowance {
                amount: 0,
                expires_at: None,
            })
    }

    fn minting(&self) -> AccountIdentifier {
        self.settings().minting_account.into()
    }

    /// Moves, mints or burns, as the parties say. Answers the block's index.
    pub fn transfer(&mut self, request: TransferRequest, now: u64) -> Result<u64, Refusal> {
        self.prune(now);
        check_memo(&request.memo)?;
        let minting = self.minting();
        let from_minting = request.from.identifier == minting;
        let to_minting = request.to.identifier == minting;
        let fee = if from_minting || to_minting {
            0
        } else {
            self.settings().transfer_fee
        };
        if request.fee.is_some_and(|given| given != Some(fee)) {
            return Err(Refusal::BadFee { expected: fee });
        }
        let balance = self.balance(&request.from.identifier);
        let transaction = |operation| Transaction {
            operation,
            memo: request.memo,
            created_at_time: request.created_at_time,
            fee_given: request.fee.flatten(),
        };
        if to_minting && self.holds_cycles() {
            return Err(Refusal::Trap("cycles are withdrawn, not burned"));
        }
        if to_minting {
            let minimum = self.settings().transfer_fee;
            if request.amount == Some(0) {
                return Err(Refusal::BadBurn { minimum });
            }
            let minimum = minimum.min(balance);
            if request.amount.is_some_and(|amount| amount < minimum) {
                return Err(Refusal::BadBurn { minimum });
            }
        } else if from_minting && request.spender.is_some() {
            return Err(Refusal::Trap("the minting account cannot delegate mints"));
        }
        let Some(amount) = request.amount else {
            // A transaction that repeats an earlier one cannot be this large.
            return Err(Refusal::InsufficientFunds { balance });
        };
        let (from, to, spender) = (request.from, request.to, request.spender);
        let transaction = transaction(if to_minting {
            Operation::Burn {
                from,
                spender,
                amount,
                fee: None,
            }
        } else if from_minting {
            Operation::Mint { to, amount }
        } else {
            Operation::Transfer {
                from,
                to,
                spender,
                amount,
                fee,
            }
        });
        let identity = self.check_time_and_identity(&transaction, now)?;
        if from_minting && !to_minting {
            let supply = self.supply();
            if supply.checked_add(amount).is_none() {
                return Err(Refusal::SupplyExhausted { supply });
            }
            self.credit(&to.identifier, amount);
            self.change_supply(|supply| supply.checked_add(amount));
            return Ok(self.append(transaction, identity, now));
        }
        let Some(debit) = amount.checked_add(fee) else {
            return Err(Refusal::InsufficientFunds { balance });
        };
        // An owner needs nobody's leave, also through `transfer_from`.
        let delegate = spender.filter(|spender| spender.identifier != from.identifier);
        if let Some(spender) = delegate {
            let allowance = self
                .allowance(&from.identifier, &spender.identifier, now)
                .amount;
            if allowance < debit {
                return Err(Refusal::InsufficientAllowance { allowance });
            }
        }
        if balance < debit {
            return Err(Refusal::InsufficientFunds { balance });
        }
        if let Some(spender) = delegate {
            self.use_allowance(&from.identifier, &spender.identifier, debit);
        }
        self.debit(&from.identifier, debit);
        if to_minting {
            self.change_supply(|supply| supply.checked_sub(amount));
        } else {
            self.credit(&to.identifier, amount);
            self.change_supply(|supply| supply.checked_sub(fee));
        }
        Ok(self.append(transaction, identity, now))
    }

    pub fn holds_cycles(&self) -> bool {
        self.settings().holds_cycles == Some(true)
    }

    /// Burns what leaves, and the fee with it. What follows is the caller's to do or to undo.
    pub fn take_out(&mut self, request: TakeOutRequest, now: u64) -> Result<u64, Refusal> {
        self.prune(now);
        let fee = self.settings().transfer_fee;
        let from = Party::from(request.from);
        let balance = self.balance(&from.identifier);
        let insufficient = Refusal::InsufficientFunds { balance };
        let Some(amount) = request.amount else {
            return Err(insufficient);
        };
        let transaction = Transaction {
            operation: Operation::Burn {
                from,
                spender: None,
                amount,
                fee: Some(fee),
            },
            memo: request.memo,
            created_at_time: request.created_at_time,
            fee_given: None,
        };
        let identity = self.check_time_and_identity(&transaction, now)?;
        let Some(debit) = amount.checked_add(fee).filter(|debit| *debit <= balance) else {
            return Err(insufficient);
        };
        self.debit(&from.identifier, debit);
        self.change_supply(|supply| supply.checked_sub(debit));
        Ok(self.append(transaction, identity, now))
    }

    /// Mints what came in, or what comes back.
    pub fn put_in(
        &mut self,
        to: Account,
        amount: u64,
        memo: Memo,
        now: u64,
    ) -> Result<u64, Refusal> {
        self.transfer(
            TransferRequest {
                from: self.settings().minting_account.into(),
                to: to.into(),
                spender: None,
                amount: Some(amount),
                fee: None,
                memo,
                created_at_time: None,
            },
            now,
        )
    }

    /// Sets what `spender` may take from the caller's account; the fee is burned.
    pub fn approve(&mut self, request: ApproveRequest, now: u64) -> Result<u64, Refusal> {
        self.prune(now);
        check_memo(&request.memo)?;
        if request.from.owner == request.spender.owner {
            return Err(Refusal::Trap("self approval is not allowed"));
        }
        let from = Party::from(request.from);
        let spender = Party::from(request.spender);
        if from.identifier == self.minting() {
            return Err(Refusal::Trap("the minting account cannot delegate mints"));
        }
        let fee = self.settings().transfer_fee;
        if request.fee.is_some_and(|given| given != Some(fee)) {
            return Err(Refusal::BadFee { expected: fee });
        }
        let current = self
            .allowance(&from.identifier, &spender.identifier, now)
            .amount;
        let expected_allowance = match request.expected_allowance {
            None => None,
            Some(Some(expected)) => Some(expected),
            Some(None) => return Err(Refusal::AllowanceChanged { current }),
        };
        let transaction = Transaction {
            operation: Operation::Approve {
                from,
                spender,
                allowance: request.allowance,
                expected_allowance,
                expires_at: request.expires_at,
                fee,
            },
            memo: request.memo,
            created_at_time: request.created_at_time,
            fee_given: request.fee.flatten(),
        };
        let identity = self.check_time_and_identity(&transaction, now)?;
        let balance = self.balance(&from.identifier);
        if balance < fee {
            return Err(Refusal::InsufficientFunds { balance });
        }
        if request.expires_at.is_some_and(|at| at <= now) {
            return Err(Refusal::Expired { ledger_time: now });
        }
        if expected_allowance.is_some_and(|expected| expected != current) {
            return Err(Refusal::AllowanceChanged { current });
        }
        self.debit(&from.identifier, fee);
        self.change_supply(|supply| supply.checked_sub(fee));
        self.set_allowance(
            (from.identifier.0, spender.identifier.0),
            StoredAllowance {
                amount: request.allowance,
                expires_at: request.expires_at,
            },
        );
        Ok(self.append(transaction, identity, now))
    }

    /// The hash under which the transaction is remembered, where it asks for that.
    fn check_time_and_identity(
        &self,
        transaction: &Transaction,
        now: u64,
    ) -> Result<Option<Key>, Refusal> {
        let Some(created_at) = transaction.created_at_time else {
            return Ok(None);
        };
        if created_at.saturating_add(TRANSACTION_WINDOW_NANOS) < now {
            return Err(Refusal::TooOld);
        }
        if created_at > now.saturating_add(PERMITTED_DRIFT_NANOS) {
            return Err(Refusal::CreatedInFuture { ledger_time: now });
        }
        let bytes = minicbor::to_vec(transaction).expect("BUG: encoding to memory cannot fail");
        let identity: Key = Sha256::digest(bytes).into();
        if let Some(of) = self.recent.get(&identity) {
            return Err(Refusal::Duplicate { of });
        }
        if self.recent.len() >= TRANSACTIONS_IN_WINDOW_MAX {
            return Err(Refusal::TemporarilyUnavailable);
        }
        Ok(Some(identity))
    }

    pub fn certify_tip(&self) {
        icrc3::certify(self.blocks.len(), &self.totals.get().0);
    }

    fn append(&mut self, transaction: Transaction, identity: Option<Key>, now: u64) -> u64 {
        let created_at = transaction.created_at_time;
        let mut totals = self.totals.get().0.clone();
        let block = Block {
            parent_hash: totals.tip_hash,
            timestamp_nanos: now,
            transaction,
        };
        let index = self
            .blocks
            .append(&block)
            .unwrap_or_else(|_| panic!("the block log cannot grow: stable memory is exhausted"));
        totals.tip_hash = Some(block.hash());
        self.totals.set(Cbor(totals));
        self.certify_tip();
        if let (Some(identity), Some(created_at)) = (identity, created_at) {
            self.recent.insert(identity, index);
            self.recent_by_time.insert((created_at, index), identity);
        }
        index
    }

    fn credit(&mut self, account: &AccountIdentifier, amount: u64) {
        if amount == 0 {
            return;
        }
        let balance = self
            .balance(account)
            .checked_add(amount)
            .expect("BUG: a balance above the supply");
        self.balances.insert(account.0, balance);
    }

    fn debit(&mut self, account: &AccountIdentifier, amount: u64) {
        let balance = self
            .balance(account)
            .checked_sub(amount)
            .expect("BUG: a debit above the balance");
        if balance == 0 {
            self.balances.remove(&account.0);
        } else {
            self.balances.insert(account.0, balance);
        }
    }

    fn change_supply(&mut self, change: impl FnOnce(u64) -> Option<u64>) {
        let mut totals = self.totals.get().0.clone();
        totals.supply = change(totals.supply).expect("BUG: the supply leaves its range");
        self.totals.set(Cbor(totals));
    }

    fn use_allowance(
        &mut self,
        owner: &AccountIdentifier,
        spender: &AccountIdentifier,
        amount: u64,
    ) {
        let key = (owner.0, spender.0);
        let Cbor(mut allowance) = self
            .allowances
            .get(&key)
            .expect("BUG: an allowance vanished after it was checked");
        allowance.amount = allowance
            .amount
            .checked_sub(amount)
            .expect("BUG: more used than allowed");
        self.set_allowance(key, allowance);
    }

    fn set_allowance(&mut self, key: (Key, Key), allowance: StoredAllowance) {
        if let Some(Cbor(StoredAllowance {
            expires_at: Some(at),
            ..
        })) = self.allowances.get(&key)
        {
            self.expirations.remove(&(at, key));
        }
        if allowance.amount == 0 {
            self.allowances.remove(&key);
            return;
        }
        self.allowances.insert(key, Cbor(allowance));
        if let Some(at) = allowance.expires_at {
            self.expirations.insert((at, key), ());
        }
    }

    /// Forgets a bounded number of what is out of date.
    fn prune(&mut self, now: u64) {
        let stale: Vec<_> = self
            .recent_by_time
            .iter()
            .take(PRUNED_AT_ONCE_MAX)
            .take_while(|entry| entry.key().0.saturating_add(TRANSACTION_WINDOW_NANOS) < now)
            .map(|entry| entry.into_pair())
            .collect();
        for (time, identity) in stale {
            self.recent_by_time.remove(&time);
            self.recent.remove(&identity);
            self.created_canisters.remove(&time.1);
        }
        let expired: Vec<_> = self
            .expirations
            .keys()
            .take(PRUNED_AT_ONCE_MAX)
            .take_while(|(at, _)| *at <= now)
            .collect();
        for (at, key) in expired {
            self.expirations.remove(&(at, key));
            self.allowances.remove(&key);
        }
    }
}

fn check_memo(memo: &Memo) -> Result<(), Refusal> {
    match memo {
        Memo::Bytes(bytes) if bytes.len() > MEMO_LENGTH_BYTES_MAX => {
            Err(Refusal::Trap("the memo is longer than 32 bytes"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
