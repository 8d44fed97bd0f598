//! `stoa propose`: every kind of proposal.

use candid::Principal;
use clap::ValueEnum;
use serde_json::json;
use stoa_client::amount::parse_tokens;
use stoa_client::governance::{
    Governance, Texts, Treasury, metadata_changes, parameter_changes, upgrade_argument,
};
use stoa_client::wasm::Wasm;
use stoa_client::{ClientError, Result};
use stoa_governance_api::{
    Action, FunctionType, GenericNervousSystemFunction, NervousSystemFunction,
    SetTopicsForCustomProposals, Topic,
};

use super::admission;
use super::neuron::{neuron_id, parse_account, topic};
use crate::arguments::{Neuron, ProposalTexts, Propose, TopicName, TreasuryToken};
use crate::context::Context;
use crate::output::Output;

pub async fn propose(context: &Context, command: Propose) -> Result<Output> {
    let id = match command {
        Propose::Admit { version, neuron } => admission::propose(context, version, &neuron).await?,
        other => {
            let stoa = context.open().await?;
            native(&stoa.governance(), other).await?
        }
    };
    Ok(Output::new(
        format!("proposal {id}; vote on it with `stoa vote {id} yes`"),
        json!({"proposal": id}),
    ))
}

async fn native(governance: &Governance, command: Propose) -> Result<u64> {
    let of = |neuron: &Neuron| neuron_id(governance, &neuron.which);
    match command {
        Propose::Admit { .. } => unreachable!("BUG: the registry hands out admissions"),
        Propose::Motion {
            title,
            text,
            neuron,
        } => governance.propose_motion(of(&neuron)?, &title, &text).await,
        Propose::Parameters {
            changes,
            texts,
            neuron,
        } => {
            let parameters = parameter_changes(&changes)?;
            let texts = with_title(texts, || format!("Set {}", changes.join(", ")));
            let action = Action::ManageNervousSystemParameters(parameters);
            governance.propose_action(of(&neuron)?, texts, action).await
        }
        Propose::Transfer {
            amount,
            token,
            to,
            memo,
            texts,
            neuron,
        } => {
            let (treasury, symbol) = match token {
                TreasuryToken::Icp => (Treasury::Icp, "ICP"),
                TreasuryToken::Stoa => (Treasury::Token, "STOA"),
            };
            let e8s = parse_tokens(&amount)?;
            let account = parse_account(&to)?;
            let texts = with_title(texts, || format!("Pay {amount} {symbol} to {to}"));
            governance
                .propose_transfer(of(&neuron)?, texts, treasury, e8s, account, memo)
                .await
        }
        Propose::Upgrade {
            canister,
            wasm,
            argument,
            store,
            texts,
            neuron,
        } => {
            let module = Wasm::read(&wasm)?;
            let argument = argument.as_deref().map(upgrade_argument).transpose()?;
            let texts = with_title(texts, || format!("Upgrade {canister} to {}", module.hash));
            governance
                .propose_upgrade(of(&neuron)?, texts, canister, &module, argument, store)
                .await
        }
        Propose::Execute {
            function,
            arguments,
            texts,
            neuron,
        } => {
            let payload = governance.payload(function, &arguments).await?;
            let texts = with_title(texts, || format!("Call function {function}"));
            governance
                .propose_execution(of(&neuron)?, texts, function, payload)
                .await
        }
        Propose::AddFunction {
            id,
            name,
            target,
            validator,
            description,
            topic: of_topic,
            texts,
            neuron,
        } => {
            let (target_canister, target_method) = canister_method(&target)?;
            let (validator_canister, validator_method) = canister_method(&validator)?;
            let texts = with_title(texts, || format!("Add function {id}: {name}"));
            let function = NervousSystemFunction {
                id,
                name,
                description,
                function_type: Some(FunctionType::GenericNervousSystemFunction(
                    GenericNervousSystemFunction {
                        validator_canister_id: Some(validator_canister),
                        target_canister_id: Some(target_canister),
                        validator_method_name: Some(validator_method),
                        target_method_name: Some(target_method),
                        topic: Some(topic(of_topic)),
                    },
                )),
            };
            let action = Action::AddGenericNervousSystemFunction(function);
            governance.propose_action(of(&neuron)?, texts, action).await
        }
        Propose::Topics {
            changes,
            texts,
            neuron,
        } => {
            let topics = SetTopicsForCustomProposals {
                custom_function_id_to_topic: changes
                    .iter()
                    .map(|change| function_topic(change))
                    .collect::<Result<_>>()?,
            };
            let texts = with_title(texts, || format!("Set topics {}", changes.join(", ")));
            let action = Action::SetTopicsForCustomProposals(topics);
            governance.propose_action(of(&neuron)?, texts, action).await
        }
        Propose::Metadata {
            changes,
            texts,
            neuron,
        } => {
            let metadata = metadata_changes(&changes)?;
            let texts = with_title(texts, || format!("Set {}", changes.join(", ")));
            let action = Action::ManageSnsMetadata(metadata);
            governance.propose_action(of(&neuron)?, texts, action).await
        }
        Propose::RemoveFunction { id, texts, neuron } => {
            let texts = with_title(texts, || format!("Remove function {id}"));
            let action = Action::RemoveGenericNervousSystemFunction(id);
            governance.propose_action(of(&neuron)?, texts, action).await
        }
    }
}

pub(super) fn with_title(texts: ProposalTexts, default: impl FnOnce() -> String) -> Texts {
    let mut title = texts.title.unwrap_or_else(default);
    // Governance's limit for a title, which a made one might pass.
    title.truncate(title.floor_char_boundary(256));
    Texts {
        title,
        summary: texts.summary,
        url: texts.url,
    }
}

fn function_topic(text: &str) -> Result<(u64, Topic)> {
    let invalid = || {
        let names: Vec<String> = TopicName::value_variants()
            .iter()
            .filter_map(|name| Some(name.to_possible_value()?.get_name().to_owned()))
            .collect();
        ClientError::InvalidArgument(format!(
            "\"{text}\" gives no function a topic: write function=topic, such as 1003=treasury; \
             there are {}",
            names.join(", ")
        ))
    };
    let (id, name) = text.split_once('=').ok_or_else(invalid)?;
    let id = id.parse().map_err(|_| invalid())?;
    let name = TopicName::from_str(name, true).map_err(|_| invalid())?;
    Ok((id, topic(name)))
}

fn canister_method(text: &str) -> Result<(Principal, String)> {
    let invalid = || {
        ClientError::InvalidArgument(format!(
            "\"{text}\" names no method: write canister.method, such as aaaaa-aa.method"
        ))
    };
    let (canister, method) = text.split_once('.').ok_or_else(invalid)?;
    let canister = Principal::from_text(canister).map_err(|_| invalid())?;
    if method.is_empty() {
        return Err(invalid());
    }
    Ok((canister, method.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_read_a_topic_of_a_function_and_name_those_that_there_are() {
        let read = function_topic("1003=treasury").unwrap();
        assert_eq!(read, (1_003, Topic::TreasuryAssetManagement));
        for wrong in ["1003", "x=treasury", "1003=money"] {
            let error = function_topic(wrong).unwrap_err().to_string();
            assert!(error.contains("settings, framework"), "{error}");
        }
    }

    #[test]
    fn should_read_a_method_of_a_canister() {
        let (canister, method) = canister_method("aaaaa-aa.set").unwrap();
        assert_eq!(canister, Principal::management_canister());
        assert_eq!(method, "set");
        for wrong in ["aaaaa-aa", "x.set", "aaaaa-aa."] {
            assert!(canister_method(wrong).is_err(), "{wrong}");
        }
    }
}
