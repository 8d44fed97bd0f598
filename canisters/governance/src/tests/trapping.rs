//! Statements 1, 2 and 14: a trap after any await of a top-up, and the books agree. A
//! callback that traps changes nothing and is dropped, so a test drops it before it runs.

use icrc_ledger_types::icrc1::transfer::TransferError;
use stoa_cmc_api::{NotifyTopUpArg, NotifyTopUpResult};

use super::*;
use crate::dao_canisters;
use crate::payment::Stage;

const AMOUNT: u64 = 5_000;
const CYCLES: u64 = 77;

fn child() -> Principal {
    Principal::from_slice(&[91])
}

/// Ledger, minting canister and management canister, as they remember what they did.
#[derive(Default)]
struct Others {
    calls: usize,
    paid: Vec<Vec<u8>>,
    credited: Vec<u64>,
}

impl Others {
    fn meet(&mut self, call: SentCall) {
        self.calls += 1;
        match call.method.as_str() {
            "canister_status" => call.answer(Ok(status(1, None))),
            "icrc1_transfer" => {
                let known = self.paid.iter().position(|args| *args == call.arguments);
                let answer = match known {
                    Some(block) => Err(TransferError::Duplicate {
                        duplicate_of: block.into(),
                    }),
                    None => {
                        self.paid.push(call.arguments.clone());
                        Ok(Nat::from(self.paid.len() - 1))
                    }
                };
                reply(call, answer);
            }
            "notify_top_up" => {
                let asked: NotifyTopUpArg = candid::decode_one(&call.arguments).unwrap();
                if !self.credited.contains(&asked.block_index) {
                    self.credited.push(asked.block_index);
                }
                reply::<NotifyTopUpResult>(call, Ok(Nat::from(CYCLES)));
            }
            other => panic!("nobody answers {other}"),
        }
    }

    /// Until nothing happens any more. The callback of the call with this number traps.
    fn run_to_rest(&mut self, trap_at: usize) {
        let request = dao_canisters::request_cycles(child());
        let mut jobs: Vec<Job> = vec![Box::pin(async {
            let _begun_or_refused = request.await;
        })];
        for _ in 0..10 {
            loop {
                jobs.retain_mut(|job| poll(job).is_none());
                jobs.extend(runtime::take_jobs());
                let sent = runtime::take_sent();
                if sent.is_empty() && jobs.is_empty() {
                    break;
                }
                for call in sent {
                    let number = self.calls;
                    self.meet(call);
                    if number == trap_at {
                        jobs.clear();
                    }
                }
            }
            set_time(now() + 100);
            jobs.push(Box::pin(crate::housekeeping::run()));
        }
    }
}

#[test]
fn should_end_a_top_up_in_one_outcome_wherever_a_callback_traps() {
    for trap_at in 0..4 {
        governance();
        dao_canisters::next_sweep_at(u64::MAX);
        with_state(|state| {
            state.add_dao_canister(child()).unwrap();
            let policy = CyclesPolicy {
                low_balance_cycles: Nat::from(1_000u32),
                top_up_e8s: AMOUNT,
                canister_e8s_per_day: AMOUNT,
                total_e8s_per_day: AMOUNT,
            };
            state.set_cycles_policy(policy.try_into().unwrap());
        });
        let mut others = Others::default();
        others.run_to_rest(trap_at);
        if trap_at == 0 {
            // Nothing had begun; the canister asks again, and no lock is in its way.
            assert!(others.paid.is_empty());
            others.run_to_rest(usize::MAX);
        }
        assert_eq!(others.paid.len(), 1, "trap after call {trap_at}");
        assert_eq!(others.credited, [0], "trap after call {trap_at}");
        with_state(|state| {
            assert!(state.open_payments.is_empty());
            let stage = state.payments.get(&0).unwrap().0.stage;
            assert!(
                matches!(stage, Stage::Credited { cycles, .. } if cycles == u128::from(CYCLES))
            );
            assert_eq!(state.payments.len(), 1);
        });
        assert_eq!(runtime::calls_in_flight(), 0);
        // The day's limit counts it once.
        let refused = poll(&mut (Box::pin(dao_canisters::request_cycles(child())) as Running<_>));
        assert_eq!(
            refused.unwrap(),
            Err(RequestCyclesError::LimitReached {
                spent_e8s: AMOUNT,
                limit_e8s: AMOUNT
            })
        );
    }
}
