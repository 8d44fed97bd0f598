//! The canister itself, its subnet, time, counters, and the ways to say something.

use candid::Principal;
use wasmtime::Linker;

use super::USUAL;
use super::context::MessageContext;
use super::entry_point::*;
use super::guest::*;
use crate::error::ExecutionError;
use crate::fees::SUBNET_NODES;
use crate::limits::LOG_BYTES_MAX;

const COUNTER: u64 = 200;
const IS_CONTROLLER: u64 = 1_000;
const PRINT: u64 = 100;
const PRINTED_BYTES_MAX: u64 = 32 << 10;
/// Carrying a byte of a log record out of the sandbox.
const LOG_BYTE: u64 = 50;

pub fn define<P: Pointer>(linker: &mut Linker<MessageContext>) -> wasmtime::Result<()> {
    linker.func_wrap("ic0", "canister_self_size", |mut guest: Guest| {
        enter(&mut guest, "canister_self_size", NOT_START, USUAL, 0)?;
        Ok(P::narrow(guest.data().facts.id.as_slice().len()))
    })?;
    linker.func_wrap(
        "ic0",
        "canister_self_copy",
        |mut guest: Guest, to: P, offset: P, size: P| {
            let [to, offset, size] = wide([to, offset, size]);
            enter(&mut guest, "canister_self_copy", NOT_START, USUAL, size)?;
            let id = guest.data().facts.id;
            copy_out(
                &mut guest,
                id.as_slice(),
                to,
                offset,
                size,
                "canister_self_copy id",
            )
        },
    )?;
    linker.func_wrap("ic0", "subnet_self_size", |mut guest: Guest| {
        enter(&mut guest, "subnet_self_size", NOT_START, USUAL, 0)?;
        Ok(P::narrow(guest.data().facts.subnet.as_slice().len()))
    })?;
    linker.func_wrap(
        "ic0",
        "subnet_self_copy",
        |mut guest: Guest, to: P, offset: P, size: P| {
            let [to, offset, size] = wide([to, offset, size]);
            enter(&mut guest, "subnet_self_copy", NOT_START, USUAL, size)?;
            let id = guest.data().facts.subnet;
            copy_out(
                &mut guest,
                id.as_slice(),
                to,
                offset,
                size,
                "subnet_self_copy id",
            )
        },
    )?;
    linker.func_wrap("ic0", "subnet_self_node_count", |mut guest: Guest| {
        enter(&mut guest, "subnet_self_node_count", NOT_START, USUAL, 0)?;
        Ok(SUBNET_NODES)
    })?;
    linker.func_wrap("ic0", "canister_status", |mut guest: Guest| {
        enter(&mut guest, "canister_status", NOT_START, USUAL, 0)?;
        Ok(guest.data().facts.status)
    })?;
    linker.func_wrap("ic0", "canister_version", |mut guest: Guest| {
        enter(&mut guest, "canister_version", NOT_START, USUAL, 0)?;
        Ok(guest.data().facts.version)
    })?;
    linker.func_wrap(
        "ic0",
        "is_controller",
        |mut guest: Guest, from: P, size: P| {
            let [from, size] = wide([from, size]);
            enter(&mut guest, "is_controller", ALWAYS, IS_CONTROLLER, size)?;
            let bytes = read(&mut guest, from, size)?;
            match Principal::try_from_slice(&bytes) {
                Ok(id) => Ok(u32::from(guest.data().facts.controllers.contains(&id))),
                Err(_) => violation(&mut guest, "ic0.is_controller: not a principal"),
            }
        },
    )?;
    linker.func_wrap("ic0", "in_replicated_execution", |mut guest: Guest| {
        enter(&mut guest, "in_replicated_execution", ALWAYS, USUAL, 0)?;
        Ok(u32::from(guest.data().entry_point.is_replicated()))
    })?;
    linker.func_wrap("ic0", "time", |mut guest: Guest| {
        enter(&mut guest, "time", NOT_START, USUAL, 0)?;
        Ok(guest.data().time)
    })?;
    linker.func_wrap("ic0", "global_timer_set", |mut guest: Guest, at: u64| {
        enter(&mut guest, "global_timer_set", GLOBAL_TIMER, USUAL, 0)?;
        let context = guest.data_mut();
        let before = context.global_timer.unwrap_or(context.facts.global_timer);
        context.global_timer = Some(at);
        Ok(before)
    })?;
    linker.func_wrap(
        "ic0",
        "performance_counter",
        |mut guest: Guest, counter: u32| {
            enter(&mut guest, "performance_counter", ALWAYS, COUNTER, 0)?;
            let left = instructions_left(&mut guest)?.max(0) as u64;
            let used = guest.data().instruction_limit.saturating_sub(left);
            match counter {
                0 => Ok(used),
                1 => Ok(guest.data().message.instructions_before + used),
                _ => violation(
                    &mut guest,
                    format!("Error getting performance counter type {counter}"),
                ),
            }
        },
    )?;
    linker.func_wrap(
        "ic0",
        "debug_print",
        |mut guest: Guest, from: P, size: P| {
            let [from, size] = wide([from, size]);
            let size = size.min(PRINTED_BYTES_MAX);
            enter(&mut guest, "debug_print", ALWAYS, PRINT, 0)?;
            print(&mut guest, from, size)
        },
    )?;
    linker.func_wrap(
        "ic0",
        "trap",
        |mut guest: Guest, from: P, size: P| -> HostResult<()> {
            let [from, size] = wide([from, size]);
            let size = size.min(PRINTED_BYTES_MAX);
            enter(&mut guest, "trap", ALWAYS, USUAL, size)?;
            let message = text_in_heap(
                &mut guest,
                from,
                size,
                "(trap message out of memory bounds)",
            );
            fail(&mut guest, ExecutionError::CalledTrap(message))
        },
    )?;
    Ok(())
}

/// A message that cannot be read must not hide that there was one.
fn text_in_heap(guest: &mut Guest, from: u64, size: u64, otherwise: &str) -> String {
    let start = from as usize;
    heap(guest)
        .ok()
        .and_then(|(heap, _)| heap.get(start..start.checked_add(size as usize)?))
        .map_or_else(
            || otherwise.to_string(),
            |bytes| String::from_utf8_lossy(bytes).into_owned(),
        )
}

fn print(guest: &mut Guest, from: u64, size: u64) -> HostResult<()> {
    let logged: usize = guest.data().logs.iter().map(|(_, text)| text.len()).sum();
    let kept = size.min(LOG_BYTES_MAX as u64);
    let carried = size.min(LOG_BYTES_MAX.saturating_sub(logged) as u64);
    charge(guest, 2 * kept + LOG_BYTE * carried)?;
    let text = text_in_heap(
        guest,
        from,
        size,
        "(debug_print message out of memory bounds)",
    );
    let context = guest.data_mut();
    if context.entry_point.is_replicated() {
        context.logs.push((context.time, text.into_bytes()));
    }
    Ok(())
}
