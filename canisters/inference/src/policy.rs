//! The DAO's policy: checked where it comes in, set by governance alone.

use candid::{Nat, Principal};
use stoa_inference_api::{Policy, ValidationResult};

use crate::limits::{
    JOB_INSTRUCTIONS_MAX, MODEL_HEAP_BYTES_MAX, PREVIEW_INSTRUCTIONS_MAX, RATE_E8S_MAX,
};
use crate::state;
use crate::stored::StoredPolicy;

const WHOLE_BASIS_POINTS: u16 = 10_000;

/// A policy that this canister can live by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValidPolicy(StoredPolicy);

impl ValidPolicy {
    pub fn takes_token(&self) -> bool {
        self.0.token_e8s_per_icp.is_some()
    }

    pub fn into_stored(self) -> StoredPolicy {
        self.0
    }
}

impl TryFrom<Policy> for ValidPolicy {
    type Error = String;

    fn try_from(policy: Policy) -> Result<Self, String> {
        let at_most = |name: &str, given: u64, max: u64| {
            if given > max {
                Err(format!("{name} is {given}, at most {max} is allowed"))
            } else {
                Ok(given)
            }
        };
        let share = |name: &str, given: u16| {
            at_most(name, given.into(), WHOLE_BASIS_POINTS.into()).map(|_| given)
        };
        if policy.token_e8s_per_icp == Some(0) {
            return Err("token_e8s_per_icp is 0: leave it out to take no token".to_owned());
        }
        Ok(ValidPolicy(StoredPolicy {
            rate_e8s_per_billion_instructions: at_most(
                "rate_e8s_per_billion_instructions",
                policy.rate_e8s_per_billion_instructions,
                RATE_E8S_MAX,
            )?,
            rate_cycles_per_billion_instructions: cycles(
                "rate_cycles_per_billion_instructions",
                &policy.rate_cycles_per_billion_instructions,
            )?,
            cycles_per_e8: cycles("cycles_per_e8", &policy.cycles_per_e8)?,
            token_e8s_per_icp: policy.token_e8s_per_icp,
            top_up_below_cycles: cycles("top_up_below_cycles", &policy.top_up_below_cycles)?,
            top_up_e8s: policy.top_up_e8s,
            treasury_basis_points: share("treasury_basis_points", policy.treasury_basis_points)?,
            reserve_basis_points: share("reserve_basis_points", policy.reserve_basis_points)?,
            payout_e8s_min: policy.payout_e8s_min,
            load_e8s_per_chunk: at_most(
                "load_e8s_per_chunk",
                policy.load_e8s_per_chunk,
                RATE_E8S_MAX,
            )?,
            preview_instructions_max: at_most(
                "preview_instructions_max",
                policy.preview_instructions_max,
                PREVIEW_INSTRUCTIONS_MAX,
            )?,
            free_calls_per_hour: policy.free_calls_per_hour,
            free_instructions_max: at_most(
                "free_instructions_max",
                policy.free_instructions_max,
                JOB_INSTRUCTIONS_MAX,
            )?,
            model_memory_bytes_max: at_most(
                "model_memory_bytes_max",
                policy.model_memory_bytes_max,
                MODEL_HEAP_BYTES_MAX,
            )?,
        }))
    }
}

/// More than any canister ever holds (10^30) is a mistake, and would make products overflow.
fn cycles(name: &str, amount: &Nat) -> Result<u128, String> {
    const MAX: u128 = 1_000_000_000_000_000_000_000_000_000_000;
    u128::try_from(amount.0.clone())
        .ok()
        .filter(|amount| *amount <= MAX)
        .ok_or_else(|| format!("{name} is {amount}, at most {MAX} is allowed"))
}

impl StoredPolicy {
    pub fn to_wire(&self) -> Policy {
        Policy {
            rate_e8s_per_billion_instructions: self.rate_e8s_per_billion_instructions,
            rate_cycles_per_billion_instructions: self.rate_cycles_per_billion_instructions.into(),
            cycles_per_e8: self.cycles_per_e8.into(),
            token_e8s_per_icp: self.token_e8s_per_icp,
            top_up_below_cycles: self.top_up_below_cycles.into(),
            top_up_e8s: self.top_up_e8s,
            treasury_basis_points: self.treasury_basis_points,
            reserve_basis_points: self.reserve_basis_points,
            payout_e8s_min: self.payout_e8s_min,
            load_e8s_per_chunk: self.load_e8s_per_chunk,
            preview_instructions_max: self.preview_instructions_max,
            free_calls_per_hour: self.free_calls_per_hour,
            free_instructions_max: self.free_instructions_max,
            model_memory_bytes_max: self.model_memory_bytes_max,
        }
    }
}

fn check(policy: &Policy) -> Result<ValidPolicy, String> {
    let valid = ValidPolicy::try_from(policy.clone())?;
    if valid.takes_token() && state::configuration().token_ledger.is_none() {
        return Err("this canister was installed without a ledger of the token".to_owned());
    }
    Ok(valid)
}

/// What voters see: each change, then the whole.
pub fn validate_set_policy(policy: &Policy) -> ValidationResult {
    check(policy)?;
    let now = state::policy().to_wire();
    let (before, after) = (rows(&now), rows(policy));
    let mut text =
        String::from("# Policy of an inference canister\n\n| | now | proposed |\n|---|---|---|\n");
    for ((name, old), (_, new)) in before.iter().zip(&after) {
        let mark = if old == new { "" } else { "**" };
        text.push_str(&format!("| {name} | {old} | {mark}{new}{mark} |\n"));
    }
    Ok(text)
}

fn rows(policy: &Policy) -> Vec<(&'static str, String)> {
    // Taken apart by name, so that a new field cannot be forgotten here.
    let Policy {
        rate_e8s_per_billion_instructions,
        rate_cycles_per_billion_instructions,
        cycles_per_e8,
        token_e8s_per_icp,
        top_up_below_cycles,
        top_up_e8s,
        treasury_basis_points,
        reserve_basis_points,
        payout_e8s_min,
        load_e8s_per_chunk,
        preview_instructions_max,
        free_calls_per_hour,
        free_instructions_max,
        model_memory_bytes_max,
    } = policy;
    vec![
        (
            "e8s of ICP a billion instructions",
            rate_e8s_per_billion_instructions.to_string(),
        ),
        (
            "cycles a billion instructions",
            rate_cycles_per_billion_instructions.to_string(),
        ),
        (
            "cycles an e8 of the author's price",
            cycles_per_e8.to_string(),
        ),
        (
            "e8s of the governance token an ICP",
            token_e8s_per_icp.map_or_else(|| "not taken".to_owned(), |e8s| e8s.to_string()),
        ),
        ("buys cycles below", top_up_below_cycles.to_string()),
        ("e8s of ICP a purchase", top_up_e8s.to_string()),
        (
            "treasury's basis points of the author's price",
            treasury_basis_points.to_string(),
        ),
        (
            "reserve's basis points of the metered part",
            reserve_basis_points.to_string(),
        ),
        ("pays out from, in e8s", payout_e8s_min.to_string()),
        (
            "e8s of ICP a chunk of a load",
            load_e8s_per_chunk.to_string(),
        ),
        (
            "instructions of a free preview",
            preview_instructions_max.to_string(),
        ),
        (
            "free calls over HTTP an hour",
            free_calls_per_hour.to_string(),
        ),
        (
            "instructions of a free call",
            free_instructions_max.to_string(),
        ),
        (
            "bytes of compiled models",
            model_memory_bytes_max.to_string(),
        ),
    ]
}

/// The caller has been checked to be governance in the same message.
pub fn set_policy(caller: Principal, policy: &Policy) -> Result<(), String> {
    only_governance(caller)?;
    state::set_policy(check(policy)?);
    crate::volatile::evict_down_to(state::policy().model_memory_bytes_max, None);
    Ok(())
}

pub fn only_governance(caller: Principal) -> Result<(), String> {
    let governance = state::configuration().governance;
    if caller == governance {
        Ok(())
    } else {
        Err(format!(
            "only the governance canister {governance} decides this"
        ))
    }
}
