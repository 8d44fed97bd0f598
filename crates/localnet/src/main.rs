//! `stoa-localnet`: the embedded network as a program of its own.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use stoa_localnet::{Options, default_cache, start};

/// A local Internet Computer for development. One node, no consensus.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// Where to listen; port 0 takes any free port.
    #[arg(long, default_value = "127.0.0.1:4943")]
    listen: SocketAddr,
    /// Folder for compiled modules [default: stoa/modules in the user's cache folder].
    #[arg(long)]
    cache: Option<PathBuf>,
    /// 32 bytes in hexadecimal from which the network's keys are made.
    #[arg(long, value_parser = parse_seed)]
    seed: Option<[u8; 32]>,
    /// Folder in which everything is kept: a network started on it again goes on where this one ended, however it ended.
    /// Without it the state ends with the process.
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
}

fn parse_seed(text: &str) -> Result<[u8; 32], String> {
    let mut seed = [0; 32];
    hex::decode_to_slice(text, &mut seed)
        .map_err(|error| format!("64 hexadecimal digits are needed: {error}"))?;
    Ok(seed)
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let handle = start(Options {
        listen: arguments.listen,
        cache: arguments.cache.or_else(default_cache),
        seed: arguments.seed,
        state: arguments.state,
    })?;
    eprintln!(
        "Stoa development network: one node under a root key of its own, not a replica. Nothing on it has value.\n\
         It leaves out: consensus, other nodes and subnets, threshold keys and signatures, Bitcoin, rate limits."
    );
    let mut output = std::io::stdout();
    writeln!(output, "ready {}", handle.endpoint())?;
    output.flush()?;
    wait_for_signal()?;
    handle.shutdown();
    Ok(())
}

fn wait_for_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}
