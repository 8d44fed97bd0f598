//! CAR version 1, laid out in parts whose hashes are known without hashing a chunk: what stands between two chunks is a part, and each chunk
//! is one.
//!
//! ```text
//! | varint 58 | header: {roots: [cid], version: 1} in DAG-CBOR |
//! | varint    | cid (36) | bytes of the block |   for each block
//! ```

use stoa_content::Cid;
use stoa_types::Sha256;

use crate::certified::response::Body;

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

impl Layout {
    fn push(&mut self, size_bytes: u64, body: Body) {
        if size_bytes > 0 {
            self.parts.push((self.size_bytes, size_bytes, body));
            self.size_bytes += size_bytes;
        }
    }
}

pub fn layout(root: &Cid, blocks: &[Block]) -> Layout {
    let mut layout = Layout {
        size_bytes: 0,
        parts: Vec::new(),
    };
    let mut between = header(root);
    for block in blocks {
        push_varint(&mut between, Cid::LENGTH_BYTES as u64 + block.size_bytes);
        between.extend(block.cid.to_bytes());
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
    layout
}

fn header(root: &Cid) -> Vec<u8> {
    // {"roots": [42(h'00' · cid)], "version": 1}
    let mut header = b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00".to_vec();
    header.extend(root.to_bytes());
    header.extend(b"\x67version\x01");
    let mut framed = Vec::with_capacity(1 + header.len());
    push_varint(&mut framed, header.len() as u64);
    framed.extend(header);
    framed
}

fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
