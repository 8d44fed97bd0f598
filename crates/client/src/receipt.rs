//! Receipts: recomputing the hash chain and tying its tip to the network's certificate.
//!
//! The hash of a receipt is the representation-independent hash (`stoa_types::rih`) of all its fields but `hash`:
//! numbers nat, hashes and the caller blob, `engine` text, `price` a map of one key (`IcpE8s`, `TokenE8s` or `Cycles`) to nat, an
//! absent `payment_block` left out. It is written here apart from the canister's code, so that the two check each other.

use candid::{Nat, Principal};
use ic_agent::Agent;
use stoa_inference_api::{CertifiedReceipt, Price, Receipt};
use stoa_types::Sha256;
use stoa_types::rih::{self, Value};

use crate::certified::CertifiedTree;
use crate::error::VerificationError;

pub fn receipt_hash(receipt: &Receipt) -> Result<Sha256, VerificationError> {
    // Taken apart by name, so that a new field cannot be forgotten here.
    let Receipt {
        id,
        version,
        caller,
        input_hash,
        output_hash,
        instructions,
        price,
        payment_block,
        timestamp_nanos,
        engine,
        previous,
        hash: _,
    } = receipt;
    let price = match price {
        Price::IcpE8s(e8s) => ("IcpE8s", u128::from(*e8s)),
        Price::TokenE8s(e8s) => ("TokenE8s", u128::from(*e8s)),
        Price::Cycles(cycles) => ("Cycles", narrow(cycles)?),
    };
    let mut fields = vec![
        ("id", (*id).into()),
        ("version", Value::Blob(version.as_bytes())),
        ("caller", Value::Blob(caller.as_slice())),
        ("input_hash", Value::Blob(input_hash.as_bytes())),
        ("output_hash", Value::Blob(output_hash.as_bytes())),
        ("instructions", (*instructions).into()),
        ("price", Value::Map(vec![(price.0, Value::Nat(price.1))])),
        ("timestamp_nanos", (*timestamp_nanos).into()),
        ("engine", engine.into()),
        ("previous", Value::Blob(previous.as_bytes())),
    ];
    if let Some(block) = payment_block {
        fields.push(("payment_block", (*block).into()));
    }
    Ok(rih::hash(&Value::Map(fields)))
}

/// Checks that `certified.receipt` is in the log of the inference canister `canister` as the network certifies it now:
/// each hash is right, each receipt follows the one before, and the last is the certified tip.
pub fn verify_receipt(
    agent: &Agent,
    canister: Principal,
    certified: &CertifiedReceipt,
) -> Result<(), VerificationError> {
    let mut last = &certified.receipt;
    check_hash(last)?;
    for next in &certified.successors {
        check_hash(next)?;
        expect_equal(
            "previous hash of receipt",
            next.id,
            &next.previous,
            &last.hash,
        )?;
        if Some(next.id) != last.id.checked_add(1) {
            return Err(VerificationError::Contradicted {
                what: "the number of a receipt in the chain".to_owned(),
                claimed: next.id.to_string(),
                proven: format!("one more than {}", last.id),
            });
        }
        last = next;
    }
    let tree = CertifiedTree::verify(agent, canister, &certified.certificate, &certified.witness)?;
    let tip = tree.value(&[b"receipts", b"tip"])?;
    if tip != last.hash.as_bytes() {
        return Err(VerificationError::Contradicted {
            what: format!("the hash of the newest receipt, {}", last.id),
            claimed: last.hash.to_string(),
            proven: hex::encode(tip),
        });
    }
    let count = tree.value(&[b"receipts", b"count"])?;
    let expected = last.id.saturating_add(1).to_be_bytes();
    if count != expected {
        return Err(VerificationError::Contradicted {
            what: "the number of receipts".to_owned(),
            claimed: hex::encode(expected),
            proven: hex::encode(count),
        });
    }
    Ok(())
}

fn check_hash(receipt: &Receipt) -> Result<(), VerificationError> {
    expect_equal(
        "hash of receipt",
        receipt.id,
        &receipt.hash,
        &receipt_hash(receipt)?,
    )
}

fn expect_equal(
    what: &str,
    id: u64,
    claimed: &Sha256,
    proven: &Sha256,
) -> Result<(), VerificationError> {
    if claimed == proven {
        return Ok(());
    }
    Err(VerificationError::Contradicted {
        what: format!("the {what} {id}"),
        claimed: claimed.to_string(),
        proven: proven.to_string(),
    })
}

fn narrow(cycles: &Nat) -> Result<u128, VerificationError> {
    u128::try_from(cycles.0.clone()).map_err(|_| VerificationError::Malformed {
        part: "price of a receipt",
        reason: "it has more than 128 bits".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> Receipt {
        Receipt {
            id: 3,
            version: Sha256([1; 32]),
            caller: Principal::from_slice(&[1, 2]),
            input_hash: Sha256([2; 32]),
            output_hash: Sha256([3; 32]),
            instructions: 1_000,
            price: Price::IcpE8s(50),
            payment_block: Some(7),
            timestamp_nanos: 9,
            engine: "tract 0.23".to_owned(),
            previous: Sha256([4; 32]),
            hash: Sha256::default(),
        }
    }

    #[test]
    fn should_hash_every_field_but_the_hash_itself() {
        let hash = |change: &dyn Fn(&mut Receipt)| {
            let mut changed = receipt();
            change(&mut changed);
            receipt_hash(&changed).unwrap()
        };
        let mut hashes = vec![
            hash(&|_| {}),
            hash(&|r| r.id = 4),
            hash(&|r| r.version = Sha256([9; 32])),
            hash(&|r| r.caller = Principal::from_slice(&[1, 3])),
            hash(&|r| r.input_hash = Sha256([9; 32])),
            hash(&|r| r.output_hash = Sha256([9; 32])),
            hash(&|r| r.instructions = 1_001),
            hash(&|r| r.price = Price::IcpE8s(51)),
            hash(&|r| r.price = Price::Cycles(Nat::from(50_u64))),
            hash(&|r| r.payment_block = None),
            hash(&|r| r.timestamp_nanos = 10),
            hash(&|r| r.engine.push('x')),
            hash(&|r| r.previous = Sha256([9; 32])),
        ];
        assert_eq!(hash(&|r| r.hash = Sha256([9; 32])), hashes[0]);
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 13);
    }

    #[test]
    fn should_refuse_a_receipt_whose_hash_is_not_its_own() {
        let forged = receipt();
        assert!(matches!(
            check_hash(&forged),
            Err(VerificationError::Contradicted { .. })
        ));
    }
}
