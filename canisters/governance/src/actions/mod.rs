//! What a proposal can ask for, checked at the edge: past `Action::try_from` a value
//! is one that this governance can execute.
//!
//! One file an action, each with the same four questions:
//!
//! | function | when | may call others |
//! |---|---|---|
//! | `parse` | at submission: from the wire, what needs no state | no |
//! | `check` | before and after rendering: whether it could be executed as things stand | no |
//! | `render` | at submission: Markdown for the voters | yes |
//! | `execute` | once, when adopted | yes, after `execution::begin` |
//!
//! and, where its outcome can be learnt after an interruption, a fifth: `recover`.

mod add_function;
mod branding;
mod execute_function;
mod manage_ledger;
mod manage_metadata;
mod manage_parameters;
mod motion;
mod remove_function;
mod set_topics;
mod transfer_treasury;
mod upgrade_canister;

use minicbor::{Decode, Encode};
use stoa_governance_api as api;
use stoa_governance_api::code::action_id;

use crate::function::{GenericFunction, native_topic};
use crate::memory::{State, with_state};
use crate::proposal::Failure;
use crate::refusal::Refusal;
use crate::topic::Topic;

pub use manage_ledger::LedgerChange;
pub use manage_metadata::MetadataChange;
pub use manage_parameters::ParameterChange;
pub use transfer_treasury::TreasuryTransfer;
#[cfg(test)]
pub use upgrade_canister::forget_upgrading;
pub use upgrade_canister::{
    Mode, Module, NotReplaced, Upgrade, forget_modules, install_call, replace, start_remembered,
};

/// A number is never given to another variant.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Action {
    #[n(0)]
    Motion {
        #[n(0)]
        text: String,
    },
    #[n(1)]
    AddFunction {
        #[n(0)]
        function: GenericFunction,
    },
    #[n(2)]
    RemoveFunction {
        #[n(0)]
        id: u64,
    },
    #[n(3)]
    ExecuteFunction {
        #[n(0)]
        id: u64,
        #[cbor(n(1), with = "minicbor::bytes")]
        payload: Vec<u8>,
    },
    #[n(4)]
    ManageParameters {
        #[n(0)]
        change: ParameterChange,
    },
    #[n(5)]
    TransferTreasury {
        #[n(0)]
        transfer: TreasuryTransfer,
    },
    #[n(6)]
    UpgradeCanister {
        #[n(0)]
        upgrade: Upgrade,
    },
    #[n(7)]
    ManageLedger {
        #[n(0)]
        change: LedgerChange,
    },
    #[n(8)]
    ManageMetadata {
        #[n(0)]
        change: MetadataChange,
    },
    #[n(9)]
    SetTopics {
        #[n(0)]
        topics: Vec<(u64, Topic)>,
    },
}

/// How an execution stands when its message is over.
pub enum Performed {
    Finished(Result<(), Failure>),
    /// A journal of the action's own goes on with it, survives interruptions, and calls
    /// `execution::record` in the end.
    InJournal,
}

impl From<Result<(), Refusal>> for Performed {
    fn from(result: Result<(), Refusal>) -> Self {
        Self::Finished(result.map_err(Failure::from))
    }
}

fn invalid<T>(reason: String) -> Result<T, Refusal> {
    Err(Refusal::InvalidProposal { reason })
}

impl TryFrom<api::Action> for Action {
    type Error = Refusal;
    fn try_from(wire: api::Action) -> Result<Self, Refusal> {
        match wire {
            api::Action::Motion(motion) => motion::parse(motion),
            api::Action::AddGenericNervousSystemFunction(function) => Ok(Self::AddFunction {
                function: function.try_into()?,
            }),
            api::Action::RemoveGenericNervousSystemFunction(id) => Ok(Self::RemoveFunction { id }),
            api::Action::ExecuteGenericNervousSystemFunction(execute) => {
                execute_function::parse(execute)
            }
            api::Action::ManageNervousSystemParameters(change) => manage_parameters::parse(change),
            api::Action::Unspecified {} => Err(Refusal::Unsupported {
                what: "the action Unspecified",
            }),
            api::Action::UpgradeSnsControlledCanister(upgrade) => upgrade_canister::parse(upgrade),
            api::Action::ManageSnsMetadata(change) => manage_metadata::parse(change),
            api::Action::SetTopicsForCustomProposals(topics) => set_topics::parse(topics),
            api::Action::TransferSnsTreasuryFunds(transfer) => transfer_treasury::parse(transfer),
            api::Action::ManageLedgerParameters(change) => manage_ledger::parse(change),
        }
    }
}

impl From<Action> for api::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Motion { text } => Self::Motion(api::Motion { motion_text: text }),
            Action::AddFunction { function } => {
                Self::AddGenericNervousSystemFunction(function.into())
            }
            Action::RemoveFunction { id } => Self::RemoveGenericNervousSystemFunction(id),
            Action::ExecuteFunction { id, payload } => Self::ExecuteGenericNervousSystemFunction(
                api::ExecuteGenericNervousSystemFunction {
                    function_id: id,
                    payload,
                },
            ),
            Action::ManageParameters { change } => {
                Self::ManageNervousSystemParameters((&change).into())
            }
            Action::TransferTreasury { transfer } => {
                Self::TransferSnsTreasuryFunds(transfer.into())
            }
            Action::UpgradeCanister { upgrade } => {
                Self::UpgradeSnsControlledCanister(upgrade.into())
            }
            Action::ManageLedger { change } => Self::ManageLedgerParameters(change.into()),
            Action::ManageMetadata { change } => Self::ManageSnsMetadata(change.into()),
            Action::SetTopics { topics } => {
                Self::SetTopicsForCustomProposals(set_topics::to_wire(topics))
            }
        }
    }
}

impl Action {
    /// As `ProposalData::action` gives it: the function's own id for a generic call.
    pub fn id(&self) -> u64 {
        match self {
            Self::Motion { .. } => action_id::MOTION,
            Self::AddFunction { .. } => action_id::ADD_GENERIC_NERVOUS_SYSTEM_FUNCTION,
            Self::RemoveFunction { .. } => action_id::REMOVE_GENERIC_NERVOUS_SYSTEM_FUNCTION,
            Self::ExecuteFunction { id, .. } => *id,
            Self::ManageParameters { .. } => action_id::MANAGE_NERVOUS_SYSTEM_PARAMETERS,
            Self::TransferTreasury { .. } => action_id::TRANSFER_SNS_TREASURY_FUNDS,
            Self::UpgradeCanister { .. } => action_id::UPGRADE_SNS_CONTROLLED_CANISTER,
            Self::ManageLedger { .. } => action_id::MANAGE_LEDGER_PARAMETERS,
            Self::ManageMetadata { .. } => action_id::MANAGE_SNS_METADATA,
            Self::SetTopics { .. } => action_id::SET_TOPICS_FOR_CUSTOM_PROPOSALS,
        }
    }

    /// Of a generic function; the other actions are rendered in full.
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::ExecuteFunction { payload, .. } => payload,
            _ => &[],
        }
    }

    pub fn topic(&self, state: &State) -> Option<Topic> {
        match self {
            Self::ExecuteFunction { id, .. } => state.generic_function(*id).ok()?.topic,
            native => native_topic(native.id()),
        }
    }

    /// Whether it could be executed as things stand, as far as governance itself knows.
    pub fn check(&self, state: &State) -> Result<(), Refusal> {
        match self {
            Self::Motion { .. } => Ok(()),
            Self::AddFunction { function } => add_function::check(function, state),
            Self::RemoveFunction { id } => remove_function::check(*id, state),
            Self::ExecuteFunction { id, .. } => execute_function::check(*id, state),
            Self::ManageParameters { change } => manage_parameters::check(change, state),
            Self::TransferTreasury { .. } | Self::ManageMetadata { .. } => Ok(()),
            Self::UpgradeCanister { upgrade } => upgrade_canister::check(upgrade, state),
            Self::ManageLedger { change } => manage_ledger::check(change, state),
            Self::SetTopics { topics } => set_topics::check(topics, state),
        }
    }

    /// For voters, in Markdown. May ask other canisters; the neuron is locked meanwhile.
    pub async fn render(&self) -> Result<String, Refusal> {
        match self {
            Self::Motion { text } => Ok(motion::render(text)),
            Self::AddFunction { function } => Ok(add_function::render(function)),
            Self::RemoveFunction { id } => with_state(|state| remove_function::render(*id, state)),
            Self::ExecuteFunction { id, payload } => execute_function::render(*id, payload).await,
            Self::ManageParameters { change } => {
                with_state(|state| manage_parameters::render(change, state))
            }
            Self::TransferTreasury { transfer } => Ok(transfer_treasury::render(transfer)),
            Self::UpgradeCanister { upgrade } => Ok(upgrade_canister::render(upgrade)),
            Self::ManageLedger { change } => manage_ledger::render(change).await,
            Self::ManageMetadata { change } => {
                Ok(with_state(|state| manage_metadata::render(change, state)))
            }
            Self::SetTopics { topics } => with_state(|state| set_topics::render(topics, state)),
        }
    }

    /// Puts apart what is too long for a listing, when the proposal has its number.
    pub fn keep(self, state: &mut State, proposal: u64) -> Self {
        match self {
            Self::UpgradeCanister { upgrade } => Self::UpgradeCanister {
                upgrade: upgrade_canister::keep(upgrade, state, proposal),
            },
            other => other,
        }
    }

    /// Runs in a message of its own, once. Whatever awaits calls `execution::begin` in
    /// the message that makes its first call.
    pub async fn execute(self, proposal: u64) -> Performed {
        match self {
            Self::Motion { .. } => Performed::Finished(Ok(())),
            Self::AddFunction { function } => add_function::execute(function),
            Self::RemoveFunction { id } => remove_function::execute(id),
            Self::ExecuteFunction { id, payload } => {
                execute_function::execute(proposal, id, &payload).await
            }
            Self::ManageParameters { change } => manage_parameters::execute(&change),
            Self::TransferTreasury { transfer } => transfer_treasury::execute(proposal, transfer),
            Self::UpgradeCanister { upgrade } => upgrade_canister::execute(proposal, upgrade).await,
            Self::ManageLedger { change } => manage_ledger::execute(proposal, change).await,
            Self::ManageMetadata { change } => manage_metadata::execute(change),
            Self::SetTopics { topics } => set_topics::execute(&topics),
        }
    }

    /// Asked about an execution that had begun and that nobody waits for any more (the
    /// canister was upgraded, the callback trapped). `None`: its outcome cannot be learnt.
    pub async fn recover(self, _proposal: u64) -> Option<Performed> {
        match self {
            // Done in the message that began them, or not known.
            Self::Motion { .. }
            | Self::AddFunction { .. }
            | Self::RemoveFunction { .. }
            | Self::ExecuteFunction { .. }
            | Self::ManageParameters { .. }
            | Self::TransferTreasury { .. }
            | Self::ManageMetadata { .. }
            | Self::SetTopics { .. } => None,
            Self::UpgradeCanister { upgrade } => upgrade_canister::recover(upgrade).await,
            Self::ManageLedger { change } => manage_ledger::recover(change).await,
        }
    }
}
