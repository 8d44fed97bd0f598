//! The directory of a version: its files under their paths, as one IPFS folder.

use std::collections::BTreeMap;

use stoa_types::Sha256;
use stoa_types::manifest::FileEntry;

use crate::cid::Cid;
use crate::dag_pb;
use crate::file::{LayoutError, Link, file_link};

/// Where the profile turns a directory into a sharded one, which is not made here.
pub const DIRECTORY_BLOCK_BYTES_MAX: u64 = 256 * 1024;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("{path}: {error}")]
    Layout { path: String, error: LayoutError },
    /// One path twice, or a path that is also a folder.
    #[error("{path} is there twice")]
    Duplicate { path: String },
    #[error("a folder's node has {given} bytes, the most is {max}")]
    TooLarge { given: u64, max: u64 },
}

/// A folder by the names in it, in ascending order of bytes.
#[derive(Default)]
pub(crate) struct Folder {
    pub(crate) entries: BTreeMap<String, Entry>,
}

pub(crate) enum Entry {
    /// The file with this index in the list that the folder was made of.
    File {
        link: Link,
        index: usize,
    },
    Folder(Folder),
}

/// The root folder that holds `files`. Names stand in ascending order of bytes.
pub fn directory_link(files: &[FileEntry]) -> Result<Link, DirectoryError> {
    Ok(Folder::of(files)?.node()?.0)
}

/// A folder's node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FolderNode {
    pub link: Link,
    pub block: Vec<u8>,
}

/// The nodes of all folders that these files (path, link) make, those below a folder before it, the root last.
pub fn folder_nodes<'a>(
    files: impl Iterator<Item = (&'a str, Link)>,
) -> Result<Vec<FolderNode>, DirectoryError> {
    let mut root = Folder::default();
    for (index, (path, link)) in files.enumerate() {
        root.insert(path, Entry::File { link, index })?;
    }
    let mut nodes = Vec::new();
    root.visit(&mut |node| nodes.push(node))?;
    Ok(nodes)
}

impl Folder {
    pub(crate) fn of(files: &[FileEntry]) -> Result<Self, DirectoryError> {
        let mut root = Self::default();
        for (index, file) in files.iter().enumerate() {
            let link = file_link(&file.chunks, file.size_bytes).map_err(|error| {
                DirectoryError::Layout {
                    path: file.path.clone(),
                    error,
                }
            })?;
            root.insert(&file.path, Entry::File { link, index })?;
        }
        Ok(root)
    }

    fn insert(&mut self, path: &str, file: Entry) -> Result<(), DirectoryError> {
        let duplicate = || DirectoryError::Duplicate {
            path: path.to_owned(),
        };
        let (folders, name) = match path.rsplit_once('/') {
            Some((folders, name)) => (Some(folders), name),
            None => (None, path),
        };
        let mut folder = self;
        for part in folders.iter().flat_map(|folders| folders.split('/')) {
            let below = folder
                .entries
                .entry(part.to_owned())
                .or_insert_with(|| Entry::Folder(Self::default()));
            folder = match below {
                Entry::Folder(below) => below,
                Entry::File { .. } => return Err(duplicate()),
            };
        }
        match folder.entries.insert(name.to_owned(), file) {
            None => Ok(()),
            Some(_) => Err(duplicate()),
        }
    }

    /// Its dag-pb node.
    pub(crate) fn node(&self) -> Result<(Link, Vec<u8>), DirectoryError> {
        let mut last = None;
        self.visit(&mut |node| last = Some(node))?;
        let node = last.expect("BUG: a folder without a node");
        Ok((node.link, node.block))
    }

    /// Shows the nodes of all folders, this one last. Recursion as deep as the deepest path has parts: at most 256 for a
    /// path of 512 bytes.
    fn visit(&self, show: &mut dyn FnMut(FolderNode)) -> Result<Link, DirectoryError> {
        let mut entries = Vec::with_capacity(self.entries.len());
        for (name, entry) in &self.entries {
            let link = match entry {
                Entry::File { link, .. } => *link,
                Entry::Folder(below) => below.visit(show)?,
            };
            entries.push((name.clone(), link));
        }
        let block = dag_pb::directory_node(&entries);
        let given = block.len() as u64;
        if given > DIRECTORY_BLOCK_BYTES_MAX {
            return Err(DirectoryError::TooLarge {
                given,
                max: DIRECTORY_BLOCK_BYTES_MAX,
            });
        }
        let below: u64 = entries
            .iter()
            .map(|(_, link)| link.cumulative_size_bytes)
            .sum();
        let link = Link {
            cid: Cid::dag_pb(Sha256::of(&block)),
            cumulative_size_bytes: given + below,
        };
        show(FolderNode { link, block });
        Ok(link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> FileEntry {
        let hash = Sha256::of(b"x");
        FileEntry {
            path: path.to_owned(),
            size_bytes: 1,
            sha256: hash,
            cid: Cid::raw(hash).to_string(),
            chunks: vec![hash],
        }
    }

    #[test]
    fn should_refuse_a_path_twice_and_a_file_as_folder() {
        for paths in [["a", "a"], ["a", "a/b"], ["a/b", "a"]] {
            assert!(matches!(
                directory_link(&paths.map(file)),
                Err(DirectoryError::Duplicate { .. })
            ));
        }
    }

    #[test]
    fn should_not_depend_on_the_order_of_files() {
        let ascending = ["a", "b/c", "b/d", "e"].map(file);
        let mut descending = ascending.clone();
        descending.reverse();
        assert_eq!(directory_link(&ascending), directory_link(&descending));
    }

    #[test]
    fn should_show_every_folder_with_the_root_last() {
        let files = ["a", "b/c", "b/d/e", "f/c"].map(file);
        let link = |file: &FileEntry| file_link(&file.chunks, file.size_bytes).unwrap();
        let links = files.iter().map(|file| (file.path.as_str(), link(file)));
        let nodes = folder_nodes(links).unwrap();
        let names = |node: &FolderNode| match crate::read_node(&node.block) {
            Some(crate::Node::Folder { links }) => {
                links.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        };
        let shown: Vec<_> = nodes.iter().map(names).collect();
        let expected: [&[&str]; 4] = [&["e"], &["c", "d"], &["c"], &["a", "b", "f"]];
        assert_eq!(shown, expected);
        assert_eq!(nodes[3].link, directory_link(&files).unwrap());
    }

    #[test]
    fn should_refuse_a_folder_that_the_profile_would_shard() {
        let files: Vec<_> = (0..1000).map(|n| file(&format!("{n:0>250}"))).collect();
        assert!(matches!(
            directory_link(&files),
            Err(DirectoryError::TooLarge { .. })
        ));
    }
}
