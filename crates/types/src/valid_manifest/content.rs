//! Files: paths that every file system and URL can carry, and chunk lists that fit the sizes.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use super::{DistinctChunk, InvalidManifest, Problem, at, check_count, refuse};
use crate::hash::Sha256;
use crate::limits::{
    CHUNK_SIZE_BYTES, CHUNKS_MAX, CID_BYTES_MAX, FILES_MAX, PATH_BYTES_MAX, PATH_PART_BYTES_MAX,
};
use crate::manifest::{FileEntry, Manifest};
use crate::names::check_length;

impl FileEntry {
    /// How many chunks a file of `size_bytes` has; an empty file has one, of no bytes.
    pub const fn chunk_count(size_bytes: u64) -> u64 {
        if size_bytes == 0 {
            1
        } else {
            size_bytes.div_ceil(CHUNK_SIZE_BYTES)
        }
    }

    /// Size of chunk `index` of a file of `size_bytes`: 1 MiB but for the last.
    pub const fn chunk_size_bytes(size_bytes: u64, index: u64) -> u64 {
        let rest = size_bytes.saturating_sub(index.saturating_mul(CHUNK_SIZE_BYTES));
        if rest < CHUNK_SIZE_BYTES {
            rest
        } else {
            CHUNK_SIZE_BYTES
        }
    }
}

impl Manifest {
    /// Each chunk once, in the order of the manifest, of a manifest that was valid when it was stored.
    pub fn distinct_chunks(&self) -> Vec<DistinctChunk> {
        let mut seen = BTreeSet::new();
        let mut distinct = Vec::new();
        for file in &self.files {
            for (hash, index) in file.chunks.iter().zip(0..) {
                if seen.insert(*hash) {
                    distinct.push(DistinctChunk {
                        hash: *hash,
                        size_bytes: FileEntry::chunk_size_bytes(file.size_bytes, index),
                    });
                }
            }
        }
        distinct
    }
}

/// Distinct chunks in order, and the size of all files together.
pub(super) fn check_files(
    files: &[FileEntry],
) -> Result<(Vec<DistinctChunk>, u64), InvalidManifest> {
    check_count("files", files.len(), 1, FILES_MAX)?;
    let chunks_given = files.iter().map(|file| file.chunks.len()).sum();
    check_count("files[..].chunks", chunks_given, 1, CHUNKS_MAX)?;
    check_paths(files)?;

    let mut sizes: BTreeMap<Sha256, u64> = BTreeMap::new();
    let mut distinct = Vec::new();
    let mut total = 0_u64;
    for (index, file) in files.iter().enumerate() {
        let field = |name: &str| format!("files[{index}].{name}");
        let given = file.chunks.len() as u64;
        let expected = FileEntry::chunk_count(file.size_bytes);
        if given != expected {
            let problem = Problem::ChunkCount {
                size_bytes: file.size_bytes,
                expected,
                given,
            };
            return Err(refuse(field("chunks"), problem));
        }
        // Cannot overflow: the sizes follow from at most 16,384 chunks.
        total += file.size_bytes;
        check_length(&file.cid, 1, CID_BYTES_MAX).map_err(at(field("cid")))?;
        if let [chunk] = file.chunks[..]
            && file.sha256 != chunk
        {
            return Err(refuse(field("sha256"), Problem::HashMismatch { chunk }));
        }
        for (position, hash) in file.chunks.iter().enumerate() {
            let given = FileEntry::chunk_size_bytes(file.size_bytes, position as u64);
            match sizes.entry(*hash) {
                Entry::Vacant(vacant) => {
                    vacant.insert(given);
                    distinct.push(DistinctChunk {
                        hash: *hash,
                        size_bytes: given,
                    });
                }
                Entry::Occupied(known) if *known.get() != given => {
                    let problem = Problem::ChunkSizeConflict {
                        given,
                        other: *known.get(),
                    };
                    return Err(refuse(field(&format!("chunks[{position}]")), problem));
                }
                Entry::Occupied(_) => {}
            }
        }
    }
    Ok((distinct, total))
}

/// Ascending order makes the manifest of a set of files unique; on a file system that
/// does not tell case apart, no file may overwrite another, and none may be another's folder.
fn check_paths(files: &[FileEntry]) -> Result<(), InvalidManifest> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, file) in files.iter().enumerate() {
        let field = || format!("files[{index}].path");
        check_path(&file.path).map_err(at(field()))?;
        let duplicate = |other: usize| {
            let other = format!("files[{other}].path");
            refuse(field(), Problem::Duplicate { other })
        };
        if let Some(other) = seen.insert(file.path.to_ascii_lowercase(), index) {
            return Err(duplicate(other));
        }
        if let Some(before) = index.checked_sub(1)
            && files[before].path > file.path
        {
            let problem = Problem::NotSorted {
                before: files[before].path.clone(),
            };
            return Err(refuse(field(), problem));
        }
    }
    for (path, index) in &seen {
        for (end, _) in path.match_indices('/') {
            if let Some(other) = seen.get(&path[..end]) {
                let other = format!("the folder of files[{other}].path");
                return Err(refuse(
                    format!("files[{index}].path"),
                    Problem::Duplicate { other },
                ));
            }
        }
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), Problem> {
    check_length(path, 1, PATH_BYTES_MAX)?;
    for part in path.split('/') {
        check_path_part(part)?;
    }
    Ok(())
}

fn check_path_part(part: &str) -> Result<(), Problem> {
    if part.is_empty() || part == "." || part == ".." {
        return Err(Problem::Grammar {
            expected: "a relative path without empty, '.' and '..' parts",
        });
    }
    check_length(part, 1, PATH_PART_BYTES_MAX)?;
    let allowed = |byte: u8| matches!(byte, b' '..=b'~') && !br#"\:*?"<>|"#.contains(&byte);
    if !part.bytes().all(allowed) {
        return Err(Problem::Grammar {
            expected: r#"printable ASCII without \ : * ? " < > |"#,
        });
    }
    if part.starts_with(' ') || part.ends_with([' ', '.']) {
        return Err(Problem::Grammar {
            expected: "no blank at the ends of a path's part and no '.' at its end",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_refuse_paths_that_escape_or_that_some_file_system_cannot_hold() {
        for path in [
            "", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/./b", "a\\b", "C:x", "a\0b", "a\nb",
            "é", " a", "a ", "a.", "x/a./y", "a?b",
        ] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
        assert_eq!(
            check_path(&"a".repeat(256)),
            Err(Problem::TooLong {
                given: 256,
                max: 255
            })
        );
    }

    #[test]
    fn should_accept_paths_in_use() {
        for path in [
            "model.onnx",
            "onnx/model_int8.onnx",
            ".gitattributes",
            "a b/c (1)+#%.txt",
        ] {
            assert_eq!(check_path(path), Ok(()), "{path:?}");
        }
    }

    #[test]
    fn should_cut_sizes_into_chunks_of_one_mebibyte() {
        let mib = CHUNK_SIZE_BYTES;
        let sizes = |size: u64| -> Vec<u64> {
            (0..FileEntry::chunk_count(size))
                .map(|index| FileEntry::chunk_size_bytes(size, index))
                .collect()
        };
        assert_eq!(sizes(0), [0]);
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(mib), [mib]);
        assert_eq!(sizes(mib + 1), [mib, 1]);
        assert_eq!(sizes(3 * mib), [mib, mib, mib]);
        assert_eq!(FileEntry::chunk_size_bytes(u64::MAX, u64::MAX), 0);
    }
}
