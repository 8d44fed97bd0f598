//! What the DAO owns and pays, and which canisters it keeps alive.

use candid::Principal;
use icrc_ledger_types::icrc1::account::Account;
use stoa_governance_api::{CyclesSample, ListPayments, PaymentInfo, Subaccount, TreasuryInfo};

use super::Governance;
use crate::error::{ClientError, Result};

impl Governance {
    pub async fn treasury(&self) -> Result<TreasuryInfo> {
        let (treasury,) = self
            .connection
            .query(self.canister, "get_treasury", ())
            .await?;
        Ok(treasury)
    }

    /// The newest payments, or those below `before`.
    pub async fn payments(&self, before: Option<u64>, limit: u32) -> Result<Vec<PaymentInfo>> {
        let (payments,) = self
            .connection
            .query(
                self.canister,
                "list_payments",
                (ListPayments { before, limit },),
            )
            .await?;
        Ok(payments)
    }

    pub async fn dao_canisters(&self) -> Result<Vec<Principal>> {
        let (canisters,) = self
            .connection
            .query(self.canister, "list_dao_canisters", ())
            .await?;
        Ok(canisters)
    }

    /// What governance read of a canister of the DAO in the last thirty days, oldest first, an hour apart.
    pub async fn cycles_history(&self, canister: Principal) -> Result<Vec<CyclesSample>> {
        let (samples,) = self
            .connection
            .query(self.canister, "get_cycles_history", (canister,))
            .await?;
        Ok(samples)
    }

    /// An account of governance, as `TreasuryInfo` names it.
    pub fn account(&self, subaccount: Option<&Subaccount>) -> Result<Account> {
        let subaccount = subaccount
            .map(|given| {
                given.subaccount.as_slice().try_into().map_err(|_| {
                    ClientError::Failed("governance named a subaccount that is none".to_owned())
                })
            })
            .transpose()?;
        Ok(Account {
            owner: self.canister,
            subaccount,
        })
    }
}
