//! `notify_create_canister`: a payment in the ledger becomes a canister, once.

use ic_management_canister_types::CanisterSettings;
use stoa_cmc_api::{
    ERROR_CODE_BAD_SUBNET_SELECTION, ERROR_CODE_UNAUTHORIZED, FaultKind, MEMO_CREATE_CANISTER,
    NotifyCreateCanisterArg, NotifyCreateCanisterResult, NotifyError, SubnetFilter,
    SubnetSelection,
};

use crate::faults;
use crate::journal::Stage;
use crate::payment::{self, Begin};
use crate::recovery::InFlight;
use crate::runtime::{self, CallFailure};

pub async fn notify_create_canister(
    arguments: NotifyCreateCanisterArg,
) -> NotifyCreateCanisterResult {
    let caller = runtime::caller();
    if caller != arguments.controller {
        return Err(NotifyError::Other {
            error_code: ERROR_CODE_UNAUTHORIZED,
            error_message: format!(
                "{caller} cannot ask for a canister of {}",
                arguments.controller
            ),
        });
    }
    let selection = selection(arguments.subnet_type, arguments.subnet_selection)?;
    let (block_index, controller) = (arguments.block_index, arguments.controller);
    let fault = faults::take();
    if let Some(error) = faults::before(&fault).await {
        return Err(error);
    }
    let paid = payment::read(block_index, controller, MEMO_CREATE_CANISTER).await?;
    let cycles = payment::cycles_of(paid.amount_e8s);
    if let Begin::Known(stage) = payment::begin(block_index, controller, paid)? {
        faults::after(&fault).await;
        return stage.answer_creation();
    }

    let in_flight = InFlight::enter(block_index).expect("BUG: a new payment is in flight already");
    let settings = CanisterSettings {
        controllers: Some(
            arguments
                .settings
                .as_ref()
                .and_then(|settings| settings.controllers.clone())
                .unwrap_or_else(|| vec![controller]),
        ),
        ..arguments.settings.unwrap_or_default()
    };
    let created = match selection.and_then(missing_subnet) {
        _ if fault == Some(FaultKind::Undeliverable) => Err(faults::undeliverable()),
        Some(reason) => Err(CallFailure::new(reason)),
        None => runtime::create_canister(settings, cycles).await,
    };
    let next = match created {
        Ok(canister) => Stage::BurningAfterCreation {
            canister: canister.as_slice().to_vec(),
            created_at_nanos: runtime::time_nanos(),
        },
        Err(failure) => Stage::Refunding {
            reason: failure.message,
            created_at_nanos: runtime::time_nanos(),
        },
    };
    payment::set_stage(block_index, next);
    payment::finish(block_index).await;
    drop(in_flight);
    faults::after(&fault).await;
    payment::stage(block_index).answer_creation()
}

/// The older field says the same as a filter, and only one of the two may be given.
fn selection(
    subnet_type: Option<String>,
    subnet_selection: Option<SubnetSelection>,
) -> Result<Option<SubnetSelection>, NotifyError> {
    match (subnet_type, subnet_selection) {
        (Some(_), Some(_)) => Err(NotifyError::Other {
            error_code: ERROR_CODE_BAD_SUBNET_SELECTION,
            error_message: "give subnet_type or subnet_selection, not both".to_string(),
        }),
        (Some(subnet_type), None) => Ok(Some(SubnetSelection::Filter(SubnetFilter {
            subnet_type: Some(subnet_type),
        }))),
        (None, selection) => Ok(selection),
    }
}

/// Why the selection cannot be met: a local network has this canister's subnet alone,
/// and it has no type.
fn missing_subnet(selection: SubnetSelection) -> Option<String> {
    match selection {
        SubnetSelection::Subnet { subnet } if subnet != runtime::subnet_self() => {
            Some(format!("the subnet {subnet} does not exist here"))
        }
        SubnetSelection::Filter(SubnetFilter {
            subnet_type: Some(subnet_type),
        }) => Some(format!("there is no subnet of the type {subnet_type}")),
        SubnetSelection::Subnet { .. } | SubnetSelection::Filter(_) => None,
    }
}
