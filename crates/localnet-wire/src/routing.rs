//! Where a request may be sent: the effective id in the URL must agree with the
//! canister that the request speaks to.

use candid::{CandidType, Decode, Principal};
use serde::Deserialize;
use serde_bytes::ByteBuf;

use crate::envelope::Invocation;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum RoutingError {
    #[error("Invalid effective id in the URL: {given:.100} is not a principal")]
    NotAPrincipal { given: String },
    #[error(
        "Effective canister id in URL {in_url} does not match requested canister id: {requested}"
    )]
    OtherCanister {
        in_url: Principal,
        requested: Principal,
    },
    #[error("Subnet {in_url} is not here: the only subnet of this network is {only}")]
    OtherSubnet { in_url: Principal, only: Principal },
    #[error("Only {allowed} can be sent to a subnet, not {given:.100}")]
    NotForSubnets {
        allowed: &'static str,
        given: String,
    },
}

/// Methods of the management canister that create a canister or are routed
/// without one; any effective id will do.
const ANY_EFFECTIVE_ID: [&str; 4] = [
    "create_canister",
    "provisional_create_canister_with_cycles",
    "provisional_top_up_canister",
    "list_canisters",
];

/// The field that routes most calls to the management canister. The large
/// fields are named so that the decoder copies them instead of walking them.
#[derive(CandidType, Deserialize)]
struct AboutCanister {
    canister_id: Principal,
    #[serde(default)]
    wasm_module: Option<ByteBuf>,
    #[serde(default)]
    chunk: Option<ByteBuf>,
}

/// As above, for `install_chunked_code`.
#[derive(CandidType, Deserialize)]
struct AboutTargetCanister {
    target_canister: Principal,
}

pub(crate) fn parse_effective_id(text: &str) -> Result<Principal, RoutingError> {
    Principal::from_text(text).map_err(|_| RoutingError::NotAPrincipal {
        given: text.to_owned(),
    })
}

/// Holds a call or query against the canister id in the URL.
///
/// A call to the management canister whose argument names no canister passes: it
/// is the machine that knows the methods and refuses it.
pub(crate) fn check_canister(
    effective_canister_id: Principal,
    invocation: &Invocation,
) -> Result<(), RoutingError> {
    let requested = if invocation.canister_id == Principal::management_canister() {
        match routed_canister(invocation) {
            Some(canister_id) => canister_id,
            None => return Ok(()),
        }
    } else {
        invocation.canister_id
    };
    if requested == effective_canister_id {
        Ok(())
    } else {
        Err(RoutingError::OtherCanister {
            in_url: effective_canister_id,
            requested,
        })
    }
}

fn routed_canister(invocation: &Invocation) -> Option<Principal> {
    let method = invocation.method_name.as_str();
    if ANY_EFFECTIVE_ID.contains(&method) {
        return None;
    }
    if method == "install_chunked_code" {
        let argument = Decode!(&invocation.arg, AboutTargetCanister).ok()?;
        return Some(argument.target_canister);
    }
    let argument = Decode!(&invocation.arg, AboutCanister).ok()?;
    Some(argument.canister_id)
}

/// Holds a call to a subnet against the few methods that may go there.
pub(crate) fn check_subnet_call(
    in_url: Principal,
    only: Principal,
    invocation: &Invocation,
) -> Result<(), RoutingError> {
    check_subnet(in_url, only)?;
    let creates = matches!(
        invocation.method_name.as_str(),
        "create_canister" | "provisional_create_canister_with_cycles"
    );
    if creates && invocation.canister_id == Principal::management_canister() {
        return Ok(());
    }
    Err(RoutingError::NotForSubnets {
        allowed: "calls that create a canister",
        given: invocation.method_name.clone(),
    })
}

pub(crate) fn check_subnet_query(
    in_url: Principal,
    only: Principal,
    invocation: &Invocation,
) -> Result<(), RoutingError> {
    check_subnet(in_url, only)?;
    if invocation.method_name == "list_canisters"
        && invocation.canister_id == Principal::management_canister()
    {
        return Ok(());
    }
    Err(RoutingError::NotForSubnets {
        allowed: "the query list_canisters",
        given: invocation.method_name.clone(),
    })
}

pub(crate) fn check_subnet(in_url: Principal, only: Principal) -> Result<(), RoutingError> {
    if in_url == only {
        Ok(())
    } else {
        Err(RoutingError::OtherSubnet { in_url, only })
    }
}
