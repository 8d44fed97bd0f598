//! What the DAO tells its own governance by generic functions: the rules by which cycles are
//! bought, which canisters are its own, and new code for many of them. Each has a validator; the targets accept
//! governance alone, and check again.

use candid::Principal;
use stoa_governance_api::{CyclesPolicy, UpgradeCanistersArgs};

use crate::dao_canisters::{self, Policy};
use crate::memory::with_state;
use crate::neurons::PrincipalKey;
use crate::{rollout, runtime};

/// Methods of governance that a generic function may name: (target, validator).
pub const METHODS: [(&str, &str); 4] = [
    ("set_cycles_policy", "validate_set_cycles_policy"),
    ("add_dao_canister", "validate_add_dao_canister"),
    ("remove_dao_canister", "validate_remove_dao_canister"),
    ("upgrade_canisters", "validate_upgrade_canisters"),
];

/// A refusal is a reject: to whoever executes a proposal every reply is a success.
fn require_governance(caller: Principal) {
    assert!(
        caller == runtime::canister_self(),
        "only governance itself may call this, by executing a proposal"
    );
}

pub fn validate_set_cycles_policy(wire: CyclesPolicy) -> Result<String, String> {
    let before = with_state(|state| CyclesPolicy::from(&state.cycles_keeping.get().0.policy));
    let policy = Policy::try_from(wire)?;
    let after = CyclesPolicy::from(&policy);
    Ok(format!(
        "# Set the cycles policy\n\n## Before\n\n```\n{before:#?}\n```\n\n## After\n\n```\n{after:#?}\n```"
    ))
}

pub fn set_cycles_policy(caller: Principal, wire: CyclesPolicy) {
    require_governance(caller);
    let policy = Policy::try_from(wire).unwrap_or_else(|reason| panic!("{reason}"));
    with_state(|state| state.set_cycles_policy(policy));
}

pub fn validate_add_dao_canister(canister: Principal) -> Result<String, String> {
    if is_known(canister) {
        return Err(format!("{canister} is a canister of the DAO"));
    }
    Ok(format!(
        "# Add a canister to the DAO\n\n{canister}\n\nIt may ask for cycles, and register other \
         canisters. Governance must be its only controller."
    ))
}

pub async fn add_dao_canister(caller: Principal, canister: Principal) {
    require_governance(caller);
    if let Err(error) = dao_canisters::register_dao_canister(caller, canister).await {
        panic!("{canister} was not added: {error:?}");
    }
}

pub fn validate_remove_dao_canister(canister: Principal) -> Result<String, String> {
    check_removable(canister)?;
    Ok(format!(
        "# Remove a canister from the DAO\n\n{canister}\n\nIt gets no cycles any more. Who controls it \
         does not change."
    ))
}

pub fn remove_dao_canister(caller: Principal, canister: Principal) {
    require_governance(caller);
    check_removable(canister).unwrap_or_else(|reason| panic!("{reason}"));
    with_state(|state| {
        state.dao_canisters.remove(&PrincipalKey::from(&canister));
        state.forget_cycles(canister);
    });
}

pub fn validate_upgrade_canisters(args: UpgradeCanistersArgs) -> Result<String, String> {
    with_state(|state| rollout::check(&args, state))?;
    Ok(rollout::render(&args))
}

/// Executed as soon as it has begun; `get_rollout` tells how it goes on.
pub fn upgrade_canisters(caller: Principal, args: UpgradeCanistersArgs) {
    require_governance(caller);
    with_state(|state| {
        rollout::check(&args, state).unwrap_or_else(|reason| panic!("{reason}"));
        rollout::begin(args, state);
    });
    rollout::go_on();
}

fn check_removable(canister: Principal) -> Result<(), String> {
    if canister == runtime::canister_self() {
        return Err("governance keeps itself alive".to_string());
    }
    if !is_known(canister) {
        return Err(format!("{canister} is not a canister of the DAO"));
    }
    Ok(())
}

fn is_known(canister: Principal) -> bool {
    with_state(|state| {
        state
            .dao_canisters
            .contains_key(&PrincipalKey::from(&canister))
    })
}
