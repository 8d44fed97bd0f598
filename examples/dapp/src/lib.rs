//! A canister that buys an inference with its own cycles: what any dapp needs, and no more.
//!
//! The price is asked for, attached and a little more; what the call does not cost comes back by itself.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::call::Call;
use ic_cdk::{init, update};
use serde::Deserialize;
use stoa_inference_api::{
    InferRequest, InferResult, ModelReference, Payment, PreviewRequest, Price, QuoteCallResult,
};
use stoa_types::pipeline::{Answer, Input};
use stoa_types::tensor::{DataType, Tensor};

#[derive(CandidType, Deserialize, Clone)]
struct InitArgs {
    inference: Principal,
    /// `publisher/name@version`, or with an alias for the version.
    model: String,
}

#[derive(CandidType, Deserialize)]
struct Read {
    digit: u64,
    probability: f32,
    /// Its number in the inference canister's log.
    receipt: u64,
    cycles_paid: candid::Nat,
}

const PIXELS: usize = 64;

thread_local! {
    /// An example keeps it in the heap; a dapp would keep it in stable memory.
    static UNSTABLE_SETTINGS: RefCell<Option<InitArgs>> = const { RefCell::new(None) };
}

#[init]
fn init(arguments: InitArgs) {
    UNSTABLE_SETTINGS.set(Some(arguments));
}

#[update]
async fn read_digit(pixels: Vec<f32>) -> Result<Read, String> {
    let settings = UNSTABLE_SETTINGS
        .with_borrow(Clone::clone)
        .ok_or("an upgrade lost the settings: install again")?;
    let model = ModelReference::Name(settings.model);
    let input = to_input(&pixels)?;
    let price = quote(settings.inference, &model, &input).await?;
    let request = InferRequest {
        model,
        input,
        payment: Payment::Cycles,
        max_price: Some(price.into()),
    };
    let answer: InferResult = Call::unbounded_wait(settings.inference, "infer")
        .with_arg(&request)
        .with_cycles(price)
        .await
        .map_err(|error| error.to_string())?
        .candid()
        .map_err(|error| error.to_string())?;
    let response = answer.map_err(|error| format!("{error:?}"))?;
    let (digit, probability) = likeliest(&response.answer)?;
    Ok(Read {
        digit,
        probability,
        receipt: response.receipt.id,
        cycles_paid: match response.receipt.price {
            Price::Cycles(cycles) => cycles,
            other => return Err(format!("paid with cycles, charged {other:?}")),
        },
    })
}

async fn quote(
    inference: Principal,
    model: &ModelReference,
    input: &Input,
) -> Result<u128, String> {
    let request = PreviewRequest {
        model: model.clone(),
        input: input.clone(),
    };
    let quote: QuoteCallResult = Call::unbounded_wait(inference, "quote_call")
        .with_arg(&request)
        .await
        .map_err(|error| error.to_string())?
        .candid()
        .map_err(|error| error.to_string())?;
    let price = quote.map_err(|error| format!("{error:?}"))?.price_cycles;
    u128::try_from(price.0).map_err(|_| "a price beyond all cycles".to_owned())
}

fn to_input(pixels: &[f32]) -> Result<Input, String> {
    if pixels.len() != PIXELS {
        return Err(format!("{} pixels, {PIXELS} are needed", pixels.len()));
    }
    Ok(Input::Tensors(vec![Tensor {
        name: "pixels".to_owned(),
        datatype: DataType::FP32,
        shape: vec![1, PIXELS as u64],
        data: pixels
            .iter()
            .flat_map(|pixel| pixel.to_le_bytes())
            .collect(),
    }]))
}

fn likeliest(answer: &Answer) -> Result<(u64, f32), String> {
    let Answer::Tensors(tensors) = answer else {
        return Err("the model answers no tensors".to_owned());
    };
    let tensor = tensors.first().ok_or("the model answers nothing")?;
    let probabilities = tensor.data.as_chunks::<4>().0.iter();
    probabilities
        .map(|bytes| f32::from_le_bytes(*bytes))
        .zip(0..)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(probability, digit)| (digit, probability))
        .ok_or_else(|| "the model answers nothing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    candid::export_service!();

    #[test]
    fn should_have_the_interface_that_the_did_file_says() {
        use candid_parser::utils::{CandidSource, service_equal};
        let code = __export_service();
        let written = include_str!("../dapp.did");
        service_equal(CandidSource::Text(&code), CandidSource::Text(written))
            .unwrap_or_else(|error| panic!("{error}\nthe code has:\n{code}"));
    }

    #[test]
    fn should_take_a_scan_of_the_right_size_and_find_the_likeliest_digit() {
        assert!(to_input(&[0.0; 63]).is_err());
        let Ok(Input::Tensors(tensors)) = to_input(&[1.5; 64]) else {
            panic!();
        };
        tensors[0].check_length().unwrap();
        let answer = Answer::Tensors(vec![Tensor {
            name: "probabilities".to_owned(),
            datatype: DataType::FP32,
            shape: vec![1, 3],
            data: [0.1_f32, 0.7, 0.2]
                .iter()
                .flat_map(|p| p.to_le_bytes())
                .collect(),
        }]);
        assert_eq!(likeliest(&answer), Ok((1, 0.7)));
    }
}
