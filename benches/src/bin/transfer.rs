//! Push and pull on the embedded network against the time to hash and copy the same bytes natively: what the way through
//! canisters costs. Times of one machine; read the ratio.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use stoa_benches::Table;
use stoa_client::deploy::DeployPlan;
use stoa_client::pull::Source;
use stoa_client::push::push;
use stoa_content::hash_file;
use stoa_scenarios::{World, model_with_extra_file, run};

const MIB: usize = 1 << 20;
/// As large as the models that the library is made for.
const SIZE_BYTES: usize = 90 * MIB;

fn main() {
    run(async {
        let world = World::new(DeployPlan::default()).await;
        let publisher = world.actor().await;
        let (folder, model) = model_with_extra_file(&publisher.claim_handle().await, SIZE_BYTES);
        let registry = publisher.registry();
        let native = natively(&folder.path().join("extra.bin"));

        let start = Instant::now();
        let pushed = push(&publisher.connection, &registry, &model, |_| {})
            .await
            .expect("pushed");
        let push_time = start.elapsed();
        let copies = (pushed.sent_bytes / model.size_bytes()).max(1);

        let start = Instant::now();
        push(&publisher.connection, &registry, &model, |_| {})
            .await
            .expect("pushed again");
        let again_time = start.elapsed();

        let target = tempfile::tempdir().expect("a temporary folder");
        let start = Instant::now();
        let proven = registry
            .proven_version(pushed.version)
            .await
            .expect("proven");
        let source = Source::of(&publisher.connection, &registry, &proven)
            .await
            .expect("placed");
        source.save(target.path(), |_| {}).await.expect("pulled");
        let pull_time = start.elapsed();

        let size = model.size_bytes();
        let row = |what: &str, bytes: u64, time: Duration| {
            vec![
                what.to_owned(),
                format!("{:.1}", bytes as f64 / MIB as f64),
                format!("{:.2}", time.as_secs_f64()),
                format!("{:.0}", bytes as f64 / 1e6 / time.as_secs_f64()),
                format!("{:.1}", time.as_secs_f64() / native.as_secs_f64()),
            ]
        };
        let mut table = Table::new(
            "Transfer of a model of 90 MiB",
            &["what", "MiB", "seconds", "MB/s", "times native"],
        );
        table.note("The embedded network and the client share one machine; native code in the dev profile, as tests run it.");
        table.row(&row(
            "natively: hash every chunk and the file, copy, sync",
            size,
            native,
        ));
        table.row(&row(
            &format!(
                "push: {copies} copies to {copies} shards, every chunk hashed by client and shard"
            ),
            pushed.sent_bytes,
            push_time,
        ));
        table.row(&row("push again: nothing to send", size, again_time));
        table.row(&row(
            "pull: proven, every chunk and file hashed, written, synced",
            size,
            pull_time,
        ));
        table.publish("transfer");
    });
}

/// What any transfer has to do at least.
fn natively(path: &Path) -> Duration {
    let start = Instant::now();
    let entry = hash_file("extra.bin", File::open(path).expect("opened")).expect("read");
    assert_eq!(entry.size_bytes, SIZE_BYTES as u64);
    let mut input = File::open(path).expect("opened");
    let mut output = tempfile::tempfile().expect("a temporary file");
    let mut buffer = vec![0; MIB];
    loop {
        let length = input.read(&mut buffer).expect("read");
        if length == 0 {
            break;
        }
        output.write_all(&buffer[..length]).expect("written");
    }
    output.sync_all().expect("synced");
    start.elapsed()
}
