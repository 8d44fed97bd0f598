//! `load`: asks the registry about a version and, if it is admitted, begins to load it. Asking again gives
//! the status. Governance and the registry load what they decide; anybody else pays what the policy says, and if that is
//! nothing, the cost that strangers can cause still has a bound: what is admitted was voted on, is loaded once, and a failed
//! load waits before it is tried again.

use std::collections::BTreeMap;
use std::time::Duration;

use candid::Principal;
use stoa_inference_api::{LoadError, LoadResult, LoadState, LoadStatus, Payment, Token};
use stoa_registry_api::VersionInfo;
use stoa_types::Sha256;
use stoa_types::manifest::FileEntry;

use crate::ledger::Outcome;
use crate::limits::{
    LOAD_RETRY_AFTER, LOADS_MAX, LOADS_OPEN_MAX, MODEL_BYTES_MAX, PIPELINE_BYTES_MAX,
};
use crate::money::unit_of;
use crate::payment::{self, Bill};
use crate::registration::{self, ADMITTED, AskError};
use crate::runtime::{Runtime, Task};
use crate::stored::{FileRange, Load, PlacedChunk, Purpose, StoredLoadState};
use crate::volatile::{self, PaymentGuard, RegistrationGuard};
use crate::{chunk_store, infer, names, price, recovery, state};

pub async fn load<R: Runtime>(
    runtime: &R,
    caller: Principal,
    version: Sha256,
    payment: Option<Payment>,
) -> LoadResult {
    if caller == Principal::anonymous() {
        return Err(LoadError::AnonymousCaller);
    }
    if let Some(status) = under_way(runtime, &version) {
        return Ok(status);
    }
    check_room()?;
    check_cycles(runtime)?;
    let Some(_guard) = RegistrationGuard::lock(caller) else {
        return Err(LoadError::Busy);
    };
    let failed = |error| match error {
        AskError::NotFound => LoadError::NotFound { version },
        AskError::Failed { message } => LoadError::RegistryFailed { message },
    };
    let info = registration::ask(runtime, version).await.map_err(failed)?;
    let status = info.status.name();
    if status != ADMITTED {
        return Err(LoadError::NotAdmitted {
            version,
            status: status.to_owned(),
        });
    }
    let (files, chunks) = placed_files(&info)?;
    let payees = registration::payees(runtime, &info).await.map_err(failed)?;

    // The calls may have let another one in.
    if let Some(status) = under_way(runtime, &version) {
        return Ok(status);
    }
    check_room()?;
    let configuration = state::configuration();
    let is_decided = caller == configuration.governance || caller == configuration.registry;
    let price_e8s = price::load_price_e8s(&configuration.policy, chunks.len() as u64);
    let paid = if is_decided || price_e8s == 0 {
        None
    } else {
        Some(pay(runtime, caller, version, price_e8s, payment).await?)
    };
    // While a ledger answered, another may have begun it or taken the room.
    if let Some((id, _guard)) = &paid {
        if let Some(status) = under_way(runtime, &version) {
            payment::give_back(*id);
            return Ok(status);
        }
        if let Err(error) = check_room() {
            payment::give_back(*id);
            return Err(error);
        }
    }
    let now = runtime.now_nanos();
    let record = Load {
        version,
        started_at_nanos: now,
        files,
        chunks,
        signature: info.manifest.signature.clone(),
        pipeline: Some(info.manifest.pipeline.clone()),
        state: StoredLoadState::Fetching { next: 0 },
        probe: None,
        attempts: 0,
        payment: paid.as_ref().map(|(id, _)| *id),
        registered: registration::registered(&info, payees, now),
    };
    forget(&version);
    make_room();
    let status = self::status(&record);
    state::put_load(record);
    runtime.schedule(Duration::ZERO, Task::Loads);
    Ok(status)
}

async fn pay<R: Runtime>(
    runtime: &R,
    caller: Principal,
    version: Sha256,
    price_e8s: u64,
    payment: Option<Payment>,
) -> Result<(u64, PaymentGuard), LoadError> {
    let (token, allowance) = match payment {
        None => return Err(LoadError::PaymentNeeded { price_e8s }),
        Some(Payment::Cycles) => return Err(LoadError::NotWithCycles),
        Some(Payment::Credit { token }) => (token, None),
        Some(Payment::Allowance {
            token,
            from_subaccount,
        }) => (token, Some(from_subaccount)),
    };
    let not_taken = || LoadError::TokenNotTaken { token };
    let unit = unit_of(token).ok_or_else(not_taken)?;
    let amount = match token {
        Token::Icp => price_e8s,
        Token::Governance => price::price(&state::policy(), unit, price_e8s, 0)
            .ok_or_else(not_taken)?
            .total_e8s(),
    };
    let bill = Bill {
        purpose: Purpose::Load { version },
        unit,
        amount,
        author_part: 0,
    };
    let lock = |id| PaymentGuard::lock(id).expect("BUG: a new payment is locked");
    if let Ok(id) = payment::open_from_credit(runtime, caller, bill, None) {
        return Ok((id, lock(id)));
    }
    let failed = |message: String, journal_id| LoadError::PaymentFailed {
        message,
        journal_id,
    };
    let Some(from_subaccount) = allowance else {
        return Err(failed(format!("the credit does not cover {amount}"), None));
    };
    let id = payment::open_by_allowance(runtime, caller, bill, from_subaccount);
    let guard = lock(id);
    // Should the continuation trap, the timer finds the payment in the journal and gives it back.
    recovery::schedule(runtime, id);
    match payment::charge(runtime, id).await {
        Outcome::Done { .. } => Ok((id, guard)),
        Outcome::Refused(refusal) => Err(failed(refusal.to_string(), Some(id))),
        Outcome::Unknown { message } => Err(failed(message, Some(id))),
    }
}

/// For the job, in the message in which a load ends.
pub fn settle_payment(load: &mut Load, is_there: bool) {
    if let Some(id) = load.payment.take() {
        if is_there {
            payment::earn_load(id);
        } else {
            payment::give_back(id);
        }
    }
}

/// The status of a load that need not be begun; pokes it, in case its timer was lost or it was evicted.
fn under_way<R: Runtime>(runtime: &R, version: &Sha256) -> Option<LoadStatus> {
    let load = state::load(version)?;
    if let StoredLoadState::Failed { at_nanos, .. } = load.state {
        let age = runtime.now_nanos().saturating_sub(at_nanos);
        if u128::from(age) > LOAD_RETRY_AFTER.as_nanos() {
            return None;
        }
    } else if !volatile::has_model(version) {
        if matches!(load.state, StoredLoadState::Ready { .. }) {
            volatile::recall(version);
        }
        runtime.schedule(Duration::ZERO, Task::Loads);
    }
    Some(status(&load))
}

fn check_cycles<R: Runtime>(runtime: &R) -> Result<(), LoadError> {
    // A load of the largest file, roughly: fetching, hashing, building, the probe.
    const INSTRUCTIONS: u64 = 50_000_000_000;
    if infer::has_cycles_for(runtime, INSTRUCTIONS) {
        return Ok(());
    }
    runtime.schedule(Duration::ZERO, Task::TopUp);
    Err(LoadError::OutOfCycles {
        balance: infer::spendable_cycles(runtime).into(),
        needed: price::cycles_needed(INSTRUCTIONS).into(),
    })
}

fn check_room() -> Result<(), LoadError> {
    let loads = state::loads();
    let open = loads.iter().filter(|load| is_open(load)).count() as u64;
    if open >= LOADS_OPEN_MAX {
        return Err(LoadError::TooManyLoads {
            open,
            max: LOADS_OPEN_MAX,
        });
    }
    if loads.len() as u64 >= LOADS_MAX && dispensable(&loads).is_none() {
        return Err(LoadError::TooManyLoads {
            open: loads.len() as u64,
            max: LOADS_MAX,
        });
    }
    Ok(())
}

/// What gives its place to a new load: one that failed, one that may not run any more, one that nobody has called for so
/// long that its compiled form left the heap.
fn dispensable(loads: &[Load]) -> Option<Sha256> {
    let is_failed = |load: &&Load| matches!(load.state, StoredLoadState::Failed { .. });
    let first = |wanted: &dyn Fn(&&Load) -> bool| loads.iter().find(wanted).map(|l| l.version);
    first(&is_failed)
        .or_else(|| first(&|load| !registration::may_run(&load.registered.status)))
        .or_else(|| first(&|load| volatile::is_evicted(&load.version)))
}

fn make_room() {
    let loads = state::loads();
    if loads.len() as u64 >= LOADS_MAX {
        forget(&dispensable(&loads).expect("BUG: room was checked"));
    }
}

/// Takes a load away, with its bytes; what is being paid for it goes back.
pub fn forget(version: &Sha256) {
    if let Some(mut load) = state::load(version) {
        settle_payment(&mut load, false);
    }
    volatile::remove_model(version);
    chunk_store::remove(version);
    state::remove_load(version);
}

/// Whether there is work to do on it: not there yet, or there before an upgrade and not rebuilt since.
pub fn is_open(load: &Load) -> bool {
    match load.state {
        StoredLoadState::Fetching { .. } | StoredLoadState::Optimising => true,
        StoredLoadState::Ready { .. } => {
            !volatile::has_model(&load.version)
                && !volatile::is_evicted(&load.version)
                && registration::may_run(&load.registered.status)
        }
        StoredLoadState::Failed { .. } => false,
    }
}

fn placed_files(info: &VersionInfo) -> Result<(Vec<FileRange>, Vec<PlacedChunk>), LoadError> {
    let pipeline = &info.manifest.pipeline;
    let placement: BTreeMap<Sha256, _> = info
        .placement
        .iter()
        .map(|chunk| (chunk.hash, chunk))
        .collect();
    let mut files = Vec::new();
    let mut chunks = Vec::new();
    let paths =
        std::iter::once(pipeline.model.as_str()).chain(stoa_engine::Pipeline::files(pipeline));
    for (index, path) in paths.enumerate() {
        let file = find_file(info, path)?;
        let max_bytes = if index == 0 {
            MODEL_BYTES_MAX
        } else {
            PIPELINE_BYTES_MAX
        };
        if file.size_bytes > max_bytes {
            return Err(LoadError::TooLarge {
                given_bytes: file.size_bytes,
                max_bytes,
            });
        }
        let placed = placed_chunks(file, &placement)?;
        files.push(FileRange {
            path: path.to_owned(),
            size_bytes: file.size_bytes,
            sha256: file.sha256,
            chunks: placed.len() as u32,
        });
        chunks.extend(placed);
    }
    Ok((files, chunks))
}

fn broken(message: String) -> LoadError {
    LoadError::RegistryFailed { message }
}

fn find_file<'a>(info: &'a VersionInfo, path: &str) -> Result<&'a FileEntry, LoadError> {
    let mut files = info.manifest.files.iter();
    files
        .find(|file| file.path == path)
        .ok_or_else(|| broken(format!("the manifest has no file {path}")))
}

fn placed_chunks(
    file: &FileEntry,
    placement: &BTreeMap<Sha256, &stoa_registry_api::StoredChunk>,
) -> Result<Vec<PlacedChunk>, LoadError> {
    let chunks = file
        .chunks
        .iter()
        .map(|hash| match placement.get(hash) {
            Some(placed) if !placed.shards.is_empty() && placed.size_bytes <= 1 << 20 => {
                Ok(PlacedChunk {
                    hash: *hash,
                    size_bytes: placed.size_bytes,
                    shards: placed.shards.clone(),
                })
            }
            _ => Err(broken(format!("no shard holds chunk {hash}"))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let sum: u64 = chunks.iter().map(|chunk| chunk.size_bytes).sum();
    if sum != file.size_bytes {
        return Err(broken(format!(
            "the chunks of {} have {sum} bytes, not {}",
            file.path, file.size_bytes
        )));
    }
    Ok(chunks)
}

pub fn status(load: &Load) -> LoadStatus {
    let state = match &load.state {
        StoredLoadState::Fetching { .. } => LoadState::Fetching {
            chunks_done: chunk_store::count(&load.version),
            chunks_total: load.chunks.len() as u64,
        },
        StoredLoadState::Optimising => LoadState::Optimising,
        StoredLoadState::Ready {
            instructions_per_call,
            ..
        } if volatile::is_evicted(&load.version) => LoadState::Evicted {
            instructions_per_call: *instructions_per_call,
        },
        // Measured once, but its compiled form is being rebuilt.
        StoredLoadState::Ready { .. } if !volatile::has_model(&load.version) => {
            LoadState::Optimising
        }
        StoredLoadState::Ready {
            instructions_per_call,
            memory_bytes,
        } => LoadState::Ready {
            instructions_per_call: *instructions_per_call,
            memory_bytes: *memory_bytes,
        },
        StoredLoadState::Failed { message, .. } => LoadState::Failed {
            message: message.clone(),
        },
    };
    LoadStatus {
        version: load.version,
        name: names::full_name(load),
        state,
        started_at_nanos: load.started_at_nanos,
    }
}

/// What voters see before a version is loaded or unloaded by proposal.
pub fn render(action: &str, version: &Sha256) -> String {
    let known = state::load(version).map_or_else(
        || "not loaded here".to_owned(),
        |load| format!("{} ({:?})", names::full_name(&load), status(&load).state),
    );
    format!("# {action}\n\nVersion `{version}`: {known}")
}
