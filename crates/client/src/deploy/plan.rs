//! What a deployment consists of and what it is given.

use candid::{Nat, Principal};
use stoa_governance_api::CyclesPolicy;
use stoa_inference_api::Policy;

use crate::deployment::Deployment;

/// The ICP ledger on mainnet.
pub const ICP_LEDGER_ID: &str = "ryjl3-tyaaa-aaaaa-aaaba-cai";
/// The cycles minting canister on mainnet.
pub const CYCLES_MINTING_ID: &str = "rkp4c-7iaaa-aaaaa-aaaca-cai";

/// The cycles ledger on mainnet.
pub const CYCLES_LEDGER_ID: &str = "um5iw-rqaaa-aaaaq-qaaba-cai";

const TRILLION: u128 = 1_000_000_000_000;

/// What the deployer and the anonymous principal, which icp-cli is until told otherwise, have at the cycles ledger.
pub(super) const CYCLES_LEDGER_BALANCE: u128 = 1_000_000 * TRILLION;

/// What each kind of canister is created with.
#[derive(Clone, Debug)]
pub struct Cycles {
    /// The stand-in for the cycles minting canister pays out of its own balance.
    pub cycles_minting: u128,
    /// The stand-in for the cycles ledger holds what the initial balances promise.
    pub cycles_ledger: u128,
    pub inference: u128,
    pub other: u128,
}

#[derive(Clone, Debug)]
pub struct DeployPlan {
    pub shards: usize,
    pub inference: usize,
    /// Whether the web application is installed as well.
    pub frontend: bool,
    /// Asks for the ids that the ICP ledger and the cycles minting canister have on mainnet, and puts a cycles ledger
    /// at its own, where icp-cli looks for it. A network has to allow that, and has only one of each.
    pub mainnet_ids: bool,
    pub cycles: Cycles,
    pub shard_capacity_bytes: u64,
    /// Given to the deployer on each of the two ledgers.
    pub initial_balance_e8s: u64,
    /// What the DAO's treasury begins with, in ICP and in the governance token.
    pub treasury_icp_e8s: u64,
    pub treasury_token_e8s: u64,
    pub cycles_policy: CyclesPolicy,
    pub ledger_fee_e8s: u64,
    /// Ten-thousandths of an XDR for an ICP; 1 XDR is a trillion cycles.
    pub xdr_permyriad_per_icp: u64,
    pub policy: Policy,
}

impl Default for DeployPlan {
    fn default() -> Self {
        Self {
            shards: 2,
            inference: 1,
            frontend: true,
            mainnet_ids: false,
            cycles: Cycles {
                cycles_minting: 10_000 * TRILLION,
                cycles_ledger: 2 * CYCLES_LEDGER_BALANCE + 100 * TRILLION,
                // Below `top_up_below_cycles`: the canister has to earn its cycles from its first paid call on, as it
                // would in the long run. Installing and loading a model cost far less than this.
                inference: 20 * TRILLION,
                other: 50 * TRILLION,
            },
            shard_capacity_bytes: 16 << 30,
            // 1,000,000 tokens.
            initial_balance_e8s: 1_000_000 * 100_000_000,
            // 10,000 ICP and 1,000,000 tokens.
            treasury_icp_e8s: 10_000 * 100_000_000,
            treasury_token_e8s: 1_000_000 * 100_000_000,
            cycles_policy: CyclesPolicy {
                // Under what canisters begin with, above what they need to answer.
                low_balance_cycles: Nat::from(10 * TRILLION),
                // 2 ICP, which buy 8 T cycles.
                top_up_e8s: 200_000_000,
                canister_e8s_per_day: 1_000_000_000,
                total_e8s_per_day: 10_000_000_000,
            },
            // The ICP ledger's fee.
            ledger_fee_e8s: 10_000,
            xdr_permyriad_per_icp: 40_000,
            policy: Policy {
                // A billion instructions cost the canister 0.4 B cycles; twice that is asked for. At 4 XDR an ICP,
                // 0.8 B cycles are 0.0002 ICP.
                rate_cycles_per_billion_instructions: Nat::from(800_000_000_u64),
                rate_e8s_per_billion_instructions: 20_000,
                // 4 XDR an ICP: 4 T cycles in 100,000,000 e8s.
                cycles_per_e8: Nat::from(40_000_u64),
                top_up_below_cycles: Nat::from(100 * TRILLION),
                // 0.05 ICP, which buys 0.2 T cycles.
                top_up_e8s: 5_000_000,
                // Until the token has a price anywhere: ten of it for an ICP.
                token_e8s_per_icp: Some(1_000_000_000),
                // A tenth of the author's price for the library that brings the callers.
                treasury_basis_points: 1_000,
                // Running costs half of the metered price; what is left when that is paid is the DAO's.
                reserve_basis_points: 7_500,
                // 0.1 ICP, a thousand ledger fees.
                payout_e8s_min: 10_000_000,
                load_e8s_per_chunk: 0,
                // A query may use 5 billion.
                preview_instructions_max: 2_000_000_000,
                free_calls_per_hour: 60,
                free_instructions_max: 2_000_000_000,
                model_memory_bytes_max: 2 << 30,
            },
        }
    }
}

/// A canister that is to exist.
pub(super) struct Wanted {
    pub name: String,
    pub cycles: u128,
    pub specified_id: Option<Principal>,
}

impl DeployPlan {
    /// In the order that `assemble` expects.
    pub(super) fn canisters(&self) -> Vec<Wanted> {
        let mainnet = |id: &str| {
            self.mainnet_ids
                .then(|| Principal::from_text(id).expect("BUG: a constant is no canister id"))
        };
        let wanted = |name: String, cycles, specified_id| Wanted {
            name,
            cycles,
            specified_id,
        };
        let plain = |name: &str| wanted(name.to_owned(), self.cycles.other, None);
        let mut list = vec![
            wanted(
                "icp ledger".to_owned(),
                self.cycles.other,
                mainnet(ICP_LEDGER_ID),
            ),
            wanted(
                "cycles minting".to_owned(),
                self.cycles.cycles_minting,
                mainnet(CYCLES_MINTING_ID),
            ),
            plain("token ledger"),
            plain("governance"),
            plain("registry"),
        ];
        if self.mainnet_ids {
            list.push(wanted(
                "cycles ledger".to_owned(),
                self.cycles.cycles_ledger,
                mainnet(CYCLES_LEDGER_ID),
            ));
        }
        list.extend((1..=self.shards).map(|n| plain(&format!("shard {n}"))));
        list.extend(
            (1..=self.inference)
                .map(|n| wanted(format!("inference {n}"), self.cycles.inference, None)),
        );
        if self.frontend {
            list.push(plain("frontend"));
        }
        list
    }

    pub(super) fn assemble(&self, endpoint: &str, ids: &[Principal]) -> Deployment {
        let [
            icp_ledger,
            cycles_minting,
            token_ledger,
            governance,
            registry,
            fleet @ ..,
        ] = ids
        else {
            panic!("BUG: {} canisters were created", ids.len());
        };
        let (cycles_ledger, fleet) = match (self.mainnet_ids, fleet) {
            (true, [cycles_ledger, fleet @ ..]) => (Some(*cycles_ledger), fleet),
            _ => (None, fleet),
        };
        let (shards, rest) = fleet.split_at(self.shards);
        let (inference, frontend) = rest.split_at(self.inference);
        Deployment {
            endpoint: endpoint.to_owned(),
            governance: *governance,
            registry: *registry,
            shards: shards.to_vec(),
            inference: inference.to_vec(),
            token_ledger: *token_ledger,
            icp_ledger: *icp_ledger,
            cycles_minting: *cycles_minting,
            cycles_ledger,
            frontend: frontend.first().copied(),
            version_digest: None,
        }
    }
}
