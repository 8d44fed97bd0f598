//! What timers start.

use crate::runtime::{Runtime, Task};
use crate::{load_job, recovery, top_up};

pub async fn run<R: Runtime>(runtime: R, task: Task) {
    match task {
        Task::Loads => load_job::drive(&runtime).await,
        Task::Payments => recovery::recover(&runtime).await,
        Task::TopUp => top_up::run(&runtime).await,
    }
}
