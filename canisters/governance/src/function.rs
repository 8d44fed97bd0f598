//! Functions: the native ones, which are actions of governance itself, and the
//! generic ones, which name a method of another canister. A generic function's id is
//! given once; when the function is removed, its id stays taken.

use candid::Principal;
use minicbor::{Decode, Encode};
use stoa_governance_api as api;
use stoa_governance_api::code::action_id;

use crate::cbor::Cbor;
use crate::memory::State;
use crate::own_functions;
use crate::refusal::Refusal;
use crate::topic::Topic;

/// The SNS's limits.
const NAME_LENGTH_BYTES_MAX: usize = 256;
const DESCRIPTION_LENGTH_BYTES_MAX: usize = 10_000;
/// The platform's limit on method names is 20,000 bytes; no real one is near this.
const METHOD_NAME_LENGTH_BYTES_MAX: usize = 256;
/// With descriptions of 10 kB each, all of them fit an answer of 2 MiB.
pub const FUNCTIONS_MAX: u64 = 150;
/// Removed ones count here: an id is 8 bytes, the list stays short in an answer.
const IDS_MAX: u64 = 10_000;

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct GenericFunction {
    #[n(0)]
    pub id: u64,
    #[n(1)]
    pub name: String,
    #[n(2)]
    pub description: Option<String>,
    #[cbor(n(3), with = "crate::cbor::principal")]
    pub validator_canister: Principal,
    #[n(4)]
    pub validator_method: String,
    #[cbor(n(5), with = "crate::cbor::principal")]
    pub target_canister: Principal,
    #[n(6)]
    pub target_method: String,
    #[n(7)]
    pub topic: Option<Topic>,
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum StoredFunction {
    #[n(0)]
    Present(#[n(0)] GenericFunction),
    /// The id stays reserved.
    #[n(1)]
    Removed,
}

fn invalid<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::InvalidProposal {
        reason: reason.into(),
    })
}

fn required<T>(value: Option<T>, field: &str) -> Result<T, Refusal> {
    match value {
        Some(value) => Ok(value),
        None => invalid(format!("a generic function needs `{field}`")),
    }
}

fn short(text: &str, field: &str, min: usize, max: usize) -> Result<(), Refusal> {
    if (min..=max).contains(&text.len()) {
        return Ok(());
    }
    invalid(format!(
        "`{field}` has {} bytes, it must have from {min} to {max}",
        text.len()
    ))
}

impl TryFrom<api::NervousSystemFunction> for GenericFunction {
    type Error = Refusal;
    fn try_from(wire: api::NervousSystemFunction) -> Result<Self, Refusal> {
        if wire.id < action_id::FIRST_GENERIC {
            return invalid(format!(
                "generic functions have ids from {}, not {}",
                action_id::FIRST_GENERIC,
                wire.id
            ));
        }
        short(&wire.name, "name", 1, NAME_LENGTH_BYTES_MAX)?;
        if let Some(description) = &wire.description {
            short(description, "description", 0, DESCRIPTION_LENGTH_BYTES_MAX)?;
        }
        let Some(api::FunctionType::GenericNervousSystemFunction(generic)) = wire.function_type
        else {
            return invalid("only generic functions can be added");
        };
        let validator_method = required(generic.validator_method_name, "validator_method_name")?;
        let target_method = required(generic.target_method_name, "target_method_name")?;
        short(
            &validator_method,
            "validator_method_name",
            1,
            METHOD_NAME_LENGTH_BYTES_MAX,
        )?;
        short(
            &target_method,
            "target_method_name",
            1,
            METHOD_NAME_LENGTH_BYTES_MAX,
        )?;
        Ok(Self {
            id: wire.id,
            name: wire.name,
            description: wire.description,
            validator_canister: required(generic.validator_canister_id, "validator_canister_id")?,
            validator_method,
            target_canister: required(generic.target_canister_id, "target_canister_id")?,
            target_method,
            topic: generic.topic.map(Into::into),
        })
    }
}

impl From<GenericFunction> for api::NervousSystemFunction {
    fn from(function: GenericFunction) -> Self {
        Self {
            id: function.id,
            name: function.name,
            description: function.description,
            function_type: Some(api::FunctionType::GenericNervousSystemFunction(
                api::GenericNervousSystemFunction {
                    validator_canister_id: Some(function.validator_canister),
                    target_canister_id: Some(function.target_canister),
                    validator_method_name: Some(function.validator_method),
                    target_method_name: Some(function.target_method),
                    topic: function.topic.map(Into::into),
                },
            )),
        }
    }
}

impl State {
    pub fn generic_function(&self, id: u64) -> Result<GenericFunction, Refusal> {
        match self.functions.get(&id) {
            Some(Cbor(StoredFunction::Present(function))) => Ok(function),
            _ => Err(Refusal::UnknownFunction { function: id }),
        }
    }

    pub fn present_functions(&self) -> impl Iterator<Item = GenericFunction> {
        self.functions
            .values()
            .filter_map(|Cbor(stored)| match stored {
                StoredFunction::Present(function) => Some(function),
                StoredFunction::Removed => None,
            })
    }

    pub fn reserved_ids(&self) -> impl Iterator<Item = u64> {
        self.functions
            .iter()
            .filter_map(|entry| match entry.value().0 {
                StoredFunction::Present(_) => None,
                StoredFunction::Removed => Some(*entry.key()),
            })
    }

    /// Whether the function could be added now. Governance as the caller has rights
    /// that a generic call must not lend out, so canisters that obey its bare word
    /// (as the SNS has it) cannot be targets.
    pub fn check_addable(
        &self,
        function: &GenericFunction,
        itself: Principal,
    ) -> Result<(), Refusal> {
        if self.functions.contains_key(&function.id) {
            return invalid(format!("the id {} has been given", function.id));
        }
        if self.functions.len() >= IDS_MAX
            || self.present_functions().count() as u64 >= FUNCTIONS_MAX
        {
            return invalid(format!(
                "there are at most {FUNCTIONS_MAX} generic functions and {IDS_MAX} ids"
            ));
        }
        // What governance offers itself is the exception, with the validator that goes with it.
        let methods = (
            function.target_method.as_str(),
            function.validator_method.as_str(),
        );
        if function.target_canister == itself
            && function.validator_canister == itself
            && own_functions::METHODS.contains(&methods)
        {
            return Ok(());
        }
        let settings = self.settings();
        let reserved = [
            Principal::management_canister(),
            itself,
            settings.token_ledger,
            settings.icp_ledger,
            settings.cycles_minting,
        ];
        for canister in [function.target_canister, function.validator_canister] {
            if reserved.contains(&canister) {
                return invalid(format!(
                    "{canister} cannot be the target or validator of a generic function"
                ));
            }
        }
        Ok(())
    }

    pub fn add_function(
        &mut self,
        function: GenericFunction,
        itself: Principal,
    ) -> Result<(), Refusal> {
        self.check_addable(&function, itself)?;
        self.functions
            .insert(function.id, Cbor(StoredFunction::Present(function)));
        Ok(())
    }

    pub fn set_topic(&mut self, id: u64, topic: Topic) -> Result<(), Refusal> {
        let function = GenericFunction {
            topic: Some(topic),
            ..self.generic_function(id)?
        };
        self.functions
            .insert(id, Cbor(StoredFunction::Present(function)));
        Ok(())
    }

    pub fn remove_function(&mut self, id: u64) -> Result<(), Refusal> {
        self.generic_function(id)?;
        self.functions.insert(id, Cbor(StoredFunction::Removed));
        Ok(())
    }
}

/// The native actions that this governance executes.
const NATIVE: &[(u64, &str, &str, Topic)] = &[
    (
        action_id::MOTION,
        "Motion",
        "Says what the token holders think; has no direct effect.",
        Topic::Governance,
    ),
    (
        action_id::MANAGE_NERVOUS_SYSTEM_PARAMETERS,
        "Manage nervous system parameters",
        "Changes parameters of governance; what is not given stays as it is.",
        Topic::DaoCommunitySettings,
    ),
    (
        action_id::UPGRADE_SNS_CONTROLLED_CANISTER,
        "Upgrade a canister",
        "Installs new code in a canister of the DAO, governance itself included.",
        Topic::CriticalDappOperations,
    ),
    (
        action_id::ADD_GENERIC_NERVOUS_SYSTEM_FUNCTION,
        "Add nervous system function",
        "Adds a function by which proposals call a method of another canister.",
        Topic::CriticalDappOperations,
    ),
    (
        action_id::REMOVE_GENERIC_NERVOUS_SYSTEM_FUNCTION,
        "Remove nervous system function",
        "Removes a function by which proposals call a method of another canister.",
        Topic::CriticalDappOperations,
    ),
    (
        action_id::MANAGE_SNS_METADATA,
        "Manage name and texts",
        "Changes name, description, address or logo of the DAO.",
        Topic::DaoCommunitySettings,
    ),
    (
        action_id::TRANSFER_SNS_TREASURY_FUNDS,
        "Transfer treasury funds",
        "Pays from the treasury, in ICP or in the governance token.",
        Topic::TreasuryAssetManagement,
    ),
    (
        action_id::MANAGE_LEDGER_PARAMETERS,
        "Manage ledger parameters",
        "Changes fee, name, symbol or logo of the governance token's ledger.",
        Topic::DaoCommunitySettings,
    ),
    (
        action_id::SET_TOPICS_FOR_CUSTOM_PROPOSALS,
        "Set topics of generic functions",
        "Changes which topic proposals of a generic function have from then on.",
        Topic::CriticalDappOperations,
    ),
];

pub fn native_functions() -> impl Iterator<Item = (api::NervousSystemFunction, Topic)> {
    NATIVE.iter().map(|(id, name, description, topic)| {
        let function = api::NervousSystemFunction {
            id: *id,
            name: name.to_string(),
            description: Some(description.to_string()),
            function_type: Some(api::FunctionType::NativeNervousSystemFunction {}),
        };
        (function, *topic)
    })
}

pub fn native_topic(id: u64) -> Option<Topic> {
    NATIVE
        .iter()
        .find(|(native, ..)| *native == id)
        .map(|(.., topic)| *topic)
}
