//! Whether an ingress message is let in.

use std::sync::Arc;

use candid::Principal;
use stoa_localnet_wire::Ingress;

use crate::error::{ErrorCode, ExecutionError, Failure};
use crate::execution::{Entry, Execution};
use crate::fees;
use crate::limits::INSPECT_INSTRUCTIONS_MAX;
use crate::network::{Limits, Network};
use crate::record::{Cost, kind};
use crate::system_api::{EntryPoint, Message};
use crate::wasm::MethodKind;

const INSPECT: &str = "canister_inspect_message";

/// Runs on a thread with a stack for Wasm.
pub fn admit(network: &Network, ingress: &Ingress) -> Result<(), Failure> {
    if ingress.canister_id == Principal::management_canister() {
        return crate::management::admit(network, ingress);
    }
    let id = ingress.canister_id;
    let (code, context) = {
        let state = network.read();
        let canister = state
            .canisters
            .get(&id)
            .ok_or_else(|| Failure::canister_not_found(id))?;
        let needed = canister.freezing_balance() + fees::ingress(ingress.message_bytes);
        if canister.cycles < needed {
            return Err(crate::scheduler::out_of_cycles(
                id,
                needed - canister.cycles,
            ));
        }
        let Some(code) = canister.code.clone() else {
            return Err(Failure::new(
                ErrorCode::WasmModuleNotFound,
                "Requested canister has no wasm module",
            ));
        };
        if code
            .module
            .exports(MethodKind::CompositeQuery, &ingress.method_name)
        {
            return Err(crate::scheduler::composite_query_in_replicated_mode());
        }
        if !code.module.exports(MethodKind::System, INSPECT) {
            return Ok(());
        }
        let message = Message {
            caller: Some(ingress.sender),
            caller_info: ingress.sender_info.clone().map(Arc::new),
            argument: Arc::new(ingress.arg.clone()),
            method: ingress.method_name.clone(),
            ..Message::default()
        };
        let limits = Limits {
            instructions: INSPECT_INSTRUCTIONS_MAX,
            reply_bytes: 0,
        };
        let stable = code.memory.stable.open();
        let context = network.context(
            canister,
            EntryPoint::InspectMessage,
            message,
            limits,
            stable,
        );
        (code, context)
    };
    let _closed_to_commits = code.memory.stable.file.enter();
    let mut execution = Execution::start(&code.module, &code.memory, context)
        .map_err(|error| error.into_failure(id))?;
    let entry = Entry::Export(INSPECT);
    let ended = execution.run(entry);
    network.executions.note(
        id,
        kind(EntryPoint::InspectMessage, entry),
        &ingress.method_name,
        Cost {
            instructions: ended.instructions,
            instructions_max: ended.instructions_max,
            dirty_pages: execution.context().stable.written_page_count(),
            trapped: ended.result.is_err(),
        },
    );
    ended.result.map_err(|error| error.into_failure(id))?;
    match execution.context().accepted {
        true => Ok(()),
        false => Err(ExecutionError::MessageRejected.into_failure(id)),
    }
}
