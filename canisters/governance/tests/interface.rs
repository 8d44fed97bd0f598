//! The committed interface is the code's.

use candid_parser::utils::{CandidSource, service_equal};

#[test]
fn should_have_the_interface_that_is_committed() {
    let code = stoa_governance::candid_interface();
    let committed = include_str!("../governance.did");
    service_equal(CandidSource::Text(&code), CandidSource::Text(committed))
        .unwrap_or_else(|error| panic!("governance.did differs from the code: {error}\n{code}"));
}
