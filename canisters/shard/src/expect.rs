//! `c2c_expect`: the registry, and nobody else, says which chunks may come and from whom.

use candid::Principal;
use stoa_shard_api::{ExpectArgs, ExpectError, ExpectResult};

use crate::runtime::Runtime;
use crate::store;

pub fn expect(runtime: &impl Runtime, caller: Principal, args: &ExpectArgs) -> ExpectResult {
    store::with_mut(|store| {
        let registry = store.registry();
        if caller != registry {
            return Err(ExpectError::NotRegistry { registry });
        }
        store.expect(args, runtime.now_nanos())
    })
}
