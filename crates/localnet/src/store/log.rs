//! A log of changes to a table of keys and values, in one file.
//!
//! ```text
//! record   u32 length of the rest · u32 CRC of the rest · u64 transaction · changes
//! change   u8 0 (deleted) or 1 (set) · u32 length · key · [u32 length · value]
//! ```
//!
//! Numbers are little-endian. All changes of a record hold or none: one that is
//! not whole is the end of the log, and what comes of it is as if the process
//! had ended just before. When most of the log is out of date it is written anew
//! beside the old one, which it then replaces.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Below this a log is never rewritten.
const REWRITTEN_FROM_BYTES: u64 = 32 << 20;

/// A record that is longer was not written by us.
const RECORD_BYTES_MAX: u32 = 1 << 30;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Set { key: Vec<u8>, value: Vec<u8> },
    Deleted { key: Vec<u8> },
}

/// Where the latest value of a key is, and what it is by its hash.
#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: u64,
    length: u32,
    hash: [u8; 32],
}

#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    end: u64,
    /// Bytes of keys and values that are not out of date.
    live: u64,
    entries: BTreeMap<Vec<u8>, Entry>,
    /// The last transaction in it.
    committed: u64,
}

impl Log {
    /// Reads a log, or begins one.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut log = Self {
            path: path.to_path_buf(),
            file,
            end: 0,
            live: 0,
            entries: BTreeMap::new(),
            committed: 0,
        };
        log.replay()?;
        // What is left of a record that was being written must not be read as one later.
        log.file.set_len(log.end)?;
        Ok(log)
    }

    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// The keys that begin so, in order.
    pub fn keys_with(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
        self.entries
            .range(prefix.to_vec()..)
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(prefix))
            .cloned()
            .collect()
    }

    pub fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        match self.entries.get(key) {
            None => Ok(None),
            Some(entry) => self.value(entry).map(Some),
        }
    }

    fn value(&self, entry: &Entry) -> io::Result<Vec<u8>> {
        let mut value = vec![0; entry.length as usize];
        self.file.read_exact_at(&mut value, entry.offset)?;
        Ok(value)
    }

    /// Whether setting the key to the value, or deleting it, would change anything.
    pub fn would_change(&self, change: &Change) -> bool {
        match change {
            Change::Deleted { key } => self.entries.contains_key(key),
            Change::Set { key, value } => self
                .entries
                .get(key)
                .is_none_or(|known| known.hash != hash(value)),
        }
    }

    /// Appends a record. It is in the kernel's hands when this returns, so the
    /// end of the process cannot lose it.
    pub fn append(&mut self, transaction: u64, changes: &[Change]) -> io::Result<()> {
        let record = encode(transaction, changes);
        self.file.write_all_at(&record, self.end)?;
        self.note(transaction, changes, self.end);
        self.end += record.len() as u64;
        if self.end > REWRITTEN_FROM_BYTES && self.end > 4 * self.live {
            self.rewrite()?;
        }
        Ok(())
    }

    /// Updates the table for a record that begins at `offset`.
    fn note(&mut self, transaction: u64, changes: &[Change], offset: u64) {
        let mut at = offset + 16;
        for change in changes {
            match change {
                Change::Set { key, value } => {
                    at += 1 + 4 + key.len() as u64 + 4;
                    self.forget(key);
                    self.live += (key.len() + value.len()) as u64;
                    let entry = Entry {
                        offset: at,
                        length: value.len() as u32,
                        hash: hash(value),
                    };
                    self.entries.insert(key.clone(), entry);
                    at += value.len() as u64;
                }
                Change::Deleted { key } => {
                    at += 1 + 4 + key.len() as u64;
                    self.forget(key);
                }
            }
        }
        self.committed = self.committed.max(transaction);
    }

    fn forget(&mut self, key: &[u8]) {
        if let Some(old) = self.entries.remove(key) {
            self.live -= key.len() as u64 + u64::from(old.length);
        }
    }

    fn replay(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let mut reader = BufReader::with_capacity(1 << 20, self.file.try_clone()?);
        while let Some((transaction, changes, bytes)) = read_record(&mut reader, length - self.end)?
        {
            self.note(transaction, &changes, self.end);
            self.end += bytes;
        }
        Ok(())
    }

    /// Writes what is not out of date to a new log.
    fn rewrite(&mut self) -> io::Result<()> {
        let beside = self.path.with_extension("new");
        let mut new = Self {
            path: self.path.clone(),
            file: File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(&beside)?,
            end: 0,
            live: 0,
            entries: BTreeMap::new(),
            committed: self.committed,
        };
        for (key, entry) in &self.entries {
            let set = [Change::Set {
                key: key.clone(),
                value: self.value(entry)?,
            }];
            let record = encode(self.committed, &set);
            new.file.write_all_at(&record, new.end)?;
            new.note(self.committed, &set, new.end);
            new.end += record.len() as u64;
        }
        // A log without a record would have forgotten its transaction.
        if new.end == 0 {
            let record = encode(self.committed, &[]);
            new.file.write_all_at(&record, 0)?;
            new.end = record.len() as u64;
        }
        fs::rename(&beside, &self.path)?;
        *self = new;
        Ok(())
    }
}

fn hash(value: &[u8]) -> [u8; 32] {
    Sha256::digest(value).into()
}

fn encode(transaction: u64, changes: &[Change]) -> Vec<u8> {
    let mut record = vec![0; 8];
    record.extend_from_slice(&transaction.to_le_bytes());
    let put = |bytes: &[u8], record: &mut Vec<u8>| {
        record.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        record.extend_from_slice(bytes);
    };
    for change in changes {
        match change {
            Change::Deleted { key } => {
                record.push(0);
                put(key, &mut record);
            }
            Change::Set { key, value } => {
                record.push(1);
                put(key, &mut record);
                put(value, &mut record);
            }
        }
    }
    let crc = crc32fast::hash(&record[8..]);
    let length = (record.len() - 8) as u32;
    record[..4].copy_from_slice(&length.to_le_bytes());
    record[4..8].copy_from_slice(&crc.to_le_bytes());
    record
}

type Record = (u64, Vec<Change>, u64);

/// None at the end of the log, which may be a record that is not whole.
fn read_record(reader: &mut impl Read, left: u64) -> io::Result<Option<Record>> {
    if left < 16 {
        return Ok(None);
    }
    let mut head = [0; 8];
    reader.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    if !(8..=RECORD_BYTES_MAX).contains(&length) || u64::from(length) > left - 8 {
        return Ok(None);
    }
    let mut rest = vec![0; length as usize];
    reader.read_exact(&mut rest)?;
    if crc32fast::hash(&rest).to_le_bytes() != head[4..8] {
        return Ok(None);
    }
    let (transaction, mut rest) = rest.split_at(8);
    let transaction = u64::from_le_bytes(transaction.try_into().map_err(io::Error::other)?);
    let mut changes = Vec::new();
    while let Some((&kind, after)) = rest.split_first() {
        let taken = taken(after).and_then(|(key, after)| match kind {
            0 => Some((Change::Deleted { key: key.to_vec() }, after)),
            _ => {
                let (value, after) = taken(after)?;
                let (key, value) = (key.to_vec(), value.to_vec());
                Some((Change::Set { key, value }, after))
            }
        });
        let Some((change, after)) = taken else {
            return Ok(None);
        };
        changes.push(change);
        rest = after;
    }
    Ok(Some((transaction, changes, u64::from(length) + 8)))
}

fn taken(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

impl Log {
    /// Hands everything to the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: &str, value: &[u8]) -> Change {
        Change::Set {
            key: key.into(),
            value: value.to_vec(),
        }
    }

    fn deleted(key: &str) -> Change {
        Change::Deleted { key: key.into() }
    }

    fn table(log: &Log) -> BTreeMap<String, Vec<u8>> {
        log.keys_with(b"")
            .into_iter()
            .map(|key| {
                let value = log.get(&key).unwrap().unwrap();
                (String::from_utf8(key).unwrap(), value)
            })
            .collect()
    }

    #[test]
    fn should_read_what_was_written_after_a_cut_at_any_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut states = vec![(0, BTreeMap::new(), 0)];
        let mut log = Log::open(&path).unwrap();
        let records: [&[Change]; 4] = [
            &[set("a", b"1"), set("b", b"")],
            &[deleted("a"), set("c", &[7; 300])],
            &[],
            &[set("b", b"22"), set("a", b"3"), deleted("none")],
        ];
        for (index, changes) in records.into_iter().enumerate() {
            log.append(index as u64 + 1, changes).unwrap();
            states.push((log.end, table(&log), log.committed()));
        }
        let whole = fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let mut log = Log::open(&path).unwrap();
            let expected = states.iter().rfind(|(end, ..)| *end <= cut as u64).unwrap();
            assert_eq!(table(&log), expected.1, "cut at {cut}");
            assert_eq!(log.committed(), expected.2, "cut at {cut}");
            // It goes on as if the torn record had never been begun.
            log.append(9, &[set("z", b"z")]).unwrap();
            assert_eq!(Log::open(&path).unwrap().get(b"z").unwrap().unwrap(), b"z");
        }
    }

    #[test]
    fn should_stay_small_when_the_same_is_written_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Log::open(&path).unwrap();
        log.append(1, &[set("kept", b"kept")]).unwrap();
        for transaction in 2..60 {
            let value = vec![transaction as u8; 1 << 20];
            log.append(transaction, &[set("often", &value)]).unwrap();
        }
        assert!(log.end < REWRITTEN_FROM_BYTES + (2 << 20), "{}", log.end);
        let again = Log::open(&path).unwrap();
        assert_eq!(table(&again), table(&log));
        assert_eq!(again.committed(), 59);
        assert_eq!(again.get(b"often").unwrap().unwrap(), vec![59; 1 << 20]);
    }

    #[test]
    fn should_know_what_would_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(&folder.path().join("log")).unwrap();
        log.append(1, &[set("a", b"1")]).unwrap();
        assert!(!log.would_change(&set("a", b"1")));
        assert!(log.would_change(&set("a", b"2")));
        assert!(log.would_change(&deleted("a")));
        assert!(!log.would_change(&deleted("b")));
    }
}
