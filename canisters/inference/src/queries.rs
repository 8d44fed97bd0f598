//! What anyone may read. All of it is from this canister's own records; nothing is asked of others.

use stoa_engine::Slicing;
use stoa_inference_api::{
    CyclesRequest, InferError, InferenceStatus, LoadStatusError, LoadStatusResult, Preview,
    PreviewRequest, PreviewResult, Quote, QuoteCallResult, QuoteError, QuoteResult,
};
use stoa_types::Sha256;
use stoa_types::pipeline::{Answer, Input};

use crate::limits::{QUERY_INSTRUCTIONS_MAX, TOP_UPS_SHOWN_MAX};
use crate::price::{self, CostError, Expected};
use crate::runtime::Runtime;
use crate::stored::{Holder, StoredCyclesRequest, Unit};
use crate::{
    accounts, claims, cycles, infer, jobs, load, names, payment, receipts, registration, state,
    top_up, volatile,
};

pub fn load_status(version: Sha256) -> LoadStatusResult {
    state::load(&version)
        .map(|record| load::status(&record))
        .ok_or(LoadStatusError::NotFound { version })
}

/// Of the smallest call.
pub fn quote(version: Sha256) -> QuoteResult {
    state::load(&version).ok_or(QuoteError::NotLoaded { version })?;
    price::expected(&version, 1)
        .map(|expected| quote_of(version, expected))
        .map_err(|error| match error {
            CostError::NotReady | CostError::TooManyInstructions { .. } => {
                QuoteError::NotReady { version }
            }
        })
}

/// Of this very call.
pub fn quote_call(request: PreviewRequest) -> QuoteCallResult {
    let (version, input) = locate(request)?;
    let (_, expected) = infer::check_fits(version, input)?;
    Ok(quote_of(version, expected))
}

fn quote_of(version: Sha256, expected: Expected) -> Quote {
    let load = state::load(&version).expect("BUG: what is quoted is loaded");
    let policy = state::policy();
    let author = load.registered.author_price_e8s;
    let of = |unit| price::price(&policy, unit, author, expected.instructions);
    let must = |unit| of(unit).expect("BUG: ICP and cycles are always taken");
    Quote {
        version,
        price_e8s: must(Unit::Icp).total_e8s(),
        price_cycles: must(Unit::Cycles).total.into(),
        price_token_e8s: of(Unit::Governance).map(|price| price.total_e8s()),
        author_price_e8s: author,
        ledger_fee_e8s: state::ledger_fee(Unit::Icp),
        ledger_fee_is_backed: payment::fee_is_backed(Unit::Icp),
        instructions_per_call: expected.instructions,
        messages: expected.messages(),
    }
}

fn locate(request: PreviewRequest) -> Result<(Sha256, Input), InferError> {
    infer::check_size(&request.input)?;
    let version = names::resolve_here(&request.model).ok_or_else(|| match &request.model {
        stoa_inference_api::ModelReference::Name(name) => InferError::UnknownModel {
            name: name.chars().take(256).collect(),
        },
        stoa_inference_api::ModelReference::Digest(version) => {
            InferError::NotLoaded { version: *version }
        }
    })?;
    if state::load(&version).is_none() {
        return Err(InferError::NotLoaded { version });
    }
    registration::check_admitted(version)?;
    if !volatile::has_model(&version) {
        return Err(InferError::NotReady { version });
    }
    Ok((version, request.input))
}

/// A free preview: a query, so it leaves no trace, costs nobody and proves nothing. Through consensus it would cost this
/// canister, so it is refused there.
pub fn infer_query<R: Runtime>(runtime: &R, request: PreviewRequest) -> PreviewResult {
    if runtime.is_replicated() {
        return Err(InferError::QueryOnly);
    }
    let (version, input) = locate(request)?;
    let answer = preview(runtime, version, input)?;
    Ok(Preview { version, answer })
}

fn preview<R: Runtime>(runtime: &R, version: Sha256, input: Input) -> Result<Answer, InferError> {
    let (checked, expected) = infer::check_fits(version, input)?;
    let check = |needed: u64, max: u64| match needed > max {
        true => Err(InferError::TooManyInstructions { needed, max }),
        false => Ok(()),
    };
    check(
        expected.instructions,
        state::policy().preview_instructions_max,
    )?;
    // An input can take as long to prepare as the run takes.
    let with_run = runtime.instructions().saturating_add(expected.instructions);
    check(with_run, QUERY_INSTRUCTIONS_MAX)?;
    let failed = |message: String| InferError::RunFailed {
        message,
        refunded: true,
    };
    let compiled = volatile::peek_model(&version).ok_or(InferError::NotReady { version })?;
    let running = compiled.start(checked).map_err(failed)?;
    let may_continue = || runtime.instructions() < QUERY_INSTRUCTIONS_MAX;
    match running.step(may_continue).map_err(failed)? {
        Slicing::Done(answer) => Ok(answer),
        Slicing::Paused(_) => Err(InferError::TooManyInstructions {
            needed: runtime.instructions(),
            max: QUERY_INSTRUCTIONS_MAX,
        }),
    }
}

pub fn status<R: Runtime>(runtime: &R) -> InferenceStatus {
    InferenceStatus {
        cycles: runtime.cycle_balance().into(),
        spendable_cycles: infer::spendable_cycles(runtime).into(),
        cycles_burnt_per_day: cycles::burnt_per_day(runtime).map(Into::into),
        cycles_request: match state::with(|state| state.cycles_request.get().clone()) {
            StoredCyclesRequest::Never => None,
            StoredCyclesRequest::V1 { at_nanos, outcome } => {
                Some(CyclesRequest { at_nanos, outcome })
            }
        },
        revenue_e8s: accounts::balance_e8s(Unit::Icp, &Holder::Reserve),
        books: accounts::books(),
        receipts: receipts::count(),
        loaded: state::loads().iter().map(load::status).collect(),
        model_memory_bytes: volatile::model_bytes(),
        jobs_open: jobs::open_count(),
        cycles_claims: Some(claims::open()),
        top_ups: state::top_ups_newest_first(TOP_UPS_SHOWN_MAX)
            .into_iter()
            .map(top_up::to_wire)
            .collect(),
        policy: state::policy().to_wire(),
        engine: stoa_engine::ENGINE.to_owned(),
    }
}
