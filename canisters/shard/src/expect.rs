//! `c2c_expect`: the registry, and nobody else, says which chunks may come and from whom.

use candid::Principal;
use stoa_shard_api::{ExpectArgs, ExpectError, ExpectResult};

use crate::{registry, store};

pub fn expect(caller: Principal, args: &ExpectArgs) -> ExpectResult {
    let registry = registry();
    if caller != registry {
        return Err(ExpectError::NotRegistry { registry });
    }
    store::with_mut(|store| store.expect(args))
}
