//! Creating canisters, starting and stopping them, and taking them away.

use candid::Principal;
use ic_management_canister_types::{
    CanisterIdRecord, ChangeDetails, CreateCanisterArgs, CreationRecord,
    ProvisionalCreateCanisterWithCyclesArgs,
};

use super::settings::{amount, apply, check_affordable};
use super::{
    CanisterArgument, Handled, ManagementResult, attached, decode, decode_one, empty_reply,
    invalid, reply,
};
use crate::canister::{Canister, ManagementCaller, Settings, Status, StopRequest, uninstalled};
use crate::error::{ErrorCode, Failure};
use crate::fees;
use crate::network::{is_allocated_here, is_canister_id};
use crate::scheduler::{Answer, Executor};
use crate::system_api::Response;
use stoa_types::rih::{self, Value};

/// How long a call to `stop_canister` waits.
const STOP_NANOS: u64 = 300_000_000_000;

impl Executor {
    pub(super) fn provisional_create(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let given: ProvisionalCreateCanisterWithCyclesArgs = decode_one(argument)?;
        let cycles = match given.amount {
            Some(given) => amount(&given, "amount")?,
            None => fees::PROVISIONAL_CYCLES,
        };
        let id = self.create(
            caller,
            given.settings.unwrap_or_default(),
            cycles,
            given.specified_id,
        )?;
        reply(caller, (CanisterIdRecord { canister_id: id },))
    }

    pub(super) fn create_canister(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        // The argument itself is optional, as in the interface of old.
        let settings = match decode::<(Option<CreateCanisterArgs>,)>(argument) {
            Ok((given,)) => given.and_then(|given| given.settings),
            Err(_) => decode_one::<CreateCanisterArgs>(argument)?.settings,
        };
        let sent = attached(caller);
        let Some(cycles) = sent.checked_sub(fees::CANISTER_CREATION) else {
            return Err(Failure::new(
                ErrorCode::InsufficientCyclesForCreate,
                format!(
                    "Creating a canister requires a fee of {} that is deducted from the canister's initial balance \
                     but only {sent} cycles were received with the create_canister request.",
                    fees::CANISTER_CREATION
                ),
            ));
        };
        let id = self.create(caller, settings.unwrap_or_default(), cycles, None)?;
        let record = CanisterIdRecord { canister_id: id };
        Ok(Handled::Now {
            reply: super::encode((record,)),
            refund: 0,
        })
    }

    fn create(
        &mut self,
        caller: &ManagementCaller,
        given: ic_management_canister_types::CanisterSettings,
        cycles: u128,
        specified: Option<Principal>,
    ) -> Result<Principal, Failure> {
        let mut settings = Settings::new(vec![caller.sender()]);
        apply(&mut settings, &given)?;
        let now = self.network().now();
        let mut state = self.network().write();
        let id = match specified {
            None => state.allocate_canister_id(),
            Some(id) if !is_canister_id(&id) || is_allocated_here(&id) => {
                return Err(invalid(format!(
                    "The `specified_id` {id} is invalid because it belongs to the canister allocation ranges of \
                     the test environment or is not the id of a canister."
                )));
            }
            Some(id) if state.canisters.contains_key(&id) => {
                return Err(Failure::new(
                    ErrorCode::AlreadyInstalled,
                    format!("Canister {id} is already installed."),
                ));
            }
            Some(id) => id,
        };
        let controllers = settings.controllers.clone();
        let mut canister = Canister::new(id, settings, cycles, now);
        check_affordable(&canister, &Settings::new(Vec::new()))?;
        let environment_variables_hash = given.environment_variables.is_some().then(|| {
            let variables = canister.settings.environment_variables.iter();
            let entries = variables.map(|(name, value)| (name.as_str(), Value::Text(value)));
            rih::hash(&Value::Map(entries.collect())).0.to_vec()
        });
        canister.record(
            now,
            caller,
            ChangeDetails::Creation(CreationRecord {
                controllers,
                environment_variables_hash,
            }),
        );
        self.network().publish(&canister);
        state.canisters.insert(id, canister);
        Ok(id)
    }

    pub(super) fn start_canister(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let id = decode_one::<CanisterArgument>(argument)?.canister_id;
        let cancelled = {
            let mut state = self.network().write();
            let canister = state
                .canisters
                .get_mut(&id)
                .ok_or_else(|| Failure::canister_not_found(id))?;
            canister.version += 1;
            match std::mem::replace(&mut canister.status, Status::Running) {
                Status::Running | Status::Stopped => Vec::new(),
                Status::Stopping(waiting) => waiting,
            }
        };
        for request in cancelled {
            let failure = Failure::new(
                ErrorCode::StoppingCancelled,
                format!("Canister {id}'s stop request was cancelled."),
            );
            self.answer_management_call(&request.caller, Err(failure), attached(&request.caller));
        }
        reply(caller, ())
    }

    pub(super) fn stop_canister(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let id = decode_one::<CanisterArgument>(argument)?.canister_id;
        let deadline = self.network().now() + STOP_NANOS;
        let request = StopRequest {
            caller: caller.clone(),
            deadline,
        };
        {
            let mut state = self.network().write();
            let canister = state
                .canisters
                .get_mut(&id)
                .ok_or_else(|| Failure::canister_not_found(id))?;
            canister.version += 1;
            match &mut canister.status {
                Status::Stopped => return reply(caller, ()),
                Status::Stopping(waiting) => waiting.push(request),
                running => *running = Status::Stopping(vec![request]),
            }
        }
        self.finish_stopping(id);
        Ok(Handled::Later)
    }

    pub(super) fn uninstall_code(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let id = decode_one::<CanisterArgument>(argument)?.canister_id;
        let now = self.network().now();
        let waiting = {
            let mut state = self.network().write();
            let canister = state
                .canisters
                .get_mut(&id)
                .ok_or_else(|| Failure::canister_not_found(id))?;
            canister.version += 1;
            let waiting = canister.remove_code();
            canister.record(now, caller, ChangeDetails::CodeUninstall);
            self.network().publish(canister);
            waiting
        };
        for (origin, refund) in waiting {
            let answer = Answer::Response(Response::Reject(uninstalled()));
            self.respond(&origin, answer, refund);
        }
        self.finish_stopping(id);
        reply(caller, ())
    }

    pub(super) fn delete_canister(
        &mut self,
        caller: &ManagementCaller,
        argument: &[u8],
    ) -> ManagementResult {
        let id = decode_one::<CanisterArgument>(argument)?.canister_id;
        if caller.sender() == id {
            return Err(Failure::new(
                ErrorCode::InvalidController,
                format!("Canister {id} cannot delete itself."),
            ));
        }
        let mut state = self.network().write();
        let canister = state
            .canisters
            .get(&id)
            .ok_or_else(|| Failure::canister_not_found(id))?;
        if !matches!(canister.status, Status::Stopped) {
            return Err(Failure::new(
                ErrorCode::NotStopped,
                format!("Canister {id} must be stopped before it is deleted."),
            ));
        }
        state.canisters.remove(&id);
        self.network().unpublish(&id);
        Ok(Handled::Now {
            reply: empty_reply(),
            refund: attached(caller),
        })
    }
}
