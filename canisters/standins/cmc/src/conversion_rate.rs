//! The rate and its certificate, as mainnet's canister gives them.

use candid::Encode;
use ic_certification::{HashTree, label, leaf};
use stoa_cmc_api::{IcpXdrConversionRate, IcpXdrConversionRateResponse};

use crate::memory::with_state;
use crate::runtime;

const LABEL: &str = "ICP_XDR_CONVERSION_RATE";
/// CBOR's mark of self-description, tag 55799, which readers of trees expect.
const SELF_DESCRIBED: [u8; 3] = [0xd9, 0xd9, 0xf7];

fn rate() -> IcpXdrConversionRate {
    with_state(|state| {
        let settings = state.settings();
        IcpXdrConversionRate {
            timestamp_seconds: settings.rate_timestamp_seconds,
            xdr_permyriad_per_icp: settings.xdr_permyriad_per_icp,
        }
    })
}

fn tree() -> HashTree {
    label(LABEL, leaf(Encode!(&rate()).expect("BUG: a rate encodes")))
}

/// To be called after every install and upgrade: certified data does not survive them.
pub fn certify() {
    runtime::set_certified_data(tree().digest());
}

pub fn get_icp_xdr_conversion_rate() -> IcpXdrConversionRateResponse {
    let mut hash_tree = SELF_DESCRIBED.to_vec();
    ciborium::into_writer(&tree(), &mut hash_tree).expect("BUG: writing to memory cannot fail");
    IcpXdrConversionRateResponse {
        data: rate(),
        hash_tree,
        // There is none in a replicated call; mainnet's answers empty bytes then too.
        certificate: runtime::data_certificate().unwrap_or_default(),
    }
}
