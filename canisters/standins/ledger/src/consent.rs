//! ICRC-21: what a call would do, in words that a wallet shows before it signs. The
//! wording is the official ledgers', from their published crate.

use candid::{Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc21::errors::{ErrorInfo, Icrc21Error};
use icrc_ledger_types::icrc21::lib::{
    AccountOrId, GenericMemo, GenericTransferArgs, MAX_CONSENT_MESSAGE_ARG_SIZE_BYTES,
    build_icrc21_consent_info,
};
use icrc_ledger_types::icrc21::requests::ConsentMessageRequest;
use icrc_ledger_types::icrc21::responses::ConsentInfo;

use crate::account::AccountIdentifier;
use crate::icp;
use crate::memory::with_ledger;
use crate::runtime;

pub fn canister_call_consent_message(
    request: ConsentMessageRequest,
) -> Result<ConsentInfo, Icrc21Error> {
    let settings = with_ledger(|ledger| ledger.settings().clone());
    let fee = Nat::from(settings.transfer_fee);
    let icp_transfer = match request.method.as_str() {
        "transfer" => Some(icp_transfer(&request.arg, settings.transfer_fee)?),
        _ => None,
    };
    build_icrc21_consent_info(
        request,
        runtime::caller(),
        fee,
        settings.token_symbol,
        settings.token_name,
        settings.decimals,
        icp_transfer,
    )
}

fn unsupported(description: String) -> Icrc21Error {
    Icrc21Error::UnsupportedCanisterCall(ErrorInfo { description })
}

/// The ICP ledger's own method, whose accounts are hashes.
fn icp_transfer(argument: &[u8], fee_e8s: u64) -> Result<GenericTransferArgs, Icrc21Error> {
    let max = usize::from(MAX_CONSENT_MESSAGE_ARG_SIZE_BYTES);
    if argument.len() > max {
        return Err(unsupported(format!(
            "the argument has {} bytes, at most {max} are explained",
            argument.len()
        )));
    }
    let arguments: icp::TransferArgs = crate::decode(argument)
        .map_err(|error| unsupported(format!("not the arguments of `transfer`: {error}")))?;
    if arguments.fee.e8s != fee_e8s {
        return Err(unsupported(format!(
            "the fee of {} e8s is not the ledger's, {fee_e8s} e8s",
            arguments.fee.e8s
        )));
    }
    let to = AccountIdentifier::try_from(arguments.to.as_slice())
        .map_err(|error| unsupported(error.to_string()))?;
    let caller = runtime::caller();
    // A wallet asks before it knows who signs; then there is no sender to show.
    let from = (caller != Principal::anonymous()).then(|| {
        let account = Account {
            owner: caller,
            subaccount: arguments.from_subaccount,
        };
        hex::encode(AccountIdentifier::from(account).0)
    });
    Ok(GenericTransferArgs {
        from: AccountOrId::AccountIdAddress(from),
        receiver: AccountOrId::AccountIdAddress(Some(hex::encode(to.0))),
        amount: Nat::from(arguments.amount.e8s),
        memo: Some(GenericMemo::IntMemo(arguments.memo)),
    })
}
