//! Stake leaves neurons: once, wherever it is interrupted.

use super::ledger_model::{FEE, Fate, LedgerModel, account_of, neuron_account};
use super::*;

pub fn disburse(amount: Option<u64>) -> Command {
    Command::Disburse(Disburse {
        to_account: None,
        amount: amount.map(|e8s| Amount { e8s }),
    })
}

pub fn split(memo: u64, amount_e8s: u64) -> Command {
    Command::Split(Split { memo, amount_e8s })
}

fn neurons() -> u64 {
    with_state(|state| state.neurons.len())
}

fn stake_of(key: NeuronKey) -> u64 {
    read_neuron(key).cached_neuron_stake_e8s
}

/// A dissolved neuron with this stake.
fn dissolved() -> (LedgerModel, NeuronKey) {
    governance();
    let mut ledger = LedgerModel::default();
    let key = ledger.stake(user(1), 0, 1_000);
    (ledger, key)
}

#[test]
fn should_disburse_all_less_the_fee_and_remove_the_neuron() {
    let (mut ledger, key) = dissolved();
    let response = ledger.command(user(1), key, disburse(None), &[]);
    assert_eq!(
        response,
        CommandResponse::Disburse(DisburseResponse {
            transfer_block_height: 1
        })
    );
    assert_eq!(ledger.balance(account_of(user(1))), 1_000 - FEE);
    assert_eq!(ledger.balance(neuron_account(key)), 0);
    assert_eq!(neurons(), 0, "an empty neuron takes no room");
    with_state(|state| assert!(state.neurons_by_principal.is_empty() && state.recounts.is_empty()));
    ledger.check_supply();
    check_invariants();
}

#[test]
fn should_disburse_a_part_to_another_account_and_keep_the_rest() {
    let (mut ledger, key) = dissolved();
    let to = Account {
        owner: Some(user(9)),
        subaccount: Some(Subaccount {
            subaccount: vec![7; 32],
        }),
    };
    let part = Command::Disburse(Disburse {
        to_account: Some(to),
        amount: Some(Amount { e8s: 400 }),
    });
    ledger.command(user(1), key, part, &[]);
    let mut account = account_of(user(9));
    account.subaccount = Some([7; 32]);
    assert_eq!(ledger.balance(account), 400 - FEE);
    assert_eq!(stake_of(key), 600);
    assert_eq!(ledger.balance(neuron_account(key)), 600);
    check_invariants();
}

#[test]
fn should_burn_the_costs_of_rejected_proposals_before_it_pays() {
    governance();
    let mut ledger = LedgerModel::default();
    let key = ledger.stake(user(1), 0, 1_000);
    ledger.stake(user(2), 0, 9_000);
    delay(user(1), key, MIN_DELAY as u32);
    delay(user(2), key_of(user(2), 0), MAX_DELAY as u32);
    let id = propose(1, key, motion());
    vote(2, key_of(user(2), 0), id, Vote::No);
    configure(user(1), key, Operation::StartDissolving {});
    set_time(START + MIN_DELAY);
    let response = ledger.command(user(1), key, disburse(None), &[]);
    assert!(
        matches!(response, CommandResponse::Disburse(_)),
        "{response:?}"
    );
    assert_eq!(ledger.burnt, REJECT_COST);
    assert_eq!(
        ledger.balance(account_of(user(1))),
        1_000 - REJECT_COST - FEE
    );
    ledger.check_supply();
    check_invariants();
}

#[test]
fn should_keep_the_cost_of_an_undecided_proposal_that_adoption_would_give_back() {
    governance();
    let mut ledger = LedgerModel::default();
    let key = ledger.stake(user(1), 0, 1_000);
    let whale = ledger.stake(user(2), 0, 9_000);
    delay(user(1), key, MIN_DELAY as u32);
    delay(user(2), whale, MAX_DELAY as u32);
    let id = propose(1, key, motion());
    configure(user(1), key, Operation::StartDissolving {});
    set_time(START + MIN_DELAY);
    ledger.command(user(1), key, disburse(None), &[]);
    assert_eq!(ledger.burnt, 0);
    assert_eq!(stake_of(key), REJECT_COST, "what may come back is there");
    vote(2, whale, id, Vote::Yes);
    assert_eq!(read_neuron(key).neuron_fees_e8s, 0);
    ledger.command(user(1), key, disburse(None), &[]);
    assert_eq!(ledger.balance(account_of(user(1))), 1_000 - 2 * FEE);
    ledger.check_supply();
    check_invariants();
}

#[test]
fn should_refuse_to_disburse_what_is_not_dissolved_or_not_more_than_the_fee() {
    let (mut ledger, key) = dissolved();
    assert_eq!(
        error_of(ledger.command(user(1), key, disburse(Some(FEE)), &[])),
        ErrorType::InsufficientFunds
    );
    assert_eq!(
        error_of(ledger.command(user(2), key, disburse(None), &[])),
        ErrorType::NotAuthorized
    );
    delay(user(1), key, 50);
    assert_eq!(
        error_of(ledger.command(user(1), key, disburse(None), &[])),
        ErrorType::RequiresDissolved
    );
    assert_eq!(ledger.blocks, 0);
    assert_eq!(stake_of(key), 1_000);
}

#[test]
fn should_write_the_journal_and_lower_the_balance_before_the_ledger_is_asked() {
    let (_, key) = dissolved();
    let mut running = begin(user(1), key, disburse(Some(400)));
    assert!(poll(&mut running).is_none());
    let _call = one_call("icrc1_transfer");
    assert_eq!(stake_of(key), 600);
    with_state(|state| {
        let movement = state.movements.get(&key).unwrap().0;
        assert_eq!(movement.legs[0].asked, 1);
        assert_eq!(movement.legs[0].cost_e8s(), 400);
    });
}

#[test]
fn should_give_back_only_on_a_definite_refusal() {
    let (mut ledger, key) = dissolved();
    let refused = ledger.command(user(1), key, disburse(Some(400)), &[Fate::Undelivered]);
    assert_eq!(error_of(refused), ErrorType::External);
    assert_eq!(stake_of(key), 1_000);
    with_state(|state| assert!(state.movements.is_empty()));
    let unknown = ledger.command(user(1), key, disburse(Some(400)), &[Fate::Vanished]);
    assert_eq!(error_of(unknown), ErrorType::External);
    assert_eq!(stake_of(key), 600, "unknown is not failed");
    // A refusal of the repetition says nothing about the first request.
    ledger.housekeep(Fate::Undelivered);
    assert_eq!(stake_of(key), 600);
    with_state(|state| assert_eq!(state.movements.len(), 1));
    check_invariants();
}

#[test]
fn should_repeat_the_same_transfer_after_a_lost_answer_and_pay_once() {
    let (mut ledger, key) = dissolved();
    let unknown = ledger.command(user(1), key, disburse(Some(400)), &[Fate::AnswerLost]);
    assert_eq!(error_of(unknown), ErrorType::External);
    for _ in 0..3 {
        ledger.housekeep(Fate::Answered);
    }
    assert_eq!(ledger.blocks, 1);
    assert_eq!(ledger.balance(account_of(user(1))), 400 - FEE);
    assert_eq!(stake_of(key), 600);
    with_state(|state| assert!(state.movements.is_empty()));
}

#[test]
fn should_lose_and_repeat_nothing_when_upgraded_in_the_middle_of_a_disburse() {
    for fate in [Fate::AnswerLost, Fate::Vanished] {
        let stable = governance();
        let mut ledger = LedgerModel::default();
        let key = ledger.stake(user(1), 0, 1_000);
        let mut running = begin(user(1), key, disburse(None));
        assert!(poll(&mut running).is_none());
        ledger.meet(one_call("icrc1_transfer"), fate);
        drop(running);
        upgrade(stable.clone());
        assert_eq!(
            error_of(ledger.command(user(1), key, disburse(None), &[])),
            ErrorType::NeuronLocked
        );
        ledger.housekeep(Fate::Answered);
        assert_eq!(ledger.blocks, 1, "{fate:?}");
        assert_eq!(ledger.balance(account_of(user(1))), 1_000 - FEE);
        assert_eq!(neurons(), 0);
        ledger.check_supply();
        check_invariants();
    }
}

#[test]
fn should_settle_a_movement_whose_callback_trapped() {
    let (mut ledger, key) = dissolved();
    let mut running = begin(user(1), key, disburse(None));
    assert!(poll(&mut running).is_none());
    ledger.meet(one_call("icrc1_transfer"), Fate::Answered);
    // The platform drops the future of a callback that trapped; its lock goes with it.
    drop(running);
    ledger.housekeep(Fate::Answered);
    assert_eq!(ledger.blocks, 1);
    assert_eq!(neurons(), 0);
}

#[test]
fn should_not_repeat_past_the_ledgers_window_without_its_blocks() {
    let (mut ledger, key) = dissolved();
    ledger.command(user(1), key, disburse(Some(400)), &[Fate::AnswerLost]);
    set_time(START + 25 * 60 * 60);
    let mut jobs: Vec<Job> = vec![Box::pin(crate::housekeeping::run())];
    while let Some(mut job) = jobs.pop() {
        let _done = poll(&mut job);
        jobs.extend(runtime::take_jobs());
    }
    assert!(
        runtime::take_sent()
            .iter()
            .all(|call| call.method != "icrc1_transfer"),
        "a repetition could pay twice"
    );
    assert_eq!(ledger.blocks, 1);
    assert_eq!(stake_of(key), 600);
}

#[test]
fn should_learn_from_the_ledgers_blocks_what_became_of_an_old_transfer() {
    for (fate, others) in [
        (Fate::AnswerLost, 0),
        (Fate::AnswerLost, 120),
        (Fate::Vanished, 0),
        (Fate::Vanished, 120),
    ] {
        let stable = governance();
        let mut ledger = LedgerModel::default();
        let key = ledger.stake(user(1), 0, 1_000);
        for memo in 0..others {
            ledger.note_strangers_block(memo);
        }
        ledger.command(user(1), key, disburse(Some(400)), &[fate]);
        set_time(START + 60);
        for memo in 0..others {
            ledger.note_strangers_block(memo);
        }
        set_time(START + 25 * 60 * 60);
        upgrade(stable);
        ledger.housekeep(Fate::Answered);
        with_state(|state| assert!(state.movements.is_empty(), "{fate:?}"));
        let (paid, left) = match fate {
            Fate::AnswerLost => (400 - FEE, 600),
            _ => (0, 1_000),
        };
        assert_eq!(ledger.balance(account_of(user(1))), paid);
        assert_eq!(stake_of(key), left, "{fate:?}");
        ledger.check_supply();
        check_invariants();
    }
}

#[test]
fn should_take_two_like_disbursements_of_one_round_for_two() {
    let (mut ledger, key) = dissolved();
    for _ in 0..2 {
        let response = ledger.command(user(1), key, disburse(Some(300)), &[]);
        assert!(matches!(response, CommandResponse::Disburse(_)));
    }
    assert_eq!(ledger.balance(account_of(user(1))), 2 * (300 - FEE));
    assert_eq!(stake_of(key), 400);
}

#[test]
fn should_not_count_an_account_while_a_transfer_of_it_is_open() {
    let (mut ledger, key) = dissolved();
    ledger.command(user(1), key, disburse(Some(400)), &[Fate::Vanished]);
    let refreshed = ledger.command(user(1), [0; 32], claim_command(user(1), 0), &[]);
    assert_eq!(error_of(refreshed), ErrorType::NeuronLocked);
    assert_eq!(
        error_of(ledger.command(user(1), key, disburse(None), &[])),
        ErrorType::NeuronLocked
    );
    ledger.housekeep(Fate::Answered);
    assert_eq!(stake_of(key), 600);
    ledger.command(user(1), [0; 32], claim_command(user(1), 0), &[]);
    assert_eq!(stake_of(key), 600, "it counts what is there");
}

#[test]
fn should_disburse_once_when_two_calls_race() {
    let (mut ledger, key) = dissolved();
    let mut first = begin(user(1), key, disburse(None));
    assert!(poll(&mut first).is_none());
    assert_eq!(
        error_of(command(user(1), key, disburse(None))),
        ErrorType::NeuronLocked
    );
    ledger.meet(one_call("icrc1_transfer"), Fate::Answered);
    assert!(poll(&mut first).is_some());
    assert_eq!(ledger.blocks, 1);
}

#[test]
fn should_split_into_a_neuron_with_the_same_times_people_and_followees() {
    governance();
    let mut ledger = LedgerModel::default();
    let key = ledger.stake(user(1), 0, 1_000);
    delay(user(1), key, 500);
    set_time(START + 50);
    command(
        user(1),
        key,
        Command::Follow(Follow {
            function_id: 0,
            followees: vec![[9; 32].into()],
        }),
    );
    let response = ledger.command(user(1), key, split(7, 400), &[]);
    let child = key_of(user(1), 7);
    assert_eq!(
        response,
        CommandResponse::Split(SplitResponse {
            created_neuron_id: Some(child.into())
        })
    );
    let (parent, made) = (read_neuron(key), read_neuron(child));
    assert_eq!(parent.cached_neuron_stake_e8s, 600);
    assert_eq!(made.cached_neuron_stake_e8s, 400 - FEE);
    assert_eq!(ledger.balance(neuron_account(child)), 400 - FEE);
    assert_eq!(made.permissions, parent.permissions);
    assert_eq!(made.dissolve_state, parent.dissolve_state);
    assert_eq!(made.followees, parent.followees);
    assert_eq!(
        made.aging_since_timestamp_seconds,
        parent.aging_since_timestamp_seconds
    );
    ledger.check_supply();
    check_invariants();
}

#[test]
fn should_refuse_a_split_that_is_too_small_or_leaves_too_little_or_takes_a_taken_id() {
    governance();
    let mut ledger = LedgerModel::default();
    let key = ledger.stake(user(1), 0, 500);
    ledger.stake(user(1), 1, 500);
    let mut refused =
        |memo, amount| error_of(ledger.command(user(1), key, split(memo, amount), &[]));
    assert_eq!(refused(2, MIN_STAKE), ErrorType::InsufficientFunds);
    assert_eq!(refused(2, 401), ErrorType::InsufficientFunds);
    assert_eq!(refused(2, u64::MAX), ErrorType::InsufficientFunds);
    assert_eq!(refused(1, 200), ErrorType::PreconditionFailed);
    assert_eq!(refused(0, 200), ErrorType::PreconditionFailed);
    assert_eq!(ledger.blocks, 0);
}

#[test]
fn should_keep_the_id_of_a_split_that_is_open_and_finish_it() {
    for fate in [Fate::AnswerLost, Fate::Vanished] {
        let stable = governance();
        let mut ledger = LedgerModel::default();
        let key = ledger.stake(user(1), 0, 1_000);
        let unknown = ledger.command(user(1), key, split(7, 400), &[fate]);
        assert_eq!(error_of(unknown), ErrorType::External);
        let child = key_of(user(1), 7);
        with_state(|state| assert!(crate::split::is_arriving(state, &child)));
        assert_eq!(
            error_of(ledger.command(user(1), [0; 32], claim_command(user(1), 7), &[])),
            ErrorType::NeuronLocked
        );
        upgrade(stable);
        ledger.housekeep(Fate::Answered);
        assert_eq!(stake_of(key), 600);
        assert_eq!(stake_of(child), 400 - FEE);
        assert_eq!(ledger.blocks, 1);
        with_state(|state| assert!(state.movements.is_empty()));
        check_invariants();
    }
}

#[test]
fn should_undo_a_split_that_the_ledger_refuses() {
    governance();
    let mut ledger = LedgerModel::default();
    let key = ledger.stake(user(1), 0, 1_000);
    let refused = ledger.command(user(1), key, split(7, 400), &[Fate::Undelivered]);
    assert_eq!(error_of(refused), ErrorType::External);
    assert_eq!(stake_of(key), 1_000);
    assert_eq!(neurons(), 1);
    with_state(|state| assert!(state.movements.is_empty()));
    check_invariants();
}

/// Statement 10: stake that moves to another neuron after a proposal was made votes on
/// it where it lay, and nowhere else.
#[test]
fn should_not_let_moved_stake_vote_twice_on_a_proposal() {
    governance();
    let mut ledger = LedgerModel::default();
    let key = ledger.stake(user(1), 0, 1_000);
    delay(user(1), key, MIN_DELAY as u32);
    let other = ledger.stake(user(2), 0, 5_000);
    delay(user(2), other, MIN_DELAY as u32);
    let id = propose(2, other, motion());
    ledger.command(user(1), key, split(7, 400), &[]);
    let child = key_of(user(1), 7);
    vote(1, key, id, Vote::No);
    assert_eq!(
        error_of(vote(1, child, id, Vote::No)),
        ErrorType::NotAuthorized
    );
    assert_eq!(read(id).latest_tally.unwrap().no, 1_100, "as it lay");
    // On the next one both vote, with what each has.
    let next = propose(2, other, motion());
    vote(1, key, next, Vote::No);
    vote(1, child, next, Vote::No);
    assert_eq!(read(next).latest_tally.unwrap().no, 660 + 438);
    // And out of a dissolved neuron into a new one of somebody else's.
    configure(user(1), child, Operation::StartDissolving {});
    set_time(now() + MIN_DELAY);
    let third = propose(2, other, motion());
    ledger.command(user(1), child, disburse(None), &[]);
    let late = ledger.stake(user(3), 0, 399);
    delay(user(3), late, MIN_DELAY as u32);
    assert_eq!(
        error_of(vote(3, late, third, Vote::No)),
        ErrorType::NotAuthorized
    );
    check_invariants();
}

#[test]
fn should_mint_maturity_once_and_give_it_back_where_that_is_refused() {
    let (mut ledger, key) = dissolved();
    with_state(|state| {
        state
            .change_neuron(&key, now(), |neuron| {
                neuron.maturity.add(500);
                Ok(())
            })
            .unwrap()
    });
    let half = || {
        Command::DisburseMaturity(DisburseMaturity {
            to_account: None,
            percentage_to_disburse: 50,
        })
    };
    let refused = ledger.command(user(1), key, half(), &[Fate::Answered, Fate::Undelivered]);
    assert_eq!(error_of(refused), ErrorType::External);
    assert_eq!(read_neuron(key).maturity_e8s_equivalent, 500);
    let lost = ledger.command(user(1), key, half(), &[Fate::Answered, Fate::AnswerLost]);
    assert_eq!(error_of(lost), ErrorType::External);
    let shown = read_neuron(key);
    assert_eq!(shown.maturity_e8s_equivalent, 250);
    assert_eq!(shown.disburse_maturity_in_progress[0].amount_e8s, 250);
    ledger.housekeep(Fate::Answered);
    assert_eq!(ledger.minted, 250);
    assert_eq!(ledger.balance(account_of(user(1))), 250);
    let done = ledger.command(user(1), key, half(), &[]);
    assert_eq!(
        done,
        CommandResponse::DisburseMaturity(DisburseMaturityResponse {
            amount_disbursed_e8s: 125,
            amount_deducted_e8s: Some(125),
        })
    );
    assert_eq!(ledger.minted, 375);
    ledger.check_supply();
}

#[test]
fn should_not_spend_where_governance_does_not_mint() {
    let (_, key) = dissolved();
    with_state(|state| {
        state
            .change_neuron(&key, now(), |neuron| {
                neuron.maturity.add(500);
                Ok(())
            })
            .unwrap()
    });
    let mut running = begin(
        user(1),
        key,
        Command::DisburseMaturity(DisburseMaturity {
            to_account: None,
            percentage_to_disburse: 100,
        }),
    );
    assert!(poll(&mut running).is_none());
    reply(one_call("icrc1_minting_account"), Some(account_of(user(8))));
    assert_eq!(
        error_of(poll(&mut running).unwrap()),
        ErrorType::PreconditionFailed
    );
    assert!(runtime::take_sent().is_empty());
    assert_eq!(read_neuron(key).maturity_e8s_equivalent, 500);
}

#[test]
fn should_count_staked_maturity_as_stake_until_the_neuron_is_dissolved() {
    governance();
    let mut ledger = LedgerModel::default();
    let key = ledger.stake(user(1), 0, 1_000);
    delay(user(1), key, MIN_DELAY as u32);
    with_state(|state| {
        state
            .change_neuron(&key, now(), |neuron| {
                neuron.maturity.add(500);
                Ok(())
            })
            .unwrap()
    });
    let stake = |percentage| {
        command(
            user(1),
            key,
            Command::StakeMaturity(StakeMaturity {
                percentage_to_stake: Some(percentage),
            }),
        )
    };
    assert_eq!(error_of(stake(0)), ErrorType::InvalidCommand);
    assert_eq!(error_of(stake(101)), ErrorType::InvalidCommand);
    assert_eq!(
        stake(40),
        CommandResponse::StakeMaturity(StakeMaturityResponse {
            maturity_e8s: 300,
            staked_maturity_e8s: 200,
        })
    );
    assert_eq!(
        with_state(|state| state.total_voting_power(now())),
        Ok(1_320)
    );
    configure(user(1), key, Operation::StartDissolving {});
    set_time(START + MIN_DELAY);
    let all = Command::DisburseMaturity(DisburseMaturity {
        to_account: None,
        percentage_to_disburse: 100,
    });
    ledger.command(user(1), key, all, &[]);
    assert_eq!(ledger.minted, 500, "what was staked is free again");
    check_invariants();
}
