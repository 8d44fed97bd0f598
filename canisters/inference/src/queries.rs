//! What anyone may read. All of it is from this canister's own records; nothing is asked of others.

use stoa_inference_api::{
    InferenceStatus, LoadStatusError, LoadStatusResult, Quote, QuoteError, QuoteResult,
};
use stoa_types::Sha256;

use crate::limits::TOP_UPS_SHOWN_MAX;
use crate::price::{self, CostError};
use crate::runtime::Runtime;
use crate::{load, receipts, state, top_up, volatile};

pub fn load_status(version: Sha256) -> LoadStatusResult {
    state::load(&version)
        .map(|record| load::status(&record))
        .ok_or(LoadStatusError::NotFound { version })
}

pub fn quote(version: Sha256) -> QuoteResult {
    let record = state::load(&version).ok_or(QuoteError::NotLoaded { version })?;
    if !volatile::has_model(&version) {
        return Err(QuoteError::NotReady { version });
    }
    let cost = price::cost(&version, 1).map_err(|error| match error {
        CostError::NotReady | CostError::TooManyInstructions { .. } => {
            QuoteError::NotReady { version }
        }
    })?;
    Ok(Quote {
        version,
        price_e8s: cost.price_e8s,
        price_cycles: cost.price_cycles.into(),
        author_price_e8s: record.registered.author_price_e8s,
        ledger_fee_e8s: state::configuration().ledger_fee_e8s,
        instructions_per_call: cost.instructions,
    })
}

pub fn status<R: Runtime>(runtime: &R) -> InferenceStatus {
    InferenceStatus {
        cycles: runtime.cycle_balance().into(),
        revenue_e8s: state::books().revenue_e8s(),
        receipts: receipts::count(),
        loaded: state::loads().iter().map(load::status).collect(),
        top_ups: state::top_ups_newest_first(TOP_UPS_SHOWN_MAX)
            .into_iter()
            .map(top_up::to_wire)
            .collect(),
        policy: state::configuration().policy(),
    }
}
