//! Questions about governance itself: parameters, functions, topics, texts.

use stoa_governance_api::code::Mode;
use stoa_governance_api::{
    GetMetadataResponse, GetModeResponse, ListNervousSystemFunctionsResponse, ListTopicsResponse,
    NervousSystemFunction, NervousSystemParameters, RewardEvent, TopicInfo,
};

use crate::function::native_functions;
use crate::memory::with_state;
use crate::topic::Topic;

pub fn get_nervous_system_parameters() -> NervousSystemParameters {
    with_state(|state| state.parameters().into())
}

pub fn get_metadata() -> GetMetadataResponse {
    with_state(|state| {
        let settings = state.settings();
        GetMetadataResponse {
            url: Some(settings.url.clone()),
            logo: settings.logo.0.clone(),
            name: Some(settings.name.clone()),
            description: Some(settings.description.clone()),
        }
    })
}

pub fn get_latest_reward_event() -> RewardEvent {
    with_state(|state| state.latest_reward_event())
}

/// There is no swap before which anything would be closed.
pub fn get_mode() -> GetModeResponse {
    GetModeResponse {
        mode: Some(Mode::Normal.number()),
    }
}

pub fn list_nervous_system_functions() -> ListNervousSystemFunctionsResponse {
    with_state(|state| ListNervousSystemFunctionsResponse {
        reserved_ids: state.reserved_ids().collect(),
        functions: native_functions()
            .map(|(function, _)| function)
            .chain(state.present_functions().map(Into::into))
            .collect(),
    })
}

pub fn list_topics() -> ListTopicsResponse {
    let custom: Vec<(Option<Topic>, NervousSystemFunction)> = with_state(|state| {
        state
            .present_functions()
            .map(|function| (function.topic, function.into()))
            .collect()
    });
    let of = |topic: Option<Topic>| {
        custom
            .iter()
            .filter(|(its, _)| *its == topic)
            .map(|(_, function)| function.clone())
            .collect()
    };
    let topics = Topic::ALL
        .into_iter()
        .map(|topic| TopicInfo {
            topic: Some(topic.into()),
            name: Some(topic.name().to_string()),
            description: Some(topic.description().to_string()),
            native_functions: Some(
                native_functions()
                    .filter(|(_, its)| *its == topic)
                    .map(|(function, _)| function)
                    .collect(),
            ),
            custom_functions: Some(of(Some(topic))),
            is_critical: Some(topic.is_critical()),
        })
        .collect();
    ListTopicsResponse {
        topics: Some(topics),
        uncategorized_functions: Some(of(None)),
    }
}
