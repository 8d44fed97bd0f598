//! The management canister, `aaaaa-aa`.
//!
//! What must hold: every method says who may call it, and in which way, in one
//! table (`Method`); a method that needs a controller is refused to everyone
//! else, whether it comes as ingress or from a canister.

mod canisters;
mod chunks;
mod cycles;
mod history;
mod http;
mod install;
mod logs;
mod method;
mod settings;
mod snapshot_transfer;
mod snapshots;
mod status;

use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use candid::{CandidType, Principal};
use serde::Deserialize;
use stoa_localnet_wire::Ingress;

pub use method::Method;

use crate::canister::{Canister, ManagementCaller};
use crate::error::{ErrorCode, Failure};
use crate::fees;
use crate::network::{Network, rejected};
use crate::scheduler::{Executor, Task, out_of_cycles};
use crate::system_api::Response;

/// What a method answers, and when.
pub enum Handled {
    /// The reply, and the cycles that were sent along and not used.
    Now { reply: Vec<u8>, refund: u128 },
    /// The answer comes when something else has happened.
    Later,
}

pub type ManagementResult = Result<Handled, Failure>;

/// Most methods are about one canister.
#[derive(CandidType, Deserialize)]
struct CanisterArgument {
    canister_id: Principal,
}

/// Candid for "nothing".
pub fn empty_reply() -> Vec<u8> {
    encode(())
}

fn encode(values: impl ArgumentEncoder) -> Vec<u8> {
    match candid::encode_args(values) {
        Ok(bytes) => bytes,
        Err(error) => panic!("BUG: an answer could not be encoded: {error}"),
    }
}

fn decode<T: for<'a> ArgumentDecoder<'a>>(bytes: &[u8]) -> Result<T, Failure> {
    candid::decode_args(bytes).map_err(|error| {
        Failure::new(
            ErrorCode::InvalidManagementPayload,
            format!("Error decoding candid: {error:#}"),
        )
    })
}

fn decode_one<T: CandidType + for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, Failure> {
    decode::<(T,)>(bytes).map(|(value,)| value)
}

/// An answer that uses none of the cycles.
fn reply(caller: &ManagementCaller, values: impl ArgumentEncoder) -> ManagementResult {
    Ok(Handled::Now {
        reply: encode(values),
        refund: attached(caller),
    })
}

/// A canister may say which version of itself it is; then that must be true.
#[derive(CandidType, Deserialize)]
struct SenderVersion {
    #[serde(default)]
    sender_canister_version: Option<u64>,
    /// Large fields, named so that the decoder copies them where it would walk over unknown ones.
    #[serde(default)]
    #[allow(dead_code)]
    wasm_module: Option<serde_bytes::ByteBuf>,
    #[serde(default)]
    #[allow(dead_code)]
    arg: Option<serde_bytes::ByteBuf>,
    #[serde(default)]
    #[allow(dead_code)]
    chunk: Option<serde_bytes::ByteBuf>,
}

/// What a call says of its sender's version, if its argument is a record that can say it.
pub fn sender_version(argument: &[u8]) -> Option<u64> {
    decode_one::<SenderVersion>(argument)
        .ok()?
        .sender_canister_version
}

/// For a call that says of its sender's version what was not so when it was made.
pub fn wrong_sender_version(given: u64, actual: u64) -> Failure {
    contract_violation(format!(
        "Management canister call payload includes sender canister version {given} \
         that does not match the actual sender canister version {actual}."
    ))
}

fn attached(caller: &ManagementCaller) -> u128 {
    match caller {
        ManagementCaller::User { .. } => 0,
        ManagementCaller::Canister { cycles, .. } => *cycles,
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::InvalidManagementPayload, message)
}

fn contract_violation(message: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::ContractViolation, message)
}

/// More memory may not be more than the canister can keep until its freezing threshold.
fn check_growth(canister: &Canister, bytes: u64) -> Result<(), Failure> {
    let needed = canister.freezing_balance_after_growth(bytes);
    if bytes == 0 || canister.cycles >= needed {
        return Ok(());
    }
    Err(Failure::new(
        ErrorCode::InsufficientCyclesInMemoryGrow,
        format!(
            "Canister cannot grow memory by {bytes} bytes due to insufficient cycles. \
             At least {} additional cycles are required.",
            needed - canister.cycles
        ),
    ))
}

fn machine(error: impl std::fmt::Display) -> Failure {
    Failure::new(
        ErrorCode::Machine,
        format!("The local network could not do that: {error}"),
    )
}

/// The canister that a call is about, if it is about one.
pub fn subject(name: &str, argument: &[u8]) -> Option<Principal> {
    let method = Method::find(name)?;
    match method {
        Method::DepositCycles | Method::ProvisionalTopUp | Method::CanisterInfo => {
            decode_one::<CanisterArgument>(argument)
                .ok()
                .map(|given| given.canister_id)
        }
        _ if method.needs_controller() => method.subject(argument).ok(),
        _ => None,
    }
}

/// Which module a call would install where, if it is a call that may.
pub fn module_to_install(
    network: &Network,
    caller: &ManagementCaller,
    name: &str,
    argument: &[u8],
) -> Option<(Principal, Vec<u8>)> {
    let installs = matches!(
        Method::find(name)?,
        Method::InstallCode | Method::InstallChunkedCode
    );
    if !installs {
        return None;
    }
    let (canister, module) = install::module(network, caller, name, argument).ok()?;
    check_controller(network, caller.sender(), canister).ok()?;
    Some((canister, module))
}

/// The longest argument of `update_settings` that is paid for afterwards.
const PAID_AFTERWARDS_BYTES_MAX: usize = 338;

/// A canister pays for the users' calls that are about it. A short `update_settings` is let in
/// without, so that a freezing threshold that was set too high can be lowered again.
fn is_paid_afterwards(method: Method, argument: &[u8]) -> bool {
    method == Method::UpdateSettings && argument.len() <= PAID_AFTERWARDS_BYTES_MAX
}

#[derive(Clone, Copy)]
enum When {
    Before,
    After,
}

/// Which canister pays for a user's call, if one does.
fn payer(name: &str, argument: &[u8]) -> Option<(Principal, When)> {
    let method = Method::find(name).filter(|method| method.needs_controller())?;
    let when = match is_paid_afterwards(method, argument) {
        true => When::After,
        false => When::Before,
    };
    Some((method.subject(argument).ok()?, when))
}

/// Whether a user's call is let in.
pub fn admit(network: &Network, ingress: &Ingress) -> Result<(), Failure> {
    let name = &ingress.method_name;
    let known = Method::find(name).filter(|method| !method.is_query_only());
    let method = known.ok_or_else(|| {
        Failure::new(
            ErrorCode::MethodNotFound,
            format!("ic00 interface does not expose method {name}"),
        )
    })?;
    let unreadable = |failure: Failure| {
        let reason = failure.message;
        invalid(format!(
            "Failed to parse payload for ic00 method {name}: {reason}"
        ))
    };
    if matches!(method, Method::CanisterInfo | Method::CanisterMetadata) {
        // They are about a canister, so that their argument is read before they are refused.
        decode_one::<CanisterArgument>(&ingress.arg).map_err(unreadable)?;
    }
    if !method.open_to_users() {
        return Err(Failure::new(
            ErrorCode::RejectedMessage,
            format!("ic00 method {name} can not be called via ingress messages"),
        ));
    }
    if !method.needs_controller() {
        return Ok(());
    }
    let id = method.subject(&ingress.arg).map_err(unreadable)?;
    let state = network.read();
    let canister = state
        .canisters
        .get(&id)
        .ok_or_else(|| Failure::canister_not_found(id))?;
    if !is_paid_afterwards(method, &ingress.arg) {
        let needed = canister.freezing_balance() + fees::ingress(ingress.message_bytes);
        if canister.cycles < needed {
            return Err(out_of_cycles(id, needed - canister.cycles));
        }
    }
    match canister.is_controller(&ingress.sender) {
        true => Ok(()),
        false => Err(Failure::new(
            ErrorCode::InvalidController,
            format!("Only controllers of canister {id} can call ic00 method {name}"),
        )),
    }
}

/// A query to the management canister.
pub fn query(
    network: &Network,
    sender: Principal,
    name: &str,
    argument: &[u8],
) -> Result<Response, Failure> {
    let reply = match Method::find(name) {
        Some(Method::FetchCanisterLogs) => logs::fetch(network, sender, argument)?,
        Some(Method::CanisterStatus) => {
            let id = decode_one::<CanisterArgument>(argument)?.canister_id;
            check_controller(network, sender, id)?;
            encode((status::status(network, id)?,))
        }
        Some(Method::ListCanisters) => {
            decode::<()>(argument)?;
            // As on every application subnet but those that somebody rents.
            return Err(Failure::new(
                ErrorCode::RejectedMessage,
                format!("{name} is only available on subnets with subnet admins"),
            ));
        }
        _ => {
            return Err(Failure::new(
                ErrorCode::MethodNotFound,
                format!("Query method {name} not found."),
            ));
        }
    };
    Ok(Response::Reply(reply))
}

fn check_controller(network: &Network, sender: Principal, id: Principal) -> Result<(), Failure> {
    let state = network.read();
    let canister = state
        .canisters
        .get(&id)
        .ok_or_else(|| Failure::canister_not_found(id))?;
    must_control(canister, &sender)
}

fn must_control(canister: &Canister, sender: &Principal) -> Result<(), Failure> {
    if canister.is_controller(sender) {
        return Ok(());
    }
    let id = canister.id;
    let controllers: Vec<String> = canister
        .settings
        .controllers
        .iter()
        .map(Principal::to_text)
        .collect();
    Err(Failure::new(
        ErrorCode::InvalidController,
        format!(
            "Only the controllers of the canister {id} can control it.\n\
             Canister's controllers: {}\nSender's ID: {sender}",
            controllers.join(" ")
        ),
    ))
}

impl Executor {
    /// A user's call, for which the canister pays that it is about, if it is about one.
    pub(crate) fn execute_paid_management_call(
        &mut self,
        caller: ManagementCaller,
        name: &str,
        argument: &[u8],
        fee: u128,
    ) {
        let payer = payer(name, argument);
        if let Some((canister, When::Before)) = payer
            && let Some(canister) = self.network().write().canisters.get_mut(&canister)
        {
            canister.cycles = canister.cycles.saturating_sub(fee);
        }
        self.execute_management_call(caller, name, argument);
        if let Some((canister, When::After)) = payer
            && let Some(canister) = self.network().write().canisters.get_mut(&canister)
        {
            // Whoever cannot pay it need not.
            if canister.cycles >= canister.freezing_balance() + fee {
                canister.cycles -= fee;
            }
        }
    }

    pub(crate) fn execute_management_call(
        &mut self,
        caller: ManagementCaller,
        name: &str,
        argument: &[u8],
    ) {
        match self.handle_management_call(&caller, name, argument) {
            Ok(Handled::Now { reply, refund }) => {
                self.answer_management_call(&caller, Ok(reply), refund)
            }
            Ok(Handled::Later) => {}
            Err(failure) => self.answer_management_call(&caller, Err(failure), attached(&caller)),
        }
    }

    fn handle_management_call(
        &mut self,
        caller: &ManagementCaller,
        name: &str,
        argument: &[u8],
    ) -> ManagementResult {
        let Some(method) = Method::find(name).filter(|method| !method.is_query_only()) else {
            return Err(Failure::new(
                ErrorCode::MethodNotFound,
                format!("Management canister has no method '{name}'"),
            ));
        };
        if method.needs_controller() {
            let subject = method.subject(argument)?;
            let own = method.open_to_itself() && subject == caller.sender();
            if !own {
                check_controller(self.network(), caller.sender(), subject)?;
            }
        }
        match method {
            Method::ProvisionalCreate => self.provisional_create(caller, argument),
            Method::ProvisionalTopUp => self.provisional_top_up(caller, argument),
            Method::CreateCanister => self.create_canister(caller, argument),
            Method::InstallCode => self.install_code(caller, argument),
            Method::InstallChunkedCode => self.install_chunked_code(caller, argument),
            Method::UploadChunk => self.upload_chunk(caller, argument),
            Method::StoredChunks => self.stored_chunks(caller, argument),
            Method::ClearChunkStore => self.clear_chunk_store(caller, argument),
            Method::UpdateSettings => self.update_settings(caller, argument),
            Method::CanisterStatus => {
                let id = decode_one::<CanisterArgument>(argument)?.canister_id;
                reply(caller, (status::status(self.network(), id)?,))
            }
            Method::CanisterInfo => self.canister_info(caller, argument),
            Method::CanisterMetadata => self.canister_metadata(caller, argument),
            Method::StartCanister => self.start_canister(caller, argument),
            Method::StopCanister => self.stop_canister(caller, argument),
            Method::DeleteCanister => self.delete_canister(caller, argument),
            Method::UninstallCode => self.uninstall_code(caller, argument),
            Method::DepositCycles => self.deposit_cycles(caller, argument),
            Method::RawRand => self.raw_rand(caller, argument),
            Method::TakeCanisterSnapshot => self.take_snapshot(caller, argument),
            Method::LoadCanisterSnapshot => self.load_snapshot(caller, argument),
            Method::ListCanisterSnapshots => {
                let id = decode_one::<CanisterArgument>(argument)?.canister_id;
                reply(caller, (snapshots::list(self.network(), id)?,))
            }
            Method::DeleteCanisterSnapshot => self.delete_snapshot(caller, argument),
            Method::ReadSnapshotMetadata => self.read_snapshot_metadata(caller, argument),
            Method::ReadSnapshotData => self.read_snapshot_data(caller, argument),
            Method::UploadSnapshotMetadata => self.upload_snapshot_metadata(caller, argument),
            Method::UploadSnapshotData => self.upload_snapshot_data(caller, argument),
            Method::HttpRequest => self.http_request(caller, argument),
            Method::FetchCanisterLogs => Err(Failure::new(
                ErrorCode::RejectedMessage,
                format!("{name} API is only accessible to end users in non-replicated mode"),
            )),
            Method::ListCanisters | Method::Absent => Err(Failure::new(
                ErrorCode::RejectedMessage,
                format!("The embedded local network does not offer '{name}'"),
            )),
        }
    }

    pub(crate) fn answer_management_call(
        &mut self,
        caller: &ManagementCaller,
        answer: Result<Vec<u8>, Failure>,
        refund: u128,
    ) {
        match caller {
            ManagementCaller::User { request_id, .. } => {
                let status = match answer {
                    Ok(reply) => stoa_localnet_wire::RequestStatus::Replied(reply),
                    Err(failure) => rejected(&failure),
                };
                self.network().answer(*request_id, status);
            }
            ManagementCaller::Canister {
                sender, callback, ..
            } => {
                let response = match answer {
                    Ok(reply) => Response::Reply(reply),
                    Err(failure) => Response::Reject(failure.to_reject()),
                };
                self.enqueue(Task::Response {
                    to: *sender,
                    callback: *callback,
                    response,
                    refund,
                });
            }
        }
    }
}
