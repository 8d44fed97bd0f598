//! Inference canisters: loading, prices, paid calls, receipts, cycles.

use std::time::{Duration, Instant};

use candid::Principal;
use stoa_inference_api::{
    CertifiedReceipt, GetReceiptResult, InferRequest, InferResult, InferenceStatus, LoadResult,
    LoadState, LoadStatus, LoadStatusResult, QuoteResult, Receipt, TopUpResult,
};
use stoa_types::Sha256;

use crate::connection::Connection;
use crate::error::{Accepted, ClientError, Result};
use crate::polling::Backoff;
use crate::receipt::verify_receipt;

/// Receipts after the asked one in an answer at most.
const SUCCESSORS_PER_PAGE: usize = 100;

#[derive(Clone, Debug)]
pub struct Inference {
    connection: Connection,
    canister: Principal,
}

impl Inference {
    pub fn new(connection: &Connection, canister: Principal) -> Self {
        Self {
            connection: connection.clone(),
            canister,
        }
    }

    pub fn canister(&self) -> Principal {
        self.canister
    }

    /// Starts loading, or says how far it is.
    pub async fn load(&self, version: Sha256) -> Result<LoadResult> {
        let (answer,) = self
            .connection
            .update(self.canister, "load", (version,))
            .await?;
        Ok(answer)
    }

    pub async fn load_status(&self, version: Sha256) -> Result<LoadStatusResult> {
        let (answer,) = self
            .connection
            .query(self.canister, "load_status", (version,))
            .await?;
        Ok(answer)
    }

    /// Asks until the model can be called; a failed load is an error. Goes on where it was after an interruption.
    pub async fn wait_ready(
        &self,
        version: Sha256,
        timeout: Duration,
        mut progress: impl FnMut(&LoadState),
    ) -> Result<LoadStatus> {
        let start = Instant::now();
        let mut backoff = Backoff::quick();
        loop {
            let status = self.load_status(version).await?.accepted()?;
            progress(&status.state);
            match &status.state {
                LoadState::Ready { .. } => return Ok(status),
                LoadState::Failed { message } => {
                    return Err(ClientError::Failed(format!(
                        "loading {version} failed: {message}"
                    )));
                }
                LoadState::Fetching { .. } | LoadState::Optimising => {}
            }
            if start.elapsed() > timeout {
                return Err(ClientError::TimedOut {
                    what: format!("loading {version}"),
                    waited: start.elapsed(),
                });
            }
            backoff.wait().await;
        }
    }

    pub async fn quote(&self, version: Sha256) -> Result<QuoteResult> {
        let (answer,) = self
            .connection
            .query(self.canister, "quote", (version,))
            .await?;
        Ok(answer)
    }

    pub async fn infer(&self, request: &InferRequest) -> Result<InferResult> {
        let (answer,) = self
            .connection
            .update(self.canister, "infer", (request,))
            .await?;
        Ok(answer)
    }

    pub async fn get_receipt(&self, id: u64) -> Result<GetReceiptResult> {
        let (answer,) = self
            .connection
            .query(self.canister, "get_receipt", (id,))
            .await?;
        Ok(answer)
    }

    /// The receipt with every one after it, up to the tip that is certified.
    pub async fn receipt_to_tip(&self, id: u64) -> Result<CertifiedReceipt> {
        let mut chain = self.get_receipt(id).await?.accepted()?;
        let mut page = chain.successors.len();
        while page == SUCCESSORS_PER_PAGE {
            let last = chain.successors.last().map_or(id, |receipt| receipt.id);
            let next = self.get_receipt(last).await?.accepted()?;
            page = next.successors.len();
            chain.successors.extend(next.successors);
            chain.certificate = next.certificate;
            chain.witness = next.witness;
        }
        Ok(chain)
    }

    /// The receipt, once it is proven to be in the certified log.
    pub async fn proven_receipt(&self, id: u64) -> Result<Receipt> {
        let chain = self.receipt_to_tip(id).await?;
        if chain.receipt.id != id {
            return Err(ClientError::Failed(format!(
                "the canister answers receipt {} for {id}",
                chain.receipt.id
            )));
        }
        verify_receipt(self.connection.agent(), self.canister, &chain)?;
        Ok(chain.receipt)
    }

    pub async fn top_up(&self) -> Result<TopUpResult> {
        let (answer,) = self.connection.update(self.canister, "top_up", ()).await?;
        Ok(answer)
    }

    pub async fn status(&self) -> Result<InferenceStatus> {
        let (status,) = self.connection.query(self.canister, "status", ()).await?;
        Ok(status)
    }
}
