//! Certified data, and the root key that certificates lead to.

use std::sync::Arc;

use wasmtime::Linker;

use super::USUAL;
use super::context::MessageContext;
use super::entry_point::*;
use super::guest::*;
use crate::limits::CERTIFIED_DATA_BYTES_MAX;

pub fn define<P: Pointer>(linker: &mut Linker<MessageContext>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "ic0",
        "certified_data_set",
        |mut guest: Guest, from: P, size: P| {
            let [from, size] = wide([from, size]);
            enter(
                &mut guest,
                "certified_data_set",
                CERTIFIED_DATA,
                USUAL,
                size,
            )?;
            if size > CERTIFIED_DATA_BYTES_MAX as u64 {
                let detail = format!(
                    "ic0_certified_data_set failed because the passed data must be no larger than \
                 {CERTIFIED_DATA_BYTES_MAX} bytes. Found {size} bytes"
                );
                return violation(&mut guest, detail);
            }
            let data = read(&mut guest, from, size)?;
            guest.data_mut().certified_data = Some(data);
            Ok(())
        },
    )?;
    linker.func_wrap("ic0", "data_certificate_present", |mut guest: Guest| {
        enter(&mut guest, "data_certificate_present", NOT_START, USUAL, 0)?;
        let context = guest.data();
        let has_one = context.certifier.is_some() || context.data_certificate.is_some();
        let present = has_one && DATA_CERTIFICATE.allows(context.entry_point);
        Ok(u32::from(present))
    })?;
    linker.func_wrap("ic0", "data_certificate_size", |mut guest: Guest| {
        enter(
            &mut guest,
            "data_certificate_size",
            DATA_CERTIFICATE,
            USUAL,
            0,
        )?;
        Ok(P::narrow(
            certificate(&mut guest, "data_certificate_size")?.len(),
        ))
    })?;
    linker.func_wrap(
        "ic0",
        "data_certificate_copy",
        |mut guest: Guest, to: P, offset: P, size: P| {
            let [to, offset, size] = wide([to, offset, size]);
            enter(
                &mut guest,
                "data_certificate_copy",
                DATA_CERTIFICATE,
                USUAL,
                size,
            )?;
            let certificate = certificate(&mut guest, "data_certificate_copy")?;
            copy_out(
                &mut guest,
                &certificate,
                to,
                offset,
                size,
                "data_certificate_copy",
            )
        },
    )?;
    linker.func_wrap("ic0", "root_key_size", |mut guest: Guest| {
        enter(&mut guest, "root_key_size", ROOT_KEY, USUAL, 0)?;
        Ok(P::narrow(guest.data().facts.root_key.len()))
    })?;
    linker.func_wrap(
        "ic0",
        "root_key_copy",
        |mut guest: Guest, to: P, offset: P, size: P| {
            let [to, offset, size] = wide([to, offset, size]);
            enter(&mut guest, "root_key_copy", ROOT_KEY, USUAL, size)?;
            let key = Arc::clone(&guest.data().facts.root_key);
            copy_out(&mut guest, &key, to, offset, size, "root_key_copy bytes")
        },
    )?;
    Ok(())
}

fn certificate(guest: &mut Guest, name: &str) -> HostResult<Arc<Vec<u8>>> {
    if let Some(certifier) = guest.data_mut().certifier.take() {
        guest.data_mut().data_certificate = Some(Arc::new(certifier()));
    }
    match &guest.data().data_certificate {
        Some(certificate) => Ok(Arc::clone(certificate)),
        None => violation(
            guest,
            format!("\"ic0_{name}\" cannot be executed without a data certificate"),
        ),
    }
}
