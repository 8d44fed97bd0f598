//! Where a neuron's stake lies on the token ledger.

use candid::Principal;
use sha2::{Digest, Sha256};

/// The subaccount of governance that holds the stake of the neuron which
/// `controller` claims with `memo`; it is the neuron's id as well.
///
/// SHA-256 of: `0x0c`, `neuron-stake`, the controller's bytes, the memo as u64
/// big-endian; the length byte and text are the SNS's domain separator.
pub fn neuron_staking_subaccount(controller: Principal, memo: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([0x0c]);
    hash.update(b"neuron-stake");
    hash.update(controller.as_slice());
    hash.update(memo.to_be_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart from this code: `printf` of the bytes piped to `sha256sum`.
    #[test]
    fn should_derive_the_subaccount_that_an_sns_derives() {
        let expected = "bc8c6fb3a980e5d7a6c5e56676b0479bfb022200ecf5fb3c9cc65efd8376cb0f";
        let subaccount = neuron_staking_subaccount(Principal::from_slice(&[1, 2, 3]), 7);
        let hexadecimal: String = subaccount.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hexadecimal, expected);
    }
}
