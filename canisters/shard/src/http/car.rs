//! CAR version 1, laid out in parts whose hashes are known without hashing a chunk: what stands between two chunks is a part, and each chunk
//! is one.
//!
//! ```text
//! | varint 58 | header: {roots: [cid], version: 1} in DAG-CBOR |
//! | varint    | cid (36) | bytes of the block |   for each block
//! ```

use stoa_content::{Cid, car_frame, car_header};
use stoa_types::Sha256;

use crate::certified::response::Body;

/// The start of a CAR whose root is the CID of nothing: `{roots: [42(h'00' · 01 55 00 00)], version: 1}`.
pub const PROBE_HEADER: &[u8] =
    b"\x19\xa2\x65roots\x81\xd8\x2a\x45\x00\x01\x55\x00\x00\x67version\x01";

#[derive(Clone, Debug)]
pub struct Block {
    cid: Cid,
    size_bytes: u64,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Chunk,
    Node(Vec<u8>),
}

impl Block {
    pub fn chunk(hash: Sha256, size_bytes: u64) -> Self {
        Self {
            cid: Cid::raw(hash),
            size_bytes,
            content: Content::Chunk,
        }
    }

    pub fn cid(&self) -> Cid {
        self.cid
    }

    pub fn node(cid: Cid, block: Vec<u8>) -> Self {
        Self {
            cid,
            size_bytes: block.len() as u64,
            content: Content::Node(block),
        }
    }
}

pub struct Layout {
    pub size_bytes: u64,
    /// First byte, size and bytes of each part.
    pub parts: Vec<(u64, u64, Body)>,
}

/// More than gateways put together (1,000), and not so many that finding one of them is too much for a query; 2 GiB of chunks.
pub const PARTS_MAX: usize = 4_096;

impl Layout {
    fn push(&mut self, size_bytes: u64, body: Body) {
        if size_bytes > 0 {
            self.parts.push((self.size_bytes, size_bytes, body));
            self.size_bytes += size_bytes;
        }
    }
}

/// `None` for more parts than there may be.
pub fn layout(root: &Cid, blocks: &[Block]) -> Option<Layout> {
    let mut layout = Layout {
        size_bytes: 0,
        parts: Vec::new(),
    };
    let mut between = car_header(root);
    for block in blocks {
        between.extend(car_frame(&block.cid, block.size_bytes));
        match &block.content {
            Content::Node(bytes) => between.extend_from_slice(bytes),
            Content::Chunk => {
                let before = std::mem::take(&mut between);
                layout.push(before.len() as u64, Body::Bytes(before));
                layout.push(block.size_bytes, Body::Chunk(block.cid.digest));
            }
        }
    }
    layout.push(between.len() as u64, Body::Bytes(between));
    (layout.parts.len() <= PARTS_MAX).then_some(layout)
}
