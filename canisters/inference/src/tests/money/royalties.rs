//! Who is paid of a price, and how it reaches them.

use super::*;

/// A world where digits has royalties: a quarter for one owner, and a parent that shares the rest.
fn world_with_royalties() -> (World, Sha256) {
    let world = world();
    let parent = world.admit_digits();
    let share = |number: u8, basis_points| RoyaltyShare {
        owner: payer(number),
        subaccount: None,
        basis_points,
    };
    let version = world.with(|inner| {
        let mut parent_info = inner.versions[&parent].clone();
        parent_info.manifest.royalties = vec![share(8, 5_000)];
        parent_info.manifest.name = "parent".into();
        let parent = parent_info.manifest.digest();
        inner.versions.insert(parent, parent_info.clone());
        let mut info = parent_info;
        info.manifest.name = "child".into();
        info.manifest.royalties = vec![share(7, 2_500)];
        info.manifest.lineage.parents = vec![stoa_types::manifest::Parent {
            version: parent,
            relation: stoa_types::manifest::Relation::Finetune,
        }];
        let version = info.manifest.digest();
        inner.versions.insert(version, info);
        version
    });
    world
        .finish(load::load(&world, payer(0), version, None))
        .unwrap();
    world.finish(load_job::drive(&world));
    world.restart_calls();
    (world, version)
}

#[test]
fn should_share_the_authors_price_down_the_lineage_and_pay_it_out_in_batches() {
    let (world, version) = world_with_royalties();
    let price = queries::quote(version).unwrap().author_price_e8s;
    world
        .finish(infer(&world, payer(0), request(version, allowance())))
        .unwrap();
    // A tenth is the treasury's, a quarter of the rest the owner's, and of what is left the parent's owner has half.
    let shared = price * 9 / 10;
    let royalty = |number: u8| accounts::balances_of(payer(number)).royalties;
    assert_eq!(royalty(7)[0].icp_e8s, shared / 4);
    assert_eq!(royalty(8)[0].icp_e8s, shared * 3 / 4 / 2);
    // What nobody is named for is the author's.
    let of_author = shared - shared / 4 - shared * 3 / 8;
    assert_eq!(
        accounts::balances_of(author()).royalties[0].icp_e8s,
        of_author
    );
    let treasury = accounts::balance_e8s(Unit::Icp, &Holder::Treasury);
    assert!(treasury >= price / 10);
    check_books(&world);

    // Below the policy's least nothing is sent by itself; its owner may claim it.
    world.finish(pay_out(&world));
    assert_eq!(world.balance(payer(7)), 0);
    let arguments = ClaimArgs {
        token: Token::Icp,
        subaccount: None,
    };
    world.finish(claim(&world, payer(7), arguments)).unwrap();
    assert_eq!(world.balance(payer(7)), shared / 4 - FEE);
    for _ in 0..3 {
        world
            .finish(infer(&world, payer(0), request(version, allowance())))
            .unwrap();
    }
    world.finish(pay_out(&world));
    assert_eq!(
        world.balance(payer(7)),
        shared / 4 - FEE + 3 * (shared / 4) - FEE
    );
    assert_eq!(world.balance(payer(8)), 4 * (shared * 3 / 8) - FEE);
    assert!(royalty(7).is_empty() && royalty(8).is_empty());
    assert_eq!(world.balance(author()), 4 * of_author - FEE);
    check_books(&world);
}

// Statements 1, 2, 7 and 30.
#[test]
fn should_pay_out_once_whatever_happens_to_any_transfer() {
    for call in 0..4 {
        for fate in Fate::ALL {
            isolated(move || {
                let (world, version) = world_with_royalties();
                for _ in 0..4 {
                    world
                        .finish(infer(&world, payer(0), request(version, allowance())))
                        .unwrap();
                }
                let due = accounts::totals(Unit::Icp).royalties
                    + accounts::balance(Unit::Icp, &Holder::Treasury);
                let calls = world.with(|inner| inner.blocks.len()) as u64;
                world.restart_calls();
                world.set_fate(call, fate);
                let _trapped = world.attempt(pay_out(&world));
                world.upgrade();
                world.run_timers();
                // A transfer that was refused for certain is tried again by the next hour's.
                world.finish(pay_out(&world));
                world.run_timers();
                let arrived: u64 = [payer(7), payer(8), author(), governance()]
                    .map(|owner| world.balance(owner))
                    .iter()
                    .sum();
                let sent = world.with(|inner| inner.blocks.len()) as u64;
                let left = accounts::balance(Unit::Icp, &Holder::Treasury);
                assert!(left < u128::from(crate::tests::world::policy().payout_e8s_min));
                assert_eq!(
                    u128::from(arrived + (sent - calls) * FEE) + left,
                    due,
                    "{call} {fate:?}"
                );
                check_books(&world);
            });
        }
    }
}

#[test]
fn should_owe_royalties_in_cycles_to_callers_authors_and_send_them_when_claimed() {
    let (world, version) = world_with_royalties();
    world.with(|inner| inner.attached = 1_000_000_000_000);
    let receipt = world
        .finish(infer(&world, payer(0), request(version, Payment::Cycles)))
        .unwrap()
        .receipt;
    let stoa_inference_api::Price::Cycles(price) = receipt.price else {
        panic!("{:?}", receipt.price);
    };
    let books = accounts::books().cycles;
    assert_eq!(books.received, price);
    assert_eq!(books.reserve.clone() + books.royalties.clone(), price);
    let owed = accounts::balances_of(payer(7)).royalties[0].cycles.clone();
    let to = |_| stoa_inference_api::ClaimCyclesArgs {
        subaccount: None,
        to: minting(),
    };
    // Refused, they are the payee's again.
    world.with(|inner| inner.refuse_deposits = true);
    assert!(
        world
            .finish(claim_cycles(&world, payer(7), to(())))
            .is_err()
    );
    assert_eq!(accounts::balances_of(payer(7)).royalties[0].cycles, owed);
    world.with(|inner| inner.refuse_deposits = false);
    let arrived = world
        .finish(claim_cycles(&world, payer(7), to(())))
        .unwrap();
    assert_eq!(arrived, owed);
    assert!(accounts::balances_of(payer(7)).royalties.is_empty());
    accounts::check_invariants();
}

#[test]
fn should_pay_the_authors_price_to_who_owns_the_publishers_handle() {
    let (world, version) = world_with_digits();
    let call = || {
        world
            .finish(infer(&world, payer(0), request(version, allowance())))
            .unwrap();
    };
    let royalty = |owner| {
        let royalties = accounts::balances_of(owner).royalties;
        royalties.first().map_or(0, |balance| balance.icp_e8s)
    };
    let shared = queries::quote(version).unwrap().author_price_e8s * 9 / 10;
    call();
    assert_eq!(royalty(author()), shared);
    // The handle changes hands: what was earned before stays with who had it.
    world.with(|inner| inner.handle_owner = payer(5));
    world.pass(Duration::from_secs(61));
    call();
    assert_eq!(royalty(author()), shared);
    assert_eq!(royalty(payer(5)), shared);
    check_books(&world);
}

// Statement 2: a claim of cycles is written down before the call, and what is not known is not guessed.
#[test]
fn should_keep_a_claim_of_cycles_whose_answer_was_lost_until_governance_settles_it() {
    for arrived in [true, false] {
        isolated(move || {
            let (world, version) = world_with_royalties();
            world.with(|inner| inner.attached = 1_000_000_000_000);
            world
                .finish(infer(&world, payer(0), request(version, Payment::Cycles)))
                .unwrap();
            let owed = accounts::balances_of(payer(7)).royalties[0].cycles.clone();
            let before = accounts::totals(Unit::Cycles);
            world.with(|inner| {
                inner.trap_deposits = true;
                inner.refuse_deposits = !arrived;
            });
            let arguments = || stoa_inference_api::ClaimCyclesArgs {
                subaccount: None,
                to: minting(),
            };
            {
                let mut message = std::pin::pin!(claim_cycles(&world, payer(7), arguments()));
                assert!(crate::tests::world::poll(message.as_mut()).is_none());
                // While the message waits nobody decides for it.
                let id = crate::claims::open()[0].id;
                assert!(crate::claims::settle(id, false).is_err());
            }
            let open = crate::claims::open();
            assert_eq!((open.len(), open[0].amount.clone()), (1, owed.clone()));
            assert!(accounts::balances_of(payer(7)).royalties.is_empty());
            // Nothing by itself, through an upgrade and timers.
            world.upgrade();
            world.run_timers();
            assert_eq!(crate::claims::open(), open);

            let settle = SettleArgs {
                subject: SettleSubject::CyclesClaim(open[0].id),
                block: arrived.then_some(0),
            };
            assert!(decisions::settle_payment(payer(7), &settle).is_err());
            decisions::validate_settle_payment(&settle).unwrap();
            decisions::settle_payment(governance(), &settle).unwrap();
            assert!(decisions::settle_payment(governance(), &settle).is_err());
            let royalties = accounts::balances_of(payer(7)).royalties;
            let back = royalties.first().map(|royalty| royalty.cycles.clone());
            assert_eq!(back, (!arrived).then(|| owed.clone()));
            let after = accounts::totals(Unit::Cycles);
            let gone = if arrived { owed } else { 0_u8.into() };
            assert_eq!(
                candid::Nat::from((before.received - before.sent) - (after.received - after.sent)),
                gone
            );
            accounts::check_invariants();
        });
    }
}
