//! The System API: the functions of `ic0` that a canister imports.
//!
//! What must hold: a function that changes anything changes only the
//! `MessageContext`; each checks first that it may be called at this entry
//! point; and each is paid for.

mod calls;
mod canister;
mod certification;
mod context;
mod cycles;
mod entry_point;
mod environment;
mod guest;
mod message;
mod prices;
mod stable;

use std::sync::OnceLock;

use wasmtime::Linker;

pub use context::{
    CanisterFacts, Closure, Message, MessageContext, OutgoingCall, Response, Storage,
};
pub use entry_point::EntryPoint;

use self::guest::Pointer;
use crate::wasm::engine;

/// The usual price of a call into the system, in instructions.
const USUAL: u64 = 500;

/// The linker of all modules whose memory has 32 bits, or of those whose has 64.
pub fn linker(memory64: bool) -> &'static Linker<MessageContext> {
    static NARROW: OnceLock<Linker<MessageContext>> = OnceLock::new();
    static WIDE: OnceLock<Linker<MessageContext>> = OnceLock::new();
    match memory64 {
        false => NARROW.get_or_init(linked::<u32>),
        true => WIDE.get_or_init(linked::<u64>),
    }
}

fn linked<P: Pointer>() -> Linker<MessageContext> {
    let mut linker = Linker::new(engine());
    let defined = message::define::<P>(&mut linker)
        .and_then(|()| calls::define::<P>(&mut linker))
        .and_then(|()| canister::define::<P>(&mut linker))
        .and_then(|()| certification::define::<P>(&mut linker))
        .and_then(|()| cycles::define::<P>(&mut linker))
        .and_then(|()| environment::define::<P>(&mut linker))
        .and_then(|()| prices::define::<P>(&mut linker))
        .and_then(|()| stable::define(&mut linker));
    match defined {
        Ok(()) => linker,
        Err(error) => panic!("BUG: the system API could not be linked: {error}"),
    }
}
