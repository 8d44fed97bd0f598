//! Which paths of the state tree a `read_state` request may ask for.
//!
//! Confidential are the answers to others' requests and private metadata. What
//! may be asked for and does not exist is answered by a proof of absence; what
//! may not be asked for is refused, whether it exists or not.

use candid::Principal;

use crate::authentication::Targets;
use crate::envelope::Paths;
use crate::replica::RequestId;
use crate::state_tree::StateTree;
use crate::witness::Reveal;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum PathError {
    #[error("Invalid path requested.")]
    Unknown,
    #[error("Could not parse a principal in the requested path")]
    NotAPrincipal,
    #[error("Effective id in URL {in_url} does not match the id in a requested path: {in_path}")]
    OtherEffectiveId {
        in_url: Principal,
        in_path: Principal,
    },
    #[error("Could not parse the custom section name: it is not UTF-8")]
    SectionNameNotText,
    #[error("Custom section {0:.100} can only be requested by the controllers of the canister.")]
    PrivateSection(String),
    #[error("Invalid request id in paths: it has {given} bytes and must have 32")]
    RequestIdLength { given: usize },
    #[error("More than one request ID exists in the request_status paths")]
    SeveralRequestIds,
    #[error("More than one subnet ID exists in the canister_ranges paths")]
    SeveralSubnetIds,
    #[error("The user tries to access Request ID not signed by the caller.")]
    RequestOfAnother,
    #[error("The request ID belongs to another effective id than the one in the URL")]
    RequestElsewhere,
    #[error(
        "The user tries to access request IDs for canisters not belonging to sender delegation targets."
    )]
    RequestNotATarget,
}

/// The id in the URL of a `read_state` request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EffectiveId {
    Canister(Principal),
    Subnet(Principal),
}

impl EffectiveId {
    fn principal(self) -> Principal {
        match self {
            EffectiveId::Canister(id) | EffectiveId::Subnet(id) => id,
        }
    }
}

/// Who asks, where, and for which canisters the delegations let them speak.
pub(crate) struct Reader<'a> {
    pub(crate) sender: Principal,
    pub(crate) effective_id: EffectiveId,
    pub(crate) targets: &'a Targets,
}

/// Checks all paths and gives the parts of the tree to show.
pub(crate) fn permitted(
    state: &StateTree,
    reader: &Reader<'_>,
    paths: &Paths,
) -> Result<Reveal, PathError> {
    let mut reveal = Reveal::nothing();
    let mut only_request: Option<RequestId> = None;
    let mut only_subnet: Option<&[u8]> = None;
    for path in &paths.0 {
        let labels: Vec<&[u8]> = path.iter().map(|label| label.as_slice()).collect();
        match (reader.effective_id, labels.as_slice()) {
            (_, [b"time"]) => {}
            (_, [b"api_boundary_nodes"] | [b"api_boundary_nodes", _]) => {}
            (
                _,
                [
                    b"api_boundary_nodes",
                    _,
                    b"domain" | b"ipv4_address" | b"ipv6_address",
                ],
            ) => {}
            (_, [b"subnet"] | [b"subnet", _]) => {}
            (
                _,
                [
                    b"subnet",
                    _,
                    b"public_key" | b"canister_ranges" | b"type" | b"node",
                ],
            ) => {}
            (_, [b"subnet", _, b"node", _] | [b"subnet", _, b"node", _, b"public_key"]) => {}
            (EffectiveId::Subnet(_), [b"subnet", subnet_id, b"metrics"]) => {
                check_effective_id(reader, subnet_id)?;
            }
            (EffectiveId::Subnet(_), [b"canister_ranges", subnet_id]) => {
                if only_subnet.replace(subnet_id).unwrap_or(subnet_id) != *subnet_id {
                    return Err(PathError::SeveralSubnetIds);
                }
            }
            (
                EffectiveId::Canister(_),
                [b"canister", canister_id, b"controllers" | b"module_hash"],
            ) => {
                check_effective_id(reader, canister_id)?;
            }
            (EffectiveId::Canister(_), [b"canister", canister_id, b"metadata", name]) => {
                let canister_id = check_effective_id(reader, canister_id)?;
                check_metadata(state, reader, canister_id, name)?;
            }
            (
                _,
                [b"request_status", id]
                | [
                    b"request_status",
                    id,
                    b"status" | b"reply" | b"reject_code" | b"reject_message" | b"error_code",
                ],
            ) => {
                let id = request_id(id)?;
                if only_request.replace(id).unwrap_or(id) != id {
                    return Err(PathError::SeveralRequestIds);
                }
                check_request(state, reader, id)?;
            }
            _ => return Err(PathError::Unknown),
        }
        reveal.add(&labels);
    }
    Ok(reveal)
}

fn check_effective_id(reader: &Reader<'_>, label: &[u8]) -> Result<Principal, PathError> {
    let in_path = Principal::try_from_slice(label).map_err(|_| PathError::NotAPrincipal)?;
    let in_url = reader.effective_id.principal();
    if in_path == in_url {
        Ok(in_path)
    } else {
        Err(PathError::OtherEffectiveId { in_url, in_path })
    }
}

fn check_metadata(
    state: &StateTree,
    reader: &Reader<'_>,
    canister_id: Principal,
    name: &[u8],
) -> Result<(), PathError> {
    let name = std::str::from_utf8(name).map_err(|_| PathError::SectionNameNotText)?;
    let Some(canister) = state.canisters.get(&canister_id) else {
        return Ok(());
    };
    match canister.metadata.get(name) {
        Some(metadata) if !metadata.public && !canister.controllers.contains(&reader.sender) => {
            Err(PathError::PrivateSection(name.to_owned()))
        }
        _ => Ok(()),
    }
}

fn request_id(label: &[u8]) -> Result<RequestId, PathError> {
    let id = <[u8; 32]>::try_from(label)
        .map_err(|_| PathError::RequestIdLength { given: label.len() })?;
    Ok(RequestId(id))
}

/// The effective id of a management call is not kept with the request, so its
/// sender may read it under any.
fn check_request(state: &StateTree, reader: &Reader<'_>, id: RequestId) -> Result<(), PathError> {
    let Some(request) = state.requests.get(&id) else {
        return Ok(());
    };
    if request.sender != reader.sender {
        return Err(PathError::RequestOfAnother);
    }
    if !reader.targets.contains(&request.canister_id) {
        return Err(PathError::RequestNotATarget);
    }
    let to_management = request.canister_id == Principal::management_canister();
    if !to_management && reader.effective_id != EffectiveId::Canister(request.canister_id) {
        return Err(PathError::RequestElsewhere);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_tree::{CanisterEntry, Metadata, RequestEntry, RequestStatus};
    use serde_bytes::ByteBuf;

    const OWNER: Principal = Principal::from_slice(&[1, 2]);
    const STRANGER: Principal = Principal::from_slice(&[2, 2]);
    const CANISTER: Principal = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
    const REQUEST: RequestId = RequestId([5; 32]);

    fn state() -> StateTree {
        let mut state = StateTree::default();
        let section = |public| Metadata {
            public,
            content: b"content".to_vec(),
        };
        let canister = CanisterEntry {
            module_hash: Some([1; 32]),
            controllers: vec![OWNER],
            metadata: [
                ("open".to_owned(), section(true)),
                ("shut".to_owned(), section(false)),
            ]
            .into(),
            certified_data: vec![],
        };
        state.canisters.insert(CANISTER, canister);
        let request = RequestEntry {
            sender: OWNER,
            canister_id: CANISTER,
            status: RequestStatus::Processing,
            forget_at_nanos: u64::MAX,
        };
        state.requests.insert(REQUEST, request);
        state
    }

    fn ask(sender: Principal, effective_id: EffectiveId, path: &[&[u8]]) -> Result<(), PathError> {
        ask_all(sender, effective_id, &[path])
    }

    fn ask_all(
        sender: Principal,
        effective_id: EffectiveId,
        paths: &[&[&[u8]]],
    ) -> Result<(), PathError> {
        let label = |label: &&[u8]| ByteBuf::from(label.to_vec());
        let paths = paths
            .iter()
            .map(|path| path.iter().map(label).collect())
            .collect();
        let reader = Reader {
            sender,
            effective_id,
            targets: &Targets::All,
        };
        permitted(&state(), &reader, &Paths(paths)).map(|_| ())
    }

    const AT_CANISTER: EffectiveId = EffectiveId::Canister(CANISTER);

    #[test]
    fn should_show_private_metadata_to_controllers_only() {
        let section = |name: &'static [u8]| {
            [
                b"canister".as_slice(),
                CANISTER.as_slice(),
                b"metadata",
                name,
            ]
            .map(<[u8]>::to_vec)
        };
        let read = |sender, name| {
            let path = section(name);
            let path: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
            ask(sender, AT_CANISTER, &path)
        };
        assert_eq!(read(STRANGER, b"open"), Ok(()));
        assert_eq!(read(STRANGER, b"none"), Ok(()));
        assert_eq!(read(OWNER, b"shut"), Ok(()));
        assert_eq!(
            read(STRANGER, b"shut"),
            Err(PathError::PrivateSection("shut".to_owned()))
        );
    }

    #[test]
    fn should_refuse_the_certified_data_and_the_canister_as_a_whole() {
        let id = CANISTER.as_slice();
        let refused = Err(PathError::Unknown);
        assert_eq!(
            ask(OWNER, AT_CANISTER, &[b"canister", id, b"certified_data"]),
            refused
        );
        assert_eq!(ask(OWNER, AT_CANISTER, &[b"canister", id]), refused);
        assert_eq!(ask(OWNER, AT_CANISTER, &[b"canister"]), refused);
        assert_eq!(ask(OWNER, AT_CANISTER, &[b"request_status"]), refused);
        assert_eq!(ask(OWNER, AT_CANISTER, &[]), refused);
    }

    #[test]
    fn should_show_a_request_to_its_sender_only() {
        let path: [&[u8]; 2] = [b"request_status", &REQUEST.0];
        assert_eq!(ask(OWNER, AT_CANISTER, &path), Ok(()));
        assert_eq!(
            ask(STRANGER, AT_CANISTER, &path),
            Err(PathError::RequestOfAnother)
        );
        assert_eq!(
            ask(OWNER, EffectiveId::Canister(OWNER), &path),
            Err(PathError::RequestElsewhere)
        );
    }

    #[test]
    fn should_refuse_two_request_ids_in_one_request() {
        let first: [&[u8]; 2] = [b"request_status", &[6; 32]];
        let again: [&[u8]; 3] = [b"request_status", &[6; 32], b"status"];
        let second: [&[u8]; 2] = [b"request_status", &[7; 32]];
        assert_eq!(ask_all(OWNER, AT_CANISTER, &[&first, &again]), Ok(()));
        assert_eq!(
            ask_all(OWNER, AT_CANISTER, &[&first, &second]),
            Err(PathError::SeveralRequestIds)
        );
    }

    #[test]
    fn should_answer_for_canister_ranges_at_the_subnet_only() {
        let subnet = Principal::from_slice(&[9]);
        let path: [&[u8]; 2] = [b"canister_ranges", &[9]];
        assert_eq!(ask(OWNER, EffectiveId::Subnet(subnet), &path), Ok(()));
        assert_eq!(ask(OWNER, AT_CANISTER, &path), Err(PathError::Unknown));
    }
}
