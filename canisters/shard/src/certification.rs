//! Sets the certified data to the root of the tree, after every change of it and after an upgrade.

use crate::runtime::Runtime;
use crate::store;

pub fn publish(runtime: &impl Runtime) {
    let root = store::with(|store| store.certified.root_hash());
    runtime.set_certified_data(&root);
}
