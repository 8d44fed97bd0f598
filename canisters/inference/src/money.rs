//! What callers do with their own money here: deposit, withdraw, claim royalties; and the payouts that need nobody to ask.

use candid::Principal;
use stoa_inference_api::{
    ClaimArgs, ClaimCyclesArgs, ClaimCyclesResult, DepositArgs, DepositResult, MoneyError, Token,
    TransferState, WithdrawArgs, WithdrawResult,
};
use stoa_types::Sha256;

use crate::ledger::{Outcome, Refusal};
use crate::limits::{DEPOSIT_FEES_MIN, PAYOUT_BATCH, RETRY_WHILE_BUSY, TRANSFERS_OPEN_MAX};
use crate::payment::{self, Bill};
use crate::runtime::{Runtime, Task};
use crate::stored::{AccountKey, Holder, Purpose, Unit};
use crate::volatile::{CallerGuard, PaymentGuard, PayoutGuard};
use crate::{accounts, journal, recovery, state, transfers};

pub fn to_token(unit: Unit) -> Token {
    match unit {
        Unit::Icp => Token::Icp,
        Unit::Governance => Token::Governance,
        Unit::Cycles => panic!("BUG: cycles are no token of a ledger"),
    }
}

/// `None` where the DAO does not take it.
pub fn unit_of(token: Token) -> Option<Unit> {
    match token {
        Token::Icp => Some(Unit::Icp),
        Token::Governance => state::configuration()
            .token_ledger
            .map(|_| Unit::Governance),
    }
}

fn unit_or_refuse(token: Token) -> Result<Unit, MoneyError> {
    unit_of(token).ok_or(MoneyError::TokenNotTaken { token })
}

pub async fn deposit<R: Runtime>(
    runtime: &R,
    caller: Principal,
    arguments: DepositArgs,
) -> DepositResult {
    if caller == Principal::anonymous() {
        return Err(MoneyError::AnonymousCaller);
    }
    let unit = unit_or_refuse(arguments.token)?;
    let amount = arguments.amount_e8s;
    // Less would make an account that costs more to keep and to leave than it holds.
    let min_e8s = state::ledger_fee(unit).saturating_mul(DEPOSIT_FEES_MIN);
    if amount < min_e8s {
        return Err(MoneyError::AmountTooSmall {
            given_e8s: amount,
            min_e8s,
        });
    }
    let Some(_guard) = CallerGuard::lock(caller) else {
        return Err(MoneyError::Busy);
    };
    let bill = Bill {
        purpose: Purpose::Deposit,
        unit,
        amount,
        author_part: 0,
    };
    let id = payment::open_by_allowance(runtime, caller, bill, arguments.from_subaccount);
    let _payment = PaymentGuard::lock(id).expect("BUG: a new payment is locked");
    recovery::schedule(runtime, id);
    let needed = amount.saturating_add(journal::get(id).fee);
    match payment::charge(runtime, id).await {
        Outcome::Done { .. } => Ok(accounts::balance_e8s(unit, &Holder::Credit(caller))),
        Outcome::Refused(Refusal::InsufficientAllowance { allowance }) => {
            Err(MoneyError::InsufficientAllowance {
                allowance_e8s: allowance,
                needed_e8s: needed.into(),
            })
        }
        Outcome::Refused(Refusal::InsufficientFunds { balance }) => {
            Err(MoneyError::InsufficientBalance {
                balance,
                needed: needed.into(),
            })
        }
        Outcome::Refused(refusal) => Err(MoneyError::Refused {
            message: refusal.to_string(),
        }),
        Outcome::Unknown { message } => {
            recovery::schedule(runtime, id);
            Err(MoneyError::Pending { id, message })
        }
    }
}

pub async fn withdraw<R: Runtime>(
    runtime: &R,
    caller: Principal,
    arguments: WithdrawArgs,
) -> WithdrawResult {
    let unit = unit_or_refuse(arguments.token)?;
    let to = match arguments.to {
        Some(account) => (account.owner, account.subaccount),
        None => (caller, None),
    };
    take_out(
        runtime,
        caller,
        unit,
        Holder::Credit(caller),
        to,
        arguments.amount_e8s,
    )
    .await
}

/// All of one royalty, however small, to the account that the share names.
pub async fn claim<R: Runtime>(
    runtime: &R,
    caller: Principal,
    arguments: ClaimArgs,
) -> WithdrawResult {
    let unit = unit_or_refuse(arguments.token)?;
    let holder = Holder::Royalty {
        owner: caller,
        subaccount: arguments.subaccount,
    };
    let all = accounts::balance_e8s(unit, &holder);
    take_out(
        runtime,
        caller,
        unit,
        holder,
        (caller, arguments.subaccount),
        all,
    )
    .await
}

async fn take_out<R: Runtime>(
    runtime: &R,
    caller: Principal,
    unit: Unit,
    from: Holder,
    to: (Principal, Option<Sha256>),
    gross: u64,
) -> WithdrawResult {
    if caller == Principal::anonymous() {
        return Err(MoneyError::AnonymousCaller);
    }
    let min_e8s = state::ledger_fee(unit).saturating_add(1);
    if gross < min_e8s {
        return Err(MoneyError::AmountTooSmall {
            given_e8s: gross,
            min_e8s,
        });
    }
    let Some(_guard) = CallerGuard::lock(caller) else {
        return Err(MoneyError::Busy);
    };
    if state::with(|state| state.open_transfers.len()) >= TRANSFERS_OPEN_MAX {
        return Err(MoneyError::Busy);
    }
    let id = transfers::begin(runtime, unit, from, to, gross).map_err(|short| {
        MoneyError::InsufficientBalance {
            balance: short.balance.into(),
            needed: short.needed.into(),
        }
    })?;
    transfers::send(runtime, id).await;
    let transfer = transfers::to_wire(transfers::get(id));
    match &transfer.state {
        TransferState::Sent { .. } => Ok(transfer),
        TransferState::Failed { message } => Err(MoneyError::Refused {
            message: message.clone(),
        }),
        TransferState::Sending | TransferState::Unresolved { .. } => Err(MoneyError::Pending {
            id,
            message: "the ledger has not answered; it will be asked again".to_owned(),
        }),
    }
}

/// Cycles of callers that attached them, to a canister of the payee's choice. They travel with the call, so a refusal
/// brings them back; what came back is the payee's again.
pub async fn claim_cycles<R: Runtime>(
    runtime: &R,
    caller: Principal,
    arguments: ClaimCyclesArgs,
) -> ClaimCyclesResult {
    if caller == Principal::anonymous() {
        return Err(MoneyError::AnonymousCaller);
    }
    let Some(_guard) = CallerGuard::lock(caller) else {
        return Err(MoneyError::Busy);
    };
    let holder = Holder::Royalty {
        owner: caller,
        subaccount: arguments.subaccount,
    };
    let amount = accounts::balance(Unit::Cycles, &holder);
    if amount == 0 {
        return Err(MoneyError::InsufficientBalance {
            balance: 0_u8.into(),
            needed: 1_u8.into(),
        });
    }
    // They leave the balance with the call, in this message; nothing can be charged to them twice.
    accounts::send(Unit::Cycles, &holder, amount);
    let refunded = runtime.deposit_cycles(arguments.to, amount).await;
    if refunded > 0 {
        accounts::receive(Unit::Cycles, &holder, refunded);
    }
    match amount.checked_sub(refunded) {
        Some(0) | None => Err(MoneyError::Refused {
            message: format!("{} did not take the cycles", arguments.to),
        }),
        Some(arrived) => Ok(arrived.into()),
    }
}

/// The timer's form: royalties and the treasury's share that are large enough, in batches.
pub async fn pay_out<R: Runtime>(runtime: &R) {
    let Some(_guard) = PayoutGuard::lock() else {
        return;
    };
    let min = state::policy().payout_e8s_min;
    let mut left = PAYOUT_BATCH;
    for unit in [Unit::Icp, Unit::Governance] {
        if unit == Unit::Governance && state::configuration().token_ledger.is_none() {
            continue;
        }
        // Less than the fee would burn more than it pays.
        let min = min.max(state::ledger_fee(unit).saturating_mul(2));
        let due = royalties_due(unit, min, left);
        let treasury = accounts::balance_e8s(unit, &Holder::Treasury);
        let to_treasury = (treasury >= min).then(|| {
            let to = treasury_account(unit);
            (Holder::Treasury, to, treasury)
        });
        for (holder, to, gross) in due.into_iter().chain(to_treasury) {
            if state::with(|state| state.open_transfers.len()) >= TRANSFERS_OPEN_MAX {
                return;
            }
            // Read again: a claim may have come between.
            let gross = gross.min(accounts::balance_e8s(unit, &holder));
            let Ok(id) = transfers::begin(runtime, unit, holder, to, gross) else {
                continue;
            };
            transfers::send(runtime, id).await;
            left = left.saturating_sub(1);
        }
        if left == 0 {
            runtime.schedule(RETRY_WHILE_BUSY, Task::Payouts);
            return;
        }
    }
}

type Due = (Holder, (Principal, Option<Sha256>), u64);

fn royalties_due(unit: Unit, min: u64, max: usize) -> Vec<Due> {
    accounts::royalties_from(unit, None, min.into(), max)
        .into_iter()
        .map(|(key, amount): (AccountKey, u128)| {
            let Holder::Royalty { owner, subaccount } = key.holder() else {
                panic!("BUG: no royalty among royalties");
            };
            let gross = u64::try_from(amount).expect("BUG: more of a token than 64 bits count");
            (key.holder(), (owner, subaccount), gross)
        })
        .collect()
}

/// As an SNS has its treasuries: ICP in governance's account, its token in a subaccount of governance,
/// SHA-256 of 0x12, "token-distribution", governance, and the nonce 0 as u64.
fn treasury_account(unit: Unit) -> (Principal, Option<Sha256>) {
    let governance = state::configuration().governance;
    let subaccount = (unit == Unit::Governance).then(|| {
        let bytes = [
            &[0x12],
            b"token-distribution".as_slice(),
            governance.as_slice(),
            &0_u64.to_be_bytes(),
        ]
        .concat();
        Sha256::of(&bytes)
    });
    (governance, subaccount)
}
