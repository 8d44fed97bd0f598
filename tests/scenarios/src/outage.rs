//! A line to the network that can be cut: what a client sees when the network, or the way to it, is gone for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes bytes on between its own endpoint and another. Cut, it resets what is open and refuses what comes.
pub struct Line {
    endpoint: String,
    is_up: watch::Sender<bool>,
    passed_bytes: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Line {
    /// `endpoint` as `http://host:port`.
    pub async fn to(endpoint: &str) -> Self {
        let target = endpoint
            .strip_prefix("http://")
            .expect("a plain endpoint: this test cuts the line below TLS")
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (is_up, observed) = watch::channel(true);
        let passed_bytes = Arc::new(AtomicU64::new(0));
        let ended = Arc::new(AtomicBool::new(false));
        let (passed, stop) = (passed_bytes.clone(), ended.clone());
        tokio::spawn(async move {
            while let Ok((incoming, _)) = listener.accept().await {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                if *observed.borrow() {
                    tokio::spawn(pass(
                        incoming,
                        target.clone(),
                        observed.clone(),
                        passed.clone(),
                    ));
                }
            }
        });
        Self {
            endpoint: format!("http://{address}"),
            is_up,
            passed_bytes,
            ended,
        }
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn cut(&self) {
        self.is_up.send_replace(false);
    }

    pub fn mend(&self) {
        self.is_up.send_replace(true);
    }

    /// Mends it later, also where nobody waits for that.
    pub fn mending_after(&self, time: Duration) -> impl Future<Output = ()> + Send + 'static {
        let is_up = self.is_up.clone();
        async move {
            tokio::time::sleep(time).await;
            is_up.send_replace(true);
        }
    }

    /// From the client to the network.
    pub fn passed_bytes(&self) -> u64 {
        self.passed_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        self.cut();
    }
}

async fn pass(
    incoming: TcpStream,
    target: String,
    mut observed: watch::Receiver<bool>,
    passed: Arc<AtomicU64>,
) {
    let Ok(outgoing) = TcpStream::connect(target).await else {
        return;
    };
    let (mut from_client, mut to_client) = incoming.into_split();
    let (mut from_network, mut to_network) = outgoing.into_split();
    let up = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from_client.read(&mut buffer).await?;
            if length == 0 {
                return to_network.shutdown().await;
            }
            passed.fetch_add(length as u64, Ordering::Relaxed);
            to_network.write_all(&buffer[..length]).await?;
        }
    };
    let down = tokio::io::copy(&mut from_network, &mut to_client);
    let is_cut = observed.wait_for(|is_up| !is_up);
    // Whichever ends first drops both directions.
    tokio::select! {
        _ = up => {}
        _ = down => {}
        _ = is_cut => {}
    }
}
