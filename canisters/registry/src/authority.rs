//! Who may decide: the governance canister and nobody else, the installer included.

use candid::Principal;

use crate::state::State;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotGovernance {
    pub governance: Principal,
}

impl std::fmt::Display for NotGovernance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let governance = self.governance;
        write!(f, "only the governance canister {governance} may do this")
    }
}

pub fn check_governance(state: &State, caller: Principal) -> Result<(), NotGovernance> {
    let governance = state.governance();
    if caller == governance {
        Ok(())
    } else {
        Err(NotGovernance { governance })
    }
}
