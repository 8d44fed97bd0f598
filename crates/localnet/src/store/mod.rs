//! The state folder: everything that a network knows, kept on disk.
//!
//! ```text
//! format      names the layout; another one is refused
//! lock        held while a network works on the folder
//! running     the boot id of the machine while it does; emptied by an orderly end
//! log         canisters, messages that wait, requests and their answers (see `log`)
//! memory/     heaps and stable memories, written in place (see `memory::folder`)
//! blobs/      modules and chunks, by their SHA-256
//! compiled/   compiled modules; may be deleted
//! ```
//!
//! What must hold: one message is one record of the log, with everything that it
//! changed; and nobody learns of an answer, nor that a message was accepted,
//! before the record is written. So whenever the process ends, even by
//! `kill -9`, the folder holds all that was acknowledged, and messages that were
//! being executed are executed again. Nothing waits for the disk: when the
//! machine goes down the kernel may lose what it has not written, in any order.
//! An orderly end hands everything to the disk; a folder that was in use when
//! the machine went down is said to be doubtful when it is opened again.

mod log;
mod parts;
mod stored;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use candid::Principal;
use rustix::fs::{FlockOperation, flock};
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};
use stoa_localnet_wire::{Ingress, RequestEntry, RequestId};

use self::log::{Change, Log};
use self::parts::{
    NETWORK, Part, REQUEST, TASK, canister_ids, canister_key, part_key, parts, request_key,
    task_key,
};
use self::stored::*;
use crate::canister::{Canister, Code};
use crate::memory::{Files, Folder};
use crate::scheduler::Task;
use crate::wasm::{ModuleStore, PreparedModule};

const FORMAT: &str = "stoa-localnet state 1\n";

#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    folder: Arc<Folder>,
    inner: Mutex<Inner>,
    /// Released when the process ends, in whichever way.
    _lock: File,
}

#[derive(Debug)]
struct Inner {
    log: Log,
    blobs: HashSet<[u8; 32]>,
}

/// What a folder held.
#[derive(Default)]
pub struct Loaded {
    pub canisters: Vec<Canister>,
    pub next_canister: Option<u64>,
    /// In the order in which they were waiting.
    pub tasks: Vec<(u64, Task)>,
    pub requests: Vec<(RequestId, RequestEntry)>,
}

/// One message's worth of changes.
#[derive(Default)]
pub struct Changes {
    changes: Vec<Change>,
}

impl Changes {
    pub fn task(&mut self, sequence: u64, task: &Task) -> io::Result<()> {
        let value = encode(&StoredTask::of(task))?;
        let key = task_key(sequence);
        self.changes.push(Change::Set { key, value });
        Ok(())
    }

    pub fn task_done(&mut self, sequence: u64) {
        let key = task_key(sequence);
        self.changes.push(Change::Deleted { key });
    }

    pub fn request(&mut self, id: &RequestId, entry: &RequestEntry) -> io::Result<()> {
        let key = request_key(id);
        let value = encode(&StoredRequest::of(entry))?;
        self.changes.push(Change::Set { key, value });
        Ok(())
    }

    pub fn request_forgotten(&mut self, id: &RequestId) {
        let key = request_key(id);
        self.changes.push(Change::Deleted { key });
    }

    pub fn network(&mut self, seed: &[u8; 32], next_canister: u64) -> io::Result<()> {
        let stored = StoredNetwork {
            seed: ByteBuf::from(seed.to_vec()),
            next_canister,
        };
        let value = encode(&stored)?;
        let key = NETWORK.to_vec();
        self.changes.push(Change::Set { key, value });
        Ok(())
    }
}

impl Store {
    /// Opens or makes a folder, and returns to the last commit in it.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path.join("blobs"))?;
        let lock = File::create(path.join("lock"))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            io::Error::other(format!(
                "another network works on the state folder {}",
                path.display()
            ))
        })?;
        check_format(path)?;
        warn_if_doubtful(path)?;
        let log = Log::open(&path.join("log"))?;
        let folder = Folder::open(&path.join("memory"), log.committed())?;
        fs::write(path.join("running"), boot_id())?;
        let blobs = blobs(path)?;
        Ok(Self {
            path: path.to_path_buf(),
            folder,
            inner: Mutex::new(Inner { log, blobs }),
            _lock: lock,
        })
    }

    pub fn files(&self) -> Files {
        Files::in_folder(Arc::clone(&self.folder))
    }

    /// Where compiled modules are kept if nowhere else.
    pub fn compiled(&self) -> PathBuf {
        self.path.join("compiled")
    }

    /// From which the network's keys are made, if the folder is not new.
    pub fn seed(&self) -> io::Result<Option<[u8; 32]>> {
        let Some(stored) = self.inner().log.get(NETWORK)? else {
            return Ok(None);
        };
        let stored: StoredNetwork = decode(&stored)?;
        let seed = <[u8; 32]>::try_from(stored.seed.as_slice()).map_err(io::Error::other)?;
        Ok(Some(seed))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A message is let in: it will be executed, even if the process ends now.
    pub fn accept(&self, sequence: u64, ingress: &Ingress, entry: &RequestEntry) -> io::Result<()> {
        let mut changes = Changes::default();
        let value = encode(&StoredTask::ingress(ingress))?;
        let key = task_key(sequence);
        changes.changes.push(Change::Set { key, value });
        changes.request(&ingress.request_id, entry)?;
        self.inner().log.append(0, &changes.changes)
    }

    /// Adds what is different about a canister; None if it is gone.
    pub fn canister(
        &self,
        changes: &mut Changes,
        id: &Principal,
        canister: Option<&Canister>,
    ) -> io::Result<()> {
        let mut inner = self.inner();
        let Some(canister) = canister else {
            let keys = inner.log.keys_with(&canister_key(id));
            changes
                .changes
                .extend(keys.into_iter().map(|key| Change::Deleted { key }));
            return Ok(());
        };
        if let Some(code) = &canister.code {
            self.keep_blob(&mut inner, code.module.hash, &code.module.sent)?;
        }
        for (hash, chunk) in &canister.chunks {
            self.keep_blob(&mut inner, *hash, chunk)?;
        }
        for snapshot in canister.snapshots.values() {
            if let crate::snapshot::SnapshotModule::Taken(module) = &snapshot.module {
                self.keep_blob(&mut inner, module.hash, &module.sent)?;
            }
            for (hash, chunk) in &snapshot.chunks {
                self.keep_blob(&mut inner, *hash, chunk)?;
            }
        }
        for (part, value) in parts(canister)? {
            let key = part_key(id, part);
            let change = match value {
                Some(value) => Change::Set { key, value },
                None => Change::Deleted { key },
            };
            if inner.log.would_change(&change) {
                changes.changes.push(change);
            }
        }
        Ok(())
    }

    fn keep_blob(&self, inner: &mut Inner, hash: [u8; 32], bytes: &[u8]) -> io::Result<()> {
        if inner.blobs.contains(&hash) {
            return Ok(());
        }
        let folder = self.path.join("blobs");
        let unfinished = folder.join("unfinished");
        fs::write(&unfinished, bytes)?;
        fs::rename(unfinished, folder.join(hex::encode(hash)))?;
        inner.blobs.insert(hash);
        Ok(())
    }

    fn blob(&self, hash: &[u8; 32]) -> io::Result<Vec<u8>> {
        let bytes = fs::read(self.path.join("blobs").join(hex::encode(hash)))?;
        match Sha256::digest(&bytes)[..] == *hash {
            true => Ok(bytes),
            false => Err(io::Error::other(format!(
                "the blob {} in the state folder is damaged",
                hex::encode(hash)
            ))),
        }
    }

    /// Makes the changes hold, together with everything written to memories
    /// since the last commit.
    pub fn commit(&self, changes: &Changes) -> io::Result<()> {
        if changes.changes.is_empty() && !self.folder.is_written() {
            return Ok(());
        }
        let transaction = self.folder.transaction();
        self.inner().log.append(transaction, &changes.changes)?;
        self.folder.committed()
    }

    /// Everything that the folder holds; what nothing in it refers to is removed.
    pub fn load(&self, modules: &ModuleStore) -> io::Result<Loaded> {
        let files = self.files();
        let mut loaded = Loaded::default();
        let mut references = References::default();
        let inner = self.inner();
        let log = &inner.log;
        if let Some(stored) = log.get(NETWORK)? {
            loaded.next_canister = Some(decode::<StoredNetwork>(&stored)?.next_canister);
        }
        for key in log.keys_with(&[TASK]) {
            let sequence = <[u8; 8]>::try_from(&key[1..]).map_err(io::Error::other)?;
            let stored: StoredTask = decode(&log.get(&key)?.unwrap_or_default())?;
            loaded
                .tasks
                .push((u64::from_be_bytes(sequence), stored.restore()));
        }
        for key in log.keys_with(&[REQUEST]) {
            let id = RequestId(<[u8; 32]>::try_from(&key[1..]).map_err(io::Error::other)?);
            let stored: StoredRequest = decode(&log.get(&key)?.unwrap_or_default())?;
            loaded.requests.push((id, stored.restore()));
        }
        for id in canister_ids(log) {
            let canister = self.load_canister(log, &files, modules, id, &mut references)?;
            loaded.canisters.push(canister);
        }
        drop(inner);
        self.folder.retain(&references.files)?;
        self.remove_unused_blobs(&references)?;
        Ok(loaded)
    }

    fn load_canister(
        &self,
        log: &Log,
        files: &Files,
        modules: &ModuleStore,
        id: Principal,
        references: &mut References,
    ) -> io::Result<Canister> {
        let part = |part| log.get(&part_key(&id, part));
        let missing = || io::Error::other(format!("the state folder lacks a part of {id}"));
        let module = |hash: [u8; 32]| -> io::Result<Arc<PreparedModule>> {
            modules
                .prepare(&self.blob(&hash)?)
                .map_err(io::Error::other)
        };
        let chunks = |hashes: Vec<[u8; 32]>| -> io::Result<Chunks> {
            hashes
                .into_iter()
                .map(|hash| Ok((hash, Arc::new(self.blob(&hash)?))))
                .collect()
        };
        let settings: StoredSettings = decode(&part(Part::Settings)?.ok_or_else(missing)?)?;
        let state: StoredState = decode(&part(Part::State)?.ok_or_else(missing)?)?;
        let mut canister = Canister::new(
            id,
            settings.restore()?,
            state.cycles.into(),
            state.paid_until,
        );
        canister.status = state.status.restore();
        canister.certified_data = state.certified_data.into_vec();
        canister.global_timer = state.global_timer;
        canister.version = state.version;
        canister.next_id = state.next_id;
        canister.changes_total = state.changes_total;
        canister.low_memory_noticed = state.low_memory_noticed;
        if let Some(stored) = part(Part::Code)? {
            let stored: StoredCode = decode(&stored)?;
            references.note_memory(&stored.memory);
            references.blobs.insert(stored.module);
            canister.code = Some(Code {
                module: module(stored.module)?,
                memory: stored.memory.restore(files)?,
            });
        }
        if let Some(stored) = part(Part::Contexts)? {
            let stored: Vec<StoredContext> = decode(&stored)?;
            canister.call_contexts = stored.into_iter().map(StoredContext::restore).collect();
        }
        if let Some(stored) = part(Part::Callbacks)? {
            let stored: Vec<StoredCallback> = decode(&stored)?;
            canister.callbacks = stored.into_iter().map(StoredCallback::restore).collect();
            let callees: Vec<Principal> = canister
                .callbacks
                .values()
                .map(|callback| callback.callee)
                .collect();
            for callee in callees {
                canister.count_call(callee);
            }
        }
        if let Some(stored) = part(Part::Chunks)? {
            let hashes: Vec<[u8; 32]> = decode(&stored)?;
            references.blobs.extend(&hashes);
            canister.chunks = chunks(hashes)?;
        }
        if let Some(stored) = part(Part::Logs)? {
            canister.logs = decode::<StoredLogs>(&stored)?.restore();
        }
        if let Some(stored) = part(Part::History)? {
            canister.history = restored_history(&stored)?;
        }
        if let Some(stored) = part(Part::Snapshots)? {
            for snapshot in decode::<Vec<StoredSnapshot>>(&stored)? {
                references.note_memory(&snapshot.memory);
                references.blobs.extend(&snapshot.chunks);
                match &snapshot.module {
                    StoredSnapshotModule::Taken(hash) => {
                        references.blobs.insert(*hash);
                    }
                    StoredSnapshotModule::Uploaded { file, .. } => {
                        references.files.insert(*file);
                    }
                }
                let chunks = chunks(snapshot.chunks.clone())?;
                let (id, snapshot) = snapshot.restore(files, chunks, module)?;
                canister.snapshots.insert(id, snapshot);
            }
        }
        Ok(canister)
    }

    fn remove_unused_blobs(&self, references: &References) -> io::Result<()> {
        let mut inner = self.inner();
        let unused: Vec<[u8; 32]> = inner
            .blobs
            .iter()
            .filter(|hash| !references.blobs.contains(*hash))
            .copied()
            .collect();
        for hash in unused {
            fs::remove_file(self.path.join("blobs").join(hex::encode(hash)))?;
            inner.blobs.remove(&hash);
        }
        Ok(())
    }

    /// Hands everything to the disk: the folder is in order from now on,
    /// whatever happens to the machine.
    pub fn close(&self) -> io::Result<()> {
        self.inner().log.sync()?;
        rustix::fs::syncfs(File::open(&self.path)?)?;
        fs::write(self.path.join("running"), "")?;
        File::open(self.path.join("running"))?.sync_all()
    }
}

impl References {
    fn note_memory(&mut self, memory: &StoredMemory) {
        self.files.extend([memory.heap_file, memory.stable_file]);
    }
}

fn check_format(path: &Path) -> io::Result<()> {
    let file = path.join("format");
    match fs::read_to_string(&file) {
        Ok(format) if format == FORMAT => Ok(()),
        Ok(other) => Err(io::Error::other(format!(
            "the state folder {} was written by another version ({:.40}): choose an empty one",
            path.display(),
            other.trim()
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::write(file, FORMAT),
        Err(error) => Err(error),
    }
}

/// Another boot of the machine than the one that the folder was in use in: the
/// kernel may have lost some of what was written.
fn warn_if_doubtful(path: &Path) -> io::Result<()> {
    let before = match fs::read_to_string(path.join("running")) {
        Ok(before) => before,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    if !before.is_empty() && before != boot_id() {
        eprintln!(
            "stoa-localnet: the machine went down while a network worked on {}: what it wrote last may be lost or damaged",
            path.display()
        );
    }
    Ok(())
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

fn blobs(path: &Path) -> io::Result<HashSet<[u8; 32]>> {
    let mut found = HashSet::new();
    for entry in fs::read_dir(path.join("blobs"))? {
        let name = entry?.file_name();
        let mut hash = [0; 32];
        if let Some(name) = name.to_str()
            && hex::decode_to_slice(name, &mut hash).is_ok()
        {
            found.insert(hash);
        }
    }
    Ok(found)
}
