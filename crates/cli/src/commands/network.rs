//! `stoa network`: the embedded local network.

use std::time::{Duration, Instant};

use serde_json::json;
use stoa_client::wasm::WasmFolder;
use stoa_client::{ClientError, Connection, Deployment, Result, deploy};

use crate::arguments::{Network, NetworkStart};
use crate::context::{Context, local_endpoint};
use crate::localnet;
use crate::output::Output;

const START_PATIENCE: Duration = Duration::from_secs(30);

pub async fn run(context: &Context, command: Network) -> Result<Output> {
    match command {
        Network::Start(arguments) => start(context, arguments).await,
        Network::Stop => stop(context),
        Network::Logs { last } => logs(last),
        Network::Status { endpoint: false } => Ok(status()),
        Network::Status { endpoint: true } => endpoint(),
    }
}

async fn start(context: &Context, arguments: NetworkStart) -> Result<Output> {
    if let Some(running) = localnet::running() {
        let endpoint = localnet::endpoint(&running);
        let line = format!(
            "a local network already runs at {endpoint} (process {})",
            running.pid
        );
        return started(context, &arguments, line, &endpoint, running.pid).await;
    }
    let port = free_port(arguments.port)?;
    let endpoint = local_endpoint(port);
    let state = match &arguments.state {
        Some(folder) => Some(absolute(folder)?),
        None => None,
    };
    // What was on a network that kept nothing is gone; on a folder it may be there again.
    if state.is_none() {
        if let Some(last) = localnet::last().filter(|last| last.state.is_none()) {
            forget_deployment(context, &localnet::endpoint(&last))?;
        }
        forget_deployment(context, &endpoint)?;
    }
    if arguments.foreground {
        localnet::run_in_foreground(port, state.as_deref())?;
    }
    let running = localnet::start(port, state.as_deref())?;
    wait_until_up(&endpoint).await?;
    let line = format!(
        "a local network runs at {endpoint} (process {}, log {})",
        running.pid,
        localnet::log_path().display()
    );
    started(context, &arguments, line, &endpoint, running.pid).await
}

async fn started(
    context: &Context,
    arguments: &NetworkStart,
    line: String,
    endpoint: &str,
    pid: i32,
) -> Result<Output> {
    let mut lines = vec![line];
    if arguments.standins {
        lines.extend(put_up_standins(context, endpoint).await?);
    }
    Ok(Output::lines(
        lines,
        json!({"endpoint": endpoint, "pid": pid}),
    ))
}

async fn put_up_standins(context: &Context, endpoint: &str) -> Result<Vec<String>> {
    let connection = Connection::open(endpoint, context.identity()?).await?;
    deploy::put_up_standins(&connection, &WasmFolder::of_environment(), |_| {}).await?;
    let ids = [
        ("ICP ledger", deploy::ICP_LEDGER_ID),
        ("cycles minting", deploy::CYCLES_MINTING_ID),
        ("cycles ledger", deploy::CYCLES_LEDGER_ID),
    ];
    Ok(ids
        .map(|(name, id)| format!("{name:<15} {id}"))
        .into_iter()
        .collect())
}

/// The port itself, or any that is free for 0.
fn free_port(port: u16) -> Result<u16> {
    std::net::TcpListener::bind(("127.0.0.1", port))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| {
            ClientError::InvalidArgument(format!(
                "port {port} cannot be used ({error}): choose another with --port"
            ))
        })
}

/// A network's state ends with it, so a deployment that was on it is gone.
fn forget_deployment(context: &Context, endpoint: &str) -> Result<()> {
    let path = context.deployment_path();
    match Deployment::read(&path) {
        Ok(old) if old.endpoint == endpoint => {
            std::fs::remove_file(&path).map_err(|source| ClientError::File { path, source })
        }
        _ => Ok(()),
    }
}

async fn wait_until_up(endpoint: &str) -> Result<()> {
    use stoa_client::identity::development_identity;
    let start = Instant::now();
    loop {
        let probe = development_identity("probe");
        let answer = Connection::open(endpoint, std::sync::Arc::new(probe)).await;
        match answer {
            Ok(_) => return Ok(()),
            Err(error) if localnet::running().is_none() => {
                return Err(ClientError::Failed(format!(
                    "the local network ended at once ({error}); its log ends with:\n{}",
                    localnet::log_tail()
                )));
            }
            Err(error) if start.elapsed() > START_PATIENCE => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn stop(context: &Context) -> Result<Output> {
    match localnet::running() {
        Some(running) => {
            localnet::stop(&running)?;
            let text = match &running.state {
                Some(folder) => format!(
                    "the local network is stopped; start it again with --state {}",
                    folder.display()
                ),
                None => {
                    forget_deployment(context, &localnet::endpoint(&running))?;
                    "the local network is stopped, what was on it is gone".to_owned()
                }
            };
            Ok(Output::new(text, json!({"stopped": running.pid})))
        }
        None => Ok(Output::new(
            "no local network was started from this folder",
            json!({"stopped": null}),
        )),
    }
}

fn logs(last: Option<usize>) -> Result<Output> {
    let text = localnet::log(last)?;
    let lines: Vec<&str> = text.lines().collect();
    let json = json!({"log": lines});
    Ok(Output::new(text, json))
}

/// The network runs in another folder perhaps, and its state must not move with it.
fn absolute(folder: &std::path::Path) -> Result<std::path::PathBuf> {
    std::path::absolute(folder).map_err(|source| ClientError::File {
        path: folder.to_owned(),
        source,
    })
}

fn status() -> Output {
    match localnet::running() {
        Some(running) => {
            let endpoint = localnet::endpoint(&running);
            Output::new(
                format!("running at {endpoint} (process {})", running.pid),
                json!({"running": true, "endpoint": endpoint, "pid": running.pid}),
            )
        }
        None => Output::new(
            "not running: start it with `stoa network start`",
            json!({"running": false}),
        ),
    }
}

/// For scripts: the URL alone, or failure.
fn endpoint() -> Result<Output> {
    let running = localnet::running()
        .ok_or_else(|| ClientError::Failed("no local network runs".to_owned()))?;
    let endpoint = localnet::endpoint(&running);
    Ok(Output::new(endpoint.clone(), json!(endpoint)))
}
