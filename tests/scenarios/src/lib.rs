//! Scenarios: what people do with Stoa, over an endpoint and a stock agent.
//!
//! What must hold: nothing here knows which network answers. `STOA_ENDPOINT` names one that offers
//! `provisional_create_canister_with_cycles`; without it an embedded network is started in this process. Ids are what
//! the network gives, answers may take seconds, and other tests run on the same network at the same time.

mod command_line;
mod dao;
mod half_of_limits;
mod layers;
mod lone_shard;
mod model;
mod network;
mod outage;
mod page;
mod proxy;
mod slow;
mod stalled;
mod world;
mod written;

pub use command_line::CommandLine;
pub use dao::{
    LedgerFault, LedgerFaultKind, execute_function, until, upgrade_in_flight,
    upgrade_without_stopping,
};
pub use layers::{image_classifier, text_classifier};
pub use lone_shard::LoneShard;
pub use model::{digits, digits_inputs, made_model, model_with_extra_file, projection, token_ids};
pub use network::run;
pub use outage::Line;
pub use page::page;
pub use proxy::{Forwarded, Proxy};
pub use slow::Slow;
pub use stalled::Stalled;
pub use world::{
    AUTHORS_PRICE_E8S, Actor, ONE_TOKEN, PATIENCE, Published, WHALE, World, connect,
    fresh_identity, inputs_of, other_build_of, outputs_of, wasm_folder,
};
