//! Who holds tokens. The ICP ledger names an account by a hash, the ICRC standards
//! by owner and subaccount; balances are kept by the hash, which both know.

use candid::Principal;
use icrc_ledger_types::icrc1::account::Account;
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha224};

/// ```text
/// | CRC-32 of the rest, big-endian | SHA-224 of 0x0a "account-id" owner subaccount |
/// | 4 bytes                        | 28 bytes                                      |
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct AccountIdentifier(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountIdentifierError {
    Length { given: usize },
    Checksum { given: u32, computed: u32 },
}

impl std::fmt::Display for AccountIdentifierError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Length { given } => {
                write!(f, "an account identifier has 32 bytes, not {given}")
            }
            Self::Checksum { given, computed } => write!(
                f,
                "the account identifier's checksum is {given:08x}, its bytes give {computed:08x}"
            ),
        }
    }
}

impl AccountIdentifier {
    pub fn new(owner: &Principal, subaccount: &[u8; 32]) -> Self {
        let mut hash = Sha224::new();
        hash.update(b"\x0Aaccount-id");
        hash.update(owner.as_slice());
        hash.update(subaccount);
        let hash: [u8; 28] = hash.finalize().into();
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&crc32fast::hash(&hash).to_be_bytes());
        bytes[4..].copy_from_slice(&hash);
        Self(bytes)
    }
}

impl From<Account> for AccountIdentifier {
    fn from(account: Account) -> Self {
        Self::new(&account.owner, account.effective_subaccount())
    }
}

impl TryFrom<&[u8]> for AccountIdentifier {
    type Error = AccountIdentifierError;
    fn try_from(bytes: &[u8]) -> Result<Self, AccountIdentifierError> {
        let bytes: [u8; 32] = bytes
            .try_into()
            .map_err(|_| AccountIdentifierError::Length { given: bytes.len() })?;
        let given = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let computed = crc32fast::hash(&bytes[4..]);
        if given != computed {
            return Err(AccountIdentifierError::Checksum { given, computed });
        }
        Ok(Self(bytes))
    }
}

/// One side of a transaction. The ICP `transfer` names its receiver by the hash
/// alone; everybody else is known in full, which ICRC-3 blocks show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Party {
    #[n(0)]
    pub identifier: AccountIdentifier,
    #[n(1)]
    pub account: Option<Account>,
}

impl From<Account> for Party {
    fn from(account: Account) -> Self {
        Self {
            identifier: account.into(),
            account: Some(account),
        }
    }
}

impl From<AccountIdentifier> for Party {
    fn from(identifier: AccountIdentifier) -> Self {
        Self {
            identifier,
            account: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_agree_with_the_official_types_on_identifiers() {
        for length in [0, 1, 10, 29] {
            let owner = Principal::from_slice(&vec![7; length]);
            for fill in [0, 9] {
                let subaccount = [fill; 32];
                let official = ic_ledger_types::AccountIdentifier::new(
                    &owner,
                    &ic_ledger_types::Subaccount(subaccount),
                );
                assert_eq!(
                    AccountIdentifier::new(&owner, &subaccount).0,
                    *official.as_bytes()
                );
            }
        }
    }

    #[test]
    fn should_refuse_an_identifier_with_a_wrong_checksum_or_length() {
        let mut bytes = AccountIdentifier::new(&Principal::anonymous(), &[0; 32]).0;
        bytes[31] ^= 1;
        assert!(matches!(
            AccountIdentifier::try_from(&bytes[..]),
            Err(AccountIdentifierError::Checksum { .. })
        ));
        assert_eq!(
            AccountIdentifier::try_from(&bytes[..28]),
            Err(AccountIdentifierError::Length { given: 28 })
        );
    }
}
