//! Canisters that mainnet has and a local network has not: what each is installed with, and the three of them alone, for
//! work on canisters that are not Stoa's.

use candid::{CandidType, Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;

use super::plan::{
    CYCLES_LEDGER_BALANCE, CYCLES_LEDGER_ID, CYCLES_MINTING_ID, DeployPlan, ICP_LEDGER_ID,
};
use super::{DeployProgress, Target, bring_up_to_date};
use crate::connection::{Connection, is_mainnet};
use crate::error::{ClientError, Result};
use crate::identity::development_identity;
use crate::management::Management;
use crate::wasm::WasmFolder;

/// Stands in for whoever mints ICP on mainnet.
const MINTER: &str = "minter";

/// What every transfer, deposit and withdrawal costs at the cycles ledger.
const CYCLES_LEDGER_FEE: u64 = 100_000_000;

#[derive(CandidType)]
pub(super) struct LedgerInitArgs {
    pub token_name: String,
    pub token_symbol: String,
    pub decimals: u8,
    pub transfer_fee: Nat,
    pub minting_account: Account,
    pub initial_balances: Vec<(Account, Nat)>,
    pub holds_cycles: Option<bool>,
}

pub(super) fn icp_ledger(
    plan: &DeployPlan,
    initial_balances: Vec<(Account, Nat)>,
) -> Result<Vec<u8>> {
    encode(&LedgerInitArgs {
        token_name: "Internet Computer".to_owned(),
        token_symbol: "ICP".to_owned(),
        decimals: 8,
        transfer_fee: Nat::from(plan.ledger_fee_e8s),
        minting_account: Account::from(minter()?),
        initial_balances,
        holds_cycles: None,
    })
}

pub(super) fn cycles_minting(
    plan: &DeployPlan,
    ledger: Principal,
    cycles_ledger: Option<Principal>,
) -> Result<Vec<u8>> {
    encode(&stoa_cmc_api::InitArgs {
        ledger,
        xdr_permyriad_per_icp: plan.xdr_permyriad_per_icp,
        cycles_ledger,
    })
}

/// The deployer and the anonymous principal, which icp-cli is until told otherwise, have cycles to begin with.
pub(super) fn cycles_ledger(deployer: Principal) -> Result<Vec<u8>> {
    let mut owners = vec![deployer, Principal::anonymous()];
    owners.dedup();
    encode(&LedgerInitArgs {
        token_name: "Trillion Cycles".to_owned(),
        token_symbol: "TCYCLES".to_owned(),
        decimals: 12,
        transfer_fee: Nat::from(CYCLES_LEDGER_FEE),
        // Nobody's, as on mainnet.
        minting_account: Account::from(Principal::management_canister()),
        initial_balances: owners
            .into_iter()
            .map(|owner| (Account::from(owner), Nat::from(CYCLES_LEDGER_BALANCE)))
            .collect(),
        holds_cycles: Some(true),
    })
}

/// Creates and installs the ICP ledger, the cycles minting canister and the cycles ledger at their mainnet ids, so that
/// icp-cli, dfx and wallets find them. The caller and the anonymous principal have ICP and cycles to begin with.
pub async fn put_up_standins(
    connection: &Connection,
    wasm: &WasmFolder,
    mut progress: impl FnMut(DeployProgress),
) -> Result<()> {
    if is_mainnet(connection.endpoint()) {
        return Err(ClientError::InvalidArgument(
            "mainnet has its own ledgers: stand-ins are for local networks".to_owned(),
        ));
    }
    let plan = DeployPlan::default();
    let management = Management::new(connection).await?;
    let id = |text: &str| Principal::from_text(text).expect("BUG: a constant is no canister id");
    let ids = [ICP_LEDGER_ID, CYCLES_MINTING_ID, CYCLES_LEDGER_ID].map(id);
    let [icp, minting, cycles] = ids;
    let mut owners = vec![connection.principal(), Principal::anonymous()];
    owners.dedup();
    let icp_balances = owners
        .into_iter()
        .map(|owner| (Account::from(owner), Nat::from(plan.initial_balance_e8s)))
        .collect();
    let targets = [
        (
            "icp ledger",
            icp,
            plan.cycles.other,
            "ledger",
            icp_ledger(&plan, icp_balances)?,
        ),
        (
            "cycles minting",
            minting,
            plan.cycles.cycles_minting,
            "cmc",
            cycles_minting(&plan, icp, Some(cycles))?,
        ),
        (
            "cycles ledger",
            cycles,
            plan.cycles.cycles_ledger,
            "ledger",
            cycles_ledger(connection.principal())?,
        ),
    ];
    for (name, canister, balance, module, arguments) in targets {
        let target = Target {
            name: name.to_owned(),
            canister,
            module,
            arguments,
        };
        let module = wasm.read(target.module)?;
        if management.controllers(canister).await?.is_none() {
            management.create(balance, Some(canister)).await?;
        }
        progress(bring_up_to_date(&management, &target, &module).await?);
    }
    Ok(())
}

pub(super) fn minter() -> Result<Principal> {
    use ic_agent::Identity;
    development_identity(MINTER)
        .sender()
        .map_err(ClientError::Failed)
}

pub(super) fn encode(argument: &impl CandidType) -> Result<Vec<u8>> {
    candid::encode_one(argument).map_err(|source| ClientError::Encode {
        method: "init".to_owned(),
        source,
    })
}
