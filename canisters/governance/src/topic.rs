//! The SNS's topics: what each is about, and whether it needs more votes.

use minicbor::{Decode, Encode};
use stoa_governance_api as api;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Topic {
    #[n(1)]
    DaoCommunitySettings,
    #[n(2)]
    SnsFrameworkManagement,
    #[n(3)]
    DappCanisterManagement,
    #[n(4)]
    ApplicationBusinessLogic,
    #[n(5)]
    Governance,
    #[n(6)]
    TreasuryAssetManagement,
    #[n(7)]
    CriticalDappOperations,
}

impl Topic {
    pub const ALL: [Self; 7] = [
        Self::DaoCommunitySettings,
        Self::SnsFrameworkManagement,
        Self::DappCanisterManagement,
        Self::ApplicationBusinessLogic,
        Self::Governance,
        Self::TreasuryAssetManagement,
        Self::CriticalDappOperations,
    ];

    pub fn number(self) -> u8 {
        match self {
            Self::DaoCommunitySettings => 1,
            Self::SnsFrameworkManagement => 2,
            Self::DappCanisterManagement => 3,
            Self::ApplicationBusinessLogic => 4,
            Self::Governance => 5,
            Self::TreasuryAssetManagement => 6,
            Self::CriticalDappOperations => 7,
        }
    }

    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.number() == number)
    }

    pub fn is_critical(self) -> bool {
        matches!(
            self,
            Self::DaoCommunitySettings
                | Self::TreasuryAssetManagement
                | Self::CriticalDappOperations
        )
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::DaoCommunitySettings => "DAO community settings",
            Self::SnsFrameworkManagement => "SNS framework management",
            Self::DappCanisterManagement => "Dapp canister management",
            Self::ApplicationBusinessLogic => "Application business logic",
            Self::Governance => "Governance",
            Self::TreasuryAssetManagement => "Treasury & asset management",
            Self::CriticalDappOperations => "Critical dapp operations",
        }
    }

    pub fn description(self) -> &'static str {
        match self {
            Self::DaoCommunitySettings => {
                "Parameters of the nervous system, its ledger's and its own description."
            }
            Self::SnsFrameworkManagement => "Upgrades of the governance framework itself.",
            Self::DappCanisterManagement => "Upgrades and settings of the DAO's canisters.",
            Self::ApplicationBusinessLogic => {
                "What the DAO is for: the library's models, their status and prices."
            }
            Self::Governance => "Motions: opinions of the community without a direct effect.",
            Self::TreasuryAssetManagement => "Moving what the DAO owns.",
            Self::CriticalDappOperations => {
                "Which functions proposals can execute on other canisters."
            }
        }
    }
}

impl From<api::Topic> for Topic {
    fn from(topic: api::Topic) -> Self {
        match topic {
            api::Topic::DaoCommunitySettings => Self::DaoCommunitySettings,
            api::Topic::SnsFrameworkManagement => Self::SnsFrameworkManagement,
            api::Topic::DappCanisterManagement => Self::DappCanisterManagement,
            api::Topic::ApplicationBusinessLogic => Self::ApplicationBusinessLogic,
            api::Topic::Governance => Self::Governance,
            api::Topic::TreasuryAssetManagement => Self::TreasuryAssetManagement,
            api::Topic::CriticalDappOperations => Self::CriticalDappOperations,
        }
    }
}

impl From<Topic> for api::Topic {
    fn from(topic: Topic) -> Self {
        match topic {
            Topic::DaoCommunitySettings => Self::DaoCommunitySettings,
            Topic::SnsFrameworkManagement => Self::SnsFrameworkManagement,
            Topic::DappCanisterManagement => Self::DappCanisterManagement,
            Topic::ApplicationBusinessLogic => Self::ApplicationBusinessLogic,
            Topic::Governance => Self::Governance,
            Topic::TreasuryAssetManagement => Self::TreasuryAssetManagement,
            Topic::CriticalDappOperations => Self::CriticalDappOperations,
        }
    }
}
