//! `ManageNervousSystemParameters`: what it gives takes the place of what was.
//!
//! Proposals keep the rules of their creation. Where the rules of voting power change,
//! every neuron has to be counted anew before a proposal can be made again: a job of
//! bounded messages (`neurons::work_off_recounts`).

use minicbor::{Decode, Encode};
use stoa_governance_api as api;

use super::{Action, Performed, invalid};
use crate::memory::{State, with_state};
use crate::parameters::Parameters;
use crate::refusal::Refusal;

/// The change as it was proposed, in Candid: it means what it meant then, whatever
/// parameters are added to the type.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ParameterChange {
    #[cbor(n(0), with = "minicbor::bytes")]
    candid: Vec<u8>,
}

impl From<&ParameterChange> for api::NervousSystemParameters {
    fn from(change: &ParameterChange) -> Self {
        candid::decode_one(&change.candid).expect("BUG: stored parameters do not decode")
    }
}

pub fn parse(wire: api::NervousSystemParameters) -> Result<Action, Refusal> {
    if wire == api::NervousSystemParameters::default() {
        return invalid("no parameter is given".to_string());
    }
    Ok(Action::ManageParameters {
        change: ParameterChange {
            candid: candid::encode_one(wire).expect("BUG: parameters encode"),
        },
    })
}

fn changed(change: &ParameterChange, state: &State) -> Result<Parameters, Refusal> {
    state
        .parameters()
        .changed_by(&change.into())
        .map_err(|error| Refusal::InvalidProposal {
            reason: error.to_string(),
        })
}

pub fn check(change: &ParameterChange, state: &State) -> Result<(), Refusal> {
    changed(change, state).map(|_| ())
}

/// Old and new values of what changes.
pub fn render(change: &ParameterChange, state: &State) -> Result<String, Refusal> {
    let before = api::NervousSystemParameters::from(state.parameters());
    let after = api::NervousSystemParameters::from(&changed(change, state)?);
    // The Debug form names every field on a line of its own.
    let (before, after) = (format!("{before:#?}"), format!("{after:#?}"));
    Ok(format!(
        "# Manage nervous system parameters\n\n## Before\n\n```\n{before}\n```\n\n## After\n\n```\n{after}\n```"
    ))
}

pub fn execute(change: &ParameterChange) -> Performed {
    with_state(|state| {
        let new = changed(change, state)?;
        state.set_parameters(new);
        Ok(())
    })
    .into()
}
