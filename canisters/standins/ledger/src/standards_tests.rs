//! ICRC-3 and ICRC-21 as their readers meet them, and the faults that tests order.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use candid::{Encode, Nat, Principal};
use ic_certification::{HashTree, LookupResult};
use ic_stable_structures::DefaultMemoryImpl;
use icrc_ledger_types::icrc::generic_value::{ICRC3Value, Value};
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::{TransferArg, TransferError};
use icrc_ledger_types::icrc3::blocks::{GetBlocksRequest, GetBlocksResult};
use icrc_ledger_types::icrc21::errors::Icrc21Error;
use icrc_ledger_types::icrc21::requests::{
    ConsentMessageMetadata, ConsentMessageRequest, ConsentMessageSpec, DisplayMessageType,
};
use icrc_ledger_types::icrc21::responses::ConsentMessage;

use crate::faults::{self, Fault, FaultKind};
use crate::init::{InitArgs, install};
use crate::{icp, icrc3, memory, runtime};

const FEE: u64 = 10_000;
const NOW: u64 = 1_800_000_000_000_000_000;

fn owner(id: u8) -> Principal {
    Principal::from_slice(&[id])
}

fn install_in(stable: DefaultMemoryImpl, accounts: u8) {
    let mut ledger = memory::open(stable);
    install(
        &mut ledger,
        InitArgs {
            token_name: "Stoa".to_string(),
            token_symbol: "STOA".to_string(),
            decimals: 8,
            transfer_fee: Nat::from(FEE),
            minting_account: owner(255).into(),
            initial_balances: (1..=accounts)
                .map(|id| (owner(id).into(), Nat::from(1_000_000u64)))
                .collect(),
            holds_cycles: None,
        },
        NOW,
    );
    memory::replace(ledger);
    runtime::set_time_nanos(NOW);
    runtime::set_caller(owner(1));
}

fn poll_once<T>(request: impl Future<Output = T>) -> T {
    match pin!(request).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the request waits"),
    }
}

fn transfer(amount: u64) -> Result<Nat, TransferError> {
    poll_once(crate::icrc1_transfer(transfer_of(amount)))
}

fn transfer_of(amount: u64) -> TransferArg {
    TransferArg {
        from_subaccount: None,
        to: owner(2).into(),
        fee: None,
        created_at_time: Some(NOW),
        memo: None,
        amount: Nat::from(amount),
    }
}

fn range(start: u64, length: u64) -> GetBlocksRequest {
    GetBlocksRequest {
        start: Nat::from(start),
        length: Nat::from(length),
    }
}

fn ids(result: &GetBlocksResult) -> Vec<Nat> {
    result.blocks.iter().map(|block| block.id.clone()).collect()
}

fn certified_tip() -> (Vec<u8>, HashTree) {
    let proof = icrc3::tip_certificate().expect("there are blocks");
    let tree: HashTree = ciborium::from_reader(proof.hash_tree.as_slice()).unwrap();
    (proof.certificate.to_vec(), tree)
}

#[test]
fn should_chain_every_block_to_the_one_before_up_to_the_certified_tip() {
    install_in(DefaultMemoryImpl::default(), 3);
    transfer(5).unwrap();
    let result = icrc3::get_blocks(vec![range(0, 100)]);
    assert_eq!(result.log_length, Nat::from(4u64));
    assert!(result.archived_blocks.is_empty());
    let mut parent: Option<[u8; 32]> = None;
    for block in &result.blocks {
        let ICRC3Value::Map(fields) = &block.block else {
            panic!("a block is a map");
        };
        let named = fields.get("phash").map(|hash| match hash {
            ICRC3Value::Blob(bytes) => bytes.to_vec(),
            other => panic!("{other:?}"),
        });
        assert_eq!(named, parent.map(|hash| hash.to_vec()));
        let value = Value::from(block.block.clone());
        icrc_ledger_types::icrc3::schema::validate(&value).expect("the standard's schema");
        parent = Some(block.block.clone().hash());
    }
    let (certified, tree) = certified_tip();
    assert_eq!(certified, tree.digest(), "the tree is what is certified");
    assert_eq!(
        tree.lookup_path([b"last_block_hash".as_slice()]),
        LookupResult::Found(&parent.unwrap())
    );
    assert_eq!(
        tree.lookup_path([b"last_block_index".as_slice()]),
        LookupResult::Found(&[3])
    );
}

#[test]
fn should_certify_the_tip_again_after_an_upgrade() {
    let stable = DefaultMemoryImpl::default();
    install_in(stable.clone(), 200);
    let (before, _) = certified_tip();
    runtime::set_certified_data([0; 32]);
    memory::replace(memory::open(stable));
    memory::open_after_upgrade();
    let (after, tree) = certified_tip();
    assert_eq!(after, before);
    // 199 in LEB128.
    assert_eq!(
        tree.lookup_path([b"last_block_index".as_slice()]),
        LookupResult::Found(&[0xc7, 0x01])
    );
}

#[test]
fn should_give_the_ranges_that_were_asked_for_and_not_more_than_fit() {
    install_in(DefaultMemoryImpl::default(), 9);
    let some = icrc3::get_blocks(vec![range(7, 100), range(1, 2), range(50, 5), range(3, 0)]);
    let expected: Vec<Nat> = [7u64, 8, 1, 2].into_iter().map(Nat::from).collect();
    assert_eq!(ids(&some), expected);
    let mut repeated = vec![range(0, 9); 300];
    repeated.push(GetBlocksRequest {
        start: Nat::from(u128::MAX),
        length: Nat::from(u128::MAX),
    });
    assert_eq!(icrc3::get_blocks(repeated).blocks.len(), 2_000);
    assert_eq!(icrc3::supported_block_types().len(), 5);
}

#[test]
fn should_answer_two_thousand_blocks_of_the_longest_kind_within_two_mebibytes() {
    install_in(DefaultMemoryImpl::default(), 1);
    let long = Account {
        owner: Principal::from_slice(&[7; 29]),
        subaccount: Some([9; 32]),
    };
    runtime::set_caller(long.owner);
    let mut last = Ok(Nat::from(0u64));
    runtime::set_caller(owner(255));
    poll_once(crate::icrc1_transfer(TransferArg {
        to: long,
        created_at_time: None,
        ..transfer_of(u64::MAX / 2)
    }))
    .unwrap();
    runtime::set_caller(long.owner);
    for index in 0..10u64 {
        last = poll_once(crate::icrc1_transfer(TransferArg {
            from_subaccount: Some([9; 32]),
            to: Account {
                owner: Principal::from_slice(&[8; 29]),
                subaccount: Some([3; 32]),
            },
            fee: Some(Nat::from(FEE)),
            created_at_time: Some(NOW + index),
            memo: Some(vec![1; 32].into()),
            amount: Nat::from(u64::MAX / 1_000),
        }));
    }
    last.unwrap();
    let result = icrc3::get_blocks(vec![range(2, 10); 200]);
    assert_eq!(result.blocks.len(), 2_000);
    let bytes = Encode!(&result).unwrap().len();
    assert!(bytes < 2 << 20, "{bytes} bytes");
}

fn consent(method: &str, argument: Vec<u8>) -> Result<ConsentMessage, Icrc21Error> {
    crate::icrc21_canister_call_consent_message(ConsentMessageRequest {
        method: method.to_string(),
        arg: argument,
        user_preferences: ConsentMessageSpec {
            metadata: ConsentMessageMetadata {
                language: "en".to_string(),
                utc_offset_minutes: None,
            },
            device_spec: Some(DisplayMessageType::GenericDisplay),
        },
    })
    .map(|info| info.consent_message)
}

fn text(message: ConsentMessage) -> String {
    match message {
        ConsentMessage::GenericDisplayMessage(text) => text,
        other => panic!("{other:?}"),
    }
}

fn icp_arguments(fee: u64) -> Vec<u8> {
    Encode!(&icp::TransferArgs {
        memo: 7,
        amount: icp::Tokens { e8s: 150_000_000 },
        fee: icp::Tokens { e8s: fee },
        from_subaccount: None,
        to: crate::account::AccountIdentifier::from(Account::from(owner(2))).into(),
        created_at_time: None,
    })
    .unwrap()
}

#[test]
fn should_say_what_a_transfer_would_do_before_it_is_signed() {
    install_in(DefaultMemoryImpl::default(), 1);
    let message = text(
        consent(
            "icrc1_transfer",
            Encode!(&transfer_of(150_000_000)).unwrap(),
        )
        .unwrap(),
    );
    for part in ["Send Stoa", "1.5 STOA", "0.0001 STOA", &owner(2).to_text()] {
        assert!(message.contains(part), "{part} in {message}");
    }
    let message = text(consent("transfer", icp_arguments(FEE)).unwrap());
    let to = crate::account::AccountIdentifier::from(Account::from(owner(2)));
    assert!(message.contains(&hex::encode(to.0)), "{message}");
}

#[test]
fn should_refuse_consent_to_what_it_cannot_explain() {
    install_in(DefaultMemoryImpl::default(), 1);
    for (method, argument) in [
        ("icrc1_transfer", vec![1, 2, 3]),
        ("transfer", icp_arguments(FEE + 1)),
        ("transfer", vec![0; 501]),
        ("icrc3_get_blocks", vec![]),
    ] {
        assert!(
            matches!(
                consent(method, argument),
                Err(Icrc21Error::UnsupportedCanisterCall(_))
            ),
            "{method}"
        );
    }
}

fn order(kind: FaultKind, after_calls: u32, calls: u32) {
    faults::set(
        runtime::CONTROLLER,
        vec![Fault {
            method: "icrc1_transfer".to_string(),
            kind,
            after_calls,
            calls,
        }],
    );
}

#[test]
fn should_fail_as_often_as_it_was_told_and_then_no_more() {
    install_in(DefaultMemoryImpl::default(), 1);
    order(FaultKind::TemporarilyUnavailable, 1, 2);
    assert!(transfer(1).is_ok());
    assert_eq!(transfer(2), Err(TransferError::TemporarilyUnavailable));
    assert_eq!(transfer(2), Err(TransferError::TemporarilyUnavailable));
    assert!(transfer(2).is_ok());
    assert!(faults::pending().is_empty());
}

#[test]
fn should_have_done_what_it_loses_the_answer_to() {
    install_in(DefaultMemoryImpl::default(), 1);
    order(FaultKind::LoseAnswer, 0, 1);
    let lost = std::panic::catch_unwind(|| transfer(3));
    assert!(lost.is_err());
    assert_eq!(
        transfer(3),
        Err(TransferError::Duplicate {
            duplicate_of: Nat::from(1u64)
        })
    );
    order(FaultKind::Reject, 0, 1);
    assert!(std::panic::catch_unwind(|| transfer(4)).is_err());
    assert!(transfer(4).is_ok(), "a rejected request has done nothing");
}

#[test]
fn should_let_nobody_but_a_controller_order_faults() {
    install_in(DefaultMemoryImpl::default(), 1);
    let refused = std::panic::catch_unwind(|| faults::set(owner(1), vec![]));
    assert!(refused.is_err());
}
