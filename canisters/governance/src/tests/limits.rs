//! Caps, and that nothing outgrows them.

use super::*;

/// Statement 23.
#[test]
fn should_bound_open_proposals_and_make_room_at_their_deadline() {
    governance_with(NervousSystemParameters {
        max_number_of_proposals_with_ballots: Some(2),
        ..parameters()
    });
    let key = neuron(1, 1_000);
    neuron(2, 5_000);
    propose(1, key, motion());
    propose(1, key, motion());
    assert_eq!(
        error_of(command(user(1), key, motion())),
        ErrorType::ResourceExhausted
    );
    set_time(START + PERIOD);
    housekeep();
    propose(1, key, motion());
}

#[test]
fn should_drop_the_ballots_of_the_oldest_closed_proposals_and_keep_their_tally() {
    governance_with(NervousSystemParameters {
        max_number_of_proposals_with_ballots: Some(2),
        ..parameters()
    });
    let key = neuron(1, 1_000);
    for round in 1..=4 {
        propose(1, key, motion());
        set_time(START + round * PERIOD);
        housekeep();
    }
    with_state(|state| {
        let kept: Vec<u64> = state.ballots.keys().map(|(id, _)| id).collect();
        assert_eq!(kept, [3, 4]);
    });
    assert!(read(1).latest_tally.unwrap().yes > 0);
}

#[test]
fn should_drop_the_many_ballots_of_one_proposal_over_several_rounds() {
    governance_with(NervousSystemParameters {
        max_number_of_proposals_with_ballots: Some(1),
        ..parameters()
    });
    let key = neuron(1, 1_000);
    propose(1, key, motion());
    with_state(|state| {
        for number in 0..2_500u64 {
            let mut voter = [0; 32];
            voter[..8].copy_from_slice(&number.to_be_bytes());
            let ballot = crate::proposal::Cast {
                vote: Vote::Yes,
                voting_power: 1,
                at_seconds: START,
            };
            state.insert_ballot(1, voter, ballot);
        }
    });
    set_time(START + PERIOD);
    housekeep();
    propose(1, key, motion());
    set_time(START + 2 * PERIOD);
    // The first time there are two rounds: one closes the second proposal and begins, one goes on.
    for left in [502, 1, 1] {
        housekeep();
        with_state(|state| {
            assert_eq!(state.ballots.len(), left);
            assert_eq!(state.ballots_by_neuron.len(), left);
        });
    }
    assert_eq!(
        with_state(|state| state.ballots.first_key_value().unwrap().0.0),
        2
    );
}

#[test]
fn should_refuse_texts_motions_and_payloads_past_their_limits() {
    governance();
    let key = neuron(1, 1_000);
    let with = |change: fn(&mut Proposal)| {
        let Command::MakeProposal(mut proposal) = motion() else {
            panic!("a motion is a proposal");
        };
        change(&mut proposal);
        error_of(command(user(1), key, Command::MakeProposal(proposal)))
    };
    assert_eq!(
        with(|p| p.title = "x".repeat(257)),
        ErrorType::InvalidProposal
    );
    assert_eq!(
        with(|p| p.summary = "x".repeat(30_001)),
        ErrorType::InvalidProposal
    );
    assert_eq!(
        with(|p| p.url = "x".repeat(2_049)),
        ErrorType::InvalidProposal
    );
    assert_eq!(with(|p| p.action = None), ErrorType::InvalidCommand);
    assert_eq!(
        with(|p| {
            p.action = Some(Action::Motion(Motion {
                motion_text: "x".repeat(10_001),
            }))
        }),
        ErrorType::InvalidProposal
    );
    assert_eq!(
        error_of(command(user(1), key, execute_function(&[0; 65_537]))),
        ErrorType::InvalidProposal
    );
}

fn decoded(bytes: &[u8]) -> Result<ManageNeuron, candid::Error> {
    let mut config = candid::DecoderConfig::new();
    config
        .set_decoding_quota(crate::COMMAND_DECODING_QUOTA)
        .set_skipping_quota(crate::COMMAND_SKIPPING_QUOTA);
    candid::utils::decode_one_with_config(bytes, &config)
}

#[test]
fn should_decode_the_largest_command_within_its_quota() {
    let largest = ManageNeuron {
        subaccount: vec![1; 32],
        command: Some(Command::MakeProposal(Proposal {
            url: "x".repeat(2_048),
            title: "x".repeat(256),
            summary: "x".repeat(30_000),
            action: Some(Action::ExecuteGenericNervousSystemFunction(
                ExecuteGenericNervousSystemFunction {
                    function_id: FUNCTION,
                    payload: vec![1; 65_536],
                },
            )),
        })),
    };
    let bytes = Encode!(&largest).unwrap();
    governance();
    neuron(1, 1_000);
    assert!(crate::inspect::is_accepted(
        "manage_neuron",
        user(1),
        bytes.len()
    ));
    assert_eq!(decoded(&bytes).unwrap(), largest);
}

/// Statements 18 and 26.
#[test]
fn should_refuse_ingress_of_anonymous_strangers_at_length_and_to_unknown_methods() {
    governance();
    neuron(1, 1_000);
    let accepts = crate::inspect::is_accepted;
    let (holder, stranger, anonymous) = (user(1), user(2), Principal::anonymous());
    const KIB: usize = 1024;
    assert!(!accepts("manage_neuron", anonymous, 100));
    // Who has something at stake may propose; others may claim.
    assert!(accepts("manage_neuron", stranger, 16 * KIB));
    assert!(!accepts("manage_neuron", stranger, 16 * KIB + 1));
    assert!(accepts("manage_neuron", holder, 2 * KIB * KIB));
    assert!(!accepts("manage_neuron", holder, 2 * KIB * KIB + 1));
    assert!(accepts("get_neuron", anonymous, 100));
    assert!(!accepts("get_neuron", holder, 16 * KIB + 1));
    // Nobody but canisters calls these.
    for method in [
        "set_mode",
        "request_cycles",
        "register_dao_canister",
        "set_cycles_policy",
        "add_dao_canister",
        "remove_dao_canister",
        "c2c_upgrade_itself",
    ] {
        assert!(!accepts(method, holder, 0), "{method}");
    }
}

/// Statement 25; on every method of the real canister: `refusals.rs` of the scenarios.
#[test]
fn should_refuse_a_candid_bomb_before_it_costs_anything() {
    #[derive(CandidType)]
    struct Bomb {
        subaccount: Vec<u8>,
        command: Option<Command>,
        more: Vec<()>,
    }
    let bytes = Encode!(&Bomb {
        subaccount: vec![1; 32],
        command: None,
        more: vec![(); 1_000_000],
    })
    .unwrap();
    assert!(
        bytes.len() < 2_000,
        "a million elements in {} bytes",
        bytes.len()
    );
    assert!(decoded(&bytes).is_err());
}

#[test]
fn should_keep_few_past_states_of_a_neuron_that_changes_often() {
    governance();
    let key = neuron(1, 1_000);
    neuron(2, 5_000);
    for round in 0..50 {
        set_time(START + round * PERIOD);
        housekeep();
        propose(1, key, motion());
        propose(1, key, motion());
    }
    with_state(|state| assert!(state.history.len() <= 6, "{}", state.history.len()));
    check_invariants();
}

#[test]
fn should_write_no_past_state_while_no_proposal_is_open() {
    governance();
    let key = neuron(1, 1_000);
    for _ in 0..5 {
        delay(user(1), key, 1);
    }
    with_state(|state| assert!(state.history.is_empty()));
}

/// Statement 28.
#[test]
fn should_keep_everything_across_upgrades() {
    let stable = governance();
    let keys: Vec<_> = (1..=3).map(|id| neuron(id, 1_000)).collect();
    let id = propose(1, keys[0], motion());
    claim(user(2), 0, 9_000);
    let before = (read(id), read_neuron(keys[1]));
    upgrade(stable.clone());
    upgrade(stable);
    assert!(run_jobs().is_empty());
    assert_eq!((read(id), read_neuron(keys[1])), before);
    vote(2, keys[1], id, Vote::No);
    assert_eq!(read(id).latest_tally.unwrap().no, 1_100, "as of creation");
    check_invariants();
}

/// Statement 27.
#[test]
#[should_panic(expected = "stable memory has layout 0")]
fn should_refuse_an_upgrade_over_an_unknown_layout() {
    upgrade(DefaultMemoryImpl::default());
}

/// Statement 24.
#[test]
fn should_work_off_due_recounts_in_bounded_rounds() {
    governance_with(NervousSystemParameters {
        neuron_minimum_stake_e8s: Some(2),
        ..parameters()
    });
    for memo in 0..600u64 {
        let mut running = begin(user(1), [0; 32], claim_command(user(1), memo));
        assert!(poll(&mut running).is_none());
        reply(one_call("icrc1_balance_of"), Nat::from(1_000u64));
        assert!(poll(&mut running).is_some());
        delay(user(1), key_of(user(1), memo), MIN_DELAY as u32);
    }
    set_time(START + MAX_AGE);
    let key = key_of(user(1), 0);
    assert_eq!(
        error_of(command(user(1), key, motion())),
        ErrorType::ResourceExhausted
    );
    propose(1, key, motion());
    check_invariants();
}

/// Statement 27: an older canister refuses what a newer one has written, and the upgrade to
/// it is undone.
#[test]
#[should_panic(expected = "this code knows up to")]
fn should_refuse_a_downgrade_over_a_newer_layout() {
    let stable = governance();
    with_state(|state| state.layout_version.set(memory::LAYOUT_VERSION + 1));
    upgrade(stable);
}

/// Statement 27. (Of floats, statement 31, Clippy knows: `canisters/clippy.toml`.)
#[test]
fn should_have_no_pre_upgrade_in_its_code_and_that_of_the_standins() {
    fn sources(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in [
        "src",
        "api/src",
        "../standins/ledger/src",
        "../standins/cmc",
    ] {
        let before = found.len();
        sources(&root.join(folder), &mut found);
        assert!(found.len() > before, "{folder} has no sources");
    }
    // Put together here, or this file would have them.
    let word = ["pre", "_upgrade"].concat();
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        let has = text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|token| token == word);
        assert!(!has, "{word} in {}", path.display());
    }
}
