//! Stable memory, through the 64-bit interface and the older 32-bit one.

use std::io;

use wasmtime::Linker;

use super::context::MessageContext;
use super::entry_point::ALWAYS;
use super::guest::*;
use crate::error::{ExecutionError, TrapCode};
use crate::limits::*;

const SIZE: u64 = 20;
const GROW: u64 = 100;
const ACCESS: u64 = 20;

pub fn define(linker: &mut Linker<MessageContext>) -> wasmtime::Result<()> {
    linker.func_wrap("ic0", "stable64_size", |mut guest: Guest| {
        enter(&mut guest, "stable64_size", ALWAYS, SIZE, 0)?;
        Ok(guest.data().stable.pages())
    })?;
    linker.func_wrap("ic0", "stable64_grow", |mut guest: Guest, pages: u64| {
        enter(&mut guest, "stable64_grow", ALWAYS, GROW, 0)?;
        Ok(grow(&mut guest, pages, STABLE_BYTES_MAX / WASM_PAGE_BYTES)?.unwrap_or(u64::MAX))
    })?;
    linker.func_wrap(
        "ic0",
        "stable64_write",
        |mut guest: Guest, offset: u64, from: u64, size: u64| {
            write_stable(&mut guest, "stable64_write", offset, from, size)
        },
    )?;
    linker.func_wrap(
        "ic0",
        "stable64_read",
        |mut guest: Guest, to: u64, offset: u64, size: u64| {
            read_stable(&mut guest, "stable64_read", to, offset, size)
        },
    )?;
    linker.func_wrap("ic0", "stable_size", |mut guest: Guest| {
        enter(&mut guest, "stable_size", ALWAYS, SIZE, 0)?;
        fits_32_bits(&mut guest)?;
        Ok(guest.data().stable.pages() as u32)
    })?;
    linker.func_wrap("ic0", "stable_grow", |mut guest: Guest, pages: u32| {
        enter(&mut guest, "stable_grow", ALWAYS, GROW, 0)?;
        fits_32_bits(&mut guest)?;
        let before = grow(&mut guest, u64::from(pages), STABLE32_PAGES_MAX)?;
        Ok(before.map_or(u32::MAX, |pages| pages as u32))
    })?;
    linker.func_wrap(
        "ic0",
        "stable_write",
        |mut guest: Guest, offset: u32, from: u32, size: u32| {
            fits_32_bits(&mut guest)?;
            write_stable(
                &mut guest,
                "stable_write",
                offset.into(),
                from.into(),
                size.into(),
            )
        },
    )?;
    linker.func_wrap(
        "ic0",
        "stable_read",
        |mut guest: Guest, to: u32, offset: u32, size: u32| {
            fits_32_bits(&mut guest)?;
            read_stable(
                &mut guest,
                "stable_read",
                to.into(),
                offset.into(),
                size.into(),
            )
        },
    )?;
    Ok(())
}

fn fits_32_bits(guest: &mut Guest) -> HostResult<()> {
    match guest.data().stable.pages() > STABLE32_PAGES_MAX {
        true => trap(guest, TrapCode::StableMemoryTooBigFor32Bit),
        false => Ok(()),
    }
}

/// The size before, unless the limit stands in the way.
fn grow(guest: &mut Guest, pages: u64, max: u64) -> HostResult<Option<u64>> {
    let before = guest.data().stable.pages();
    if before.checked_add(pages).is_none_or(|after| after > max) {
        return Ok(None);
    }
    if let Err(error) = guest.data_mut().note_growth(pages * WASM_PAGE_BYTES) {
        return fail(guest, error);
    }
    guest.data_mut().stable.grow(pages);
    Ok(Some(before))
}

/// A range of the heap, which ends within 32 bits.
fn heap_range(guest: &mut Guest, start: u64, size: u64) -> HostResult<(usize, usize)> {
    let length = heap(guest)?.0.len() as u64;
    match start.checked_add(size) {
        Some(end) if end <= length => Ok((start as usize, end as usize)),
        _ => trap(guest, TrapCode::HeapOutOfBounds),
    }
}

fn write_stable(
    guest: &mut Guest,
    name: &str,
    offset: u64,
    from: u64,
    size: u64,
) -> HostResult<()> {
    let new_pages = guest.data().stable.newly_written(offset, size);
    enter(
        guest,
        name,
        ALWAYS,
        ACCESS
            .saturating_add(size)
            .saturating_add(new_pages * DIRTY_PAGE_INSTRUCTIONS),
        0,
    )?;
    let (start, end) = heap_range(guest, from, size)?;
    let (heap, context) = heap(guest)?;
    let written = context.stable.write(offset, &heap[start..end]);
    settle(guest, written)
}

fn read_stable(guest: &mut Guest, name: &str, to: u64, offset: u64, size: u64) -> HostResult<()> {
    enter(guest, name, ALWAYS, ACCESS.saturating_add(size), 0)?;
    let (start, end) = heap_range(guest, to, size)?;
    let (heap, context) = heap(guest)?;
    let read = context.stable.read(offset, &mut heap[start..end]);
    settle(guest, read)
}

fn settle(guest: &mut Guest, done: io::Result<bool>) -> HostResult<()> {
    match done {
        Ok(true) => Ok(()),
        Ok(false) => trap(guest, TrapCode::StableMemoryOutOfBounds),
        Err(error) => fail(
            guest,
            ExecutionError::Machine(format!("stable memory: {error}")),
        ),
    }
}
