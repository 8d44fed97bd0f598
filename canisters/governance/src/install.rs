//! Genesis, and what an upgrade checks.

use stoa_governance_api::InitArgs;

use crate::cbor::{Added, Cbor};
use crate::dao_canisters::Policy;
use crate::function::GenericFunction;
use crate::memory::{LAYOUT_VERSION, with_state};
use crate::migration::migrate;
use crate::parameters::Parameters;
use crate::runtime;
use crate::settings::Settings;

/// Traps on arguments that cannot be, so that nothing is installed.
pub fn install(arguments: InitArgs) {
    let parameters = Parameters::default()
        .changed_by(&arguments.parameters.unwrap_or_default())
        .unwrap_or_else(|error| panic!("parameters: {error}"));
    with_state(|state| {
        state.layout_version.set(LAYOUT_VERSION);
        state.settings.set(Cbor(Some(Settings {
            token_ledger: arguments.token_ledger,
            icp_ledger: arguments.icp_ledger,
            cycles_minting: arguments.cycles_minting,
            name: arguments.name,
            description: arguments.description,
            url: arguments.url,
            genesis_seconds: runtime::now_seconds(),
            logo: Added(None),
        })));
        state.parameters.set(Cbor(parameters));
        if let Some(policy) = arguments.cycles_policy {
            let policy = Policy::try_from(policy)
                .unwrap_or_else(|reason| panic!("the cycles policy: {reason}"));
            state.set_cycles_policy(policy);
        }
        let itself = runtime::canister_self();
        for canister in arguments
            .dao_canisters
            .unwrap_or_default()
            .into_iter()
            .chain([itself])
        {
            state
                .add_dao_canister(canister)
                .unwrap_or_else(|error| panic!("canister {canister} of the DAO: {error:?}"));
        }
        for function in arguments.functions {
            let id = function.id;
            GenericFunction::try_from(function)
                .and_then(|function| state.add_function(function, runtime::canister_self()))
                .unwrap_or_else(|refusal| panic!("function {id}: {refusal}"));
        }
        state.certify();
    });
}

/// Traps on a layout that this code does not know, so that the upgrade is undone.
pub fn open_after_upgrade() {
    with_state(|state| {
        migrate(state);
        state.certify();
    });
}
