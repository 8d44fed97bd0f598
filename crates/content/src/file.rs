//! The DAG of a file from its chunk hashes. A file of one chunk is that chunk's
//! raw block. Else the chunks are the leaves of a balanced tree: each row takes
//! up to 1024 nodes of the row below per node, until one is left.
//!
//! ```text
//!             root (dag-pb)                 2,049 chunks
//!         /        |        \
//!   1,024 raw  1,024 raw   1 raw            three nodes, the last with one leaf
//! ```

use stoa_types::Sha256;
use stoa_types::manifest::FileEntry;

use crate::cid::Cid;
use crate::dag_pb;

/// Children of a node at most.
pub const WIDTH: usize = 1024;

/// A node as its parent refers to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    pub cid: Cid,
    /// dag-pb's `Tsize`: bytes of the block and of all blocks below it.
    pub cumulative_size_bytes: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LayoutError {
    #[error("a file of {size_bytes} bytes has {expected} chunks, not {given}")]
    ChunkCount {
        size_bytes: u64,
        expected: u64,
        given: u64,
    },
}

/// CID of a file from its chunk hashes. Cost: one hash of about 48 bytes for each chunk.
pub fn file_cid(chunks: &[Sha256], size_bytes: u64) -> Result<Cid, LayoutError> {
    file_link(chunks, size_bytes).map(|link| link.cid)
}

/// The file as a directory refers to it.
pub fn file_link(chunks: &[Sha256], size_bytes: u64) -> Result<Link, LayoutError> {
    visit_file_nodes(chunks, size_bytes, |_, _| {})
}

/// As [`file_link`], and shows each dag-pb block that is not a chunk, children before parents.
pub fn visit_file_nodes(
    chunks: &[Sha256],
    size_bytes: u64,
    mut visit: impl FnMut(&Cid, &[u8]),
) -> Result<Link, LayoutError> {
    let given = chunks.len() as u64;
    let expected = FileEntry::chunk_count(size_bytes);
    if given != expected {
        return Err(LayoutError::ChunkCount {
            size_bytes,
            expected,
            given,
        });
    }
    let mut row: Vec<(Link, u64)> = chunks
        .iter()
        .zip(0..)
        .map(|(hash, index)| {
            let size = FileEntry::chunk_size_bytes(size_bytes, index);
            let link = Link {
                cid: Cid::raw(*hash),
                cumulative_size_bytes: size,
            };
            (link, size)
        })
        .collect();
    // Each round divides the row by 1024, so that it ends after ceil(log1024(chunks)) rounds.
    while row.len() > 1 {
        row = row
            .chunks(WIDTH)
            .map(|children| parent(children, &mut visit))
            .collect();
    }
    Ok(row[0].0)
}

fn parent(children: &[(Link, u64)], visit: &mut impl FnMut(&Cid, &[u8])) -> (Link, u64) {
    let block = dag_pb::file_node(children);
    let cid = Cid::dag_pb(Sha256::of(&block));
    visit(&cid, &block);
    let below: u64 = children
        .iter()
        .map(|(link, _)| link.cumulative_size_bytes)
        .sum();
    let link = Link {
        cid,
        cumulative_size_bytes: block.len() as u64 + below,
    };
    (link, children.iter().map(|(_, size)| size).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dag_pb_reader::{Node, read_node};

    const MIB: u64 = 1 << 20;

    fn links_of(block: &[u8]) -> Option<Vec<Link>> {
        match read_node(block)? {
            Node::File { links, .. } => Some(links),
            Node::Folder { .. } => None,
        }
    }

    #[test]
    fn should_name_a_file_of_one_chunk_by_its_raw_block() {
        let hash = Sha256::of(b"");
        assert_eq!(file_cid(&[hash], 0), Ok(Cid::raw(hash)));
        assert_eq!(
            file_cid(&[hash], 0).unwrap().to_string(),
            "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
        );
        assert_eq!(file_cid(&[hash], MIB), Ok(Cid::raw(hash)));
    }

    #[test]
    fn should_refuse_a_chunk_list_that_does_not_fit_the_size() {
        let hash = Sha256::of(b"");
        for (chunks, size_bytes, expected) in [
            (0, 0, 1),
            (2, 0, 1),
            (2, MIB, 1),
            (1, MIB + 1, 2),
            (1, u64::MAX, 1 << 44),
        ] {
            let given = chunks as u64;
            assert_eq!(
                file_cid(&vec![hash; chunks], size_bytes),
                Err(LayoutError::ChunkCount {
                    size_bytes,
                    expected,
                    given
                })
            );
        }
    }

    #[test]
    fn should_show_every_node_once_with_the_root_last() {
        let hash = Sha256::of(b"x");
        for (chunks, nodes) in [(1_usize, 0), (2, 1), (1024, 1), (1025, 3), (2049, 4)] {
            let mut seen = Vec::new();
            let root = visit_file_nodes(&vec![hash; chunks], chunks as u64 * MIB, |cid, block| {
                assert_eq!(cid.digest, Sha256::of(block));
                let links = links_of(block).unwrap();
                assert!(links.len() <= WIDTH && !links.is_empty());
                let below: u64 = links.iter().map(|link| link.cumulative_size_bytes).sum();
                assert!(below >= links.len() as u64 * MIB);
                for cut in 0..block.len() {
                    assert_eq!(links_of(&block[..cut]), None);
                }
                seen.push(*cid);
            })
            .unwrap();
            assert_eq!(seen.len(), nodes);
            if let Some(last) = seen.last() {
                assert_eq!(*last, root.cid);
            }
        }
    }
}
