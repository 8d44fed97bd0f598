//! The registry: publishers, uploads, versions and the proof of a version's status.

use candid::Principal;
use ic_agent::Agent;
use stoa_registry_api::{
    ADMIT_VERSION_FUNCTION_ID, AdmissionProposal, AdmitVersionArgs, BeginUploadResult,
    CertifiedVersion, ClaimPublisherResult, GetVersionCertifiedResult, GetVersionError,
    GetVersionResult, ListVersionsArgs, SealResult, SetPriceResult, SubmitResult, VersionInfo,
    VersionStatus, VersionSummary,
};
use stoa_types::Sha256;
use stoa_types::manifest::Manifest;

use crate::certified::CertifiedTree;
use crate::connection::Connection;
use crate::error::{Accepted, ClientError, Result, VerificationError};

#[derive(Clone, Debug)]
pub struct Registry {
    connection: Connection,
    canister: Principal,
}

/// A manifest that hashes to the version asked for, and a status that the network certified.
#[derive(Clone, Debug, PartialEq)]
pub struct ProvenVersion {
    pub version: Sha256,
    pub manifest: Manifest,
    pub status: VersionStatus,
}

impl Registry {
    pub fn new(connection: &Connection, canister: Principal) -> Self {
        Self {
            connection: connection.clone(),
            canister,
        }
    }

    pub fn canister(&self) -> Principal {
        self.canister
    }

    pub async fn claim_publisher(&self, handle: &str) -> Result<ClaimPublisherResult> {
        self.update("claim_publisher", (handle,)).await
    }

    pub async fn begin_upload(&self, manifest: &Manifest) -> Result<BeginUploadResult> {
        self.update("begin_upload", (manifest,)).await
    }

    pub async fn seal(&self, version: Sha256) -> Result<SealResult> {
        self.update("seal", (version,)).await
    }

    pub async fn submit(&self, version: Sha256) -> Result<SubmitResult> {
        self.update("submit", (version,)).await
    }

    /// Author's price of a call, for every version of `publisher/name`.
    pub async fn set_price(&self, model: &str, price_e8s: u64) -> Result<SetPriceResult> {
        self.update("set_price", (model, price_e8s)).await
    }

    pub async fn version(&self, version: Sha256) -> Result<GetVersionResult> {
        self.query("get_version", (version,)).await
    }

    pub async fn list_versions(&self, args: ListVersionsArgs) -> Result<Vec<VersionSummary>> {
        self.query("list_versions", (args,)).await
    }

    pub async fn list_shards(&self) -> Result<Vec<Principal>> {
        self.query("list_shards", ()).await
    }

    /// The version that `text` names: 64 hexadecimal digits, `publisher/name@version` or `publisher/name`.
    pub async fn resolve(&self, text: &str) -> Result<Sha256> {
        if let Ok(version) = text.parse() {
            return Ok(version);
        }
        let answer: std::result::Result<Sha256, GetVersionError> =
            self.query("resolve", (text,)).await?;
        answer
            .map_err(|refusal| match refusal {
                GetVersionError::NotFound if text.contains('@') => ClientError::Refused(format!(
                    "the registry knows no version \"{text}\": `stoa status` lists what there is"
                )),
                GetVersionError::NotFound => ClientError::Refused(format!(
                    "no version of \"{text}\" is admitted: name one that is not as {text}@1.0.0; `stoa status` lists what there is"
                )),
                other => Err::<(), _>(other).accepted().unwrap_err(),
            })
    }

    pub async fn certified_version(&self, version: Sha256) -> Result<GetVersionCertifiedResult> {
        self.query("get_version_certified", (version,)).await
    }

    /// Asks for the certified manifest and believes nothing of the answer that it does not prove.
    pub async fn proven_version(&self, version: Sha256) -> Result<ProvenVersion> {
        let certified = self.certified_version(version).await?.accepted()?;
        Ok(verify_version(
            self.connection.agent(),
            self.canister,
            version,
            certified,
        )?)
    }

    /// Where the chunks are, with a manifest that hashes to `version`; status and placement are not proven.
    pub async fn placement(&self, version: Sha256) -> Result<VersionInfo> {
        let info = self.version(version).await?.accepted()?;
        check_digest(version, info.version, &info.manifest)?;
        Ok(info)
    }

    /// What anyone with a neuron proposes so that a submitted version is admitted.
    pub async fn admission(&self, version: Sha256) -> Result<AdmissionProposal> {
        let proven = self.proven_version(version).await?;
        if proven.status != VersionStatus::Proposed {
            return Err(ClientError::Refused(format!(
                "this version is {}: its publisher has to `stoa submit` it before it can be proposed",
                status_name(proven.status)
            )));
        }
        let manifest = &proven.manifest;
        let payload = candid::encode_one(AdmitVersionArgs { version }).map_err(|source| {
            ClientError::Encode {
                method: "admit_version".to_owned(),
                source,
            }
        })?;
        Ok(AdmissionProposal {
            function_id: ADMIT_VERSION_FUNCTION_ID,
            payload,
            title: format!(
                "Admit {}/{} {}",
                manifest.publisher, manifest.name, manifest.version
            ),
            summary: format!(
                "Take the version {version} into the library: {} under {}.",
                manifest.task, manifest.license
            ),
        })
    }

    async fn query<A, R>(&self, method: &str, args: A) -> Result<R>
    where
        A: candid::utils::ArgumentEncoder,
        R: candid::CandidType + serde::de::DeserializeOwned,
    {
        let (answer,) = self.connection.query(self.canister, method, args).await?;
        Ok(answer)
    }

    async fn update<A, R>(&self, method: &str, args: A) -> Result<R>
    where
        A: candid::utils::ArgumentEncoder,
        R: candid::CandidType + serde::de::DeserializeOwned,
    {
        let (answer,) = self.connection.update(self.canister, method, args).await?;
        Ok(answer)
    }
}

/// Checks an answer of `get_version_certified` by the registry `canister` about `asked`.
pub fn verify_version(
    agent: &Agent,
    canister: Principal,
    asked: Sha256,
    certified: CertifiedVersion,
) -> Result<ProvenVersion, VerificationError> {
    check_digest(asked, certified.version, &certified.manifest)?;
    let tree = CertifiedTree::verify(agent, canister, &certified.certificate, &certified.witness)?;
    let proven = tree.value(&[b"version", asked.as_bytes(), b"status"])?;
    let claimed = status_name(certified.status);
    if proven != claimed.as_bytes() {
        return Err(VerificationError::Contradicted {
            what: "the status of the version".to_owned(),
            claimed: claimed.to_owned(),
            proven: String::from_utf8_lossy(proven).into_owned(),
        });
    }
    Ok(ProvenVersion {
        version: asked,
        manifest: certified.manifest,
        status: certified.status,
    })
}

fn check_digest(
    asked: Sha256,
    answered: Sha256,
    manifest: &Manifest,
) -> Result<(), VerificationError> {
    let digest = manifest.digest();
    for claimed in [asked, answered] {
        if claimed != digest {
            return Err(VerificationError::Contradicted {
                what: "the version".to_owned(),
                claimed: claimed.to_string(),
                proven: digest.to_string(),
            });
        }
    }
    Ok(())
}

/// The status as it is certified: in lower case.
pub const fn status_name(status: VersionStatus) -> &'static str {
    match status {
        VersionStatus::Draft => "draft",
        VersionStatus::Sealed => "sealed",
        VersionStatus::Proposed => "proposed",
        VersionStatus::Admitted => "admitted",
        VersionStatus::Deprecated => "deprecated",
        VersionStatus::Revoked => "revoked",
        VersionStatus::Rejected => "rejected",
    }
}
