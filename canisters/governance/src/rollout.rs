//! One module for many canisters, by one vote: each shard of the fleet gets the same code, and a proposal for each would
//! be a hundred votes. It is a generic function of governance itself (`upgrade_canisters`).
//!
//! ```text
//! begun --> for each: runs it already? --> stop --> install --> start --> next --> done
//!                            |               |         |
//!                            +--- no answer, not stopped: the same again, a few times --+
//!                                                      +--> refused: the roll-out ends --+--> failed
//! ```
//! What must hold: one canister is down at a time and is started again whatever happens (`upgrade_canister`); the first whose
//! module is refused ends the roll-out, so that bad code takes down one canister and not all; and wherever it is
//! interrupted it goes on, since what a canister runs tells whether its turn is over.

use std::collections::BTreeSet;
use std::time::Duration;

use candid::Principal;
use ic_management_canister_types::{CanisterInfoArgs, CanisterInfoResult};
use minicbor::{Decode, Encode};
use stoa_governance_api::{RolloutInfo, RolloutState, UpgradeCanistersArgs};

use crate::actions::{Mode, Module, NotReplaced, Upgrade, install_call, replace};
use crate::busy::{Place, Places};
use crate::cbor::Cbor;
use crate::memory::{State, with_state};
use crate::neurons::PrincipalKey;
use crate::{management, runtime, self_upgrade};

/// Their ids fit a payload of 64 KiB, with room for the rest.
const CANISTERS_MAX: usize = 500;
const CHUNKS_MAX: usize = 100;
const ARGUMENT_LENGTH_BYTES_MAX: usize = 16 * 1024;
/// Of one canister; a minute apart where nothing else calls for it.
const ATTEMPTS_MAX: u64 = 10;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(transparent)]
struct Target(#[cbor(n(0), with = "crate::cbor::principal")] Principal);

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
enum Progress {
    #[n(0)]
    UnderWay,
    #[n(1)]
    Done,
    #[n(2)]
    Failed {
        #[n(0)]
        reason: String,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Rollout {
    #[n(0)]
    canisters: Vec<Target>,
    #[cbor(n(1), with = "minicbor::bytes")]
    module_hash: [u8; 32],
    #[cbor(n(2), with = "crate::cbor::principal")]
    store: Principal,
    #[n(3)]
    hashes: Vec<minicbor::bytes::ByteVec>,
    #[cbor(n(4), with = "minicbor::bytes")]
    argument: Vec<u8>,
    /// How many of the canisters run the module.
    #[n(5)]
    upgraded: u64,
    /// At the one that is next.
    #[n(6)]
    attempts: u64,
    #[n(7)]
    begun_at_seconds: u64,
    #[n(8)]
    changed_at_seconds: u64,
    #[n(9)]
    progress: Progress,
}

impl Rollout {
    fn next(&self) -> Option<Principal> {
        if self.progress != Progress::UnderWay {
            return None;
        }
        let position = usize::try_from(self.upgraded).ok()?;
        self.canisters.get(position).map(|target| target.0)
    }

    fn upgrade_of(&self, canister: Principal) -> Upgrade {
        Upgrade {
            canister,
            mode: Mode::Upgrade,
            module: Module::Chunks {
                store: self.store,
                hashes: self.hashes.clone(),
            },
            module_hash: self.module_hash,
            argument: self.argument.clone(),
        }
    }
}

fn current(state: &State) -> Option<Rollout> {
    state.rollout.get().0.clone()
}

fn is_under_way(state: &State) -> bool {
    current(state).is_some_and(|rollout| rollout.progress == Progress::UnderWay)
}

/// What can be told of it before the vote, and again when it is executed.
pub fn check(args: &UpgradeCanistersArgs, state: &State) -> Result<(), String> {
    let count = args.canisters.len();
    if count == 0 || count > CANISTERS_MAX {
        return Err(format!("from 1 to {CANISTERS_MAX} canisters, not {count}"));
    }
    if args.canisters.iter().collect::<BTreeSet<_>>().len() != count {
        return Err("a canister is listed twice".to_string());
    }
    for canister in &args.canisters {
        if *canister == runtime::canister_self() {
            return Err("governance is upgraded by a proposal of its own".to_string());
        }
        if !state
            .dao_canisters
            .contains_key(&PrincipalKey::from(canister))
        {
            return Err(format!("{canister} is not a canister of the DAO"));
        }
    }
    let chunks = args.chunk_hashes_list.len();
    if chunks == 0 || chunks > CHUNKS_MAX {
        return Err(format!(
            "a module has from 1 to {CHUNKS_MAX} chunks, not {chunks}"
        ));
    }
    let hashes = args
        .chunk_hashes_list
        .iter()
        .chain([&args.wasm_module_hash]);
    if hashes.into_iter().any(|hash| hash.len() != 32) {
        return Err("a hash has 32 bytes".to_string());
    }
    let length = args.upgrade_argument.len();
    if length > ARGUMENT_LENGTH_BYTES_MAX {
        return Err(format!(
            "the argument has {length} bytes, at most {ARGUMENT_LENGTH_BYTES_MAX} are allowed"
        ));
    }
    if is_under_way(state) {
        return Err("another roll-out is under way: see get_rollout".to_string());
    }
    Ok(())
}

pub fn render(args: &UpgradeCanistersArgs) -> String {
    use sha2::{Digest, Sha256};
    let list: String = args
        .canisters
        .iter()
        .map(|canister| format!("- {canister}\n"))
        .collect();
    format!(
        "# Upgrade {} canisters\n\nOne after the other; the first that refuses the module ends it.\n\n## Module hash\n\n{}\n\n\
         ## Module\n\n{} chunks in the store of {}\n\n## Argument\n\n{} bytes, SHA-256 {}\n\n## Canisters\n\n{list}",
        args.canisters.len(),
        hex::encode(&args.wasm_module_hash),
        args.chunk_hashes_list.len(),
        args.store_canister_id,
        args.upgrade_argument.len(),
        hex::encode(Sha256::digest(&args.upgrade_argument)),
    )
}

/// The arguments were checked.
pub fn begin(args: UpgradeCanistersArgs, state: &mut State) {
    let now = runtime::now_seconds();
    let module_hash = args.wasm_module_hash.as_slice().try_into();
    let rollout = Rollout {
        canisters: args.canisters.into_iter().map(Target).collect(),
        module_hash: module_hash.expect("BUG: the hash was checked"),
        store: args.store_canister_id,
        hashes: args
            .chunk_hashes_list
            .into_iter()
            .map(|hash| hash.into_vec().into())
            .collect(),
        argument: args.upgrade_argument.into_vec(),
        upgraded: 0,
        attempts: 0,
        begun_at_seconds: now,
        changed_at_seconds: now,
        progress: Progress::UnderWay,
    };
    state.rollout.set(Cbor(Some(rollout)));
}

pub fn info(state: &State) -> Option<RolloutInfo> {
    let rollout = current(state)?;
    Some(RolloutInfo {
        wasm_module_hash: rollout.module_hash.to_vec().into(),
        next: rollout.next(),
        canisters: rollout.canisters.len() as u64,
        upgraded: rollout.upgraded,
        attempts: rollout.attempts,
        begun_at_seconds: rollout.begun_at_seconds,
        changed_at_seconds: rollout.changed_at_seconds,
        state: match rollout.progress {
            Progress::UnderWay => RolloutState::UnderWay,
            Progress::Done => RolloutState::Done,
            Progress::Failed { reason } => RolloutState::Failed { reason },
        },
    })
}

thread_local! {
    /// Taken while a canister has its turn.
    static UNSTABLE_ADVANCING: Places<()> = const { Places::new() };
}

#[cfg(test)]
pub fn forget_advancing() {
    UNSTABLE_ADVANCING.with(Places::free_all);
}

/// To be called when it begins and in every round of housekeeping.
pub fn go_on() {
    let is_waiting = with_state(|state| {
        let next = current(state).and_then(|rollout| rollout.next());
        // One that an interruption left stopped is started first, by the same round: a start that comes late must not
        // run into the next stop.
        next.is_some_and(|canister| {
            !state
                .stopped_canisters
                .contains_key(&PrincipalKey::from(&canister))
        })
    }) && !UNSTABLE_ADVANCING.with(|places| places.is_taken(&()));
    // Calls are refused meanwhile; what comes after goes on.
    if is_waiting && !self_upgrade::is_under_way() {
        runtime::run_after(Duration::ZERO, advance());
    }
}

/// A boxed `turn`, since a future cannot contain itself.
fn advance() -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(turn())
}

enum Turn {
    Over,
    /// Nothing changed; housekeeping comes again.
    Again(String),
    Failed(String),
}

async fn turn() {
    let Ok(advancing) = Place::take(&UNSTABLE_ADVANCING, (), 1) else {
        return;
    };
    // Counted before the first call, so that one that traps is counted too.
    let next = with_state(|state| {
        let mut rollout = current(state)?;
        let canister = rollout.next()?;
        rollout.attempts += 1;
        state.rollout.set(Cbor(Some(rollout.clone())));
        Some((rollout, canister))
    });
    let Some((rollout, canister)) = next else {
        return;
    };
    let turn = upgrade(&rollout, canister).await;
    let is_over = matches!(turn, Turn::Over);
    with_state(|state| settle(state, canister, turn));
    drop(advancing);
    if is_over {
        go_on();
    }
}

async fn upgrade(rollout: &Rollout, canister: Principal) -> Turn {
    match module_hash(canister).await {
        Err(reason) => return Turn::Again(reason),
        Ok(hash) if hash.as_deref() == Some(&rollout.module_hash) => return Turn::Over,
        Ok(_) => {}
    }
    let upgrade = rollout.upgrade_of(canister);
    let call = with_state(|state| install_call(&upgrade, state, 0));
    let (method, argument) = call.expect("BUG: a module in chunks has an install call");
    match replace(canister, method, &argument).await {
        Ok(()) => Turn::Over,
        Err(NotReplaced::Busy(reason) | NotReplaced::NotStopped(reason)) => Turn::Again(reason),
        // The answer may have been lost, and not the work.
        Err(NotReplaced::NotInstalled(reason)) => match module_hash(canister).await {
            Ok(hash) if hash.as_deref() == Some(&rollout.module_hash) => Turn::Over,
            Ok(_) if !self_upgrade::is_under_way() => Turn::Failed(reason),
            _ => Turn::Again(reason),
        },
    }
}

async fn module_hash(canister: Principal) -> Result<Option<Vec<u8>>, String> {
    let question = CanisterInfoArgs {
        canister_id: canister,
        num_requested_changes: None,
    };
    let info: CanisterInfoResult = management::ask("canister_info", &question)
        .await
        .map_err(|failure| failure.message)?;
    Ok(info.module_hash)
}

fn settle(state: &mut State, canister: Principal, turn: Turn) {
    let Some(mut rollout) = current(state).filter(|rollout| rollout.next() == Some(canister))
    else {
        return;
    };
    rollout.changed_at_seconds = runtime::now_seconds();
    let failed = |reason: String| Progress::Failed {
        reason: format!("{canister}: {reason}"),
    };
    match turn {
        Turn::Over => {
            rollout.upgraded += 1;
            rollout.attempts = 0;
            if rollout.next().is_none() {
                rollout.progress = Progress::Done;
            }
        }
        Turn::Again(reason) if rollout.attempts >= ATTEMPTS_MAX => {
            rollout.progress = failed(reason)
        }
        Turn::Again(_) => {}
        Turn::Failed(reason) => rollout.progress = failed(reason),
    }
    state.rollout.set(Cbor(Some(rollout)));
}
