//! The embedded local network as a process in the background: its pid and log are kept in `STOA_HOME`, else `.stoa`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use stoa_client::deployment::home;
use stoa_client::{ClientError, Result};

use crate::context::local_endpoint;

const BINARY: &str = "stoa-localnet";
const BINARY_ENVIRONMENT: &str = "STOA_LOCALNET";
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// What the pid file says of a network that was started.
pub struct Running {
    pub pid: i32,
    pub port: u16,
    /// Where it keeps its state, if it does.
    pub state: Option<PathBuf>,
}

pub fn log_path() -> PathBuf {
    home().join("network.log")
}

fn pid_path() -> PathBuf {
    home().join("network.pid")
}

/// The network that was started from this folder, if its process lives.
pub fn running() -> Option<Running> {
    last().filter(|network| is_ours(network.pid))
}

/// The network that was started last, whatever became of it.
pub fn last() -> Option<Running> {
    let text = std::fs::read_to_string(pid_path()).ok()?;
    let (pid, rest) = text.trim().split_once(' ')?;
    let (port, state) = match rest.split_once(' ') {
        Some((port, state)) => (port, Some(PathBuf::from(state))),
        None => (rest, None),
    };
    Some(Running {
        pid: pid.parse().ok()?,
        port: port.parse().ok()?,
        state,
    })
}

/// Starts it with its output in the log. Whether it answers is for the caller to wait for.
pub fn start(port: u16, state: Option<&Path>) -> Result<Running> {
    std::fs::create_dir_all(home()).map_err(at(&home()))?;
    let log = File::create(log_path()).map_err(at(&log_path()))?;
    let mut command = Command::new(binary()?);
    command
        .args(arguments(port, state))
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(at(&log_path()))?)
        .stderr(log);
    // Its own process group: Ctrl-C in this terminal is not for it.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.spawn().map_err(at(Path::new(BINARY)))?;
    let pid = i32::try_from(child.id()).expect("BUG: a process id over 31 bits");
    let state = state.map(Path::to_path_buf);
    let line = match &state {
        Some(folder) => format!("{pid} {port} {}\n", folder.display()),
        None => format!("{pid} {port}\n"),
    };
    std::fs::write(pid_path(), line).map_err(at(&pid_path()))?;
    Ok(Running { pid, port, state })
}

/// Becomes the network: this returns only if that fails.
pub fn run_in_foreground(port: u16, state: Option<&Path>) -> Result<()> {
    let mut command = Command::new(binary()?);
    command.args(arguments(port, state));
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    Err(at(Path::new(BINARY))(error))
}

/// Asks it to end and waits; presses harder if it does not.
pub fn stop(running: &Running) -> Result<()> {
    let pid = Pid::from_raw(running.pid)
        .ok_or_else(|| ClientError::Failed("the pid file is damaged".to_owned()))?;
    for signal in [Signal::TERM, Signal::KILL] {
        if test_kill_process(pid).is_ok() {
            kill_process(pid, signal).map_err(|error| {
                ClientError::Failed(format!(
                    "process {} cannot be stopped: {error}",
                    running.pid
                ))
            })?;
        }
        let start = Instant::now();
        while start.elapsed() < STOP_PATIENCE {
            if !is_ours(running.pid) {
                return std::fs::remove_file(pid_path()).map_err(at(&pid_path()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Err(ClientError::Failed(format!(
        "process {} does not end",
        running.pid
    )))
}

fn arguments(port: u16, state: Option<&Path>) -> Vec<std::ffi::OsString> {
    let mut arguments = vec!["--listen".into(), format!("127.0.0.1:{port}").into()];
    if let Some(folder) = state {
        arguments.extend(["--state".into(), folder.into()]);
    }
    arguments
}

/// The log of the network that was started last, or the last lines of it.
pub fn log(last: Option<usize>) -> Result<String> {
    let log = std::fs::read_to_string(log_path()).map_err(at(&log_path()))?;
    let lines: Vec<&str> = log.lines().collect();
    let first = last.map_or(0, |last| lines.len().saturating_sub(last));
    Ok(lines[first..].join("\n"))
}

/// The end of the log, for an error message.
pub fn log_tail() -> String {
    let log = std::fs::read_to_string(log_path()).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

pub fn endpoint(running: &Running) -> String {
    local_endpoint(running.port)
}

/// Whether the process lives and is a network: a pid may have been given to something else since. A process that has
/// ended and was not waited for yet (state Z) does not live.
fn is_ours(pid: i32) -> bool {
    let Some(process) = Pid::from_raw(pid) else {
        return false;
    };
    if test_kill_process(process).is_err() {
        return false;
    }
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        // No /proc, as on macOS: that it lives has to do.
        return !Path::new("/proc/self").exists();
    };
    let Some((before, after)) = stat.rsplit_once(')') else {
        return false;
    };
    // The kernel cuts names at 15 bytes.
    let name = before.split_once('(').map_or("", |(_, name)| name);
    BINARY.starts_with(name) && !after.trim_start().starts_with('Z')
}

/// `STOA_LOCALNET`, else beside this program, else where Cargo builds it.
fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(BINARY_ENVIRONMENT).filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let beside = std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.parent()?.join(BINARY)));
    [beside, Some(PathBuf::from("target/debug").join(BINARY))]
        .into_iter()
        .flatten()
        .find(|path| path.exists())
        .ok_or_else(|| {
            ClientError::Failed(format!(
                "there is no {BINARY} beside this program or in target/debug: build it with `cargo build -p {BINARY}`, or name it in {BINARY_ENVIRONMENT}"
            ))
        })
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> ClientError {
    let path = path.to_owned();
    move |source| ClientError::File { path, source }
}
