//! Under which keys of the log things are stored, and a canister cut into parts, so that a
//! message writes only those that it changed.

use std::collections::BTreeMap;
use std::io;

use candid::Principal;
use serde_bytes::ByteBuf;
use stoa_localnet_wire::RequestId;

use super::log::Log;
use super::stored::*;
use crate::canister::Canister;

pub const NETWORK: &[u8] = b"n";
pub const TASK: u8 = b't';
pub const REQUEST: u8 = b'r';
pub const CANISTER: u8 = b'c';

/// Parts of a canister, each under a key of its own, so that a message writes
/// only those that it changed.
#[derive(Clone, Copy)]
pub enum Part {
    Settings = 0,
    State = 1,
    Code = 2,
    Contexts = 3,
    Callbacks = 4,
    Chunks = 5,
    Logs = 6,
    History = 7,
    Snapshots = 8,
}

pub fn canister_key(id: &Principal) -> Vec<u8> {
    let mut key = vec![CANISTER, id.as_slice().len() as u8];
    key.extend_from_slice(id.as_slice());
    key
}

pub fn part_key(id: &Principal, part: Part) -> Vec<u8> {
    let mut key = canister_key(id);
    key.push(part as u8);
    key
}

pub fn task_key(sequence: u64) -> Vec<u8> {
    let mut key = vec![TASK];
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

pub fn request_key(request: &RequestId) -> Vec<u8> {
    let mut key = vec![REQUEST];
    key.extend_from_slice(&request.0);
    key
}

pub fn canister_ids(log: &Log) -> Vec<Principal> {
    let mut ids: BTreeMap<Vec<u8>, Principal> = BTreeMap::new();
    for key in log.keys_with(&[CANISTER]) {
        let length = usize::from(key.get(1).copied().unwrap_or(0));
        if let Some(id) = key
            .get(2..2 + length)
            .and_then(|id| Principal::try_from_slice(id).ok())
        {
            ids.insert(id.as_slice().to_vec(), id);
        }
    }
    ids.into_values().collect()
}

/// A canister cut into its parts; None for one that is empty.
pub fn parts(canister: &Canister) -> io::Result<Vec<(Part, Option<Vec<u8>>)>> {
    let state = StoredState {
        status: StoredStatus::of(&canister.status),
        cycles: canister.cycles.into(),
        certified_data: ByteBuf::from(canister.certified_data.clone()),
        global_timer: canister.global_timer,
        version: canister.version,
        next_id: canister.next_id,
        changes_total: canister.changes_total,
        paid_until: canister.paid_until,
        low_memory_noticed: canister.low_memory_noticed,
    };
    let code = canister.code.as_ref().map(|code| {
        encode(&StoredCode {
            module: code.module.hash,
            memory: StoredMemory::of(&code.memory)?,
        })
    });
    let contexts: Vec<StoredContext> = canister
        .call_contexts
        .iter()
        .map(|(id, context)| StoredContext::of(*id, context))
        .collect();
    let callbacks: Vec<StoredCallback> = canister
        .callbacks
        .iter()
        .map(|(id, callback)| StoredCallback::of(*id, callback))
        .collect();
    let chunks: Vec<[u8; 32]> = canister.chunks.keys().copied().collect();
    let snapshots = canister
        .snapshots
        .iter()
        .map(|(id, snapshot)| StoredSnapshot::of(id, snapshot))
        .collect::<io::Result<Vec<_>>>()?;
    let unless_empty = |empty: bool, value: io::Result<Vec<u8>>| match empty {
        true => Ok(None),
        false => value.map(Some),
    };
    Ok(vec![
        (
            Part::Settings,
            Some(encode(&StoredSettings::of(&canister.settings)?)?),
        ),
        (Part::State, Some(encode(&state)?)),
        (Part::Code, code.transpose()?),
        (
            Part::Contexts,
            unless_empty(contexts.is_empty(), encode(&contexts))?,
        ),
        (
            Part::Callbacks,
            unless_empty(callbacks.is_empty(), encode(&callbacks))?,
        ),
        (
            Part::Chunks,
            unless_empty(chunks.is_empty(), encode(&chunks))?,
        ),
        (Part::Logs, Some(encode(&StoredLogs::of(&canister.logs))?)),
        (Part::History, Some(history(&canister.history)?)),
        (
            Part::Snapshots,
            unless_empty(snapshots.is_empty(), encode(&snapshots))?,
        ),
    ])
}
