//! What the DAO can do to the registry from the start, besides admitting versions.

use candid::Principal;
use stoa_governance_api::{
    FunctionType, GenericNervousSystemFunction, NervousSystemFunction, Topic,
};
use stoa_registry_api::{
    DEPRECATE_VERSION_FUNCTION_ID, REVOKE_VERSION_FUNCTION_ID, SET_REGISTRY_PARAMETERS_FUNCTION_ID,
};

pub fn registry_functions(registry: Principal) -> Vec<NervousSystemFunction> {
    [
        (
            DEPRECATE_VERSION_FUNCTION_ID,
            "Deprecate a version",
            "Keeps an admitted version, but lets its name stand for another one.",
            "deprecate_version",
            Topic::ApplicationBusinessLogic,
        ),
        (
            REVOKE_VERSION_FUNCTION_ID,
            "Revoke a version",
            "Stops an admitted version from being run; its bytes stay or go.",
            "revoke_version",
            Topic::ApplicationBusinessLogic,
        ),
        (
            SET_REGISTRY_PARAMETERS_FUNCTION_ID,
            "Set the registry's parameters",
            "Deposits, lifetimes and caps of uploads.",
            "set_parameters",
            Topic::DaoCommunitySettings,
        ),
    ]
    .into_iter()
    .map(
        |(id, name, description, method, topic)| NervousSystemFunction {
            id,
            name: name.to_owned(),
            description: Some(description.to_owned()),
            function_type: Some(FunctionType::GenericNervousSystemFunction(
                GenericNervousSystemFunction {
                    validator_canister_id: Some(registry),
                    target_canister_id: Some(registry),
                    validator_method_name: Some(format!("validate_{method}")),
                    target_method_name: Some(method.to_owned()),
                    topic: Some(topic),
                },
            )),
        },
    )
    .collect()
}
