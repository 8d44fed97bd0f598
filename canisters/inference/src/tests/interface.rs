//! The written interface and the code's are one.

use candid::utils::decode_one_with_decoding_and_skipping_quota as decode_one;
use candid_parser::utils::{CandidSource, service_equal};
use stoa_inference_api::{InferRequest, ModelReference, Payment, Token};
use stoa_types::Sha256;
use stoa_types::pipeline::Input;
use stoa_types::tensor::{DataType, Tensor};

#[test]
fn should_have_the_interface_that_the_did_file_says() {
    let written = include_str!("../../inference.did");
    let code = crate::interface();
    service_equal(CandidSource::Text(&code), CandidSource::Text(written))
        .unwrap_or_else(|error| panic!("{error}\nthe code has:\n{code}"));
}

/// The quota that `infer` has.
fn decode(bytes: Vec<u8>) -> InferRequest {
    decode_one::<4_000_000, 10_000, _>(bytes)
}

fn request(inputs: Vec<Tensor>) -> InferRequest {
    InferRequest {
        model: ModelReference::Digest(Sha256([255; 32])),
        input: Input::Tensors(inputs),
        payment: Payment::Allowance {
            token: Token::Icp,
            from_subaccount: Some(Sha256([255; 32])),
        },
        max_price: Some(u128::MAX.into()),
    }
}

#[test]
fn should_decode_the_largest_legal_request() {
    // 64 inputs of rank 8 with long names, and all the bytes that a message can carry.
    let inputs: Vec<Tensor> = (0..64)
        .map(|number| Tensor {
            name: format!("{number:0128}"),
            datatype: DataType::FP32,
            shape: vec![u64::MAX; 8],
            data: vec![255; 1_900_000 / 64],
        })
        .collect();
    let request = request(inputs);
    let bytes = candid::encode_one(&request).unwrap();
    assert_eq!(decode(bytes), request);
}

#[test]
#[should_panic(expected = "exceeds the limit")]
fn should_refuse_a_request_of_countless_empty_tensors() {
    let empty = Tensor {
        name: String::new(),
        datatype: DataType::BOOL,
        shape: vec![],
        data: vec![],
    };
    let bytes = candid::encode_one(request(vec![empty; 400_000])).unwrap();
    assert!(bytes.len() < 2 << 20);
    decode(bytes);
}
