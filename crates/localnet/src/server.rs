//! The network as a whole: started, served, shut down.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::network::{Event, Network};
use crate::query_threads::QueryThreads;
use crate::record::{Executed, ExecutionRecord};
use crate::replica::LocalReplica;
use crate::scheduler::Executor;
use crate::store::{Loaded, Store};
use crate::wasm::{ModuleStore, THREAD_STACK_BYTES};

const INSPECTION_THREADS: usize = 2;

#[derive(Clone, Debug)]
pub struct Options {
    /// Port 0 is any free one.
    pub listen: SocketAddr,
    /// Where compiled modules are kept between runs; nowhere if absent.
    pub cache: Option<PathBuf>,
    /// Makes the network's keys, and so its root key, the same every time.
    pub seed: Option<[u8; 32]>,
    /// The folder in which everything is kept; without one the state ends with the process.
    pub state: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            cache: default_cache(),
            seed: None,
            state: None,
        }
    }
}

/// `stoa/modules` in the user's cache folder.
pub fn default_cache() -> Option<PathBuf> {
    let folder = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base =
        folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("stoa").join("modules"))
}

/// A network that is serving.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    root_key: Vec<u8>,
    executions: Arc<ExecutionRecord>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl Handle {
    /// The URL that agents take, such as `http://127.0.0.1:4943`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// DER, as agents take it.
    pub fn root_key(&self) -> &[u8] {
        &self.root_key
    }

    /// What ran after the execution numbered `sequence`, oldest first: of the latest 10,000.
    pub fn executions_after(&self, sequence: u64) -> Vec<Executed> {
        self.executions.after(sequence)
    }

    /// Ends it: running messages are finished, waiting ones are not begun.
    pub fn shutdown(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // If nobody listens the server is gone already.
            stop.send(()).unwrap_or_default();
        }
        if let Some(server) = self.server.take()
            && server.join().is_err()
        {
            eprintln!("stoa-localnet: the server ended by a panic");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}

/// The keys of a folder are those that it was made with.
fn seed(options: &Options, store: Option<&Store>) -> io::Result<[u8; 32]> {
    let kept = match store {
        Some(store) => store.seed()?,
        None => None,
    };
    match (kept, options.seed) {
        (Some(kept), Some(given)) if kept != given => Err(io::Error::other(
            "the state folder belongs to a network with other keys: leave the seed out, or choose another folder",
        )),
        (Some(seed), _) | (None, Some(seed)) => Ok(seed),
        (None, None) => {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).map_err(io::Error::other)?;
            Ok(seed)
        }
    }
}

/// Starts a network of its own and returns when it is serving.
pub fn start(options: Options) -> io::Result<Handle> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let listener = runtime.block_on(TcpListener::bind(options.listen))?;
    let address = listener.local_addr()?;
    let store = options.state.as_deref().map(Store::open).transpose()?;
    let seed = seed(&options, store.as_ref())?;
    let cache = options
        .cache
        .or_else(|| store.as_ref().map(Store::compiled));
    let modules = ModuleStore::new(cache);
    let loaded = match &store {
        Some(store) => store.load(&modules)?,
        None => Loaded::default(),
    };
    let (sender, inbox) = channel();
    let network = Arc::new(Network::new(seed, modules, store, sender));
    let restored = network.restore(loaded);
    network.store_identity()?;
    let keys = Arc::clone(&network.keys);
    let root_key = keys.root_key_der().to_vec();
    let executions = Arc::clone(&network.executions);
    let queries = thread::available_parallelism()
        .map_or(2, usize::from)
        .clamp(2, 8);
    let replica = Arc::new(LocalReplica::new(
        Arc::clone(&network),
        QueryThreads::start(queries)?,
        QueryThreads::start(INSPECTION_THREADS)?,
    ));
    let executor = Executor::new(Arc::clone(&network), inbox, restored);
    let executor = thread::Builder::new()
        .name("executor".to_string())
        .stack_size(THREAD_STACK_BYTES)
        .spawn(move || executor.run())?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = thread::Builder::new()
        .name("server".to_string())
        .spawn(move || {
            let router = stoa_localnet_wire::router(replica, keys)
                .merge(crate::inspection::router(Arc::clone(&network)));
            let serving = axum::serve(listener, router);
            runtime.block_on(async {
                tokio::select! {
                    served = serving.into_future() => {
                        if let Err(error) = served {
                            eprintln!("stoa-localnet: {error}");
                        }
                    }
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
            if network.tell(Event::Stop) && executor.join().is_err() {
                eprintln!("stoa-localnet: the executor ended by a panic");
            }
            if let Some(Err(error)) = network.store.as_ref().map(Store::close) {
                eprintln!("stoa-localnet: the state folder could not be closed: {error}");
            }
        })?;
    Ok(Handle {
        address,
        root_key,
        executions,
        stop: Some(stop),
        server: Some(server),
    })
}
