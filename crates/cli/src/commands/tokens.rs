//! `stoa identity`, `balance`, `transfer`, `approve`.

use candid::Nat;
use icrc_ledger_types::icrc1::account::Account;
use serde_json::{Map, json};
use stoa_client::amount::{format_token_amount, parse_tokens};
use stoa_client::{ClientError, Result};

use crate::arguments::{Approve, Balance, Token, Transfer};
use crate::context::Context;
use crate::output::Output;

pub fn identity(context: &Context) -> Result<Output> {
    let principal = context
        .identity()?
        .sender()
        .map_err(ClientError::Failed)?
        .to_text();
    let name = context.identity_name();
    Ok(Output::new(
        format!("{name}: {principal}"),
        json!({"name": name, "principal": principal}),
    ))
}

pub async fn balance(context: &Context, arguments: Balance) -> Result<Output> {
    let stoa = context.open().await?;
    let owner = arguments.of.unwrap_or_else(|| stoa.connection.principal());
    let tokens = match arguments.token {
        Some(token) => vec![token],
        None => vec![Token::Icp, Token::Stoa],
    };
    let mut lines = Vec::new();
    let mut json = Map::new();
    for token in tokens {
        let balance = stoa.ledger(token).balance(Account::from(owner)).await?;
        lines.push(format!(
            "{} {}",
            format_token_amount(&balance),
            symbol(token)
        ));
        json.insert(
            format!("{}_e8s", symbol(token).to_lowercase()),
            plain(&balance).into(),
        );
    }
    Ok(Output::lines(lines, json.into()))
}

pub async fn transfer(context: &Context, arguments: Transfer) -> Result<Output> {
    let stoa = context.open().await?;
    let amount = parse_tokens(&arguments.amount)?;
    let to: Account = arguments.to.parse().map_err(|error| {
        ClientError::InvalidArgument(format!("\"{}\" is no account: {error}", arguments.to))
    })?;
    let block = stoa
        .ledger(arguments.token)
        .transfer(to, Nat::from(amount), None)
        .await?;
    Ok(Output::new(
        format!(
            "sent {} {} to {to} in block {block}",
            arguments.amount,
            symbol(arguments.token)
        ),
        json!({"block": plain(&block)}),
    ))
}

pub async fn approve(context: &Context, arguments: Approve) -> Result<Output> {
    let stoa = context.open().await?;
    let amount = parse_tokens(&arguments.amount)?;
    let spender = stoa.inference(arguments.inference)?.canister();
    let block = stoa
        .ledger(Token::Icp)
        .approve(Account::from(spender), Nat::from(amount))
        .await?;
    Ok(Output::new(
        format!(
            "{spender} may take up to {} ICP for your calls (block {block})",
            arguments.amount
        ),
        json!({"spender": spender.to_text(), "block": plain(&block)}),
    ))
}

fn symbol(token: Token) -> &'static str {
    match token {
        Token::Icp => "ICP",
        Token::Stoa => "STOA",
    }
}

/// Digits without separators, for programs.
fn plain(number: &Nat) -> String {
    number.0.to_string()
}
