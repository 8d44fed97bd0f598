//! All canisters of the network, and which of them may have changed.
//!
//! What must hold: nobody changes a canister but through `get_mut`, `insert`,
//! `remove` or `values_mut`, so that none that has changed is missing among the
//! touched ones, which a commit writes to the state folder.

use std::collections::{BTreeMap, BTreeSet};

use candid::Principal;

use crate::canister::Canister;

#[derive(Default)]
pub struct Canisters {
    all: BTreeMap<Principal, Canister>,
    touched: BTreeSet<Principal>,
}

impl Canisters {
    pub fn get(&self, id: &Principal) -> Option<&Canister> {
        self.all.get(id)
    }

    pub fn contains_key(&self, id: &Principal) -> bool {
        self.all.contains_key(id)
    }

    pub fn values(&self) -> impl Iterator<Item = &Canister> {
        self.all.values()
    }

    pub fn get_mut(&mut self, id: &Principal) -> Option<&mut Canister> {
        let found = self.all.get_mut(id);
        if found.is_some() {
            self.touched.insert(*id);
        }
        found
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Canister> {
        self.touched.extend(self.all.keys());
        self.all.values_mut()
    }

    pub fn insert(&mut self, id: Principal, canister: Canister) {
        self.touched.insert(id);
        self.all.insert(id, canister);
    }

    pub fn remove(&mut self, id: &Principal) -> Option<Canister> {
        self.touched.insert(*id);
        self.all.remove(id)
    }

    pub fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Those that may have changed since this was asked last.
    pub fn take_touched(&mut self) -> BTreeSet<Principal> {
        std::mem::take(&mut self.touched)
    }
}
