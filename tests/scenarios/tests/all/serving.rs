//! Stock clients take a model from a shard through a gateway that verifies: curl, with an interrupted download that goes on, and an IPFS
//! client that knows nothing but the CID.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use stoa_client::deploy::DeployPlan;
use stoa_client::fleet::Fleet;
use stoa_client::push::push;
use stoa_registry_api::{JobKind, JobState};
use stoa_scenarios::{PATIENCE, World, model_with_extra_file, run};
use stoa_types::Sha256;

const MIB: usize = 1 << 20;

/// `http://127.0.0.1:4943` and an id as the page that a gateway serves for that canister.
fn page(endpoint: &str, canister: &str) -> (String, String) {
    let (scheme, host) = endpoint.split_once("://").expect("a URL");
    let host = host.trim_end_matches('/');
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, format!(":{port}")),
        None => (host, String::new()),
    };
    let domain = match name {
        "127.0.0.1" | "localhost" | "[::1]" => "localhost",
        "icp-api.io" | "icp0.io" | "ic0.app" => "icp0.io",
        other => other,
    };
    let host = format!("{canister}.{domain}{port}");
    (format!("{scheme}://{host}"), host)
}

fn curl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "--max-time", "300"])
        .args(arguments)
        .output()
        .expect("curl is installed");
    assert!(
        output.status.success(),
        "curl {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

#[test]
fn should_serve_a_model_to_curl_and_to_an_ipfs_client() {
    run(async {
        let world = World::new(DeployPlan::default()).await;
        let publisher = world.actor().await;
        let handle = publisher.claim_handle().await;
        let (folder, model) = model_with_extra_file(&handle, 3 * MIB + 77);
        push(&publisher.connection, &publisher.registry(), &model, |_| {})
            .await
            .unwrap();
        let fleet = Fleet::new(&publisher.connection, world.deployment.registry);
        let start = std::time::Instant::now();
        loop {
            let jobs = fleet.jobs(None).await.unwrap();
            let is_served = |job: &stoa_registry_api::FleetJob| {
                job.kind == JobKind::Serve && job.state == JobState::Done
            };
            if jobs.iter().any(is_served) {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "not served: {jobs:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }

        let bytes = std::fs::read(folder.path().join("extra.bin")).unwrap();
        let manifest = &model.manifest;
        let endpoint = publisher.connection.endpoint().to_owned();
        let shard = world.deployment.shards[0].to_text();
        let (base, host) = page(&endpoint, &shard);
        let url = format!(
            "{base}/models/{}/{}/{}/extra.bin",
            manifest.publisher, manifest.name, manifest.version
        );
        let entry = manifest
            .files
            .iter()
            .find(|file| file.path == "extra.bin")
            .unwrap()
            .clone();
        let name = manifest.name.clone();
        tokio::task::spawn_blocking(move || {
            assert!(curl(&[&url]) == bytes, "a whole file");
            assert!(curl(&["-r", "1048576-2097151", &url]) == bytes[MIB..2 * MIB]);
            assert!(
                curl(&["-r", "5-1048580", &url]) == bytes[5..1_048_581],
                "an odd range"
            );
            resume(&url, &bytes, folder.path());
            let blob = format!("{base}/blob/{}", entry.chunks[1]);
            assert!(curl(&[&blob]) == bytes[MIB..2 * MIB]);
            let car = curl(&[&format!("{base}/ipfs/{}?format=car", entry.cid)]);
            assert!(car.len() > bytes.len());
            let missing = Command::new("curl")
                .args(["-s", "-o", "/dev/null", "-w", "%{http_code}"])
                .arg(format!("{base}/models/{name}/nothing"))
                .output()
                .unwrap();
            assert_eq!(missing.stdout, b"404", "verified, not a gateway's error");
            by_cid(&endpoint, &host, &entry.cid, &bytes);
        })
        .await
        .unwrap();
    });
}

/// A download that was cut off in the middle goes on where it was, part by part.
fn resume(url: &str, bytes: &[u8], folder: &Path) {
    let path = folder.join("download.bin");
    std::fs::write(&path, &bytes[..MIB / 2]).unwrap();
    let file = path.to_str().unwrap();
    for _ in 0..8 {
        if std::fs::metadata(&path).unwrap().len() == bytes.len() as u64 {
            break;
        }
        curl(&["-C", "-", "-o", file, url]);
    }
    assert!(std::fs::read(&path).unwrap() == bytes, "a resumed download");
}

fn by_cid(endpoint: &str, host: &str, cid: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ipfs");
    let output = Command::new("node")
        .args(["fetch.mjs", endpoint, host, cid])
        .current_dir(folder)
        .output()
        .expect("node is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let expected = format!(
        "\"sha256\":\"{}\",\"size\":{}",
        Sha256::of(bytes),
        bytes.len()
    );
    assert!(text.contains(&expected), "{text}");
}
