//! What each canister is installed with.

use candid::{CandidType, Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use stoa_governance_api::{
    FunctionType, GenericNervousSystemFunction, NervousSystemFunction, Topic,
};
use stoa_inference_api::{
    ADD_INFERENCE_FUNCTION_ID, ASSIGN_MODEL_FUNCTION_ID, LOAD_MODEL_FUNCTION_ID,
    REMOVE_INFERENCE_FUNCTION_ID, SET_POLICY_FUNCTION_ID, SETTLE_PAYMENT_FUNCTION_ID,
    UNLOAD_MODEL_FUNCTION_ID,
};
use stoa_registry_api::ADMIT_VERSION_FUNCTION_ID;

use super::plan::DeployPlan;
use crate::deployment::Deployment;
use crate::error::{ClientError, Result};
use crate::identity::development_identity;

/// Stands in for whoever mints ICP on mainnet.
const MINTER: &str = "minter";

pub(super) struct Arguments<'a> {
    pub plan: &'a DeployPlan,
    pub deployment: &'a Deployment,
    pub deployer: Principal,
}

#[derive(CandidType)]
struct LedgerInitArgs {
    token_name: String,
    token_symbol: String,
    decimals: u8,
    transfer_fee: Nat,
    minting_account: Account,
    initial_balances: Vec<(Account, Nat)>,
}

impl Arguments<'_> {
    /// The module's name and the encoded argument of one canister of the deployment.
    pub fn of(&self, canister: Principal) -> Result<(&'static str, Vec<u8>)> {
        let deployment = self.deployment;
        if canister == deployment.icp_ledger {
            Ok((
                "ledger",
                self.ledger("Internet Computer", "ICP", minter()?)?,
            ))
        } else if canister == deployment.token_ledger {
            // As with an SNS, governance itself mints its token.
            let minting = deployment.governance;
            Ok(("ledger", self.ledger("Stoa", "STOA", minting)?))
        } else if canister == deployment.cycles_minting {
            Ok(("cmc", self.cycles_minting()?))
        } else if canister == deployment.governance {
            Ok(("governance", self.governance()?))
        } else if canister == deployment.registry {
            Ok(("registry", self.registry()?))
        } else if deployment.shards.contains(&canister) {
            Ok(("shard", self.shard()?))
        } else {
            Ok(("inference", self.inference()?))
        }
    }

    fn ledger(&self, name: &str, symbol: &str, minting: Principal) -> Result<Vec<u8>> {
        encode(&LedgerInitArgs {
            token_name: name.to_owned(),
            token_symbol: symbol.to_owned(),
            decimals: 8,
            transfer_fee: Nat::from(self.plan.ledger_fee_e8s),
            minting_account: Account::from(minting),
            initial_balances: vec![(
                Account::from(self.deployer),
                Nat::from(self.plan.initial_balance_e8s),
            )],
        })
    }

    fn cycles_minting(&self) -> Result<Vec<u8>> {
        encode(&stoa_cmc_api::InitArgs {
            ledger: self.deployment.icp_ledger,
            xdr_permyriad_per_icp: self.plan.xdr_permyriad_per_icp,
        })
    }

    fn governance(&self) -> Result<Vec<u8>> {
        encode(&stoa_governance_api::InitArgs {
            token_ledger: self.deployment.token_ledger,
            icp_ledger: self.deployment.icp_ledger,
            cycles_minting: self.deployment.cycles_minting,
            parameters: None,
            functions: self.functions(),
            name: "Stoa".to_owned(),
            description: "A public library of AI models that nobody owns.".to_owned(),
            url: String::new(),
        })
    }

    /// What the DAO can do to other canisters from the start.
    fn functions(&self) -> Vec<NervousSystemFunction> {
        let mut functions = vec![admit_version_function(self.deployment.registry)];
        functions.extend(crate::fleet::functions(self.deployment.registry));
        functions.extend(inference_functions(
            self.deployment.registry,
            &self.deployment.inference,
        ));
        functions
    }

    fn registry(&self) -> Result<Vec<u8>> {
        encode(&stoa_registry_api::InitArgs {
            governance: self.deployment.governance,
            shards: self.deployment.shards.clone(),
            icp_ledger: self.deployment.icp_ledger,
            parameters: None,
            inference: Some(self.deployment.inference.clone()),
        })
    }

    fn shard(&self) -> Result<Vec<u8>> {
        encode(&stoa_shard_api::InitArgs {
            registry: self.deployment.registry,
            capacity_bytes: self.plan.shard_capacity_bytes,
        })
    }

    fn inference(&self) -> Result<Vec<u8>> {
        encode(&stoa_inference_api::InitArgs {
            registry: self.deployment.registry,
            governance: self.deployment.governance,
            icp_ledger: self.deployment.icp_ledger,
            token_ledger: Some(self.deployment.token_ledger),
            cycles_minting: self.deployment.cycles_minting,
            policy: self.plan.policy.clone(),
        })
    }
}

/// How governance admits a version: the one generic function that exists from the start.
pub fn admit_version_function(registry: Principal) -> NervousSystemFunction {
    NervousSystemFunction {
        id: ADMIT_VERSION_FUNCTION_ID,
        name: "Admit a version".to_owned(),
        description: Some(
            "Takes a sealed version of a model into the library, so that it can be run.".to_owned(),
        ),
        function_type: Some(FunctionType::GenericNervousSystemFunction(
            GenericNervousSystemFunction {
                validator_canister_id: Some(registry),
                target_canister_id: Some(registry),
                validator_method_name: Some("validate_admit_version".to_owned()),
                target_method_name: Some("admit_version".to_owned()),
                topic: Some(Topic::ApplicationBusinessLogic),
            },
        )),
    }
}

/// What the DAO decides about inference canisters: which there are, what they load, at which rates they run.
pub fn inference_functions(
    registry: Principal,
    inference: &[Principal],
) -> Vec<NervousSystemFunction> {
    let function =
        |id: u64, canister: Principal, method: &str, name: String| NervousSystemFunction {
            id,
            name,
            description: None,
            function_type: Some(FunctionType::GenericNervousSystemFunction(
                GenericNervousSystemFunction {
                    validator_canister_id: Some(canister),
                    target_canister_id: Some(canister),
                    validator_method_name: Some(format!("validate_{method}")),
                    target_method_name: Some(method.to_owned()),
                    topic: Some(Topic::ApplicationBusinessLogic),
                },
            )),
        };
    let mut functions: Vec<_> = [
        (
            ADD_INFERENCE_FUNCTION_ID,
            "add_inference",
            "Add an inference canister",
        ),
        (
            ASSIGN_MODEL_FUNCTION_ID,
            "assign_model",
            "Assign a version to inference canisters",
        ),
        (
            REMOVE_INFERENCE_FUNCTION_ID,
            "remove_inference",
            "Remove an inference canister",
        ),
    ]
    .into_iter()
    .map(|(id, method, name)| function(id, registry, method, name.to_owned()))
    .collect();
    // As many as the numbers allow.
    for (index, canister) in (0_u64..20).zip(inference) {
        let mut add = |id: u64, method: &str, what: &str| {
            let name = format!("{what} of inference canister {}", index + 1);
            functions.push(function(id + index, *canister, method, name));
        };
        add(SET_POLICY_FUNCTION_ID, "set_policy", "Policy");
        add(LOAD_MODEL_FUNCTION_ID, "load_model", "Load a version");
        add(UNLOAD_MODEL_FUNCTION_ID, "unload_model", "Unload a version");
        add(
            SETTLE_PAYMENT_FUNCTION_ID,
            "settle_payment",
            "Settle a transfer",
        );
    }
    functions
}

fn minter() -> Result<Principal> {
    use ic_agent::Identity;
    development_identity(MINTER)
        .sender()
        .map_err(ClientError::Failed)
}

fn encode(argument: &impl CandidType) -> Result<Vec<u8>> {
    candid::encode_one(argument).map_err(|source| ClientError::Encode {
        method: "init".to_owned(),
        source,
    })
}
