//! The methods of the management canister, and who may call each.

use candid::{CandidType, Principal};
use serde::Deserialize;
use serde_bytes::ByteBuf;

use super::decode_one;
use crate::error::Failure;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    ProvisionalCreate,
    ProvisionalTopUp,
    CreateCanister,
    InstallCode,
    InstallChunkedCode,
    UploadChunk,
    StoredChunks,
    ClearChunkStore,
    UpdateSettings,
    CanisterStatus,
    CanisterInfo,
    CanisterMetadata,
    StartCanister,
    StopCanister,
    DeleteCanister,
    UninstallCode,
    DepositCycles,
    RawRand,
    TakeCanisterSnapshot,
    LoadCanisterSnapshot,
    ListCanisterSnapshots,
    DeleteCanisterSnapshot,
    ReadSnapshotMetadata,
    ReadSnapshotData,
    UploadSnapshotMetadata,
    UploadSnapshotData,
    FetchCanisterLogs,
    ListCanisters,
    HttpRequest,
    /// Known to the interface specification and left out here.
    Absent,
}

use Method::*;

const NAMES: &[(&str, Method)] = &[
    ("provisional_create_canister_with_cycles", ProvisionalCreate),
    ("provisional_top_up_canister", ProvisionalTopUp),
    ("create_canister", CreateCanister),
    ("install_code", InstallCode),
    ("install_chunked_code", InstallChunkedCode),
    ("upload_chunk", UploadChunk),
    ("stored_chunks", StoredChunks),
    ("clear_chunk_store", ClearChunkStore),
    ("update_settings", UpdateSettings),
    ("canister_status", CanisterStatus),
    ("canister_info", CanisterInfo),
    ("canister_metadata", CanisterMetadata),
    ("start_canister", StartCanister),
    ("stop_canister", StopCanister),
    ("delete_canister", DeleteCanister),
    ("uninstall_code", UninstallCode),
    ("deposit_cycles", DepositCycles),
    ("raw_rand", RawRand),
    ("take_canister_snapshot", TakeCanisterSnapshot),
    ("load_canister_snapshot", LoadCanisterSnapshot),
    ("list_canister_snapshots", ListCanisterSnapshots),
    ("delete_canister_snapshot", DeleteCanisterSnapshot),
    ("fetch_canister_logs", FetchCanisterLogs),
    ("list_canisters", ListCanisters),
    ("read_canister_snapshot_metadata", ReadSnapshotMetadata),
    ("read_canister_snapshot_data", ReadSnapshotData),
    ("upload_canister_snapshot_metadata", UploadSnapshotMetadata),
    ("upload_canister_snapshot_data", UploadSnapshotData),
    ("http_request", HttpRequest),
    ("flexible_http_request", Absent),
    ("ecdsa_public_key", Absent),
    ("sign_with_ecdsa", Absent),
    ("schnorr_public_key", Absent),
    ("sign_with_schnorr", Absent),
    ("vetkd_public_key", Absent),
    ("vetkd_derive_key", Absent),
    ("node_metrics_history", Absent),
    ("subnet_info", Absent),
    ("bitcoin_get_balance", Absent),
    ("bitcoin_get_utxos", Absent),
    ("bitcoin_send_transaction", Absent),
    ("bitcoin_get_current_fee_percentiles", Absent),
    ("bitcoin_get_block_headers", Absent),
];

/// The canister that a call is about. The large fields are named only so that
/// the decoder copies them, where it would walk over unknown ones.
#[derive(CandidType, Deserialize)]
struct SubjectArgument {
    canister_id: Principal,
    #[serde(default)]
    #[allow(dead_code)]
    wasm_module: Option<ByteBuf>,
    #[serde(default)]
    #[allow(dead_code)]
    chunk: Option<ByteBuf>,
}

#[derive(CandidType, Deserialize)]
struct TargetArgument {
    target_canister: Principal,
}

impl Method {
    pub fn find(name: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, method)| *method)
    }

    /// Whether as an update it does not exist at all. (`fetch_canister_logs` does, and is refused.)
    pub fn is_query_only(self) -> bool {
        self == ListCanisters
    }

    /// Whether users may call it as an update.
    pub fn open_to_users(self) -> bool {
        !matches!(
            self,
            CreateCanister
                | CanisterInfo
                | CanisterMetadata
                | DepositCycles
                | RawRand
                | FetchCanisterLogs
                | ListCanisters
                | HttpRequest
                | Absent
        )
    }

    /// Whether a canister may call it about itself, without being its own controller.
    pub fn open_to_itself(self) -> bool {
        matches!(
            self,
            CanisterStatus | UploadChunk | StoredChunks | ClearChunkStore
        )
    }

    pub fn needs_controller(self) -> bool {
        !matches!(
            self,
            ProvisionalCreate
                | ProvisionalTopUp
                | CreateCanister
                | CanisterInfo
                | CanisterMetadata
                | DepositCycles
                | RawRand
                | FetchCanisterLogs
                | ListCanisters
                | HttpRequest
                | Absent
        )
    }

    /// The canister that the call is about, for the methods that need its controller.
    pub fn subject(self, argument: &[u8]) -> Result<Principal, Failure> {
        match self {
            InstallChunkedCode => Ok(decode_one::<TargetArgument>(argument)?.target_canister),
            _ => Ok(decode_one::<SubjectArgument>(argument)?.canister_id),
        }
    }
}
