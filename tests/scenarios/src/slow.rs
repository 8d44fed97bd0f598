//! A canister that answers when it is told to: whom governance or a shard calls, in the middle of which a test does something else.

use candid::Principal;
use stoa_client::Connection;
use stoa_client::deploy::candid_nothing;
use stoa_client::management::Management;

use crate::written;

/// METHOD counts and does not answer before `release`; meanwhile it asks itself, since a canister can answer a call only
/// in a message that belongs to it. `trap` counts in a message before the one that traps. VALIDATED and ANSWER are put in their places.
const MODULE: &str = r#"
(module
  (import "ic0" "canister_self_size" (func $self_size (result i32)))
  (import "ic0" "canister_self_copy" (func $self_copy (param i32 i32 i32)))
  (import "ic0" "call_new" (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "ic0" "call_perform" (func $call_perform (result i32)))
  (import "ic0" "msg_reply_data_append" (func $reply_append (param i32 i32)))
  (import "ic0" "msg_reply" (func $reply))
  (memory 1)
  (table 2 funcref)
  (elem (i32.const 0) $wait $give_up)
  (data (i32.const 0) "DIDL\00\00")
  (data (i32.const 16) "DIDL\00\01\78")
  (data (i32.const 32) "pause")
  (data (i32.const 256) "VALIDATED")
  (data (i32.const 4096) "ANSWER")
  (global $released (mut i32) (i32.const 0))

  (func $answer_nothing
    (call $reply_append (i32.const 0) (i32.const 6))
    (call $reply))

  (func $count
    (i64.store (i32.const 23) (i64.add (i64.load (i32.const 23)) (i64.const 1))))

  (func $pause (param $on_reply i32)
    (call $self_copy (i32.const 64) (i32.const 0) (call $self_size))
    (call $call_new
      (i32.const 64) (call $self_size)
      (i32.const 32) (i32.const 5)
      (local.get $on_reply) (i32.const 0)
      (i32.const 1) (i32.const 0))
    (if (call $call_perform) (then unreachable)))

  (func $wait (param i32)
    (if (global.get $released)
      (then
        (call $reply_append (i32.const 4096) (i32.const ANSWER_LENGTH))
        (call $reply))
      (else (call $pause (i32.const 0)))))

  (func $give_up (param i32) unreachable)

  (func (export "canister_update validate")
    (call $reply_append (i32.const 256) (i32.const VALIDATED_LENGTH))
    (call $reply))
  (func (export "canister_update METHOD")
    (call $count)
    (call $wait (i32.const 0)))
  (func (export "canister_update trap")
    (call $count)
    (call $pause (i32.const 1)))
  (func (export "canister_update pause")
    (call $answer_nothing))
  (func (export "canister_update release")
    (global.set $released (i32.const 1))
    (call $answer_nothing))
  (func (export "canister_query count")
    (call $reply_append (i32.const 16) (i32.const 15))
    (call $reply)))
"#;

pub struct Slow {
    connection: Connection,
    pub canister: Principal,
}

impl Slow {
    /// With `work`, which answers nothing.
    pub async fn install(connection: &Connection) -> Self {
        Self::answering(connection, "work", &candid_nothing()).await
    }

    /// With `method`, which answers these bytes: at most 60,000.
    pub async fn answering(connection: &Connection, method: &str, answer: &[u8]) -> Self {
        let management = Management::new(connection).await.expect("a topology");
        let validated = Ok::<String, String>("Work".to_owned());
        let module = written::with_value(MODULE, "VALIDATED", validated);
        let module = written::with_bytes(&module, "ANSWER", answer).replace("METHOD", method);
        let canister = written::install(&management, |_| module).await;
        Self {
            connection: connection.clone(),
            canister,
        }
    }

    /// How often its method was called, or `trap`.
    pub async fn count(&self) -> u64 {
        let (count,): (u64,) = self
            .connection
            .query(self.canister, "count", ())
            .await
            .expect("answered");
        count
    }

    /// Everything that waits is answered now.
    pub async fn release(&self) {
        let answer: stoa_client::Result<()> =
            self.connection.update(self.canister, "release", ()).await;
        answer.expect("released");
    }
}
