//! The message at hand: its argument, its sender, its answer.

use std::sync::Arc;

use stoa_localnet_wire::SenderInfo;
use wasmtime::Linker;

use super::USUAL;
use super::context::{MessageContext, Response};
use super::entry_point::*;
use super::guest::*;
use crate::error::{Reject, reject_code};

pub fn define<P: Pointer>(linker: &mut Linker<MessageContext>) -> wasmtime::Result<()> {
    linker.func_wrap("ic0", "msg_arg_data_size", |mut guest: Guest| {
        enter(&mut guest, "msg_arg_data_size", ARGUMENT, USUAL, 0)?;
        Ok(P::narrow(guest.data().message.argument.len()))
    })?;
    linker.func_wrap(
        "ic0",
        "msg_arg_data_copy",
        |mut guest: Guest, to: P, offset: P, size: P| {
            let [to, offset, size] = wide([to, offset, size]);
            enter(&mut guest, "msg_arg_data_copy", ARGUMENT, USUAL, size)?;
            let argument = Arc::clone(&guest.data().message.argument);
            copy_out(
                &mut guest,
                &argument,
                to,
                offset,
                size,
                "msg_arg_data_copy payload",
            )
        },
    )?;
    linker.func_wrap("ic0", "msg_caller_size", |mut guest: Guest| {
        enter(&mut guest, "msg_caller_size", NOT_START, USUAL, 0)?;
        Ok(P::narrow(caller(&guest).len()))
    })?;
    linker.func_wrap(
        "ic0",
        "msg_caller_copy",
        |mut guest: Guest, to: P, offset: P, size: P| {
            let [to, offset, size] = wide([to, offset, size]);
            enter(&mut guest, "msg_caller_copy", NOT_START, USUAL, size)?;
            let caller = caller(&guest);
            copy_out(&mut guest, &caller, to, offset, size, "msg_caller_copy id")
        },
    )?;
    type Part = fn(&SenderInfo) -> &[u8];
    let parts: [(&str, &str, Part); 2] = [
        (
            "msg_caller_info_data_size",
            "msg_caller_info_data_copy",
            |info| &info.info,
        ),
        (
            "msg_caller_info_signer_size",
            "msg_caller_info_signer_copy",
            |info| info.signer.as_slice(),
        ),
    ];
    for (size, copy, part) in parts {
        linker.func_wrap("ic0", size, move |mut guest: Guest| {
            enter(&mut guest, size, CALLER_INFO, USUAL, 0)?;
            let info = guest.data().message.caller_info.as_deref();
            Ok(P::narrow(info.map_or(0, |info| part(info).len())))
        })?;
        linker.func_wrap(
            "ic0",
            copy,
            move |mut guest: Guest, to: P, offset: P, bytes: P| {
                let [to, offset, bytes] = wide([to, offset, bytes]);
                enter(&mut guest, copy, CALLER_INFO, USUAL, bytes)?;
                let info = guest.data().message.caller_info.clone();
                let content = info.as_deref().map_or(&[][..], part);
                copy_out(&mut guest, content, to, offset, bytes, copy)
            },
        )?;
    }
    linker.func_wrap("ic0", "msg_method_name_size", |mut guest: Guest| {
        enter(&mut guest, "msg_method_name_size", INSPECT, USUAL, 0)?;
        Ok(P::narrow(guest.data().message.method.len()))
    })?;
    linker.func_wrap(
        "ic0",
        "msg_method_name_copy",
        |mut guest: Guest, to: P, offset: P, size: P| {
            let [to, offset, size] = wide([to, offset, size]);
            enter(&mut guest, "msg_method_name_copy", INSPECT, USUAL, size)?;
            let name = guest.data().message.method.clone();
            copy_out(
                &mut guest,
                name.as_bytes(),
                to,
                offset,
                size,
                "msg_method_name_copy payload",
            )
        },
    )?;
    linker.func_wrap("ic0", "accept_message", |mut guest: Guest| {
        enter(&mut guest, "accept_message", INSPECT, USUAL, 0)?;
        if guest.data().accepted {
            return violation(
                &mut guest,
                "ic0.accept_message: the function was already called.",
            );
        }
        guest.data_mut().accepted = true;
        Ok(())
    })?;
    define_rejects::<P>(linker)?;
    define_answers::<P>(linker)
}

fn caller(guest: &Guest) -> Vec<u8> {
    guest
        .data()
        .message
        .caller
        .map_or_else(Vec::new, |caller| caller.as_slice().to_vec())
}

fn define_rejects<P: Pointer>(linker: &mut Linker<MessageContext>) -> wasmtime::Result<()> {
    linker.func_wrap("ic0", "msg_reject_code", |mut guest: Guest| {
        enter(&mut guest, "msg_reject_code", REJECT_CODE, USUAL, 0)?;
        Ok(guest
            .data()
            .message
            .reject
            .as_ref()
            .map_or(0, |reject| reject.code))
    })?;
    linker.func_wrap("ic0", "msg_reject_msg_size", |mut guest: Guest| {
        enter(&mut guest, "msg_reject_msg_size", REJECT_MESSAGE, USUAL, 0)?;
        Ok(P::narrow(reject_message(&guest).len()))
    })?;
    linker.func_wrap(
        "ic0",
        "msg_reject_msg_copy",
        |mut guest: Guest, to: P, offset: P, size: P| {
            let [to, offset, size] = wide([to, offset, size]);
            enter(
                &mut guest,
                "msg_reject_msg_copy",
                REJECT_MESSAGE,
                USUAL,
                size,
            )?;
            let message = reject_message(&guest);
            copy_out(
                &mut guest,
                message.as_bytes(),
                to,
                offset,
                size,
                "msg_reject_msg_copy msg",
            )
        },
    )?;
    Ok(())
}

fn reject_message(guest: &Guest) -> String {
    guest
        .data()
        .message
        .reject
        .as_ref()
        .map_or_else(String::new, |reject| reject.message.clone())
}

fn define_answers<P: Pointer>(linker: &mut Linker<MessageContext>) -> wasmtime::Result<()> {
    linker.func_wrap("ic0", "msg_deadline", |mut guest: Guest| {
        enter(&mut guest, "msg_deadline", DEADLINE, USUAL, 0)?;
        Ok(guest.data().message.deadline.unwrap_or(0))
    })?;
    linker.func_wrap("ic0", "msg_reply_data_append", |mut guest: Guest, from: P, size: P| {
            let [from, size] = wide([from, size]);
        enter(&mut guest, "msg_reply_data_append", RESPOND, USUAL, size)?;
        if guest.data().responded() {
            return violation(&mut guest, "ic0.msg_reply_data_append: the call is already replied.");
        }
        let given = (guest.data().reply_data.len() as u64).saturating_add(size);
        let max = guest.data().reply_bytes_max;
        if given > max as u64 {
            let detail = format!(
                "ic0.msg_reply_data_append: application payload size ({given}) cannot be larger than {max}"
            );
            return violation(&mut guest, detail);
        }
        let (heap, context) = heap(&mut guest)?;
        let start = from as usize;
        let end = start.checked_add(size as usize);
        match end.and_then(|end| heap.get(start..end)) {
            Some(bytes) => context.reply_data.extend_from_slice(bytes),
            None => return outside_heap(&mut guest, from, size as usize),
        }
        Ok(())
    })?;
    linker.func_wrap("ic0", "msg_reply", |mut guest: Guest| {
        enter(&mut guest, "msg_reply", RESPOND, USUAL, 0)?;
        if guest.data().responded() {
            return violation(&mut guest, "ic0.msg_reply: the call is already replied");
        }
        let context = guest.data_mut();
        context.response = Some(Response::Reply(std::mem::take(&mut context.reply_data)));
        Ok(())
    })?;
    linker.func_wrap("ic0", "msg_reject", |mut guest: Guest, from: P, size: P| {
        let [from, size] = wide([from, size]);
        enter(&mut guest, "msg_reject", RESPOND, USUAL, size)?;
        if guest.data().responded() {
            return violation(&mut guest, "ic0.msg_reject: the call is already replied");
        }
        let max = guest.data().reply_bytes_max;
        if size > max as u64 {
            let detail = format!(
                "ic0.msg_reject: application payload size ({size}) cannot be larger than {max}"
            );
            return violation(&mut guest, detail);
        }
        let message = read_text(&mut guest, from, size, "msg_reject")?;
        // Whole: only who gets it decides how much of the text is passed on.
        guest.data_mut().response = Some(Response::Reject(Reject {
            code: reject_code::CANISTER_REJECT,
            message,
        }));
        Ok(())
    })?;
    Ok(())
}
