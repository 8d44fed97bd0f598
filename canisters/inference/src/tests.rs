//! Tests of the logic against a world that can stop, lose or refuse any call.

mod calls;
mod decisions;
mod interface;
mod interleavings;
mod jobs;
mod loads;
mod migration;
mod money;
mod top_ups;
mod web;
mod world;
