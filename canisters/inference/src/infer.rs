//! A call, however it is paid.
//!
//! ```text
//! name -> free checks -> registry, if its last word is old -> price -> payment -> run -> receipt -> answer
//! ```
//!
//! Until the payment every refusal is free. A price is held before the run (from an allowance or from credit), and what the
//! run turns out to need less, or all of it if the run fails, is the payer's credit at once; attached cycles are
//! accepted after the run, so a failure accepts none. The run is in messages of its own (`run.rs`): the charge is committed
//! before it starts, and a run that traps is an answer here and no more.
//!
//! What is expected to need more than one message is a job (`jobs.rs`), unless cycles pay for it: they come and go with
//! this very call.

use std::time::Duration;

use candid::{Nat, Principal};
use stoa_inference_api::{
    InferError, InferRequest, InferResponse, InferResult, ModelReference, Payment, Receipt,
    SubmitResult, Token,
};
use stoa_types::Sha256;
use stoa_types::pipeline::{Answer, Input, hash_answer, hash_input};

use crate::ledger::{Outcome, Refusal};
use crate::limits::{CALL_INSTRUCTIONS_MAX, INPUT_BYTES_MAX, RUN_INSTRUCTIONS_OF_CYCLES_MAX};
use crate::money::unit_of;
use crate::payment::Bill;
use crate::price::{self, CostError, Expected};
use crate::receipts::{self, Entry};
use crate::run::{self, Finished};
use crate::runner::Checked;
use crate::runtime::{Runtime, Task};
use crate::stored::{Load, Purpose, StoredLoadState, StoredPaymentState, StoredPrice, Unit};
use crate::volatile::{self, CallerGuard, PaymentGuard};
use crate::{accounts, jobs, journal, names, payment, quota, recovery, registration, split, state};

/// From what a call is paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purse {
    Cycles,
    Credit {
        unit: Unit,
        key: Option<Sha256>,
    },
    Allowance {
        unit: Unit,
        from_subaccount: Option<Sha256>,
    },
    /// Nobody pays: within the DAO's quota for calls over HTTP.
    Free,
}

/// A call by whoever may make it: the entry points have checked that.
pub struct Ask {
    pub caller: Principal,
    pub model: ModelReference,
    pub input: Input,
    pub purse: Purse,
    pub max_price: Option<Nat>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Done {
    pub version: Sha256,
    pub answer: Answer,
    /// Of a paid call.
    pub receipt: Option<Receipt>,
    pub tokens: u64,
}

pub async fn infer<R: Runtime>(
    runtime: &R,
    caller: Principal,
    request: InferRequest,
) -> InferResult {
    let Some(_guard) = lock(caller)? else {
        return Err(InferError::Busy);
    };
    let ask = to_ask(caller, request)?;
    let done = call(runtime, ask).await?;
    Ok(InferResponse {
        answer: done.answer,
        receipt: done.receipt.expect("BUG: a paid call has a receipt"),
    })
}

/// `submit`: pays, and leaves the run to a job, however short it is.
pub async fn submit<R: Runtime>(
    runtime: &R,
    caller: Principal,
    request: InferRequest,
) -> SubmitResult {
    let Some(_guard) = lock(caller)? else {
        return Err(InferError::Busy);
    };
    let ask = to_ask(caller, request)?;
    if ask.purse == Purse::Cycles {
        return Err(InferError::NotWithCycles);
    }
    let prepared = prepare(runtime, ask).await?;
    let id = begin_job(runtime, &prepared).await?;
    buy_cycles_if_low(runtime);
    Ok(id)
}

fn lock(caller: Principal) -> Result<Option<CallerGuard>, InferError> {
    if caller == Principal::anonymous() {
        return Err(InferError::AnonymousCaller);
    }
    Ok(CallerGuard::lock(caller))
}

fn to_ask(caller: Principal, request: InferRequest) -> Result<Ask, InferError> {
    let taken = |token: Token| unit_of(token).ok_or(InferError::TokenNotTaken { token });
    let purse = match request.payment {
        Payment::Cycles => Purse::Cycles,
        Payment::Credit { token } => Purse::Credit {
            unit: taken(token)?,
            key: None,
        },
        Payment::Allowance {
            token,
            from_subaccount,
        } => Purse::Allowance {
            unit: taken(token)?,
            from_subaccount,
        },
    };
    Ok(Ask {
        caller,
        model: request.model,
        input: request.input,
        purse,
        max_price: request.max_price,
    })
}

pub async fn call<R: Runtime>(runtime: &R, ask: Ask) -> Result<Done, InferError> {
    let prepared = prepare(runtime, ask).await?;
    let is_long = prepared.expected.instructions > CALL_INSTRUCTIONS_MAX;
    let tokens = prepared.checked.tokens;
    let version = prepared.version;
    let (answer, receipt) = match prepared.purse {
        Purse::Free => {
            let finished =
                run_prepared(runtime, prepared)
                    .await
                    .map_err(|message| InferError::RunFailed {
                        message,
                        refunded: true,
                    })?;
            (finished.answer, None)
        }
        Purse::Cycles => {
            let (answer, receipt) = pay_with_cycles(runtime, prepared).await?;
            (answer, Some(receipt))
        }
        Purse::Credit { .. } | Purse::Allowance { .. } if is_long => {
            let (answer, receipt) = wait_for_job(runtime, &prepared).await?;
            (answer, Some(receipt))
        }
        Purse::Credit { .. } | Purse::Allowance { .. } => {
            let (answer, receipt) = pay_and_run(runtime, prepared).await?;
            (answer, Some(receipt))
        }
    };
    buy_cycles_if_low(runtime);
    Ok(Done {
        version,
        answer,
        receipt,
        tokens,
    })
}

fn buy_cycles_if_low<R: Runtime>(runtime: &R) {
    if runtime.liquid_cycles() < state::policy().top_up_below_cycles {
        runtime.schedule(Duration::ZERO, Task::TopUp);
    }
}

/// A call that passed every check but payment.
struct Prepared {
    caller: Principal,
    version: Sha256,
    checked: Checked,
    expected: Expected,
    purse: Purse,
    /// Of the unit that the purse pays in; nothing where it is free.
    price: price::Price,
}

async fn prepare<R: Runtime>(runtime: &R, ask: Ask) -> Result<Prepared, InferError> {
    check_size(&ask.input)?;
    let version = names::resolve(runtime, &ask.model).await?;
    check_ready(runtime, version)?;
    check_purse(runtime, &ask, version)?;
    let (checked, _) = check_fits(version, ask.input)?;
    registration::refresh(runtime, version).await?;

    // Read again: the registry may have taken its time. An input that fits a version always does.
    check_ready(runtime, version)?;
    let expected = expect(version, &checked)?;
    let load = state::load(&version).ok_or(InferError::NotLoaded { version })?;
    let policy = state::policy();
    let author = load.registered.author_price_e8s;
    let in_unit = |unit: Unit| {
        price::price(&policy, unit, author, expected.instructions).ok_or({
            InferError::TokenNotTaken {
                token: Token::Governance,
            }
        })
    };
    let price = match ask.purse {
        Purse::Cycles => in_unit(Unit::Cycles)?,
        Purse::Credit { unit, .. } | Purse::Allowance { unit, .. } => in_unit(unit)?,
        Purse::Free => price::Price {
            total: 0,
            author: 0,
        },
    };
    let total = Nat::from(price.total);
    if let Some(max_price) = ask.max_price.filter(|max_price| total > *max_price) {
        return Err(InferError::PriceTooHigh {
            price: total,
            max_price,
        });
    }
    if ask.purse == Purse::Cycles && expected.instructions > RUN_INSTRUCTIONS_OF_CYCLES_MAX {
        return Err(InferError::TooManyInstructions {
            needed: expected.instructions,
            max: RUN_INSTRUCTIONS_OF_CYCLES_MAX,
        });
    }
    if ask.purse == Purse::Free {
        quota::check_size(expected.instructions)?;
    }
    check_cycles(runtime, expected.instructions)?;
    Ok(Prepared {
        caller: ask.caller,
        version,
        checked,
        expected,
        purse: ask.purse,
        price,
    })
}

pub fn check_size(input: &Input) -> Result<(), InferError> {
    let given_bytes = input.size_bytes();
    if given_bytes > INPUT_BYTES_MAX {
        return Err(InferError::InputTooLarge {
            given_bytes,
            max_bytes: INPUT_BYTES_MAX,
        });
    }
    Ok(())
}

/// Refuses who could not even pay the smallest call, before work is spent on his input. What an allowance is worth the ledger
/// knows.
fn check_purse<R: Runtime>(runtime: &R, ask: &Ask, version: Sha256) -> Result<(), InferError> {
    let load = state::load(&version).ok_or(InferError::NotLoaded { version })?;
    let author = load.registered.author_price_e8s;
    let smallest = expect_units(version, 1)?;
    let price = |unit| price::price(&state::policy(), unit, author, smallest.instructions);
    match ask.purse {
        Purse::Cycles => {
            let attached = runtime.attached_cycles();
            match price(Unit::Cycles) {
                Some(price) if attached < price.total => Err(InferError::InsufficientCycles {
                    attached: attached.into(),
                    price: price.total.into(),
                }),
                _ => Ok(()),
            }
        }
        Purse::Credit { unit, key } => {
            let credit = payment::credit_for(runtime, ask.caller, unit, key);
            match price(unit) {
                Some(price) if credit < price.total_e8s() => Err(InferError::InsufficientCredit {
                    credit_e8s: credit,
                    needed_e8s: price.total_e8s(),
                }),
                _ => Ok(()),
            }
        }
        Purse::Allowance { .. } => Ok(()),
        Purse::Free => quota::take(runtime, author),
    }
}

/// Of a version whose model is in the heap.
pub fn check_fits(version: Sha256, input: Input) -> Result<(Checked, Expected), InferError> {
    let compiled = volatile::use_model(&version).ok_or(InferError::NotReady { version })?;
    let checked = compiled
        .check(input)
        .map_err(|misfit| InferError::InvalidInput {
            input: misfit.input,
            reason: misfit.reason,
        })?;
    let expected = expect(version, &checked)?;
    Ok((checked, expected))
}

fn expect(version: Sha256, checked: &Checked) -> Result<Expected, InferError> {
    expect_units(version, checked.units())
}

fn expect_units(version: Sha256, units: u64) -> Result<Expected, InferError> {
    price::expected(&version, units).map_err(|error| match error {
        CostError::NotReady => InferError::NotReady { version },
        CostError::TooManyInstructions { needed, max } => {
            InferError::TooManyInstructions { needed, max }
        }
    })
}

/// What the network's outputs for this input will take, where they are the answer and no strings. `None` also where the
/// call would be refused.
pub fn output_bytes(version: Sha256, input: &Input) -> Option<u64> {
    let compiled = volatile::use_model(&version)?;
    let checked = compiled.check(input.clone()).ok()?;
    compiled.output_bytes(&checked)
}

pub fn check_ready<R: Runtime>(runtime: &R, version: Sha256) -> Result<(), InferError> {
    let load = state::load(&version).ok_or(InferError::NotLoaded { version })?;
    // What was taken back says so, rather than that it is not there.
    registration::check_admitted(version)?;
    match load.state {
        StoredLoadState::Failed { .. } => Err(InferError::NotLoaded { version }),
        StoredLoadState::Ready { .. } if volatile::has_model(&version) => Ok(()),
        _ => {
            volatile::recall(&version);
            runtime.schedule(Duration::ZERO, Task::Loads);
            Err(InferError::NotReady { version })
        }
    }
}

pub fn has_cycles_for<R: Runtime>(runtime: &R, instructions: u64) -> bool {
    spendable_cycles(runtime) >= price::cycles_needed(instructions)
}

/// What is owed to others is not this canister's to burn.
pub fn spendable_cycles<R: Runtime>(runtime: &R) -> u128 {
    let owed = accounts::totals(Unit::Cycles).royalties;
    runtime.liquid_cycles().saturating_sub(owed)
}

pub fn check_cycles<R: Runtime>(runtime: &R, instructions: u64) -> Result<(), InferError> {
    if has_cycles_for(runtime, instructions) {
        return Ok(());
    }
    runtime.schedule(Duration::ZERO, Task::TopUp);
    Err(InferError::OutOfCycles {
        balance: spendable_cycles(runtime).into(),
        needed: price::cycles_needed(instructions).into(),
    })
}

async fn run_prepared<R: Runtime>(runtime: &R, prepared: Prepared) -> Result<Finished, String> {
    let limit = prepared.expected.limit();
    run::run(runtime, prepared.version, prepared.checked, limit, None)
        .await
        .map_err(run::RunEnd::into_message)
}

async fn pay_with_cycles<R: Runtime>(
    runtime: &R,
    prepared: Prepared,
) -> Result<(Answer, Receipt), InferError> {
    let quoted = prepared.price.total;
    let attached = runtime.attached_cycles();
    if attached < quoted {
        return Err(InferError::InsufficientCycles {
            attached: attached.into(),
            price: quoted.into(),
        });
    }
    let is_long = prepared.expected.instructions > CALL_INSTRUCTIONS_MAX;
    if is_long && !volatile::has_room_for_a_long_run() {
        return Err(InferError::Busy);
    }
    // Nothing is accepted yet, so there is nothing to give back.
    let Prepared {
        caller,
        version,
        price,
        ..
    } = prepared;
    let input_hash = hash_input(&prepared.checked.input);
    let failed = |message| InferError::RunFailed {
        message,
        refunded: true,
    };
    let finished = run_prepared(runtime, prepared).await.map_err(failed)?;
    let load = state::load(&version).ok_or_else(|| failed("its model was taken away".into()))?;
    let settled = price::price(
        &state::policy(),
        Unit::Cycles,
        load.registered.author_price_e8s,
        finished.instructions,
    )
    .map_or(quoted, |price| price.total.min(quoted));
    let accepted = runtime.accept_cycles(settled);
    assert_eq!(
        accepted, settled,
        "BUG: attached cycles went away during a call"
    );
    split::share_out(
        Unit::Cycles,
        None,
        settled,
        price.author.min(settled),
        &load.registered,
    );
    let receipt = receipts::append(
        runtime,
        Entry {
            version,
            caller,
            input_hash,
            output_hash: hash_answer(&finished.answer),
            instructions: finished.instructions,
            price: StoredPrice::Cycles(settled),
            payment_block: None,
        },
    );
    Ok((finished.answer, receipt))
}

/// Opens the payment, and charges it where a ledger has to be asked. `Ok`: it is Charged.
async fn pay<R: Runtime>(
    runtime: &R,
    prepared: &Prepared,
    purpose: Purpose,
    opened: impl FnOnce(u64),
) -> Result<(u64, PaymentGuard), InferError> {
    let bill = |unit| Bill {
        purpose,
        unit,
        amount: prepared.price.total_e8s(),
        author_part: prepared.price.author_e8s(),
    };
    let caller = prepared.caller;
    let lock = |id| PaymentGuard::lock(id).expect("BUG: a new payment is locked");
    let (unit, from_subaccount) = match prepared.purse {
        Purse::Credit { unit, key } => {
            let id =
                payment::open_from_credit(runtime, caller, bill(unit), key).map_err(|short| {
                    InferError::InsufficientCredit {
                        credit_e8s: short.credit,
                        needed_e8s: prepared.price.total_e8s(),
                    }
                })?;
            let guard = lock(id);
            opened(id);
            recovery::schedule(runtime, id);
            return Ok((id, guard));
        }
        Purse::Allowance {
            unit,
            from_subaccount,
        } => (unit, from_subaccount),
        Purse::Cycles | Purse::Free => panic!("BUG: nothing is charged for these"),
    };
    // Credit first: it costs no ledger fee, and is what an earlier call left.
    if let Ok(id) = payment::open_from_credit(runtime, caller, bill(unit), None) {
        let guard = lock(id);
        opened(id);
        recovery::schedule(runtime, id);
        return Ok((id, guard));
    }
    let id = payment::open_by_allowance(runtime, caller, bill(unit), from_subaccount);
    let guard = lock(id);
    opened(id);
    // Should this message's continuation trap, the timer finds the payment in the journal.
    recovery::schedule(runtime, id);
    let needed_e8s = Nat::from(bill(unit).amount) + journal::get(id).fee;
    let outcome = payment::charge(runtime, id).await;
    jobs::after_charge(runtime, id);
    match outcome {
        Outcome::Done { .. } => Ok((id, guard)),
        Outcome::Refused(Refusal::InsufficientAllowance { allowance }) => {
            Err(InferError::InsufficientAllowance {
                allowance_e8s: allowance,
                needed_e8s,
            })
        }
        Outcome::Refused(Refusal::InsufficientFunds { balance }) => {
            Err(InferError::InsufficientFunds {
                balance_e8s: balance,
                needed_e8s,
            })
        }
        Outcome::Refused(refusal) => Err(InferError::PaymentFailed {
            message: refusal.to_string(),
            journal_id: Some(id),
        }),
        Outcome::Unknown { message } => {
            recovery::schedule(runtime, id);
            Err(InferError::PaymentFailed {
                message,
                journal_id: Some(id),
            })
        }
    }
}

async fn pay_and_run<R: Runtime>(
    runtime: &R,
    prepared: Prepared,
) -> Result<(Answer, Receipt), InferError> {
    let version = prepared.version;
    let caller = prepared.caller;
    let (id, _guard) = pay(runtime, &prepared, Purpose::Call { version }, |_| ()).await?;

    // Read again: while the ledger answered, the model may have gone or been taken back.
    let input_hash = hash_input(&prepared.checked.input);
    let ran = match check_ready(runtime, version) {
        Ok(()) => run_prepared(runtime, prepared).await,
        Err(error) => Err(format!("it cannot run any more: {error:?}")),
    };
    let settled = ran.and_then(|finished| {
        let load = state::load(&version).ok_or("its model was taken away")?;
        Ok((finished, load))
    });
    match settled {
        Ok((finished, load)) => {
            // One message, no call in between: the receipt, the accounts and the journal change together.
            let payment = journal::get(id);
            let price = settled_price(&load, &payment, finished.instructions);
            let receipt = receipts::append(
                runtime,
                Entry {
                    version,
                    caller,
                    input_hash,
                    output_hash: hash_answer(&finished.answer),
                    instructions: finished.instructions,
                    price: stored_price(payment.unit, price),
                    payment_block: block_of(&payment),
                },
            );
            payment::earn(id, &load, price, receipt.id);
            Ok((finished.answer, receipt))
        }
        Err(message) => {
            payment::give_back(id);
            Err(InferError::RunFailed {
                message,
                refunded: true,
            })
        }
    }
}

async fn begin_job<R: Runtime>(runtime: &R, prepared: &Prepared) -> Result<u64, InferError> {
    let (caller, version) = (prepared.caller, prepared.version);
    jobs::check_room(caller).map_err(|jobs::TooManyJobs| InferError::Busy)?;
    let input = &prepared.checked.input;
    let create = |id| jobs::create(runtime, id, caller, version, input);
    let (id, _guard) = pay(runtime, prepared, Purpose::Job { version }, create).await?;
    runtime.schedule(Duration::ZERO, Task::Jobs);
    Ok(id)
}

async fn wait_for_job<R: Runtime>(
    runtime: &R,
    prepared: &Prepared,
) -> Result<(Answer, Receipt), InferError> {
    let id = begin_job(runtime, prepared).await?;
    jobs::drive_one(runtime, id).await;
    let job = jobs::find(id).ok_or(InferError::GoesOn { job: id })?;
    if let Some(result) = jobs::result(&job) {
        return Ok(result);
    }
    match job.state {
        crate::stored::StoredJobState::Failed { message, .. } => Err(InferError::RunFailed {
            message,
            refunded: true,
        }),
        _ => Err(InferError::GoesOn { job: id }),
    }
}

/// What the call used at the rate of now, at most what is held for it.
pub fn settled_price(load: &Load, payment: &crate::stored::Payment, instructions: u64) -> u64 {
    let author = load.registered.author_price_e8s;
    price::price(&state::policy(), payment.unit, author, instructions)
        .map_or(payment.amount, |price| price.total_e8s())
        .min(payment.amount)
}

pub fn stored_price(unit: Unit, price: u64) -> StoredPrice {
    match unit {
        Unit::Icp => StoredPrice::IcpE8s(price),
        Unit::Governance => StoredPrice::TokenE8s(price),
        Unit::Cycles => StoredPrice::Cycles(price.into()),
    }
}

pub fn block_of(payment: &crate::stored::Payment) -> Option<u64> {
    match payment.state {
        StoredPaymentState::Charged { block } => block,
        _ => None,
    }
}
