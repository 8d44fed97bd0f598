//! Files and folders as blocks, in the order of a walk from the root: a node, then what is below it, links in their order.
//! That order is the one of the trustless gateway's `order=dfs`, so that a CAR file of a version has one form.
//!
//! ```text
//!   root directory, README.md (raw), model.onnx (dag-pb), its chunks (raw) in order, next file ...
//! ```

use std::collections::BTreeSet;

use stoa_types::Sha256;
use stoa_types::manifest::FileEntry;

use crate::cid::Cid;
use crate::directory::{DirectoryError, Entry, Folder};
use crate::file::{LayoutError, WIDTH, visit_file_nodes};

/// One block of a walk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Block {
    /// A dag-pb node, with its bytes.
    Node { cid: Cid, bytes: Vec<u8> },
    /// A chunk of the file with this index; its bytes are wherever the file is.
    Chunk {
        hash: Sha256,
        size_bytes: u64,
        file: usize,
        index: u64,
    },
}

impl Block {
    pub fn cid(&self) -> Cid {
        match self {
            Block::Node { cid, .. } => *cid,
            Block::Chunk { hash, .. } => Cid::raw(*hash),
        }
    }

    pub fn size_bytes(&self) -> u64 {
        match self {
            Block::Node { bytes, .. } => bytes.len() as u64,
            Block::Chunk { size_bytes, .. } => *size_bytes,
        }
    }
}

/// Whether a block that occurs in several places stands in each of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duplicates {
    Once,
    Repeat,
}

/// The blocks of one file.
pub fn file_blocks(entry: &FileEntry, duplicates: Duplicates) -> Result<Vec<Block>, LayoutError> {
    let mut walk = Walk::new(duplicates);
    walk.file(entry, 0)?;
    Ok(walk.blocks)
}

/// The blocks of a folder with these files. Memory: the dag-pb nodes, and 64 bytes a chunk.
pub fn folder_blocks(
    files: &[FileEntry],
    duplicates: Duplicates,
) -> Result<Vec<Block>, DirectoryError> {
    let folder = Folder::of(files)?;
    let mut walk = Walk::new(duplicates);
    walk.folder(&folder, files)?;
    Ok(walk.blocks)
}

struct Walk {
    duplicates: Duplicates,
    seen: BTreeSet<Cid>,
    blocks: Vec<Block>,
}

impl Walk {
    fn new(duplicates: Duplicates) -> Self {
        Self {
            duplicates,
            seen: BTreeSet::new(),
            blocks: Vec::new(),
        }
    }

    fn push(&mut self, block: Block) {
        if self.seen.insert(block.cid()) || self.duplicates == Duplicates::Repeat {
            self.blocks.push(block);
        }
    }

    fn folder(&mut self, folder: &Folder, files: &[FileEntry]) -> Result<(), DirectoryError> {
        let (link, bytes) = folder.node()?;
        let cid = link.cid;
        self.push(Block::Node { cid, bytes });
        for entry in folder.entries.values() {
            match entry {
                Entry::Folder(below) => self.folder(below, files)?,
                Entry::File { index, .. } => {
                    let entry = &files[*index];
                    self.file(entry, *index)
                        .map_err(|error| DirectoryError::Layout {
                            path: entry.path.clone(),
                            error,
                        })?;
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, entry: &FileEntry, file: usize) -> Result<(), LayoutError> {
        // Nodes come row by row from the leaves up; a node's place in its row says which are below it.
        let mut nodes = Vec::new();
        let root = visit_file_nodes(&entry.chunks, entry.size_bytes, |cid, bytes| {
            nodes.push((*cid, bytes.to_vec()));
        })?;
        let mut rows = vec![];
        let mut length = entry.chunks.len();
        let mut rest = nodes.as_slice();
        while length > 1 {
            length = length.div_ceil(WIDTH);
            let (row, above) = rest.split_at(length);
            rows.push(row);
            rest = above;
        }
        debug_assert_eq!(rows.last().map_or(root.cid, |row| row[0].0), root.cid);
        self.subtree(entry, file, &rows, rows.len(), 0);
        Ok(())
    }

    /// `level` 0 are the chunks. As deep as the tree is: two levels above the chunks for 1,024 GiB.
    fn subtree(
        &mut self,
        entry: &FileEntry,
        file: usize,
        rows: &[&[(Cid, Vec<u8>)]],
        level: usize,
        position: usize,
    ) {
        let Some(below) = level.checked_sub(1) else {
            self.push(Block::Chunk {
                hash: entry.chunks[position],
                size_bytes: FileEntry::chunk_size_bytes(entry.size_bytes, position as u64),
                file,
                index: position as u64,
            });
            return;
        };
        let (cid, bytes) = &rows[below][position];
        self.push(Block::Node {
            cid: *cid,
            bytes: bytes.clone(),
        });
        let width = match below.checked_sub(1) {
            None => entry.chunks.len(),
            Some(row) => rows[row].len(),
        };
        let first = position * WIDTH;
        for child in first..(first + WIDTH).min(width) {
            self.subtree(entry, file, rows, below, child);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_walk_a_tree_of_two_levels_node_by_node() {
        const MIB: u64 = 1 << 20;
        let chunks: Vec<Sha256> = (0..2_049_u32)
            .map(|number| Sha256::of(&number.to_le_bytes()))
            .collect();
        let entry = FileEntry {
            path: "f".to_owned(),
            size_bytes: 2_048 * MIB + 1,
            sha256: Sha256::default(),
            cid: String::new(),
            chunks: chunks.clone(),
        };
        let blocks = file_blocks(&entry, Duplicates::Once).unwrap();
        let nodes: Vec<usize> = (0..blocks.len())
            .filter(|index| matches!(blocks[*index], Block::Node { .. }))
            .collect();
        // The root, then before each 1,024 chunks the node over them.
        assert_eq!(nodes, [0, 1, 1_026, 2_051]);
        let walked: Vec<Sha256> = blocks
            .iter()
            .filter_map(|block| match block {
                Block::Chunk { hash, .. } => Some(*hash),
                Block::Node { .. } => None,
            })
            .collect();
        assert_eq!(walked, chunks);
        let root = crate::file::file_cid(&chunks, entry.size_bytes).unwrap();
        assert_eq!(blocks[0].cid(), root);
    }
}
