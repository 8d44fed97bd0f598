//! `UpgradeSnsControlledCanister`: new code for a canister of the DAO, whole or from chunks
//! that lie in a canister's chunk store. Governance itself goes another way
//! (`self_upgrade`), since it cannot be stopped by itself.
//!
//! ```text
//! written down as stopped --> stop --> install --> start --> outcome recorded
//!             |                                      ^
//!             +-------- interrupted: started again --+
//! ```
//! What must hold: a canister that governance stopped is started again, whatever happens
//! in between; one that cannot be stopped, because a call that it made is not answered, is
//! left as it was, and governance waits for no longer than its calls' time limits.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use candid::{CandidType, Principal};
use ic_management_canister_types::{CanisterInstallMode, ChunkHash, InstallChunkedCodeArgs};
use minicbor::{Decode, Encode};
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};
use stoa_governance_api as api;

use super::{Action, Performed, invalid};
use crate::execution::{self, external};
use crate::memory::{State, with_state};
use crate::proposal::Decision;
use crate::refusal::Refusal;
use crate::{management, runtime, self_upgrade};

/// 100 MiB is the platform's limit for a module, 1 MiB that for a chunk.
const CHUNKS_MAX: usize = 100;
const ARGUMENT_LENGTH_BYTES_MAX: usize = 512 * 1024;
/// The management canister itself gives up stopping after five minutes.
const STOP_TIMEOUT_SECONDS: u32 = 240;
const INSTALL_TIMEOUT_SECONDS: u32 = 300;
const START_TIMEOUT_SECONDS: u32 = 60;
const STARTED_AT_ONCE_MAX: usize = 20;
/// Open proposals can hold more; each round looks at the oldest.
const MODULES_LOOKED_AT_MAX: usize = 50;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Mode {
    #[n(1)]
    Install,
    #[n(2)]
    Reinstall,
    #[n(3)]
    Upgrade,
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Module {
    /// As it came with the proposal; `keep` puts the bytes apart.
    #[n(0)]
    Given {
        #[cbor(n(0), with = "minicbor::bytes")]
        bytes: Vec<u8>,
    },
    /// The bytes are kept apart, under the proposal's number.
    #[n(1)]
    Kept {
        #[n(0)]
        length: u64,
    },
    #[n(2)]
    Chunks {
        #[cbor(n(0), with = "crate::cbor::principal")]
        store: Principal,
        #[n(1)]
        hashes: Vec<minicbor::bytes::ByteVec>,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Upgrade {
    #[cbor(n(0), with = "crate::cbor::principal")]
    pub canister: Principal,
    #[n(1)]
    pub mode: Mode,
    #[n(2)]
    pub module: Module,
    #[cbor(n(3), with = "minicbor::bytes")]
    pub module_hash: [u8; 32],
    #[cbor(n(4), with = "minicbor::bytes")]
    pub argument: Vec<u8>,
}

/// As the specification has it; the module goes as bytes, not as a vector of numbers.
#[derive(CandidType)]
struct InstallCode {
    mode: CanisterInstallMode,
    canister_id: Principal,
    wasm_module: ByteBuf,
    arg: ByteBuf,
}

pub fn parse(wire: api::UpgradeSnsControlledCanister) -> Result<Action, Refusal> {
    let Some(canister) = wire.canister_id else {
        return invalid("`canister_id` is missing".to_string());
    };
    let mode = match wire.mode {
        Some(1) => Mode::Install,
        Some(2) => Mode::Reinstall,
        None | Some(3) => Mode::Upgrade,
        Some(unknown) => {
            return invalid(format!(
                "{unknown} is no mode: 1 installs, 2 reinstalls, 3 upgrades"
            ));
        }
    };
    let argument = wire
        .canister_upgrade_arg
        .map_or_else(Vec::new, ByteBuf::into_vec);
    if argument.len() > ARGUMENT_LENGTH_BYTES_MAX {
        return invalid(format!(
            "the argument has {} bytes, at most {ARGUMENT_LENGTH_BYTES_MAX} are allowed",
            argument.len()
        ));
    }
    let (module, module_hash) = match wire.chunked_canister_wasm {
        Some(_) if !wire.new_canister_wasm.is_empty() => {
            return invalid("the module is given whole or in chunks, not both".to_string());
        }
        Some(chunked) => from_chunks(chunked)?,
        None => whole(wire.new_canister_wasm)?,
    };
    Ok(Action::UpgradeCanister {
        upgrade: Upgrade {
            canister,
            mode,
            module,
            module_hash,
            argument,
        },
    })
}

fn whole(bytes: Vec<u8>) -> Result<(Module, [u8; 32]), Refusal> {
    let is_wasm = bytes.starts_with(b"\0asm");
    let is_gzip = bytes.starts_with(&[0x1f, 0x8b, 0x08]);
    if !is_wasm && !is_gzip {
        return invalid(format!(
            "`new_canister_wasm` ({} bytes) is neither a Wasm module nor one in gzip",
            bytes.len()
        ));
    }
    let hash = Sha256::digest(&bytes).into();
    Ok((Module::Given { bytes }, hash))
}

fn from_chunks(chunked: api::ChunkedCanisterWasm) -> Result<(Module, [u8; 32]), Refusal> {
    let Some(store) = chunked.store_canister_id else {
        return invalid("`store_canister_id` is missing".to_string());
    };
    let Ok(hash) = <[u8; 32]>::try_from(chunked.wasm_module_hash.as_slice()) else {
        return invalid("`wasm_module_hash` has not 32 bytes".to_string());
    };
    let count = chunked.chunk_hashes_list.len();
    if count == 0 || count > CHUNKS_MAX {
        return invalid(format!(
            "a module has from 1 to {CHUNKS_MAX} chunks, not {count}"
        ));
    }
    if chunked
        .chunk_hashes_list
        .iter()
        .any(|hash| hash.len() != 32)
    {
        return invalid("a chunk's hash has 32 bytes".to_string());
    }
    let hashes = chunked
        .chunk_hashes_list
        .into_iter()
        .map(|hash| hash.into_vec().into())
        .collect();
    Ok((Module::Chunks { store, hashes }, hash))
}

impl From<Upgrade> for api::UpgradeSnsControlledCanister {
    /// The bytes would crowd out listings: their hash stands for them.
    fn from(upgrade: Upgrade) -> Self {
        let (store_canister_id, chunk_hashes_list) = match upgrade.module {
            Module::Given { .. } | Module::Kept { .. } => (None, Vec::new()),
            Module::Chunks { store, hashes } => (
                Some(store),
                hashes
                    .into_iter()
                    .map(|hash| ByteBuf::from(Vec::from(hash)))
                    .collect(),
            ),
        };
        Self {
            new_canister_wasm: Vec::new(),
            chunked_canister_wasm: Some(api::ChunkedCanisterWasm {
                wasm_module_hash: upgrade.module_hash.to_vec(),
                store_canister_id,
                chunk_hashes_list,
            }),
            mode: Some(match upgrade.mode {
                Mode::Install => 1,
                Mode::Reinstall => 2,
                Mode::Upgrade => 3,
            }),
            canister_id: Some(upgrade.canister),
            canister_upgrade_arg: Some(ByteBuf::from(upgrade.argument)),
        }
    }
}

pub fn check(upgrade: &Upgrade, state: &State) -> Result<(), Refusal> {
    if upgrade.canister == Principal::management_canister() {
        return invalid("the management canister has no module".to_string());
    }
    if upgrade.canister != runtime::canister_self() {
        return Ok(());
    }
    if upgrade.mode != Mode::Upgrade {
        return invalid(
            "governance can be upgraded, and nothing else: its state is the DAO".to_string(),
        );
    }
    if state.self_upgrade.get().0.is_some() {
        return invalid(
            "governance is being upgraded; propose again when that is over".to_string(),
        );
    }
    Ok(())
}

pub fn render(upgrade: &Upgrade) -> String {
    let module = match &upgrade.module {
        Module::Given { bytes } => format!("{} bytes with the proposal", bytes.len()),
        Module::Kept { length } => format!("{length} bytes with the proposal"),
        Module::Chunks { store, hashes } => {
            format!("{} chunks in the store of {store}", hashes.len())
        }
    };
    let itself = if upgrade.canister == runtime::canister_self() {
        " (governance itself)"
    } else {
        ""
    };
    format!(
        "# Upgrade a canister\n\n## Canister\n\n{}{itself}\n\n## Mode\n\n{:?}\n\n## Module \
         hash\n\n{}\n\n## Module\n\n{module}\n\n## Argument\n\n{} bytes, SHA-256 {}",
        upgrade.canister,
        upgrade.mode,
        hex::encode(upgrade.module_hash),
        upgrade.argument.len(),
        hex::encode(Sha256::digest(&upgrade.argument)),
    )
}

/// Puts a module of up to 2 MiB apart from the proposal, which is read in listings.
pub fn keep(mut upgrade: Upgrade, state: &mut State, proposal: u64) -> Upgrade {
    if let Module::Given { bytes } = upgrade.module {
        let length = bytes.len() as u64;
        state.wasm_modules.insert(proposal, bytes);
        upgrade.module = Module::Kept { length };
    }
    upgrade
}

/// The call that installs it: method and argument.
pub fn install_call(
    upgrade: &Upgrade,
    state: &State,
    proposal: u64,
) -> Result<(&'static str, Vec<u8>), Refusal> {
    let mode = match upgrade.mode {
        Mode::Install => CanisterInstallMode::Install,
        Mode::Reinstall => CanisterInstallMode::Reinstall,
        Mode::Upgrade => CanisterInstallMode::Upgrade(None),
    };
    let bytes = match &upgrade.module {
        Module::Given { bytes } => bytes.clone(),
        Module::Kept { .. } => match state.wasm_modules.get(&proposal) {
            Some(bytes) => bytes,
            None => return invalid("the module is not kept any more".to_string()),
        },
        Module::Chunks { store, hashes } => {
            let argument = InstallChunkedCodeArgs {
                mode,
                target_canister: upgrade.canister,
                store_canister: Some(*store),
                chunk_hashes_list: hashes
                    .iter()
                    .map(|hash| ChunkHash {
                        hash: hash.to_vec(),
                    })
                    .collect(),
                wasm_module_hash: upgrade.module_hash.to_vec(),
                arg: upgrade.argument.clone(),
                sender_canister_version: None,
            };
            let argument = candid::encode_one(argument).expect("BUG: arguments encode");
            return Ok(("install_chunked_code", argument));
        }
    };
    let argument = InstallCode {
        mode,
        canister_id: upgrade.canister,
        wasm_module: ByteBuf::from(bytes),
        arg: ByteBuf::from(upgrade.argument.clone()),
    };
    let argument = candid::encode_one(argument).expect("BUG: arguments encode");
    Ok(("install_code", argument))
}

pub async fn execute(proposal: u64, upgrade: Upgrade) -> Performed {
    if upgrade.canister == runtime::canister_self() {
        return self_upgrade::begin(proposal, &upgrade);
    }
    let canister = upgrade.canister;
    let Some(upgrading) = Upgrading::enter(canister) else {
        return Performed::Finished(Err(external(format!(
            "{canister} is being upgraded by another proposal"
        ))));
    };
    let call = with_state(|state| {
        let call = install_call(&upgrade, state, proposal)?;
        state.stopped_canisters.insert((&canister).into(), ());
        execution::begin(state, proposal);
        Ok(call)
    });
    let (method, argument) = match call {
        Ok(call) => call,
        Err(refusal) => return Err::<(), Refusal>(refusal).into(),
    };
    let stopped = management::tell(
        "stop_canister",
        &management::record(canister),
        STOP_TIMEOUT_SECONDS,
    )
    .await;
    let outcome = match stopped {
        Err(failure) => Err(format!(
            "{canister} could not be stopped, and was left as it was: {}",
            failure.message
        )),
        Ok(_) => management::tell(method, &argument, INSTALL_TIMEOUT_SECONDS)
            .await
            .map(|_reply| ())
            .map_err(|failure| format!("the module was not installed: {}", failure.message)),
    };
    start(canister).await;
    drop(upgrading);
    Performed::Finished(outcome.map_err(external))
}

/// An interrupted upgrade: its canister goes on, and its module tells the outcome. One to
/// the very module that was there before cannot be told from none.
pub async fn recover(upgrade: Upgrade) -> Option<Performed> {
    start(upgrade.canister).await;
    let outcome = match is_installed(&upgrade).await {
        Some(true) => Ok(()),
        Some(false) => Err(external(
            "governance was interrupted before the module was installed".to_string(),
        )),
        None => return None,
    };
    Some(Performed::Finished(outcome))
}

async fn is_installed(upgrade: &Upgrade) -> Option<bool> {
    let hash = management::module_hash(upgrade.canister).await.ok()?;
    Some(hash.as_deref() == Some(&upgrade.module_hash))
}

/// Starting what runs already is fine. Where it fails, the list remembers the canister.
pub async fn start(canister: Principal) {
    let started = management::tell(
        "start_canister",
        &management::record(canister),
        START_TIMEOUT_SECONDS,
    )
    .await;
    if started.is_ok() {
        with_state(|state| state.stopped_canisters.remove(&(&canister).into()));
    }
}

/// Canisters that a start failed for, or that an interrupted upgrade left behind.
pub fn start_remembered() {
    let stopped: Vec<Principal> = with_state(|state| {
        state
            .stopped_canisters
            .keys()
            .take(STARTED_AT_ONCE_MAX)
            .map(|key| key.principal())
            .collect()
    });
    for canister in stopped {
        if !UNSTABLE_UPGRADING.with_borrow(|upgrading| upgrading.contains(&canister)) {
            runtime::run_after(Duration::ZERO, start(canister));
        }
    }
}

thread_local! {
    /// Canisters that a call of this very run is upgrading: they are stopped on purpose.
    static UNSTABLE_UPGRADING: RefCell<BTreeSet<Principal>> = const { RefCell::new(BTreeSet::new()) };
}

/// Held while a canister is stopped on purpose; one upgrade of a canister at a time.
#[must_use]
struct Upgrading(Principal);

impl Upgrading {
    fn enter(canister: Principal) -> Option<Self> {
        UNSTABLE_UPGRADING
            .with_borrow_mut(|upgrading| upgrading.insert(canister))
            .then(|| Self(canister))
    }
}

impl Drop for Upgrading {
    fn drop(&mut self) {
        UNSTABLE_UPGRADING.with_borrow_mut(|upgrading| upgrading.remove(&self.0));
    }
}

#[cfg(test)]
pub fn forget_upgrading() {
    UNSTABLE_UPGRADING.with_borrow_mut(BTreeSet::clear);
}

/// Modules that no execution needs any more: of proposals that were rejected, or whose
/// outcome is recorded.
pub fn forget_modules(state: &mut State) {
    let over: Vec<u64> = state
        .wasm_modules
        .keys()
        .take(MODULES_LOOKED_AT_MAX)
        .filter(|proposal| {
            state.progress_of(*proposal).is_ok_and(|progress| {
                progress.decision != Decision::Open && !state.executions.contains_key(proposal)
            })
        })
        .collect();
    for proposal in over {
        state.wasm_modules.remove(&proposal);
    }
}
