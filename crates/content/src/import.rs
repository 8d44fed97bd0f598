//! A CAR file back into files. Chunks go to the caller as they come; the nodes tell which file each belongs to. Every file and
//! folder is made again from its chunks and has to give the CIDs that it came under, so that what is imported is exactly
//! what the root names, in this library's profile.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use stoa_types::Sha256;
use stoa_types::manifest::FileEntry;

use crate::car::{CarError, CarReader};
use crate::cid::{Cid, Codec};
use crate::dag_pb_reader::{Node, read_node};
use crate::directory::{DirectoryError, directory_link};
use crate::file::{LayoutError, file_cid};

/// All nodes of a version of 16 GiB in 1,000 files are below this.
const NODE_BYTES_MAX: usize = 16 << 20;
const FILES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Car(#[from] CarError),
    #[error("the caller could not keep a chunk: {0}")]
    Sink(io::Error),
    #[error("{given} roots, expected one")]
    Roots { given: u64 },
    #[error("the block {cid} is missing")]
    Missing { cid: Cid },
    #[error("the block {cid} is no file or folder of the unixfs-v1-2025 profile")]
    NotInProfile { cid: Cid },
    #[error("more than {max} {what}")]
    TooMany { what: &'static str, max: u64 },
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// One file of an import. Its SHA-256 takes its bytes in order, which a CAR file need not have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportedFile {
    /// Empty where the root is a file.
    pub path: String,
    pub size_bytes: u64,
    pub cid: Cid,
    pub chunks: Vec<Sha256>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    pub root: Cid,
    pub files: Vec<ImportedFile>,
}

/// Reads a CAR file with one root. `keep` gets each chunk, once or as often as it is in the file, already checked.
pub fn import(
    input: impl Read,
    mut keep: impl FnMut(&Sha256, &[u8]) -> io::Result<()>,
) -> Result<Imported, ImportError> {
    let mut reader = CarReader::new(input)?;
    let root = match reader.roots() {
        [root] => *root,
        roots => {
            let given = roots.len() as u64;
            return Err(ImportError::Roots { given });
        }
    };
    let mut blocks = Blocks::default();
    let mut node_bytes = 0;
    while let Some((cid, bytes)) = reader.next_block()? {
        match cid.codec {
            Codec::Raw => {
                keep(&cid.digest, &bytes).map_err(ImportError::Sink)?;
                blocks.chunk_sizes.insert(cid.digest, bytes.len() as u64);
            }
            Codec::DagPb => {
                if !blocks.nodes.contains_key(&cid) {
                    node_bytes += bytes.len();
                }
                if node_bytes > NODE_BYTES_MAX {
                    return Err(ImportError::TooMany {
                        what: "bytes of nodes",
                        max: NODE_BYTES_MAX as u64,
                    });
                }
                let node = read_node(&bytes).ok_or(ImportError::NotInProfile { cid })?;
                blocks.nodes.insert(cid, node);
            }
        }
    }
    let mut files = Vec::new();
    blocks.collect(root, String::new(), 0, &mut files)?;
    check_root(root, &files)?;
    Ok(Imported { root, files })
}

#[derive(Default)]
struct Blocks {
    nodes: BTreeMap<Cid, Node>,
    chunk_sizes: BTreeMap<Sha256, u64>,
}

impl Blocks {
    fn node(&self, cid: Cid) -> Result<&Node, ImportError> {
        self.nodes.get(&cid).ok_or(ImportError::Missing { cid })
    }

    fn chunk_size(&self, cid: Cid) -> Result<u64, ImportError> {
        let size = self.chunk_sizes.get(&cid.digest);
        size.copied().ok_or(ImportError::Missing { cid })
    }

    fn collect(
        &self,
        cid: Cid,
        path: String,
        depth: usize,
        files: &mut Vec<ImportedFile>,
    ) -> Result<(), ImportError> {
        if let Codec::DagPb = cid.codec
            && let Node::Folder { links } = self.node(cid)?
        {
            if depth >= DEPTH_MAX {
                return Err(ImportError::NotInProfile { cid });
            }
            let names: BTreeSet<&str> = links.iter().map(|(name, _)| name.as_str()).collect();
            let is_sound =
                |name: &str| !name.is_empty() && !name.contains('/') && name != "." && name != "..";
            if names.len() != links.len() || !names.iter().all(|name| is_sound(name)) {
                return Err(ImportError::NotInProfile { cid });
            }
            for (name, link) in links {
                let below = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}/{name}")
                };
                self.collect(link.cid, below, depth + 1, files)?;
            }
            return Ok(());
        }
        if files.len() >= FILES_MAX {
            return Err(ImportError::TooMany {
                what: "files",
                max: FILES_MAX as u64,
            });
        }
        files.push(self.file(cid, path)?);
        Ok(())
    }

    fn file(&self, cid: Cid, path: String) -> Result<ImportedFile, ImportError> {
        let size_bytes = match cid.codec {
            Codec::Raw => self.chunk_size(cid)?,
            Codec::DagPb => match self.node(cid)? {
                Node::File { size_bytes, .. } => *size_bytes,
                Node::Folder { .. } => return Err(ImportError::NotInProfile { cid }),
            },
        };
        let mut chunks = Vec::new();
        self.chunks(cid, FileEntry::chunk_count(size_bytes), 0, &mut chunks)?;
        for (index, chunk) in (0..).zip(&chunks) {
            let size = self.chunk_size(Cid::raw(*chunk))?;
            if size != FileEntry::chunk_size_bytes(size_bytes, index) {
                return Err(ImportError::NotInProfile { cid });
            }
        }
        if file_cid(&chunks, size_bytes)? != cid {
            return Err(ImportError::NotInProfile { cid });
        }
        Ok(ImportedFile {
            path,
            size_bytes,
            cid,
            chunks,
        })
    }

    /// The leaves below a node, at most as many as the file's size makes: a node may name another a thousand times.
    fn chunks(
        &self,
        cid: Cid,
        max: u64,
        depth: usize,
        chunks: &mut Vec<Sha256>,
    ) -> Result<(), ImportError> {
        // A balanced tree of width 1,024 over 2^44 chunks is 5 levels deep.
        if depth > 5 {
            return Err(ImportError::NotInProfile { cid });
        }
        if cid.codec == Codec::Raw {
            self.chunk_size(cid)?;
            if chunks.len() as u64 >= max {
                return Err(ImportError::NotInProfile { cid });
            }
            chunks.push(cid.digest);
            return Ok(());
        }
        let Node::File { links, .. } = self.node(cid)? else {
            return Err(ImportError::NotInProfile { cid });
        };
        for link in links {
            self.chunks(link.cid, max, depth + 1, chunks)?;
        }
        Ok(())
    }
}

/// A folder with other names, another order or anything that the walk did not see has another CID.
fn check_root(root: Cid, files: &[ImportedFile]) -> Result<(), ImportError> {
    if let [file] = files
        && file.path.is_empty()
    {
        return Ok(());
    }
    let entries: Vec<FileEntry> = files
        .iter()
        .map(|file| FileEntry {
            path: file.path.clone(),
            size_bytes: file.size_bytes,
            sha256: Sha256::default(),
            cid: file.cid.to_string(),
            chunks: file.chunks.clone(),
        })
        .collect();
    if directory_link(&entries)?.cid != root {
        return Err(ImportError::NotInProfile { cid: root });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::car::CarWriter;
    use crate::dag::{Block, Duplicates, file_blocks, folder_blocks};
    use crate::hasher::hash_file;

    fn contents() -> Vec<(&'static str, Vec<u8>)> {
        let large: Vec<u8> = (0..(2 << 20) + 5)
            .map(|index| (index % 251) as u8)
            .collect();
        vec![
            ("README.md", b"# Digits".to_vec()),
            ("empty", vec![]),
            ("onnx/deep/copy.bin", large.clone()),
            ("onnx/model.onnx", large),
        ]
    }

    fn entries() -> Vec<FileEntry> {
        contents()
            .iter()
            .map(|(path, bytes)| hash_file(path, &bytes[..]).unwrap())
            .collect()
    }

    fn write(root: Cid, blocks: &[Block]) -> Vec<u8> {
        let contents = contents();
        let mut writer = CarWriter::new(Vec::new(), root).unwrap();
        for block in blocks {
            match block {
                Block::Node { cid, bytes } => writer.write(*cid, bytes).unwrap(),
                Block::Chunk { file, index, .. } => {
                    let bytes = contents[*file].1.chunks(1 << 20).nth(*index as usize);
                    let bytes = bytes.unwrap_or_default();
                    writer.write(block.cid(), bytes).unwrap();
                }
            }
        }
        writer.finish().unwrap()
    }

    fn export(duplicates: Duplicates) -> Vec<u8> {
        let root = directory_link(&entries()).unwrap().cid;
        write(root, &folder_blocks(&entries(), duplicates).unwrap())
    }

    fn import_all(bytes: &[u8]) -> Result<(Imported, BTreeMap<Sha256, Vec<u8>>), ImportError> {
        let mut kept = BTreeMap::new();
        let imported = import(bytes, |hash, chunk| {
            kept.insert(*hash, chunk.to_vec());
            Ok(())
        })?;
        Ok((imported, kept))
    }

    #[test]
    fn should_import_a_folder_that_it_exported() {
        for duplicates in [Duplicates::Once, Duplicates::Repeat] {
            let (imported, kept) = import_all(&export(duplicates)).unwrap();
            assert_eq!(imported.root, directory_link(&entries()).unwrap().cid);
            for (file, (path, bytes)) in imported.files.iter().zip(contents()) {
                assert_eq!(file.path, path);
                let joined: Vec<u8> = file
                    .chunks
                    .iter()
                    .flat_map(|hash| kept[hash].clone())
                    .collect();
                assert_eq!(joined, bytes);
            }
            assert_eq!(imported.files.len(), contents().len());
        }
    }

    #[test]
    fn should_write_a_repeated_block_as_often_as_asked() {
        let once = folder_blocks(&entries(), Duplicates::Once).unwrap();
        let repeated = folder_blocks(&entries(), Duplicates::Repeat).unwrap();
        // The copy has a node and three chunks.
        assert_eq!(repeated.len(), once.len() + 4);
    }

    #[test]
    fn should_import_a_single_file_of_any_size() {
        for (number, entry) in entries().iter().enumerate() {
            let root: Cid = entry.cid.parse().unwrap();
            let mut blocks = file_blocks(entry, Duplicates::Once).unwrap();
            for block in &mut blocks {
                if let Block::Chunk { file, .. } = block {
                    *file = number;
                }
            }
            let (imported, _) = import_all(&write(root, &blocks)).unwrap();
            assert_eq!(imported.files.len(), 1);
            assert_eq!(imported.files[0].chunks, entry.chunks);
            assert_eq!(imported.files[0].size_bytes, entry.size_bytes);
        }
    }

    #[test]
    fn should_refuse_a_folder_of_which_any_block_is_missing() {
        let root = directory_link(&entries()).unwrap().cid;
        let blocks = folder_blocks(&entries(), Duplicates::Once).unwrap();
        for left_out in 0..blocks.len() {
            let mut fewer = blocks.clone();
            let cid = fewer.remove(left_out).cid();
            assert!(
                matches!(import_all(&write(root, &fewer)), Err(ImportError::Missing { cid: missing }) if missing == cid),
                "{left_out}"
            );
        }
    }

    #[test]
    fn should_refuse_nodes_of_another_layout() {
        // A file of one chunk under a node of its own: IPFS takes it, the profile never makes it.
        let chunk = b"x";
        let link = crate::file::Link {
            cid: Cid::raw(Sha256::of(chunk)),
            cumulative_size_bytes: 1,
        };
        let node = crate::dag_pb::file_node(&[(link, 1)]);
        let root = Cid::dag_pb(Sha256::of(&node));
        let mut writer = CarWriter::new(Vec::new(), root).unwrap();
        writer.write(root, &node).unwrap();
        writer.write(link.cid, chunk).unwrap();
        let refused = import_all(&writer.finish().unwrap());
        assert!(matches!(refused, Err(ImportError::NotInProfile { cid }) if cid == root));
    }
}
