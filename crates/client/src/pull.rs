//! Reading a version back: every byte of every file from the shards, checked against the manifest that names it.
//!
//! What must hold: bytes that do not hash to their name are never handed on, and a file gets its name on disk only
//! when it is whole. A pull may stop anywhere and be run again; what is there and right is not fetched again.

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use candid::Principal;
use futures_util::stream::FuturesOrdered;
use futures_util::{StreamExt, TryStreamExt, stream};
use stoa_content::CHUNK_SIZE_BYTES;
use stoa_content::{FileVerifier, hash_file};
use stoa_registry_api::VersionInfo;
use stoa_types::manifest::{FileEntry, Manifest};
use stoa_types::{Sha256, ValidManifest};

use crate::connection::Connection;
use crate::error::{ClientError, Result};
use crate::polling::{PATIENCE, persistently};
use crate::registry::{ProvenVersion, Registry};
use crate::shard::{PARALLEL_CHUNKS, fetch_chunk};

/// A version whose chunks can be fetched.
#[derive(Debug)]
pub struct Source {
    connection: Connection,
    manifest: Manifest,
    shards: HashMap<Sha256, Vec<Principal>>,
}

impl Source {
    /// A version whose manifest was proven. Where its chunks are is what one node says, and shows itself in their hashes.
    pub async fn of(
        connection: &Connection,
        registry: &Registry,
        proven: &ProvenVersion,
    ) -> Result<Self> {
        Self::new(connection, registry.placement(proven.version).await?)
    }

    /// `info.manifest` must already be known to hash to the version wanted; here it is checked to be valid, so that no
    /// path in it leaves the folder that files are written to.
    pub fn new(connection: &Connection, info: VersionInfo) -> Result<Self> {
        let manifest = info.manifest;
        ValidManifest::try_from(manifest.clone()).map_err(|error| {
            ClientError::Failed(format!("the registry holds an invalid manifest: {error}"))
        })?;
        Ok(Self {
            connection: connection.clone(),
            manifest,
            shards: info
                .placement
                .into_iter()
                .map(|chunk| (chunk.hash, chunk.shards))
                .collect(),
        })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn size_bytes(&self) -> u64 {
        self.manifest.files.iter().map(|file| file.size_bytes).sum()
    }

    /// Fetches a file and hands its chunks to `sink`, in order, each verified. The file as a whole is verified when
    /// this answers: until then the sink must not give out what it took.
    pub async fn read(
        &self,
        file: &FileEntry,
        mut sink: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut verifier = FileVerifier::new(file).map_err(|error| broken(file, &error))?;
        let mut chunks = stream::iter(&file.chunks)
            .map(|hash| self.fetch(*hash))
            .buffered(PARALLEL_CHUNKS);
        while let Some(chunk) = chunks.try_next().await? {
            verifier
                .push(&chunk)
                .map_err(|error| broken(file, &error))?;
            sink(&chunk)?;
        }
        verifier.finish().map_err(|error| broken(file, &error))
    }

    async fn fetch(&self, hash: Sha256) -> Result<Vec<u8>> {
        let shards = self.shards.get(&hash).map_or(&[][..], Vec::as_slice);
        persistently(&self.connection, PATIENCE, || {
            fetch_chunk(&self.connection, hash, shards)
        })
        .await
    }

    /// Writes the whole version below `folder`; `progress` gets the bytes of each piece, also of those that were
    /// there already.
    pub async fn save(&self, folder: &Path, mut progress: impl FnMut(u64)) -> Result<Saved> {
        let mut saving = Saving {
            folder,
            files: self.manifest.files.iter(),
            open: VecDeque::new(),
            saved: Saved::default(),
        };
        let mut fetching = FuturesOrdered::new();
        loop {
            while fetching.len() < PARALLEL_CHUNKS
                && let Some(hash) = saving.next_chunk(&mut progress)?
            {
                fetching.push_back(self.fetch(hash));
            }
            let Some(chunk) = fetching.try_next().await? else {
                return Ok(saving.saved);
            };
            saving.take(&chunk)?;
            progress(chunk.len() as u64);
        }
    }
}

/// What a pull found and did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Saved {
    pub fetched_bytes: u64,
    /// Right already, from an earlier attempt.
    pub present_bytes: u64,
}

/// Files being written: chunks are asked for and come in the order of the manifest, so the first file that is open is the
/// one that the next chunk belongs to. At most as many are open as chunks are in flight.
struct Saving<'a> {
    folder: &'a Path,
    files: std::slice::Iter<'a, FileEntry>,
    open: VecDeque<OpenFile<'a>>,
    saved: Saved,
}

struct OpenFile<'a> {
    file: &'a FileEntry,
    path: PathBuf,
    part: PathBuf,
    /// Locked, so that two pulls into one folder do not write one file.
    output: std::fs::File,
    verifier: FileVerifier<'a>,
    /// Chunks that were asked for, and that were written.
    asked: usize,
    written: usize,
}

impl<'a> Saving<'a> {
    /// The next chunk to ask for; files that need none are dealt with on the way.
    fn next_chunk(&mut self, progress: &mut impl FnMut(u64)) -> Result<Option<Sha256>> {
        loop {
            if let Some(last) = self.open.back_mut()
                && let Some(hash) = last.file.chunks.get(last.asked)
            {
                last.asked += 1;
                return Ok(Some(*hash));
            }
            let Some(file) = self.files.next() else {
                return Ok(None);
            };
            let path = self.folder.join(&file.path);
            if is_complete(file, &path)? {
                self.saved.present_bytes += file.size_bytes;
                progress(file.size_bytes);
                continue;
            }
            let mut present_bytes = 0;
            let open = OpenFile::resume(file, path, &mut |bytes| {
                present_bytes += bytes;
                progress(bytes);
            })?;
            self.saved.present_bytes += present_bytes;
            if open.written == file.chunks.len() {
                open.finish()?;
            } else {
                self.open.push_back(open);
            }
        }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<()> {
        let first = self
            .open
            .front_mut()
            .expect("BUG: a chunk that no open file asked for");
        first.write(chunk)?;
        self.saved.fetched_bytes += chunk.len() as u64;
        if first.written == first.file.chunks.len()
            && let Some(first) = self.open.pop_front()
        {
            first.finish()?;
        }
        Ok(())
    }
}

impl<'a> OpenFile<'a> {
    /// Opens the partial file; takes its good chunks and cuts off what follows them.
    fn resume(file: &'a FileEntry, path: PathBuf, progress: &mut impl FnMut(u64)) -> Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(ClientError::file(parent))?;
        }
        let part = part_of(&path);
        let mut verifier = FileVerifier::new(file).map_err(|error| broken(file, &error))?;
        let output = open_locked(&part)?;
        let written = good_chunks(file, &part, &output, &mut verifier, progress)?;
        Ok(Self {
            file,
            path,
            part,
            output,
            verifier,
            asked: written,
            written,
        })
    }

    fn write(&mut self, chunk: &[u8]) -> Result<()> {
        self.verifier
            .push(chunk)
            .map_err(|error| broken(self.file, &error))?;
        self.output
            .write_all(chunk)
            .map_err(ClientError::file(&self.part))?;
        self.written += 1;
        Ok(())
    }

    /// Gives the file its name, once it is known to be whole.
    fn finish(self) -> Result<()> {
        self.verifier
            .finish()
            .map_err(|error| broken(self.file, &error))?;
        self.output
            .sync_all()
            .map_err(ClientError::file(&self.part))?;
        std::fs::rename(&self.part, &self.path).map_err(ClientError::file(&self.path))
    }
}

fn open_locked(part: &Path) -> Result<std::fs::File> {
    let at = |error| ClientError::file(part)(error);
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let output = options.open(part).map_err(at)?;
    match output.try_lock() {
        Ok(()) => Ok(output),
        Err(std::fs::TryLockError::WouldBlock) => Err(ClientError::InvalidFile {
            path: part.to_owned(),
            reason: "another pull is writing it: wait for that one, or choose another folder"
                .to_owned(),
        }),
        Err(std::fs::TryLockError::Error(error)) => Err(at(error)),
    }
}

fn is_complete(file: &FileEntry, path: &Path) -> Result<bool> {
    match std::fs::File::open(path) {
        Ok(present) => {
            let entry = hash_file(&file.path, present).map_err(ClientError::file(path))?;
            if entry == *file {
                return Ok(true);
            }
            Err(ClientError::InvalidFile {
                path: path.to_owned(),
                reason: "it exists with other content: move it away or choose another folder"
                    .to_owned(),
            })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(ClientError::file(path)(error)),
    }
}

/// How many chunks of an earlier attempt are good; the file ends behind them afterwards.
fn good_chunks(
    file: &FileEntry,
    part: &Path,
    mut output: &std::fs::File,
    verifier: &mut FileVerifier<'_>,
    progress: &mut impl FnMut(u64),
) -> Result<usize> {
    let at = |error| ClientError::file(part)(error);
    let mut done = 0;
    let mut good_bytes = 0;
    while done < file.chunks.len() {
        let mut chunk = Vec::new();
        output
            .take(CHUNK_SIZE_BYTES)
            .read_to_end(&mut chunk)
            .map_err(at)?;
        if verifier.push(&chunk).is_err() {
            break;
        }
        done += 1;
        good_bytes += chunk.len() as u64;
        progress(chunk.len() as u64);
    }
    output.set_len(good_bytes).map_err(at)?;
    output.seek(SeekFrom::Start(good_bytes)).map_err(at)?;
    Ok(done)
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

fn broken(file: &FileEntry, error: &stoa_content::VerifyError) -> ClientError {
    ClientError::Failed(format!("{}: {error}", file.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: &[u8]) -> FileEntry {
        hash_file("f", bytes).unwrap()
    }

    #[test]
    fn should_go_on_behind_the_good_chunks_of_an_earlier_attempt() {
        let bytes: Vec<u8> = (0..(2 << 20) + 5).map(|i| (i % 251) as u8).collect();
        let file = entry(&bytes);
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("f.part");
        let mut damaged = bytes[..(1 << 20) + 900].to_vec();
        damaged[1 << 20] ^= 1;
        std::fs::write(&part, damaged).unwrap();

        let mut seen = 0;
        let path = folder.path().join("f");
        let mut open = OpenFile::resume(&file, path.clone(), &mut |bytes| seen += bytes).unwrap();
        assert_eq!((open.written, seen), (1, 1 << 20));

        for chunk in bytes[1 << 20..].chunks(1 << 20) {
            open.write(chunk).unwrap();
        }
        open.finish().unwrap();
        assert!(is_complete(&file, &path).unwrap());
        assert!(!part.exists());
    }

    #[test]
    fn should_not_take_a_chunk_that_is_not_the_next_one() {
        let bytes: Vec<u8> = (0..(1 << 20) + 5).map(|i| (i % 251) as u8).collect();
        let file = entry(&bytes);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let mut open = OpenFile::resume(&file, path.clone(), &mut |_| {}).unwrap();
        assert!(open.write(&bytes[1 << 20..]).is_err());
        open.write(&bytes[..1 << 20]).unwrap();
        assert!(open.finish().is_err(), "the last chunk is missing");
        assert!(!path.exists());
    }

    #[test]
    fn should_not_write_a_file_that_another_pull_is_writing() {
        let file = entry(b"bytes");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let open = OpenFile::resume(&file, path.clone(), &mut |_| {}).unwrap();
        let refused = OpenFile::resume(&file, path.clone(), &mut |_| {});
        assert!(refused.err().unwrap().to_string().contains("another pull"));
        drop(open);
        assert!(OpenFile::resume(&file, path, &mut |_| {}).is_ok());
    }

    #[test]
    fn should_not_write_over_a_file_with_other_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, b"mine").unwrap();
        assert!(is_complete(&entry(b"theirs"), &path).is_err());
        assert!(is_complete(&entry(b"mine"), &path).unwrap());
    }
}
