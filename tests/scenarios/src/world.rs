//! A deployment of its own for a scenario, and the people in it.

use std::sync::Arc;
use std::time::Duration;

use candid::{Nat, Principal};
use icrc_ledger_types::icrc1::account::Account;
use stoa_client::deploy::{DeployPlan, deploy};
use stoa_client::governance::{Governance, decision};
use stoa_client::identity::{Identity, development_identity};
use stoa_client::inference::Inference;
use stoa_client::ledger::Ledger;
use stoa_client::model_directory::ModelDirectory;
use stoa_client::push::push;
use stoa_client::registry::Registry;
use stoa_client::wasm::{Wasm, WasmFolder};
use stoa_client::{Accepted, Connection, Deployment};
use stoa_governance_api::code::{ProposalDecisionStatus, Vote};
use stoa_inference_api::{InferRequest, InferResponse, Payment, Quote, Token};
use stoa_registry_api::AdmissionProposal;
use stoa_types::Sha256;
use stoa_types::pipeline::{Answer, Input};
use stoa_types::tensor::Tensor;
use tokio::sync::OnceCell;

use crate::command_line::CommandLine;
use crate::model::{digits, digits_inputs};
use crate::network::endpoint;

/// How long a scenario waits for what the network does by itself.
pub const PATIENCE: Duration = Duration::from_secs(10 * 60);

pub const ONE_TOKEN: u64 = 100_000_000;

/// 0.1 ICP a call: so that one paid call earns a top-up.
pub const AUTHORS_PRICE_E8S: u64 = 10_000_000;

/// The neuron of the deployer that has the majority.
pub const WHALE: u64 = 0;
const PROPOSER: u64 = 1;

static SHARED: OnceCell<(World, Published)> = OnceCell::const_new();

/// One deployment, seen by the one who installed it and holds most votes.
pub struct World {
    pub deployer: Actor,
    pub deployment: Deployment,
}

/// Somebody with tokens.
#[derive(Clone)]
pub struct Actor {
    pub connection: Connection,
    pub deployment: Deployment,
}

/// A version in the library, ready to be called.
#[derive(Clone)]
pub struct Published {
    pub publisher: Actor,
    pub model: ModelDirectory,
    pub version: Sha256,
}

impl World {
    /// The deployment that scenarios share which change nothing that others rely on. Its digits model is loaded.
    pub async fn shared() -> (&'static World, &'static Published) {
        let (world, published) = SHARED
            .get_or_init(|| async {
                let world = World::new(DeployPlan::default()).await;
                let published = world.publish_digits().await;
                world.admit(published.version).await;
                world.load(published.version).await;
                (world, published)
            })
            .await;
        (world, published)
    }

    /// A deployment for one scenario alone, without the web application, which takes seconds to install.
    pub async fn new(plan: DeployPlan) -> Self {
        Self::of(DeployPlan {
            frontend: false,
            ..plan
        })
        .await
    }

    /// A deployment for one scenario alone, of exactly this plan.
    pub async fn of(plan: DeployPlan) -> Self {
        let connection = connect(fresh_identity()).await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("deployment.json");
        let deployment = deploy(&connection, &plan, &wasm_folder(), &path, |_| {})
            .await
            .expect("deployed");
        let deployer = Actor {
            connection,
            deployment: deployment.clone(),
        };
        deployer.stake(100_000 * ONE_TOKEN, WHALE).await;
        deployer.stake(10 * ONE_TOKEN, PROPOSER).await;
        Self {
            deployer,
            deployment,
        }
    }

    /// Somebody new, with 10 ICP and 100 governance tokens.
    pub async fn actor(&self) -> Actor {
        self.actor_with(fresh_identity()).await
    }

    /// Somebody new who works with the `stoa` program.
    pub async fn actor_at_command_line(&self) -> (Actor, CommandLine) {
        let name = hex::encode(random::<16>());
        let actor = self.actor_with(Arc::new(development_identity(&name))).await;
        let command_line = CommandLine::new(&self.deployment, actor.connection.endpoint(), &name);
        (actor, command_line)
    }

    /// Somebody new who reaches the network by another endpoint.
    pub async fn actor_through(&self, endpoint: &str) -> Actor {
        let identity = fresh_identity();
        let actor = self.actor_with(identity.clone()).await;
        let connection = Connection::open(endpoint, identity)
            .await
            .expect("the endpoint answers");
        Actor {
            connection,
            ..actor
        }
    }

    async fn actor_with(&self, identity: Arc<dyn Identity>) -> Actor {
        let connection = self.deployer.connection.with_identity(identity);
        let account = Account::from(connection.principal());
        self.deployer
            .icp()
            .transfer(account, Nat::from(10 * ONE_TOKEN), None)
            .await
            .expect("ICP");
        self.deployer
            .tokens()
            .transfer(account, Nat::from(100 * ONE_TOKEN), None)
            .await
            .expect("tokens");
        let actor = Actor {
            connection,
            deployment: self.deployment.clone(),
        };
        // So that a scenario may announce uploads itself; `push` approves what it needs.
        let deposit = actor
            .registry()
            .quote_deposit(0)
            .await
            .expect("a quote of the deposit");
        actor
            .icp()
            .approve(deposit.spender, Nat::from(ONE_TOKEN))
            .await
            .expect("approved");
        actor
    }

    /// The digits model under a new publisher, pushed, priced and submitted.
    pub async fn publish_digits(&self) -> Published {
        let publisher = self.actor().await;
        let handle = publisher.claim_handle().await;
        self.publish(publisher, digits(&handle)).await
    }

    pub async fn publish(&self, publisher: Actor, model: ModelDirectory) -> Published {
        self.publish_at(publisher, model, AUTHORS_PRICE_E8S).await
    }

    /// At a price of its author's.
    pub async fn publish_at(
        &self,
        publisher: Actor,
        model: ModelDirectory,
        price_e8s: u64,
    ) -> Published {
        let registry = publisher.registry();
        let pushed = push(&publisher.connection, &registry, &model, |_| {})
            .await
            .expect("pushed");
        let name = format!("{}/{}", model.manifest.publisher, model.manifest.name);
        registry
            .set_price(&name, price_e8s)
            .await
            .expect("answered")
            .accepted()
            .expect("priced");
        registry
            .submit(pushed.version)
            .await
            .expect("answered")
            .accepted()
            .expect("submitted");
        Published {
            publisher,
            model,
            version: pushed.version,
        }
    }

    /// Proposes with a small neuron and votes with the large one; answers the proposal when it has run.
    pub async fn admit(&self, version: Sha256) -> u64 {
        let governance = self.deployer.governance();
        let admission = self
            .deployer
            .registry()
            .admission(version)
            .await
            .expect("submitted");
        let proposal = governance
            .propose_admission(governance.neuron_id(PROPOSER), &admission)
            .await
            .expect("proposed");
        let state = governance.proposal(proposal).await.expect("there");
        assert_eq!(
            decision(&state),
            ProposalDecisionStatus::Open,
            "a small neuron does not decide"
        );
        governance
            .vote(governance.neuron_id(WHALE), proposal, Vote::Yes)
            .await
            .expect("voted");
        governance
            .wait_executed(proposal, PATIENCE)
            .await
            .expect("executed");
        proposal
    }

    /// Proposes to call a function and lets the large neuron vote; answers the proposal once it is decided.
    pub async fn decide(&self, call: &AdmissionProposal, vote: Vote) -> u64 {
        let governance = self.deployer.governance();
        let proposal = governance
            .propose_admission(governance.neuron_id(PROPOSER), call)
            .await
            .expect("proposed");
        governance
            .vote(governance.neuron_id(WHALE), proposal, vote)
            .await
            .expect("voted");
        if vote == Vote::Yes {
            governance
                .wait_executed(proposal, PATIENCE)
                .await
                .expect("executed");
        }
        proposal
    }

    pub async fn load(&self, version: Sha256) {
        let inference = self.deployer.inference();
        inference
            .load(version)
            .await
            .expect("answered")
            .accepted()
            .expect("an admitted version");
        inference
            .wait_ready(version, PATIENCE, |_| {})
            .await
            .expect("loaded");
    }
}

impl Actor {
    pub fn principal(&self) -> Principal {
        self.connection.principal()
    }

    pub fn registry(&self) -> Registry {
        Registry::new(&self.connection, self.deployment.registry)
    }

    pub fn governance(&self) -> Governance {
        Governance::new(&self.connection, self.deployment.governance)
    }

    pub fn inference(&self) -> Inference {
        let canister = self.deployment.first_inference().expect("one is deployed");
        Inference::new(&self.connection, canister)
    }

    pub fn icp(&self) -> Ledger {
        Ledger::new(&self.connection, self.deployment.icp_ledger)
    }

    pub fn tokens(&self) -> Ledger {
        Ledger::new(&self.connection, self.deployment.token_ledger)
    }

    pub async fn icp_balance(&self) -> Nat {
        let account = Account::from(self.principal());
        self.icp().balance(account).await.expect("a balance")
    }

    pub async fn stake(&self, amount_e8s: u64, memo: u64) -> [u8; 32] {
        self.governance()
            .stake(&self.tokens(), amount_e8s, memo)
            .await
            .expect("staked")
    }

    /// A publisher handle that nobody has.
    pub async fn claim_handle(&self) -> String {
        let handle = format!("p{}", hex::encode(random::<8>()));
        self.registry()
            .claim_publisher(&handle)
            .await
            .expect("answered")
            .accepted()
            .expect("a free handle");
        handle
    }

    /// Lets the inference canister take up to `amount_e8s`.
    pub async fn approve(&self, amount_e8s: u64) {
        let spender = Account::from(self.inference().canister());
        self.icp()
            .approve(spender, Nat::from(amount_e8s))
            .await
            .expect("approved");
    }

    pub async fn quote(&self, version: Sha256) -> Quote {
        self.inference()
            .quote(version)
            .await
            .expect("answered")
            .accepted()
            .expect("a loaded version")
    }

    /// A call with the sample scan, to be paid from an allowance.
    pub fn request(&self, version: Sha256) -> InferRequest {
        InferRequest {
            model: version.into(),
            input: Input::Tensors(digits_inputs()),
            payment: Payment::Allowance {
                token: Token::Icp,
                from_subaccount: None,
            },
            max_price: None,
        }
    }
}

pub async fn connect(identity: Arc<dyn Identity>) -> Connection {
    Connection::open(endpoint().await, identity)
        .await
        .expect("the endpoint answers")
}

/// A key that no other test and no earlier run has used.
pub fn fresh_identity() -> Arc<dyn Identity> {
    Arc::new(development_identity(&hex::encode(random::<16>())))
}

pub fn wasm_folder() -> WasmFolder {
    match std::env::var_os("STOA_WASM_DIR") {
        Some(folder) if !folder.is_empty() => WasmFolder::of_environment(),
        _ => WasmFolder::new(
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/canisters"),
        ),
    }
}

/// The same code under another hash: without gzip around it.
pub fn other_build_of(name: &str) -> Wasm {
    let packed = wasm_folder().read(name).expect("built");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(packed.bytes.as_slice()),
        &mut bytes,
    )
    .expect("a canister in gzip");
    Wasm {
        hash: Sha256::of(&bytes),
        bytes,
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("randomness");
    bytes
}

/// Of a request for tensors.
pub fn inputs_of(request: &mut InferRequest) -> &mut Vec<Tensor> {
    match &mut request.input {
        Input::Tensors(tensors) => tensors,
        other => panic!("{other:?}"),
    }
}

/// Of a call for tensors.
pub fn outputs_of(response: &InferResponse) -> &[Tensor] {
    match &response.answer {
        Answer::Tensors(tensors) => tensors,
        other => panic!("{other:?}"),
    }
}
