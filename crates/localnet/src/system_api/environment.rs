//! The environment variables that the controllers set.

use std::sync::Arc;

use wasmtime::Linker;

use super::USUAL;
use super::context::MessageContext;
use super::entry_point::NOT_START;
use super::guest::*;
use crate::limits::ENVIRONMENT_NAME_BYTES_MAX;

pub fn define<P: Pointer>(linker: &mut Linker<MessageContext>) -> wasmtime::Result<()> {
    linker.func_wrap("ic0", "env_var_count", |mut guest: Guest| {
        enter(&mut guest, "env_var_count", NOT_START, USUAL, 0)?;
        Ok(P::narrow(variables(&guest).len()))
    })?;
    linker.func_wrap("ic0", "env_var_name_size", |mut guest: Guest, index: P| {
        let [index] = wide([index]);
        enter(&mut guest, "env_var_name_size", NOT_START, USUAL, 0)?;
        Ok(P::narrow(name(&mut guest, index)?.len()))
    })?;
    linker.func_wrap(
        "ic0",
        "env_var_name_copy",
        |mut guest: Guest, index: P, to: P, offset: P, size: P| {
            let [index, to, offset, size] = wide([index, to, offset, size]);
            enter(&mut guest, "env_var_name_copy", NOT_START, USUAL, size)?;
            let name = name(&mut guest, index)?;
            copy_out(
                &mut guest,
                name.as_bytes(),
                to,
                offset,
                size,
                "env_var_name_copy name",
            )
        },
    )?;
    linker.func_wrap(
        "ic0",
        "env_var_name_exists",
        |mut guest: Guest, from: P, size: P| {
            let [from, size] = wide([from, size]);
            enter(&mut guest, "env_var_name_exists", NOT_START, USUAL, size)?;
            let name = given_name(&mut guest, from, size, "env_var_name_exists")?;
            Ok(u32::from(
                variables(&guest).iter().any(|(known, _)| *known == name),
            ))
        },
    )?;
    linker.func_wrap(
        "ic0",
        "env_var_value_size",
        |mut guest: Guest, from: P, size: P| {
            let [from, size] = wide([from, size]);
            enter(&mut guest, "env_var_value_size", NOT_START, USUAL, size)?;
            Ok(P::narrow(
                value(&mut guest, from, size, "env_var_value_size")?.len(),
            ))
        },
    )?;
    linker.func_wrap(
        "ic0",
        "env_var_value_copy",
        |mut guest: Guest, from: P, name_size: P, to: P, offset: P, size: P| {
            let [from, name_size, to, offset, size] = wide([from, name_size, to, offset, size]);
            enter(
                &mut guest,
                "env_var_value_copy",
                NOT_START,
                USUAL,
                size.saturating_add(name_size),
            )?;
            let value = value(&mut guest, from, name_size, "env_var_value_copy")?;
            copy_out(
                &mut guest,
                value.as_bytes(),
                to,
                offset,
                size,
                "env_var_value_copy value",
            )
        },
    )?;
    Ok(())
}

/// Sorted by name.
fn variables(guest: &Guest) -> Arc<Vec<(String, String)>> {
    Arc::clone(&guest.data().facts.environment_variables)
}

fn name(guest: &mut Guest, index: u64) -> HostResult<String> {
    let variables = variables(guest);
    match variables.get(index as usize) {
        Some((name, _)) => Ok(name.clone()),
        None => {
            let detail = format!(
                "environment variable {index} is out of bounds: there are {}",
                variables.len()
            );
            violation(guest, detail)
        }
    }
}

fn given_name(guest: &mut Guest, from: u64, size: u64, function: &str) -> HostResult<String> {
    if size > ENVIRONMENT_NAME_BYTES_MAX as u64 {
        return violation(guest, format!("ic0.{function}: Variable name is too large"));
    }
    read_text(guest, from, size, function)
}

fn value(guest: &mut Guest, from: u64, size: u64, function: &str) -> HostResult<String> {
    let name = given_name(guest, from, size, function)?;
    match variables(guest).iter().find(|(known, _)| *known == name) {
        Some((_, value)) => Ok(value.clone()),
        None => violation(guest, format!("environment variable {name} not found")),
    }
}
