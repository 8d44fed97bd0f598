//! `set_price`: what the author wants for a call, in e8s of ICP. It holds for all versions of the model.

use candid::Principal;
use stoa_registry_api::{SetPriceError, SetPriceResult};

use crate::limits::PRICE_E8S_MAX;
use crate::runtime::Runtime;
use crate::state::State;
use crate::state::records::Action;

pub fn set_price(
    state: &mut State,
    runtime: &impl Runtime,
    caller: Principal,
    model: String,
    price_per_call_e8s: u64,
) -> SetPriceResult {
    if caller == Principal::anonymous() {
        return Err(SetPriceError::AnonymousCaller);
    }
    let mut record = state.models.get(&model).ok_or(SetPriceError::NotFound)?;
    let publisher = model.split('/').next().unwrap_or_default().to_owned();
    if !state.is_publisher(&publisher, caller) {
        return Err(SetPriceError::NotPublisher { publisher });
    }
    if price_per_call_e8s > PRICE_E8S_MAX {
        return Err(SetPriceError::PriceTooHigh {
            given: price_per_call_e8s,
            max: PRICE_E8S_MAX,
        });
    }
    if record.price_per_call_e8s != price_per_call_e8s {
        record.price_per_call_e8s = price_per_call_e8s;
        state.models.insert(model.clone(), record);
        let action = Action::SetPrice {
            model,
            price_per_call_e8s,
        };
        state.record(runtime, caller, action);
    }
    Ok(())
}
