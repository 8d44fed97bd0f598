//! Questions about the treasury: where it lies, and what was paid from it.

use candid::Nat;
use stoa_governance_api::{
    ListPayments, PaymentInfo, Subaccount, TreasuryInfo, token_treasury_subaccount,
};

use crate::dao_canisters::today;
use crate::memory::with_state;
use crate::runtime;

pub fn get_treasury() -> TreasuryInfo {
    with_state(|state| {
        let settings = state.settings();
        let keeping = &state.cycles_keeping.get().0;
        TreasuryInfo {
            icp_ledger: settings.icp_ledger,
            token_ledger: settings.token_ledger,
            cycles_minting: settings.cycles_minting,
            icp_subaccount: None,
            token_subaccount: Some(Subaccount {
                subaccount: token_treasury_subaccount(runtime::canister_self()).to_vec(),
            }),
            cycles_policy: (&keeping.policy).into(),
            cycles: Nat::from(runtime::cycle_balance()),
            spent_today_e8s: keeping.spent.on(today()),
            payments_under_way: state.open_payments.len(),
        }
    })
}

/// A payment is under 1.5 KiB, most of it a reason, so the worst answer is 150 KiB.
pub fn list_payments(request: ListPayments) -> Vec<PaymentInfo> {
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    with_state(|state| state.newest_payments(request.before, limit))
        .into_iter()
        .map(|(id, payment)| payment.into_wire(id))
        .collect()
}
