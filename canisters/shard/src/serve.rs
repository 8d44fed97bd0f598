//! `c2c_serve`: the registry names the files of a sealed version, which are served by name and as IPFS files from then on.

use candid::Principal;
use stoa_shard_api::{ServeArgs, ServeError, ServeResult};

use crate::runtime::Runtime;
use crate::{certification, store};

pub fn serve(
    runtime: &impl Runtime,
    own: Principal,
    caller: Principal,
    args: &ServeArgs,
) -> ServeResult {
    let served = store::with_mut(|store| {
        let registry = store.registry();
        if caller != registry {
            return Err(ServeError::NotRegistry { registry });
        }
        store.serve(args, own)
    });
    // What is unfinished has changed the tree, too.
    certification::publish(runtime);
    served
}
