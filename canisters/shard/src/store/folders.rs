//! The folders that make a version's files one IPFS folder, and the paths below their CIDs. What has to be certified grows with files and
//! depth, so it is done in slices, each within the call that names the version's files:
//!
//! ```text
//! all files known -> nodes stored, FOLDERS: next 0 -> .. -> next n -> whole; the paths below its CID have their tree
//!                                         the node itself, then each path below it, in the order of a walk
//! ```
//! A folder is its bytes: versions that have the same one share it, as `files` of its node counts them.

use std::collections::BTreeSet;

use ic_stable_structures::Memory;
use stoa_content::{Cid, Codec, Link, Node, folder_nodes, read_node};
use stoa_types::Sha256;

use super::Store;
use super::records::{FileKey, FolderRecord, ServedNode};
use crate::certified::models::FileTree;
use crate::http::car::Block;
use crate::http::elsewhere::percent_encoded;
use crate::http::replies::{Replies, Terminus};

/// A version beyond these is served file by file, and has no folder.
const FOLDERS_MAX: usize = 1_024;
const DEPTH_MAX: usize = 32;
/// Of all folders together, where each counts what is at any depth below it.
const ENTRIES_MAX: usize = 16_384;

/// Bytes to hash in one call, at about 90 instructions each: 3 billion, and one entry of at most a billion more.
const SLICE_BYTES: u64 = 32 << 20;
/// What a response costs, in bytes: its headers are hashed one by one, then all together.
const REPLY_BYTES: u64 = 2_048;

/// So many of the entries of a version's folders are certified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

/// Something below a folder.
struct Entry {
    path: String,
    /// From the folder to the one that names the entry.
    ancestors: Vec<Sha256>,
    link: Link,
}

impl<M: Memory + Clone> Store<M> {
    /// Stores the nodes of a version's folders; answers the root, where the version can have one.
    pub(super) fn make_folders(&mut self, version: &Sha256) -> Option<Sha256> {
        let files: Vec<(String, Link)> = self
            .files
            .range(FileKey::first_of(version)..)
            .take_while(|entry| entry.key().0 == version.0)
            .map(|entry| {
                let file = entry.value();
                let link = stoa_content::file_link(&file.chunks, file.size_bytes)
                    .expect("BUG: a served file's chunks do not fit its size");
                (entry.key().1.clone(), link)
            })
            .collect();
        let depth = |path: &str| 1 + path.matches('/').count();
        let is_too_deep = files.iter().any(|(path, _)| depth(path) > DEPTH_MAX);
        let entries: usize = files.iter().map(|(path, _)| depth(path)).sum();
        if is_too_deep || entries > ENTRIES_MAX {
            return None;
        }
        let links = files.iter().map(|(path, link)| (path.as_str(), *link));
        let nodes = folder_nodes(links).ok()?;
        if nodes.len() > FOLDERS_MAX {
            return None;
        }
        let root = nodes.last()?.link.cid.digest;
        let mut seen = BTreeSet::new();
        for node in nodes {
            let digest = node.link.cid.digest;
            if !seen.insert(digest) {
                continue;
            }
            let known = self.nodes.get(&digest.0);
            if known.is_none() {
                self.folders.insert(digest.0, FolderRecord::default());
            }
            let files = known.map_or(0, |known| known.files) + 1;
            let block = node.block;
            self.nodes.insert(digest.0, ServedNode { files, block });
        }
        Some(root)
    }

    /// Certifies what is left of the folders below `root`, as much as one call may.
    pub(super) fn certify_folders(&mut self, root: &Sha256) -> Progress {
        let mut progress = Progress { done: 0, total: 0 };
        let mut spent = 0;
        for folder in self.folders_from(root) {
            let mut record = self.folders.get(&folder.0).expect("BUG: a folder is gone");
            let entries = self.entries_below(&folder);
            let total = 1 + entries.len() as u32;
            progress.total += u64::from(total);
            while !record.is_whole && spent < SLICE_BYTES {
                spent += match record.next.checked_sub(1) {
                    None => self.certify_node(&folder),
                    Some(index) => self.certify_entry(&folder, &entries[index as usize]),
                };
                record.next += 1;
                if record.next == total {
                    record.is_whole = true;
                    let tree = self.folder_paths(&folder);
                    self.certified.nodes.set_tree(&folder, tree.digest());
                }
                self.folders.insert(folder.0, record);
            }
            progress.done += u64::from(record.next);
        }
        progress
    }

    /// Answers what it cost.
    fn certify_node(&mut self, folder: &Sha256) -> u64 {
        let replies = self
            .block_replies(&Cid::dag_pb(*folder))
            .expect("BUG: a folder without a node");
        self.certified.nodes.set(folder, replies.digest());
        cost_of(&replies)
    }

    fn certify_entry(&mut self, folder: &Sha256, entry: &Entry) -> u64 {
        let replies = Replies::path(&self.terminus_of(entry));
        let key = FileKey(folder.0, entry.path.clone());
        self.folder_paths.insert(key, replies.digest());
        cost_of(&replies)
    }

    /// Lets go of the folders below the root of a version.
    pub(super) fn drop_folders(&mut self, root: &Sha256) {
        for folder in self.folders_from(root) {
            let mut node = self
                .nodes
                .get(&folder.0)
                .expect("BUG: a folder without a node");
            node.files -= 1;
            if node.files > 0 {
                self.nodes.insert(folder.0, node);
                continue;
            }
            self.nodes.remove(&folder.0);
            self.folders.remove(&folder.0);
            self.certified.nodes.remove(&folder);
            let paths: Vec<FileKey> = self
                .folder_paths
                .range(FileKey::first_of(&folder)..)
                .map(|entry| entry.key().clone())
                .take_while(|key| key.0 == folder.0)
                .collect();
            for key in paths {
                self.folder_paths.remove(&key);
            }
        }
    }

    /// The paths below a folder that is certified as a whole.
    pub fn folder_tree(&self, folder: &Sha256) -> Option<FileTree> {
        self.folders
            .get(&folder.0)
            .filter(|record| record.is_whole)
            .map(|_| self.folder_paths(folder))
    }

    fn folder_paths(&self, folder: &Sha256) -> FileTree {
        let paths = self
            .folder_paths
            .range(FileKey::first_of(folder)..)
            .take_while(|entry| entry.key().0 == folder.0)
            .map(|entry| (entry.key().1.clone(), entry.value()));
        let own = self.certified.nodes.get(folder);
        FileTree::new(paths).with_own(own.expect("BUG: a folder that is not certified"))
    }

    /// What is at a path below a folder.
    pub fn terminus(&self, folder: &Sha256, path: &str) -> Option<Terminus> {
        let mut ancestors = Vec::new();
        let mut at = Link {
            cid: Cid::dag_pb(*folder),
            cumulative_size_bytes: 0,
        };
        for part in path.split('/') {
            ancestors.push(at.cid.digest);
            at = self
                .links_of(&at.cid.digest)?
                .into_iter()
                .find(|(name, _)| name == part)?
                .1;
        }
        Some(self.terminus_of(&Entry {
            path: path.to_owned(),
            ancestors,
            link: at,
        }))
    }

    /// What is at a CID and, where there is one, a path below it.
    pub fn terminus_at(&self, cid: &Cid, path: &str) -> Option<Terminus> {
        if !path.is_empty() {
            return self.terminus(&cid.digest, path);
        }
        let block = match cid.codec {
            Codec::Raw => Block::chunk(cid.digest, self.held_size_bytes(&cid.digest)?.into()),
            Codec::DagPb => Block::node(*cid, self.nodes.get(&cid.digest.0)?.block),
        };
        Some(Terminus::of(block, Vec::new()))
    }

    fn terminus_of(&self, entry: &Entry) -> Terminus {
        let ancestors: Vec<Block> = entry
            .ancestors
            .iter()
            .map(|folder| self.node_block(&Cid::dag_pb(*folder)))
            .collect();
        let mut seen: BTreeSet<Cid> = ancestors.iter().map(Block::cid).collect();
        seen.insert(entry.link.cid);
        let mut below = Vec::new();
        let block = match entry.link.cid.codec {
            Codec::Raw => Block::chunk(entry.link.cid.digest, entry.link.cumulative_size_bytes),
            Codec::DagPb => {
                let node = self.node(&entry.link.cid.digest);
                self.blocks_below(&node.block, &mut below, &mut seen);
                Block::node(entry.link.cid, node.block)
            }
        };
        Terminus {
            ancestors,
            path: format!("/{}", percent_encoded(&entry.path)),
            block,
            below,
        }
    }

    fn node_block(&self, cid: &Cid) -> Block {
        Block::node(*cid, self.node(&cid.digest).block)
    }

    /// `None` where the node is no folder.
    fn links_of(&self, folder: &Sha256) -> Option<Vec<(String, Link)>> {
        match read_node(&self.nodes.get(&folder.0)?.block)? {
            Node::Folder { links } => Some(links),
            Node::File { .. } => None,
        }
    }

    /// This folder and all below it, each once.
    fn folders_from(&self, root: &Sha256) -> Vec<Sha256> {
        let mut found = vec![*root];
        let mut next = 0;
        while let Some(folder) = found.get(next).copied() {
            next += 1;
            for (_, link) in self.links_of(&folder).unwrap_or_default() {
                let digest = link.cid.digest;
                let is_folder = self.folders.contains_key(&digest.0);
                if is_folder && !found.contains(&digest) {
                    found.push(digest);
                }
            }
        }
        found
    }

    /// At any depth, in the order of a walk. As deep as `DEPTH_MAX`.
    fn entries_below(&self, folder: &Sha256) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.walk(&mut vec![*folder], "", &mut entries);
        entries
    }

    fn walk(&self, ancestors: &mut Vec<Sha256>, prefix: &str, entries: &mut Vec<Entry>) {
        let folder = *ancestors.last().expect("BUG: a walk from nowhere");
        for (name, link) in self.links_of(&folder).unwrap_or_default() {
            let path = format!("{prefix}{name}");
            let below = format!("{path}/");
            entries.push(Entry {
                path,
                ancestors: ancestors.clone(),
                link,
            });
            if link.cid.codec == Codec::DagPb && self.folders.contains_key(&link.cid.digest.0) {
                ancestors.push(link.cid.digest);
                self.walk(ancestors, &below, entries);
                ancestors.pop();
            }
        }
    }
}

fn cost_of(replies: &Replies) -> u64 {
    replies.bytes_to_hash() + REPLY_BYTES * replies.count() as u64
}
