//! Reading a version back: every byte of every file from the shards, checked against the manifest that names it.
//!
//! What must hold: bytes that do not hash to their name are never handed on, and a file gets its name on disk only
//! when it is whole. A pull may stop anywhere and be run again; what is there and right is not fetched again.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use candid::Principal;
use futures_util::{StreamExt, TryStreamExt, stream};
use stoa_content::CHUNK_SIZE_BYTES;
use stoa_content::{FileVerifier, hash_file};
use stoa_registry_api::VersionInfo;
use stoa_types::manifest::{FileEntry, Manifest};
use stoa_types::{Sha256, ValidManifest};

use crate::connection::Connection;
use crate::error::{ClientError, Result};
use crate::shard::{PARALLEL_CHUNKS, fetch_chunk};

/// A version whose chunks can be fetched.
pub struct Source {
    connection: Connection,
    manifest: Manifest,
    shards: HashMap<Sha256, Vec<Principal>>,
}

impl Source {
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
        let verifier = FileVerifier::new(file).map_err(|error| broken(file, &error))?;
        self.read_rest(file, verifier, 0, &mut sink).await
    }

    async fn read_rest(
        &self,
        file: &FileEntry,
        mut verifier: FileVerifier<'_>,
        done: usize,
        sink: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut chunks = stream::iter(&file.chunks[done..])
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
        fetch_chunk(&self.connection, hash, shards).await
    }

    /// Writes the whole version below `folder`; `progress` gets the bytes of each piece, also of those that were
    /// there already.
    pub async fn save(&self, folder: &Path, mut progress: impl FnMut(u64)) -> Result<()> {
        for file in &self.manifest.files {
            self.save_file(file, &folder.join(&file.path), &mut progress)
                .await?;
        }
        Ok(())
    }

    async fn save_file(
        &self,
        file: &FileEntry,
        path: &Path,
        progress: &mut impl FnMut(u64),
    ) -> Result<()> {
        if is_complete(file, path)? {
            progress(file.size_bytes);
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(ClientError::file(parent))?;
        }
        let part = part_of(path);
        let mut verifier = FileVerifier::new(file).map_err(|error| broken(file, &error))?;
        let (mut output, done) = resume(file, &part, &mut verifier, progress)?;
        self.read_rest(file, verifier, done, &mut |chunk| {
            output.write_all(chunk).map_err(ClientError::file(&part))?;
            progress(chunk.len() as u64);
            Ok(())
        })
        .await?;
        output.sync_all().map_err(ClientError::file(&part))?;
        std::fs::rename(&part, path).map_err(ClientError::file(path))
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

/// Takes the good chunks of an earlier attempt and cuts off what follows them.
fn resume(
    file: &FileEntry,
    part: &Path,
    verifier: &mut FileVerifier<'_>,
    progress: &mut impl FnMut(u64),
) -> Result<(std::fs::File, usize)> {
    let at = |error| ClientError::file(part)(error);
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut output = options.open(part).map_err(at)?;
    let mut done = 0;
    let mut good_bytes = 0;
    while done < file.chunks.len() {
        let mut chunk = Vec::new();
        (&mut output)
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
    std::io::Seek::seek(&mut output, std::io::SeekFrom::Start(good_bytes)).map_err(at)?;
    Ok((output, done))
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

        let mut verifier = FileVerifier::new(&file).unwrap();
        let mut seen = 0;
        let (mut output, done) =
            resume(&file, &part, &mut verifier, &mut |bytes| seen += bytes).unwrap();
        assert_eq!((done, seen), (1, 1 << 20));

        for chunk in bytes[1 << 20..].chunks(1 << 20) {
            verifier.push(chunk).unwrap();
            output.write_all(chunk).unwrap();
        }
        verifier.finish().unwrap();
        assert!(is_complete(&file, &part).unwrap());
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
