//! Cycles for canisters, and randomness.

use ic_management_canister_types::ProvisionalTopUpCanisterArgs;

use super::settings::amount;
use super::{
    CanisterArgument, Handled, ManagementResult, attached, decode, decode_one, empty_reply,
    machine, reply,
};
use crate::canister::ManagementCaller;
use crate::error::Failure;
use crate::scheduler::Executor;

impl Executor {
    pub(super) fn provisional_top_up(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let given: ProvisionalTopUpCanisterArgs = decode_one(argument)?;
        let added = amount(&given.amount, "amount")?;
        let mut state = self.network().write();
        let canister = state
            .canisters
            .get_mut(&given.canister_id)
            .ok_or_else(|| Failure::canister_not_found(given.canister_id))?;
        canister.cycles = canister.cycles.saturating_add(added);
        reply(caller, ())
    }

    /// Everything that was sent along goes to the canister.
    pub(super) fn deposit_cycles(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let id = decode_one::<CanisterArgument>(argument)?.canister_id;
        let mut state = self.network().write();
        let canister = state
            .canisters
            .get_mut(&id)
            .ok_or_else(|| Failure::canister_not_found(id))?;
        canister.cycles = canister.cycles.saturating_add(attached(caller));
        Ok(Handled::Now {
            reply: empty_reply(),
            refund: 0,
        })
    }

    pub(super) fn raw_rand(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        decode::<()>(argument)?;
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes).map_err(machine)?;
        reply(caller, (serde_bytes::ByteBuf::from(bytes),))
    }
}
