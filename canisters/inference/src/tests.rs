//! Tests of the logic against a world that can stop, lose or refuse any call.

#![allow(clippy::disallowed_types, reason = "tensors have floats")]

mod calls;
mod decisions;
mod interface;
mod interleavings;
mod jobs;
mod loads;
mod migration;
mod money;
mod promises;
mod top_ups;
mod web;
mod world;
