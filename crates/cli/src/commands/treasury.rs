//! `stoa treasury`: what the DAO owns, pays and keeps alive.

use serde_json::{Value, json};
use stoa_client::Result;
use stoa_client::amount::{format_cycles, format_token_amount, format_tokens};
use stoa_governance_api::{PaymentInfo, PaymentPurpose, PaymentState, TreasuryLedger};

use crate::arguments::{Token, Treasury};
use crate::context::Context;
use crate::output::Output;

pub async fn treasury(context: &Context, arguments: Treasury) -> Result<Output> {
    let stoa = context.open().await?;
    let governance = stoa.governance();
    let treasury = governance.treasury().await?;
    let icp_account = governance.account(treasury.icp_subaccount.as_ref())?;
    let token_account = governance.account(treasury.token_subaccount.as_ref())?;
    let icp = stoa.ledger(Token::Icp).balance(icp_account).await?;
    let token = stoa.ledger(Token::Stoa).balance(token_account).await?;
    let canisters = governance.dao_canisters().await?;
    let payments = governance.payments(None, arguments.payments).await?;
    let policy = &treasury.cycles_policy;
    let mut lines = vec![
        format!("{} ICP in {icp_account}", format_token_amount(&icp)),
        format!("{} STOA in {token_account}", format_token_amount(&token)),
        format!(
            "{} canisters of the DAO; one under {} cycles gets {} ICP worth of them, up to {} ICP a day, all \
             together up to {} ICP ({} spent today)",
            canisters.len(),
            format_cycles(&policy.low_balance_cycles),
            format_tokens(policy.top_up_e8s),
            format_tokens(policy.canister_e8s_per_day),
            format_tokens(policy.total_e8s_per_day),
            format_tokens(treasury.spent_today_e8s),
        ),
        format!(
            "governance itself has {} cycles; {} payments are under way",
            format_cycles(&treasury.cycles),
            treasury.payments_under_way
        ),
    ];
    lines.extend(payments.iter().map(describe));
    Ok(Output::lines(
        lines,
        json!({
            "icp_e8s": plain(&icp.to_string()),
            "icp_account": icp_account.to_string(),
            "token_e8s": plain(&token.to_string()),
            "token_account": token_account.to_string(),
            "dao_canisters": canisters.iter().map(|one| one.to_text()).collect::<Vec<_>>(),
            "cycles": plain(&treasury.cycles.to_string()),
            "spent_today_e8s": treasury.spent_today_e8s,
            "payments": payments.iter().map(as_json).collect::<Vec<_>>(),
        }),
    ))
}

/// Candid writes its numbers with underscores, JSON has none.
fn plain(number: &str) -> String {
    number.replace('_', "")
}

fn purpose(payment: &PaymentInfo) -> String {
    match &payment.purpose {
        PaymentPurpose::Proposal { id } => format!("proposal {id}"),
        PaymentPurpose::TopUp { canister } => format!("cycles for {canister}"),
    }
}

fn state(payment: &PaymentInfo) -> String {
    match &payment.state {
        PaymentState::Transferring => "waits for the ledger".to_owned(),
        PaymentState::Notifying { block } => {
            format!("paid in block {block}, waits for the cycles")
        }
        PaymentState::Done {
            block,
            cycles: None,
        } => format!("paid in block {block}"),
        PaymentState::Done {
            block,
            cycles: Some(cycles),
        } => format!(
            "paid in block {block}, {} cycles came",
            format_cycles(cycles)
        ),
        PaymentState::Refunded { reason, .. } => format!("given back: {reason}"),
        PaymentState::Failed { reason } => format!("not paid: {reason}"),
        PaymentState::NotCredited { block, reason } => {
            format!("paid in block {block}, but no cycles came: {reason}")
        }
        PaymentState::Unresolved { reason } => {
            format!("not known whether paid, see the ledger's blocks: {reason}")
        }
    }
}

fn describe(payment: &PaymentInfo) -> String {
    let token = match payment.ledger {
        TreasuryLedger::Icp => "ICP",
        TreasuryLedger::Token => "STOA",
    };
    format!(
        "payment {}: {} {token} for {}, {}",
        payment.id,
        format_tokens(payment.amount_e8s),
        purpose(payment),
        state(payment)
    )
}

fn as_json(payment: &PaymentInfo) -> Value {
    json!({
        "id": payment.id,
        "ledger": match payment.ledger {
            TreasuryLedger::Icp => "icp",
            TreasuryLedger::Token => "token",
        },
        "amount_e8s": payment.amount_e8s,
        "to": payment.to.to_text(),
        "purpose": purpose(payment),
        "state": state(payment),
        "attempts": payment.attempts,
    })
}
