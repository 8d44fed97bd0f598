//! Calls to other canisters: put together here, sent when the execution succeeds.

use candid::Principal;
use wasmtime::Linker;

use super::USUAL;
use super::context::{Closure, MessageContext, OutgoingCall};
use super::entry_point::*;
use super::guest::*;
use crate::error::reject_code;
use crate::fees;
use crate::limits::*;

const NEW: u64 = 1_500;
const PERFORM: u64 = 5_000;

pub fn define<P: Pointer>(linker: &mut Linker<MessageContext>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "ic0",
        "call_new",
        |mut guest: Guest,
         callee: P,
         callee_size: P,
         name: P,
         name_size: P,
         reply_function: P,
         reply_environment: P,
         reject_function: P,
         reject_environment: P| {
            let [
                callee,
                callee_size,
                name,
                name_size,
                reply_function,
                reply_environment,
                reject_function,
                reject_environment,
            ] = wide([
                callee,
                callee_size,
                name,
                name_size,
                reply_function,
                reply_environment,
                reject_function,
                reject_environment,
            ]);
            enter(
                &mut guest,
                "call_new",
                CALL,
                NEW,
                callee_size.saturating_add(name_size),
            )?;
            guest.data_mut().abandon_call();
            let callee = read(&mut guest, callee, callee_size)?;
            let Ok(callee) = Principal::try_from_slice(&callee) else {
                return violation(&mut guest, "ic0.call_new: the callee is not a principal");
            };
            if name_size > METHOD_NAME_BYTES_MAX as u64 {
                return violation(&mut guest, "ic0.call_new: the method name is too long");
            }
            let method = read_text(&mut guest, name, name_size, "call_new")?;
            guest.data_mut().call = Some(OutgoingCall {
                callee,
                method,
                argument: Vec::new(),
                on_reply: Closure::new(reply_function, reply_environment),
                on_reject: Closure::new(reject_function, reject_environment),
                on_cleanup: None,
                cycles: 0,
                timeout_seconds: None,
                fee: 0,
            });
            Ok(())
        },
    )?;
    linker.func_wrap("ic0", "call_data_append", |mut guest: Guest, from: P, size: P| {
            let [from, size] = wide([from, size]);
        enter(&mut guest, "call_data_append", CALL, USUAL, size)?;
        let before = under_construction(&mut guest, "call_data_append")?.argument.len() as u64;
        let given = before.saturating_add(size);
        if given > INTER_CANISTER_BYTES_MAX as u64 {
            let detail = format!(
                "ic0.call_data_append: the payload of {given} bytes is larger than {INTER_CANISTER_BYTES_MAX}"
            );
            return violation(&mut guest, detail);
        }
        let bytes = read(&mut guest, from, size)?;
        under_construction(&mut guest, "call_data_append")?.argument.extend_from_slice(&bytes);
        Ok(())
    })?;
    linker.func_wrap(
        "ic0",
        "call_on_cleanup",
        |mut guest: Guest, function: P, environment: P| {
            let [function, environment] = wide([function, environment]);
            enter(&mut guest, "call_on_cleanup", CALL, USUAL, 0)?;
            let call = under_construction(&mut guest, "call_on_cleanup")?;
            if call.on_cleanup.is_some() {
                return violation(&mut guest, "ic0.call_on_cleanup can be called at most once");
            }
            call.on_cleanup = Some(Closure::new(function, environment));
            Ok(())
        },
    )?;
    linker.func_wrap(
        "ic0",
        "call_with_best_effort_response",
        |mut guest: Guest, seconds: u32| {
            enter(&mut guest, "call_with_best_effort_response", CALL, USUAL, 0)?;
            let call = under_construction(&mut guest, "call_with_best_effort_response")?;
            if call.timeout_seconds.is_some() {
                let detail =
                    "ic0_call_with_best_effort_response failed because a timeout is already set";
                return violation(&mut guest, detail);
            }
            call.timeout_seconds = Some(seconds.min(BEST_EFFORT_TIMEOUT_SECONDS_MAX));
            Ok(())
        },
    )?;
    linker.func_wrap("ic0", "call_perform", |mut guest: Guest| {
        enter(&mut guest, "call_perform", CALL, PERFORM, 0)?;
        perform(&mut guest)
    })?;
    Ok(())
}

pub fn under_construction<'a>(
    guest: &'a mut Guest,
    name: &str,
) -> HostResult<&'a mut OutgoingCall> {
    if guest.data().call.is_none() {
        return violation(
            guest,
            format!("ic0.{name} called when no call is under construction"),
        );
    }
    match &mut guest.data_mut().call {
        Some(call) => Ok(call),
        None => Err(wasmtime::Error::msg("BUG: the call vanished")),
    }
}

fn perform(guest: &mut Guest) -> HostResult<u32> {
    under_construction(guest, "call_perform")?;
    let context = guest.data_mut();
    let Some(mut call) = context.call.take() else {
        return Err(wasmtime::Error::msg("BUG: the call vanished"));
    };
    // A composite query pays nothing: it changes nothing.
    let pays = context.entry_point.is_replicated();
    let fee = if pays {
        fees::call(call.method.len() + call.argument.len())
    } else {
        0
    };
    let spendable = context.balance.saturating_sub(context.freezing_balance());
    if !context.has_room_for_call_to(&call.callee) || pays && spendable < fee {
        context.balance += call.cycles;
        return Ok(reject_code::SYS_TRANSIENT);
    }
    context.balance -= fee;
    call.fee = fee;
    context.calls.push(call);
    Ok(0)
}
