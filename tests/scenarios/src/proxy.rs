//! A canister that forwards a call with cycles attached, which no user can attach.

use candid::utils::ArgumentEncoder;
use candid::{CandidType, Principal};
use serde::de::DeserializeOwned;
use stoa_client::Connection;
use stoa_client::management::Management;

use crate::written;

/// `forward` takes plain bytes:
///
/// ```text
/// | n: u8 | callee: n | m: u8 | method: m | cycles: u128 little-endian | argument |
/// ```
///
/// and replies `| 0 reply, 1 reject: u8 | refunded: u128 little-endian | reply or reject message |`.
const MODULE: &str = r#"
(module
  (import "ic0" "msg_arg_data_size" (func $arg_size (result i32)))
  (import "ic0" "msg_arg_data_copy" (func $arg_copy (param i32 i32 i32)))
  (import "ic0" "call_new" (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "ic0" "call_data_append" (func $call_data_append (param i32 i32)))
  (import "ic0" "call_cycles_add128" (func $call_cycles_add (param i64 i64)))
  (import "ic0" "call_perform" (func $call_perform (result i32)))
  (import "ic0" "msg_cycles_refunded128" (func $refunded (param i32)))
  (import "ic0" "msg_reject_msg_size" (func $reject_size (result i32)))
  (import "ic0" "msg_reject_msg_copy" (func $reject_copy (param i32 i32 i32)))
  (import "ic0" "msg_reply_data_append" (func $reply_append (param i32 i32)))
  (import "ic0" "msg_reply" (func $reply))
  (memory 128)
  (table 2 funcref)
  (elem (i32.const 0) $on_reply $on_reject)

  (func (export "canister_update forward")
    (local $callee_size i32) (local $method i32) (local $method_size i32) (local $cycles i32) (local $rest i32)
    (call $arg_copy (i32.const 0) (i32.const 0) (call $arg_size))
    (local.set $callee_size (i32.load8_u (i32.const 0)))
    (local.set $method (i32.add (local.get $callee_size) (i32.const 2)))
    (local.set $method_size (i32.load8_u (i32.add (local.get $callee_size) (i32.const 1))))
    (local.set $cycles (i32.add (local.get $method) (local.get $method_size)))
    (local.set $rest (i32.add (local.get $cycles) (i32.const 16)))
    (call $call_new
      (i32.const 1) (local.get $callee_size)
      (local.get $method) (local.get $method_size)
      (i32.const 0) (i32.const 0)
      (i32.const 1) (i32.const 0))
    (call $call_data_append (local.get $rest) (i32.sub (call $arg_size) (local.get $rest)))
    (call $call_cycles_add
      (i64.load (i32.add (local.get $cycles) (i32.const 8)))
      (i64.load (local.get $cycles)))
    (if (call $call_perform) (then unreachable)))

  (func $on_reply (param i32)
    (i32.store8 (i32.const 0) (i32.const 0))
    (call $refunded (i32.const 1))
    (call $arg_copy (i32.const 17) (i32.const 0) (call $arg_size))
    (call $reply_append (i32.const 0) (i32.add (call $arg_size) (i32.const 17)))
    (call $reply))

  (func $on_reject (param i32)
    (i32.store8 (i32.const 0) (i32.const 1))
    (call $refunded (i32.const 1))
    (call $reject_copy (i32.const 17) (i32.const 0) (call $reject_size))
    (call $reply_append (i32.const 0) (i32.add (call $reject_size) (i32.const 17)))
    (call $reply)))
"#;

pub struct Proxy {
    connection: Connection,
    pub canister: Principal,
}

/// What came back through the proxy.
pub struct Forwarded<R> {
    /// The reply, or the reject message.
    pub answer: Result<R, String>,
    pub refunded_cycles: u128,
}

impl Proxy {
    pub async fn install(connection: &Connection) -> Self {
        let management = Management::new(connection).await.expect("a topology");
        let canister = written::install(&management, |_| MODULE.to_owned()).await;
        Self {
            connection: connection.clone(),
            canister,
        }
    }

    /// Calls `method` of `callee` from the proxy, with `cycles` attached.
    pub async fn forward<A, R>(
        &self,
        callee: Principal,
        method: &str,
        args: A,
        cycles: u128,
    ) -> Forwarded<R>
    where
        A: ArgumentEncoder,
        R: CandidType + DeserializeOwned,
    {
        let argument = candid::encode_args(args).expect("encodable arguments");
        let forwarded = self.forward_raw(callee, method, &argument, cycles).await;
        Forwarded {
            answer: forwarded
                .answer
                .map(|reply| candid::decode_one(&reply).expect("the declared type")),
            refunded_cycles: forwarded.refunded_cycles,
        }
    }

    /// With bytes that need not be Candid.
    pub async fn forward_raw(
        &self,
        callee: Principal,
        method: &str,
        argument: &[u8],
        cycles: u128,
    ) -> Forwarded<Vec<u8>> {
        let size = |bytes: &[u8]| u8::try_from(bytes.len()).expect("a short name");
        let mut message = vec![size(callee.as_slice())];
        message.extend(callee.as_slice());
        message.push(size(method.as_bytes()));
        message.extend(method.as_bytes());
        message.extend(cycles.to_le_bytes());
        message.extend(argument);
        let reply = self
            .connection
            .agent()
            .update(&self.canister, "forward")
            .with_arg(message)
            .call_and_wait()
            .await
            .expect("the proxy itself answers");
        let (kind, rest) = reply.split_first().expect("a kind");
        let (refunded, payload) = rest.split_first_chunk::<16>().expect("a refund");
        Forwarded {
            answer: match kind {
                0 => Ok(payload.to_vec()),
                _ => Err(String::from_utf8_lossy(payload).into_owned()),
            },
            refunded_cycles: u128::from_le_bytes(*refunded),
        }
    }
}
