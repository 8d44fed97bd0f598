//! What a call costs: the author's price, and what it uses at the DAO's rate, rounded up. Whole numbers only.
//!
//! Before a call, instructions are what the measurement at load and the size of the call make one expect; after it, what
//! it used, if that is less.

use stoa_types::Sha256;

use crate::limits::{
    CALL_INSTRUCTIONS_MAX, CYCLES_PER_INSTRUCTION, CYCLES_RESERVE, JOB_INSTRUCTIONS_MAX,
    RUN_OVERRUN_FACTOR, RUN_OVERRUN_INSTRUCTIONS, SLICE_INSTRUCTIONS,
};
use crate::state;
use crate::stored::{StoredLoadState, StoredPolicy, Unit};

const BILLION: u128 = 1_000_000_000;
const E8S_PER_ICP: u128 = 100_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Price {
    pub total: u128,
    /// The author's part of it.
    pub author: u128,
}

impl Price {
    /// Of a unit that a ledger counts. What does not fit is more than there is, and refused by every payment.
    pub fn total_e8s(&self) -> u64 {
        u64::try_from(self.total).unwrap_or(u64::MAX)
    }

    pub fn author_e8s(&self) -> u64 {
        u64::try_from(self.author).unwrap_or(u64::MAX)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expected {
    pub instructions: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CostError {
    NotReady,
    /// Too much for a job.
    TooManyInstructions {
        needed: u64,
        max: u64,
    },
}

/// `units` is the product of the open dimensions of the call.
pub fn expected(version: &Sha256, units: u64) -> Result<Expected, CostError> {
    let load = state::load(version).ok_or(CostError::NotReady)?;
    let StoredLoadState::Ready {
        instructions_per_call,
        ..
    } = load.state
    else {
        return Err(CostError::NotReady);
    };
    let instructions = instructions_per_call.saturating_mul(units);
    if instructions > JOB_INSTRUCTIONS_MAX {
        return Err(CostError::TooManyInstructions {
            needed: instructions,
            max: JOB_INSTRUCTIONS_MAX,
        });
    }
    Ok(Expected { instructions })
}

impl Expected {
    /// The most that a call is expected to need without being a job.
    pub const fn of_one_message() -> Expected {
        Expected {
            instructions: CALL_INSTRUCTIONS_MAX,
        }
    }

    /// Where a run is ended as a failure: it would take what nobody pays for.
    pub fn limit(&self) -> u64 {
        self.instructions
            .saturating_mul(RUN_OVERRUN_FACTOR)
            .saturating_add(RUN_OVERRUN_INSTRUCTIONS)
    }

    pub fn messages(&self) -> u64 {
        self.instructions.div_ceil(SLICE_INSTRUCTIONS).max(1)
    }
}

/// `None`: the DAO does not take this unit.
pub fn price(
    policy: &StoredPolicy,
    unit: Unit,
    author_price_e8s: u64,
    instructions: u64,
) -> Option<Price> {
    let instructions = u128::from(instructions);
    let author_e8s = u128::from(author_price_e8s);
    let rate_e8s = u128::from(policy.rate_e8s_per_billion_instructions);
    // At most 10^12 instructions times a rate of 10^11: 77 bits, and with a token's rate of 64 bits more it saturates,
    // which is a price that nobody can pay.
    let (author, metered) = match unit {
        Unit::Icp => (author_e8s, (instructions * rate_e8s).div_ceil(BILLION)),
        Unit::Governance => {
            let per_icp = u128::from(policy.token_e8s_per_icp?);
            (
                (author_e8s * per_icp).div_ceil(E8S_PER_ICP),
                (instructions * rate_e8s)
                    .saturating_mul(per_icp)
                    .div_ceil(BILLION * E8S_PER_ICP),
            )
        }
        Unit::Cycles => (
            author_e8s.saturating_mul(policy.cycles_per_e8),
            instructions
                .saturating_mul(policy.rate_cycles_per_billion_instructions)
                .div_ceil(BILLION),
        ),
    };
    Some(Price {
        total: author.saturating_add(metered),
        author,
    })
}

/// What a load costs in e8s of ICP.
pub fn load_price_e8s(policy: &StoredPolicy, chunks: u64) -> u64 {
    policy.load_e8s_per_chunk.saturating_mul(chunks)
}

/// Liquid cycles that there must be before a call is taken: twice what the run burns on a subnet of 13
/// nodes, and the reserve for the calls in flight.
pub fn cycles_needed(instructions: u64) -> u128 {
    CYCLES_RESERVE + u128::from(instructions) * CYCLES_PER_INSTRUCTION
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> StoredPolicy {
        StoredPolicy {
            rate_e8s_per_billion_instructions: 20_000,
            rate_cycles_per_billion_instructions: 800_000_000,
            cycles_per_e8: 40_000,
            token_e8s_per_icp: Some(250_000_000),
            top_up_below_cycles: 0,
            top_up_e8s: 0,
            treasury_basis_points: 0,
            reserve_basis_points: 0,
            payout_e8s_min: 0,
            load_e8s_per_chunk: 7,
            preview_instructions_max: 0,
            free_calls_per_hour: 0,
            free_instructions_max: 0,
            model_memory_bytes_max: 0,
        }
    }

    #[test]
    fn should_price_the_same_call_in_every_unit_rounded_up() {
        let of = |unit| price(&policy(), unit, 100, 1_500_000_001).unwrap();
        assert_eq!(of(Unit::Icp).total, 100 + 30_001);
        assert_eq!(of(Unit::Icp).author, 100);
        assert_eq!(of(Unit::Governance).total, 250 + 75_001);
        assert_eq!(of(Unit::Cycles).total, 4_000_000 + 1_200_000_001);
        assert_eq!(load_price_e8s(&policy(), 90), 630);
    }

    #[test]
    fn should_not_take_a_token_without_a_rate_nor_overflow() {
        let without = StoredPolicy {
            token_e8s_per_icp: None,
            ..policy()
        };
        assert_eq!(price(&without, Unit::Governance, 1, 1), None);
        let huge = StoredPolicy {
            token_e8s_per_icp: Some(u64::MAX),
            rate_e8s_per_billion_instructions: 100_000_000_000,
            cycles_per_e8: 10_u128.pow(30),
            rate_cycles_per_billion_instructions: 10_u128.pow(30),
            ..policy()
        };
        for unit in Unit::ALL {
            let price = price(&huge, unit, u64::MAX, JOB_INSTRUCTIONS_MAX).unwrap();
            assert!(price.total >= price.author);
        }
    }
}
