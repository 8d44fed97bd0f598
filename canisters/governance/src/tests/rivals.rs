//! Two commands of one caller on one neuron, interleaved in every order that there is.
//! Statements 5 and 6: neither is carried out twice, and what was checked before an answer
//! came is checked after it.

use super::ledger_model::{FEE, Fate, LedgerModel, account_of, neuron_account};
use super::moving::{disburse, split};
use super::*;

/// More answers than any command waits for.
const STEPS_MAX: usize = 5;
const STAKE: u64 = 1_000;
const MATURITY: u64 = 500;

/// A command under way, and the call that it waits for.
struct Rival {
    running: Option<Running<CommandResponse>>,
    call: Option<SentCall>,
    response: Option<CommandResponse>,
}

impl Rival {
    fn new(key: NeuronKey, command: Command) -> Self {
        Self {
            running: Some(begin(user(1), key, command)),
            call: None,
            response: None,
        }
    }

    /// Its call is answered, and it goes on to the next.
    fn step(&mut self, ledger: &mut LedgerModel) {
        let Some(running) = &mut self.running else {
            return;
        };
        match self.call.take() {
            Some(call) if call.canister == target() => {
                reply(call, Ok::<String, String>("rendered".to_string()))
            }
            Some(call) => ledger.meet(call, Fate::Answered),
            None => {}
        }
        if let Some(response) = poll(running) {
            self.response = Some(response);
            self.running = None;
        }
        let mut sent = runtime::take_sent();
        assert!(sent.len() <= 1, "one call at a time");
        self.call = sent.pop();
    }

    fn is_over(&self) -> bool {
        self.running.is_none()
    }
}

fn commands() -> Vec<Command> {
    let half_of_the_maturity = Command::DisburseMaturity(DisburseMaturity {
        to_account: None,
        percentage_to_disburse: 50,
    });
    vec![
        disburse(None),
        disburse(Some(700)),
        split(1, 600),
        claim_command(user(1), 0),
        half_of_the_maturity,
        execute_function(b"DIDL\0\0"),
    ]
}

/// A neuron that can be disbursed, or one that can propose.
fn prepared(is_dissolved: bool) -> (LedgerModel, NeuronKey) {
    governance();
    let mut ledger = LedgerModel::default();
    let key = ledger.stake(user(1), 0, STAKE);
    if !is_dissolved {
        delay(user(1), key, MIN_DELAY as u32);
        // Nothing is adopted by the first alone.
        neuron(2, 50_000);
    }
    // Deposited and not counted.
    ledger.issue(neuron_account(key), 50);
    with_state(|state| {
        state.change_neuron(&key, now(), |neuron| {
            neuron.maturity.add(MATURITY);
            Ok(())
        })
    })
    .unwrap();
    (ledger, key)
}

fn check_at_rest(ledger: &mut LedgerModel, responses: &[&CommandResponse], what: &str) {
    for _ in 0..3 {
        ledger.housekeep(Fate::Answered);
    }
    ledger.check_supply();
    check_invariants();
    with_state(|state| {
        assert!(state.movements.is_empty(), "{what}: every movement ends");
        let mut maturity = 0;
        for memo in 0..2 {
            let key = key_of(user(1), memo);
            let held = ledger.balance(neuron_account(key));
            let neuron = state.neuron(&key).ok();
            let stake = neuron.as_ref().map_or(0, |neuron| neuron.stake_e8s);
            maturity += neuron.map_or(0, |neuron| neuron.maturity.total_e8s());
            // The deposit may still wait to be counted.
            assert!(
                held == stake || held == stake + 50,
                "{what}: neuron {memo} has {stake}, its account {held}"
            );
        }
        assert_eq!(maturity + ledger.minted, MATURITY, "{what}");
    });
    let made = |wanted: fn(&CommandResponse) -> bool| {
        responses.iter().filter(|response| wanted(response)).count() as u64
    };
    let proposals = made(|response| matches!(response, CommandResponse::MakeProposal(_)));
    assert_eq!(with_state(|state| state.newest_proposal()), proposals);
    let splits = made(|response| matches!(response, CommandResponse::Split(_)));
    let disbursed = made(|response| matches!(response, CommandResponse::Disburse(_)));
    assert_eq!(ledger.fees, (splits + disbursed) * FEE, "{what}: once each");
    let of_stake = ledger.balance(account_of(user(1))) - ledger.minted;
    assert!(of_stake <= STAKE + 50, "{what}: paid more than there was");
}

#[test]
fn should_carry_out_each_of_two_rival_commands_once_in_every_order() {
    let mut orders = 0;
    for (first, one) in commands().iter().enumerate() {
        for other in &commands()[first..] {
            // A dissolved neuron cannot propose.
            let proposes = |command: &Command| matches!(command, Command::MakeProposal(_));
            let is_dissolved = !proposes(one) && !proposes(other);
            // A bit says whose turn it is; where the order is over sooner, the rest of the bits change nothing.
            let mut seen = std::collections::BTreeSet::new();
            for bits in 0..1u32 << (2 * STEPS_MAX) {
                if bits.count_ones() as usize != STEPS_MAX {
                    continue;
                }
                // Without running it: equal prefixes that were seen to end need no second run.
                if seen
                    .iter()
                    .any(|(prefix, length): &(u32, u32)| bits & ((1 << length) - 1) == *prefix)
                {
                    continue;
                }
                let (mut ledger, key) = prepared(is_dissolved);
                let mut rivals = [Rival::new(key, one.clone()), Rival::new(key, other.clone())];
                let mut length = 0;
                while rivals.iter().any(|rival| !rival.is_over()) {
                    let whose = (bits >> length & 1) as usize;
                    rivals[whose].step(&mut ledger);
                    length += 1;
                    assert!(
                        length <= 2 * STEPS_MAX as u32,
                        "{one:?} waits for too many answers"
                    );
                }
                seen.insert((bits & ((1 << length) - 1), length));
                orders += 1;
                let what = format!("{one:?} and {other:?} in the order {bits:b}");
                let responses: Vec<&CommandResponse> = rivals
                    .iter()
                    .map(|rival| rival.response.as_ref().unwrap())
                    .collect();
                check_at_rest(&mut ledger, &responses, &what);
            }
        }
    }
    assert!(orders > 40, "{orders} orders");
}
