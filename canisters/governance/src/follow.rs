//! `Follow` (by function) and `SetFollowing` (by topic). Setting followees of a topic
//! ends the following in its single functions, as in the SNS.

use std::collections::BTreeSet;

use candid::Principal;
use stoa_governance_api::code::NeuronPermissionType;
use stoa_governance_api::{self as api, CommandResponse, NeuronId};

use crate::following::{FOLLOWEES_OF_NEURON_MAX, Followee, Subject};
use crate::function::{native_functions, native_topic};
use crate::memory::{State, with_state};
use crate::neuron::{NeuronKey, neuron_key};
use crate::refusal::Refusal;
use crate::topic::Topic;

/// The SNS's limit.
const ALIAS_LENGTH_BYTES_MAX: usize = 128;

pub fn follow(
    key: NeuronKey,
    caller: Principal,
    command: api::Follow,
) -> Result<CommandResponse, Refusal> {
    let wanted = command
        .followees
        .into_iter()
        .map(|followee| (Some(followee), None))
        .collect();
    with_state(|state| {
        state
            .neuron(&key)?
            .require(caller, NeuronPermissionType::Vote)?;
        let function = command.function_id;
        let is_known = function == Subject::CATCH_ALL_FUNCTION
            || native_topic(function).is_some()
            || state.generic_function(function).is_ok();
        if !is_known {
            return Err(Refusal::UnknownFunction { function });
        }
        let subject = Subject::function(function);
        let followees = parse(state, &key, wanted)?;
        check_room(state, &key, &[(subject, followees.len())])?;
        state.set_followees(key, subject, followees);
        Ok(CommandResponse::Follow {})
    })
}

pub fn set_following(
    key: NeuronKey,
    caller: Principal,
    command: api::SetFollowing,
) -> Result<CommandResponse, Refusal> {
    with_state(|state| {
        state
            .neuron(&key)?
            .require(caller, NeuronPermissionType::Vote)?;
        // All of it is checked before any of it is written.
        let mut changes: Vec<(Topic, Vec<Followee>)> = Vec::new();
        for wanted in command.topic_following {
            let topic: Topic = wanted
                .topic
                .ok_or(Refusal::MissingField { field: "topic" })?
                .into();
            if changes.iter().any(|(other, _)| *other == topic) {
                return Err(Refusal::InvalidFollowing {
                    reason: format!("the topic {} is given twice", topic.name()),
                });
            }
            let followees = wanted
                .followees
                .into_iter()
                .map(|followee| (followee.neuron_id, followee.alias))
                .collect();
            changes.push((topic, parse(state, &key, followees)?));
        }
        let sizes: Vec<_> = changes
            .iter()
            .map(|(topic, followees)| (Subject::topic(*topic), followees.len()))
            .collect();
        check_room(state, &key, &sizes)?;
        for (topic, followees) in changes {
            for function in functions_of(state, topic) {
                state.set_followees(key, Subject::function(function), vec![]);
            }
            state.set_followees(key, Subject::topic(topic), followees);
        }
        Ok(CommandResponse::SetFollowing {})
    })
}

fn functions_of(state: &State, topic: Topic) -> Vec<u64> {
    native_functions()
        .filter(|(_, its)| *its == topic)
        .map(|(function, _)| function.id)
        .chain(
            state
                .present_functions()
                .filter(|function| function.topic == Some(topic))
                .map(|function| function.id),
        )
        .collect()
}

fn parse(
    state: &State,
    follower: &NeuronKey,
    wanted: Vec<(Option<NeuronId>, Option<String>)>,
) -> Result<Vec<Followee>, Refusal> {
    let invalid = |reason: String| Err(Refusal::InvalidFollowing { reason });
    let max = state.parameters().max_followees_per_function;
    if wanted.len() as u64 > max {
        return invalid(format!(
            "{} followees are given, at most {max} are allowed",
            wanted.len()
        ));
    }
    let mut seen = BTreeSet::new();
    let mut followees = Vec::new();
    for (id, alias) in wanted {
        let id = id.ok_or(Refusal::MissingField { field: "neuron_id" })?;
        let neuron = neuron_key(&id.id)?;
        if neuron == *follower {
            return invalid("a neuron cannot follow itself".to_string());
        }
        if !seen.insert(neuron) {
            return invalid(format!(
                "the followee {} is given twice",
                hex::encode(neuron)
            ));
        }
        if let Some(alias) = &alias
            && alias.len() > ALIAS_LENGTH_BYTES_MAX
        {
            return invalid(format!(
                "an alias has {} bytes, at most {ALIAS_LENGTH_BYTES_MAX} are allowed",
                alias.len()
            ));
        }
        followees.push(Followee { neuron, alias });
    }
    Ok(followees)
}

fn check_room(state: &State, key: &NeuronKey, changes: &[(Subject, usize)]) -> Result<(), Refusal> {
    let kept: usize = state
        .subjects_of(key)
        .iter()
        .filter(|(subject, _)| !changes.iter().any(|(changed, _)| changed == subject))
        .map(|(_, followees)| followees.len())
        .sum();
    let given = kept + changes.iter().map(|(_, count)| count).sum::<usize>();
    if given > FOLLOWEES_OF_NEURON_MAX {
        return Err(Refusal::TooManyFollowees {
            given,
            max: FOLLOWEES_OF_NEURON_MAX,
        });
    }
    Ok(())
}
