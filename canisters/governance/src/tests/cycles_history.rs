//! What is kept of each canister's cycles: against a plain list, whatever comes in between.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::cycles_history::{HOURS_KEPT, get_cycles_history};
use crate::dao_canisters;
use crate::neurons::PrincipalKey;

const HOUR: u64 = 60 * 60;

fn canister(id: u8) -> Principal {
    Principal::from_slice(&[200, id])
}

#[derive(Clone, Debug)]
enum Step {
    Join(u8),
    Leave(u8),
    Note(u8, u128),
    Wait(u64),
    Upgrade,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..3u8;
    prop_oneof![
        2 => who().prop_map(Step::Join),
        1 => who().prop_map(Step::Leave),
        12 => (who(), any::<u128>()).prop_map(|(id, cycles)| Step::Note(id, cycles)),
        8 => (0..2 * HOUR).prop_map(Step::Wait),
        1 => (0..2 * HOURS_KEPT * HOUR).prop_map(Step::Wait),
        1 => Just(Step::Upgrade),
    ]
}

/// By hour, and nothing is ever taken out: what is told is worked out from it.
type Plain = BTreeMap<u8, BTreeMap<u64, (u64, u128)>>;

fn check(plain: &Plain) {
    for id in 0..3 {
        let expected: Vec<_> = plain
            .get(&id)
            .into_iter()
            .flatten()
            .filter(|(hour, _)| *hour + HOURS_KEPT > now() / HOUR)
            .map(|(_, (at_seconds, cycles))| CyclesSample {
                at_seconds: *at_seconds,
                cycles: Nat::from(*cycles),
            })
            .collect();
        assert_eq!(get_cycles_history(canister(id)), expected);
    }
    with_state(|state| {
        let mut kept: BTreeMap<PrincipalKey, u64> = BTreeMap::new();
        for entry in state.cycles_history.iter() {
            let ((key, slot), (at, _)) = entry.into_pair();
            assert_eq!(u64::from(slot), at / HOUR % HOURS_KEPT);
            assert!(state.dao_canisters.contains_key(&key));
            *kept.entry(key).or_default() += 1;
        }
        assert!(kept.values().all(|count| *count <= HOURS_KEPT));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn should_tell_the_first_balance_of_each_hour_of_thirty_days(steps in prop::collection::vec(step(), 1..120)) {
        let stable = governance();
        let mut plain = Plain::new();
        for step in steps {
            match step {
                Step::Join(id) => {
                    with_state(|state| state.add_dao_canister(canister(id))).unwrap();
                    plain.entry(id).or_default();
                }
                Step::Leave(id) => {
                    if plain.remove(&id).is_some() {
                        crate::own_functions::remove_dao_canister(runtime::canister_self(), canister(id));
                    }
                }
                Step::Note(id, cycles) => {
                    with_state(|state| state.note_cycles(canister(id), cycles));
                    if let Some(hours) = plain.get_mut(&id) {
                        hours.entry(now() / HOUR).or_insert((now(), cycles));
                    }
                }
                Step::Wait(seconds) => set_time(now() + seconds),
                Step::Upgrade => upgrade(stable.clone()),
            }
            check(&plain);
        }
    }
}

#[test]
fn should_keep_thirty_days_and_no_more_of_a_canister_that_is_seen_every_hour() {
    governance();
    with_state(|state| state.add_dao_canister(canister(0))).unwrap();
    for hour in 0..HOURS_KEPT + 5 {
        set_time(START + hour * HOUR);
        with_state(|state| state.note_cycles(canister(0), u128::from(hour)));
    }
    let history = get_cycles_history(canister(0));
    assert_eq!(history.len() as u64, HOURS_KEPT);
    assert_eq!(history[0].cycles, Nat::from(5u8));
    assert_eq!(history[history.len() - 1].cycles, Nat::from(HOURS_KEPT + 4));
    assert_eq!(with_state(|state| state.cycles_history.len()), HOURS_KEPT);
    assert!(candid::encode_one(&history).unwrap().len() < 20 * 1024);
}

/// A deployment hands its canisters over when all are there.
#[test]
fn should_look_again_after_two_minutes_at_what_it_may_not_have_controlled_at_first() {
    governance();
    with_state(|state| state.add_dao_canister(canister(0))).unwrap();
    let mut asked = Vec::new();
    for second in (0..2 * HOUR).step_by(60) {
        set_time(START + second);
        let mut waiting = housekeep();
        for call in runtime::take_sent() {
            asked.push(second);
            if second == 0 {
                call.answer(Err(runtime::CallFailure {
                    refused: true,
                    message: "only controllers may".to_string(),
                }));
            } else {
                call.answer(Ok(status(u64::MAX, None)));
            }
        }
        waiting.retain_mut(|job| poll(job).is_none());
        assert!(waiting.is_empty());
    }
    assert_eq!(asked, [0, 120, 120 + HOUR]);
    let first = &get_cycles_history(canister(0))[0];
    assert_eq!(first.at_seconds, START + 120);
}

/// What is limited is what is paid, not what is looked at.
#[test]
fn should_note_every_balance_that_it_reads_also_of_those_that_had_their_days_share() {
    governance();
    let low = canister(0);
    with_state(|state| {
        state.add_dao_canister(low).unwrap();
        let one_top_up_a_day = CyclesPolicy {
            low_balance_cycles: Nat::from(1_000u32),
            top_up_e8s: 1,
            canister_e8s_per_day: 1,
            total_e8s_per_day: 1,
        };
        state.set_cycles_policy(one_top_up_a_day.try_into().unwrap());
    });
    runtime::set_cycle_balance(5_000);
    dao_canisters::next_sweep_at(0);
    // The ledger does not answer what is begun.
    let mut waiting = Vec::new();
    for cycles in [999, 998] {
        waiting.extend(housekeep());
        for call in runtime::take_sent() {
            if call.method == "canister_status" {
                call.answer(Ok(status(cycles, None)));
            }
        }
        waiting.retain_mut(|job| poll(job).is_none());
        waiting.extend(run_jobs());
        set_time(now() + HOUR);
    }
    assert_eq!(
        with_state(|state| state.payments.len()),
        1,
        "its day's share is on its way, so nothing more is begun"
    );
    let told = |canister| {
        let samples = get_cycles_history(canister).into_iter();
        samples.map(|sample| sample.cycles).collect::<Vec<_>>()
    };
    assert_eq!(told(low), [Nat::from(999u32), Nat::from(998u32)]);
    assert_eq!(
        told(runtime::canister_self()),
        [Nat::from(5_000u32), Nat::from(5_000u32)]
    );
    runtime::set_cycle_balance(u128::MAX);
}
