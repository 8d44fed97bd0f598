//! Bars on standard error for work that takes long. Nothing is drawn where nobody looks (no terminal).

use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// A bar over bytes; its total may be told later.
pub fn bytes(what: &str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{msg} {bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}",
    )
    .expect("BUG: the template is a constant");
    ProgressBar::new(total)
        .with_style(style)
        .with_message(what.to_owned())
        // Also where an error ends it early: the error stands alone.
        .with_finish(ProgressFinish::AndClear)
}

/// Something turns while we wait for the network.
pub fn waiting(what: &str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}
