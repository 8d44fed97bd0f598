//! `infer`: a paid call.
//!
//! ```text
//! free checks -> registry, if its last word is old -> price -> payment -> run -> receipt -> answer
//! ```
//!
//! Until the payment every refusal is free. An allowance is charged before the run, and given back in full if the
//! run fails; attached cycles are accepted after the run, so a failure accepts none. The run is a message of its
//! own (`c2c_run`): the charge is committed before it starts, and a run that traps is an answer here and no more.

use candid::{Nat, Principal};
use stoa_engine::CheckedInputs;
use stoa_inference_api::{InferError, InferRequest, InferResponse, InferResult, Payment};
use stoa_types::Sha256;
use stoa_types::tensor::hash_tensors;

use crate::ledger::{Refusal, Transfer};
use crate::limits::{INPUT_BYTES_MAX, OUTPUT_BYTES_MAX};
use crate::price::{self, Cost, CostError};
use crate::receipts::{self, Entry};
use crate::registration;
use crate::runtime::{Runtime, Task};
use crate::stored::{StoredLoadState, StoredPaymentState, StoredPrice};
use crate::volatile::{self, CallerGuard, Finished, PaymentGuard, RunSlot};
use crate::{journal, payment, recovery, state};

pub async fn infer<R: Runtime>(
    runtime: &R,
    caller: Principal,
    request: InferRequest,
) -> InferResult {
    if caller == Principal::anonymous() {
        return Err(InferError::AnonymousCaller);
    }
    let Some(_guard) = CallerGuard::lock(caller) else {
        return Err(InferError::Busy);
    };
    let InferRequest {
        version,
        inputs,
        payment,
        max_price,
    } = request;
    let inputs = check_inputs(version, inputs)?;
    check_ready(runtime, version)?;
    registration::refresh(runtime, version).await?;

    // Read again: the registry may have taken its time.
    check_ready(runtime, version)?;
    let cost = cost(version, &inputs)?;
    let price = match payment {
        Payment::Cycles => Nat::from(cost.price_cycles),
        Payment::Allowance { .. } => Nat::from(cost.price_e8s),
    };
    if let Some(max_price) = max_price.filter(|max_price| price > *max_price) {
        return Err(InferError::PriceTooHigh { price, max_price });
    }
    check_cycles(runtime, &cost)?;

    let call = Call {
        version,
        caller,
        inputs,
        cost,
    };
    let result = match payment {
        Payment::Cycles => pay_with_cycles(runtime, call).await,
        Payment::Allowance { from_subaccount } => {
            pay_by_allowance(runtime, call, from_subaccount).await
        }
    };
    if runtime.cycle_balance() < state::configuration().top_up_below_cycles {
        runtime.schedule(std::time::Duration::ZERO, Task::TopUp);
    }
    result
}

/// A call that passed every check but payment.
struct Call {
    version: Sha256,
    caller: Principal,
    inputs: CheckedInputs,
    cost: Cost,
}

fn check_inputs(
    version: Sha256,
    inputs: Vec<stoa_types::tensor::Tensor>,
) -> Result<CheckedInputs, InferError> {
    let load = state::load(&version).ok_or(InferError::NotLoaded { version })?;
    let given_bytes: u64 = inputs.iter().map(|tensor| tensor.data.len() as u64).sum();
    if given_bytes > INPUT_BYTES_MAX {
        return Err(InferError::InputTooLarge {
            given_bytes,
            max_bytes: INPUT_BYTES_MAX,
        });
    }
    let inputs =
        CheckedInputs::new(&load.signature, inputs).map_err(|error| InferError::InvalidInput {
            input: error.input().to_owned(),
            reason: error.to_string(),
        })?;
    // Strings have no size that a shape tells; they are held against the limit when they are there.
    if let Some(bytes) = inputs
        .output_bytes(&load.signature)
        .filter(|bytes| *bytes > OUTPUT_BYTES_MAX)
    {
        return Err(InferError::InvalidInput {
            input: first_input(&inputs),
            reason: format!(
                "the answer would have {bytes} bytes, at most {OUTPUT_BYTES_MAX} are allowed"
            ),
        });
    }
    Ok(inputs)
}

fn check_ready<R: Runtime>(runtime: &R, version: Sha256) -> Result<(), InferError> {
    let load = state::load(&version).ok_or(InferError::NotLoaded { version })?;
    match load.state {
        StoredLoadState::Failed { .. } => Err(InferError::NotLoaded { version }),
        StoredLoadState::Ready { .. } if volatile::has_model(&version) => Ok(()),
        _ => {
            runtime.schedule(std::time::Duration::ZERO, Task::Loads);
            Err(InferError::NotReady { version })
        }
    }
}

fn cost(version: Sha256, inputs: &CheckedInputs) -> Result<Cost, InferError> {
    price::cost(&version, inputs.units()).map_err(|error| match error {
        CostError::NotReady => InferError::NotReady { version },
        CostError::TooManyInstructions { needed, max } => InferError::InvalidInput {
            input: first_input(inputs),
            reason: format!(
                "a call of this size takes {needed} instructions, at most {max} are allowed"
            ),
        },
    })
}

fn first_input(inputs: &CheckedInputs) -> String {
    inputs
        .tensors()
        .first()
        .map_or_else(String::new, |tensor| tensor.name.clone())
}

fn check_cycles<R: Runtime>(runtime: &R, cost: &Cost) -> Result<(), InferError> {
    let balance = runtime.liquid_cycles();
    let needed = price::cycles_needed(cost.instructions);
    if balance < needed {
        runtime.schedule(std::time::Duration::ZERO, Task::TopUp);
        return Err(InferError::OutOfCycles {
            balance: balance.into(),
            needed: needed.into(),
        });
    }
    Ok(())
}

async fn pay_with_cycles<R: Runtime>(runtime: &R, call: Call) -> InferResult {
    let price = call.cost.price_cycles;
    let attached = runtime.attached_cycles();
    if attached < price {
        return Err(InferError::InsufficientCycles {
            attached: attached.into(),
            price: price.into(),
        });
    }
    // Nothing is accepted yet, so there is nothing to give back.
    let input_hash = hash_tensors(call.inputs.tensors());
    let finished = run(runtime, call.version, call.inputs)
        .await
        .map_err(|message| InferError::RunFailed {
            message,
            refunded: true,
        })?;
    let accepted = runtime.accept_cycles(price);
    assert_eq!(
        accepted, price,
        "BUG: attached cycles went away during a call"
    );
    let entry = Entry {
        version: call.version,
        caller: call.caller,
        input_hash,
        output_hash: hash_tensors(&finished.outputs),
        instructions: finished.instructions,
        price: StoredPrice::Cycles(price),
        payment_block: None,
    };
    let receipt = receipts::append(runtime, entry);
    Ok(InferResponse {
        outputs: finished.outputs,
        receipt,
    })
}

async fn pay_by_allowance<R: Runtime>(
    runtime: &R,
    call: Call,
    from_subaccount: Option<Sha256>,
) -> InferResult {
    let Call {
        version,
        caller,
        inputs,
        cost,
    } = call;
    let fee_e8s = state::configuration().ledger_fee_e8s;
    let id = journal::open(
        caller,
        from_subaccount,
        version,
        cost.price_e8s,
        fee_e8s,
        runtime.now_nanos(),
    );
    let _guard = PaymentGuard::lock(id).expect("BUG: a new payment is locked");
    // Should this message's continuation trap, the timer finds the payment in the journal.
    recovery::schedule(runtime, id);
    let needed_e8s = Nat::from(cost.price_e8s) + fee_e8s;
    let block = match payment::charge(runtime, id).await {
        Transfer::Done { block } => block,
        Transfer::Refused(Refusal::InsufficientAllowance { allowance }) => {
            return Err(InferError::InsufficientAllowance {
                allowance_e8s: allowance,
                needed_e8s,
            });
        }
        Transfer::Refused(Refusal::InsufficientFunds { balance }) => {
            return Err(InferError::InsufficientFunds {
                balance_e8s: balance,
                needed_e8s,
            });
        }
        Transfer::Refused(refusal) => {
            return Err(InferError::PaymentFailed {
                message: refusal.to_string(),
                journal_id: Some(id),
            });
        }
        Transfer::Unknown { message } => {
            recovery::schedule(runtime, id);
            return Err(InferError::PaymentFailed {
                message,
                journal_id: Some(id),
            });
        }
    };

    // Read again: while the ledger answered, the model may have gone or been taken back.
    let still_runs =
        check_ready(runtime, version).and_then(|()| registration::check_admitted(version));
    let input_hash = hash_tensors(inputs.tensors());
    let run = match still_runs {
        Ok(()) => run(runtime, version, inputs).await,
        Err(error) => Err(format!("it cannot run any more: {error:?}")),
    };
    match run {
        Ok(finished) => {
            // One message, no call in between: the receipt, the books and the journal change together.
            let entry = Entry {
                version,
                caller,
                input_hash,
                output_hash: hash_tensors(&finished.outputs),
                instructions: finished.instructions,
                price: StoredPrice::IcpE8s(cost.price_e8s),
                payment_block: Some(block),
            };
            let receipt = receipts::append(runtime, entry);
            state::change_books(|books| books.earn(cost.price_e8s));
            journal::set_state(
                id,
                StoredPaymentState::Earned {
                    block,
                    receipt: receipt.id,
                },
            );
            Ok(InferResponse {
                outputs: finished.outputs,
                receipt,
            })
        }
        Err(message) => {
            let refunded = payment::refund(runtime, id).await;
            if !refunded {
                recovery::schedule(runtime, id);
            }
            Err(InferError::RunFailed { message, refunded })
        }
    }
}

/// Runs in a message of its own. Whatever happens in there, this message goes on.
async fn run<R: Runtime>(
    runtime: &R,
    version: Sha256,
    inputs: CheckedInputs,
) -> Result<Finished, String> {
    let slot = RunSlot::new(version, inputs);
    let argument = candid::encode_one(slot.id()).expect("BUG: a number encodes");
    runtime
        .call(runtime.own_id(), "c2c_run", argument)
        .await
        .map_err(|failure| failure.message)?;
    let result = slot.take_result().ok_or("the run left no result")?;
    let finished = result.map_err(|error| error.to_string())?;
    let bytes: u64 = finished
        .outputs
        .iter()
        .map(|tensor| tensor.data.len() as u64)
        .sum();
    if bytes > OUTPUT_BYTES_MAX {
        return Err(format!(
            "the answer has {bytes} bytes, at most {OUTPUT_BYTES_MAX} are allowed"
        ));
    }
    Ok(finished)
}

/// `c2c_run`, which only this canister may call.
pub fn execute<R: Runtime>(runtime: &R, id: u64) {
    let Some((version, inputs)) = volatile::take_run_inputs(id) else {
        return;
    };
    let Some(model) = volatile::model(&version) else {
        return;
    };
    let before = runtime.instructions();
    let outputs = model.start(inputs).and_then(|run| run.finish());
    let instructions = runtime.instructions().saturating_sub(before);
    volatile::put_run_result(
        id,
        outputs.map(|outputs| Finished {
            outputs,
            instructions,
        }),
    );
}
