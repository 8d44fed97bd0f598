//! What governance decides about this canister, beside its policy: which versions it loads and lets go, and what became
//! of transfers that a ledger never answered for. Each has a validator, which shows voters what they vote on.

use candid::Principal;
use stoa_inference_api::{LoadResult, ModelArgs, SettleArgs, SettleSubject, ValidationResult};

use crate::policy::only_governance;
use crate::runtime::Runtime;
use crate::stored::{Payment, StoredPaymentState, StoredTransferState, Transfer};
use crate::volatile::{PaymentGuard, TransferGuard};
use crate::{journal, load, payment, state, transfers};

pub fn validate_load_model(arguments: &ModelArgs) -> ValidationResult {
    Ok(load::render("Load a version", &arguments.version))
}

/// `load` asks nothing of governance but its name.
pub async fn load_model<R: Runtime>(
    runtime: &R,
    caller: Principal,
    arguments: &ModelArgs,
) -> Result<LoadResult, String> {
    only_governance(caller)?;
    Ok(load::load(runtime, caller, arguments.version, None).await)
}

pub fn validate_unload_model(arguments: &ModelArgs) -> ValidationResult {
    if state::load(&arguments.version).is_none() {
        return Err(format!("{} is not loaded here", arguments.version));
    }
    Ok(load::render("Unload a version", &arguments.version))
}

/// Calls under way end by themselves: without the model they give back what was paid.
pub fn unload_model(caller: Principal, arguments: &ModelArgs) -> Result<(), String> {
    only_governance(caller)?;
    load::forget(&arguments.version);
    Ok(())
}

pub fn validate_settle_payment(arguments: &SettleArgs) -> ValidationResult {
    let finding = match arguments.block {
        Some(block) => format!("it happened, at block {block}"),
        None => "it did not happen".to_owned(),
    };
    let what = match arguments.subject {
        SettleSubject::Payment(id) => {
            let payment = unresolved_payment(id)?;
            format!("a charge of {} e8s from {}", payment.amount, payment.caller)
        }
        SettleSubject::Transfer(id) => {
            let transfer = unresolved_transfer(id)?;
            format!("a transfer of {} e8s to {}", transfer.amount, transfer.to)
        }
    };
    Ok(format!(
        "# Settle what the ledger did not answer for\n\n{what}: the ledger's blocks say that {finding}."
    ))
}

/// A charge that happened becomes credit of the payer; a transfer that did not goes back to its holder.
pub fn settle_payment(caller: Principal, arguments: &SettleArgs) -> Result<(), String> {
    only_governance(caller)?;
    match arguments.subject {
        SettleSubject::Payment(id) => {
            let payment = unresolved_payment(id)?;
            let _guard = PaymentGuard::lock(id).ok_or("it is being worked on")?;
            match arguments.block {
                Some(block) => {
                    payment::charged(&payment, block);
                    if matches!(journal::get(id).state, StoredPaymentState::Charged { .. }) {
                        payment::give_back(id);
                    }
                }
                None => payment::not_charged(&payment, "settled by governance".to_owned()),
            }
        }
        SettleSubject::Transfer(id) => {
            unresolved_transfer(id)?;
            let _guard = TransferGuard::lock(id).ok_or("it is being worked on")?;
            match arguments.block {
                Some(block) => transfers::sent(id, block),
                None => transfers::failed(id, "settled by governance".to_owned()),
            }
        }
    }
    Ok(())
}

fn unresolved_payment(id: u64) -> Result<Payment, String> {
    state::payment(id)
        .filter(|payment| matches!(payment.state, StoredPaymentState::Unresolved { .. }))
        .ok_or_else(|| format!("there is no unresolved payment {id}"))
}

fn unresolved_transfer(id: u64) -> Result<Transfer, String> {
    transfers::find(id)
        .filter(|transfer| matches!(transfer.state, StoredTransferState::Unresolved { .. }))
        .ok_or_else(|| format!("there is no unresolved transfer {id}"))
}
