//! Keys for HTTP: the SHA-256 of a secret, which lets whoever shows the secret spend its owner's credit up to a limit.
//! The secret travels in a header that nodes and gateways see, hence the limit and the date of expiry.

use candid::Principal;
use stoa_inference_api::{AddKeyArgs, KeyResult, MoneyError};
use stoa_types::Sha256;

use crate::limits::{KEY_LABEL_BYTES_MAX, KEYS_MAX, KEYS_OF_OWNER_MAX};
use crate::money::{to_token, unit_of};
use crate::state;
use crate::stored::{Key, StoredKey, Unit};

/// Adds it, or replaces what the same caller said about it before.
pub fn add(caller: Principal, arguments: AddKeyArgs) -> KeyResult {
    if caller == Principal::anonymous() {
        return Err(MoneyError::AnonymousCaller);
    }
    let refused = |message: String| MoneyError::Refused { message };
    let unit = unit_of(arguments.token).ok_or(MoneyError::TokenNotTaken {
        token: arguments.token,
    })?;
    if arguments.label.len() > KEY_LABEL_BYTES_MAX {
        return Err(refused(format!(
            "the label has {} bytes, at most {KEY_LABEL_BYTES_MAX} are allowed",
            arguments.label.len()
        )));
    }
    let known = get(&arguments.hash);
    if known.as_ref().is_some_and(|key| key.owner != caller) {
        return Err(refused("somebody else has this key".to_owned()));
    }
    // A key costs memory for ever, so only who has credit may have some.
    if crate::accounts::balance(unit, &crate::stored::Holder::Credit(caller)) == 0 {
        return Err(MoneyError::InsufficientBalance {
            balance: 0_u8.into(),
            needed: 1_u8.into(),
        });
    }
    let all = state::with(|state| state.keys.len());
    if known.is_none() && (of(caller).len() as u64 >= KEYS_OF_OWNER_MAX || all >= KEYS_MAX) {
        return Err(MoneyError::TooManyKeys {
            max: KEYS_OF_OWNER_MAX,
        });
    }
    put(
        &arguments.hash,
        Key {
            owner: caller,
            label: arguments.label,
            unit,
            left: arguments.limit_e8s,
            expires_at_nanos: arguments.expires_at_nanos,
        },
    );
    Ok(())
}

pub fn remove(caller: Principal, hash: Sha256) -> bool {
    let is_own = get(&hash).is_some_and(|key| key.owner == caller);
    if is_own {
        state::with_mut(|state| state.keys.remove(&hash.0));
    }
    is_own
}

/// At most `KEYS_MAX` are looked at.
pub fn of(owner: Principal) -> Vec<stoa_inference_api::Key> {
    state::with(|state| {
        state
            .keys
            .iter()
            .map(|entry| (*entry.key(), entry.value()))
            .filter_map(|(hash, StoredKey::V1(key))| {
                (key.owner == owner).then(|| stoa_inference_api::Key {
                    hash: Sha256(hash),
                    label: key.label,
                    token: to_token(key.unit),
                    left_e8s: key.left,
                    expires_at_nanos: key.expires_at_nanos,
                })
            })
            .collect()
    })
}

pub fn get(hash: &Sha256) -> Option<Key> {
    let StoredKey::V1(key) = state::with(|state| state.keys.get(&hash.0))?;
    Some(key)
}

fn put(hash: &Sha256, key: Key) {
    state::with_mut(|state| state.keys.insert(hash.0, StoredKey::V1(key)));
}

/// What it may spend of this unit now.
pub fn left(hash: &Sha256, unit: Unit, now_nanos: u64) -> u64 {
    get(hash)
        .filter(|key| key.unit == unit)
        .filter(|key| key.expires_at_nanos.is_none_or(|at| now_nanos < at))
        .map_or(0, |key| key.left)
}

/// What was checked to be left in the same message.
pub fn spend(hash: &Sha256, amount: u64) {
    if let Some(key) = get(hash) {
        let left = key
            .left
            .checked_sub(amount)
            .expect("BUG: a key spends more than it may");
        put(hash, Key { left, ..key });
    }
}

/// A removed key stays removed.
pub fn unspend(hash: &Sha256, amount: u64) {
    if let Some(key) = get(hash) {
        let left = key.left.saturating_add(amount);
        put(hash, Key { left, ..key });
    }
}
