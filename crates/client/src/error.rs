//! What can go wrong between a user and the network, each with what to do about it.

use std::path::PathBuf;
use std::time::Duration;

use candid::Principal;
use ic_agent::AgentError;

use crate::explain::Explain;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "no Internet Computer endpoint answers at {endpoint}: {source}. Start a local network with `stoa network start`, or name another with --network"
    )]
    Unreachable {
        endpoint: String,
        source: Box<AgentError>,
    },

    #[error("{endpoint} is not a valid endpoint: {source}")]
    InvalidEndpoint {
        endpoint: String,
        source: Box<AgentError>,
    },

    /// The call was refused, trapped or never answered. For an update whose answer was
    /// lost, whether it took effect is unknown.
    #[error("{method} of canister {canister}: {source}")]
    Call {
        canister: Principal,
        method: String,
        source: Box<AgentError>,
    },

    #[error(
        "{method} of canister {canister} answers in a form that this version does not know: {source}. Is `stoa` older or newer than the canister?"
    )]
    UnknownAnswer {
        canister: Principal,
        method: String,
        source: candid::Error,
    },

    #[error("the arguments of {method} could not be encoded: {source}")]
    Encode {
        method: String,
        source: candid::Error,
    },

    /// The canister said no, in its own words.
    #[error("{0}")]
    Refused(String),

    #[error("verification failed: {0}")]
    Verification(#[from] VerificationError),

    #[error("{path}: {source}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },

    #[error("{path}: {reason}")]
    InvalidFile { path: PathBuf, reason: String },

    #[error(
        "there is no {path}: build the canisters with scripts/build, or name their folder in STOA_WASM_DIR"
    )]
    WasmMissing { path: PathBuf },

    #[error("{0}")]
    InvalidArgument(String),

    /// The calls are idempotent and the network knows how far they came.
    #[error(
        "the network at {endpoint} has not answered for {} seconds ({source}): nothing is lost, the same command goes on where this one stopped",
        waited.as_secs()
    )]
    ConnectionLost {
        endpoint: String,
        waited: Duration,
        source: Box<ClientError>,
    },

    #[error("{what} is not done after {} seconds; ask again later, the network goes on with it", waited.as_secs())]
    TimedOut { what: String, waited: Duration },

    #[error("{0}")]
    Failed(String),
}

/// An answer that does not prove what it claims. Whoever gave it is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerificationError {
    #[error("the {part} cannot be read: {reason}")]
    Malformed { part: &'static str, reason: String },
    #[error(
        "the certificate is not signed by the network, is out of date, or is another canister's: {reason}"
    )]
    Certificate { reason: String },
    #[error("the witness does not hash to the certified data of canister {canister}")]
    WitnessNotCertified { canister: Principal },
    #[error("the witness does not show {path}")]
    WitnessLacks { path: String },
    #[error("{what} is {claimed}, but the proof says {proven}")]
    Contradicted {
        what: String,
        claimed: String,
        proven: String,
    },
}

pub type Result<T, E = ClientError> = std::result::Result<T, E>;

/// Turns a canister's own refusal into a [`ClientError`] that says what to do.
pub trait Accepted<T> {
    fn accepted(self) -> Result<T>;
}

impl<T, E: Explain> Accepted<T> for std::result::Result<T, E> {
    fn accepted(self) -> Result<T> {
        self.map_err(|refusal| ClientError::Refused(refusal.explain()))
    }
}

impl ClientError {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// Whether nobody answered at all, or not in the protocol: the call may be repeated if it is idempotent.
    pub fn is_lost_connection(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Call { source, .. } => matches!(
                **source,
                AgentError::TransportError(_)
                    | AgentError::HttpError(_)
                    | AgentError::TimeoutWaitingForResponse()
            ),
            _ => false,
        }
    }

    /// Whether the network itself said that the call was rejected (a trap, an unknown method, a canister that refuses).
    pub fn is_reject(&self) -> bool {
        matches!(self, Self::Call { source, .. } if matches!(
            **source,
            AgentError::CertifiedReject { .. } | AgentError::UncertifiedReject { .. }
        ))
    }
}
