//! What every function of `ic0` does first: check that it may be called here,
//! pay for it, and move bytes in and out of the heap.

use wasmtime::{Caller, Val, WasmTy};

use super::context::MessageContext;
use super::entry_point::Availability;
use crate::error::{ExecutionError, TrapCode};

pub type Guest<'a> = Caller<'a, MessageContext>;

/// A host function's error: the reason is in the context, and wasmtime unwinds.
pub type HostResult<T> = wasmtime::Result<T>;

/// How a module writes places in its heap and sizes: `u32` where its memory has 32 bits, `u64`
/// where it has 64. The functions themselves work with 64 bits.
pub trait Pointer: WasmTy + Copy + 'static {
    fn widened(self) -> u64;

    /// Of the size of something that exists.
    fn narrow(size: usize) -> Self;
}

impl Pointer for u32 {
    fn widened(self) -> u64 {
        self.into()
    }

    fn narrow(size: usize) -> Self {
        size as u32
    }
}

impl Pointer for u64 {
    fn widened(self) -> u64 {
        self
    }

    fn narrow(size: usize) -> Self {
        size as u64
    }
}

pub fn wide<P: Pointer, const N: usize>(given: [P; N]) -> [u64; N] {
    given.map(P::widened)
}

/// Stops the execution.
pub fn fail<T>(guest: &mut Guest, error: ExecutionError) -> HostResult<T> {
    let shown = error.to_string();
    guest.data_mut().error = Some(error);
    Err(wasmtime::Error::msg(shown))
}

pub fn violation<T>(guest: &mut Guest, detail: impl Into<String>) -> HostResult<T> {
    fail(guest, ExecutionError::ContractViolation(detail.into()))
}

pub fn trap<T>(guest: &mut Guest, code: TrapCode) -> HostResult<T> {
    fail(guest, ExecutionError::Trapped(code))
}

/// Checks availability and charges `cost` plus one instruction a byte.
pub fn enter(
    guest: &mut Guest,
    name: &str,
    available: Availability,
    cost: u64,
    bytes: u64,
) -> HostResult<()> {
    let point = guest.data().entry_point;
    if !available.allows(point) {
        let detail = format!("\"ic0_{name}\" cannot be executed in {} mode", point.name());
        return violation(guest, detail);
    }
    charge(guest, cost.saturating_add(bytes))
}

pub fn charge(guest: &mut Guest, instructions: u64) -> HostResult<()> {
    let left = instructions_left(guest)?;
    let left = left.saturating_sub(i64::try_from(instructions).unwrap_or(i64::MAX));
    if let Some(counter) = guest.data().counter {
        counter.set(&mut *guest, Val::I64(left))?;
    }
    if left < 0 {
        let limit = guest.data().instruction_limit;
        return fail(guest, ExecutionError::InstructionLimitExceeded { limit });
    }
    Ok(())
}

pub fn instructions_left(guest: &mut Guest) -> HostResult<i64> {
    let counter = guest.data().counter;
    match counter.map(|counter| counter.get(&mut *guest)) {
        Some(Val::I64(left)) => Ok(left),
        _ => fail(
            guest,
            ExecutionError::Machine("BUG: no instruction counter".into()),
        ),
    }
}

/// The heap and the context, borrowed apart.
pub fn heap<'a>(guest: &'a mut Guest) -> HostResult<(&'a mut [u8], &'a mut MessageContext)> {
    match guest.data().memory {
        Some(memory) => Ok(memory.data_and_store_mut(guest)),
        None => violation(guest, "WebAssembly module must define memory"),
    }
}

/// Copies `source[offset..offset + size]` to `destination` in the heap.
pub fn copy_out(
    guest: &mut Guest,
    source: &[u8],
    destination: u64,
    offset: u64,
    size: u64,
    what: &str,
) -> HostResult<()> {
    let (offset, size) = (offset as usize, size as usize);
    let Some(bytes) = offset
        .checked_add(size)
        .and_then(|end| source.get(offset..end))
    else {
        let detail = format!(
            "ic0.{what}: offset {offset} and size {size} are out of bounds of the {} bytes there are",
            source.len()
        );
        return violation(guest, detail);
    };
    write(guest, destination, bytes)
}

/// Writes bytes to the heap.
pub fn write(guest: &mut Guest, destination: u64, bytes: &[u8]) -> HostResult<()> {
    let (heap, _) = heap(guest)?;
    let start = destination as usize;
    match start
        .checked_add(bytes.len())
        .and_then(|end| heap.get_mut(start..end))
    {
        Some(place) => {
            place.copy_from_slice(bytes);
            Ok(())
        }
        None => outside_heap(guest, destination, bytes.len()),
    }
}

pub fn write_u128(guest: &mut Guest, destination: u64, value: u128) -> HostResult<()> {
    write(guest, destination, &value.to_le_bytes())
}

/// A range that a canister hands to the system is its promise: a wrong one
/// violates the contract, and is not a trap of its code.
pub fn outside_heap<T>(guest: &mut Guest, start: u64, size: usize) -> HostResult<T> {
    let length = heap(guest)?.0.len();
    violation(
        guest,
        format!("heap: src={start} + length={size} exceeds the slice size={length}"),
    )
}

/// Reads bytes from the heap.
pub fn read(guest: &mut Guest, source: u64, size: u64) -> HostResult<Vec<u8>> {
    let (heap, _) = heap(guest)?;
    let start = source as usize;
    match start
        .checked_add(size as usize)
        .and_then(|end| heap.get(start..end))
    {
        Some(bytes) => Ok(bytes.to_vec()),
        None => outside_heap(guest, source, size as usize),
    }
}

pub fn read_text(guest: &mut Guest, source: u64, size: u64, what: &str) -> HostResult<String> {
    let bytes = read(guest, source, size)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => violation(guest, format!("ic0.{what}: the text is not UTF-8")),
    }
}
