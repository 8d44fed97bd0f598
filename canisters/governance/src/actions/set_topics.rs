//! `SetTopicsForCustomProposals`: the topics of generic functions, and so who follows whom
//! on their proposals and how many votes these need. Proposals that were made keep theirs.

use stoa_governance_api as api;
use stoa_governance_api::code::action_id;

use super::{Action, Performed, invalid};
use crate::function::FUNCTIONS_MAX;
use crate::memory::{State, with_state};
use crate::refusal::Refusal;
use crate::topic::Topic;

pub fn parse(wire: api::SetTopicsForCustomProposals) -> Result<Action, Refusal> {
    let given = wire.custom_function_id_to_topic;
    if given.is_empty() || given.len() as u64 > FUNCTIONS_MAX {
        return invalid(format!(
            "topics of {} functions are given, it must be from 1 to {FUNCTIONS_MAX}",
            given.len()
        ));
    }
    let mut topics: Vec<(u64, Topic)> = Vec::with_capacity(given.len());
    for (id, topic) in given {
        if id < action_id::FIRST_GENERIC {
            return invalid(format!(
                "the topic of the native action {id} does not change"
            ));
        }
        if topics.iter().any(|(other, _)| *other == id) {
            return invalid(format!("function {id} is given two topics"));
        }
        topics.push((id, topic.into()));
    }
    Ok(Action::SetTopics { topics })
}

pub fn to_wire(topics: Vec<(u64, Topic)>) -> api::SetTopicsForCustomProposals {
    api::SetTopicsForCustomProposals {
        custom_function_id_to_topic: topics
            .into_iter()
            .map(|(id, topic)| (id, topic.into()))
            .collect(),
    }
}

pub fn check(topics: &[(u64, Topic)], state: &State) -> Result<(), Refusal> {
    for (id, _) in topics {
        state.generic_function(*id)?;
    }
    Ok(())
}

pub fn render(topics: &[(u64, Topic)], state: &State) -> Result<String, Refusal> {
    let mut text = "# Set topics of generic functions\n".to_string();
    for (id, topic) in topics {
        let function = state.generic_function(*id)?;
        text += &format!(
            "\n- {id}, {}: {}, before {}",
            function.name,
            topic.name(),
            function.topic.map_or("(none)", Topic::name),
        );
    }
    Ok(text)
}

/// All of them or none.
pub fn execute(topics: &[(u64, Topic)]) -> Performed {
    with_state(|state| {
        check(topics, state)?;
        for (id, topic) in topics {
            state.set_topic(*id, *topic)?;
        }
        Ok(())
    })
    .into()
}
