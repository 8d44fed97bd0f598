//! A canister that never answers by itself and uses nothing meanwhile: to whoever calls `work` it owes the answer until it
//! has stopped, and it cannot stop before it has answered. Starting it lets it go.

use candid::Principal;
use ic_management_canister_types::{CanisterIdRecord, CanisterStatusType};
use stoa_client::Connection;
use stoa_client::management::Management;

use crate::written;

/// RECORD is its own id as the management canister takes it, of RECORD_LENGTH bytes.
const MODULE: &str = r#"
(module
  (import "ic0" "call_new" (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "ic0" "call_data_append" (func $call_data_append (param i32 i32)))
  (import "ic0" "call_perform" (func $call_perform (result i32)))
  (import "ic0" "msg_reply_data_append" (func $reply_append (param i32 i32)))
  (import "ic0" "msg_reply" (func $reply))
  (memory 1)
  (table 1 funcref)
  (elem (i32.const 0) $answer)
  (data (i32.const 0) "stop_canister")
  (data (i32.const 16) "DIDL\00\00")
  (data (i32.const 32) "RECORD")

  (func $answer (param i32)
    (call $reply_append (i32.const 16) (i32.const 6))
    (call $reply))

  ;; The management canister has the empty id.
  (func (export "canister_update work")
    (call $call_new
      (i32.const 0) (i32.const 0)
      (i32.const 0) (i32.const 13)
      (i32.const 0) (i32.const 0)
      (i32.const 0) (i32.const 0))
    (call $call_data_append (i32.const 32) (i32.const RECORD_LENGTH))
    (if (call $call_perform) (then unreachable))))
"#;

pub struct Stalled {
    management: Management,
    pub canister: Principal,
}

impl Stalled {
    pub async fn install(connection: &Connection) -> Self {
        let management = Management::new(connection).await.expect("a topology");
        let canister = written::install(&management, |canister_id| {
            written::with_value(MODULE, "RECORD", CanisterIdRecord { canister_id })
        })
        .await;
        let controllers = vec![connection.principal(), canister];
        management
            .set_controllers(canister, controllers)
            .await
            .expect("its own controller");
        Self {
            management,
            canister,
        }
    }

    /// Whether somebody waits for its answer.
    pub async fn is_waited_for(&self) -> bool {
        let status = self.management.status(self.canister).await;
        status.expect("its controller may ask").status == CanisterStatusType::Stopping
    }
}
