//! The ledger, governance and whoever else the registry calls, following their rules in plain maps; and what a network does to
//! calls: an answer that is lost after the work was done, a request that never arrives.

use std::collections::{BTreeMap, VecDeque};

use candid::{CandidType, Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::{TransferArg, TransferError};
use icrc_ledger_types::icrc2::transfer_from::{TransferFromArgs, TransferFromError};
use stoa_registry_api::AdmitVersionArgs;
use stoa_types::Sha256;

use super::{GOVERNANCE, LEDGER};
use crate::proposals::{Action, ExecuteFunction, Percentage, Proposal, ProposalData, Tally};
use crate::runtime::CallFailure;

const WINDOW_NANOS: u64 = 24 * 3_600 * 1_000_000_000;

/// What happens to one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Answered,
    /// Executed, and nobody hears of it.
    AnswerLost,
    /// Never executed, and nobody knows.
    RequestLost,
    /// The system says that it was not delivered.
    NotDelivered,
}

#[derive(Default)]
pub struct Services {
    /// Of the calls to come, in order; answered where there is none.
    pub fates: VecDeque<Fate>,
    pub ledger: TestLedger,
    pub proposals: BTreeMap<u64, ProposalData>,
    /// Method and callee of every call but those to ledger and governance.
    pub heard: Vec<(Principal, String)>,
    /// Who answers with an error.
    pub refusing: Vec<Principal>,
}

#[derive(Default)]
pub struct TestLedger {
    pub balances: BTreeMap<Account, u64>,
    pub allowances: BTreeMap<Principal, u64>,
    pub fee_e8s: u64,
    /// Arguments and times of what was executed, with the block.
    done: BTreeMap<Vec<u8>, (u64, u64)>,
    pub blocks: u64,
}

impl Services {
    pub fn answer(
        &mut self,
        now_nanos: u64,
        callee: Principal,
        method: &str,
        argument: &[u8],
    ) -> Result<Vec<u8>, CallFailure> {
        let fate = self.fates.pop_front().unwrap_or(Fate::Answered);
        let lost = CallFailure {
            is_unknown: fate != Fate::NotDelivered,
            message: format!("{fate:?}"),
        };
        if matches!(fate, Fate::RequestLost | Fate::NotDelivered) {
            return Err(lost);
        }
        let answer = self.execute(now_nanos, callee, method, argument)?;
        match fate {
            Fate::Answered => Ok(answer),
            _ => Err(lost),
        }
    }

    fn execute(
        &mut self,
        now_nanos: u64,
        callee: Principal,
        method: &str,
        argument: &[u8],
    ) -> Result<Vec<u8>, CallFailure> {
        if callee == LEDGER {
            return Ok(self.ledger.execute(now_nanos, method, argument));
        }
        if callee == GOVERNANCE && method == "get_proposal" {
            return Ok(self.get_proposal(argument));
        }
        self.heard.push((callee, method.to_owned()));
        if self.refusing.contains(&callee) {
            return Err(CallFailure {
                is_unknown: true,
                message: "it traps".to_owned(),
            });
        }
        Ok(match method {
            "c2c_release" => candid::encode_one(Ok::<(), ()>(())).unwrap(),
            _ => candid::encode_args(()).unwrap(),
        })
    }

    fn get_proposal(&self, argument: &[u8]) -> Vec<u8> {
        #[derive(CandidType, serde::Deserialize)]
        struct ProposalId {
            id: u64,
        }
        #[derive(CandidType, serde::Deserialize)]
        struct GetProposal {
            proposal_id: Option<ProposalId>,
        }
        #[derive(CandidType)]
        struct GovernanceError {
            error_message: String,
            error_type: i32,
        }
        #[derive(CandidType)]
        enum Found {
            Error(GovernanceError),
            Proposal(ProposalData),
        }
        #[derive(CandidType)]
        struct Response {
            result: Option<Found>,
        }
        let asked: GetProposal = candid::decode_one(argument).unwrap();
        let found = self.proposals.get(&asked.proposal_id.unwrap().id).cloned();
        let result = Some(found.map_or(
            Found::Error(GovernanceError {
                error_message: "no such proposal".to_owned(),
                error_type: 5,
            }),
            Found::Proposal,
        ));
        candid::encode_one(Response { result }).unwrap()
    }

    /// A proposal to admit a version, open.
    pub fn propose(&mut self, id: u64, version: Sha256) {
        let payload = candid::encode_one(AdmitVersionArgs { version }).unwrap();
        let data = ProposalData {
            proposal: Some(Proposal {
                action: Some(Action::ExecuteGenericNervousSystemFunction(
                    ExecuteFunction {
                        function_id: 1_000,
                        payload,
                    },
                )),
            }),
            decided_timestamp_seconds: 0,
            executed_timestamp_seconds: 0,
            failed_timestamp_seconds: 0,
            latest_tally: Some(Tally {
                yes: 1,
                no: 0,
                total: 100,
            }),
            minimum_yes_proportion_of_total: Some(Percentage {
                basis_points: Some(300),
            }),
            minimum_yes_proportion_of_exercised: Some(Percentage {
                basis_points: Some(5_000),
            }),
        };
        self.proposals.insert(id, data);
    }

    pub fn reject(&mut self, id: u64) {
        let data = self.proposals.get_mut(&id).unwrap();
        data.decided_timestamp_seconds = 1;
        data.latest_tally = Some(Tally {
            yes: 1,
            no: 50,
            total: 100,
        });
    }
}

impl TestLedger {
    pub fn balance(&self, account: Account) -> u64 {
        self.balances.get(&account).copied().unwrap_or(0)
    }

    pub fn total(&self) -> u64 {
        self.balances.values().sum()
    }

    fn execute(&mut self, now_nanos: u64, method: &str, argument: &[u8]) -> Vec<u8> {
        match method {
            "icrc1_balance_of" => {
                let account: Account = candid::decode_one(argument).unwrap();
                candid::encode_one(Nat::from(self.balance(account))).unwrap()
            }
            "icrc2_transfer_from" => {
                let args: TransferFromArgs = candid::decode_one(argument).unwrap();
                candid::encode_one(self.transfer_from(now_nanos, argument, args)).unwrap()
            }
            "icrc1_transfer" => {
                let args: TransferArg = candid::decode_one(argument).unwrap();
                candid::encode_one(self.transfer(now_nanos, argument, args)).unwrap()
            }
            other => panic!("the registry called {other} of the ledger"),
        }
    }

    /// As the ledger does it: fee, window, duplicates, allowance, funds.
    fn transfer_from(
        &mut self,
        now_nanos: u64,
        bytes: &[u8],
        args: TransferFromArgs,
    ) -> Result<Nat, TransferFromError> {
        let expected_fee = Nat::from(self.fee_e8s);
        if args.fee != Some(expected_fee.clone()) {
            return Err(TransferFromError::BadFee { expected_fee });
        }
        if now_nanos - args.created_at_time.unwrap() > WINDOW_NANOS {
            return Err(TransferFromError::TooOld);
        }
        if let Some((block, _)) = self.done.get(bytes) {
            let duplicate_of = Nat::from(*block);
            return Err(TransferFromError::Duplicate { duplicate_of });
        }
        let amount = u64::try_from(&args.amount.0).unwrap();
        let cost = amount + self.fee_e8s;
        let allowance = self.allowances.get(&args.from.owner).copied().unwrap_or(0);
        if allowance < cost {
            return Err(TransferFromError::InsufficientAllowance {
                allowance: Nat::from(allowance),
            });
        }
        let balance = self.balance(args.from);
        if balance < cost {
            return Err(TransferFromError::InsufficientFunds {
                balance: Nat::from(balance),
            });
        }
        self.allowances.insert(args.from.owner, allowance - cost);
        Ok(self.move_money(now_nanos, bytes, args.from, args.to, amount))
    }

    fn transfer(
        &mut self,
        now_nanos: u64,
        bytes: &[u8],
        args: TransferArg,
    ) -> Result<Nat, TransferError> {
        let expected_fee = Nat::from(self.fee_e8s);
        if args.fee != Some(expected_fee.clone()) {
            return Err(TransferError::BadFee { expected_fee });
        }
        if now_nanos - args.created_at_time.unwrap() > WINDOW_NANOS {
            return Err(TransferError::TooOld);
        }
        if let Some((block, _)) = self.done.get(bytes) {
            let duplicate_of = Nat::from(*block);
            return Err(TransferError::Duplicate { duplicate_of });
        }
        let amount = u64::try_from(&args.amount.0).unwrap();
        let from = Account {
            owner: super::REGISTRY,
            subaccount: args.from_subaccount,
        };
        let balance = self.balance(from);
        if balance < amount + self.fee_e8s {
            return Err(TransferError::InsufficientFunds {
                balance: Nat::from(balance),
            });
        }
        Ok(self.move_money(now_nanos, bytes, from, args.to, amount))
    }

    fn move_money(
        &mut self,
        now_nanos: u64,
        bytes: &[u8],
        from: Account,
        to: Account,
        amount: u64,
    ) -> Nat {
        *self.balances.get_mut(&from).unwrap() -= amount + self.fee_e8s;
        *self.balances.entry(to).or_default() += amount;
        let block = self.blocks;
        self.blocks += 1;
        self.done.insert(bytes.to_vec(), (block, now_nanos));
        Nat::from(block)
    }
}
