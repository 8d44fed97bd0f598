//! What icp-cli 1.3 sends to a network that it is connected to: it asks the cycles minting canister for subnets, has the
//! cycles ledger create canisters, and buys, sends and withdraws cycles. All at their mainnet ids, which it knows by heart.

use candid::{CandidType, Decode, Encode, Nat, Principal};
use ic_agent::Agent;
use ic_agent::agent::SubnetType;
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, CanisterStatusResult, InstallCodeArgs,
};
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::{TransferArg, TransferError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use stoa_client::Connection;
use stoa_client::deploy::{CYCLES_LEDGER_ID, CYCLES_MINTING_ID, ICP_LEDGER_ID, put_up_standins};
use stoa_client::identity::development_identity;
use stoa_scenarios::{connect, fresh_identity, run, wasm_folder};
use tokio::sync::OnceCell;

const TRILLION: u64 = 1_000_000_000_000;
/// Of the cycles ledger.
const FEE: u64 = 100_000_000;
/// `MINT`
const MEMO_MINT_CYCLES: u64 = 0x544e_494d;

#[derive(CandidType)]
enum SubnetSelection {
    #[allow(dead_code)]
    Filter {
        subnet_type: Option<String>,
    },
    Subnet {
        subnet: Principal,
    },
}

#[derive(CandidType)]
struct CreationArgs {
    subnet_selection: Option<SubnetSelection>,
    settings: Option<CanisterSettings>,
}

#[derive(CandidType)]
struct CreateCanisterArgs {
    from_subaccount: Option<Vec<u8>>,
    created_at_time: Option<u64>,
    amount: Nat,
    creation_args: Option<CreationArgs>,
}

#[derive(CandidType, Deserialize, Debug)]
enum CreateCanisterResponse {
    Ok {
        block_id: Nat,
        canister_id: Principal,
    },
    Err(CreateCanisterError),
}

#[derive(CandidType, Deserialize, Debug)]
enum CreateCanisterError {
    GenericError {
        message: String,
        error_code: Nat,
    },
    TemporarilyUnavailable,
    Duplicate {
        duplicate_of: Nat,
        canister_id: Option<Principal>,
    },
    CreatedInFuture {
        ledger_time: u64,
    },
    FailedToCreate {
        error: String,
        refund_block: Option<Nat>,
        fee_block: Option<Nat>,
    },
    TooOld,
    InsufficientFunds {
        balance: Nat,
    },
}

#[derive(CandidType)]
struct WithdrawArgs {
    amount: Nat,
    from_subaccount: Option<Vec<u8>>,
    to: Principal,
    created_at_time: Option<u64>,
}

#[derive(CandidType, Deserialize, Debug)]
enum WithdrawError {
    FailedToWithdraw {
        fee_block: Option<Nat>,
        rejection_reason: String,
    },
    InvalidReceiver {
        receiver: Principal,
    },
    InsufficientFunds {
        balance: Nat,
    },
}

#[derive(CandidType)]
struct IcpTransferArgs {
    memo: u64,
    amount: Tokens,
    fee: Tokens,
    from_subaccount: Option<Vec<u8>>,
    to: Vec<u8>,
    created_at_time: Option<u64>,
}

#[derive(CandidType)]
struct Tokens {
    e8s: u64,
}

#[derive(CandidType)]
struct NotifyMintArgs {
    block_index: u64,
    deposit_memo: Option<Vec<u8>>,
    to_subaccount: Option<Vec<u8>>,
}

#[derive(CandidType, Deserialize, Debug)]
enum NotifyMintResponse {
    Ok {
        balance: Nat,
        block_index: Nat,
        minted: Nat,
    },
    Err(NotifyMintError),
}

#[derive(CandidType, Deserialize, Debug)]
enum NotifyMintError {
    InvalidTransaction(String),
    Processing,
}

fn id(text: &str) -> Principal {
    Principal::from_text(text).unwrap()
}

fn cycles_ledger() -> Principal {
    id(CYCLES_LEDGER_ID)
}

static STANDINS: OnceCell<Connection> = OnceCell::const_new();

/// Somebody with cycles and ICP, on a network with the stand-ins.
async fn owner() -> &'static Connection {
    STANDINS
        .get_or_init(|| async {
            let connection = connect(std::sync::Arc::new(development_identity("icp-cli"))).await;
            put_up_standins(&connection, &wasm_folder(), |_| {})
                .await
                .unwrap();
            connection
        })
        .await
}

async fn query<R: CandidType + DeserializeOwned>(
    agent: &Agent,
    canister: Principal,
    method: &str,
    argument: Vec<u8>,
) -> R {
    let reply = agent
        .query(&canister, method)
        .with_arg(argument)
        .call()
        .await
        .unwrap();
    Decode!(&reply, R).unwrap()
}

async fn update<R: CandidType + DeserializeOwned>(
    agent: &Agent,
    canister: Principal,
    method: &str,
    argument: Vec<u8>,
) -> R {
    let reply = agent
        .update(&canister, method)
        .with_arg(argument)
        .call_and_wait()
        .await
        .unwrap();
    Decode!(&reply, R).unwrap()
}

async fn balance(agent: &Agent, owner: Principal) -> Nat {
    let account = Encode!(&Account::from(owner)).unwrap();
    query(agent, cycles_ledger(), "icrc1_balance_of", account).await
}

/// The subnet that icp-cli would choose.
async fn subnet(agent: &Agent) -> Principal {
    let subnets: Vec<Principal> = query(
        agent,
        id(CYCLES_MINTING_ID),
        "get_default_subnets",
        Encode!(&()).unwrap(),
    )
    .await;
    *subnets.first().expect("there is a subnet")
}

async fn create(agent: &Agent, amount: u64, subnet: Principal) -> CreateCanisterResponse {
    let argument = CreateCanisterArgs {
        from_subaccount: None,
        created_at_time: None,
        amount: Nat::from(amount),
        creation_args: Some(CreationArgs {
            subnet_selection: Some(SubnetSelection::Subnet { subnet }),
            settings: Some(CanisterSettings::default()),
        }),
    };
    let argument = Encode!(&argument).unwrap();
    update(agent, cycles_ledger(), "create_canister", argument).await
}

async fn created(connection: &Connection) -> Principal {
    let agent = connection.agent();
    match create(agent, 2 * TRILLION, subnet(agent).await).await {
        CreateCanisterResponse::Ok { canister_id, .. } => canister_id,
        CreateCanisterResponse::Err(error) => panic!("{error:?}"),
    }
}

async fn status(agent: &Agent, canister: Principal) -> CanisterStatusResult {
    let argument = Encode!(&CanisterIdRecord {
        canister_id: canister
    })
    .unwrap();
    let reply = agent
        .update(&Principal::management_canister(), "canister_status")
        .with_effective_canister_id(canister)
        .with_arg(argument)
        .call_and_wait()
        .await
        .unwrap();
    Decode!(&reply, CanisterStatusResult).unwrap()
}

/// Someone new, with as many cycles at the cycles ledger.
async fn newcomer(cycles: u64) -> Connection {
    let owner = owner().await;
    let newcomer = owner.with_identity(fresh_identity());
    let argument = TransferArg {
        from_subaccount: None,
        to: Account::from(newcomer.principal()),
        fee: Some(Nat::from(FEE)),
        created_at_time: None,
        memo: None,
        amount: Nat::from(cycles),
    };
    let sent: Result<Nat, TransferError> = update(
        owner.agent(),
        cycles_ledger(),
        "icrc1_transfer",
        Encode!(&argument).unwrap(),
    )
    .await;
    sent.unwrap();
    newcomer
}

#[test]
fn should_create_and_install_canisters_as_icp_cli_does() {
    run(async {
        let me = newcomer(10 * TRILLION).await;
        let agent = me.agent();
        let subnet = subnet(agent).await;
        let known = agent.get_subnet_by_id(&subnet).await.unwrap();
        assert_ne!(known.subnet_type(), Some(&SubnetType::CloudEngine));

        let canister = created(&me).await;
        assert_eq!(
            balance(agent, me.principal()).await,
            Nat::from(8 * TRILLION - FEE)
        );
        assert_eq!(
            agent.get_subnet_by_canister(&canister).await.unwrap().id(),
            subnet
        );
        let fresh = status(agent, canister).await;
        assert_eq!(fresh.settings.controllers, [me.principal()]);
        assert_eq!(fresh.module_hash, None);
        assert!(fresh.cycles > 1_000_000_000_000u64 && fresh.cycles < 2 * TRILLION);

        let wasm_module = wat::parse_str(
            r#"(module
                (import "ic0" "msg_reply" (func $reply))
                (func (export "canister_query greet") (call $reply)))"#,
        )
        .unwrap();
        let install = InstallCodeArgs {
            mode: CanisterInstallMode::Install,
            canister_id: canister,
            wasm_module,
            arg: vec![],
            sender_canister_version: None,
        };
        agent
            .update(&Principal::management_canister(), "install_code")
            .with_effective_canister_id(canister)
            .with_arg(Encode!(&install).unwrap())
            .call_and_wait()
            .await
            .unwrap();
        let greeting = agent.query(&canister, "greet").call().await.unwrap();
        assert!(greeting.is_empty());
    });
}

#[test]
fn should_refuse_to_create_without_the_cycles_or_where_there_is_no_such_subnet() {
    run(async {
        let me = newcomer(TRILLION).await;
        let agent = me.agent();
        let subnet = subnet(agent).await;
        let before = balance(agent, me.principal()).await;
        let answer = create(agent, 2 * TRILLION, subnet).await;
        let CreateCanisterResponse::Err(CreateCanisterError::InsufficientFunds { balance: told }) =
            answer
        else {
            panic!("{answer:?}");
        };
        assert_eq!(told, before);
        assert_eq!(balance(agent, me.principal()).await, before);

        // Less than a canister costs: it comes back, but for the fees of the two blocks.
        for (amount, subnet) in [
            (TRILLION / 10, subnet),
            (TRILLION / 10, Principal::anonymous()),
        ] {
            let before = balance(agent, me.principal()).await;
            let answer = create(agent, amount, subnet).await;
            let CreateCanisterResponse::Err(CreateCanisterError::FailedToCreate {
                refund_block: Some(_),
                ..
            }) = answer
            else {
                panic!("{answer:?}");
            };
            assert_eq!(
                balance(agent, me.principal()).await,
                before - Nat::from(2 * FEE)
            );
        }
    });
}

#[test]
fn should_top_up_a_canister_from_the_cycles_ledger() {
    run(async {
        let me = newcomer(10 * TRILLION).await;
        let agent = me.agent();
        let canister = created(&me).await;
        let before = status(agent, canister).await.cycles;
        let withdraw = async |amount: u64, to: Principal| {
            let argument = WithdrawArgs {
                amount: Nat::from(amount),
                from_subaccount: None,
                to,
                created_at_time: None,
            };
            let answer: Result<Nat, WithdrawError> = update(
                agent,
                cycles_ledger(),
                "withdraw",
                Encode!(&argument).unwrap(),
            )
            .await;
            answer
        };
        withdraw(3 * TRILLION, canister).await.unwrap();
        let after = status(agent, canister).await.cycles;
        assert!(after > before.clone() + Nat::from(3 * TRILLION - TRILLION / 100));

        let left = balance(agent, me.principal()).await;
        assert!(matches!(
            withdraw(TRILLION, me.principal()).await,
            Err(WithdrawError::InvalidReceiver { .. })
        ));
        assert!(matches!(
            withdraw(100 * TRILLION, canister).await,
            Err(WithdrawError::InsufficientFunds { .. })
        ));
        assert_eq!(balance(agent, me.principal()).await, left);
        let nobody = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 99, 1, 1]);
        assert!(matches!(
            withdraw(TRILLION, nobody).await,
            Err(WithdrawError::FailedToWithdraw {
                fee_block: Some(_),
                ..
            })
        ));
        assert_eq!(
            balance(agent, me.principal()).await,
            left - Nat::from(2 * FEE)
        );
    });
}

#[test]
fn should_turn_icp_into_cycles_at_the_ledger_once() {
    run(async {
        let owner = owner().await;
        let agent = owner.agent();
        let account = Account {
            owner: id(CYCLES_MINTING_ID),
            subaccount: Some(subaccount_of(owner.principal())),
        };
        let to: Vec<u8> = query(
            agent,
            id(ICP_LEDGER_ID),
            "account_identifier",
            Encode!(&account).unwrap(),
        )
        .await;
        let transfer = IcpTransferArgs {
            memo: MEMO_MINT_CYCLES,
            amount: Tokens { e8s: 200_000_000 },
            fee: Tokens { e8s: 10_000 },
            from_subaccount: None,
            to,
            created_at_time: None,
        };
        #[derive(CandidType, Deserialize, Debug)]
        enum IcpTransferError {
            TxCreatedInFuture,
        }
        let block: Result<u64, IcpTransferError> = update(
            agent,
            id(ICP_LEDGER_ID),
            "transfer",
            Encode!(&transfer).unwrap(),
        )
        .await;
        let argument = Encode!(&NotifyMintArgs {
            block_index: block.unwrap(),
            deposit_memo: None,
            to_subaccount: None,
        })
        .unwrap();
        let notify = async |agent: &Agent| -> NotifyMintResponse {
            let argument = argument.clone();
            update(agent, id(CYCLES_MINTING_ID), "notify_mint_cycles", argument).await
        };
        let first = notify(agent).await;
        let NotifyMintResponse::Ok {
            balance: told,
            block_index,
            minted,
        } = first
        else {
            panic!("{first:?}");
        };
        // 4 XDR an ICP.
        assert_eq!(minted, 8 * TRILLION);
        assert!(told >= minted.clone() - Nat::from(FEE));
        let again = notify(agent).await;
        let NotifyMintResponse::Ok {
            block_index: the_same,
            ..
        } = again
        else {
            panic!("{again:?}");
        };
        assert_eq!(the_same, block_index);

        let stranger = owner.with_identity(fresh_identity());
        let theirs = notify(stranger.agent()).await;
        assert!(
            matches!(
                theirs,
                NotifyMintResponse::Err(NotifyMintError::InvalidTransaction(_))
            ),
            "{theirs:?}"
        );
    });
}

/// As the cycles minting canister derives it: the length, then the bytes.
fn subaccount_of(principal: Principal) -> [u8; 32] {
    let bytes = principal.as_slice();
    let mut subaccount = [0; 32];
    subaccount[0] = bytes.len() as u8;
    subaccount[1..=bytes.len()].copy_from_slice(bytes);
    subaccount
}
