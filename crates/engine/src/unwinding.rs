//! The last line: a panic inside of `tract` becomes an error where panics unwind. In a canister a panic is a trap, which
//! ends the message and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `work` leaves half done when it panics must not be used again: callers hand over what they own.
pub(crate) fn guard<T, E>(
    work: impl FnOnce() -> Result<T, E>,
    failed: impl FnOnce(String) -> E,
) -> Result<T, E> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(panic) => {
            let reason = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("a panic without a text");
            Err(failed(stoa_pipeline::cut(reason.to_owned())))
        }
    }
}
