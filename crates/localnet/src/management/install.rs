//! Installing, reinstalling and upgrading code.
//!
//! An installation has up to three steps (`pre_upgrade`, `start`, then `init` or
//! `post_upgrade`), and all of them happen or none does. They work on a heap and
//! a view of stable memory of their own, which the canister gets at the end.

use std::sync::Arc;

use candid::{CandidType, Principal};
use ic_management_canister_types::{
    CanisterInstallMode, InstallChunkedCodeArgs, UpgradeFlags, WasmMemoryPersistence,
};
use serde::Deserialize;

use super::{
    ManagementResult, check_growth, chunks, contract_violation, decode_one, history, machine,
    must_control, reply,
};
use crate::canister::{Code, ManagementCaller};
use crate::error::{ErrorCode, ExecutionError, Failure};
use crate::execution::{CanisterMemory, Entry, Execution, StableImage};
use crate::fees;
use crate::limits::INSTALL_INSTRUCTIONS_MAX;
use crate::memory::StableMemory;
use crate::network::{Limits, Network};
use crate::record::{Cost, kind};
use crate::scheduler::{Executor, check_heap};
use crate::system_api::{EntryPoint, Message, MessageContext};
use crate::wasm::{Heap, MethodKind, ModuleError, PreparedModule, internal};

/// Compiling, in instructions: for a module, and for each instruction in it.
const COMPILE_BASE: u64 = 20_000_000;
const COMPILE_INSTRUCTION: u64 = 6_000;

/// As the specification has it; the module is taken as bytes, not as a vector of numbers.
#[derive(CandidType, Deserialize)]
struct InstallCode {
    mode: CanisterInstallMode,
    canister_id: Principal,
    #[serde(with = "serde_bytes")]
    wasm_module: Vec<u8>,
    #[serde(with = "serde_bytes")]
    arg: Vec<u8>,
}

/// The target and the module of a call that installs one.
pub fn module(
    network: &Network,
    caller: &ManagementCaller,
    method: &str,
    argument: &[u8],
) -> Result<(Principal, Vec<u8>), Failure> {
    if method == "install_code" {
        let given: InstallCode = decode_one(argument)?;
        return Ok((given.canister_id, given.wasm_module));
    }
    let given: InstallChunkedCodeArgs = decode_one(argument)?;
    let module = assembled(network, caller, &given)?;
    Ok((given.target_canister, module))
}

/// A module from the chunks of a store, which the caller must control.
fn assembled(
    network: &Network,
    caller: &ManagementCaller,
    given: &InstallChunkedCodeArgs,
) -> Result<Vec<u8>, Failure> {
    let store = given.store_canister.unwrap_or(given.target_canister);
    let state = network.read();
    let known = state
        .canisters
        .get(&store)
        .ok_or_else(|| {
            Failure::new(
                ErrorCode::RejectedMessage,
                format!(
                    "InstallChunkedCode Error: Store canister {store} was not found on subnet {} of target canister {}",
                    network.subnet, given.target_canister
                ),
            )
        })?;
    let sender = caller.sender();
    if sender != store {
        must_control(known, &sender)?;
    }
    chunks::assemble(known, &given.chunk_hashes_list, &given.wasm_module_hash)
}

/// A module that says so in a custom section keeps its heap over upgrades, and only such a
/// module: for it the upgrade must say what becomes of the heap, and no other may keep it.
fn check_persistence(
    flags: &UpgradeFlags,
    old: &PreparedModule,
    new: &PreparedModule,
) -> Result<(), Failure> {
    let persists = |module: &PreparedModule| {
        module
            .metadata
            .contains_key("enhanced-orthogonal-persistence")
    };
    match flags.wasm_memory_persistence {
        None if persists(old) => Err(contract_violation(
            "Missing upgrade option: Enhanced orthogonal persistence requires the \
             `wasm_memory_persistence` upgrade option.",
        )),
        Some(WasmMemoryPersistence::Keep) if !persists(new) => Err(contract_violation(
            "Invalid upgrade option: The `wasm_memory_persistence: opt Keep` upgrade option requires \
             that the new canister module supports enhanced orthogonal persistence.",
        )),
        _ => Ok(()),
    }
}

pub fn invalid_module(canister: Principal, error: &ModuleError) -> Failure {
    Failure::new(
        ErrorCode::InvalidWasm,
        format!("Error from Canister {canister}: Canister's Wasm module is not valid: {error}."),
    )
}

struct Installation {
    canister: Principal,
    mode: CanisterInstallMode,
    module: Vec<u8>,
    argument: Vec<u8>,
}

impl Executor {
    pub(super) fn install_code(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let given: InstallCode = decode_one(argument)?;
        self.install(
            caller,
            Installation {
                canister: given.canister_id,
                mode: given.mode,
                module: given.wasm_module,
                argument: given.arg,
            },
        )
    }

    pub(super) fn install_chunked_code(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let given: InstallChunkedCodeArgs = decode_one(argument)?;
        let module = assembled(self.network(), caller, &given)?;
        self.install(
            caller,
            Installation {
                canister: given.target_canister,
                mode: given.mode,
                module,
                argument: given.arg,
            },
        )
    }

    fn install(&mut self, caller: &ManagementCaller, given: Installation) -> ManagementResult {
        let id = given.canister;
        let old = {
            let state = self.network().read();
            let canister = state
                .canisters
                .get(&id)
                .ok_or_else(|| Failure::canister_not_found(id))?;
            let needed = canister.freezing_balance() + fees::execution(INSTALL_INSTRUCTIONS_MAX);
            if canister.cycles < needed {
                return Err(Failure::new(
                    ErrorCode::OutOfCycles,
                    format!(
                        "Canister installation failed with `Canister {id} is out of cycles: please top up the canister \
                         with at least {} additional cycles`.",
                        needed - canister.cycles
                    ),
                ));
            }
            canister.code.clone()
        };
        match (&given.mode, &old) {
            (CanisterInstallMode::Install, Some(_)) => {
                return Err(Failure::new(
                    ErrorCode::NonEmpty,
                    format!(
                        "Canister {id} cannot be installed because the canister is not empty. \
                         Try installing with mode='reinstall' instead."
                    ),
                ));
            }
            (CanisterInstallMode::Upgrade(_), None) => {
                return Err(ExecutionError::NoModule.into_failure(id));
            }
            _ => {}
        }
        let module = self
            .network()
            .modules
            .prepare(&given.module)
            .map_err(|error| invalid_module(id, &error))?;
        let compiled = COMPILE_BASE + COMPILE_INSTRUCTION * module.instruction_count;
        let mut steps = Steps {
            executor: self,
            id,
            caller: caller.sender(),
            argument: Arc::new(given.argument),
            used: compiled.min(INSTALL_INSTRUCTIONS_MAX),
            effects: None,
        };
        let result = steps.run(&given.mode, old, &module);
        let used = steps.used;
        let effects = steps.effects.take();
        self.finish_install(caller, &given.mode, id, used, result, effects)?;
        reply(caller, ())
    }

    fn finish_install(
        &mut self,
        caller: &ManagementCaller,
        mode: &CanisterInstallMode,
        id: Principal,
        used: u64,
        result: Result<(Code, StableMemory), Failure>,
        effects: Option<Effects>,
    ) -> Result<(), Failure> {
        let now = self.network().now();
        let gate = result
            .as_ref()
            .ok()
            .map(|(code, _)| Arc::clone(&code.memory.stable.file));
        let _closed = gate.as_ref().map(|gate| gate.enter_exclusively());
        let mut state = self.network().write();
        let canister = state
            .canisters
            .get_mut(&id)
            .ok_or_else(|| Failure::canister_not_found(id))?;
        if result.is_ok() && matches!(mode, CanisterInstallMode::Reinstall) {
            canister.logs.clear();
        }
        if let Some(effects) = &effects {
            for (time, text) in &effects.logs {
                canister.log(*time, text.clone());
            }
        }
        canister.cycles = canister.cycles.saturating_sub(fees::execution(used));
        let (mut code, mut stable) = result?;
        check_heap(canister, code.memory.heap.bytes()).map_err(|error| error.into_failure(id))?;
        let before = canister.code.as_ref().map_or(0, Code::bytes);
        let now_needed = code.bytes_with_stable_pages(stable.pages());
        check_growth(canister, now_needed.saturating_sub(before))?;
        stable.commit().map_err(machine)?;
        code.memory.stable.pages = stable.pages();
        let hash = code.module.hash;
        canister.code = Some(code);
        canister.version += 1;
        canister.global_timer = 0;
        canister.low_memory_noticed = false;
        if !matches!(mode, CanisterInstallMode::Upgrade(_)) {
            canister.certified_data.clear();
        }
        if let Some(effects) = effects {
            if let Some(data) = effects.certified_data {
                canister.certified_data = data;
            }
            if let Some(at) = effects.global_timer {
                canister.global_timer = at;
            }
            canister.cycles = canister.cycles.saturating_sub(effects.burnt);
        }
        canister.record(now, caller, history::deployment(*mode, hash));
        self.network().publish(canister);
        Ok(())
    }
}

/// What the steps did besides writing memory.
#[derive(Default)]
struct Effects {
    certified_data: Option<Vec<u8>>,
    global_timer: Option<u64>,
    logs: Vec<(u64, Vec<u8>)>,
    burnt: u128,
}

/// The steps of one installation.
struct Steps<'a> {
    executor: &'a mut Executor,
    id: Principal,
    caller: Principal,
    argument: Arc<Vec<u8>>,
    used: u64,
    effects: Option<Effects>,
}

impl Steps<'_> {
    fn run(
        &mut self,
        mode: &CanisterInstallMode,
        old: Option<Code>,
        module: &Arc<PreparedModule>,
    ) -> Result<(Code, StableMemory), Failure> {
        let files = self.executor.network().files.clone();
        let (memory, stable, last) = match (mode, old) {
            (CanisterInstallMode::Upgrade(flags), Some(old)) => {
                let flags = flags.unwrap_or_default();
                let keeps_heap = flags.wasm_memory_persistence == Some(WasmMemoryPersistence::Keep);
                let mut stable = old.memory.stable.open();
                let mut kept = old.memory.clone();
                if keeps_heap {
                    kept.heap = self.copied(&old)?;
                }
                if flags.skip_pre_upgrade != Some(true)
                    && old
                        .module
                        .exports(MethodKind::System, "canister_pre_upgrade")
                {
                    let entry = Entry::Export("canister_pre_upgrade");
                    let keep = keeps_heap.then_some(&mut kept);
                    stable = self.step(
                        &old.module,
                        &old.memory,
                        EntryPoint::PreUpgrade,
                        entry,
                        stable,
                        keep,
                    )?;
                    // With the old code goes the timer that it set at the very end.
                    if let Some(effects) = &mut self.effects {
                        effects.global_timer = None;
                    }
                }
                check_persistence(&flags, &old.module, module)?;
                let memory = match keeps_heap {
                    true => CanisterMemory {
                        globals: Arc::default(),
                        tables: Arc::default(),
                        ..kept
                    },
                    false => CanisterMemory::fresh(&files, module, old.memory.stable.clone())
                        .map_err(machine)?,
                };
                (memory, stable, "canister_post_upgrade")
            }
            _ => {
                let stable = StableImage::new(&files).map_err(machine)?;
                let memory = CanisterMemory::fresh(&files, module, stable).map_err(machine)?;
                let stable = memory.stable.open();
                (memory, stable, "canister_init")
            }
        };
        let mut code = Code {
            module: Arc::clone(module),
            memory,
        };
        let mut stable = stable;
        for (point, export) in [
            (EntryPoint::Start, internal::START),
            (EntryPoint::Init, last),
        ] {
            let exists = match point {
                EntryPoint::Start => module.has_start,
                _ => module.exports(MethodKind::System, export),
            };
            if exists {
                let before = code.memory.clone();
                stable = self.step(
                    module,
                    &before,
                    point,
                    Entry::Export(export),
                    stable,
                    Some(&mut code.memory),
                )?;
            }
        }
        Ok((code, stable))
    }

    fn copied(&self, old: &Code) -> Result<Heap, Failure> {
        let file = old
            .memory
            .heap
            .file
            .copy(old.memory.heap.bytes())
            .map_err(machine)?;
        Ok(Heap {
            file: Arc::new(file),
            pages: old.memory.heap.pages,
        })
    }

    /// Runs one entry point on a memory; what it wrote to the heap goes to `keep`.
    fn step(
        &mut self,
        module: &Arc<PreparedModule>,
        memory: &CanisterMemory,
        point: EntryPoint,
        entry: Entry,
        stable: StableMemory,
        keep: Option<&mut CanisterMemory>,
    ) -> Result<StableMemory, Failure> {
        let context = self.context(point, stable)?;
        let before = context.balance;
        let mut execution = Execution::start(module, memory, context)
            .map_err(|error| error.into_failure(self.id))?;
        let ended = execution.run(entry);
        let writes = execution.writes().map_err(machine)?;
        let cost = Cost {
            instructions: ended.instructions,
            instructions_max: ended.instructions_max,
            dirty_pages: writes.page_count() + execution.context().stable.written_page_count(),
            trapped: ended.result.is_err(),
        };
        self.executor
            .network()
            .executions
            .note(self.id, kind(point, entry), "", cost);
        self.used = (self.used + ended.instructions).min(INSTALL_INSTRUCTIONS_MAX);
        if let Err(error) = ended.result {
            let context = execution.discard();
            self.note(context, before);
            return Err(error.into_failure(self.id));
        }
        let context = match keep {
            Some(keep) => execution.commit_heap(&writes, keep).map_err(machine)?,
            None => execution.discard(),
        };
        Ok(self.note(context, before))
    }

    fn context(&self, point: EntryPoint, stable: StableMemory) -> Result<MessageContext, Failure> {
        let network = self.executor.network();
        let state = network.read();
        let canister = state
            .canisters
            .get(&self.id)
            .ok_or_else(|| Failure::canister_not_found(self.id))?;
        let message = Message {
            caller: Some(self.caller),
            argument: Arc::clone(&self.argument),
            ..Message::default()
        };
        let limits = Limits {
            instructions: INSTALL_INSTRUCTIONS_MAX - self.used,
            reply_bytes: 0,
        };
        if limits.instructions == 0 {
            return Err(contract_violation(format!(
                "Canister {}: compiling used all instructions",
                self.id
            )));
        }
        let mut context = network.context(canister, point, message, limits, stable);
        let effects = self.effects.as_ref();
        context.balance = context
            .balance
            .saturating_sub(effects.map_or(0, |effects| effects.burnt));
        if point != EntryPoint::PreUpgrade {
            // What the new code is is the next version, and no timer of the old one is left.
            context.facts.version += 1;
            context.facts.global_timer = effects
                .and_then(|effects| effects.global_timer)
                .unwrap_or(0);
        }
        Ok(context)
    }

    fn note(&mut self, context: MessageContext, before: u128) -> StableMemory {
        let effects = self.effects.get_or_insert_default();
        effects.burnt += before.saturating_sub(context.balance);
        effects.logs.extend(context.logs);
        if context.certified_data.is_some() {
            effects.certified_data = context.certified_data;
        }
        if context.global_timer.is_some() {
            effects.global_timer = context.global_timer;
        }
        context.stable
    }
}
