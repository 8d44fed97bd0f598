//! Stored forms of money: accounts, payments, outgoing transfers, keys.

use std::borrow::Cow;

use candid::{CandidType, Principal};
use ic_stable_structures::Storable;
use ic_stable_structures::storable::Bound;
use serde::Deserialize;
use stoa_types::Sha256;

use super::v1;

/// What is counted. Amounts of ledgers are in e8s.
#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Unit {
    Icp,
    Governance,
    /// Attached to calls. Never in a payment's journal: what is accepted is there.
    Cycles,
}

impl Unit {
    pub const ALL: [Unit; 3] = [Unit::Icp, Unit::Governance, Unit::Cycles];
}

/// Whose money it is, of what this canister holds.
#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Holder {
    /// Prepaid, or given back.
    Credit(Principal),
    Royalty {
        owner: Principal,
        subaccount: Option<Sha256>,
    },
    /// Due to the DAO.
    Treasury,
    /// This canister's own, for cycles and for fees of calls that fail.
    Reserve,
    /// Of payments that are charged and not settled.
    Held,
    /// Of transfers out that are not known to have arrived.
    Sending,
}

/// ```text
/// | unit: 1 | kind: 1 | length of the principal: 1 | principal: 29 | has a subaccount: 1 | subaccount: 32 |
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AccountKey([u8; 65]);

impl AccountKey {
    pub fn new(unit: Unit, holder: &Holder) -> AccountKey {
        let mut bytes = [0; 65];
        bytes[0] = unit as u8;
        let (kind, owner, subaccount) = match holder {
            Holder::Credit(owner) => (0, Some(owner), None),
            Holder::Royalty { owner, subaccount } => (1, Some(owner), *subaccount),
            Holder::Treasury => (2, None, None),
            Holder::Reserve => (3, None, None),
            Holder::Held => (4, None, None),
            Holder::Sending => (5, None, None),
        };
        bytes[1] = kind;
        if let Some(owner) = owner {
            let name = owner.as_slice();
            bytes[2] = name.len() as u8;
            bytes[3..3 + name.len()].copy_from_slice(name);
        }
        if let Some(subaccount) = subaccount {
            bytes[32] = 1;
            bytes[33..].copy_from_slice(&subaccount.0);
        }
        AccountKey(bytes)
    }

    #[cfg(test)]
    pub fn unit(&self) -> Unit {
        Unit::ALL[usize::from(self.0[0])]
    }

    pub fn holder(&self) -> Holder {
        let bytes = &self.0;
        let owner = || Principal::from_slice(&bytes[3..3 + usize::from(bytes[2])]);
        match bytes[1] {
            0 => Holder::Credit(owner()),
            1 => Holder::Royalty {
                owner: owner(),
                subaccount: (bytes[32] == 1).then(|| {
                    Sha256(
                        bytes[33..]
                            .try_into()
                            .expect("BUG: a subaccount has 32 bytes"),
                    )
                }),
            },
            2 => Holder::Treasury,
            3 => Holder::Reserve,
            4 => Holder::Held,
            5 => Holder::Sending,
            other => panic!("BUG: stable memory holds an account of kind {other}"),
        }
    }

    /// The least key of a unit's royalties, and the least behind them.
    pub fn royalties(unit: Unit) -> std::ops::Range<AccountKey> {
        let at = |kind: u8| {
            let mut bytes = [0; 65];
            bytes[0] = unit as u8;
            bytes[1] = kind;
            AccountKey(bytes)
        };
        at(1)..at(2)
    }

    /// All royalties of one owner.
    pub fn royalties_of(unit: Unit, owner: Principal) -> std::ops::RangeInclusive<AccountKey> {
        let first = AccountKey::new(
            unit,
            &Holder::Royalty {
                owner,
                subaccount: None,
            },
        );
        let mut last = first;
        last.0[32..].fill(255);
        first..=last
    }
}

impl Storable for AccountKey {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0)
    }

    fn into_bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn from_bytes(bytes: Cow<'_, [u8]>) -> Self {
        AccountKey(
            bytes
                .as_ref()
                .try_into()
                .expect("BUG: an account's key has 65 bytes"),
        )
    }

    const BOUND: Bound = Bound::Bounded {
        max_size: 65,
        is_fixed_size: true,
    };
}

/// Layout 1's; see [`v1::Books`].
#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum StoredBooks {
    V1(v1::Books),
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum StoredTotals {
    V1([Totals; 3]),
}

/// The first two only grow; their difference is what all holders together have.
#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    pub received: u128,
    pub sent: u128,
    /// Of all accounts of the kind, so that nobody has to walk over them.
    pub credit: u128,
    pub royalties: u128,
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum StoredPayment {
    V1(v1::PaymentV1),
    V2(Payment),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Payment {
    pub id: u64,
    pub caller: Principal,
    pub purpose: Purpose,
    /// ICP or the governance token.
    pub unit: Unit,
    pub funds: Funds,
    /// What is charged; of a call the quoted price.
    pub amount: u64,
    /// The author's part of it.
    pub author_part: u64,
    /// What the ledger takes from the payer besides.
    pub fee: u64,
    /// Held from the reserve, so that `fee` can be given back too: all of it or nothing.
    pub backed: u64,
    /// Also the ledger's key against double execution, so a retry repeats it.
    pub created_at_nanos: u64,
    pub state: StoredPaymentState,
    /// Retries so far, for the pause before the next.
    pub attempts: u32,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A run that ends with its message, or gives the money back.
    Call {
        version: Sha256,
    },
    /// A run that goes on until it ends; `jobs.rs`.
    Job {
        version: Sha256,
    },
    Load {
        version: Sha256,
    },
    Deposit,
}

#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Funds {
    Allowance {
        from_subaccount: Option<Sha256>,
    },
    /// `key`: over HTTP, and the key may spend that much less.
    Credit {
        key: Option<Sha256>,
    },
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum StoredPaymentState {
    Charging,
    Charged {
        block: Option<u64>,
    },
    Earned {
        block: Option<u64>,
        receipt: u64,
        price: u64,
    },
    Loaded {
        block: Option<u64>,
    },
    Credited {
        block: Option<u64>,
        amount: u64,
    },
    NotCharged {
        message: String,
    },
    /// By layout 1.
    Refunded {
        block: u64,
        refund_block: u64,
    },
    Unresolved {
        message: String,
    },
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum StoredTransfer {
    V1(Transfer),
}

/// Out of this canister's account on a ledger.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Transfer {
    pub id: u64,
    pub unit: Unit,
    /// Who gave the money and gets it back if the transfer definitely did not happen.
    pub from: Holder,
    pub to: Principal,
    pub to_subaccount: Option<Sha256>,
    pub amount: u64,
    pub fee: u64,
    /// With the creation time the ledger's key against double execution.
    pub memo: Vec<u8>,
    pub created_at_nanos: u64,
    pub state: StoredTransferState,
    pub attempts: u32,
}

impl Transfer {
    /// What it takes from this canister's account.
    pub fn gross(&self) -> u64 {
        self.amount
            .checked_add(self.fee)
            .expect("BUG: a transfer of more than there is")
    }
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum StoredTransferState {
    Sending,
    Sent { block: u64 },
    Failed { message: String },
    Unresolved { message: String },
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub enum StoredKey {
    V1(Key),
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Key {
    pub owner: Principal,
    pub label: String,
    pub unit: Unit,
    pub left: u64,
    pub expires_at_nanos: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_read_every_account_key_back() {
        let owner = Principal::from_slice(&[7; 29]);
        let short = Principal::from_slice(&[1, 2]);
        let holders = [
            Holder::Credit(owner),
            Holder::Credit(short),
            Holder::Royalty {
                owner,
                subaccount: None,
            },
            Holder::Royalty {
                owner: short,
                subaccount: Some(Sha256([0; 32])),
            },
            Holder::Treasury,
            Holder::Reserve,
            Holder::Held,
            Holder::Sending,
        ];
        let mut keys = Vec::new();
        for unit in Unit::ALL {
            for holder in holders {
                let key = AccountKey::new(unit, &holder);
                assert_eq!((key.unit(), key.holder()), (unit, holder));
                assert_eq!(AccountKey::from_bytes(key.to_bytes()), key);
                assert_eq!(
                    AccountKey::royalties(unit).contains(&key),
                    matches!(holder, Holder::Royalty { .. })
                );
                keys.push(key);
            }
        }
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 24);
        let of_short = AccountKey::royalties_of(Unit::Icp, short);
        assert!(of_short.contains(&AccountKey::new(Unit::Icp, &holders[3])));
        assert!(!of_short.contains(&AccountKey::new(Unit::Icp, &holders[2])));
    }
}
