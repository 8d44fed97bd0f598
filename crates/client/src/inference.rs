//! Inference canisters: loading, prices, paid calls, receipts, cycles.

use std::time::{Duration, Instant};

use candid::utils::ArgumentEncoder;
use candid::{CandidType, Principal};
use serde::Deserialize;
use stoa_inference_api::{
    AddKeyArgs, Balances, CertifiedReceipt, ClaimArgs, DepositArgs, DepositResult, GetJobResult,
    GetPaymentResult, GetReceiptResult, GetTransferResult, InferRequest, InferResponse,
    InferResult, InferenceStatus, JobState, Key, KeyResult, LoadResult, LoadState, LoadStatus,
    LoadStatusResult, Payment, PreviewRequest, PreviewResult, QuoteCallResult, QuoteResult,
    Receipt, SubmitResult, TopUpResult, WithdrawArgs, WithdrawResult,
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
        self.load_paid(version, None).await
    }

    /// As `load`, where the DAO asks a price for loads.
    pub async fn load_paid(&self, version: Sha256, payment: Option<Payment>) -> Result<LoadResult> {
        self.update("load", (version, payment)).await
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
                // Asking for it brings it back.
                LoadState::Evicted { .. } => self.load(version).await?.accepted().map(drop)?,
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

    /// A free preview; one node's word, without a receipt.
    pub async fn infer_query(&self, request: &PreviewRequest) -> Result<PreviewResult> {
        self.query("infer_query", (request,)).await
    }

    /// What this very call costs at most.
    pub async fn quote_call(&self, request: &PreviewRequest) -> Result<QuoteCallResult> {
        self.query("quote_call", (request,)).await
    }

    /// Pays for a call and lets it run as a job.
    pub async fn submit(&self, request: &InferRequest) -> Result<SubmitResult> {
        self.update("submit", (request,)).await
    }

    pub async fn get_job(&self, id: u64) -> Result<GetJobResult> {
        self.query("get_job", (id,)).await
    }

    pub async fn list_jobs(&self) -> Result<Vec<u64>> {
        self.query("list_jobs", ()).await
    }

    /// Asks until a job has ended; one that failed is an error.
    pub async fn wait_job(&self, id: u64, timeout: Duration) -> Result<InferResponse> {
        let start = Instant::now();
        let mut backoff = Backoff::quick();
        loop {
            match self.get_job(id).await?.accepted()?.state {
                JobState::Done { answer, receipt } => {
                    return Ok(InferResponse { answer, receipt });
                }
                JobState::Failed { message } => {
                    return Err(ClientError::Failed(format!("job {id} failed: {message}")));
                }
                JobState::Paying | JobState::Running { .. } => {}
            }
            if start.elapsed() > timeout {
                return Err(ClientError::TimedOut {
                    what: format!("job {id}"),
                    waited: start.elapsed(),
                });
            }
            backoff.wait().await;
        }
    }

    /// From an allowance; answers the credit after it.
    pub async fn deposit(&self, arguments: DepositArgs) -> Result<DepositResult> {
        self.update("deposit", (arguments,)).await
    }

    pub async fn withdraw(&self, arguments: WithdrawArgs) -> Result<WithdrawResult> {
        self.update("withdraw", (arguments,)).await
    }

    pub async fn claim(&self, arguments: ClaimArgs) -> Result<WithdrawResult> {
        self.update("claim", (arguments,)).await
    }

    pub async fn balances_of(&self, owner: Principal) -> Result<Balances> {
        self.query("balances_of", (owner,)).await
    }

    pub async fn get_payment(&self, id: u64) -> Result<GetPaymentResult> {
        self.query("get_payment", (id,)).await
    }

    pub async fn get_transfer(&self, id: u64) -> Result<GetTransferResult> {
        self.query("get_transfer", (id,)).await
    }

    pub async fn add_key(&self, arguments: AddKeyArgs) -> Result<KeyResult> {
        self.update("add_key", (arguments,)).await
    }

    pub async fn remove_key(&self, hash: Sha256) -> Result<bool> {
        self.update("remove_key", (hash,)).await
    }

    pub async fn list_keys(&self) -> Result<Vec<Key>> {
        self.query("list_keys", ()).await
    }

    async fn query<T: CandidType + for<'a> Deserialize<'a>>(
        &self,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<T> {
        let (answer,) = self
            .connection
            .query(self.canister, method, arguments)
            .await?;
        Ok(answer)
    }

    async fn update<T: CandidType + for<'a> Deserialize<'a>>(
        &self,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<T> {
        let (answer,) = self
            .connection
            .update(self.canister, method, arguments)
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
