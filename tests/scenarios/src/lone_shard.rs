//! A shard of nobody's fleet, whose registry does what the test says.

use candid::{CandidType, Principal};
use serde::de::DeserializeOwned;
use stoa_client::Connection;
use stoa_client::management::Management;
use stoa_client::shard::Shard;
use stoa_shard_api::{
    ExpectArgs, ExpectResult, ExpectedChunk, InitArgs, PutChunkResult, PutOutcome, ScrubReport,
};
use stoa_types::Sha256;

use crate::{Proxy, connect, fresh_identity, wasm_folder};

const MIB: usize = 1 << 20;
const CYCLES: u128 = 100_000_000_000_000;

pub struct LoneShard {
    /// Its controller, and the uploader of everything.
    pub connection: Connection,
    pub registry: Proxy,
    pub canister: Principal,
}

impl LoneShard {
    pub async fn new(capacity_bytes: u64) -> Self {
        let connection = connect(fresh_identity()).await;
        let management = Management::new(&connection).await.expect("a topology");
        let registry = Proxy::install(&connection).await;
        let canister = management.create(CYCLES, None).await.expect("created");
        let arguments = candid::encode_one(InitArgs {
            registry: registry.canister,
            capacity_bytes,
        });
        let module = wasm_folder().read("shard").expect("built");
        management
            .install(canister, &module, arguments.expect("arguments encode"))
            .await
            .expect("installed");
        Self {
            connection,
            registry,
            canister,
        }
    }

    /// A mebibyte that no other number has.
    pub fn chunk(number: usize) -> Vec<u8> {
        let mut bytes = vec![7; MIB];
        bytes[..8].copy_from_slice(&(number as u64).to_le_bytes());
        bytes
    }

    pub fn shard(&self) -> Shard {
        Shard::new(&self.connection, self.canister)
    }

    /// By its registry.
    pub async fn ask<A: CandidType, R: CandidType + DeserializeOwned>(
        &self,
        method: &str,
        argument: A,
    ) -> R {
        let forwarded = self
            .registry
            .forward(self.canister, method, (argument,), 0)
            .await;
        forwarded.answer.expect("answered")
    }

    /// Announces chunks of these numbers.
    pub async fn expect(&self, version: u8, numbers: std::ops::Range<usize>) -> ExpectResult {
        let chunks: Vec<Vec<u8>> = numbers.map(Self::chunk).collect();
        self.expect_bytes(version, &chunks).await
    }

    pub async fn expect_bytes(&self, version: u8, chunks: &[Vec<u8>]) -> ExpectResult {
        let args = ExpectArgs {
            version: Sha256([version; 32]),
            uploader: self.connection.principal(),
            chunks: chunks
                .iter()
                .map(|chunk| ExpectedChunk {
                    hash: Sha256::of(chunk),
                    size_bytes: chunk.len() as u64,
                })
                .collect(),
        };
        self.ask("c2c_expect", args).await
    }

    pub async fn try_put(&self, number: usize) -> stoa_client::Result<PutChunkResult> {
        self.shard().put_chunk(&Self::chunk(number)).await
    }

    pub async fn put(&self, number: usize) {
        let put = self.try_put(number).await.expect("answered");
        assert_eq!(put, Ok(PutOutcome::Stored));
    }

    pub async fn assert_holds(&self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let chunk = Self::chunk(number);
            let held = self.shard().chunk(Sha256::of(&chunk)).await;
            assert!(held.expect("it is held") == chunk, "chunk {number}");
        }
    }

    pub async fn scrub_report(&self) -> ScrubReport {
        let report = self
            .connection
            .query(self.canister, "scrub_report", ())
            .await;
        let (report,) = report.expect("answered");
        report
    }
}
