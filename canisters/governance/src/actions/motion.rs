//! `Motion`: says what the token holders think. Executing it does nothing.

use stoa_governance_api as api;

use super::{Action, invalid};
use crate::refusal::Refusal;

/// The SNS's limit.
const MOTION_TEXT_LENGTH_BYTES_MAX: usize = 10_000;

pub fn parse(wire: api::Motion) -> Result<Action, Refusal> {
    let length = wire.motion_text.len();
    if length > MOTION_TEXT_LENGTH_BYTES_MAX {
        return invalid(format!(
            "the motion has {length} bytes, at most {MOTION_TEXT_LENGTH_BYTES_MAX} are allowed"
        ));
    }
    Ok(Action::Motion {
        text: wire.motion_text,
    })
}

pub fn render(text: &str) -> String {
    format!("# Motion\n\n{text}")
}
