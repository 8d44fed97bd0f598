//! Shards: bytes by hash. Nothing that a shard answers is believed before it has been hashed.

use candid::Principal;
use serde_bytes::{ByteBuf, Bytes};
use stoa_shard_api::{
    ConfirmResult, ExpectArgs, ExpectResult, GetChunkResult, PutChunkResult, ShardStatus,
};
use stoa_types::Sha256;

use crate::connection::Connection;
use crate::error::{Accepted, ClientError, Result};

/// Chunks in flight at once: enough to hide the network's latency, few enough that 16 MiB of memory suffice.
pub(crate) const PARALLEL_CHUNKS: usize = 16;

#[derive(Clone, Debug)]
pub struct Shard {
    connection: Connection,
    canister: Principal,
}

impl Shard {
    pub fn new(connection: &Connection, canister: Principal) -> Self {
        Self {
            connection: connection.clone(),
            canister,
        }
    }

    pub async fn put_chunk(&self, data: &[u8]) -> Result<PutChunkResult> {
        let (answer,) = self
            .connection
            .update(self.canister, "put_chunk", (Bytes::new(data),))
            .await?;
        Ok(answer)
    }

    pub async fn get_chunk(&self, hash: Sha256) -> Result<GetChunkResult> {
        let (answer,) = self
            .connection
            .query(self.canister, "get_chunk", (hash,))
            .await?;
        Ok(answer)
    }

    /// Which of `hashes` are held (at most 4096 in a question).
    pub async fn confirm_chunks(&self, hashes: &[Sha256]) -> Result<ConfirmResult> {
        let hashes: Vec<ByteBuf> = hashes.iter().map(|hash| ByteBuf::from(hash.0)).collect();
        let (answer,) = self
            .connection
            .query(self.canister, "confirm_chunks", (hashes,))
            .await?;
        Ok(answer)
    }

    /// Only the registry may; here so that a refusal can be seen.
    pub async fn expect(&self, args: &ExpectArgs) -> Result<ExpectResult> {
        let (answer,) = self
            .connection
            .update(self.canister, "c2c_expect", (args,))
            .await?;
        Ok(answer)
    }

    pub async fn status(&self) -> Result<ShardStatus> {
        let (status,) = self.connection.query(self.canister, "status", ()).await?;
        Ok(status)
    }

    /// The bytes that hash to `hash`; anything else that the shard answers is an error.
    pub async fn chunk(&self, hash: Sha256) -> Result<Vec<u8>> {
        let data = self.get_chunk(hash).await?.accepted()?.data;
        let found = Sha256::of(&data);
        if found != hash {
            return Err(ClientError::Failed(format!(
                "shard {} answers bytes of {found} for {hash}",
                self.canister
            )));
        }
        Ok(data)
    }
}

/// The bytes that hash to `hash`, from the first of `shards` that has good ones. Where nobody answered at all, the error
/// says so ([`ClientError::is_lost_connection`]).
pub(crate) async fn fetch_chunk(
    connection: &Connection,
    hash: Sha256,
    shards: &[Principal],
) -> Result<Vec<u8>> {
    let mut failures: Vec<(Principal, ClientError)> = Vec::new();
    for shard in shards {
        match Shard::new(connection, *shard).chunk(hash).await {
            Ok(data) => return Ok(data),
            Err(error) => failures.push((*shard, error)),
        }
    }
    if failures.iter().all(|(_, error)| error.is_lost_connection())
        && let Some((_, first)) = failures.pop()
    {
        return Err(first);
    }
    let failures: Vec<String> = failures
        .iter()
        .map(|(shard, error)| format!("{shard}: {error}"))
        .collect();
    Err(ClientError::Failed(format!(
        "no shard gives the chunk {hash}: {}",
        if failures.is_empty() {
            "the registry names none".to_owned()
        } else {
            failures.join("; ")
        }
    )))
}
