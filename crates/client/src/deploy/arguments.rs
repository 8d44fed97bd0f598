//! What each canister is installed with.

use candid::{Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use stoa_governance_api::{
    FunctionType, GenericNervousSystemFunction, NervousSystemFunction, Topic,
    UPGRADE_CANISTERS_FUNCTION_ID, token_treasury_subaccount,
};
use stoa_inference_api::{
    ADD_INFERENCE_FUNCTION_ID, ASSIGN_MODEL_FUNCTION_ID, LOAD_MODEL_FUNCTION_ID,
    REMOVE_INFERENCE_FUNCTION_ID, SET_POLICY_FUNCTION_ID, SETTLE_PAYMENT_FUNCTION_ID,
    UNLOAD_MODEL_FUNCTION_ID,
};
use stoa_registry_api::{ADMIT_VERSION_FUNCTION_ID, ShardModule};

use super::plan::DeployPlan;
use super::standins::{self, LedgerInitArgs, encode};
use crate::deployment::Deployment;
use crate::error::Result;

pub(super) struct Arguments<'a> {
    pub plan: &'a DeployPlan,
    pub deployment: &'a Deployment,
    pub deployer: Principal,
    /// The code of the shards that the registry makes when the fleet fills up.
    pub shard_module: &'a ShardModule,
    /// Of the network, in DER: what the page is told to believe in.
    pub root_key: Vec<u8>,
}

impl Arguments<'_> {
    /// The module's name and the encoded argument of one canister of the deployment.
    pub fn of(&self, canister: Principal) -> Result<(&'static str, Vec<u8>)> {
        let deployment = self.deployment;
        if canister == deployment.icp_ledger {
            // The default account of governance is the treasury, as with an SNS.
            let treasury = (
                Account::from(deployment.governance),
                Nat::from(self.plan.treasury_icp_e8s),
            );
            let balances = vec![self.of_the_deployer(), treasury];
            Ok(("ledger", standins::icp_ledger(self.plan, balances)?))
        } else if canister == deployment.token_ledger {
            // As with an SNS, governance itself mints its token.
            let minting = deployment.governance;
            let treasury = (
                Account {
                    owner: minting,
                    subaccount: Some(token_treasury_subaccount(minting)),
                },
                Nat::from(self.plan.treasury_token_e8s),
            );
            Ok(("ledger", self.token_ledger(minting, treasury)?))
        } else if canister == deployment.cycles_minting {
            let arguments = standins::cycles_minting(
                self.plan,
                deployment.icp_ledger,
                deployment.cycles_ledger,
            )?;
            Ok(("cmc", arguments))
        } else if Some(canister) == deployment.cycles_ledger {
            Ok(("ledger", standins::cycles_ledger(self.deployer)?))
        } else if canister == deployment.governance {
            Ok(("governance", self.governance()?))
        } else if canister == deployment.registry {
            Ok(("registry", self.registry()?))
        } else if deployment.frontend == Some(canister) {
            Ok(("frontend", self.frontend()?))
        } else if deployment.shards.contains(&canister) {
            Ok(("shard", self.shard()?))
        } else {
            Ok(("inference", self.inference()?))
        }
    }

    /// What lives on cycles and is the DAO's: all but the stand-ins, which mainnet has.
    fn dao_canisters(&self) -> Vec<Principal> {
        [self.deployment.registry]
            .into_iter()
            .chain(self.deployment.shards.iter().copied())
            .chain(self.deployment.inference.iter().copied())
            .chain(self.deployment.frontend)
            .collect()
    }

    fn of_the_deployer(&self) -> (Account, Nat) {
        (
            Account::from(self.deployer),
            Nat::from(self.plan.initial_balance_e8s),
        )
    }

    fn token_ledger(&self, minting: Principal, treasury: (Account, Nat)) -> Result<Vec<u8>> {
        encode(&LedgerInitArgs {
            token_name: "Stoa".to_owned(),
            token_symbol: "STOA".to_owned(),
            decimals: 8,
            transfer_fee: Nat::from(self.plan.ledger_fee_e8s),
            minting_account: Account::from(minting),
            initial_balances: vec![self.of_the_deployer(), treasury],
            holds_cycles: None,
        })
    }

    fn governance(&self) -> Result<Vec<u8>> {
        encode(&stoa_governance_api::InitArgs {
            token_ledger: self.deployment.token_ledger,
            icp_ledger: self.deployment.icp_ledger,
            cycles_minting: self.deployment.cycles_minting,
            parameters: None,
            functions: genesis_functions(self.deployment),
            dao_canisters: Some(self.dao_canisters()),
            cycles_policy: Some(self.plan.cycles_policy.clone()),
            name: "Stoa".to_owned(),
            description: "A public library of AI models that nobody owns.".to_owned(),
            url: String::new(),
        })
    }

    fn registry(&self) -> Result<Vec<u8>> {
        encode(&stoa_registry_api::InitArgs {
            governance: self.deployment.governance,
            shards: self.deployment.shards.clone(),
            icp_ledger: self.deployment.icp_ledger,
            parameters: None,
            inference: Some(self.deployment.inference.clone()),
            shard_module: Some(self.shard_module.clone()),
        })
    }

    fn frontend(&self) -> Result<Vec<u8>> {
        let deployment = self.deployment;
        encode(&stoa_frontend_api::Configuration {
            network: stoa_frontend_api::Network::Development {
                root_key: self.root_key.clone().into(),
            },
            governance: deployment.governance,
            registry: deployment.registry,
            token_ledger: deployment.token_ledger,
            icp_ledger: deployment.icp_ledger,
            cycles_minting: deployment.cycles_minting,
            domains: vec![],
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

/// A function of governance, as `genesis_functions` lists them.
struct Genesis {
    id: u64,
    name: &'static str,
    description: &'static str,
    canister: Principal,
    /// The validator is called the same, after `validate_`.
    method: &'static str,
    topic: Topic,
}

impl From<Genesis> for NervousSystemFunction {
    fn from(function: Genesis) -> Self {
        Self {
            id: function.id,
            name: function.name.to_owned(),
            description: Some(function.description.to_owned()),
            function_type: Some(FunctionType::GenericNervousSystemFunction(
                GenericNervousSystemFunction {
                    validator_canister_id: Some(function.canister),
                    target_canister_id: Some(function.canister),
                    validator_method_name: Some(format!("validate_{}", function.method)),
                    target_method_name: Some(function.method.to_owned()),
                    topic: Some(function.topic),
                },
            )),
        }
    }
}

/// Each inference canister has functions of its own: the n-th the constant and n. As many as the ranges of ids hold; later ones are added by proposals.
const INFERENCE_AT_GENESIS_MAX: usize = 20;

/// What the DAO can do to its canisters from the start.
pub fn genesis_functions(deployment: &Deployment) -> Vec<NervousSystemFunction> {
    let (governance, registry) = (deployment.governance, deployment.registry);
    let of_registry = [
        (
            1_001,
            "Deprecate a version",
            "Advises against a version; it can still be run.",
            "deprecate_version",
            Topic::ApplicationBusinessLogic,
        ),
        (
            1_002,
            "Revoke a version",
            "Takes a version out of the library: it is run no more.",
            "revoke_version",
            Topic::ApplicationBusinessLogic,
        ),
        (
            1_003,
            "Set the registry's parameters",
            "Deposits, limits and times of the registry.",
            "set_parameters",
            Topic::DaoCommunitySettings,
        ),
        (
            ADD_INFERENCE_FUNCTION_ID,
            "Add an inference canister",
            "Lets the registry send callers to another inference canister.",
            "add_inference",
            Topic::DappCanisterManagement,
        ),
        (
            ASSIGN_MODEL_FUNCTION_ID,
            "Assign a model",
            "Says which inference canisters serve a version.",
            "assign_model",
            Topic::ApplicationBusinessLogic,
        ),
        (
            REMOVE_INFERENCE_FUNCTION_ID,
            "Remove an inference canister",
            "The registry sends nobody there any more.",
            "remove_inference",
            Topic::DappCanisterManagement,
        ),
    ]
    .map(|(id, name, description, method, topic)| Genesis {
        id,
        name,
        description,
        canister: registry,
        method,
        topic,
    });
    let of_inference = (0..)
        .zip(deployment.inference.iter().copied())
        .take(INFERENCE_AT_GENESIS_MAX)
        .flat_map(|(number, canister): (u64, Principal)| {
            [
                Genesis {
                    id: SET_POLICY_FUNCTION_ID + number,
                    name: "Set the policy of an inference canister",
                    description: "Prices, shares and limits of its calls.",
                    canister,
                    method: "set_policy",
                    topic: Topic::TreasuryAssetManagement,
                },
                Genesis {
                    id: LOAD_MODEL_FUNCTION_ID + number,
                    name: "Load a model",
                    description: "Has an inference canister load a version, at the DAO's cost.",
                    canister,
                    method: "load_model",
                    topic: Topic::ApplicationBusinessLogic,
                },
                Genesis {
                    id: UNLOAD_MODEL_FUNCTION_ID + number,
                    name: "Unload a model",
                    description: "Frees what a version takes in an inference canister.",
                    canister,
                    method: "unload_model",
                    topic: Topic::ApplicationBusinessLogic,
                },
                Genesis {
                    id: SETTLE_PAYMENT_FUNCTION_ID + number,
                    name: "Settle a payment",
                    description: "Says what became of a payment that only the ledger's blocks tell.",
                    canister,
                    method: "settle_payment",
                    topic: Topic::TreasuryAssetManagement,
                },
            ]
        });
    let own = [
        Genesis {
            id: 1_200,
            name: "Set the cycles policy",
            description: "When and with how much governance tops up canisters of the DAO.",
            canister: governance,
            method: "set_cycles_policy",
            topic: Topic::TreasuryAssetManagement,
        },
        Genesis {
            id: 1_201,
            name: "Add a canister to the DAO",
            description: "Lets a canister that governance alone controls ask for cycles.",
            canister: governance,
            method: "add_dao_canister",
            topic: Topic::DappCanisterManagement,
        },
        Genesis {
            id: 1_202,
            name: "Remove a canister from the DAO",
            description: "Governance keeps it alive no longer.",
            canister: governance,
            method: "remove_dao_canister",
            topic: Topic::DappCanisterManagement,
        },
        Genesis {
            id: UPGRADE_CANISTERS_FUNCTION_ID,
            name: "Upgrade many canisters",
            description: "Installs one module into many canisters, one after the other: all shards of the fleet.",
            canister: governance,
            method: "upgrade_canisters",
            topic: Topic::DappCanisterManagement,
        },
    ];
    std::iter::once(admit_version_function(deployment.registry))
        .chain(
            of_registry
                .into_iter()
                .chain(of_inference)
                .chain(own)
                .map(NervousSystemFunction::from),
        )
        .chain(crate::fleet::functions(registry))
        .collect()
}

/// How governance admits a version.
pub fn admit_version_function(registry: Principal) -> NervousSystemFunction {
    Genesis {
        id: ADMIT_VERSION_FUNCTION_ID,
        name: "Admit a version",
        description: "Takes a sealed version of a model into the library, so that it can be run.",
        canister: registry,
        method: "admit_version",
        topic: Topic::ApplicationBusinessLogic,
    }
    .into()
}
