//! What a call is refused for, what it costs, and what its receipt proves.

use candid::{Nat, Principal};
use ic_certification::hash_tree::{HashTree, LookupResult};
use stoa_inference_api::{GetReceiptError, InferError, InferRequest, Payment, Price};
use stoa_registry_api::VersionStatus;
use stoa_types::Sha256;
use stoa_types::pipeline::Input;
use stoa_types::tensor::{Tensor, hash_tensors};

use super::world::{PAYER_FUNDS, allowance, payer, pixels, request, tensors, world_with_digits};
use crate::infer::infer;
use crate::{queries, receipts, volatile};

fn inputs(tensors: Vec<Tensor>) -> Input {
    Input::Tensors(tensors)
}

fn price_cycles(version: Sha256) -> u128 {
    u128::try_from(queries::quote(version).unwrap().price_cycles.0).unwrap()
}

#[test]
fn should_refuse_for_free_before_any_call_to_the_ledger() {
    let (world, version) = world_with_digits();
    let refused =
        |request: InferRequest| world.finish(infer(&world, payer(0), request)).unwrap_err();
    let good = || request(version, allowance());
    assert_eq!(
        world
            .finish(infer(&world, Principal::anonymous(), good()))
            .unwrap_err(),
        InferError::AnonymousCaller
    );
    let unknown = Sha256([9; 32]);
    assert_eq!(
        refused(InferRequest {
            model: unknown.into(),
            ..good()
        }),
        InferError::NotLoaded { version: unknown }
    );
    assert!(matches!(
        refused(InferRequest { input: inputs(vec![]), ..good() }),
        InferError::InvalidInput { input, .. } if input == "pixels"
    ));
    let price = queries::quote(version).unwrap().price_e8s;
    let mut large = pixels(1);
    large.data = vec![0; 1_900_001];
    assert_eq!(
        refused(InferRequest {
            input: inputs(vec![large]),
            ..good()
        }),
        InferError::InputTooLarge {
            given_bytes: 1_900_001,
            max_bytes: 1_900_000
        }
    );
    assert_eq!(
        refused(InferRequest {
            max_price: Some(Nat::from(price - 1)),
            ..good()
        }),
        InferError::PriceTooHigh {
            price: price.into(),
            max_price: (price - 1).into()
        }
    );
    world.with(|inner| inner.cycles = 1_000_000);
    assert!(matches!(refused(good()), InferError::OutOfCycles { .. }));
    assert_eq!(world.with(|inner| inner.log.clone()), Vec::<&str>::new());
    assert_eq!(world.balance(payer(0)), PAYER_FUNDS);
    assert_eq!(receipts::count(), 0);
}

#[test]
fn should_refuse_what_is_not_admitted_any_more_within_a_minute() {
    let (world, version) = world_with_digits();
    world.with(|inner| inner.versions.get_mut(&version).unwrap().status = VersionStatus::Revoked);
    world.pass(std::time::Duration::from_secs(61));
    assert_eq!(
        world
            .finish(infer(&world, payer(0), request(version, allowance())))
            .unwrap_err(),
        InferError::NotAdmitted {
            version,
            status: "revoked".into()
        }
    );
    assert_eq!(world.balance(payer(0)), PAYER_FUNDS);
}

#[test]
fn should_refuse_while_the_model_is_rebuilt_and_answer_alike_after() {
    let (world, version) = world_with_digits();
    let call = || world.finish(infer(&world, payer(0), request(version, allowance())));
    let before = call().unwrap();
    world.upgrade();
    assert_eq!(call().unwrap_err(), InferError::NotReady { version });
    world.run_timers();
    assert!(volatile::has_model(&version));
    let after = call().unwrap();
    assert_eq!(after.answer, before.answer);
    assert_eq!(after.receipt.previous, before.receipt.hash);
}

#[test]
fn should_hold_the_metered_part_by_the_size_of_the_batch_and_give_back_what_it_did_not_use() {
    let (world, version) = world_with_digits();
    let quote = queries::quote(version).unwrap();
    let metered = quote.price_e8s - quote.author_price_e8s;
    let large = InferRequest {
        input: inputs(vec![pixels(8)]),
        ..request(version, allowance())
    };
    let response = world.finish(infer(&world, payer(0), large)).unwrap();
    assert_eq!(tensors(&response.answer)[0].shape, [8, 10]);
    // In this world a node costs the same for any batch.
    assert_eq!(response.receipt.price, Price::IcpE8s(quote.price_e8s));
    let held = quote.author_price_e8s + 8 * metered;
    assert_eq!(
        world.balance(payer(0)),
        PAYER_FUNDS - held - quote.ledger_fee_e8s
    );
    let credit = crate::accounts::balances_of(payer(0)).credit_icp_e8s;
    assert_eq!(credit, held - quote.price_e8s);
}

#[test]
fn should_accept_exactly_the_price_of_attached_cycles() {
    let (world, version) = world_with_digits();
    let price = price_cycles(version);
    let call = |attached: u128| {
        world.with(|inner| inner.attached = attached);
        world.finish(infer(&world, payer(0), request(version, Payment::Cycles)))
    };
    assert_eq!(
        call(price - 1).unwrap_err(),
        InferError::InsufficientCycles {
            attached: (price - 1).into(),
            price: price.into()
        }
    );
    assert_eq!(world.with(|inner| inner.accepted), 0);
    let response = call(price + 5).unwrap();
    assert_eq!(
        world.with(|inner| (inner.accepted, inner.attached)),
        (price, 5)
    );
    assert_eq!(response.receipt.price, Price::Cycles(price.into()));
    assert_eq!(response.receipt.payment_block, None);
}

#[test]
fn should_accept_no_cycles_for_a_run_that_traps() {
    let (world, version) = world_with_digits();
    let price = price_cycles(version);
    world.with(|inner| {
        inner.attached = 2 * price;
        inner.trap_runs = true;
    });
    let failed = world
        .finish(infer(&world, payer(0), request(version, Payment::Cycles)))
        .unwrap_err();
    assert!(
        matches!(failed, InferError::RunFailed { refunded: true, .. }),
        "{failed:?}"
    );
    assert_eq!(
        world.with(|inner| (inner.accepted, inner.attached)),
        (0, 2 * price)
    );
    assert_eq!(receipts::count(), 0);
}

#[test]
fn should_chain_receipts_and_certify_the_tip() {
    let (world, version) = world_with_digits();
    for _ in 0..3 {
        world
            .finish(infer(&world, payer(0), request(version, allowance())))
            .unwrap();
    }
    let answer = receipts::get_receipt(0, Some(b"certificate".to_vec())).unwrap();
    assert_eq!(answer.certificate, b"certificate");
    let chain: Vec<_> = [answer.receipt]
        .into_iter()
        .chain(answer.successors)
        .collect();
    assert_eq!(chain.len(), 3);
    let mut previous = Sha256::default();
    for (id, receipt) in chain.iter().enumerate() {
        assert_eq!(receipt.id, id as u64);
        assert_eq!(receipt.previous, previous);
        assert_eq!(receipt.hash, receipt.compute_hash());
        assert_eq!(receipt.input_hash, hash_tensors(&[pixels(1)]));
        previous = receipt.hash;
    }
    let tree: HashTree<Vec<u8>> = serde_cbor::from_slice(&answer.witness).unwrap();
    assert_eq!(world.with(|inner| inner.certified), Some(tree.digest()));
    let lookup = |name: &str| match tree.lookup_path(["receipts", name]) {
        LookupResult::Found(value) => value.to_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!(lookup("tip"), previous.0);
    assert_eq!(lookup("count"), 3_u64.to_be_bytes());
    assert_eq!(
        receipts::get_receipt(3, None).unwrap_err(),
        GetReceiptError::NotFound { id: 3, count: 3 }
    );
}

#[test]
fn should_change_the_hash_with_every_field_of_a_receipt() {
    let (world, version) = world_with_digits();
    let receipt = world
        .finish(infer(&world, payer(0), request(version, allowance())))
        .unwrap()
        .receipt;
    let other = Sha256([1; 32]);
    let mut changed = vec![receipt.clone(); 12];
    changed[1].id = 1;
    changed[2].version = other;
    changed[3].caller = payer(1);
    changed[4].input_hash = other;
    changed[5].output_hash = other;
    changed[6].instructions += 1;
    changed[7].price = Price::Cycles(120_000_u64.into());
    changed[8].payment_block = None;
    changed[9].timestamp_nanos += 1;
    changed[10].engine.push('x');
    changed[11].previous = other;
    let mut hashes: Vec<_> = changed
        .iter()
        .map(|receipt| receipt.compute_hash())
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 12);
}
