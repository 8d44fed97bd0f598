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

pub use context::{CanisterFacts, Closure, Message, MessageContext, OutgoingCall, Response};
pub use entry_point::EntryPoint;

use crate::wasm::engine;

/// The usual price of a call into the system, in instructions.
const USUAL: u64 = 500;

/// The linker that all modules share.
pub fn linker() -> &'static Linker<MessageContext> {
    static LINKER: OnceLock<Linker<MessageContext>> = OnceLock::new();
    LINKER.get_or_init(|| {
        let mut linker = Linker::new(engine());
        let defined = message::define(&mut linker)
            .and_then(|()| calls::define(&mut linker))
            .and_then(|()| canister::define(&mut linker))
            .and_then(|()| certification::define(&mut linker))
            .and_then(|()| cycles::define(&mut linker))
            .and_then(|()| environment::define(&mut linker))
            .and_then(|()| prices::define(&mut linker))
            .and_then(|()| stable::define(&mut linker));
        match defined {
            Ok(()) => linker,
            Err(error) => panic!("BUG: the system API could not be linked: {error}"),
        }
    })
}
