//! Stock clients take a model from a shard through a gateway that verifies: curl, with an interrupted download that goes on, and an IPFS
//! client that knows nothing but the CID.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use candid::Principal;
use stoa_client::Connection;
use stoa_client::deploy::DeployPlan;
use stoa_client::fleet::Fleet;
use stoa_client::push::push;
use stoa_content::{Duplicates, directory_link, folder_blocks};
use stoa_registry_api::{JobKind, JobState};
use stoa_scenarios::{PATIENCE, World, model_with_extra_file, page, run};
use stoa_shard_api::{HttpRequest, HttpResponse};
use stoa_types::manifest::FileEntry;

const MIB: usize = 1 << 20;

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

async fn wait_until_served(world: &World) {
    let fleet = Fleet::new(&world.deployer.connection, world.deployment.registry);
    let start = Instant::now();
    loop {
        let jobs = fleet.jobs(None).await.unwrap();
        let is_served = |job: &stoa_registry_api::FleetJob| {
            job.kind == JobKind::Serve && job.state == JobState::Done
        };
        if jobs.iter().any(is_served) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "not served: {jobs:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
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
        wait_until_served(&world).await;

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
        let files = manifest.files.clone();
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
            by_cid(&endpoint, &host, &entry.cid, &[("", &entry)]);
            let folder = directory_link(&files).unwrap().cid.to_string();
            let paths: Vec<(&str, &FileEntry)> = files
                .iter()
                .map(|file| (file.path.as_str(), file))
                .collect();
            by_cid(&endpoint, &host, &folder, &paths);
            folder_as_car(&format!("{base}/ipfs/{folder}?format=car"), &files);
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

/// What a client that knows the CID alone gets, file by file.
fn by_cid(endpoint: &str, host: &str, cid: &str, files: &[(&str, &FileEntry)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ipfs");
    let paths = files.iter().map(|(path, _)| *path);
    let output = Command::new("node")
        .args(["fetch.mjs", endpoint, host, cid])
        .args(paths.filter(|path| !path.is_empty()))
        .current_dir(folder)
        .output()
        .expect("node is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected: Vec<serde_json::Value> = files
        .iter()
        .map(|(path, file)| {
            serde_json::json!({"path": path, "sha256": file.sha256.to_string(), "size": file.size_bytes})
        })
        .collect();
    assert_eq!(answer["files"], serde_json::json!(expected));
}

/// The whole version in one CAR, read block by block by `@ipld/car`.
fn folder_as_car(url: &str, files: &[FileEntry]) {
    let car = tempfile::NamedTempFile::new().unwrap();
    let path = car.path().to_str().unwrap();
    curl(&["-o", path, url]);
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/content/tests/interop");
    let output = Command::new("node")
        .args(["car.mjs", "read", path])
        .current_dir(reader)
        .output()
        .expect("node is installed");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        panic!("{}", String::from_utf8_lossy(&output.stderr));
    });
    let walk = folder_blocks(files, Duplicates::Once).unwrap();
    let blocks: Vec<String> = walk.iter().map(|block| block.cid().to_string()).collect();
    assert_eq!(answer["blocks"], serde_json::json!(blocks));
}

/// Every path of a model, judged by the verifier that gateways use, under the network's own root key (statement 32).
#[test]
fn should_prove_every_path_of_a_model_to_the_verifier_of_gateways() {
    run(async {
        let world = World::new(DeployPlan::default()).await;
        let publisher = world.actor().await;
        let handle = publisher.claim_handle().await;
        let (_folder, model) = model_with_extra_file(&handle, 2 * MIB + 5);
        push(&publisher.connection, &publisher.registry(), &model, |_| {})
            .await
            .unwrap();
        wait_until_served(&world).await;

        let manifest = &model.manifest;
        let folder = directory_link(&manifest.files).unwrap().cid;
        let named = format!("/models/{handle}/{}/{}", manifest.name, manifest.version);
        let mut paths = vec![
            (format!("/ipfs/{folder}?format=raw"), 200),
            (format!("/ipfs/{folder}?format=car&dag-scope=block"), 200),
            ("/ipfs/bafkqaaa?format=raw".to_owned(), 200),
            (format!("/ipfs/{folder}"), 406),
            (format!("/ipfs/{folder}/nothing?format=car"), 404),
            (format!("{named}/nothing"), 404),
            ("/".to_owned(), 404),
        ];
        for file in &manifest.files {
            let parts = if file.chunks.len() == 1 { 200 } else { 206 };
            paths.push((format!("{named}/{}", file.path), parts));
            paths.push((format!("/ipfs/{}?format=raw", file.cid), 200));
            paths.push((format!("/ipfs/{}?format=car", file.cid), 206));
            paths.push((format!("/ipfs/{folder}/{}?format=car", file.path), 206));
            for chunk in &file.chunks {
                paths.push((format!("/blob/{chunk}"), 200));
            }
        }
        for shard in &world.deployment.shards {
            for (path, status) in &paths {
                let answer = verified(&publisher.connection, *shard, path).await;
                assert_eq!(answer.status_code, *status, "{path}");
            }
        }
    });
}

/// The answer to a query, once `ic-response-verification` has found every byte and every header of it proven.
async fn verified(connection: &Connection, canister: Principal, url: &str) -> HttpResponse {
    let wire = HttpRequest {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        certificate_version: Some(2),
    };
    let (answer,): (HttpResponse,) = connection
        .query(canister, "http_request", (wire,))
        .await
        .unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let info = ic_response_verification::verify_request_response_pair(
        ic_http_certification::HttpRequest::builder()
            .with_method("GET".parse().unwrap())
            .with_url(url)
            .build(),
        ic_http_certification::HttpResponse::builder()
            .with_status_code(answer.status_code.try_into().unwrap())
            .with_headers(answer.headers.clone())
            .with_body(answer.body.clone())
            .build(),
        canister.as_slice(),
        now.as_nanos(),
        300_000_000_000,
        &connection.agent().read_root_key(),
        2,
    )
    .unwrap_or_else(|error| panic!("{url}: {error}"));
    let proven = info.response.expect("verification was not skipped");
    for (name, value) in &answer.headers {
        let is_proof = name.to_ascii_lowercase().starts_with("ic-certificate");
        let is_proven = proven
            .headers
            .iter()
            .any(|(key, proven)| key.eq_ignore_ascii_case(name) && proven == value);
        assert!(is_proven || is_proof, "{name} of {url} is not proven");
    }
    answer
}
