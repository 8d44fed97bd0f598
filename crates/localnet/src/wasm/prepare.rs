//! Modules that are ready to run, and the places where compiled code is kept.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use stoa_localnet_wire::Metadata;
use wasmparser::ValType;
use wasmtime::{InstancePre, Module};

use super::parse::{MemoryLimits, MethodKind, ModuleError, parse};
use super::{decode, engine, instrument, internal, validate};
use crate::execution::SavedValue;
use crate::limits::HEAP_BYTES_MAX;
use crate::memory::PagedFile;
use crate::system_api::{self, MessageContext};

/// Compiled modules that stay in memory although no canister uses them.
const RECENT_MAX: usize = 8;

/// Compiled modules that stay in the folder; those used longest ago go first.
const KEPT_MAX: usize = 64;

/// A module that can be instantiated.
pub struct PreparedModule {
    /// Of the module as it was sent.
    pub hash: [u8; 32],
    /// As it was sent; kept for snapshots.
    pub sent: Arc<Vec<u8>>,
    pub metadata: BTreeMap<String, Metadata>,
    pub memory: Option<MemoryLimits>,
    /// WebAssembly instructions in the code section.
    pub instruction_count: u64,
    pub has_start: bool,
    pub instance: InstancePre<MessageContext>,
    /// Mutable globals, by index.
    pub globals: Vec<u32>,
    /// Of each of them a value of its type.
    pub global_kinds: Vec<SavedValue>,
    /// Tables whose content can change, by index; empty if none can.
    pub tables: Vec<u32>,
    /// Functions that such tables can hold, by index.
    pub functions: Vec<u32>,
    methods: BTreeSet<(MethodKind, String)>,
    data: Vec<(u64, Vec<u8>)>,
}

impl PreparedModule {
    pub fn exports(&self, kind: MethodKind, name: &str) -> bool {
        // The set is small; a borrowed lookup in a set of pairs would need a key type of its own.
        self.methods
            .iter()
            .any(|(known, method)| *known == kind && method == name)
    }

    /// What the heap can grow to.
    pub fn heap_bytes_max(&self) -> u64 {
        self.memory.map_or(HEAP_BYTES_MAX, MemoryLimits::bytes_max)
    }

    pub fn has_memory64(&self) -> bool {
        self.memory.is_some_and(|memory| memory.memory64)
    }

    /// Writes the data segments into a fresh heap.
    pub fn write_data(&self, heap: &PagedFile) -> io::Result<()> {
        for (offset, bytes) in &self.data {
            heap.write(*offset, bytes)?;
        }
        Ok(())
    }
}

/// Prepares modules, and remembers what it compiled: in memory, and in a folder
/// that outlives the process.
pub struct ModuleStore {
    folder: Option<PathBuf>,
    recent: Mutex<VecDeque<Arc<PreparedModule>>>,
}

impl ModuleStore {
    /// Without a folder compiled code is kept in memory alone.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            recent: Mutex::new(VecDeque::new()),
        }
    }

    pub fn prepare(&self, sent: &[u8]) -> Result<Arc<PreparedModule>, ModuleError> {
        let hash: [u8; 32] = Sha256::digest(sent).into();
        if let Some(known) = self.recent(&hash) {
            return Ok(known);
        }
        let plain = decode::decode(sent)?;
        let parsed = parse(&plain)?;
        let key = cache_key(&plain);
        let module = match self.load(&key) {
            Some(module) => module,
            None => {
                validate::validate(&plain)?;
                let instrumented = instrument::instrument(&plain, &parsed)?;
                let module = Module::new(engine(), instrumented)
                    .map_err(|error| ModuleError::Compilation(format!("{error:#}")))?;
                self.save(&key, &module);
                module
            }
        };
        let exported = |prefix: &str| -> Vec<u32> {
            module
                .exports()
                .filter_map(|export| export.name().strip_prefix(prefix)?.parse().ok())
                .collect()
        };
        let instruction_count = module
            .exports()
            .find_map(|export| {
                export
                    .name()
                    .strip_prefix(internal::INSTRUCTION_COUNT)?
                    .parse()
                    .ok()
            })
            .unwrap_or(0);
        let instance = system_api::linker(parsed.has_memory64())
            .instantiate_pre(&module)
            .map_err(|error| ModuleError::Compilation(format!("{error:#}")))?;
        let prepared = Arc::new(PreparedModule {
            hash,
            sent: Arc::new(sent.to_vec()),
            memory: parsed.memory,
            instruction_count,
            has_start: parsed.start.is_some(),
            instance,
            globals: exported(internal::GLOBAL),
            global_kinds: parsed
                .globals
                .iter()
                .filter(|global| global.mutable)
                .map(|global| zero(global.content_type))
                .collect(),
            tables: exported(internal::TABLE),
            functions: exported(internal::FUNCTION),
            data: parsed
                .data
                .iter()
                .map(|(offset, range)| (*offset, plain[range.clone()].to_vec()))
                .collect(),
            metadata: parsed.metadata,
            methods: parsed.methods,
        });
        self.remember(prepared.clone());
        Ok(prepared)
    }

    /// Whether preparing the module takes no compiler.
    pub fn is_at_hand(&self, sent: &[u8]) -> bool {
        let hash: [u8; 32] = Sha256::digest(sent).into();
        if self.recent(&hash).is_some() {
            return true;
        }
        let Some(folder) = &self.folder else {
            return false;
        };
        decode::decode(sent).is_ok_and(|plain| folder.join(cache_key(&plain)).exists())
    }

    fn recent(&self, hash: &[u8; 32]) -> Option<Arc<PreparedModule>> {
        let recent = self
            .recent
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        recent.iter().find(|module| module.hash == *hash).cloned()
    }

    fn remember(&self, module: Arc<PreparedModule>) {
        let mut recent = self
            .recent
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        recent.push_front(module);
        recent.truncate(RECENT_MAX);
    }

    fn load(&self, key: &str) -> Option<Module> {
        let path = self.folder.as_ref()?.join(key);
        if !path.exists() {
            return None;
        }
        // So that it counts as used now; it is no harm if that fails.
        if let Ok(file) = fs::File::options().append(true).open(&path) {
            file.set_modified(SystemTime::now()).unwrap_or_default();
        }
        // SAFETY: the file was written by `save`, under a name that only this
        // user's processes choose; its key covers the engine and the rewriting.
        unsafe { Module::deserialize_file(engine(), &path) }.ok()
    }

    /// Keeping compiled code is a convenience: failing to is not an error.
    fn save(&self, key: &str, module: &Module) {
        let Some(folder) = &self.folder else { return };
        let Ok(bytes) = module.serialize() else {
            return;
        };
        if let Err(error) = write_whole(folder, key, &bytes).and_then(|()| prune(folder)) {
            eprintln!(
                "stoa-localnet: compiled code was not kept in {}: {error}",
                folder.display()
            );
        }
    }
}

/// The file appears under its name only when it is complete.
fn write_whole(folder: &Path, key: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let unfinished = folder.join(format!("{key}.{}.unfinished", std::process::id()));
    fs::write(&unfinished, bytes)?;
    fs::rename(&unfinished, folder.join(key))
}

/// Removes the files that were not used for longest, if there are too many. Other processes
/// do the same in the same folder: what is gone in the meantime is none of them any more.
fn prune(folder: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let used = unless_gone(fs::metadata(&path).and_then(|file| file.modified()))?;
        files.extend(used.map(|used| (used, path)));
    }
    files.sort();
    for (_, path) in files.iter().rev().skip(KEPT_MAX) {
        unless_gone(fs::remove_file(path))?;
    }
    Ok(())
}

fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn zero(ty: ValType) -> SavedValue {
    match ty {
        ValType::I32 => SavedValue::I32(0),
        ValType::I64 => SavedValue::I64(0),
        ValType::F32 => SavedValue::F32(0),
        ValType::F64 => SavedValue::F64(0),
        ValType::V128 => SavedValue::V128(0),
        ValType::Ref(_) => SavedValue::Function(None),
    }
}

/// Of the plain module: packing it again does not change what is compiled.
fn cache_key(plain: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    engine().precompile_compatibility_hash().hash(&mut hasher);
    instrument::VERSION.hash(&mut hasher);
    format!(
        "{}-{:016x}.cwasm",
        hex::encode(Sha256::digest(plain)),
        hasher.finish()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_keep_the_modules_used_last() {
        let folder = tempfile::tempdir().unwrap();
        for index in 0..KEPT_MAX as u64 + 3 {
            let path = folder.path().join(format!("{index:03}"));
            fs::write(&path, b"x").unwrap();
            let used = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(index);
            fs::File::options()
                .append(true)
                .open(&path)
                .unwrap()
                .set_modified(used)
                .unwrap();
        }
        // As it looks to who lists it while another process takes a file away.
        std::os::unix::fs::symlink(folder.path().join("gone"), folder.path().join("999")).unwrap();
        prune(folder.path()).unwrap();
        fs::remove_file(folder.path().join("999")).unwrap();
        let exists = |name: &str| folder.path().join(name).exists();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), KEPT_MAX);
        assert!(!exists("002") && exists("003"));
    }
}
