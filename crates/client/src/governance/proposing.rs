//! Proposals of every kind, from what people say to what governance is asked.

use candid::types::TypeInner;
use candid::{CandidType, Principal, TypeEnv};
use candid_parser::utils::CandidSource;
use icrc_ledger_types::icrc1::account::Account;
use stoa_governance_api::code::TransferFrom;
use stoa_governance_api::{
    Action, ChunkedCanisterWasm, ExecuteGenericNervousSystemFunction, FunctionType,
    ListNervousSystemFunctionsResponse, ManageSnsMetadata, Motion, NervousSystemFunction,
    NervousSystemParameters, Proposal, Subaccount, TransferSnsTreasuryFunds,
    UpgradeSnsControlledCanister,
};

use super::Governance;
use crate::error::{ClientError, Result};
use crate::management::Management;
use crate::wasm::Wasm;

/// An ingress message has 2 MiB at most; the rest is for texts, argument and envelope.
const WHOLE_WASM_BYTES_MAX: usize = 2 * 1024 * 1024 - 128 * 1024;
const DEFAULT_STORE_CYCLES: u128 = 10_000_000_000_000;

/// What voters read beside the payload.
#[derive(Clone, Default, Debug)]
pub struct Texts {
    pub title: String,
    pub summary: String,
    pub url: String,
}

impl Texts {
    pub fn titled(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }
}

/// Which treasury a transfer is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Treasury {
    Icp,
    Token,
}

impl Governance {
    pub async fn propose_action(
        &self,
        neuron: [u8; 32],
        texts: Texts,
        action: Action,
    ) -> Result<u64> {
        let proposal = Proposal {
            url: texts.url,
            title: texts.title,
            summary: texts.summary,
            action: Some(action),
        };
        self.propose(neuron, proposal).await
    }

    pub async fn propose_motion(&self, neuron: [u8; 32], title: &str, text: &str) -> Result<u64> {
        let motion = Action::Motion(Motion {
            motion_text: text.to_owned(),
        });
        self.propose_action(neuron, Texts::titled(title), motion)
            .await
    }

    /// A payment from the treasury.
    pub async fn propose_transfer(
        &self,
        neuron: [u8; 32],
        texts: Texts,
        treasury: Treasury,
        amount_e8s: u64,
        to: Account,
        memo: Option<u64>,
    ) -> Result<u64> {
        let transfer = TransferSnsTreasuryFunds {
            from_treasury: match treasury {
                Treasury::Icp => TransferFrom::IcpTreasury,
                Treasury::Token => TransferFrom::SnsTokenTreasury,
            }
            .number(),
            to_principal: Some(to.owner),
            to_subaccount: to.subaccount.map(|subaccount| Subaccount {
                subaccount: subaccount.to_vec(),
            }),
            memo,
            amount_e8s,
        };
        self.propose_action(neuron, texts, Action::TransferSnsTreasuryFunds(transfer))
            .await
    }

    /// New code for a canister. A module that does not fit a message is put into the chunk store of a canister that
    /// the caller and governance control; `store` names one, else it is created (which mainnet does not do for free).
    pub async fn propose_upgrade(
        &self,
        neuron: [u8; 32],
        texts: Texts,
        canister: Principal,
        wasm: &Wasm,
        argument: Option<Vec<u8>>,
        store: Option<Principal>,
    ) -> Result<u64> {
        let fits = wasm.bytes.len() + argument.as_ref().map_or(0, Vec::len) <= WHOLE_WASM_BYTES_MAX;
        let (new_canister_wasm, chunked_canister_wasm) = if fits && store.is_none() {
            (wasm.bytes.clone(), None)
        } else {
            (Vec::new(), Some(self.store(wasm, store).await?))
        };
        let upgrade = UpgradeSnsControlledCanister {
            new_canister_wasm,
            chunked_canister_wasm,
            mode: None,
            canister_id: Some(canister),
            canister_upgrade_arg: argument.map(Into::into),
        };
        self.propose_action(neuron, texts, Action::UpgradeSnsControlledCanister(upgrade))
            .await
    }

    /// Puts a module into the chunk store of `store`, which governance is made a controller of; without one a canister is
    /// created, which mainnet does not do for free.
    pub async fn store(
        &self,
        wasm: &Wasm,
        store: Option<Principal>,
    ) -> Result<ChunkedCanisterWasm> {
        let management = Management::new(&self.connection).await?;
        let store = match store {
            Some(store) => store,
            None => management.create(DEFAULT_STORE_CYCLES, None).await?,
        };
        let controllers = management.controllers(store).await?.unwrap_or_default();
        if !controllers.contains(&self.canister) {
            let both = controllers.into_iter().chain([self.canister]).collect();
            management.set_controllers(store, both).await?;
        }
        let chunks = management.store_chunks(store, wasm).await?;
        Ok(ChunkedCanisterWasm {
            wasm_module_hash: wasm.hash.0.to_vec(),
            store_canister_id: Some(store),
            chunk_hashes_list: chunks.into_iter().map(|chunk| chunk.hash.into()).collect(),
        })
    }

    /// A call of a generic function with its Candid argument.
    pub async fn propose_execution(
        &self,
        neuron: [u8; 32],
        texts: Texts,
        function_id: u64,
        payload: Vec<u8>,
    ) -> Result<u64> {
        let execute = ExecuteGenericNervousSystemFunction {
            function_id,
            payload,
        };
        let action = Action::ExecuteGenericNervousSystemFunction(execute);
        self.propose_action(neuron, texts, action).await
    }

    pub async fn functions(&self) -> Result<Vec<NervousSystemFunction>> {
        let (answer,): (ListNervousSystemFunctionsResponse,) = self
            .connection
            .query(self.canister, "list_nervous_system_functions", ())
            .await?;
        Ok(answer.functions)
    }

    /// Encodes arguments in Candid's text for a generic function, by the interface that its target shows.
    pub async fn payload(&self, function_id: u64, arguments: &str) -> Result<Vec<u8>> {
        let function = self
            .functions()
            .await?
            .into_iter()
            .find(|function| function.id == function_id)
            .ok_or_else(|| {
                ClientError::InvalidArgument(format!(
                    "there is no function {function_id}: `stoa proposal functions` lists them"
                ))
            })?;
        let Some(FunctionType::GenericNervousSystemFunction(generic)) = function.function_type
        else {
            return Err(ClientError::InvalidArgument(format!(
                "function {function_id} is one of governance's own: it has a command of its own in `stoa propose`"
            )));
        };
        let (Some(target), Some(method)) = (generic.target_canister_id, generic.target_method_name)
        else {
            return Err(ClientError::Failed(format!(
                "function {function_id} names no target"
            )));
        };
        let interface = self
            .connection
            .agent()
            .read_state_canister_metadata(target, "candid:service")
            .await
            .map_err(|source| ClientError::Call {
                canister: target,
                method: "candid:service".to_owned(),
                source: Box::new(source),
            })?;
        encode(&String::from_utf8_lossy(&interface), &method, arguments)
    }
}

/// The argument of a `post_upgrade`, whose type nobody but the module knows: as its text says it.
pub fn upgrade_argument(text: &str) -> Result<Vec<u8>> {
    candid_parser::parse_idl_args(text)
        .and_then(|arguments| Ok(arguments.to_bytes()?))
        .map_err(|error| ClientError::InvalidArgument(format!("\"{text}\" is not Candid: {error}")))
}

/// Parameters from `name=value`, the value in Candid's text: `reject_cost_e8s=100000000`.
pub fn parameter_changes(changes: &[String]) -> Result<NervousSystemParameters> {
    let invalid = |reason: String| ClientError::InvalidArgument(reason);
    let known = parameter_names();
    let mut fields = Vec::new();
    for change in changes {
        let (name, value) = change.split_once('=').ok_or_else(|| {
            invalid(format!(
                "\"{change}\" changes nothing: write name=value, such as reject_cost_e8s=100000000"
            ))
        })?;
        if !known.iter().any(|one| one == name) {
            return Err(invalid(format!(
                "there is no parameter {name}; there are {}",
                known.join(", ")
            )));
        }
        fields.push(format!("{name} = opt ({value})"));
    }
    let text = format!("(record {{ {} }})", fields.join("; "));
    let wrong = |error: String| invalid(format!("{}: {error}", changes.join(" ")));
    let bytes = candid_parser::parse_idl_args(&text)
        .map_err(|error| wrong(error.to_string()))?
        .to_bytes_with_types(&TypeEnv::new(), &[NervousSystemParameters::ty()])
        .map_err(|error| wrong(error.to_string()))?;
    candid::decode_one(&bytes).map_err(|error| wrong(error.to_string()))
}

/// Texts of the DAO from `name=value`; a logo is the path of a PNG file.
pub fn metadata_changes(changes: &[String]) -> Result<ManageSnsMetadata> {
    let mut metadata = ManageSnsMetadata {
        url: None,
        logo: None,
        name: None,
        description: None,
    };
    let invalid = |reason: String| Err(ClientError::InvalidArgument(reason));
    for change in changes {
        let Some((field, value)) = change.split_once('=') else {
            return invalid(format!(
                "\"{change}\" changes nothing: write name=value, such as name=Commons"
            ));
        };
        match field {
            "name" => metadata.name = Some(value.to_owned()),
            "description" => metadata.description = Some(value.to_owned()),
            "url" => metadata.url = Some(value.to_owned()),
            "logo" => {
                let bytes = std::fs::read(value)
                    .map_err(|error| ClientError::InvalidArgument(format!("{value}: {error}")))?;
                if !bytes.starts_with(b"\x89PNG") {
                    return invalid(format!("{value} is no PNG"));
                }
                let text = data_encoding::BASE64.encode(&bytes);
                metadata.logo = Some(format!("data:image/png;base64,{text}"));
            }
            unknown => {
                return invalid(format!(
                    "there is no {unknown}; there are name, description, url and logo"
                ));
            }
        }
    }
    Ok(metadata)
}

/// Each parameter that has a value, as `parameter_changes` reads it.
pub fn parameter_texts(parameters: &NervousSystemParameters) -> Vec<(String, String)> {
    let bytes = candid::encode_one(parameters).expect("BUG: parameters encode");
    let types = [NervousSystemParameters::ty()];
    let values = candid::IDLArgs::from_bytes_with_types(&bytes, &TypeEnv::new(), &types)
        .expect("BUG: what was just encoded decodes")
        .args;
    let Some(candid::IDLValue::Record(fields)) = values.into_iter().next() else {
        panic!("BUG: parameters are a record");
    };
    fields
        .into_iter()
        .filter_map(|field| match field.val {
            candid::IDLValue::Opt(value) => Some((field.id.to_string(), value.to_string())),
            _ => None,
        })
        .collect()
}

fn parameter_names() -> Vec<String> {
    match NervousSystemParameters::ty().as_ref() {
        TypeInner::Record(fields) => fields.iter().map(|field| field.id.to_string()).collect(),
        other => panic!("BUG: parameters are a record and not {other}"),
    }
}

fn encode(interface: &str, method: &str, arguments: &str) -> Result<Vec<u8>> {
    let invalid = |reason: String| ClientError::InvalidArgument(reason);
    let (env, service) = CandidSource::Text(interface)
        .load()
        .map_err(|error| invalid(format!("the target's interface does not parse: {error}")))?;
    let service =
        service.ok_or_else(|| invalid("the target's interface has no service".to_owned()))?;
    let function = env
        .get_method(&service, method)
        .map_err(|error| invalid(format!("the target has no method {method}: {error}")))?
        .clone();
    let arguments = candid_parser::parse_idl_args(arguments).map_err(|error| {
        invalid(format!(
            "\"{arguments}\" is not Candid: {error}; write for example '(record {{ name = \"x\" }})'"
        ))
    })?;
    arguments
        .to_bytes_with_types(&env, &function.args)
        .map_err(|error| invalid(format!("the arguments do not fit {method}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERFACE: &str = "service : { set : (record { amount : nat64; to : opt text }) -> () }";

    #[test]
    fn should_encode_arguments_by_the_interface_of_the_target() {
        #[derive(candid::CandidType)]
        struct Set {
            amount: u64,
            to: Option<String>,
        }
        let bytes = encode(INTERFACE, "set", "(record { amount = 5 })").unwrap();
        let expected = candid::encode_one(Set {
            amount: 5,
            to: None,
        })
        .unwrap();
        assert_eq!(bytes, expected);
    }

    #[test]
    fn should_read_parameters_and_refuse_unknown_ones() {
        let changes = [
            "reject_cost_e8s=5".to_owned(),
            "max_proposals_to_keep_per_action=7".to_owned(),
            "neuron_grantable_permissions=record { permissions = vec { 3; 4 } }".to_owned(),
        ];
        let parameters = parameter_changes(&changes).unwrap();
        assert_eq!(parameters.reject_cost_e8s, Some(5));
        assert_eq!(parameters.max_proposals_to_keep_per_action, Some(7));
        let granted = parameters.neuron_grantable_permissions.clone().unwrap();
        assert_eq!(granted.permissions, [3, 4]);
        assert_eq!(parameters.max_number_of_neurons, None);
        let again: Vec<String> = parameter_texts(&parameters)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(again.len(), 3);
        assert_eq!(parameter_changes(&again).unwrap(), parameters);
        for (wrong, part) in [
            ("reject_cost=5", "no parameter reject_cost;"),
            ("reject_cost_e8s", "name=value"),
            ("reject_cost_e8s=much", "reject_cost_e8s=much"),
            ("reject_cost_e8s=-1", "reject_cost_e8s=-1"),
        ] {
            let error = parameter_changes(&[wrong.to_owned()]).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn should_read_texts_of_the_dao_and_a_logo_from_its_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"\x89PNG...").unwrap();
        let logo = format!("logo={}", file.path().display());
        let changes = ["name=Commons = all".to_owned(), logo.clone()];
        let metadata = metadata_changes(&changes).unwrap();
        assert_eq!(metadata.name.as_deref(), Some("Commons = all"));
        let expected = "data:image/png;base64,iVBORy4uLg==";
        assert_eq!(metadata.logo.as_deref(), Some(expected));
        assert_eq!((metadata.url, metadata.description), (None, None));
        std::fs::write(file.path(), b"GIF89a").unwrap();
        for (wrong, part) in [
            ("name", "name=value"),
            ("title=Commons", "no title;"),
            ("logo=/no/such/file", "/no/such/file"),
            (logo.as_str(), "no PNG"),
        ] {
            let error = metadata_changes(&[wrong.to_owned()]).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn should_say_what_does_not_fit() {
        for (method, arguments, part) in [
            ("get", "()", "no method get"),
            ("set", "(record {", "is not Candid"),
            ("set", "(\"five\")", "do not fit"),
        ] {
            let error = encode(INTERFACE, method, arguments)
                .unwrap_err()
                .to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
