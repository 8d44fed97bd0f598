//! `create_canister`: tokens become a canister that starts with them, less the system's fee.
//!
//! Mainnet's asks the cycles minting canister, which chooses the subnet; here there is one.

use candid::{CandidType, Nat, Principal};
use ic_management_canister_types::CanisterSettings;
use icrc_ledger_types::icrc1::account::{Account, Subaccount};
use serde::Deserialize;
use stoa_cmc_api::{SubnetFilter, SubnetSelection};

use super::{
    CREATION, REFUND_OF_CREATION, RejectionCode, marked, refund, require_cycles, taking_out_error,
};
use crate::ledger::TakeOutRequest;
use crate::memory::with_ledger;
use crate::refusal::Refusal;
use crate::runtime::{self, Rejected};
use crate::transfer::fitting;

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct CreateCanisterArgs {
    pub from_subaccount: Option<Subaccount>,
    pub created_at_time: Option<u64>,
    pub amount: Nat,
    pub creation_args: Option<CreationArgs>,
}

/// Where the settings name no controllers, the caller is the only one.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct CreationArgs {
    pub subnet_selection: Option<SubnetSelection>,
    pub settings: Option<CanisterSettings>,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct CreateCanisterSuccess {
    pub block_id: Nat,
    pub canister_id: Principal,
}

#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum CreateCanisterError {
    GenericError {
        message: String,
        error_code: Nat,
    },
    TemporarilyUnavailable,
    /// With the canister that the first request created, once it has.
    Duplicate {
        duplicate_of: Nat,
        canister_id: Option<Principal>,
    },
    CreatedInFuture {
        ledger_time: u64,
    },
    FailedToCreate {
        error: String,
        refund_block: Option<Nat>,
        fee_block: Option<Nat>,
    },
    TooOld,
    InsufficientFunds {
        balance: Nat,
    },
}

impl From<Refusal> for CreateCanisterError {
    fn from(refusal: Refusal) -> Self {
        type E = CreateCanisterError;
        taking_out_error!(refusal, E, |of: u64| E::Duplicate {
            duplicate_of: Nat::from(of),
            canister_id: with_ledger(|ledger| ledger.created_canisters.get(&of)),
        })
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

pub async fn create_canister(
    arguments: CreateCanisterArgs,
) -> Result<CreateCanisterSuccess, CreateCanisterError> {
    require_cycles();
    let caller = runtime::caller();
    let from = Account {
        owner: caller,
        subaccount: arguments.from_subaccount,
    };
    let amount = fitting(&arguments.amount);
    let request = TakeOutRequest {
        from,
        amount,
        memo: marked(CREATION),
        created_at_time: arguments.created_at_time,
    };
    let block = with_ledger(|ledger| ledger.take_out(request, runtime::time_nanos()))?;
    let amount = amount.expect("BUG: an amount without a number was taken out");
    let creation = arguments.creation_args.unwrap_or_default();
    let settings = creation.settings.unwrap_or_default();
    let settings = CanisterSettings {
        controllers: Some(settings.controllers.unwrap_or_else(|| vec![caller])),
        ..settings
    };
    let created = match creation.subnet_selection.and_then(missing_subnet) {
        Some(message) => Err(Rejected {
            code: RejectionCode::CanisterError as u32,
            message,
        }),
        None => runtime::create_canister(settings, amount.into()).await,
    };
    match created {
        Ok(canister_id) => {
            if arguments.created_at_time.is_some() {
                with_ledger(|ledger| ledger.created_canisters.insert(block, canister_id));
            }
            Ok(CreateCanisterSuccess {
                block_id: Nat::from(block),
                canister_id,
            })
        }
        Err(rejected) => Err(CreateCanisterError::FailedToCreate {
            error: rejected.message,
            refund_block: refund(from, amount, REFUND_OF_CREATION),
            fee_block: Some(Nat::from(block)),
        }),
    }
}
