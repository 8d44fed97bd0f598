//! The registry: publishers, uploads, versions and the proof of a version's status.

use candid::Principal;
use ic_agent::Agent;
use stoa_registry_api::{
    ADMIT_VERSION_FUNCTION_ID, AdmissionProposal, AdmitVersionArgs, BeginUploadResult,
    CertifiedResolution, CertifiedVersion, ClaimPublisherResult, DepositQuote,
    DescribeVersionResult, GetModelResult, GetVersionCertifiedResult, GetVersionError,
    GetVersionResult, LineageArgs, LineageResult, ListModelVersionsArgs, ListModelVersionsResult,
    ListVersionsArgs, NoteProposalArgs, NoteProposalResult, PublisherInfo, ResolveCertifiedResult,
    SealResult, SearchArgs, SearchResult, SetAliasArgs, SetAliasResult, SetPriceResult,
    SubmitResult, VersionInfo, VersionStatus, VersionSummary, WithdrawResult,
};
use stoa_types::Sha256;
use stoa_types::manifest::Manifest;
use stoa_types::names::check_semver;

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

    /// Inference canisters that run the version.
    pub async fn route(&self, version: Sha256) -> Result<Vec<Principal>> {
        self.query("route", (version,)).await
    }

    pub async fn list_inference(&self) -> Result<Vec<Principal>> {
        self.query("list_inference", ()).await
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

    /// Lets go of what nobody has decided about; its deposit comes back.
    pub async fn withdraw(&self, version: Sha256) -> Result<WithdrawResult> {
        self.update("withdraw", (version,)).await
    }

    /// Tells the registry which proposal decides about a submitted version.
    pub async fn note_proposal(&self, args: NoteProposalArgs) -> Result<NoteProposalResult> {
        self.update("note_proposal", (args,)).await
    }

    pub async fn set_alias(&self, args: &SetAliasArgs) -> Result<SetAliasResult> {
        self.update("set_alias", (args,)).await
    }

    /// What an upload of so many bytes will be asked for.
    pub async fn quote_deposit(&self, size_bytes: u64) -> Result<DepositQuote> {
        self.query("quote_deposit", (size_bytes,)).await
    }

    /// What stands beside a version's manifest, as one node says it.
    pub async fn describe_version(&self, version: Sha256) -> Result<DescribeVersionResult> {
        self.query("describe_version", (version,)).await
    }

    pub async fn publishers_of(&self, principal: Principal) -> Result<Vec<PublisherInfo>> {
        self.query("publishers_of", (principal,)).await
    }

    pub async fn model(&self, model: &str) -> Result<GetModelResult> {
        self.query("get_model", (model,)).await
    }

    pub async fn list_model_versions(
        &self,
        args: &ListModelVersionsArgs,
    ) -> Result<ListModelVersionsResult> {
        self.query("list_model_versions", (args,)).await
    }

    /// Versions of `principal` that nobody has decided about: the only list that has drafts.
    pub async fn list_open_versions(&self, principal: Principal) -> Result<Vec<VersionSummary>> {
        self.query("list_open_versions", (principal,)).await
    }

    pub async fn search(&self, args: &SearchArgs) -> Result<SearchResult> {
        self.query("search", (args,)).await
    }

    pub async fn lineage(&self, args: &LineageArgs) -> Result<LineageResult> {
        self.query("list_lineage", (args,)).await
    }

    /// The version that `text` names, proven: see [`Self::proven`].
    pub async fn resolve(&self, text: &str) -> Result<Sha256> {
        match text.parse() {
            Ok(version) => Ok(version),
            Err(_) => Ok(self.proven(text).await?.version),
        }
    }

    /// What `text` names: 64 hexadecimal digits, `publisher/name`, or `publisher/name@` with a version or an alias.
    ///
    /// Nobody is believed: a digest proves its manifest; a version number is in the manifest that the digest names,
    /// and the registry certifies that it has that manifest; what an alias points to is certified.
    pub async fn proven(&self, text: &str) -> Result<ProvenVersion> {
        if let Ok(version) = text.parse() {
            return self.proven_version(version).await;
        }
        let name = Name::parse(text)?;
        let version = match name.after {
            Some(number) if check_semver(number).is_ok() => self.version_of_number(text).await?,
            _ => self.version_of_alias(text, &name).await?,
        };
        let proven = self.proven_version(version).await?;
        name.check(&proven)?;
        Ok(proven)
    }

    async fn version_of_number(&self, text: &str) -> Result<Sha256> {
        let answer: std::result::Result<Sha256, GetVersionError> =
            self.query("resolve", (text,)).await?;
        answer.map_err(|refusal| match refusal {
            GetVersionError::NotFound => ClientError::Refused(format!(
                "the registry knows no version \"{text}\": `stoa model list` shows what there is"
            )),
            other => Err::<(), _>(other).accepted().unwrap_err(),
        })
    }

    async fn version_of_alias(&self, text: &str, name: &Name<'_>) -> Result<Sha256> {
        let answer: ResolveCertifiedResult = self.query("resolve_certified", (text,)).await?;
        let resolution = answer.accepted()?;
        let version = verify_resolution(self.connection.agent(), self.canister, text, resolution)?;
        version.ok_or_else(|| {
            let model = name.model();
            ClientError::Refused(match name.after {
                Some(alias) => format!(
                    "{model} has no alias \"{alias}\": `stoa model show {model}` shows what there is"
                ),
                None => format!(
                    "no version of \"{model}\" is admitted: name one that is not as {model}@1.0.0; `stoa model list` shows what there is"
                ),
            })
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
                "this version is {}: its publisher has to `stoa model submit` it before it can be proposed",
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

/// `publisher/name@after`. The registry checks the grammar; here it is only taken apart.
struct Name<'a> {
    publisher: &'a str,
    name: &'a str,
    after: Option<&'a str>,
}

impl<'a> Name<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let (model, after) = match text.split_once('@') {
            Some((model, after)) => (model, Some(after)),
            None => (text, None),
        };
        let (publisher, name) = model.split_once('/').ok_or_else(|| {
            ClientError::InvalidArgument(format!(
                "\"{text}\" names no version: write publisher/name, publisher/name@1.0.0, publisher/name@alias or 64 hexadecimal digits"
            ))
        })?;
        Ok(Self {
            publisher,
            name,
            after,
        })
    }

    fn model(&self) -> String {
        format!("{}/{}", self.publisher, self.name)
    }

    /// The manifest must say of itself what was asked for.
    fn check(&self, proven: &ProvenVersion) -> Result<(), VerificationError> {
        let manifest = &proven.manifest;
        let model = format!("{}/{}", manifest.publisher, manifest.name);
        if self.model() != model {
            return Err(VerificationError::Contradicted {
                what: "the model".to_owned(),
                claimed: self.model(),
                proven: model,
            });
        }
        match self.after {
            Some(number) if check_semver(number).is_ok() && number != manifest.version => {
                Err(VerificationError::Contradicted {
                    what: "the version number".to_owned(),
                    claimed: number.to_owned(),
                    proven: manifest.version.clone(),
                })
            }
            _ => Ok(()),
        }
    }
}

/// Checks an answer of `resolve_certified` by the registry `canister` about `asked`: what the alias points to, or that there
/// is none.
pub fn verify_resolution(
    agent: &Agent,
    canister: Principal,
    asked: &str,
    answer: CertifiedResolution,
) -> Result<Option<Sha256>, VerificationError> {
    let tree = CertifiedTree::verify(agent, canister, &answer.certificate, &answer.witness)?;
    let proven = tree
        .value_or_absence(&[b"alias", asked.as_bytes()])?
        .map(|leaf| {
            <[u8; 32]>::try_from(leaf)
                .map(Sha256)
                .map_err(|_| VerificationError::Malformed {
                    part: "witness",
                    reason: format!("a digest of {} bytes", leaf.len()),
                })
        })
        .transpose()?;
    if proven != answer.version {
        let text =
            |version: Option<Sha256>| version.map_or("nothing".to_owned(), |v| v.to_string());
        return Err(VerificationError::Contradicted {
            what: format!("what {asked} points to"),
            claimed: text(answer.version),
            proven: text(proven),
        });
    }
    Ok(proven)
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
