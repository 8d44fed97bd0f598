//! The `stoa` program in a folder of its own, and what it prints with everything left out that differs from run to run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub struct Stoa {
    folder: TempDir,
    endpoint: Option<String>,
}

impl Stoa {
    pub fn without_network() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        Self {
            folder,
            endpoint: None,
        }
    }

    /// With a network and a deployment that ends with this.
    pub fn deployed() -> Self {
        let mut stoa = Self::without_network();
        stoa.succeed(&["network", "start", "--port", "0"]);
        let endpoint = stoa.succeed(&["network", "status", "--endpoint"]);
        stoa.endpoint = Some(endpoint.trim().to_owned());
        stoa.succeed(&["deploy"]);
        stoa
    }

    /// The same on a network that keeps its state.
    pub fn deployed_on_a_state_folder() -> Self {
        let mut stoa = Self::without_network();
        stoa.start_on_state("0");
        let endpoint = stoa.succeed(&["network", "status", "--endpoint"]);
        stoa.endpoint = Some(endpoint.trim().to_owned());
        stoa.succeed(&["deploy"]);
        stoa
    }

    fn start_on_state(&self, port: &str) {
        self.succeed(&["network", "start", "--port", port, "--state", "state"]);
    }

    /// As `kill -9` does; then starts it again where it was.
    pub fn kill_network(&self) {
        let pid = std::fs::read_to_string(self.path(".stoa/network.pid")).unwrap();
        let pid = pid.split(' ').next().unwrap();
        let killed = Command::new("kill").args(["-KILL", pid]).status().unwrap();
        assert!(killed.success());
    }

    pub fn start_network_again(&self) {
        let endpoint = self.endpoint.as_deref().expect("a network");
        let (_, port) = endpoint.rsplit_once(':').expect("a port");
        // The kernel takes a moment to let go of what the old process held.
        let start = std::time::Instant::now();
        let address = format!("127.0.0.1:{port}");
        while std::net::TcpListener::bind(&address).is_err() {
            assert!(start.elapsed().as_secs() < 60, "{address} stays taken");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        self.start_on_state(port);
    }

    /// Bytes that all files of the state folder take on the disk.
    pub fn state_bytes(&self) -> u64 {
        use std::os::unix::fs::MetadataExt;

        let mut sum = 0;
        let mut folders = vec![self.path("state")];
        while let Some(folder) = folders.pop() {
            // Files come and go while this looks.
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                    Ok(metadata) => sum += metadata.blocks() * 512,
                    Err(_) => {}
                }
            }
        }
        sum
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn copy_digits(&self, name: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/models/digits");
        std::fs::create_dir(self.path(name)).unwrap();
        for file in ["digits.onnx", "README.md", "model.toml"] {
            std::fs::copy(from.join(file), self.path(name).join(file)).unwrap();
        }
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stoa"));
        for name in [
            "STOA_ENDPOINT",
            "STOA_IDENTITY",
            "STOA_DEPLOYMENT",
            "STOA_PUBLISHER",
        ] {
            command.env_remove(name);
        }
        let canisters = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/canisters");
        if std::env::var_os("STOA_WASM_DIR").is_none() {
            command.env("STOA_WASM_DIR", canisters);
        }
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("STOA_HOME", self.path(".stoa"))
            .env("STOA_CONFIG_DIR", self.path(".config"))
            .env("STOA_IDENTITY", "dev:command-line-test");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// In the background, with its output kept.
    pub fn start(&self, arguments: &[&str]) -> std::process::Child {
        use std::process::Stdio;

        self.command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Until the state folder has grown to this.
    pub fn wait_for_state(&self, bytes: u64) {
        let start = std::time::Instant::now();
        while self.state_bytes() < bytes {
            assert!(start.elapsed().as_secs() < 300, "it does not get on");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "stoa {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// By the only neuron there is.
    pub fn admit(&self, version: &str) {
        self.succeed(&["neuron", "stake", "1000"]);
        self.succeed(&["propose", "admit", version]);
        self.succeed(&["proposal", "show", "latest", "--wait"]);
    }

    /// What each command prints, and how it ends.
    pub fn transcript(&self, commands: &[&[&str]]) -> String {
        let mut text = String::new();
        for arguments in commands {
            let output = self.run(arguments);
            text += &format!("$ stoa {}\n", arguments.join(" "));
            text += &String::from_utf8_lossy(&output.stdout);
            text += &String::from_utf8_lossy(&output.stderr);
            if let Some(code @ 1..) = output.status.code() {
                text += &format!("[exit code {code}]\n");
            }
            text += "\n";
        }
        self.stable(&text)
    }

    /// Without folder, endpoint, and times.
    fn stable(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for path in [
            self.folder.path().canonicalize().unwrap(),
            self.folder.path().to_owned(),
        ] {
            text = text.replace(path.to_str().unwrap(), "<folder>");
        }
        if let Some(endpoint) = &self.endpoint {
            text = text.replace(endpoint, "<endpoint>");
        }
        // Deposits move by timer.
        for (before, after) in [
            ("on its way back", "given back"),
            ("on its way to the treasury", "in the treasury"),
        ] {
            text = text.replace(before, after);
        }
        text.lines()
            // Whether the registry learns of a proposal before it has run is a matter of moments, too.
            .filter(|line| !line.contains("proposal"))
            .map(|line| match line.split_once("_at_nanos\":") {
                Some((key, rest)) if !rest.trim().starts_with("null") => {
                    let comma = if rest.ends_with(',') { "," } else { "" };
                    format!("{key}_at_nanos\": <time>{comma}")
                }
                _ => line.to_owned(),
            })
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl Drop for Stoa {
    fn drop(&mut self) {
        if self.path(".stoa").join("network.pid").exists() {
            let stopped = self.run(&["network", "stop"]);
            if !stopped.status.success() {
                eprintln!("the network of this test still runs: {stopped:?}");
            }
        }
    }
}
