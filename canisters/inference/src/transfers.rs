//! Money out of this canister's accounts on the ledgers: withdrawals, royalties, the treasury's share.
//!
//! ```text
//! (money leaves its holder) Sending --> Sent
//!                              +------> Failed        it definitely did not happen: the money is back with its holder
//!                              +------> Unresolved    no answer within the window; governance may settle it
//! ```
//!
//! What must hold: the holder's balance falls before the ledger is asked, and rises again only on a definite refusal. The
//! record has all that the ledger is told, so a retry is the same transfer.

use candid::Principal;
use stoa_inference_api::{
    Account, GetTransferError, GetTransferResult, OutgoingTransfer, TransferPurpose, TransferState,
};
use stoa_types::Sha256;

use crate::accounts::{self, Short};
use crate::ledger::{self, Outcome, Refusal};
use crate::limits::{RECOVERY_BATCH, RETRY_WHILE_BUSY, TRANSFERS_CLOSED_MAX, retry_delay};
use crate::money::to_token;
use crate::payment::{learn_fee, outside_window};
use crate::runtime::{Runtime, Task};
use crate::state;
use crate::stored::{Holder, StoredTransfer, StoredTransferState, Transfer, Unit};
use crate::volatile::TransferGuard;

/// Takes `gross` from its holder and writes the transfer down; the ledger's fee is taken from it.
pub fn begin<R: Runtime>(
    runtime: &R,
    unit: Unit,
    from: Holder,
    to: (Principal, Option<Sha256>),
    gross: u64,
) -> Result<u64, Short> {
    let fee = state::ledger_fee(unit);
    let amount = gross.checked_sub(fee).ok_or(Short {
        balance: gross.into(),
        needed: fee.into(),
    })?;
    accounts::transfer(unit, &from, &Holder::Sending, gross.into())?;
    let id = next_id();
    put(Transfer {
        id,
        unit,
        from,
        to: to.0,
        to_subaccount: to.1,
        amount,
        fee,
        memo: ledger::memo(b"stoa-out", id),
        created_at_nanos: runtime.now_nanos(),
        state: StoredTransferState::Sending,
        attempts: 0,
    });
    Ok(id)
}

pub fn next_id() -> u64 {
    state::with(|state| state.transfers.last_key_value().map_or(0, |(id, _)| id + 1))
}

/// Asks the ledger, or asks again, if nobody else is at it.
pub async fn send<R: Runtime>(runtime: &R, id: u64) {
    let Some(_guard) = TransferGuard::lock(id) else {
        return;
    };
    let transfer = get(id);
    if transfer.state != StoredTransferState::Sending {
        return;
    }
    // Should the continuation trap, the timer goes on where the record says.
    schedule(runtime, id);
    let repeated = transfer.attempts > 0;
    if repeated && outside_window(runtime, transfer.created_at_nanos) {
        let message = "no answer within the ledger's window".to_owned();
        set_state(id, StoredTransferState::Unresolved { message });
        return;
    }
    // Committed with the call: from here on this may have been executed.
    put(Transfer {
        attempts: transfer.attempts.saturating_add(1),
        ..transfer.clone()
    });
    let outcome = ledger::send(runtime, &transfer).await;
    if get(id).state != StoredTransferState::Sending {
        return;
    }
    match outcome {
        Outcome::Done { block } => sent(id, block),
        // This request did nothing; what became of an earlier one it does not say.
        Outcome::Refused(refusal) if repeated && !refusal.is_about_all_requests() => {
            if refusal == Refusal::TooOld {
                let message = refusal.to_string();
                set_state(id, StoredTransferState::Unresolved { message });
            }
        }
        Outcome::Refused(refusal) => {
            learn_fee(transfer.unit, &refusal);
            failed(id, refusal.to_string());
        }
        Outcome::Unknown { .. } => {}
    }
}

pub fn sent(id: u64, block: u64) {
    let transfer = get(id);
    accounts::send(transfer.unit, &Holder::Sending, transfer.gross().into());
    set_state(id, StoredTransferState::Sent { block });
}

/// It definitely did not happen.
pub fn failed(id: u64, message: String) {
    let transfer = get(id);
    accounts::release(
        transfer.unit,
        &Holder::Sending,
        &transfer.from,
        transfer.gross().into(),
    );
    set_state(id, StoredTransferState::Failed { message });
}

/// The timer's form: every transfer whose outcome is not known.
pub async fn recover<R: Runtime>(runtime: &R) {
    let open: Vec<u64> =
        state::with(|state| state.open_transfers.iter().take(RECOVERY_BATCH).collect());
    if !open.is_empty() {
        // Should a message of this chain trap, the next timer goes on where the journal says.
        runtime.schedule(RETRY_WHILE_BUSY, Task::Transfers);
    }
    for id in open {
        send(runtime, id).await;
    }
}

fn schedule<R: Runtime>(runtime: &R, id: u64) {
    runtime.schedule(retry_delay(get(id).attempts), Task::Transfers);
}

pub fn get(id: u64) -> Transfer {
    find(id).expect("BUG: an open transfer is in the journal")
}

pub fn find(id: u64) -> Option<Transfer> {
    let StoredTransfer::V1(transfer) = state::with(|state| state.transfers.get(&id))?;
    Some(transfer)
}

pub fn put(transfer: Transfer) {
    state::with_mut(|state| {
        if transfer.state == StoredTransferState::Sending {
            state.open_transfers.insert(transfer.id);
        } else {
            state.open_transfers.remove(&transfer.id);
        }
        state
            .transfers
            .insert(transfer.id, StoredTransfer::V1(transfer));
        if state.transfers.len() - state.open_transfers.len() > TRANSFERS_CLOSED_MAX {
            let settled = state
                .transfers
                .iter()
                .take(100)
                .map(|entry| entry.value())
                .map(|StoredTransfer::V1(transfer)| transfer)
                .find(|transfer| {
                    matches!(
                        transfer.state,
                        StoredTransferState::Sent { .. } | StoredTransferState::Failed { .. }
                    )
                });
            if let Some(transfer) = settled {
                state.transfers.remove(&transfer.id);
            }
        }
    });
}

fn set_state(id: u64, new: StoredTransferState) {
    put(Transfer {
        state: new,
        ..get(id)
    });
}

pub fn get_transfer(id: u64) -> GetTransferResult {
    find(id)
        .map(to_wire)
        .ok_or(GetTransferError::NotFound { id })
}

pub fn to_wire(transfer: Transfer) -> OutgoingTransfer {
    OutgoingTransfer {
        id: transfer.id,
        token: to_token(transfer.unit),
        purpose: match transfer.from {
            Holder::Credit(by) => TransferPurpose::Withdrawal { by },
            Holder::Royalty { .. } => TransferPurpose::Royalty,
            _ => TransferPurpose::Treasury,
        },
        to: Account {
            owner: transfer.to,
            subaccount: transfer.to_subaccount,
        },
        amount_e8s: transfer.amount,
        fee_e8s: transfer.fee,
        created_at_nanos: transfer.created_at_nanos,
        state: match transfer.state {
            StoredTransferState::Sending => TransferState::Sending,
            StoredTransferState::Sent { block } => TransferState::Sent { block },
            StoredTransferState::Failed { message } => TransferState::Failed { message },
            StoredTransferState::Unresolved { message } => TransferState::Unresolved { message },
        },
    }
}
