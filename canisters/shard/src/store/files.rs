//! The files that are served by name, and the dag-pb nodes that make them files to IPFS. The registry names them when a version is
//! sealed; nodes and CIDs are computed here from the chunk lists, so that a wrong one is refused.

use ic_stable_structures::Memory;
use stoa_content::{Cid, Codec};
use stoa_shard_api::{ServeArgs, ServeError};
use stoa_types::Sha256;
use stoa_types::manifest::FileEntry;

use super::Store;
use super::records::{FileKey, ServedFile, ServedNode, ServedVersion};
use crate::certified::models::{FileTree, VersionPlace};
use crate::http::car::Block;
use crate::http::replies::Replies;

/// Their names are in the heap: 50,000 at about 1 kB.
pub const VERSIONS_MAX: u64 = 50_000;
/// As a manifest has at most.
const FILES_PER_VERSION_MAX: u64 = stoa_types::limits::FILES_MAX;
const CHUNKS_MAX: u64 = stoa_types::limits::CHUNKS_MAX;

impl<M: Memory + Clone> Store<M> {
    /// Serves these files of a version, besides those that it is known for.
    pub fn serve(&mut self, args: &ServeArgs) -> Result<(), ServeError> {
        let place = VersionPlace {
            publisher: args.publisher.clone(),
            name: args.name.clone(),
            semver: args.semver.clone(),
        };
        self.check_serve(args, &place)?;
        self.memories
            .ensure_room(0)
            .map_err(|_| ServeError::OutOfMemory)?;

        for file in &args.files {
            self.add_file(&args.version, file);
        }
        if args.files.is_empty() {
            return Ok(());
        }
        let files_digest = self.file_tree(&args.version).digest();
        self.certified.models.set(&place, files_digest);
        self.references.insert(reference(&place), args.version.0);
        let record = ServedVersion {
            place,
            files_digest,
        };
        self.versions.insert(args.version.0, record);
        Ok(())
    }

    fn check_serve(&self, args: &ServeArgs, place: &VersionPlace) -> Result<(), ServeError> {
        let too_many = |given: u64, max: u64| match given {
            given if given > max => Err(ServeError::TooMany { given, max }),
            _ => Ok(()),
        };
        too_many(args.files.len() as u64, FILES_PER_VERSION_MAX)?;
        let chunks = args.files.iter().map(|file| file.chunks.len() as u64).sum();
        too_many(chunks, CHUNKS_MAX)?;
        match self.version_at(place) {
            Some(version) if version != args.version => {
                return Err(ServeError::NameTaken { version });
            }
            Some(_) => {}
            None => too_many(self.versions.len() + 1, VERSIONS_MAX)?,
        }
        for file in &args.files {
            let computed =
                stoa_content::file_cid(&file.chunks, file.size_bytes).map(|cid| cid.to_string());
            if computed.as_ref() != Ok(&file.cid) {
                return Err(ServeError::WrongFile {
                    path: file.path.clone(),
                });
            }
        }
        Ok(())
    }

    fn add_file(&mut self, version: &Sha256, file: &FileEntry) {
        let key = FileKey(version.0, file.path.clone());
        if self.files.contains_key(&key) {
            return;
        }
        let replies = Replies::file(&file.path, &file.sha256, file.size_bytes, &file.chunks);
        let record = ServedFile {
            size_bytes: file.size_bytes,
            sha256: file.sha256,
            digest: replies.digest(),
            chunks: file.chunks.clone(),
        };
        for (cid, block) in nodes_of(&record) {
            self.add_node(&cid, block);
        }
        self.files.insert(key, record);
    }

    fn add_node(&mut self, cid: &Cid, block: Vec<u8>) {
        let mut node = self
            .nodes
            .get(&cid.digest.0)
            .unwrap_or(ServedNode { files: 0, block });
        node.files += 1;
        let is_new = node.files == 1;
        self.nodes.insert(cid.digest.0, node);
        if is_new {
            let replies = self
                .block_replies(cid)
                .expect("BUG: a node that was just stored is gone");
            self.certified.nodes.set(&cid.digest, replies.digest());
        }
    }

    /// Forgets all files of a version.
    pub(super) fn unserve(&mut self, version: &Sha256) {
        let files: Vec<FileKey> = self
            .files
            .range(FileKey::first_of(version)..)
            .map(|entry| entry.key().clone())
            .take_while(|key| key.0 == version.0)
            .collect();
        for key in files {
            let file = self.files.remove(&key).expect("BUG: a file is gone");
            for (cid, _) in nodes_of(&file) {
                self.drop_node(&cid);
            }
        }
        if let Some(record) = self.versions.remove(&version.0) {
            self.references.remove(&reference(&record.place));
            self.certified.models.remove(&record.place);
        }
    }

    fn drop_node(&mut self, cid: &Cid) {
        let mut node = self
            .nodes
            .get(&cid.digest.0)
            .expect("BUG: a file's node is gone");
        node.files -= 1;
        if node.files == 0 {
            self.nodes.remove(&cid.digest.0);
            self.certified.nodes.remove(&cid.digest);
        } else {
            self.nodes.insert(cid.digest.0, node);
        }
    }

    pub fn version_at(&self, place: &VersionPlace) -> Option<Sha256> {
        self.references.get(&reference(place)).map(Sha256)
    }

    pub fn file(&self, version: &Sha256, path: &str) -> Option<ServedFile> {
        self.files.get(&FileKey(version.0, path.to_owned()))
    }

    /// All files of a version that is served.
    pub fn file_tree(&self, version: &Sha256) -> FileTree {
        let files = self
            .files
            .range(FileKey::first_of(version)..)
            .take_while(|entry| entry.key().0 == version.0)
            .map(|entry| (entry.key().1.clone(), entry.value().digest));
        FileTree::new(files)
    }

    /// What `/ipfs/<cid>` gives.
    pub fn block_replies(&self, cid: &Cid) -> Option<Replies> {
        match cid.codec {
            Codec::Raw => {
                let size_bytes = u64::from(self.held_size_bytes(&cid.digest)?);
                Some(Replies::chunk_block(&cid.digest, size_bytes))
            }
            Codec::DagPb => {
                let block = self.nodes.get(&cid.digest.0)?.block;
                let mut below = Vec::new();
                self.blocks_below(&block, &mut below, &mut Default::default());
                Some(Replies::node_block(cid, &block, &below))
            }
        }
    }

    /// All blocks under a node, depth first, each once. A tree of 1,024 wide nodes is three deep at the largest file.
    fn blocks_below(
        &self,
        block: &[u8],
        below: &mut Vec<Block>,
        seen: &mut std::collections::BTreeSet<Cid>,
    ) {
        let links = stoa_content::node_links(block).expect("BUG: a stored node does not decode");
        for link in links {
            if !seen.insert(link.cid) {
                continue;
            }
            match link.cid.codec {
                Codec::Raw => below.push(Block::chunk(link.cid.digest, link.cumulative_size_bytes)),
                Codec::DagPb => {
                    let node = self
                        .nodes
                        .get(&link.cid.digest.0)
                        .expect("BUG: a node below a node is gone");
                    below.push(Block::node(link.cid, node.block.clone()));
                    self.blocks_below(&node.block, below, seen);
                }
            }
        }
    }
}

fn reference(place: &VersionPlace) -> String {
    let VersionPlace {
        publisher,
        name,
        semver,
    } = place;
    format!("{publisher}/{name}/{semver}")
}

/// The nodes of a file, each once, children before parents. None where it is one chunk.
fn nodes_of(file: &ServedFile) -> Vec<(Cid, Vec<u8>)> {
    let mut nodes: Vec<(Cid, Vec<u8>)> = Vec::new();
    stoa_content::visit_file_nodes(&file.chunks, file.size_bytes, |cid, block| {
        if nodes.iter().all(|(known, _)| known != cid) {
            nodes.push((*cid, block.to_vec()));
        }
    })
    .expect("BUG: a served file's chunks do not fit its size");
    nodes
}
