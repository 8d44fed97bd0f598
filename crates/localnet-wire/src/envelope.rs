//! The envelope of a request: parsed from CBOR into types in which a malformed
//! request cannot exist. Nothing here says that it is authentic.

use candid::Principal;
use serde::Deserialize;
use serde_bytes::ByteBuf;
use stoa_types::rih::{self, Value};

use crate::replica::RequestId;

pub(crate) const NONCE_BYTES_MAX: usize = 32;
pub(crate) const PATHS_MAX: usize = 1_000;
pub(crate) const LABELS_PER_PATH_MAX: usize = 127;
pub(crate) const DELEGATIONS_MAX: usize = 20;
pub(crate) const TARGETS_PER_DELEGATION_MAX: usize = 1_000;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum EnvelopeError {
    #[error("Could not parse body as a CBOR request envelope: {0}")]
    NotAnEnvelope(String),
    #[error("Could not parse body as a CBOR request envelope: {given} bytes follow it")]
    TrailingBytes { given: usize },
    #[error("Expected a request of type {expected}, got one of type {given:.32}")]
    WrongRequestType {
        expected: &'static str,
        given: String,
    },
    #[error("Malformed request: the field {field} is missing")]
    FieldMissing { field: &'static str },
    #[error("Malformed request: the field {field} holds {given} bytes, a principal at most 29")]
    PrincipalTooLong { field: &'static str, given: usize },
    #[error("Malformed request: the nonce holds {given} bytes, {NONCE_BYTES_MAX} are allowed")]
    NonceTooLong { given: usize },
    #[error("Malformed request: {given} paths are requested, {PATHS_MAX} are allowed")]
    TooManyPaths { given: usize },
    #[error("Malformed request: a path has {given} labels, {LABELS_PER_PATH_MAX} are allowed")]
    PathTooLong { given: usize },
    #[error("Invalid delegation: {given} delegations are given, {DELEGATIONS_MAX} are allowed")]
    TooManyDelegations { given: usize },
    #[error(
        "Invalid delegation: a delegation has {given} targets, {TARGETS_PER_DELEGATION_MAX} are allowed"
    )]
    TooManyTargets { given: usize },
    #[error("Malformed request: sender_pubkey and sender_sig must be given together")]
    HalfASignature,
    #[error("Malformed request: sender_delegation is given without a signature")]
    DelegationWithoutSignature,
    #[error("Malformed request: sender_info is not allowed in a {request_type} request")]
    SenderInfoMisplaced { request_type: &'static str },
}

/// A request with the proof that its sender sent it.
#[derive(Clone, Debug)]
pub(crate) struct Envelope<C> {
    pub(crate) content: C,
    pub(crate) sender: Principal,
    pub(crate) ingress_expiry: u64,
    pub(crate) request_id: RequestId,
    /// Absent where the request claims to be anonymous.
    pub(crate) signature: Option<SenderSignature>,
    pub(crate) sender_info: Option<SignedSenderInfo>,
}

/// What a canister says of the sender, with its signature over `info`.
#[derive(Clone, Debug)]
pub(crate) struct SignedSenderInfo {
    pub(crate) info: Vec<u8>,
    pub(crate) signer: Principal,
    pub(crate) signature: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(crate) struct SenderSignature {
    pub(crate) public_key: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) delegations: Vec<SignedDelegation>,
}

#[derive(Clone, Debug)]
pub(crate) struct SignedDelegation {
    pub(crate) public_key: Vec<u8>,
    pub(crate) expiration: u64,
    pub(crate) targets: Option<Vec<Principal>>,
    pub(crate) permissions: Option<Permissions>,
    pub(crate) signature: Vec<u8>,
}

/// The kinds of requests that a delegation covers; all of them where it does not say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Permissions {
    /// Queries and `read_state`, not calls.
    Queries,
    All,
}

impl Permissions {
    fn as_text(self) -> &'static str {
        match self {
            Permissions::Queries => "queries",
            Permissions::All => "all",
        }
    }
}

/// What a `call` and a `query` ask for.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) canister_id: Principal,
    pub(crate) method_name: String,
    pub(crate) arg: Vec<u8>,
}

/// What a `read_state` asks for.
#[derive(Clone, Debug)]
pub(crate) struct Paths(pub(crate) Vec<Vec<ByteBuf>>);

#[derive(Deserialize)]
struct WireEnvelope {
    content: WireContent,
    sender_pubkey: Option<ByteBuf>,
    sender_sig: Option<ByteBuf>,
    sender_delegation: Option<Vec<WireSignedDelegation>>,
}

#[derive(Deserialize)]
struct WireSignedDelegation {
    delegation: WireDelegation,
    signature: ByteBuf,
}

#[derive(Deserialize)]
struct WireDelegation {
    pubkey: ByteBuf,
    expiration: u64,
    targets: Option<Vec<ByteBuf>>,
    permissions: Option<Permissions>,
}

/// Fields of every request type; which must be there depends on the type.
#[derive(Deserialize)]
struct WireContent {
    request_type: String,
    sender: ByteBuf,
    ingress_expiry: u64,
    nonce: Option<ByteBuf>,
    canister_id: Option<ByteBuf>,
    method_name: Option<String>,
    arg: Option<ByteBuf>,
    paths: Option<Vec<Vec<ByteBuf>>>,
    sender_info: Option<WireSenderInfo>,
}

#[derive(Deserialize)]
struct WireSenderInfo {
    info: ByteBuf,
    signer: ByteBuf,
    sig: ByteBuf,
}

impl Envelope<Invocation> {
    pub(crate) fn call(body: &[u8]) -> Result<Self, EnvelopeError> {
        parse(body, "call", invocation)
    }

    pub(crate) fn query(body: &[u8]) -> Result<Self, EnvelopeError> {
        parse(body, "query", invocation)
    }
}

impl Envelope<Paths> {
    pub(crate) fn read_state(body: &[u8]) -> Result<Self, EnvelopeError> {
        parse(body, "read_state", paths)
    }
}

fn parse<C>(
    body: &[u8],
    request_type: &'static str,
    content_of: impl Fn(&mut WireContent) -> Result<C, EnvelopeError>,
) -> Result<Envelope<C>, EnvelopeError> {
    let mut rest = body;
    let mut wire: WireEnvelope = ciborium::from_reader(&mut rest)
        .map_err(|error| EnvelopeError::NotAnEnvelope(error.to_string()))?;
    if !rest.is_empty() {
        return Err(EnvelopeError::TrailingBytes { given: rest.len() });
    }
    if wire.content.request_type != request_type {
        return Err(EnvelopeError::WrongRequestType {
            expected: request_type,
            given: wire.content.request_type,
        });
    }
    if wire.content.sender_info.is_some() && request_type == "read_state" {
        return Err(EnvelopeError::SenderInfoMisplaced { request_type });
    }
    let nonce_length = wire.content.nonce.as_ref().map_or(0, |nonce| nonce.len());
    if nonce_length > NONCE_BYTES_MAX {
        return Err(EnvelopeError::NonceTooLong {
            given: nonce_length,
        });
    }
    let request_id = request_id(&wire.content);
    Ok(Envelope {
        sender: principal("sender", &wire.content.sender)?,
        ingress_expiry: wire.content.ingress_expiry,
        content: content_of(&mut wire.content)?,
        request_id,
        sender_info: sender_info(wire.content.sender_info.take())?,
        signature: signature(&mut wire)?,
    })
}

fn sender_info(wire: Option<WireSenderInfo>) -> Result<Option<SignedSenderInfo>, EnvelopeError> {
    wire.map(|given| {
        Ok(SignedSenderInfo {
            signer: principal("sender_info.signer", &given.signer)?,
            info: given.info.into_vec(),
            signature: given.sig.into_vec(),
        })
    })
    .transpose()
}

fn invocation(content: &mut WireContent) -> Result<Invocation, EnvelopeError> {
    let canister_id = required("canister_id", content.canister_id.take())?;
    Ok(Invocation {
        canister_id: principal("canister_id", &canister_id)?,
        method_name: required("method_name", content.method_name.take())?,
        arg: required("arg", content.arg.take())?.into_vec(),
    })
}

fn paths(content: &mut WireContent) -> Result<Paths, EnvelopeError> {
    let paths = required("paths", content.paths.take())?;
    if paths.len() > PATHS_MAX {
        return Err(EnvelopeError::TooManyPaths { given: paths.len() });
    }
    if let Some(path) = paths.iter().find(|path| path.len() > LABELS_PER_PATH_MAX) {
        return Err(EnvelopeError::PathTooLong { given: path.len() });
    }
    Ok(Paths(paths))
}

fn signature(wire: &mut WireEnvelope) -> Result<Option<SenderSignature>, EnvelopeError> {
    let delegations = wire.sender_delegation.take();
    match (wire.sender_pubkey.take(), wire.sender_sig.take()) {
        (None, None) if delegations.is_some() => Err(EnvelopeError::DelegationWithoutSignature),
        (None, None) => Ok(None),
        (Some(public_key), Some(signature)) => Ok(Some(SenderSignature {
            public_key: public_key.into_vec(),
            signature: signature.into_vec(),
            delegations: signed_delegations(delegations.unwrap_or_default())?,
        })),
        (Some(_), None) | (None, Some(_)) => Err(EnvelopeError::HalfASignature),
    }
}

fn signed_delegations(
    wire: Vec<WireSignedDelegation>,
) -> Result<Vec<SignedDelegation>, EnvelopeError> {
    if wire.len() > DELEGATIONS_MAX {
        return Err(EnvelopeError::TooManyDelegations { given: wire.len() });
    }
    wire.into_iter()
        .map(|signed| {
            let targets = signed.delegation.targets.map(targets).transpose()?;
            Ok(SignedDelegation {
                public_key: signed.delegation.pubkey.into_vec(),
                expiration: signed.delegation.expiration,
                targets,
                permissions: signed.delegation.permissions,
                signature: signed.signature.into_vec(),
            })
        })
        .collect()
}

fn targets(wire: Vec<ByteBuf>) -> Result<Vec<Principal>, EnvelopeError> {
    if wire.len() > TARGETS_PER_DELEGATION_MAX {
        return Err(EnvelopeError::TooManyTargets { given: wire.len() });
    }
    wire.iter()
        .map(|target| principal("targets", target))
        .collect()
}

fn required<T>(field: &'static str, value: Option<T>) -> Result<T, EnvelopeError> {
    value.ok_or(EnvelopeError::FieldMissing { field })
}

fn principal(field: &'static str, bytes: &[u8]) -> Result<Principal, EnvelopeError> {
    Principal::try_from_slice(bytes).map_err(|_| EnvelopeError::PrincipalTooLong {
        field,
        given: bytes.len(),
    })
}

/// The hash of the content as it was sent: absent fields are left out.
fn request_id(content: &WireContent) -> RequestId {
    let mut fields = vec![
        ("request_type", Value::Text(&content.request_type)),
        ("sender", Value::Blob(&content.sender)),
        ("ingress_expiry", content.ingress_expiry.into()),
    ];
    let blobs = [
        ("nonce", &content.nonce),
        ("canister_id", &content.canister_id),
        ("arg", &content.arg),
    ];
    for (name, blob) in blobs {
        fields.extend(blob.as_ref().map(|bytes| (name, Value::Blob(bytes))));
    }
    if let Some(method_name) = &content.method_name {
        fields.push(("method_name", Value::Text(method_name)));
    }
    if let Some(given) = &content.sender_info {
        let given = vec![
            ("info", Value::Blob(&given.info)),
            ("signer", Value::Blob(&given.signer)),
            ("sig", Value::Blob(&given.sig)),
        ];
        fields.push(("sender_info", Value::Map(given)));
    }
    if let Some(paths) = &content.paths {
        let paths = paths.iter().map(|path| path_value(path)).collect();
        fields.push(("paths", Value::Array(paths)));
    }
    RequestId(rih::hash(&Value::Map(fields)).0)
}

fn path_value(labels: &[ByteBuf]) -> Value<'_> {
    Value::Array(labels.iter().map(|label| Value::Blob(label)).collect())
}

impl SignedDelegation {
    /// The representation-independent hash of the delegation, which is signed.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut fields = vec![
            ("pubkey", Value::Blob(&self.public_key)),
            ("expiration", self.expiration.into()),
        ];
        if let Some(targets) = &self.targets {
            let targets = targets
                .iter()
                .map(|target| Value::Blob(target.as_slice()))
                .collect();
            fields.push(("targets", Value::Array(targets)));
        }
        if let Some(permissions) = self.permissions {
            fields.push(("permissions", Value::Text(permissions.as_text())));
        }
        rih::hash(&Value::Map(fields)).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ciborium::cbor;

    fn bytes(bytes: &[u8]) -> ciborium::Value {
        ciborium::Value::Bytes(bytes.to_vec())
    }

    fn encode(content: ciborium::Value) -> Vec<u8> {
        let envelope = cbor!({ "content" => content }).expect("CBOR");
        crate::certification::to_cbor(&envelope)
    }

    #[test]
    fn should_give_the_request_id_of_the_specification() {
        let body = encode(
            cbor!({
                "request_type" => "call",
                "sender" => bytes(&[0x04]),
                "ingress_expiry" => 1_685_570_400_000_000_000_u64,
                "canister_id" => bytes(&[0, 0, 0, 0, 0, 0, 0x04, 0xD2]),
                "method_name" => "hello",
                "arg" => bytes(b"DIDL\x00\xFD*"),
            })
            .expect("CBOR"),
        );
        let envelope = Envelope::call(&body).expect("a valid envelope");
        assert_eq!(
            data_encoding::HEXLOWER.encode(&envelope.request_id.0),
            "1d1091364d6bb8a6c16b203ee75467d59ead468f523eb058880ae8ec80e2b101"
        );
    }

    #[test]
    fn should_refuse_bytes_after_the_envelope() {
        let mut body = encode(
            cbor!({
                "request_type" => "read_state",
                "sender" => bytes(&[0x04]),
                "ingress_expiry" => 1,
                "paths" => [],
            })
            .expect("CBOR"),
        );
        assert!(Envelope::read_state(&body).is_ok());
        body.push(0);
        assert_eq!(
            Envelope::read_state(&body).map(|_| ()),
            Err(EnvelopeError::TrailingBytes { given: 1 })
        );
    }

    #[test]
    fn should_refuse_more_paths_or_labels_than_allowed() {
        let read = |paths: Vec<Vec<ciborium::Value>>| {
            let body = encode(
                cbor!({
                    "request_type" => "read_state",
                    "sender" => bytes(&[0x04]),
                    "ingress_expiry" => 1,
                    "paths" => paths,
                })
                .expect("CBOR"),
            );
            Envelope::read_state(&body).map(|_| ())
        };
        assert_eq!(read(vec![vec![bytes(b"time")]; PATHS_MAX]), Ok(()));
        assert_eq!(
            read(vec![vec![bytes(b"time")]; PATHS_MAX + 1]),
            Err(EnvelopeError::TooManyPaths { given: 1_001 })
        );
        assert_eq!(read(vec![vec![bytes(b"a"); LABELS_PER_PATH_MAX]]), Ok(()));
        assert_eq!(
            read(vec![vec![bytes(b"a"); LABELS_PER_PATH_MAX + 1]]),
            Err(EnvelopeError::PathTooLong { given: 128 })
        );
    }
}
