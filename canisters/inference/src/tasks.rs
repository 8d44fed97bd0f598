//! What timers start.

use crate::runtime::{Runtime, Task};
use crate::{cycles, jobs, load_job, money, recovery, top_up, transfers};

pub async fn run<R: Runtime>(runtime: R, task: Task) {
    match task {
        Task::Loads => load_job::drive(&runtime).await,
        Task::Payments => recovery::recover(&runtime).await,
        Task::TopUp => top_up::run(&runtime).await,
        Task::Transfers => transfers::recover(&runtime).await,
        Task::Payouts => money::pay_out(&runtime).await,
        Task::Jobs => jobs::drive(&runtime).await,
        Task::CyclesSample => cycles::sample(&runtime),
    }
}
