//! What a call costs: the author's price, and what it uses at the DAO's rate, rounded up. Whole numbers only.

use stoa_types::Sha256;

use crate::limits::{CYCLES_PER_INSTRUCTION, CYCLES_RESERVE, RUN_INSTRUCTIONS_MAX};
use crate::state;
use crate::stored::{Configuration, Load, StoredLoadState};

const BILLION: u128 = 1_000_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    pub price_e8s: u64,
    pub price_cycles: u128,
    /// Instructions that the run is taken to need.
    pub instructions: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CostError {
    NotReady,
    /// Too much for one message.
    TooManyInstructions {
        needed: u64,
        max: u64,
    },
}

/// `units` is the product of the open dimensions of the call.
pub fn cost(version: &Sha256, units: u64) -> Result<Cost, CostError> {
    let load = state::load(version).ok_or(CostError::NotReady)?;
    let StoredLoadState::Ready {
        instructions_per_call,
        ..
    } = load.state
    else {
        return Err(CostError::NotReady);
    };
    let instructions = instructions_per_call.saturating_mul(units);
    if instructions > RUN_INSTRUCTIONS_MAX {
        return Err(CostError::TooManyInstructions {
            needed: instructions,
            max: RUN_INSTRUCTIONS_MAX,
        });
    }
    Ok(compute(&state::configuration(), &load, instructions))
}

fn compute(configuration: &Configuration, load: &Load, instructions: u64) -> Cost {
    let author = load.registered.author_price_e8s;
    // At most 2e10 instructions times a rate of 64 bits: 99 bits.
    let metered_e8s = (u128::from(instructions)
        * u128::from(configuration.rate_e8s_per_billion_instructions))
    .div_ceil(BILLION);
    let metered_cycles = u128::from(instructions)
        .saturating_mul(configuration.rate_cycles_per_billion_instructions)
        .div_ceil(BILLION);
    Cost {
        price_e8s: u64::try_from(metered_e8s)
            .unwrap_or(u64::MAX)
            .saturating_add(author),
        price_cycles: u128::from(author)
            .saturating_mul(configuration.cycles_per_e8)
            .saturating_add(metered_cycles),
        instructions,
    }
}

/// Liquid cycles that there must be before a call is taken: twice what the run burns on a subnet of 13
/// nodes, and the reserve for the calls in flight.
pub fn cycles_needed(instructions: u64) -> u128 {
    CYCLES_RESERVE + u128::from(instructions) * CYCLES_PER_INSTRUCTION
}
