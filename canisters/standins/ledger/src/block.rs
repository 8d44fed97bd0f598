//! What the log stores, and what it hashes.
//!
//! Blocks are stored in CBOR with numbered fields, so that a later version may add
//! some. A block's hash is that of its ICRC-3 value, not of the stored bytes: it
//! can be checked by anybody who reads blocks through ICRC-3, and stays the same
//! when the storage format changes.

use std::borrow::Cow;

use candid::Nat;
use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use icrc_ledger_types::icrc::generic_value::ICRC3Value as Value;
use minicbor::{Decode, Encode};
use serde_bytes::ByteBuf;

use crate::account::Party;

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Memo {
    #[n(0)]
    None,
    /// As the ICP ledger's `transfer` has it.
    #[n(1)]
    Number(#[n(0)] u64),
    /// As the ICRC standards have it: at most 32 bytes.
    #[n(2)]
    Bytes(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Operation {
    #[n(0)]
    Mint {
        #[n(0)]
        to: Party,
        #[n(1)]
        amount: u64,
    },
    #[n(1)]
    Burn {
        #[n(0)]
        from: Party,
        #[n(1)]
        spender: Option<Party>,
        #[n(2)]
        amount: u64,
        /// Of cycles that leave their ledger: burned with them. Other burns cost nothing.
        #[n(3)]
        fee: Option<u64>,
    },
    #[n(2)]
    Transfer {
        #[n(0)]
        from: Party,
        #[n(1)]
        to: Party,
        #[n(2)]
        spender: Option<Party>,
        #[n(3)]
        amount: u64,
        #[n(4)]
        fee: u64,
    },
    #[n(3)]
    Approve {
        #[n(0)]
        from: Party,
        #[n(1)]
        spender: Party,
        #[n(2)]
        allowance: u64,
        #[n(3)]
        expected_allowance: Option<u64>,
        #[n(4)]
        expires_at: Option<u64>,
        #[n(5)]
        fee: u64,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Transaction {
    #[n(0)]
    pub operation: Operation,
    #[n(1)]
    pub memo: Memo,
    /// As the caller gave it; where it is given, the transaction happens once.
    #[n(2)]
    pub created_at_time: Option<u64>,
    /// As the caller gave it. Two requests that differ only in this are two
    /// transactions, as on the official ledgers.
    #[n(3)]
    pub fee_given: Option<u64>,
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Block {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub parent_hash: Option<[u8; 32]>,
    #[n(1)]
    pub timestamp_nanos: u64,
    #[n(2)]
    pub transaction: Transaction,
}

fn nat(number: u64) -> Value {
    Value::Nat(Nat::from(number))
}

fn blob(bytes: &[u8]) -> Value {
    Value::Blob(ByteBuf::from(bytes.to_vec()))
}

fn party(party: &Party) -> Value {
    match party.account {
        None => blob(&party.identifier.0),
        Some(account) => {
            let owner = blob(account.owner.as_slice());
            match account.subaccount {
                None => Value::Array(vec![owner]),
                Some(subaccount) => Value::Array(vec![owner, blob(&subaccount)]),
            }
        }
    }
}

impl Block {
    pub fn hash(&self) -> [u8; 32] {
        self.to_icrc3_value().hash()
    }

    /// The block by the ICRC-3 schema of ICRC-1 and ICRC-2 blocks.
    pub fn to_icrc3_value(&self) -> Value {
        let mut block = std::collections::BTreeMap::new();
        let mut tx = std::collections::BTreeMap::new();
        let transaction = &self.transaction;
        let mut effective_fee = None;
        match &transaction.operation {
            Operation::Mint { to, amount } => {
                tx.insert("op".to_string(), Value::Text("mint".to_string()));
                tx.insert("to".to_string(), party(to));
                tx.insert("amt".to_string(), nat(*amount));
            }
            Operation::Burn {
                from,
                spender,
                amount,
                fee,
            } => {
                effective_fee = *fee;
                tx.insert("op".to_string(), Value::Text("burn".to_string()));
                tx.insert("from".to_string(), party(from));
                if let Some(spender) = spender {
                    tx.insert("spender".to_string(), party(spender));
                }
                tx.insert("amt".to_string(), nat(*amount));
            }
            Operation::Transfer {
                from,
                to,
                spender,
                amount,
                fee,
            } => {
                tx.insert("op".to_string(), Value::Text("xfer".to_string()));
                tx.insert("from".to_string(), party(from));
                tx.insert("to".to_string(), party(to));
                if let Some(spender) = spender {
                    tx.insert("spender".to_string(), party(spender));
                }
                tx.insert("amt".to_string(), nat(*amount));
                effective_fee = Some(*fee);
            }
            Operation::Approve {
                from,
                spender,
                allowance,
                expected_allowance,
                expires_at,
                fee,
            } => {
                tx.insert("op".to_string(), Value::Text("approve".to_string()));
                tx.insert("from".to_string(), party(from));
                tx.insert("spender".to_string(), party(spender));
                tx.insert("amt".to_string(), nat(*allowance));
                if let Some(expected) = expected_allowance {
                    tx.insert("expected_allowance".to_string(), nat(*expected));
                }
                if let Some(expires_at) = expires_at {
                    tx.insert("expires_at".to_string(), nat(*expires_at));
                }
                effective_fee = Some(*fee);
            }
        }
        match &transaction.memo {
            Memo::None => {}
            Memo::Number(number) => {
                tx.insert("memo".to_string(), blob(&number.to_be_bytes()));
            }
            Memo::Bytes(bytes) => {
                tx.insert("memo".to_string(), blob(bytes));
            }
        }
        if let Some(created_at_time) = transaction.created_at_time {
            tx.insert("ts".to_string(), nat(created_at_time));
        }
        // The fee stands in `tx` where the caller gave it, else beside it.
        match (transaction.fee_given, effective_fee) {
            (Some(given), _) => {
                tx.insert("fee".to_string(), nat(given));
            }
            (None, Some(effective)) => {
                block.insert("fee".to_string(), nat(effective));
            }
            (None, None) => {}
        }
        if let Some(parent_hash) = &self.parent_hash {
            block.insert("phash".to_string(), blob(parent_hash));
        }
        block.insert("ts".to_string(), nat(self.timestamp_nanos));
        block.insert("tx".to_string(), Value::Map(tx));
        Value::Map(block)
    }
}

impl Storable for Block {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(minicbor::to_vec(self).expect("BUG: encoding to memory cannot fail"))
    }

    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().into_owned()
    }

    fn from_bytes(bytes: Cow<[u8]>) -> Self {
        minicbor::decode(&bytes).expect("BUG: a stored block does not decode")
    }

    const BOUND: Bound = Bound::Unbounded;
}
