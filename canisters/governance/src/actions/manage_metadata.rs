//! `ManageSnsMetadata`: name, description, address and logo of the DAO, as `get_metadata`
//! gives them.

use std::ops::RangeInclusive;

use minicbor::{Decode, Encode};
use stoa_governance_api as api;

use super::branding::{check_logo, check_text, describe_logo};
use super::{Action, Performed, invalid};
use crate::cbor::{Added, Cbor};
use crate::memory::{State, with_state};
use crate::refusal::Refusal;
use crate::settings::Settings;

/// The SNS's limits.
const NAME_LENGTH_BYTES: RangeInclusive<usize> = 4..=255;
const DESCRIPTION_LENGTH_BYTES: RangeInclusive<usize> = 10..=2_000;
const URL_LENGTH_BYTES: RangeInclusive<usize> = 10..=512;

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct MetadataChange {
    #[n(0)]
    name: Option<String>,
    #[n(1)]
    description: Option<String>,
    #[n(2)]
    url: Option<String>,
    #[n(3)]
    logo: Option<String>,
}

impl From<MetadataChange> for api::ManageSnsMetadata {
    fn from(change: MetadataChange) -> Self {
        Self {
            url: change.url,
            logo: change.logo,
            name: change.name,
            description: change.description,
        }
    }
}

pub fn parse(wire: api::ManageSnsMetadata) -> Result<Action, Refusal> {
    let api::ManageSnsMetadata {
        url,
        logo,
        name,
        description,
    } = wire;
    if [&url, &logo, &name, &description]
        .into_iter()
        .all(Option::is_none)
    {
        return invalid("nothing to change is given".to_string());
    }
    if let Some(name) = &name {
        check_text("name", name, NAME_LENGTH_BYTES)?;
    }
    if let Some(description) = &description {
        check_text("description", description, DESCRIPTION_LENGTH_BYTES)?;
    }
    if let Some(url) = &url {
        check_text("url", url, URL_LENGTH_BYTES)?;
    }
    if let Some(logo) = &logo {
        check_logo("logo", logo)?;
    }
    Ok(Action::ManageMetadata {
        change: MetadataChange {
            name,
            description,
            url,
            logo,
        },
    })
}

/// What is and what would be.
pub fn render(change: &MetadataChange, state: &State) -> String {
    let settings = state.settings();
    let logo = settings.logo.as_deref().map(describe_logo);
    let new_logo = change.logo.as_deref().map(describe_logo);
    let mut text = "# Change the DAO's name and texts".to_string();
    for (title, new, old) in [
        ("Name", &change.name, settings.name.as_str()),
        ("Description", &change.description, &settings.description),
        ("Address", &change.url, &settings.url),
        ("Logo", &new_logo, logo.as_deref().unwrap_or("")),
    ] {
        let Some(new) = new else {
            continue;
        };
        let old = if old.is_empty() { "(none)" } else { old };
        text += &format!("\n\n## {title}\n\n{new}\n\nBefore: {old}");
    }
    text
}

pub fn execute(change: MetadataChange) -> Performed {
    with_state(|state| {
        let before = state.settings().clone();
        state.settings.set(Cbor(Some(Settings {
            name: change.name.unwrap_or(before.name),
            description: change.description.unwrap_or(before.description),
            url: change.url.unwrap_or(before.url),
            logo: match change.logo {
                None => before.logo,
                new => Added(new),
            },
            ..before
        })));
    });
    Performed::Finished(Ok(()))
}
