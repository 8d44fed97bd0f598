//! What a proposal can ask for, checked at the edge: past `Action::try_from` a value
//! is one that this governance can execute.

use minicbor::{Decode, Encode};
use stoa_governance_api as api;
use stoa_governance_api::code::action_id;

use crate::function::{GenericFunction, native_topic};
use crate::memory::State;
use crate::refusal::Refusal;
use crate::runtime;
use crate::topic::Topic;

/// The SNS's limit.
const MOTION_TEXT_LENGTH_BYTES_MAX: usize = 10_000;
/// The SNS's limit is 70,000; a multiple of the page size reads better in errors.
pub const PAYLOAD_LENGTH_BYTES_MAX: usize = 64 * 1024;

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
}

fn invalid<T>(reason: String) -> Result<T, Refusal> {
    Err(Refusal::InvalidProposal { reason })
}

impl TryFrom<api::Action> for Action {
    type Error = Refusal;
    fn try_from(wire: api::Action) -> Result<Self, Refusal> {
        let unsupported = |what| Err(Refusal::Unsupported { what });
        match wire {
            api::Action::Motion(motion) => {
                let length = motion.motion_text.len();
                if length > MOTION_TEXT_LENGTH_BYTES_MAX {
                    return invalid(format!(
                        "the motion has {length} bytes, at most {MOTION_TEXT_LENGTH_BYTES_MAX} are allowed"
                    ));
                }
                Ok(Self::Motion {
                    text: motion.motion_text,
                })
            }
            api::Action::AddGenericNervousSystemFunction(function) => Ok(Self::AddFunction {
                function: function.try_into()?,
            }),
            api::Action::RemoveGenericNervousSystemFunction(id) => Ok(Self::RemoveFunction { id }),
            api::Action::ExecuteGenericNervousSystemFunction(execute) => {
                let length = execute.payload.len();
                if length > PAYLOAD_LENGTH_BYTES_MAX {
                    return invalid(format!(
                        "the payload has {length} bytes, at most {PAYLOAD_LENGTH_BYTES_MAX} are allowed"
                    ));
                }
                Ok(Self::ExecuteFunction {
                    id: execute.function_id,
                    payload: execute.payload,
                })
            }
            api::Action::Unspecified {} => unsupported("the action Unspecified"),
            api::Action::ManageNervousSystemParameters(_) => {
                unsupported("the action ManageNervousSystemParameters")
            }
            api::Action::UpgradeSnsControlledCanister(_) => {
                unsupported("the action UpgradeSnsControlledCanister")
            }
            api::Action::ManageSnsMetadata(_) => unsupported("the action ManageSnsMetadata"),
            api::Action::TransferSnsTreasuryFunds(_) => {
                unsupported("the action TransferSnsTreasuryFunds")
            }
            api::Action::ManageLedgerParameters(_) => {
                unsupported("the action ManageLedgerParameters")
            }
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
            Self::AddFunction { function } => {
                state.check_addable(function, runtime::canister_self())
            }
            Self::RemoveFunction { id } | Self::ExecuteFunction { id, .. } => {
                state.generic_function(*id).map(|_| ())
            }
        }
    }

    /// For voters, in Markdown. A generic call is rendered by its validator instead.
    pub fn render(&self, state: &State) -> Result<String, Refusal> {
        Ok(match self {
            Self::Motion { text } => format!("# Motion\n\n{text}"),
            Self::AddFunction { function } => format!(
                "# Add generic function {}\n\n## Name\n\n{}\n\n## Description\n\n{}\n\n\
                 ## Validator\n\n`{}` of {}\n\n## Target\n\n`{}` of {}\n\n## Topic\n\n{}",
                function.id,
                function.name,
                function.description.as_deref().unwrap_or("(none)"),
                function.validator_method,
                function.validator_canister,
                function.target_method,
                function.target_canister,
                function.topic.map_or("(none)", Topic::name),
            ),
            Self::RemoveFunction { id } => {
                let function = state.generic_function(*id)?;
                format!(
                    "# Remove generic function {id}\n\n## Name\n\n{}\n\n## Target\n\n`{}` of {}",
                    function.name, function.target_method, function.target_canister
                )
            }
            Self::ExecuteFunction { id, payload } => {
                format!("# Execute generic function {id}\n\n{} bytes", payload.len())
            }
        })
    }
}
