//! `ManageLedgerParameters`: fee, name, symbol and logo of the token's ledger.
//!
//! An ICRC ledger takes them as the argument of an upgrade, so this is an upgrade to the
//! code that the ledger runs already. An SNS has that code from its list of blessed
//! versions. Here it lies whole in the ledger's own chunk store, under the hash of the
//! module: a deployment puts it there, and so does every upgrade of the ledger by vote.
//! Code longer than a chunk (1 MiB; in gzip the official ledger has less) does not fit
//! that, and the refusal says what to propose instead.
//!
//! What must hold: the fee that governance pays (its own parameter) follows the ledger's;
//! an interrupted execution asks the ledger what it says of itself, since the module's
//! hash is the same before and after.

use candid::{CandidType, Nat, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, ChunkHash, InstallChunkedCodeArgs,
};
use icrc_ledger_types::icrc::generic_metadata_value::MetadataValue;
use minicbor::{Decode, Encode};
use serde_bytes::ByteBuf;
use stoa_governance_api as api;

use super::branding::{check_logo, check_text, describe_logo};
use super::upgrade_canister::{replace, start};
use super::{Action, Performed, invalid};
use crate::execution::{self, external};
use crate::memory::{State, with_state};
use crate::parameters::Parameters;
use crate::proposal::Failure;
use crate::refusal::Refusal;
use crate::{ledger, management};

/// The SNS's limits.
const NAME_LENGTH_BYTES: std::ops::RangeInclusive<usize> = 4..=255;
const SYMBOL_LENGTH_BYTES: std::ops::RangeInclusive<usize> = 3..=10;
/// What nobody else may call a token, as the SNS has it.
const TAKEN_NAMES: [&str; 2] = ["internetcomputer", "internetcomputerprotocol"];
const TAKEN_SYMBOLS: [&str; 2] = ["ICP", "DFINITY"];
/// The platform's limit for a chunk of a module.
const CHUNK_LENGTH_BYTES_MAX: usize = 1024 * 1024;
const CHUNK_TIMEOUT_SECONDS: u32 = 60;
/// The longest logo and some short entries, a byte costing about one.
const METADATA_DECODING_QUOTA: usize = 500_000;

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct LedgerChange {
    #[n(0)]
    transfer_fee_e8s: Option<u64>,
    #[n(1)]
    token_name: Option<String>,
    #[n(2)]
    token_symbol: Option<String>,
    #[n(3)]
    token_logo: Option<String>,
}

/// What the official ledger's upgrade takes, as far as the DAO may change it.
#[derive(CandidType)]
enum LedgerArgument {
    Upgrade(Option<UpgradeArgs>),
}

#[derive(CandidType)]
struct UpgradeArgs {
    token_name: Option<String>,
    token_symbol: Option<String>,
    transfer_fee: Option<Nat>,
    metadata: Option<Vec<(String, MetadataValue)>>,
}

impl From<LedgerChange> for api::ManageLedgerParameters {
    fn from(change: LedgerChange) -> Self {
        Self {
            token_symbol: change.token_symbol,
            transfer_fee: change.transfer_fee_e8s,
            token_logo: change.token_logo,
            token_name: change.token_name,
        }
    }
}

pub fn parse(wire: api::ManageLedgerParameters) -> Result<Action, Refusal> {
    let change = LedgerChange {
        transfer_fee_e8s: wire.transfer_fee,
        token_name: wire.token_name,
        token_symbol: wire.token_symbol,
        token_logo: wire.token_logo,
    };
    if change == LedgerChange::nothing() {
        return invalid("no parameter of the ledger is given".to_string());
    }
    if let Some(name) = &change.token_name {
        check_text("token_name", name, NAME_LENGTH_BYTES)?;
        let plain: String = name.to_lowercase().split_whitespace().collect();
        if TAKEN_NAMES.contains(&plain.as_str()) {
            return invalid(format!("`token_name` {name} is that of another token"));
        }
    }
    if let Some(symbol) = &change.token_symbol {
        check_text("token_symbol", symbol, SYMBOL_LENGTH_BYTES)?;
        if TAKEN_SYMBOLS.contains(&symbol.to_uppercase().as_str()) {
            return invalid(format!("`token_symbol` {symbol} is that of another token"));
        }
    }
    if let Some(logo) = &change.token_logo {
        check_logo("token_logo", logo)?;
    }
    Ok(Action::ManageLedger { change })
}

/// A fee that governance could not take over is refused before anybody votes.
pub fn check(change: &LedgerChange, state: &State) -> Result<(), Refusal> {
    change.parameters(state).map(|_| ())
}

/// Also asks whether the ledger could be upgraded now, so that nobody votes in vain.
pub async fn render(change: &LedgerChange) -> Result<String, Refusal> {
    let ledger = token_ledger();
    let hash = match code_of(ledger).await {
        Ok(hash) => hash,
        Err(reason) => return invalid(reason),
    };
    let unchanged = || "(unchanged)".to_string();
    let fee = change
        .transfer_fee_e8s
        .map_or_else(unchanged, |e8s| format!("{e8s} e8s"));
    let logo = change.token_logo.as_deref();
    let logo = logo.map_or_else(unchanged, describe_logo);
    Ok(format!(
        "# Manage ledger parameters\n\n## Ledger\n\n{ledger}\n\n## Transfer fee\n\n{fee}\n\n## Token \
         name\n\n{}\n\n## Token symbol\n\n{}\n\n## Token logo\n\n{logo}\n\nThe ledger is upgraded to \
         the code that it runs, which at this moment has the hash {}.",
        change.token_name.clone().unwrap_or_else(unchanged),
        change.token_symbol.clone().unwrap_or_else(unchanged),
        hex::encode(hash),
    ))
}

pub async fn execute(proposal: u64, change: LedgerChange) -> Performed {
    let ledger = token_ledger();
    with_state(|state| execution::begin(state, proposal));
    // Read anew: the code may be another than the voters saw, and stays as it is.
    let hash = match code_of(ledger).await {
        Ok(hash) => hash,
        Err(reason) => return Performed::Finished(Err(external(reason))),
    };
    let argument = change.install_argument(ledger, &hash);
    let replaced = replace(ledger, "install_chunked_code", &argument).await;
    Performed::Finished(match replaced {
        Ok(()) => change.take_over(),
        Err(not_replaced) => Err(external(not_replaced.into_reason())),
    })
}

/// An interrupted one: the ledger says whether it has what was adopted.
pub async fn recover(change: LedgerChange) -> Option<Performed> {
    let ledger = token_ledger();
    start(ledger).await;
    let metadata: Vec<(String, MetadataValue)> =
        ledger::ask_with_quota(ledger, "icrc1_metadata", (), METADATA_DECODING_QUOTA)
            .await
            .ok()?;
    let outcome = if change.is_in(&metadata) {
        change.take_over()
    } else {
        Err(external(
            "governance was interrupted before the ledger took the change".to_string(),
        ))
    };
    Some(Performed::Finished(outcome))
}

/// To be called when code that came whole with a proposal was installed: that of the
/// token's ledger is kept in its store for changes to come. Where that fails, `render`
/// of the next change says so.
pub async fn keep_code(proposal: u64, canister: Principal) {
    if canister != token_ledger() {
        return;
    }
    let bytes = with_state(|state| state.wasm_modules.get(&proposal));
    let Some(chunk) = bytes.filter(|bytes| bytes.len() <= CHUNK_LENGTH_BYTES_MAX) else {
        return;
    };
    #[derive(CandidType)]
    struct UploadChunk {
        canister_id: Principal,
        chunk: ByteBuf,
    }
    let upload = candid::encode_one(UploadChunk {
        canister_id: canister,
        chunk: ByteBuf::from(chunk),
    })
    .expect("BUG: arguments encode");
    // The code before it would go on costing cycles.
    for (method, argument) in [
        ("clear_chunk_store", management::record(canister)),
        ("upload_chunk", upload),
    ] {
        if management::tell(method, &argument, CHUNK_TIMEOUT_SECONDS)
            .await
            .is_err()
        {
            return;
        }
    }
}

fn token_ledger() -> Principal {
    with_state(|state| state.settings().token_ledger)
}

/// The hash of the code that the ledger runs, if it can be installed again.
async fn code_of(ledger: Principal) -> Result<[u8; 32], String> {
    let unknown = |message: String| {
        format!("governance cannot upgrade the token's ledger {ledger}: {message}")
    };
    let hash = management::module_hash(ledger)
        .await
        .map_err(|failure| unknown(failure.message))?
        .and_then(|hash| <[u8; 32]>::try_from(hash).ok())
        .ok_or_else(|| unknown("it has no code".to_string()))?;
    let question = CanisterIdRecord {
        canister_id: ledger,
    };
    let stored: Vec<ChunkHash> = management::ask("stored_chunks", &question)
        .await
        .map_err(|failure| unknown(failure.message))?;
    if stored.iter().any(|chunk| chunk.hash == hash) {
        return Ok(hash);
    }
    Err(unknown(format!(
        "the code that it runs ({}) is not in its chunk store; propose UpgradeSnsControlledCanister \
         with that code, and the change as its argument",
        hex::encode(hash)
    )))
}

impl LedgerChange {
    fn nothing() -> Self {
        Self {
            transfer_fee_e8s: None,
            token_name: None,
            token_symbol: None,
            token_logo: None,
        }
    }

    fn install_argument(&self, ledger: Principal, hash: &[u8; 32]) -> Vec<u8> {
        let argument = LedgerArgument::Upgrade(Some(UpgradeArgs {
            token_name: self.token_name.clone(),
            token_symbol: self.token_symbol.clone(),
            transfer_fee: self.transfer_fee_e8s.map(Nat::from),
            metadata: self
                .token_logo
                .clone()
                .map(|logo| vec![("icrc1:logo".to_string(), MetadataValue::Text(logo))]),
        }));
        candid::encode_one(InstallChunkedCodeArgs {
            mode: CanisterInstallMode::Upgrade(None),
            target_canister: ledger,
            store_canister: Some(ledger),
            chunk_hashes_list: vec![ChunkHash {
                hash: hash.to_vec(),
            }],
            wasm_module_hash: hash.to_vec(),
            arg: candid::encode_one(argument).expect("BUG: arguments encode"),
            sender_canister_version: None,
        })
        .expect("BUG: arguments encode")
    }

    fn is_in(&self, metadata: &[(String, MetadataValue)]) -> bool {
        let has = |key: &str, wanted: Option<MetadataValue>| {
            wanted.is_none_or(|wanted| {
                metadata
                    .iter()
                    .any(|(other, value)| other == key && *value == wanted)
            })
        };
        let text = |text: &Option<String>| text.clone().map(MetadataValue::Text);
        let fee = |e8s| MetadataValue::Nat(Nat::from(e8s));
        has("icrc1:fee", self.transfer_fee_e8s.map(fee))
            && has("icrc1:name", text(&self.token_name))
            && has("icrc1:symbol", text(&self.token_symbol))
            && has("icrc1:logo", text(&self.token_logo))
    }

    /// Governance's own with the new fee.
    fn parameters(&self, state: &State) -> Result<Parameters, Refusal> {
        let change = api::NervousSystemParameters {
            transaction_fee_e8s: self.transfer_fee_e8s,
            ..Default::default()
        };
        state
            .parameters()
            .changed_by(&change)
            .map_err(|error| Refusal::InvalidProposal {
                reason: error.to_string(),
            })
    }

    /// The ledger has changed; governance pays the new fee from now on.
    fn take_over(&self) -> Result<(), Failure> {
        with_state(|state| {
            let parameters = self.parameters(state)?;
            state.set_parameters(parameters);
            Ok(())
        })
        .map_err(|refusal: Refusal| {
            let reason = Failure::from(refusal).message;
            external(format!(
                "the ledger has changed, but governance cannot pay its new fee: {reason}"
            ))
        })
    }
}
