//! Tests of the logic against a world that can stop, lose or refuse any call.

mod calls;
mod interface;
mod loads;
mod money;
mod top_ups;
mod world;
