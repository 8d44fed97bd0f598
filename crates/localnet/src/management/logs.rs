//! What canisters printed, for those who may read it.

use candid::Principal;
use ic_management_canister_types::{
    CanisterLogFilter, CanisterLogRecord, FetchCanisterLogsArgs, FetchCanisterLogsResult,
    LogVisibility,
};

use super::{decode_one, encode};
use crate::error::{ErrorCode, Failure};
use crate::network::Network;

pub fn fetch(network: &Network, sender: Principal, argument: &[u8]) -> Result<Vec<u8>, Failure> {
    let given: FetchCanisterLogsArgs = decode_one(argument)?;
    let id = given.canister_id;
    let state = network.read();
    let canister = state
        .canisters
        .get(&id)
        .ok_or_else(|| Failure::canister_not_found(id))?;
    let visible = match &canister.settings.log_visibility {
        LogVisibility::Public => true,
        LogVisibility::Controllers => canister.is_controller(&sender),
        LogVisibility::AllowedViewers(viewers) => {
            viewers.contains(&sender) || canister.is_controller(&sender)
        }
    };
    if !visible {
        return Err(Failure::new(
            ErrorCode::RejectedMessage,
            format!("Caller {sender} is not allowed to access canister logs"),
        ));
    }
    let wanted = |index: u64, time: u64| match given.filter {
        None => true,
        Some(CanisterLogFilter::ByIdx { start, end }) => start <= index && index < end,
        Some(CanisterLogFilter::ByTimestampNanos { start, end }) => start <= time && time < end,
    };
    let canister_log_records = canister
        .logs
        .records
        .iter()
        .filter(|(index, time, _)| wanted(*index, *time))
        .map(|(idx, timestamp_nanos, content)| CanisterLogRecord {
            idx: *idx,
            timestamp_nanos: *timestamp_nanos,
            content: content.clone(),
        })
        .collect();
    Ok(encode((FetchCanisterLogsResult {
        canister_log_records,
    },)))
}
