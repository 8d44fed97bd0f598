//! Wire types of governance: the part of the SNS governance interface that Stoa
//! speaks, field by field and variant by variant as the SNS names them, so that a
//! stock SNS client works against it and a genuine SNS can take its place.
//!
//! What holds: for every method that the canister exposes, a client that was built
//! for the reference interface can call it and read its answer. A test of the
//! canister shows this against the reference `.did`. Records may lack optional
//! fields of the reference and variants under an `opt` may lack cases; such a case
//! arrives as `null` and is answered as an unknown command or action.

pub mod code;
mod command;
mod function;
mod init;
mod listing;
mod neuron;
mod parameters;
mod proposal;
mod subaccount;
mod treasury;

pub use command::*;
pub use function::*;
pub use init::*;
pub use listing::*;
pub use neuron::*;
pub use parameters::*;
pub use proposal::*;
pub use subaccount::neuron_staking_subaccount;
pub use treasury::*;
