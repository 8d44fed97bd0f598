//! A ledger as governance sees it: balances, duplicates, minting and burning; and what a
//! network does to its answers.

use std::collections::BTreeMap;

use candid::Decode;
use icrc_ledger_types::icrc::generic_value::ICRC3Value;
use icrc_ledger_types::icrc1::account::Account as LedgerAccount;
use icrc_ledger_types::icrc1::transfer::{TransferArg, TransferError};
use icrc_ledger_types::icrc3::blocks::{BlockWithId, GetBlocksRequest, GetBlocksResult};

use super::*;
use crate::runtime::CallFailure;

pub const FEE: u64 = 1;

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Answered,
    /// Carried out, and nobody learns of it.
    AnswerLost,
    /// Not carried out, and nobody can know that.
    Vanished,
    /// Not delivered, as the system says.
    Undelivered,
}

#[derive(Default)]
pub struct LedgerModel {
    balances: BTreeMap<LedgerAccount, u64>,
    done: BTreeMap<Vec<u8>, u64>,
    log: Vec<ICRC3Value>,
    pub blocks: u64,
    pub minted: u64,
    pub burnt: u64,
    pub fees: u64,
    pub issued: u64,
}

pub fn account_of(owner: Principal) -> LedgerAccount {
    LedgerAccount::from(owner)
}

pub fn neuron_account(key: NeuronKey) -> LedgerAccount {
    LedgerAccount {
        owner: runtime::canister_self(),
        subaccount: Some(key),
    }
}

impl LedgerModel {
    fn minting() -> LedgerAccount {
        LedgerAccount::from(runtime::canister_self())
    }

    pub fn balance(&self, account: LedgerAccount) -> u64 {
        self.balances.get(&account).copied().unwrap_or(0)
    }

    pub fn issue(&mut self, to: LedgerAccount, amount: u64) {
        *self.balances.entry(to).or_default() += amount;
        self.issued += amount;
    }

    /// Nothing comes from nowhere and nothing is lost.
    pub fn check_supply(&self) {
        let held: u64 = self.balances.values().sum();
        assert_eq!(
            held + self.burnt + self.fees,
            self.issued + self.minted,
            "the ledger's books"
        );
    }

    fn transfer(&mut self, argument: &TransferArg) -> Result<Nat, TransferError> {
        let minting = Self::minting();
        let from = LedgerAccount {
            owner: runtime::canister_self(),
            subaccount: argument.from_subaccount,
        };
        let amount = u64::try_from(&argument.amount.0).unwrap();
        let is_mint = from == minting;
        let is_burn = argument.to == minting;
        let fee = if is_mint || is_burn { 0 } else { FEE };
        if argument.fee.clone().is_some_and(|given| given != fee) {
            return Err(TransferError::BadFee {
                expected_fee: fee.into(),
            });
        }
        let key = Encode!(argument).unwrap();
        if let Some(block) = self.done.get(&key) {
            return Err(TransferError::Duplicate {
                duplicate_of: (*block).into(),
            });
        }
        if is_burn && amount < FEE {
            return Err(TransferError::BadBurn {
                min_burn_amount: FEE.into(),
            });
        }
        if is_mint {
            self.minted += amount;
        } else {
            let balance = self.balance(from);
            let Some(left) = balance.checked_sub(amount + fee) else {
                return Err(TransferError::InsufficientFunds {
                    balance: balance.into(),
                });
            };
            self.balances.insert(from, left);
            self.fees += fee;
        }
        if is_burn {
            self.burnt += amount;
        } else {
            *self.balances.entry(argument.to).or_default() += amount;
        }
        self.blocks += 1;
        let created = argument.created_at_time.unwrap();
        let memo = argument.memo.clone().unwrap();
        self.note_block(created, amount, memo.0.into_vec());
        // The model's numbers begin with 1, the log's with 0.
        self.done.insert(key, self.blocks);
        Ok(Nat::from(self.blocks))
    }

    fn note_block(&mut self, created: u64, amount: u64, memo: Vec<u8>) {
        let nat = |number: u64| ICRC3Value::Nat(number.into());
        let map = |fields: Vec<(&str, ICRC3Value)>| {
            ICRC3Value::Map(
                fields
                    .into_iter()
                    .map(|(k, v)| (k.to_string(), v))
                    .collect(),
            )
        };
        let tx = map(vec![
            ("op", ICRC3Value::Text("xfer".to_string())),
            ("amt", nat(amount)),
            ("ts", nat(created)),
            ("memo", ICRC3Value::Blob(memo.into())),
        ]);
        self.log
            .push(map(vec![("ts", nat(runtime::time_nanos())), ("tx", tx)]));
    }

    /// A transfer that has nothing to do with governance.
    pub fn note_strangers_block(&mut self, memo: u64) {
        self.note_block(runtime::time_nanos(), 400, memo.to_be_bytes().to_vec());
    }

    fn get_blocks(&self, requests: &[GetBlocksRequest]) -> GetBlocksResult {
        let mut blocks = Vec::new();
        for request in requests {
            let (start, length) = request.as_start_and_length().unwrap();
            for (index, block) in self.log.iter().enumerate() {
                if (start..start + length).contains(&(index as u64)) {
                    blocks.push(BlockWithId {
                        id: index.into(),
                        block: block.clone(),
                    });
                }
            }
        }
        GetBlocksResult {
            log_length: self.log.len().into(),
            blocks,
            archived_blocks: vec![],
        }
    }

    fn carry_out(&mut self, call: &SentCall) -> Vec<u8> {
        match call.method.as_str() {
            "icrc1_balance_of" => {
                let account = Decode!(&call.arguments, LedgerAccount).unwrap();
                Encode!(&Nat::from(self.balance(account))).unwrap()
            }
            "icrc1_minting_account" => Encode!(&Some(Self::minting())).unwrap(),
            "icrc1_total_supply" => {
                Encode!(&Nat::from(self.balances.values().sum::<u64>())).unwrap()
            }
            "icrc1_transfer" => {
                let argument = Decode!(&call.arguments, TransferArg).unwrap();
                Encode!(&self.transfer(&argument)).unwrap()
            }
            "icrc3_get_blocks" => {
                let requests = Decode!(&call.arguments, Vec<GetBlocksRequest>).unwrap();
                Encode!(&self.get_blocks(&requests)).unwrap()
            }
            other => panic!("governance asks the ledger for {other}"),
        }
    }

    pub fn meet(&mut self, call: SentCall, fate: Fate) {
        assert_eq!(call.canister, ledger());
        let failure = |refused| {
            Err(CallFailure {
                refused,
                message: format!("{fate:?}"),
            })
        };
        let answer = match fate {
            Fate::Answered => Ok(self.carry_out(&call)),
            Fate::AnswerLost => {
                self.carry_out(&call);
                failure(false)
            }
            Fate::Vanished => failure(false),
            Fate::Undelivered => failure(true),
        };
        call.answer(answer);
    }

    /// Runs a command to its end, each call of it meeting the next fate, then answers.
    pub fn run(
        &mut self,
        mut running: Running<CommandResponse>,
        fates: &[Fate],
    ) -> CommandResponse {
        let mut fates = fates.iter();
        loop {
            if let Some(response) = poll(&mut running) {
                return response;
            }
            for call in runtime::take_sent() {
                let fate = fates.next().copied().unwrap_or(Fate::Answered);
                self.meet(call, fate);
            }
        }
    }

    pub fn command(
        &mut self,
        caller: Principal,
        key: NeuronKey,
        command: Command,
        fates: &[Fate],
    ) -> CommandResponse {
        self.run(begin(caller, key, command), fates)
    }

    /// One round of the timer, whose calls all meet `fate`.
    pub fn housekeep(&mut self, fate: Fate) {
        let mut jobs: Vec<Job> = vec![Box::pin(crate::housekeeping::run())];
        while !jobs.is_empty() {
            jobs.retain_mut(|job| poll(job).is_none());
            for call in runtime::take_sent() {
                self.meet(call, fate);
            }
            jobs.extend(runtime::take_jobs());
        }
    }

    /// Stakes anew or adds to the stake.
    pub fn stake(&mut self, owner: Principal, memo: u64, amount: u64) -> NeuronKey {
        let key = key_of(owner, memo);
        self.issue(neuron_account(key), amount);
        let response = self.command(owner, [0; 32], claim_command(owner, memo), &[]);
        assert!(
            matches!(response, CommandResponse::ClaimOrRefresh(_)),
            "{response:?}"
        );
        key
    }
}
