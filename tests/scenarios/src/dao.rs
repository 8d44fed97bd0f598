//! What a majority does: proposing and having it executed at once; and a stand-in's faults, which only its controller
//! can order.

use std::time::{Duration, Instant};

use candid::{CandidType, Nat, Principal};
use ic_management_canister_types::{CanisterInstallMode, InstallCodeArgs};
use icrc_ledger_types::icrc1::account::Account;
use stoa_client::deploy::candid_nothing;
use stoa_client::governance::Texts;
use stoa_client::{Connection, Result};
use stoa_cmc_api::Fault as MintingFault;
use stoa_governance_api::{
    Action, ExecuteGenericNervousSystemFunction, PaymentInfo, PaymentPurpose, ProposalData,
};

use crate::world::{Actor, PATIENCE, WHALE, World, wasm_folder};

/// As the ledger's stand-in has it in its interface.
#[derive(CandidType, Clone, Copy, Debug)]
pub enum LedgerFaultKind {
    Reject,
    LoseAnswer,
    AnswerLate { seconds: u64 },
    TemporarilyUnavailable,
}

#[derive(CandidType, Clone, Debug)]
pub struct LedgerFault {
    pub method: String,
    pub kind: LedgerFaultKind,
    pub after_calls: u32,
    pub calls: u32,
}

impl LedgerFault {
    /// The next call of `method`, and no other.
    pub fn next(method: &str, kind: LedgerFaultKind) -> Self {
        Self {
            method: method.to_owned(),
            kind,
            after_calls: 0,
            calls: 1,
        }
    }
}

/// A call of the generic function by a proposal.
pub fn execute_function(function_id: u64, payload: Vec<u8>) -> Action {
    Action::ExecuteGenericNervousSystemFunction(ExecuteGenericNervousSystemFunction {
        function_id,
        payload,
    })
}

impl World {
    /// Made by the neuron that has the majority, whose yes decides.
    pub async fn propose(&self, action: Action) -> u64 {
        let governance = self.deployer.governance();
        governance
            .propose_action(governance.neuron_id(WHALE), Texts::titled("A test"), action)
            .await
            .expect("proposed")
    }

    pub async fn adopt(&self, action: Action) -> ProposalData {
        let proposal = self.propose(action).await;
        self.deployer
            .governance()
            .wait_executed(proposal, PATIENCE)
            .await
            .expect("executed")
    }

    /// The execution's outcome, also where it failed.
    pub async fn outcome(&self, proposal: u64) -> std::result::Result<ProposalData, String> {
        self.deployer
            .governance()
            .wait_executed(proposal, PATIENCE)
            .await
            .map_err(|error| error.to_string())
    }

    /// Orders faults of the ICP or the token ledger; the deployer must not have handed over.
    pub async fn order_ledger_faults(&self, ledger: Principal, faults: Vec<LedgerFault>) {
        let answer: Result<()> = self
            .deployer
            .connection
            .update(ledger, "standin_set_faults", (faults,))
            .await;
        answer.expect("ordered");
    }

    pub async fn order_minting_faults(&self, faults: Vec<MintingFault>) {
        let minting = self.deployment.cycles_minting;
        let answer: Result<()> = self
            .deployer
            .connection
            .update(minting, "standin_set_faults", (faults,))
            .await;
        answer.expect("ordered");
    }

    /// The payment that serves `purpose`, the newest if there are several.
    pub async fn payment(&self, purpose: &PaymentPurpose) -> Option<PaymentInfo> {
        let payments = self
            .deployer
            .governance()
            .payments(None, 100)
            .await
            .expect("payments");
        payments
            .into_iter()
            .find(|payment| payment.purpose == *purpose)
    }

    pub async fn treasury_icp(&self) -> Nat {
        let account = Account::from(self.deployment.governance);
        self.deployer.icp().balance(account).await.expect("balance")
    }
}

/// An upgrade that does not wait for calls in flight, as a network makes one where nobody stops the canister: what these
/// calls would have come back to is gone.
pub async fn upgrade_without_stopping(controller: &Actor, canister: Principal, module: &str) {
    upgrade_in_flight(&controller.connection, canister, module).await;
}

/// The same for a canister that belongs to no deployment.
pub async fn upgrade_in_flight(controller: &Connection, canister: Principal, module: &str) {
    let argument = InstallCodeArgs {
        mode: CanisterInstallMode::Upgrade(None),
        canister_id: canister,
        wasm_module: wasm_folder().read(module).expect("built").bytes,
        arg: candid_nothing(),
        sender_canister_version: None,
    };
    controller
        .agent()
        .update(&Principal::management_canister(), "install_code")
        .with_effective_canister_id(canister)
        .with_arg(candid::encode_one(argument).expect("arguments encode"))
        .call_and_wait()
        .await
        .expect("upgraded");
}

/// Asks until there is an answer.
pub async fn until<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

impl Actor {
    /// What an account that nobody used before holds of ICP.
    pub async fn icp_of(&self, account: Account) -> Nat {
        self.icp().balance(account).await.expect("a balance")
    }
}
