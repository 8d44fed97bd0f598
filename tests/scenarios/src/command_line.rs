//! The real `stoa` program, as a person or a script runs it: a process that can be killed.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use stoa_client::Deployment;
use tempfile::TempDir;

/// Whose command line it is, with a folder of its own.
pub struct CommandLine {
    endpoint: String,
    /// Of a development identity, without `dev:`.
    identity: String,
    pub folder: TempDir,
}

impl CommandLine {
    /// `identity` is the name of a development identity.
    pub fn new(deployment: &Deployment, endpoint: &str, identity: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        deployment
            .write(&folder.path().join("deployment.json"))
            .expect("written");
        Self {
            endpoint: endpoint.to_owned(),
            identity: identity.to_owned(),
            folder,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).arg("--json");
        self.furnish(&mut command);
        command
    }

    fn furnish(&self, command: &mut Command) {
        command
            .current_dir(self.folder.path())
            .env("STOA_ENDPOINT", &self.endpoint)
            .env("STOA_IDENTITY", format!("dev:{}", self.identity))
            .env("STOA_CONFIG_DIR", self.folder.path())
            .env("STOA_HOME", self.folder.path())
            .env(
                "STOA_DEPLOYMENT",
                self.folder.path().join("deployment.json"),
            )
            .stdin(Stdio::null());
    }

    /// All that a person sees of a command that succeeds, in a terminal of 100 columns (made by `script` of util-linux).
    pub fn in_terminal(&self, arguments: &[&str]) -> String {
        let words: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
        let line = format!("stty cols 100; {} {}", program().display(), words.join(" "));
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        self.furnish(&mut command);
        let output = command.env("TERM", "xterm").output();
        let output = output.expect("script runs: apt-get install bsdutils");
        let seen = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "stoa {}: {seen}", words.join(" "));
        seen
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("stoa runs")
    }

    /// The JSON of a command that succeeds.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "stoa {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).expect("--json prints JSON")
    }

    /// The error of a command that fails.
    pub fn error(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "stoa {}", arguments.join(" "));
        let error: Value =
            serde_json::from_slice(&output.stderr).expect("--json prints errors as JSON");
        error["error"].as_str().expect("a text").to_owned()
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("stoa starts")
    }
}

/// `STOA_PROGRAM`, else beside this test: Cargo builds programs one folder above tests.
fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("STOA_PROGRAM").filter(|path| !path.is_empty()) {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("this test is a program");
    let folder = test.parent().and_then(|deps| deps.parent());
    let program = folder.expect("target/<profile>/deps").join("stoa");
    assert!(
        program.is_file(),
        "there is no {}: run `cargo build --workspace`, or name the program in STOA_PROGRAM",
        program.display()
    );
    program
}
