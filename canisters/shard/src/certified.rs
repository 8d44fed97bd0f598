//! What the canister certifies: every HTTP response that it can give, before anybody asks (response verification,
//! version 2, all headers certified, nothing skipped).
//!
//! ```text
//! http_expr
//!   <*>                                           404 for whatever has no path of its own
//!   blob    / <sha256 in hex>            / <$>    a chunk
//!   ipfs    / <cid>                      / <$>    a chunk or a dag-pb node: as a raw block, as a CAR
//!   ipfs    / <cid of a folder>/<path..> / <$>    what is there, as a CAR that begins with the folders on the way
//!   models  / <publisher>/<name>/<semver>/<path..> / <$>    a file
//!
//! below <$> and <*>:  <hash of the expression> / "" / <hash of a response>  ->  ""   for each response
//! ```
//!
//! A response's hash is made of its headers' hash and its body's, and a chunk's body hash is its name: certifying a chunk
//! hashes a few hundred bytes, not the mebibyte. A file of any size is a row of partial responses (206), one a chunk, which
//! gateways put together. The inner nodes of all of it stand in stable memory, so that an upgrade rebuilds nothing.

pub mod family;
pub mod forest;
pub mod models;
pub mod naming;
pub mod response;

use ic_certification::{Hash, HashTree, pruned};
use ic_stable_structures::Memory;
use stoa_content::{Cid, Codec};
use stoa_types::Sha256;

use crate::http::replies;
use crate::memory::{self, Memories};
use family::Family;
use forest::{Item, Reveal};
use models::{FilePlace, FileTree, Models};
use naming::{HEX, NODE_CID, RAW_CID};
use response::node_digest;

const HTTP_EXPRESSION: &[u8] = b"http_expr";
const BLOB: &str = "blob";
const IPFS: &str = "ipfs";
const MODELS: &str = "models";
/// The CID of nothing, inlined: what clients ask of a gateway to see that it is one.
pub const PROBE_CID: &str = "bafkqaaa";

/// Something that has a path of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    Blob(Sha256),
    Ipfs {
        cid: Cid,
        /// Empty for the block itself.
        path: String,
        /// What is below the CID, where it is a folder's.
        tree: Option<FileTree>,
    },
    Probe,
    File(FilePlace),
}

pub struct Certified<M: Memory> {
    pub blobs: Family<M>,
    pub raw_blocks: Family<M>,
    pub nodes: Family<M>,
    pub models: Models<M>,
}

impl<M: Memory + Clone> Certified<M> {
    pub fn open(memories: &Memories<M>) -> Self {
        let family = |naming, entries, digests| {
            Family::open(naming, memories.book(entries), memories.book(digests))
        };
        Self {
            blobs: family(HEX, memory::BLOB_ENTRIES, memory::BLOB_DIGESTS),
            raw_blocks: family(RAW_CID, memory::RAW_ENTRIES, memory::RAW_DIGESTS),
            nodes: family(NODE_CID, memory::NODE_ENTRIES, memory::NODE_DIGESTS)
                .with_trees(memories.book(memory::FOLDER_TREES)),
            models: Models::open(memories),
        }
    }

    pub fn root_hash(&self) -> Hash {
        self.tree(Reveal::Nothing).digest()
    }

    /// The tree that shows `terminal` as the content of `place` and nothing else.
    pub fn witness(&self, place: &Place, terminal: HashTree) -> HashTree {
        self.tree(Reveal::Place(place, terminal))
    }

    /// The tree that shows the response for unknown paths, and that neither the path of these segments nor a wildcard
    /// nearer to it exists.
    ///
    /// `files` are those of the version, or what is below the folder, that the segments name, if they name one.
    pub fn absence(
        &self,
        segments: &[&str],
        files: Option<&FileTree>,
        terminal: HashTree,
    ) -> HashTree {
        self.tree(Reveal::Absence {
            segments,
            files,
            terminal,
        })
    }

    fn tree(&self, reveal: Reveal<'_>) -> HashTree {
        let absent = |label: &str| match &reveal {
            Reveal::Absence { segments, .. } if segments.first() == Some(&label) => {
                segments.get(1..)
            }
            _ => None,
        };

        let mut items = Vec::new();
        let unknown = replies::unknown_path_terminal();
        items.push(Item {
            label: response::WILDCARD.to_vec(),
            content: unknown.digest(),
            // Always shown: it is the least label, which proves that there is no empty one.
            shown: Some(match &reveal {
                Reveal::Absence { terminal, .. } => terminal.clone(),
                _ => pruned(unknown.digest()),
            }),
        });
        let blobs = match &reveal {
            Reveal::Place(Place::Blob(hash), terminal) => self.blobs.witness(hash, terminal),
            _ => self.blobs.section(absent(BLOB), None),
        };
        let ipfs = match &reveal {
            Reveal::Place(place @ (Place::Ipfs { .. } | Place::Probe), terminal) => {
                self.ipfs_witness(place, terminal)
            }
            Reveal::Absence { files, .. } => self.ipfs_section(absent(IPFS), *files),
            _ => self.ipfs_section(None, None),
        };
        let models = match &reveal {
            Reveal::Place(Place::File(place), terminal) => self.models.witness(place, terminal),
            Reveal::Absence { files, .. } => {
                let absent = absent(MODELS).map(|rest| (rest, *files));
                self.models.section(absent)
            }
            _ => self.models.section(None),
        };
        for (label, section) in [(BLOB, blobs), (IPFS, ipfs), (MODELS, models)] {
            if let Some(section) = section {
                items.push(Item::shown(label.as_bytes(), section));
            }
        }
        forest::labeled_tree(HTTP_EXPRESSION, forest::tree(items))
    }

    fn ipfs_witness(&self, place: &Place, terminal: &HashTree) -> Option<HashTree> {
        let probe = replies::probe_terminal();
        let mut probe_item = Item::hidden(PROBE_CID.as_bytes(), node_digest(&probe.digest()));
        let mut raw_blocks = self.raw_blocks.section(None, None);
        let mut nodes = self.nodes.section(None, None);
        match place {
            Place::Ipfs { cid, .. } if cid.codec == Codec::Raw => {
                raw_blocks = self.raw_blocks.witness(&cid.digest, terminal);
            }
            Place::Ipfs { cid, path, tree } => {
                let below = tree.as_ref().map(|tree| tree.witness(path, terminal));
                let shown = below.as_ref().unwrap_or(terminal);
                nodes = self.nodes.witness(&cid.digest, shown);
            }
            _ => probe_item.shown = Some(terminal.clone()),
        }
        ipfs_fork(probe_item, raw_blocks, nodes)
    }

    fn ipfs_section(&self, absent: Option<&[&str]>, folder: Option<&FileTree>) -> Option<HashTree> {
        let probe = replies::probe_terminal();
        let mut item = Item::hidden(PROBE_CID.as_bytes(), node_digest(&probe.digest()));
        if let Some(rest) = absent {
            // Shown as a label: it is the least one of all CIDs.
            item.shown = Some(match rest.first() {
                Some(&PROBE_CID) => probe.hidden_node(),
                _ => pruned(item.content),
            });
        }
        ipfs_fork(
            item,
            self.raw_blocks.section(absent, None),
            self.nodes.section(absent, folder),
        )
    }
}

/// In the order of their labels: `bafkq..` before `bafkr..` before `bafyb..`.
fn ipfs_fork(
    probe: Item,
    raw_blocks: Option<HashTree>,
    nodes: Option<HashTree>,
) -> Option<HashTree> {
    let probe = forest::tree(vec![probe]);
    forest::fork_of(probe, forest::fork_of(raw_blocks, nodes))
}
