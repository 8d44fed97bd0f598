//! Threads for executions that nobody else waits on: queries and inspections.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::sync::oneshot;

use crate::wasm::THREAD_STACK_BYTES;

type Job = Box<dyn FnOnce() + Send>;

/// Few threads, each with a stack that Wasm may use. They end with this value.
pub struct QueryThreads {
    jobs: Mutex<Sender<Job>>,
}

impl QueryThreads {
    pub fn start(count: usize) -> io::Result<Self> {
        let (sender, receiver) = channel::<Job>();
        let receiver = Arc::new(Mutex::new(receiver));
        for index in 0..count {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new()
                .name(format!("query-{index}"))
                .stack_size(THREAD_STACK_BYTES)
                .spawn(move || work(&receiver))?;
        }
        Ok(Self {
            jobs: Mutex::new(sender),
        })
    }

    /// None if the work could not be done because the threads are gone.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Nobody listens if the client went away; then the result is of no use.
            drop(sender.send(work()));
        });
        self.jobs
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .send(job)
            .ok()?;
        receiver.await.ok()
    }
}

fn work(receiver: &Mutex<Receiver<Job>>) {
    loop {
        let job = receiver
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}
