//! What a shard costs: instructions of putting, getting, scrubbing and serving a mebibyte, and stable bytes for a byte stored.

use candid::Principal;
use stoa_benches::{Execution, Meter, Table};
use stoa_client::Connection;
use stoa_client::deploy::DeployPlan;
use stoa_client::push::push;
use stoa_client::shard::Shard;
use stoa_scenarios::{World, connect, fresh_identity, model_with_extra_file, run};
use stoa_shard_api::{HttpRequest, HttpResponse, ShardHealth};
use stoa_types::Sha256;

const MIB: usize = 1 << 20;
/// Where the stable memory is looked at.
const STORED_MIB: [usize; 3] = [16, 64, 256];

fn main() {
    run(measure());
}

async fn measure() {
    let probe = connect(fresh_identity()).await;
    let meter = Meter::new(probe.endpoint());
    let world = World::new(DeployPlan::default()).await;
    let publisher = world.actor().await;
    let canister = world.deployment.shards[0];
    let mut table = Table::new("Shard", &["what", "a MiB", "note"]);
    table.note(
        "Instructions as a replica would count them, averages over whole chunks of 1 MiB, from the embedded network's record.",
    );

    let mut stored = 0;
    let mut space = Vec::new();
    let mut last = None;
    for (number, goal) in STORED_MIB.into_iter().enumerate() {
        let handle = publisher.claim_handle().await;
        let size = (goal - stored) * MIB;
        let mark = meter.mark().await;
        let (folder, model) = model_with_extra_file(&handle, size);
        let connection = &publisher.connection;
        push(connection, &publisher.registry(), &model, |_| {})
            .await
            .expect("pushed");
        stored = goal;
        if number == 0 {
            let puts = of_method(&meter.since(mark).await, canister, "put_chunk");
            table.row(&row("put_chunk", average(&puts), "hash, store, certify"));
        }
        let health = health(connection, canister).await;
        let used = health.status.used_bytes;
        space.push((used, health.stable_bytes));
        last = Some((folder, model));
    }
    let (folder, model) = last.expect("something was pushed");
    let bytes = std::fs::read(folder.path().join("extra.bin")).expect("the file is there");
    let connection = &publisher.connection;

    let mark = meter.mark().await;
    for chunk in bytes.chunks(MIB).take(8) {
        Shard::new(connection, canister)
            .chunk(Sha256::of(chunk))
            .await
            .expect("held");
    }
    let gets = of_method(&meter.since(mark).await, canister, "get_chunk");
    table.row(&row("get_chunk", average(&gets), "read, hash"));

    let manifest = &model.manifest;
    let paths = [
        ("GET /blob", format!("/blob/{}", Sha256::of(&bytes[..MIB]))),
        (
            "GET /models (a part)",
            format!(
                "/models/{}/{}/{}/extra.bin",
                manifest.publisher, manifest.name, manifest.version
            ),
        ),
    ];
    for (name, path) in paths {
        let mark = meter.mark().await;
        let response = get(connection, canister, &path).await;
        assert!(
            matches!(response.status_code, 200 | 206),
            "{path}: {response:?}"
        );
        let asked = of_method(&meter.since(mark).await, canister, "http_request");
        let note = format!("with the witness; a file of {} MiB", bytes.len() / MIB);
        table.row(&row(name, average(&asked), &note));
    }

    for (used, stable) in space {
        table.row(&[
            format!("stable bytes per byte, {} MiB stored", used >> 20),
            format!("{:.4}", stable as f64 / used as f64),
            format!("{} MiB of stable memory", stable >> 20),
        ]);
    }
    table.publish("shard");
}

fn of_method(executions: &[Execution], canister: Principal, method: &str) -> Vec<u64> {
    let canister = canister.to_text();
    executions
        .iter()
        .filter(|execution| execution.canister == canister && execution.method == method)
        .map(|execution| execution.instructions)
        // Whole chunks: the shortest that hashes a mebibyte.
        .filter(|instructions| *instructions > 10_000_000)
        .collect()
}

fn average(all: &[u64]) -> u64 {
    assert!(!all.is_empty(), "nothing was recorded");
    all.iter().sum::<u64>() / all.len() as u64
}

fn row(what: &str, instructions: u64, note: &str) -> [String; 3] {
    let millions = format!("{:.1} M instructions", instructions as f64 / 1e6);
    [what.to_owned(), millions, note.to_owned()]
}

async fn health(connection: &Connection, shard: Principal) -> ShardHealth {
    let (health,) = connection
        .query(shard, "health", ())
        .await
        .expect("answered");
    health
}

async fn get(connection: &Connection, shard: Principal, url: &str) -> HttpResponse {
    let request = HttpRequest {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        certificate_version: Some(2),
    };
    let (response,) = connection
        .query(shard, "http_request", (request,))
        .await
        .expect("answered");
    response
}
