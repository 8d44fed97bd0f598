//! `stoa credit`: prepaid calls, royalties, and keys for HTTP clients.

use std::time::{Duration, SystemTime};

use candid::Principal;
use serde_json::json;
use stoa_client::amount::{format_tokens, parse_tokens};
use stoa_client::{Accepted, ClientError, Result};
use stoa_inference_api::{
    AddKeyArgs, ClaimArgs, DepositArgs, OutgoingTransfer, Token, TransferState, WithdrawArgs,
};
use stoa_types::Sha256;

use crate::arguments::Credit;
use crate::context::Context;
use crate::output::Output;

pub async fn run(context: &Context, command: Credit) -> Result<Output> {
    match command {
        Credit::Show { inference } => show(context, inference).await,
        Credit::Deposit { amount, of } => {
            let stoa = context.open().await?;
            let arguments = DepositArgs {
                token: of.token(),
                amount_e8s: parse_tokens(&amount)?,
                from_subaccount: None,
            };
            let inference = stoa.inference(of.inference)?;
            let credit = inference.deposit(arguments).await?.accepted()?;
            Ok(Output::new(
                match of.token() {
                    Token::Icp => format!("your credit is {} ICP", format_tokens(credit)),
                    Token::Governance => {
                        format!("your credit is {} governance tokens", format_tokens(credit))
                    }
                },
                json!({"credit_e8s": credit}),
            ))
        }
        Credit::Withdraw { amount, of } => {
            let stoa = context.open().await?;
            let arguments = WithdrawArgs {
                token: of.token(),
                amount_e8s: parse_tokens(&amount)?,
                to: None,
            };
            let inference = stoa.inference(of.inference)?;
            Ok(sent(&inference.withdraw(arguments).await?.accepted()?))
        }
        Credit::Claim { of } => {
            let stoa = context.open().await?;
            let arguments = ClaimArgs {
                token: of.token(),
                subaccount: None,
            };
            let inference = stoa.inference(of.inference)?;
            Ok(sent(&inference.claim(arguments).await?.accepted()?))
        }
        Credit::AddKey {
            limit,
            label,
            days,
            of,
        } => {
            let stoa = context.open().await?;
            let secret = secret()?;
            let hash = Sha256::of(secret.as_bytes());
            let arguments = AddKeyArgs {
                hash,
                label,
                token: of.token(),
                limit_e8s: parse_tokens(&limit)?,
                expires_at_nanos: days.map(in_days).transpose()?,
            };
            let inference = stoa.inference(of.inference)?;
            inference.add_key(arguments).await?.accepted()?;
            Ok(Output::lines(
                vec![
                    secret.clone(),
                    "Send it as `Authorization: Bearer ...`; it is not shown again.".to_owned(),
                ],
                json!({"secret": secret, "hash": hash.to_string()}),
            ))
        }
        Credit::Keys { inference } => {
            let stoa = context.open().await?;
            let keys = stoa.inference(inference)?.list_keys().await?;
            let lines = keys.iter().map(|key| {
                format!(
                    "{} {} may spend {}",
                    key.hash,
                    key.label,
                    format_tokens(key.left_e8s)
                )
            });
            let values: Vec<_> = keys
                .iter()
                .map(|key| {
                    json!({
                        "hash": key.hash.to_string(),
                        "label": key.label,
                        "left_e8s": key.left_e8s,
                        "expires_at_nanos": key.expires_at_nanos,
                    })
                })
                .collect();
            Ok(Output::lines(lines.collect(), json!(values)))
        }
        Credit::RemoveKey { hash, inference } => {
            let stoa = context.open().await?;
            let hash: Sha256 = hash
                .parse()
                .map_err(|_| ClientError::InvalidArgument("the hash of a key".to_owned()))?;
            if !stoa.inference(inference)?.remove_key(hash).await? {
                return Err(ClientError::Failed("you have no such key".to_owned()));
            }
            Ok(Output::new("removed", json!({"removed": hash.to_string()})))
        }
    }
}

async fn show(context: &Context, inference: Option<Principal>) -> Result<Output> {
    let stoa = context.open().await?;
    let owner = stoa.connection.principal();
    let balances = stoa.inference(inference)?.balances_of(owner).await?;
    let mut lines = vec![format!(
        "credit: {} ICP, {} governance tokens",
        format_tokens(balances.credit_icp_e8s),
        format_tokens(balances.credit_token_e8s)
    )];
    for royalty in &balances.royalties {
        lines.push(format!(
            "royalties: {} ICP, {} governance tokens, {} cycles",
            format_tokens(royalty.icp_e8s),
            format_tokens(royalty.token_e8s),
            royalty.cycles
        ));
    }
    Ok(Output::lines(
        lines,
        json!({
            "credit_icp_e8s": balances.credit_icp_e8s,
            "credit_token_e8s": balances.credit_token_e8s,
        }),
    ))
}

fn sent(transfer: &OutgoingTransfer) -> Output {
    let block = match transfer.state {
        TransferState::Sent { block } => Some(block),
        _ => None,
    };
    Output::new(
        format!("{} arrived", format_tokens(transfer.amount_e8s)),
        json!({"id": transfer.id, "amount_e8s": transfer.amount_e8s, "block": block}),
    )
}

/// 32 random bytes that only this machine has seen.
fn secret() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| ClientError::Failed(format!("no randomness: {error}")))?;
    Ok(format!("stoa_{}", hex::encode(bytes)))
}

fn in_days(days: u64) -> Result<u64> {
    let at = SystemTime::now() + Duration::from_secs(days.saturating_mul(86_400));
    at.duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|time| u64::try_from(time.as_nanos()).ok())
        .ok_or_else(|| ClientError::InvalidArgument("so many days".to_owned()))
}
