//! Benchmarks whose results are committed: on the Internet Computer the measure is instructions, which are exact and
//! repeatable, so a change in `benches/results` is a change in the code.
//!
//! Each file in `src/bin` is one subject and writes one table, `results/<subject>.md`. Instructions are read from the embedded
//! network's record of executions, since no public interface tells them: a benchmark, unlike a scenario, knows its network.

mod meter;
mod snapshot;
mod table;

pub use meter::{Execution, Mark, Meter};
pub use snapshot::Snapshots;
pub use table::Table;
