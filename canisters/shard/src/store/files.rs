//! The files that are served by name, and the dag-pb nodes that make them files to IPFS. The registry names them when a version is
//! sealed, with the shards that hold them; nodes and CIDs are computed here from the chunk lists, so that a wrong one is refused.

use std::collections::BTreeSet;

use candid::Principal;
use ic_stable_structures::Memory;
use stoa_content::{Cid, Codec, Link, Node, read_node};
use stoa_shard_api::{FileToServe, ServeArgs, ServeError};
use stoa_types::Sha256;

use super::Store;
use super::folders::Progress;
use super::records::{FileKey, OtherShard, ServedFile, ServedNode, ServedVersion};
use crate::certified::Place;
use crate::certified::models::{FileTree, VersionPlace};
use crate::certified::response::Terminal;
use crate::http::car::Block;
use crate::http::replies::Replies;

/// A bound on books: what a version takes beside its files is about 2 kB.
pub const VERSIONS_MAX: u64 = 50_000;
/// As a manifest has at most.
const FILES_PER_VERSION_MAX: u64 = stoa_types::limits::FILES_MAX;
const CHUNKS_MAX: u64 = stoa_types::limits::CHUNKS_MAX;
/// As the registry keeps copies of a segment, and one that is on its way.
const SHARDS_PER_SEGMENT_MAX: usize = 8;

impl<M: Memory + Clone> Store<M> {
    /// Serves these files of a version, besides those that it is known for. Saying it again changes nothing but where else they are.
    pub fn serve(&mut self, args: &ServeArgs, own: Principal) -> Result<(), ServeError> {
        let place = VersionPlace {
            publisher: args.publisher.clone(),
            name: args.name.clone(),
            semver: args.semver.clone(),
        };
        self.check_serve(args, &place)?;
        self.memories
            .ensure_room(0)
            .map_err(|_| ServeError::OutOfMemory)?;

        let mut is_changed = false;
        for file in &args.files {
            is_changed |= self.set_file(&args.version, &place, file, own);
        }
        let known = self.versions.get(&args.version.0);
        if known.is_none() && !is_changed {
            return Ok(());
        }
        let mut record = known.unwrap_or_else(|| ServedVersion {
            place: place.clone(),
            files_digest: [0; 32],
            root: None,
        });
        if is_changed {
            record.files_digest = self.file_tree(&args.version).digest();
            self.certified.models.set(&place, record.files_digest);
            self.references.insert(reference(&place), args.version.0);
        }
        let is_complete = self.files_of(&args.version).count() as u64 == args.files_total;
        if record.root.is_none() && is_complete {
            record.root = self.make_folders(&args.version);
        }
        let root = record.root;
        self.versions.insert(args.version.0, record);
        let Some(root) = root else {
            return Ok(());
        };
        let Progress { done, total } = self.certify_folders(&root);
        match done == total {
            true => Ok(()),
            false => Err(ServeError::Unfinished { done, total }),
        }
    }

    fn check_serve(&self, args: &ServeArgs, place: &VersionPlace) -> Result<(), ServeError> {
        let too_many = |given: u64, max: u64| match given {
            given if given > max => Err(ServeError::TooMany { given, max }),
            _ => Ok(()),
        };
        too_many(args.files.len() as u64, FILES_PER_VERSION_MAX)?;
        let chunks = args
            .files
            .iter()
            .map(|file| file.file.chunks.len() as u64)
            .sum();
        too_many(chunks, CHUNKS_MAX)?;
        match self.version_at(place) {
            Some(version) if version != args.version => {
                return Err(ServeError::NameTaken { version });
            }
            Some(_) => {}
            None => too_many(self.versions.len() + 1, VERSIONS_MAX)?,
        }
        for FileToServe { file, segments } in &args.files {
            let computed =
                stoa_content::file_cid(&file.chunks, file.size_bytes).map(|cid| cid.to_string());
            let is_in_order = segments.first().is_none_or(|first| first.first_chunk == 0)
                && segments.is_sorted_by(|one, next| one.first_chunk < next.first_chunk)
                && segments.iter().all(|segment| {
                    segment.first_chunk < file.chunks.len() as u64
                        && segment.shards.len() <= SHARDS_PER_SEGMENT_MAX
                });
            if computed.as_ref() != Ok(&file.cid) || !is_in_order {
                return Err(ServeError::WrongFile {
                    path: file.path.clone(),
                });
            }
        }
        Ok(())
    }

    /// Whether anything is new about it.
    fn set_file(
        &mut self,
        version: &Sha256,
        place: &VersionPlace,
        served: &FileToServe,
        own: Principal,
    ) -> bool {
        let file = &served.file;
        let others: Vec<OtherShard> = served
            .segments
            .iter()
            .map(|segment| OtherShard {
                first_chunk: segment.first_chunk as u32,
                shard: segment.shards.iter().copied().find(|shard| *shard != own),
            })
            .collect();
        let key = FileKey(version.0, file.path.clone());
        let known = self.files.get(&key);
        if known.as_ref().is_some_and(|known| known.others == others) {
            return false;
        }
        let mut record = ServedFile {
            size_bytes: file.size_bytes,
            sha256: file.sha256,
            digest: [0; 32],
            others,
            chunks: file.chunks.clone(),
        };
        let responses = record.replies(place, &file.path).terminal();
        record.digest = responses.digest();
        if responses.is_long() {
            self.responses.insert(key.clone(), responses.into());
        } else {
            self.responses.remove(&key);
        }
        if known.is_none() {
            for (cid, block) in nodes_of(&record) {
                self.add_node(&cid, block);
            }
        }
        self.files.insert(key, record);
        true
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
        if let Some(root) = self.versions.get(&version.0).and_then(|record| record.root) {
            self.drop_folders(&root);
        }
        let files: Vec<FileKey> = self.files_of(version).collect();
        for key in files {
            let file = self.files.remove(&key).expect("BUG: a file is gone");
            self.responses.remove(&key);
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

    fn files_of(&self, version: &Sha256) -> impl Iterator<Item = FileKey> + '_ {
        let version = version.0;
        self.files
            .range(FileKey::first_of(&Sha256(version))..)
            .map(|entry| entry.key().clone())
            .take_while(move |key| key.0 == version)
    }

    pub fn version_at(&self, place: &VersionPlace) -> Option<Sha256> {
        self.references.get(&reference(place)).map(Sha256)
    }

    pub fn file(&self, version: &Sha256, path: &str) -> Option<ServedFile> {
        self.files.get(&FileKey(version.0, path.to_owned()))
    }

    /// Of a file that has many.
    pub fn responses_at(&self, place: &Place) -> Option<Terminal> {
        let Place::File(place) = place else {
            return None;
        };
        let version = self.version_at(&place.version)?;
        let key = FileKey(version.0, place.path.clone());
        self.responses.get(&key).map(Terminal::from)
    }

    #[cfg(test)]
    pub fn written_responses(&self) -> u64 {
        self.responses.len()
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
                let (mut below, mut seen) = (Vec::new(), BTreeSet::from([*cid]));
                self.blocks_below(&block, &mut below, &mut seen);
                Some(Replies::node_block(cid, &block, below))
            }
        }
    }

    /// All blocks under a node, depth first, each once, but for those that were seen before. A tree of 1,024 wide nodes is three deep at
    /// the largest file, and folders are `DEPTH_MAX` deep.
    pub(super) fn blocks_below(
        &self,
        block: &[u8],
        below: &mut Vec<Block>,
        seen: &mut BTreeSet<Cid>,
    ) {
        for link in links_of(block) {
            if !seen.insert(link.cid) {
                continue;
            }
            match link.cid.codec {
                Codec::Raw => below.push(Block::chunk(link.cid.digest, link.cumulative_size_bytes)),
                Codec::DagPb => {
                    let node = self.node(&link.cid.digest);
                    below.push(Block::node(link.cid, node.block.clone()));
                    self.blocks_below(&node.block, below, seen);
                }
            }
        }
    }

    /// A node that another one names.
    pub fn node(&self, digest: &Sha256) -> ServedNode {
        self.nodes
            .get(&digest.0)
            .expect("BUG: a node below a node is gone")
    }
}

/// Of a file's or a folder's node.
pub fn links_of(block: &[u8]) -> Vec<Link> {
    match read_node(block).expect("BUG: a stored node does not decode") {
        Node::File { links, .. } => links,
        Node::Folder { links } => links.into_iter().map(|(_, link)| link).collect(),
    }
}

impl ServedFile {
    /// What `/models/../<path>` gives.
    pub fn replies(&self, version: &VersionPlace, path: &str) -> Replies {
        let mut others: Vec<Principal> =
            self.others.iter().filter_map(|other| other.shard).collect();
        others.sort_unstable();
        others.dedup();
        Replies::file(
            version,
            path,
            &self.sha256,
            self.size_bytes,
            &self.chunks,
            &others,
        )
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
