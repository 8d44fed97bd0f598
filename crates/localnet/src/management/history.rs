//! How code came into a canister, for `canister_info`.

use ic_management_canister_types::{
    CanisterInstallMode, ChangeDetails, CodeDeploymentMode, CodeDeploymentRecord,
};

pub fn deployment(mode: CanisterInstallMode, module_hash: [u8; 32]) -> ChangeDetails {
    let mode = match mode {
        CanisterInstallMode::Install => CodeDeploymentMode::Install,
        CanisterInstallMode::Reinstall => CodeDeploymentMode::Reinstall,
        CanisterInstallMode::Upgrade(_) => CodeDeploymentMode::Upgrade,
    };
    ChangeDetails::CodeDeployment(CodeDeploymentRecord {
        mode,
        module_hash: module_hash.to_vec(),
    })
}
