//! The canisters around the one under test, each as the real one behaves as far as its caller can tell.

use candid::{CandidType, Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::{TransferArg, TransferError};
use icrc_ledger_types::icrc2::transfer_from::{TransferFromArgs, TransferFromError};
use stoa_cmc_api::{NotifyTopUpArg, NotifyTopUpResult};
use stoa_registry_api::{GetVersionError, GetVersionResult};
use stoa_shard_api::{Chunk, GetChunkError, GetChunkResult};
use stoa_types::Sha256;

use super::{World, canister, minting, number};
use crate::ledger::{IcpTransfer, IcpTransferError, Tokens, minting_account};
use crate::{load_job, run};

impl World {
    pub(super) fn execute(
        &self,
        callee: Principal,
        method: &'static str,
        argument: &[u8],
    ) -> Result<Vec<u8>, String> {
        fn reply<T: CandidType>(value: T) -> Result<Vec<u8>, String> {
            Ok(candid::encode_one(value).unwrap())
        }
        match method {
            "get_version" => {
                let version: Sha256 = candid::decode_one(argument).unwrap();
                let found: GetVersionResult = self
                    .with(|inner| inner.versions.get(&version).cloned())
                    .ok_or(GetVersionError::NotFound);
                reply(found)
            }
            "get_chunk" => {
                let hash: Sha256 = candid::decode_one(argument).unwrap();
                let found: GetChunkResult = self
                    .with(|inner| inner.chunks.get(&(callee, hash)).cloned())
                    .map(|data| Chunk { data })
                    .ok_or(GetChunkError::NotFound { hash });
                reply(found)
            }
            "icrc2_transfer_from" => {
                reply(self.transfer_from(callee, candid::decode_one(argument).unwrap()))
            }
            "icrc1_transfer" => {
                reply(self.icrc1_transfer(callee, candid::decode_one(argument).unwrap()))
            }
            "transfer" => reply(self.icp_transfer(candid::decode_one(argument).unwrap())),
            "notify_top_up" => reply(self.notify(candid::decode_one(argument).unwrap())),
            "c2c_load_step" => {
                load_job::step(self, candid::decode_one(argument).unwrap());
                reply(())
            }
            "c2c_run" => {
                if self.with(|inner| inner.trap_runs) {
                    return Err("the run trapped".into());
                }
                run::execute(self, candid::decode_one(argument).unwrap());
                reply(())
            }
            "resolve" => {
                let name: String = candid::decode_one(argument).unwrap();
                let found: Result<Sha256, GetVersionError> = self
                    .with(|inner| inner.names.get(&name).copied())
                    .ok_or(GetVersionError::NotFound);
                reply(found)
            }
            "request_cycles" => {
                assert_eq!(callee, super::governance());
                self.with(|inner| {
                    inner.cycles_requests += 1;
                    inner.cycles += 3_000_000_000_000;
                });
                reply(Ok::<(), ()>(()))
            }
            other => panic!("nobody has a method {other}"),
        }
    }

    /// As ICRC-1: a transfer with a creation time happens once.
    fn once(
        &self,
        ledger: Principal,
        key: Vec<u8>,
        from: Principal,
        to: Principal,
        amount: u64,
    ) -> Result<Nat, TransferError> {
        let key = [ledger.as_slice(), &key].concat();
        let is_icp = ledger == super::ledger();
        self.with(|inner| {
            if let Some(block) = inner.executed.get(&key) {
                return Err(TransferError::Duplicate {
                    duplicate_of: (*block).into(),
                });
            }
            let balances = if is_icp {
                &mut inner.balances
            } else {
                &mut inner.token_balances
            };
            let balance = balances.get(&from).copied().unwrap_or(0);
            let Some(left) = balance.checked_sub(amount + inner.fee) else {
                return Err(TransferError::InsufficientFunds {
                    balance: balance.into(),
                });
            };
            balances.insert(from, left);
            *balances.entry(to).or_default() += amount;
            if is_icp {
                inner.burnt_fees += inner.fee;
            } else {
                inner.burnt_token_fees += inner.fee;
            }
            inner.blocks.push((to, amount));
            let block = inner.blocks.len() as u64 - 1;
            inner.executed.insert(key, block);
            Ok(block.into())
        })
    }

    fn is_old(&self, created_at: Option<u64>) -> bool {
        self.with(|inner| inner.now_nanos - created_at.unwrap() > 24 * 3_600 * 1_000_000_000)
    }

    fn transfer_from(
        &self,
        ledger: Principal,
        args: TransferFromArgs,
    ) -> Result<Nat, TransferFromError> {
        if self.is_old(args.created_at_time) {
            return Err(TransferFromError::TooOld);
        }
        let fee = self.with(|inner| inner.fee);
        if args.fee != Some(fee.into()) {
            return Err(TransferFromError::BadFee {
                expected_fee: fee.into(),
            });
        }
        let key = candid::encode_one(&args).unwrap();
        let amount = number(&args.amount);
        let allowance =
            self.with(|inner| inner.allowances.get(&args.from.owner).copied().unwrap_or(0));
        let known = [ledger.as_slice(), &key].concat();
        let known = self.with(|inner| inner.executed.contains_key(&known));
        if !known && allowance < amount + fee {
            return Err(TransferFromError::InsufficientAllowance {
                allowance: allowance.into(),
            });
        }
        let block = self
            .once(ledger, key, args.from.owner, args.to.owner, amount)
            .map_err(|error| match error {
                TransferError::Duplicate { duplicate_of } => {
                    TransferFromError::Duplicate { duplicate_of }
                }
                TransferError::InsufficientFunds { balance } => {
                    TransferFromError::InsufficientFunds { balance }
                }
                other => panic!("{other}"),
            })?;
        self.with(|inner| {
            inner
                .allowances
                .insert(args.from.owner, allowance - amount - fee)
        });
        Ok(block)
    }

    fn icrc1_transfer(&self, ledger: Principal, args: TransferArg) -> Result<Nat, TransferError> {
        if self.is_old(args.created_at_time) {
            return Err(TransferError::TooOld);
        }
        let fee = self.with(|inner| inner.fee);
        if args.fee != Some(fee.into()) {
            return Err(TransferError::BadFee {
                expected_fee: fee.into(),
            });
        }
        let Account { owner, .. } = args.to;
        self.once(
            ledger,
            candid::encode_one(&args).unwrap(),
            canister(),
            owner,
            number(&args.amount),
        )
    }

    fn icp_transfer(&self, args: IcpTransfer) -> Result<u64, IcpTransferError> {
        assert_eq!(args.memo, 0x5055_5054);
        assert_eq!(args.to, minting_account(minting(), canister()));
        if self.is_old(args.created_at_time.map(|time| time.timestamp_nanos)) {
            return Err(IcpTransferError::TxTooOld {
                allowed_window_nanos: 0,
            });
        }
        let fee = self.with(|inner| inner.fee);
        if args.fee.e8s != fee {
            return Err(IcpTransferError::BadFee {
                expected_fee: Tokens { e8s: fee },
            });
        }
        self.once(
            super::ledger(),
            candid::encode_one(&args).unwrap(),
            canister(),
            minting(),
            args.amount.e8s,
        )
        .map(|block| number(&block))
        .map_err(|error| match error {
            TransferError::Duplicate { duplicate_of } => IcpTransferError::TxDuplicate {
                duplicate_of: number(&duplicate_of),
            },
            TransferError::InsufficientFunds { balance } => IcpTransferError::InsufficientFunds {
                balance: Tokens {
                    e8s: number(&balance),
                },
            },
            other => panic!("{other}"),
        })
    }

    fn notify(&self, arg: NotifyTopUpArg) -> NotifyTopUpResult {
        self.with(|inner| {
            if let Some(error) = inner.notify_answers.pop() {
                return Err(error);
            }
            assert_eq!(arg.canister_id, canister());
            let (to, amount) = inner.blocks[arg.block_index as usize];
            assert_eq!(to, minting());
            let cycles = u128::from(amount) * 1_000_000;
            if inner.credited.insert(arg.block_index) {
                inner.cycles += cycles;
            }
            Ok(cycles.into())
        })
    }
}
