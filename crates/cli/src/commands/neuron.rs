//! `stoa neuron`: staking, and what a neuron's people can tell it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use icrc_ledger_types::icrc1::account::Account;
use serde_json::{Value, json};
use stoa_client::amount::{format_tokens, parse_tokens};
use stoa_client::governance::Governance;
use stoa_client::{ClientError, Result};
use stoa_governance_api::code::NeuronPermissionType;
use stoa_governance_api::{DissolveState, Neuron as WireNeuron, Topic};

use crate::arguments::{
    Maturity, Neuron, NeuronCommand, Permission, PermissionName, Stake, Token, TopicName,
};
use crate::context::{Context, Stoa};
use crate::output::Output;

pub async fn run(context: &Context, command: NeuronCommand) -> Result<Output> {
    let stoa = context.open().await?;
    let governance = stoa.governance();
    match command {
        NeuronCommand::Stake(arguments) => stake(&stoa, arguments).await,
        NeuronCommand::List => list(&stoa).await,
        NeuronCommand::Show(neuron) => {
            let id = neuron_id(&governance, &neuron.which)?;
            Ok(show(&governance.neuron(id).await?))
        }
        NeuronCommand::Id { neuron, candid } => {
            let id = neuron_id(&governance, &neuron.which)?;
            let text = if candid {
                candid_blob(&id)
            } else {
                hex::encode(id)
            };
            Ok(Output::new(text.clone(), json!({"neuron": text})))
        }
        NeuronCommand::Delay { by, neuron } => {
            let id = neuron_id(&governance, &neuron.which)?;
            let seconds = u32::try_from(parse_duration(&by)?.as_secs()).map_err(|_| {
                ClientError::InvalidArgument(format!(
                    "{by} is more than one command can add, 136 years"
                ))
            })?;
            governance.increase_dissolve_delay(id, seconds).await?;
            Ok(show(&governance.neuron(id).await?))
        }
        NeuronCommand::StartDissolving(neuron) => {
            let id = neuron_id(&governance, &neuron.which)?;
            governance.start_dissolving(id).await?;
            Ok(show(&governance.neuron(id).await?))
        }
        NeuronCommand::StopDissolving(neuron) => {
            let id = neuron_id(&governance, &neuron.which)?;
            governance.stop_dissolving(id).await?;
            Ok(show(&governance.neuron(id).await?))
        }
        NeuronCommand::Disburse { amount, to, neuron } => {
            let amount = amount.as_deref().map(parse_tokens).transpose()?;
            let to = to.as_deref().map(parse_account).transpose()?;
            let id = neuron_id(&governance, &neuron.which)?;
            let block = governance.disburse(id, amount, to).await?;
            Ok(Output::new(
                format!("disbursed in block {block} of the token ledger"),
                json!({"block": block}),
            ))
        }
        NeuronCommand::Split {
            amount,
            into,
            neuron,
        } => {
            let id = neuron_id(&governance, &neuron.which)?;
            let new = governance.split(id, parse_tokens(&amount)?, into).await?;
            let new = hex::encode(new);
            Ok(Output::new(
                format!("neuron {new} has {amount} STOA less the ledger's fee"),
                json!({"neuron": new}),
            ))
        }
        NeuronCommand::Follow {
            followees,
            topic,
            neuron,
        } => follow(&governance, followees, topic, &neuron).await,
        NeuronCommand::Permit(arguments) => permit(&governance, arguments, true).await,
        NeuronCommand::Forbid(arguments) => permit(&governance, arguments, false).await,
        NeuronCommand::Maturity(command) => maturity(&governance, command).await,
    }
}

/// A number of the caller's own, or any neuron's id.
pub fn neuron_id(governance: &Governance, text: &str) -> Result<[u8; 32]> {
    if text.len() == 64 {
        if let Ok(bytes) = hex::decode(text)
            && let Ok(id) = bytes.try_into()
        {
            return Ok(id);
        }
    } else if let Ok(memo) = text.parse() {
        return Ok(governance.neuron_id(memo));
    }
    Err(ClientError::InvalidArgument(format!(
        "\"{text}\" is no neuron: give its number, such as 0, or the 64 digits that `stoa neuron list` shows"
    )))
}

pub fn parse_account(text: &str) -> Result<Account> {
    text.parse()
        .map_err(|error| ClientError::InvalidArgument(format!("\"{text}\" is no account: {error}")))
}

fn parse_duration(text: &str) -> Result<Duration> {
    let invalid = || {
        ClientError::InvalidArgument(format!(
            "\"{text}\" is no duration: write 30d, 12h, 10m or 45s"
        ))
    };
    let (number, unit) = text
        .char_indices()
        .last()
        .map(|(last, unit)| (&text[..last], unit))
        .ok_or_else(invalid)?;
    let number: u64 = number.parse().map_err(|_| invalid())?;
    let unit_seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(invalid()),
    };
    number
        .checked_mul(unit_seconds)
        .map(Duration::from_secs)
        .ok_or_else(invalid)
}

/// `\aa\bb...`, as Candid's text has bytes.
fn candid_blob(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

pub fn topic(name: TopicName) -> Topic {
    match name {
        TopicName::Settings => Topic::DaoCommunitySettings,
        TopicName::Framework => Topic::SnsFrameworkManagement,
        TopicName::Canisters => Topic::DappCanisterManagement,
        TopicName::Library => Topic::ApplicationBusinessLogic,
        TopicName::Governance => Topic::Governance,
        TopicName::Treasury => Topic::TreasuryAssetManagement,
        TopicName::Critical => Topic::CriticalDappOperations,
    }
}

const ALL_TOPICS: [TopicName; 7] = [
    TopicName::Settings,
    TopicName::Framework,
    TopicName::Canisters,
    TopicName::Library,
    TopicName::Governance,
    TopicName::Treasury,
    TopicName::Critical,
];

fn permission(name: PermissionName) -> NeuronPermissionType {
    type P = NeuronPermissionType;
    match name {
        PermissionName::ConfigureDissolveState => P::ConfigureDissolveState,
        PermissionName::ManagePrincipals => P::ManagePrincipals,
        PermissionName::SubmitProposal => P::SubmitProposal,
        PermissionName::Vote => P::Vote,
        PermissionName::Disburse => P::Disburse,
        PermissionName::Split => P::Split,
        PermissionName::DisburseMaturity => P::DisburseMaturity,
        PermissionName::StakeMaturity => P::StakeMaturity,
        PermissionName::ManageVotingPermission => P::ManageVotingPermission,
    }
}

async fn stake(stoa: &Stoa, arguments: Stake) -> Result<Output> {
    let amount = parse_tokens(&arguments.amount)?;
    let neuron = stoa
        .governance()
        .stake(&stoa.ledger(Token::Stoa), amount, arguments.memo)
        .await?;
    let neuron = hex::encode(neuron);
    Ok(Output::new(
        format!(
            "neuron {neuron} has {} STOA more and can vote",
            arguments.amount
        ),
        json!({"neuron": neuron}),
    ))
}

async fn list(stoa: &Stoa) -> Result<Output> {
    let neurons = stoa
        .governance()
        .neurons(Some(stoa.connection.principal()))
        .await?;
    let mut lines: Vec<String> = neurons
        .iter()
        .map(|neuron| {
            format!(
                "{}  {} STOA  {}",
                id_text(neuron),
                format_tokens(neuron.cached_neuron_stake_e8s),
                dissolving(neuron)
            )
        })
        .collect();
    if lines.is_empty() {
        lines.push("you have no neuron: make one with `stoa neuron stake`".to_owned());
    }
    let json: Vec<Value> = neurons.iter().map(as_json).collect();
    Ok(Output::lines(lines, json.into()))
}

async fn follow(
    governance: &Governance,
    followees: Vec<String>,
    topics: Vec<TopicName>,
    neuron: &Neuron,
) -> Result<Output> {
    let id = neuron_id(governance, &neuron.which)?;
    let followees = followees
        .iter()
        .map(|followee| neuron_id(governance, followee))
        .collect::<Result<Vec<_>>>()?;
    let names = if topics.is_empty() {
        ALL_TOPICS.to_vec()
    } else {
        topics
    };
    let topics: Vec<Topic> = names.into_iter().map(topic).collect();
    governance.follow(id, &topics, &followees).await?;
    let whom = match followees.len() {
        0 => "nobody".to_owned(),
        1 => "1 neuron".to_owned(),
        many => format!("{many} neurons"),
    };
    Ok(Output::new(
        format!("it follows {whom} on {} topics", topics.len()),
        json!({"followees": followees.iter().map(hex::encode).collect::<Vec<_>>(), "topics": topics.len()}),
    ))
}

async fn permit(governance: &Governance, arguments: Permission, add: bool) -> Result<Output> {
    let id = neuron_id(governance, &arguments.neuron.which)?;
    let permissions: Vec<NeuronPermissionType> =
        arguments.permissions.into_iter().map(permission).collect();
    let principal = arguments.principal;
    if add {
        governance
            .add_permissions(id, principal, &permissions)
            .await?;
    } else {
        governance
            .remove_permissions(id, principal, &permissions)
            .await?;
    }
    Ok(show(&governance.neuron(id).await?))
}

async fn maturity(governance: &Governance, command: Maturity) -> Result<Output> {
    match command {
        Maturity::Stake { percentage, neuron } => {
            let id = neuron_id(governance, &neuron.which)?;
            let staked = governance.stake_maturity(id, percentage).await?;
            Ok(Output::new(
                format!("{} STOA of maturity are staked", format_tokens(staked)),
                json!({"staked_maturity_e8s": staked}),
            ))
        }
        Maturity::Disburse {
            percentage,
            to,
            neuron,
        } => {
            let id = neuron_id(governance, &neuron.which)?;
            let to = to.as_deref().map(parse_account).transpose()?;
            let taken = governance.disburse_maturity(id, percentage, to).await?;
            Ok(Output::new(
                format!("{} STOA of maturity become tokens", format_tokens(taken)),
                json!({"disbursed_e8s": taken}),
            ))
        }
    }
}

fn id_text(neuron: &WireNeuron) -> String {
    neuron
        .id
        .as_ref()
        .map_or_else(String::new, |id| hex::encode(&id.id))
}

fn days(seconds: u64) -> String {
    match seconds {
        0..86_400 => format!("{seconds} s"),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn dissolving(neuron: &WireNeuron) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    match neuron.dissolve_state {
        Some(DissolveState::DissolveDelaySeconds(0)) | None => {
            "dissolved: it can be disbursed".to_owned()
        }
        Some(DissolveState::DissolveDelaySeconds(seconds)) => {
            format!("locked for {}", days(seconds))
        }
        Some(DissolveState::WhenDissolvedTimestampSeconds(at)) if at > now => {
            format!("dissolving, {} left", days(at - now))
        }
        Some(DissolveState::WhenDissolvedTimestampSeconds(_)) => {
            "dissolved: it can be disbursed".to_owned()
        }
    }
}

fn as_json(neuron: &WireNeuron) -> Value {
    let (delay, dissolved_at) = match neuron.dissolve_state {
        Some(DissolveState::DissolveDelaySeconds(seconds)) => (Some(seconds), None),
        Some(DissolveState::WhenDissolvedTimestampSeconds(at)) => (None, Some(at)),
        None => (None, None),
    };
    let permissions: Vec<Value> = neuron
        .permissions
        .iter()
        .map(|held| {
            json!({
                "principal": held.principal.map(|principal| principal.to_text()),
                "permissions": held.permission_type,
            })
        })
        .collect();
    json!({
        "neuron": id_text(neuron),
        "stake_e8s": neuron.cached_neuron_stake_e8s,
        "fees_e8s": neuron.neuron_fees_e8s,
        "maturity_e8s": neuron.maturity_e8s_equivalent,
        "staked_maturity_e8s": neuron.staked_maturity_e8s_equivalent,
        "dissolve_delay_seconds": delay,
        "dissolved_at_seconds": dissolved_at,
        "permissions": permissions,
    })
}

fn show(neuron: &WireNeuron) -> Output {
    let mut lines = vec![
        format!("neuron    {}", id_text(neuron)),
        format!(
            "stake     {} STOA, of which {} are fees of rejected proposals",
            format_tokens(neuron.cached_neuron_stake_e8s),
            format_tokens(neuron.neuron_fees_e8s)
        ),
        format!(
            "maturity  {} STOA",
            format_tokens(neuron.maturity_e8s_equivalent)
        ),
        format!("state     {}", dissolving(neuron)),
    ];
    for held in &neuron.permissions {
        let names: Vec<String> = held
            .permission_type
            .iter()
            .map(|number| match NeuronPermissionType::try_from(*number) {
                Ok(known) => format!("{known:?}"),
                Err(unknown) => unknown.to_string(),
            })
            .collect();
        let principal = held
            .principal
            .map_or_else(String::new, |principal| principal.to_text());
        lines.push(format!("{principal} may: {}", names.join(", ")));
    }
    Output::lines(lines, as_json(neuron))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_read_durations_and_refuse_others() {
        assert_eq!(parse_duration("2d").unwrap().as_secs(), 172_800);
        assert_eq!(parse_duration("45s").unwrap().as_secs(), 45);
        for wrong in ["", "d", "5", "1.5h", "5 d", "99999999999999999999d", "5ü"] {
            let error = parse_duration(wrong).unwrap_err().to_string();
            assert!(error.contains("30d"), "{wrong}: {error}");
        }
    }

    #[test]
    fn should_write_bytes_as_candid_does() {
        assert_eq!(candid_blob(&[0, 10, 255]), "\\00\\0a\\ff");
    }
}
