//! Cycles: those of the canister, of the message, and of the call being made.

use wasmtime::Linker;

use super::USUAL;
use super::calls::under_construction;
use super::context::MessageContext;
use super::entry_point::*;
use super::guest::*;
use crate::error::{ExecutionError, TrapCode};

const BURN: u64 = 100;
/// `rkp4c-7iaaa-aaaaa-aaaca-cai`: the only canister that makes cycles.
const CYCLES_MINTING_CANISTER: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 4, 1, 1];

pub fn define<P: Pointer>(linker: &mut Linker<MessageContext>) -> wasmtime::Result<()> {
    linker.func_wrap("ic0", "canister_cycle_balance", |mut guest: Guest| {
        enter(&mut guest, "canister_cycle_balance", NOT_START, USUAL, 0)?;
        let balance = guest.data().balance;
        as_u64(&mut guest, balance)
    })?;
    linker.func_wrap(
        "ic0",
        "canister_cycle_balance128",
        |mut guest: Guest, to: P| {
            let [to] = wide([to]);
            enter(&mut guest, "canister_cycle_balance128", NOT_START, USUAL, 0)?;
            let balance = guest.data().balance;
            write_u128(&mut guest, to, balance)
        },
    )?;
    linker.func_wrap(
        "ic0",
        "canister_liquid_cycle_balance128",
        |mut guest: Guest, to: P| {
            let [to] = wide([to]);
            enter(
                &mut guest,
                "canister_liquid_cycle_balance128",
                NOT_START,
                USUAL,
                0,
            )?;
            let liquid = liquid(&guest);
            write_u128(&mut guest, to, liquid)
        },
    )?;
    linker.func_wrap("ic0", "msg_cycles_available", |mut guest: Guest| {
        enter(
            &mut guest,
            "msg_cycles_available",
            CYCLES_AVAILABLE,
            USUAL,
            0,
        )?;
        let available = available(&guest);
        as_u64(&mut guest, available)
    })?;
    linker.func_wrap(
        "ic0",
        "msg_cycles_available128",
        |mut guest: Guest, to: P| {
            let [to] = wide([to]);
            enter(
                &mut guest,
                "msg_cycles_available128",
                CYCLES_AVAILABLE,
                USUAL,
                0,
            )?;
            let available = available(&guest);
            write_u128(&mut guest, to, available)
        },
    )?;
    linker.func_wrap("ic0", "msg_cycles_refunded", |mut guest: Guest| {
        enter(&mut guest, "msg_cycles_refunded", CYCLES_REFUNDED, USUAL, 0)?;
        let refunded = guest.data().message.cycles_refunded;
        as_u64(&mut guest, refunded)
    })?;
    linker.func_wrap(
        "ic0",
        "msg_cycles_refunded128",
        |mut guest: Guest, to: P| {
            let [to] = wide([to]);
            enter(
                &mut guest,
                "msg_cycles_refunded128",
                CYCLES_REFUNDED,
                USUAL,
                0,
            )?;
            let refunded = guest.data().message.cycles_refunded;
            write_u128(&mut guest, to, refunded)
        },
    )?;
    linker.func_wrap("ic0", "msg_cycles_accept", |mut guest: Guest, max: u64| {
        enter(&mut guest, "msg_cycles_accept", CYCLES_AVAILABLE, USUAL, 0)?;
        // What is accepted is at most `max`, so it fits.
        Ok(accept(&mut guest, u128::from(max)) as u64)
    })?;
    linker.func_wrap(
        "ic0",
        "msg_cycles_accept128",
        |mut guest: Guest, high: u64, low: u64, to: P| {
            let [to] = wide([to]);
            enter(
                &mut guest,
                "msg_cycles_accept128",
                CYCLES_AVAILABLE,
                USUAL,
                0,
            )?;
            let accepted = accept(&mut guest, joined(high, low));
            write_u128(&mut guest, to, accepted)
        },
    )?;
    linker.func_wrap(
        "ic0",
        "cycles_burn128",
        |mut guest: Guest, high: u64, low: u64, to: P| {
            let [to] = wide([to]);
            enter(&mut guest, "cycles_burn128", CYCLES_BURN, BURN, 0)?;
            let burnt = joined(high, low).min(liquid(&guest));
            guest.data_mut().balance -= burnt;
            write_u128(&mut guest, to, burnt)
        },
    )?;
    linker.func_wrap("ic0", "call_cycles_add", |mut guest: Guest, amount: u64| {
        enter(&mut guest, "call_cycles_add", CALL_CYCLES, USUAL, 0)?;
        attach(&mut guest, "call_cycles_add", u128::from(amount))
    })?;
    linker.func_wrap(
        "ic0",
        "call_cycles_add128",
        |mut guest: Guest, high: u64, low: u64| {
            enter(&mut guest, "call_cycles_add128", CALL_CYCLES, USUAL, 0)?;
            attach(&mut guest, "call_cycles_add128", joined(high, low))
        },
    )?;
    linker.func_wrap("ic0", "mint_cycles128", |mut guest: Guest, high: u64, low: u64, to: P| {
            let [to] = wide([to]);
        enter(&mut guest, "mint_cycles128", MINT, 0, 0)?;
        if guest.data().facts.id.as_slice() != CYCLES_MINTING_CANISTER {
            let detail = "ic0.mint_cycles cannot be executed by any canister but the cycles minting canister";
            return violation(&mut guest, detail);
        }
        let context = guest.data_mut();
        let minted = joined(high, low).min(u128::MAX - context.balance);
        context.balance += minted;
        context.cycles_minted += minted;
        write_u128(&mut guest, to, minted)
    })?;
    Ok(())
}

fn joined(high: u64, low: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

fn as_u64(guest: &mut Guest, amount: u128) -> HostResult<u64> {
    match u64::try_from(amount) {
        Ok(amount) => Ok(amount),
        Err(_) => trap(guest, TrapCode::CyclesAmountTooBigFor64Bit),
    }
}

/// What the canister may spend without freezing.
fn liquid(guest: &Guest) -> u128 {
    let context = guest.data();
    context.balance.saturating_sub(context.freezing_balance())
}

fn available(guest: &Guest) -> u128 {
    let context = guest.data();
    context.message.cycles_available - context.cycles_accepted
}

fn accept(guest: &mut Guest, max: u128) -> u128 {
    let accepted = max.min(available(guest));
    let context = guest.data_mut();
    context.cycles_accepted += accepted;
    context.balance += accepted;
    accepted
}

fn attach(guest: &mut Guest, name: &str, amount: u128) -> HostResult<()> {
    under_construction(guest, name)?;
    let available = liquid(guest);
    if amount > available {
        return fail(
            guest,
            ExecutionError::OutOfCycles {
                requested: amount,
                available,
            },
        );
    }
    under_construction(guest, name)?.cycles += amount;
    guest.data_mut().balance -= amount;
    Ok(())
}
