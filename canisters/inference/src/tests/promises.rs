//! Promises that concern all of the canister: who has no name, what is too large, what time and numbers may do.

use stoa_inference_api::{
    AddKeyArgs, ClaimArgs, ClaimCyclesArgs, DepositArgs, InferError, LoadError, LoadState,
    MoneyError, Token, WithdrawArgs,
};
use stoa_types::Sha256;

use super::world::{FEE, allowance, canister, payer, request, world, world_with_digits};
use crate::claims::claim_cycles;
use crate::infer::{infer, submit};
use crate::limits::{
    LOADS_MAX, MESSAGE_BYTES_MAX, PIECE_MULTIPLY_ADDS_MAX, RECOVERY_BATCH,
    ROYALTY_ACCOUNTS_SHOWN_MAX, SLICE_INSTRUCTIONS, SUCCESSORS_MAX, shorten,
};
use crate::money::{claim, deposit, withdraw};
use crate::receipts::{self, Entry};
use crate::stored::{Holder, StoredLoadState, StoredPrice, Unit};
use crate::{accounts, keys, load, queries, state, transfers};

/// Of an answer to a user.
const REPLY_BYTES_MAX: usize = 2 << 20;
const MESSAGE_INSTRUCTIONS_MAX: u64 = 40_000_000_000;

// Statement 19: in each method itself, whatever `inspect_message` did.
#[test]
fn should_refuse_who_has_no_name_wherever_somebody_is_acted_for() {
    let (world, version) = world_with_digits();
    let nobody = candid::Principal::anonymous();
    let request = || request(version, allowance());
    let token = Token::Icp;
    assert_eq!(
        world.finish(infer(&world, nobody, request())),
        Err(InferError::AnonymousCaller)
    );
    assert_eq!(
        world.finish(submit(&world, nobody, request())),
        Err(InferError::AnonymousCaller)
    );
    assert_eq!(
        world.finish(load::load(&world, nobody, version, None)),
        Err(LoadError::AnonymousCaller)
    );
    let refused = [
        world
            .finish(deposit(
                &world,
                nobody,
                DepositArgs {
                    token,
                    amount_e8s: 1_000_000,
                    from_subaccount: None,
                },
            ))
            .map(drop),
        world
            .finish(withdraw(
                &world,
                nobody,
                WithdrawArgs {
                    token,
                    amount_e8s: 1_000_000,
                    to: None,
                },
            ))
            .map(drop),
        world
            .finish(claim(
                &world,
                nobody,
                ClaimArgs {
                    token,
                    subaccount: None,
                },
            ))
            .map(drop),
        world
            .finish(claim_cycles(
                &world,
                nobody,
                ClaimCyclesArgs {
                    subaccount: None,
                    to: canister(),
                },
            ))
            .map(drop),
        keys::add(
            nobody,
            AddKeyArgs {
                hash: version,
                label: String::new(),
                token,
                limit_e8s: 1,
                expires_at_nanos: None,
            },
        ),
    ];
    for refused in refused {
        assert_eq!(refused, Err(MoneyError::AnonymousCaller));
    }
    assert!(!keys::remove(nobody, version));
    assert_eq!(world.calls(), 0);
}

// Statement 23.
#[test]
fn should_shorten_what_others_say_and_keep_its_beginning() {
    assert_eq!(shorten("as it is".into()), "as it is");
    let long = shorten("\u{1f600}".repeat(MESSAGE_BYTES_MAX));
    assert!(long.len() <= MESSAGE_BYTES_MAX && long.ends_with("..."));
    assert!(long.starts_with("\u{1f600}"));
}

// Statement 23.
#[test]
fn should_fit_the_worst_of_each_listing_into_a_reply() {
    let (world, version) = world_with_digits();
    let name = "n".repeat(128);
    let mut worst = state::load(&version).unwrap();
    worst.registered.model = format!("{name}/{name}");
    worst.registered.semver = "1".repeat(64);
    worst.state = StoredLoadState::Failed {
        message: shorten("m".repeat(1 << 20)),
        at_nanos: u64::MAX,
    };
    for number in 0..LOADS_MAX {
        state::put_load(crate::stored::Load {
            version: Sha256::of(&number.to_be_bytes()),
            ..worst.clone()
        });
    }
    let status = queries::status(&world);
    assert!(status.loaded.len() as u64 >= LOADS_MAX);
    assert!(candid::encode_one(&status).unwrap().len() < REPLY_BYTES_MAX);

    let owner = payer(5);
    for number in 0..2 * ROYALTY_ACCOUNTS_SHOWN_MAX as u64 {
        let holder = Holder::Royalty {
            owner,
            subaccount: Some(Sha256::of(&number.to_be_bytes())),
        };
        for unit in Unit::ALL {
            accounts::receive(unit, &holder, u64::MAX.into());
        }
    }
    let balances = accounts::balances_of(owner);
    assert_eq!(balances.royalties.len(), ROYALTY_ACCOUNTS_SHOWN_MAX);
    assert!(candid::encode_one(&balances).unwrap().len() < REPLY_BYTES_MAX);

    for _ in 0..SUCCESSORS_MAX + 20 {
        let entry = Entry {
            version,
            caller: candid::Principal::from_slice(&[1; 29]),
            input_hash: version,
            output_hash: version,
            instructions: u64::MAX,
            price: StoredPrice::Cycles(u128::MAX),
            payment_block: Some(u64::MAX),
        };
        receipts::append(&world, entry);
    }
    let page = receipts::get_receipt(0, Some(vec![0; 4_000])).unwrap();
    assert_eq!(page.successors.len() as u64, SUCCESSORS_MAX);
    assert!(candid::encode_one(&page).unwrap().len() < REPLY_BYTES_MAX);
}

// Statement 23: what others say does not make a record grow without a bound.
#[test]
fn should_keep_no_more_of_a_failure_than_a_line() {
    let world = world();
    let onnx = super::world::digits_onnx();
    let mut info = super::world::digits_version(&onnx);
    // The engine repeats the name of what is missing.
    info.manifest.signature.outputs[0].name = "y".repeat(200_000);
    let version = info.manifest.digest();
    info.version = version;
    world.admit_digits();
    world.with(|inner| inner.versions.insert(version, info));
    world
        .finish(load::load(&world, payer(0), version, None))
        .unwrap();
    world.finish(crate::load_job::drive(&world));
    let LoadState::Failed { message } = queries::load_status(version).unwrap().state else {
        panic!("it was loaded");
    };
    assert!(message.len() <= MESSAGE_BYTES_MAX);
}

// Statement 24: by derivation; `benches/results/inference.md` has what was measured.
#[test]
fn should_leave_half_of_a_message_unused_by_the_largest_slice() {
    const INSTRUCTIONS_A_MULTIPLY_ADD: u64 = 10;
    const WORST: u64 = SLICE_INSTRUCTIONS + PIECE_MULTIPLY_ADDS_MAX * INSTRUCTIONS_A_MULTIPLY_ADD;
    const { assert!(WORST <= MESSAGE_INSTRUCTIONS_MAX / 2) };
    // A recovery makes calls, each of a few million instructions.
    const { assert!(RECOVERY_BATCH <= 100) };
}

// Statement 31: two payments in one nanosecond are two to the ledger.
#[test]
fn should_not_take_two_transfers_of_one_moment_for_one() {
    let world = world();
    let put = DepositArgs {
        token: Token::Icp,
        amount_e8s: 1_000_000,
        from_subaccount: None,
    };
    for _ in 0..2 {
        world
            .finish(deposit(&world, payer(0), put.clone()))
            .unwrap();
    }
    assert_eq!(accounts::balances_of(payer(0)).credit_icp_e8s, 2_000_000);
    let take = WithdrawArgs {
        token: Token::Icp,
        amount_e8s: 10 * FEE,
        to: None,
    };
    for _ in 0..2 {
        world
            .finish(withdraw(&world, payer(0), take.clone()))
            .unwrap();
    }
    let [first, second] = [0, 1].map(|id| transfers::find(id).unwrap());
    assert_eq!(first.created_at_nanos, second.created_at_nanos);
    assert_ne!(first.memo, second.memo);
    super::money::check_books(&world);
}

// Statement 31: no floats for money; statement 27: nothing is serialized before an upgrade.
#[test]
fn should_count_money_in_whole_numbers_and_do_nothing_before_an_upgrade() {
    for source in [
        include_str!("../accounts.rs"),
        include_str!("../claims.rs"),
        include_str!("../journal.rs"),
        include_str!("../ledger.rs"),
        include_str!("../money.rs"),
        include_str!("../payment.rs"),
        include_str!("../price.rs"),
        include_str!("../split.rs"),
        include_str!("../stored/money.rs"),
        include_str!("../top_up.rs"),
        include_str!("../transfers.rs"),
        include_str!("../../api/src/money.rs"),
    ] {
        assert!(!source.contains("f32") && !source.contains("f64"));
    }
    assert!(!include_str!("../lib.rs").contains("pre_upgrade"));
}
