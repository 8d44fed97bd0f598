//! A folder that holds memories as files, so that they outlive the process.
//!
//! Files are written in place. Before bytes of a file are overwritten for the
//! first time since the last commit, they are saved in the file `undo`; a commit
//! empties it. So whoever opens the folder after a crash finds either nothing in
//! `undo`, or what it takes to return to the last commit.
//!
//! ```text
//! <number>    one memory; sparse
//! undo        u64 transaction, then entries, each written before the bytes that it saves:
//!             u32 length of the rest · u32 CRC of the rest · u64 file · u64 offset · bytes
//! ```
//!
//! Numbers are little-endian. What is saved belongs to the transaction that the
//! log has not got yet; if the log has it, the crash came between the two, and
//! what is saved is of no more use.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

const UNDO: &str = "undo";

/// Saved bytes are cut into entries of at most this length.
const ENTRY_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    next: AtomicU64,
    /// The transaction that is open.
    transaction: AtomicU64,
    undo: Mutex<Undo>,
    /// Files that nothing in memory refers to any more.
    unused: Mutex<Vec<u64>>,
}

#[derive(Debug)]
struct Undo {
    file: File,
    written: bool,
}

/// A file of a folder, as the memory that it backs knows it.
#[derive(Debug)]
pub struct Place {
    folder: Arc<Folder>,
    pub number: u64,
    /// The transaction that made it: before that is committed nothing in it need be saved.
    born: u64,
}

impl Folder {
    /// Opens or makes the folder. `committed` is the last transaction in the
    /// log: everything after it is undone.
    pub fn open(path: &Path, committed: u64) -> io::Result<Arc<Self>> {
        fs::create_dir_all(path)?;
        let undo_path = path.join(UNDO);
        if let Ok(saved) = File::open(&undo_path) {
            undo(path, saved, committed)?;
        }
        let file = File::create(undo_path)?;
        let mut next = 0;
        for number in numbers(path)? {
            next = next.max(number + 1);
        }
        Ok(Arc::new(Self {
            path: path.to_path_buf(),
            next: AtomicU64::new(next),
            transaction: AtomicU64::new(committed + 1),
            undo: Mutex::new(Undo {
                file,
                written: false,
            }),
            unused: Mutex::default(),
        }))
    }

    /// Removes every file that is not among those.
    pub fn retain(&self, used: &BTreeSet<u64>) -> io::Result<()> {
        for number in numbers(&self.path)? {
            if !used.contains(&number) {
                fs::remove_file(self.path.join(number.to_string()))?;
            }
        }
        Ok(())
    }

    pub fn create_file(self: &Arc<Self>) -> io::Result<(File, Place)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.path.join(number.to_string()))?;
        let place = Place {
            folder: Arc::clone(self),
            number,
            born: self.transaction.load(Ordering::Relaxed),
        };
        Ok((file, place))
    }

    pub fn open_file(self: &Arc<Self>, number: u64) -> io::Result<(File, Place)> {
        let file = File::options()
            .read(true)
            .write(true)
            .open(self.path.join(number.to_string()))?;
        let place = Place {
            folder: Arc::clone(self),
            number,
            born: 0,
        };
        Ok((file, place))
    }

    pub fn transaction(&self) -> u64 {
        self.transaction.load(Ordering::Relaxed)
    }

    /// Whether a file was written to since the last commit.
    pub fn is_written(&self) -> bool {
        self.undo().written
    }

    /// The open transaction is in the log: the next one begins.
    pub fn committed(&self) -> io::Result<()> {
        let mut undo = self.undo();
        if undo.written {
            undo.file.set_len(0)?;
            undo.written = false;
        }
        self.transaction.fetch_add(1, Ordering::Relaxed);
        drop(undo);
        let unused = std::mem::take(&mut *self.unused());
        for number in unused {
            fs::remove_file(self.path.join(number.to_string()))?;
        }
        Ok(())
    }

    fn undo(&self) -> MutexGuard<'_, Undo> {
        self.undo
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn unused(&self) -> MutexGuard<'_, Vec<u64>> {
        self.unused
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Place {
    pub fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// Saves what will be overwritten. `read` gives the present content.
    pub fn save(
        &self,
        offset: u64,
        length: usize,
        read: impl Fn(u64, &mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.born == self.folder.transaction() {
            // Nothing refers to the file yet, but the log must still tell that it changed.
            return Ok(());
        }
        let mut undo = self.folder.undo();
        if !undo.written {
            let transaction = self.folder.transaction();
            undo.file.write_all_at(&transaction.to_le_bytes(), 0)?;
            undo.file = reopened_at_end(&undo.file)?;
            undo.written = true;
        }
        let mut done = 0;
        while done < length {
            let size = ENTRY_BYTES_MAX.min(length - done);
            let at = offset + done as u64;
            let mut entry = vec![0; 24 + size];
            entry[8..16].copy_from_slice(&self.number.to_le_bytes());
            entry[16..24].copy_from_slice(&at.to_le_bytes());
            read(at, &mut entry[24..])?;
            let rest = (entry.len() - 8) as u32;
            let crc = crc32fast::hash(&entry[8..]);
            entry[..4].copy_from_slice(&rest.to_le_bytes());
            entry[4..8].copy_from_slice(&crc.to_le_bytes());
            undo.file.write_all(&entry)?;
            done += size;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.folder.unused().push(self.number);
    }
}

/// The same file, written from behind its first eight bytes on.
fn reopened_at_end(file: &File) -> io::Result<File> {
    use std::io::{Seek, SeekFrom};
    let mut file = file.try_clone()?;
    file.seek(SeekFrom::Start(8))?;
    Ok(file)
}

fn numbers(path: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(path)? {
        numbers.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u64>().ok()),
        );
    }
    Ok(numbers)
}

/// Puts back what the transaction after the last one committed has overwritten,
/// the latest first. An entry that is not whole saves bytes that were not
/// overwritten yet.
fn undo(path: &Path, mut saved: File, committed: u64) -> io::Result<()> {
    let mut first = [0; 8];
    if saved.metadata()?.len() < 8 {
        return Ok(());
    }
    saved.read_exact(&mut first)?;
    if u64::from_le_bytes(first) <= committed {
        return Ok(());
    }
    let end = saved.metadata()?.len();
    let mut places = Vec::new();
    let mut at = 8;
    while at + 8 <= end {
        let mut head = [0; 8];
        saved.read_exact_at(&mut head, at)?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        if length < 16 || at + 8 + u64::from(length) > end {
            break;
        }
        places.push((at, length));
        at += 8 + u64::from(length);
    }
    for (at, length) in places.into_iter().rev() {
        let mut crc = [0; 4];
        saved.read_exact_at(&mut crc, at + 4)?;
        let mut rest = vec![0; length as usize];
        saved.read_exact_at(&mut rest, at + 8)?;
        if crc32fast::hash(&rest) != u32::from_le_bytes(crc) {
            return Err(io::Error::other(format!(
                "{} is damaged at byte {at}: the memories cannot be returned to the last commit",
                path.join(UNDO).display()
            )));
        }
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
        let (file, offset) = (number(&rest[..8]), number(&rest[8..16]));
        File::options()
            .write(true)
            .open(path.join(file.to_string()))?
            .write_all_at(&rest[16..], offset)?;
    }
    Ok(())
}
