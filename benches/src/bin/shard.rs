//! What a shard costs: instructions of putting, getting, announcing, releasing, serving and scrubbing, and stable bytes for a byte
//! stored. The shard is one of its own, with a canister that passes on what this program says as its registry.

use std::time::{Duration, Instant};

use candid::utils::ArgumentEncoder;
use candid::{CandidType, Principal};
use futures_util::{StreamExt, stream};
use serde::de::DeserializeOwned;
use stoa_benches::{Execution, Mark, Meter, Table};
use stoa_client::Connection;
use stoa_client::deploy::candid_nothing;
use stoa_client::management::Management;
use stoa_client::shard::Shard;
use stoa_content::{Cid, directory_link, file_cid};
use stoa_scenarios::{Proxy, connect, fresh_identity, run, wasm_folder};
use stoa_shard_api::{
    ExpectArgs, ExpectResult, ExpectedChunk, FileToServe, HttpRequest, HttpResponse, InitArgs,
    ReleaseArgs, ReleaseResult, ScrubReport, ScrubResult, SegmentPlace, ServeArgs, ServeError,
    ShardHealth,
};
use stoa_types::Sha256;
use stoa_types::manifest::FileEntry;

const MIB: u64 = 1 << 20;
/// Where the stable memory is looked at; `STOA_BENCH_MIB` ends it earlier, for machines that have no time.
const STORED_MIB: [u64; 4] = [16, 64, 256, 1_664];
/// The largest file of the largest version, and the most files.
const CHUNKS_MAX: u64 = stoa_types::limits::CHUNKS_MAX;
const FILES_MAX: u64 = stoa_types::limits::FILES_MAX;
/// Versions that are served when an upgrade is measured; `STOA_BENCH_VERSIONS` ends it earlier.
const VERSIONS: [u64; 3] = [100, 1_000, 5_000];
/// Half of what an update, a query and an upgrade may use; a benchmark that finds more fails.
const UPDATE_MAX: u64 = 20_000_000_000;
const QUERY_MAX: u64 = 2_500_000_000;
const UPGRADE_MAX: u64 = 150_000_000_000;
/// As the registry pages them.
const CHUNKS_PER_CALL: usize = 8_192;
const FILES_PER_CALL: usize = 100;

struct Bench {
    connection: Connection,
    meter: Meter,
    /// The shard's registry.
    proxy: Proxy,
    shard: Principal,
    table: Table,
}

fn main() {
    run(async {
        let mut bench = Bench::new().await;
        bench.upgrade().await;
        bench.store().await;
        bench.serve_a_large_file().await;
        bench.serve_many_files().await;
        bench.release().await;
        bench.table.publish("shard");
    });
}

/// No limit where it is not set.
fn number_from_environment(name: &str) -> u64 {
    std::env::var(name).map_or(u64::MAX, |text| {
        let number = text.parse();
        number.unwrap_or_else(|_| panic!("{name} is not a number: {text}"))
    })
}

/// Chunks that no other has: their number stands in front.
fn chunk(number: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..MIB).map(|i| (i * 31 + (i >> 9)) as u8).collect();
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

fn version(number: u8) -> Sha256 {
    Sha256([number; 32])
}

impl Bench {
    async fn new() -> Self {
        let connection = connect(fresh_identity()).await;
        let management = Management::new(&connection).await.expect("a network");
        let shard = management
            .create(100_000_000_000_000, None)
            .await
            .expect("created");
        let module = wasm_folder().read("shard").expect("built");
        let proxy = Proxy::install(&connection).await;
        let init = InitArgs {
            registry: proxy.canister,
            capacity_bytes: 4 << 30,
        };
        management
            .install(
                shard,
                &module,
                candid::encode_args((init,)).expect("encodes"),
            )
            .await
            .expect("installed");
        let mut table = Table::new("Shard", &["what", "instructions", "note"]);
        table.note(
            "Instructions as a replica would count them, from the embedded network's record. An update may use 40,000 M, a query 5,000 M.",
        );
        Self {
            meter: Meter::new(connection.endpoint()),
            connection,
            proxy,
            shard,
            table,
        }
    }

    /// Repeats the call as the registry does, for as long as there is something left to certify.
    async fn serve_whole(&self, args: &ServeArgs) {
        loop {
            match self.tell("c2c_serve", (args,)).await {
                Ok(()) => return,
                Err(ServeError::Unfinished { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    /// With versions of one small file each, all by publishers of their own.
    async fn upgrade(&mut self) {
        let end = number_from_environment("STOA_BENCH_VERSIONS");
        let management = Management::new(&self.connection).await.expect("a network");
        let module = wasm_folder().read("shard").expect("built");
        let version = |number: u64| Sha256::of(&[&[9][..], &number.to_le_bytes()].concat());
        let mut served = 0;
        for goal in VERSIONS.into_iter().filter(|goal| *goal <= end) {
            let mark = self.meter.mark().await;
            stream::iter(served..goal)
                .for_each_concurrent(8, async |number| {
                    let file = entry("model.onnx", 9, vec![version(number)]);
                    let args = ServeArgs {
                        version: version(number),
                        publisher: format!("publisher-{number}"),
                        ..self.serve_args(1, vec![file])
                    };
                    self.serve_whole(&args).await;
                })
                .await;
            served = goal;
            let serves = self.of_method(mark, "c2c_serve").await;
            let note = format!("a version of one small file, with {goal} served");
            self.row("c2c_serve", *serves.iter().max().expect("recorded"), &note);

            let mark = self.meter.mark().await;
            management
                .upgrade(self.shard, &module, candid_nothing())
                .await
                .expect("upgraded");
            let own = self.shard.to_text();
            let upgrades = self.meter.since(mark).await;
            let upgrade = upgrades
                .iter()
                .find(|execution| {
                    execution.canister == own && execution.entry_point == "post_upgrade"
                })
                .expect("recorded");
            let note = format!("with {goal} versions served");
            self.row("upgrade", upgrade.instructions, &note);
        }
        stream::iter(0..served)
            .for_each_concurrent(8, async |number| {
                let args = ReleaseArgs {
                    version: version(number),
                    chunks: None,
                };
                let answer: ReleaseResult = self.tell("c2c_release", (&args,)).await;
                answer.expect("released");
            })
            .await;
    }

    async fn store(&mut self) {
        let end = number_from_environment("STOA_BENCH_MIB");
        let goals: Vec<u64> = STORED_MIB.into_iter().filter(|goal| *goal <= end).collect();
        let mut stored = 0;
        for goal in goals.iter().copied() {
            let numbers: Vec<u64> = (stored..goal).collect();
            let announced: Vec<ExpectedChunk> = numbers
                .iter()
                .map(|number| ExpectedChunk {
                    hash: Sha256::of(&chunk(*number)),
                    size_bytes: MIB,
                })
                .collect();
            for page in announced.chunks(1_024) {
                self.expect(version(1), page.to_vec()).await;
            }
            let mark = self.meter.mark().await;
            let shard = Shard::new(&self.connection, self.shard);
            stream::iter(&numbers)
                .for_each_concurrent(4, async |number| {
                    let answer = shard.put_chunk(&chunk(*number)).await.expect("answered");
                    answer.expect("stored");
                })
                .await;
            stored = goal;
            let last = Some(&goal) == goals.last();
            if Some(&goal) == goals.first() || last {
                let puts = self.of_method(mark, "put_chunk").await;
                let note = format!("hash, store, certify; a mebibyte, with {goal} stored");
                self.row("put_chunk", average(&puts), &note);
            }
            let health = self.health().await;
            let (used, stable) = (health.status.used_bytes, health.stable_bytes);
            self.table.row(&[
                format!("stable bytes per byte, {} MiB stored", used / MIB),
                format!("{:.4}", stable as f64 / used as f64),
                format!("{} MiB of stable memory", stable / MIB),
            ]);
        }

        let mark = self.meter.mark().await;
        let shard = Shard::new(&self.connection, self.shard);
        for number in 0..8 {
            shard.chunk(Sha256::of(&chunk(number))).await.expect("held");
        }
        let gets = self.of_method(mark, "get_chunk").await;
        self.row("get_chunk", average(&gets), "read, hash; a mebibyte");
        let mark = self.meter.mark().await;
        let path = format!("/blob/{}", Sha256::of(&chunk(3)));
        self.get(&path, &[200]).await;
        let asked = self.of_method(mark, "http_request").await;
        self.row("GET /blob", average(&asked), "with the witness; a mebibyte");

        let mark = self.meter.mark().await;
        let started: ScrubResult = self.tell("c2c_scrub", ()).await;
        started.expect("started");
        let start = Instant::now();
        loop {
            let (report,): (ScrubReport,) = self
                .connection
                .query(self.shard, "scrub_report", ())
                .await
                .expect("answered");
            if report.passes > 0 && !report.is_running {
                assert_eq!(report.checked_chunks, stored);
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(600), "{report:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let all = self.meter.since(mark).await;
        let own = self.shard.to_text();
        let slices = all.iter().filter(|execution| {
            execution.canister == own && execution.instructions > 1_000_000_000
        });
        let most = slices.map(|execution| execution.instructions).max();
        self.row(
            "scrub, the longest slice",
            most.expect("recorded"),
            "32 MiB",
        );
    }

    /// Of 16 GiB, of which this shard holds nothing: what is certified are hashes.
    async fn serve_a_large_file(&mut self) {
        let chunks: Vec<Sha256> = (0..CHUNKS_MAX)
            .map(|number| Sha256::of(&number.to_le_bytes()))
            .collect();
        let file = entry("weights.bin", CHUNKS_MAX * MIB, chunks);
        let args = self.serve_args(2, vec![file]);
        let (calls, most) = self.serve(&args).await;
        self.row(
            "c2c_serve, the longest call",
            most,
            &format!("one file of {CHUNKS_MAX} chunks, in {calls} calls"),
        );
        let mark = self.meter.mark().await;
        self.get("/models/stoa/bench/2.0.0/weights.bin", &[307])
            .await;
        let asked = self.of_method(mark, "http_request").await;
        self.row(
            "GET /models",
            average(&asked),
            &format!("of that file: a redirect, one of {CHUNKS_MAX} responses"),
        );
    }

    /// Small ones in folders, and among them one as large as a CAR may be.
    async fn serve_many_files(&mut self) {
        let small = FILES_MAX - 1;
        let mut files: Vec<FileEntry> = (0..small)
            .map(|number| {
                let hash = Sha256::of(&[&[7][..], &number.to_le_bytes()].concat());
                let path = format!(
                    "{}/{}/file-number-{number:0>40}.json",
                    number % 2,
                    number % 20
                );
                entry(&path, 9, vec![hash])
            })
            .collect();
        let chunks =
            (0..2_000_u64).map(|number| Sha256::of(&[&[8][..], &number.to_le_bytes()].concat()));
        files.push(entry("0/0/large.bin", 2_000 * MIB, chunks.collect()));
        let root = directory_link(&files).expect("a folder").cid;
        let args = self.serve_args(3, files);
        let (calls, most) = self.serve(&args).await;
        self.row(
            "c2c_serve, the longest call",
            most,
            &format!("{FILES_MAX} files in 22 folders, with one of 2,000 chunks, in {calls} calls"),
        );
        for (path, what) in [
            (format!("/ipfs/{root}?format=raw"), "the folder's block"),
            (
                format!("/ipfs/{root}/0/0/large.bin?format=car&dag-scope=block"),
                "a path below it",
            ),
            (
                format!("/ipfs/{root}/nothing?format=car"),
                "a path that is not there",
            ),
        ] {
            let mark = self.meter.mark().await;
            self.get(&path, &[200, 206, 404]).await;
            let asked = self.of_method(mark, "http_request").await;
            self.row(
                "GET /ipfs",
                average(&asked),
                &format!("of that folder: {what}"),
            );
        }
    }

    async fn release(&mut self) {
        for number in [3, 2, 1] {
            let mark = self.meter.mark().await;
            let args = ReleaseArgs {
                version: version(number),
                chunks: None,
            };
            loop {
                let answer: ReleaseResult = self.tell("c2c_release", (&args,)).await;
                if answer.is_ok() {
                    break;
                }
            }
            let calls = self.of_method(mark, "c2c_release").await;
            let what = match number {
                3 => "the version of many files",
                2 => "the version of one large file",
                _ => "the stored chunks, 1,000 a call",
            };
            let most = calls.iter().max().expect("recorded");
            self.row("c2c_release, the longest call", *most, what);
        }
        assert_eq!(self.health().await.status.used_bytes, 0);
    }

    fn serve_args(&self, number: u8, files: Vec<FileEntry>) -> ServeArgs {
        let other = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1]);
        let total = files.len() as u64;
        let segments = |file: &FileEntry| {
            (0..file.chunks.len() as u64)
                .step_by(1_024)
                .map(|first_chunk| SegmentPlace {
                    first_chunk,
                    shards: vec![other],
                })
                .collect()
        };
        ServeArgs {
            version: version(number),
            publisher: "stoa".to_owned(),
            name: "bench".to_owned(),
            semver: format!("{number}.0.0"),
            files: files
                .into_iter()
                .map(|file| FileToServe {
                    segments: segments(&file),
                    file,
                })
                .collect(),
            files_total: total,
        }
    }

    /// As the registry tells it, page by page; answers the number of calls and the longest.
    async fn serve(&self, args: &ServeArgs) -> (usize, u64) {
        let mark = self.meter.mark().await;
        let mut page = Vec::new();
        let mut pages = Vec::new();
        for file in &args.files {
            let chunks: usize = page
                .iter()
                .map(|file: &FileToServe| file.file.chunks.len())
                .sum();
            if page.len() == FILES_PER_CALL
                || (chunks + file.file.chunks.len() > CHUNKS_PER_CALL && !page.is_empty())
            {
                pages.push(std::mem::take(&mut page));
            }
            page.push(file.clone());
        }
        pages.push(page);
        for files in pages {
            let args = ServeArgs {
                files,
                ..args.clone()
            };
            self.serve_whole(&args).await;
        }
        let calls = self.of_method(mark, "c2c_serve").await;
        (calls.len(), *calls.iter().max().expect("recorded"))
    }

    async fn expect(&mut self, version: Sha256, chunks: Vec<ExpectedChunk>) {
        let args = ExpectArgs {
            version,
            uploader: self.connection.principal(),
            chunks,
        };
        let answer: ExpectResult = self.tell("c2c_expect", (&args,)).await;
        answer.expect("expected");
    }

    async fn tell<A, R>(&self, method: &str, args: A) -> R
    where
        A: ArgumentEncoder,
        R: CandidType + DeserializeOwned,
    {
        let forwarded = self.proxy.forward(self.shard, method, args, 0).await;
        let answer = forwarded.answer;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    async fn of_method(&self, mark: Mark, method: &str) -> Vec<u64> {
        let own = self.shard.to_text();
        let executions: Vec<Execution> = self.meter.since(mark).await;
        executions
            .iter()
            .filter(|execution| execution.canister == own && execution.method == method)
            // Not what is asked before an update is let in.
            .filter(|execution| matches!(execution.entry_point.as_str(), "update" | "query"))
            .map(|execution| execution.instructions)
            .collect()
    }

    async fn health(&self) -> ShardHealth {
        let (health,) = self
            .connection
            .query(self.shard, "health", ())
            .await
            .expect("answered");
        health
    }

    async fn get(&self, url: &str, expected: &[u16]) {
        let request = HttpRequest {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            certificate_version: Some(2),
        };
        let (response,): (HttpResponse,) = self
            .connection
            .query(self.shard, "http_request", (request,))
            .await
            .expect("answered");
        assert!(
            expected.contains(&response.status_code),
            "{url}: {}",
            response.status_code
        );
    }

    fn row(&mut self, what: &str, instructions: u64, note: &str) {
        let max = match what {
            "upgrade" => UPGRADE_MAX,
            "get_chunk" | "GET /blob" | "GET /models" | "GET /ipfs" => QUERY_MAX,
            _ => UPDATE_MAX,
        };
        assert!(instructions < max, "{what}: {instructions} ({note})");
        let millions = format!("{:.1} M", instructions as f64 / 1e6);
        self.table
            .row(&[what.to_owned(), millions, note.to_owned()]);
    }
}

fn entry(path: &str, size_bytes: u64, chunks: Vec<Sha256>) -> FileEntry {
    let cid: Cid = file_cid(&chunks, size_bytes).expect("they fit");
    FileEntry {
        path: path.to_owned(),
        size_bytes,
        sha256: chunks[0],
        cid: cid.to_string(),
        chunks,
    }
}

fn average(all: &[u64]) -> u64 {
    assert!(!all.is_empty(), "nothing was recorded");
    all.iter().sum::<u64>() / all.len() as u64
}
