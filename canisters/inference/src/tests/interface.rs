//! The written interface and the code's are one.

use candid_parser::utils::{CandidSource, service_equal};

#[test]
fn should_have_the_interface_that_the_did_file_says() {
    let written = include_str!("../../inference.did");
    service_equal(
        CandidSource::Text(&crate::interface()),
        CandidSource::Text(written),
    )
    .unwrap();
}
