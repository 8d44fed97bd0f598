//! Which inference canisters there are, and which of them run which version. A version that is assigned to none may be
//! asked of all.
//!
//! What must hold: a route names canisters that are registered; a canister that is assigned a version is told to load it until
//! it has answered, whatever upgrade or trap comes in between.

use std::time::Duration;

use candid::Principal;
use ic_stable_structures::memory_manager::MemoryManager;
use ic_stable_structures::{StableBTreeMap, StableBTreeSet};
use stoa_registry_api::{AssignModelArgs, ValidationResult};
use stoa_types::Sha256;

use crate::authority::check_governance;
use crate::memory::{self, RawMemory, Stable};
use crate::runtime::{self, Runtime, Task};
use crate::state::records::Status;
use crate::state::{State, with, with_mut};

/// Listed in one answer, and told of every revocation.
const INFERENCE_MAX: u64 = 100;
const PER_RUN: usize = 20;
const RETRY: Duration = Duration::from_secs(60);

type Digest = [u8; 32];

pub struct Routes {
    /// When it was added, in nanoseconds.
    canisters: StableBTreeMap<Principal, u64, Stable>,
    assigned: StableBTreeSet<(Digest, Principal), Stable>,
    loads: StableBTreeSet<(Principal, Digest), Stable>,
}

impl Routes {
    pub fn open(manager: &MemoryManager<RawMemory>) -> Self {
        Self {
            canisters: StableBTreeMap::init(manager.get(memory::INFERENCE)),
            assigned: StableBTreeSet::init(manager.get(memory::ROUTES)),
            loads: StableBTreeSet::init(manager.get(memory::ROUTE_LOADS)),
        }
    }

    /// At installation, which nobody votes on.
    pub fn install(&mut self, canisters: &[Principal], now_nanos: u64) {
        for canister in canisters.iter().take(INFERENCE_MAX as usize) {
            self.canisters.insert(*canister, now_nanos);
        }
    }

    fn assigned_to(&self, version: &Sha256) -> Vec<Principal> {
        let first = (version.0, Principal::from_slice(&[]));
        self.assigned
            .range(first..)
            .take_while(|(digest, _)| *digest == version.0)
            .map(|(_, canister)| canister)
            .collect()
    }
}

pub fn inference_canisters(state: &State) -> Vec<Principal> {
    state.routes.canisters.keys().collect()
}

/// Canisters that run the version: those it is assigned to, else all.
pub fn route(state: &State, version: Sha256) -> Vec<Principal> {
    let assigned = state.routes.assigned_to(&version);
    if assigned.is_empty() {
        inference_canisters(state)
    } else {
        assigned
    }
}

pub fn validate_add_inference(state: &State, canister: Principal) -> ValidationResult {
    check_add(state, canister)?;
    Ok(format!(
        "# Add an inference canister\n\nThe registry sends callers to `{canister}` and tells it of revocations. Its code and its controllers are not checked here: read them in the certified state before you vote."
    ))
}

fn check_add(state: &State, canister: Principal) -> Result<(), String> {
    if canister == Principal::anonymous() || canister == Principal::management_canister() {
        return Err(format!("{canister} is no canister that runs models"));
    }
    if state.routes.canisters.contains_key(&canister) {
        return Err(format!("{canister} is registered already"));
    }
    if state.routes.canisters.len() >= INFERENCE_MAX {
        return Err(format!("{INFERENCE_MAX} inference canisters are the most"));
    }
    Ok(())
}

pub fn add_inference(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    canister: Principal,
) -> Result<(), String> {
    check_governance(state, caller).map_err(|error| error.to_string())?;
    check_add(state, canister)?;
    state.routes.canisters.insert(canister, runtime.now_nanos());
    Ok(())
}

pub fn validate_remove_inference(state: &State, canister: Principal) -> ValidationResult {
    check_registered(state, canister)?;
    Ok(format!(
        "# Remove an inference canister\n\nThe registry sends nobody to `{canister}` any more. What it holds for its callers stays there and can be withdrawn."
    ))
}

fn check_registered(state: &State, canister: Principal) -> Result<(), String> {
    if state.routes.canisters.contains_key(&canister) {
        Ok(())
    } else {
        Err(format!("{canister} is no registered inference canister"))
    }
}

pub fn remove_inference(
    state: &mut State,
    caller: Principal,
    canister: Principal,
) -> Result<(), String> {
    check_governance(state, caller).map_err(|error| error.to_string())?;
    check_registered(state, canister)?;
    let routes = &mut state.routes;
    routes.canisters.remove(&canister);
    let assigned: Vec<_> = routes
        .assigned
        .iter()
        .filter(|(_, assigned)| *assigned == canister)
        .collect();
    for entry in assigned {
        routes.assigned.remove(&entry);
    }
    let first = (canister, [0; 32]);
    let loads: Vec<_> = routes
        .loads
        .range(first..)
        .take_while(|(waiting, _)| *waiting == canister)
        .collect();
    for entry in loads {
        routes.loads.remove(&entry);
    }
    Ok(())
}

pub fn validate_assign_model(state: &State, args: &AssignModelArgs) -> ValidationResult {
    check_assign(state, args)?;
    let canisters: Vec<String> = args.canisters.iter().map(Principal::to_text).collect();
    let to = if canisters.is_empty() {
        "none in particular: any inference canister may be asked for it".to_owned()
    } else {
        format!("`{}`, which load it", canisters.join("`, `"))
    };
    Ok(format!(
        "# Assign a version\n\nVersion `{}` is assigned to {to}.",
        args.version
    ))
}

fn check_assign(state: &State, args: &AssignModelArgs) -> Result<(), String> {
    let version = args.version;
    let record = state
        .version(&version)
        .ok_or_else(|| format!("there is no version {version}"))?;
    if record.status != Status::Admitted {
        return Err(format!("version {version} is not admitted"));
    }
    if args.canisters.len() as u64 > INFERENCE_MAX {
        return Err(format!("{INFERENCE_MAX} inference canisters are the most"));
    }
    args.canisters
        .iter()
        .try_for_each(|canister| check_registered(state, *canister))
}

/// Takes the place of what was assigned before. What a canister has loaded stays loaded until it needs the room.
pub fn assign_model(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    args: &AssignModelArgs,
) -> Result<(), String> {
    check_governance(state, caller).map_err(|error| error.to_string())?;
    check_assign(state, args)?;
    let before = state.routes.assigned_to(&args.version);
    let routes = &mut state.routes;
    for canister in before {
        routes.assigned.remove(&(args.version.0, canister));
        routes.loads.remove(&(canister, args.version.0));
    }
    for canister in &args.canisters {
        routes.assigned.insert((args.version.0, *canister));
        routes.loads.insert((*canister, args.version.0));
    }
    runtime.schedule(Duration::ZERO, Task::Routes);
    Ok(())
}

/// The timer's form: tells canisters to load what was assigned to them. How far a load gets is theirs to say.
pub async fn run(runtime: &impl Runtime) {
    let page: Vec<(Principal, Digest)> =
        with(|state| state.routes.loads.iter().take(PER_RUN).collect());
    let mut is_stuck = false;
    for (canister, version) in page {
        let arguments = (Sha256(version),);
        let answer = runtime::call_for_nothing(runtime, canister, "load", arguments).await;
        if answer.is_ok() {
            with_mut(|state| state.routes.loads.remove(&(canister, version)));
        } else {
            is_stuck = true;
        }
    }
    if !with(|state| state.routes.loads.is_empty()) {
        let delay = if is_stuck { RETRY } else { Duration::ZERO };
        runtime.schedule(delay, Task::Routes);
    }
}
