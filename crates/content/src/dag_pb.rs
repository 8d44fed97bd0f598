//! Encoding of the two protobuf messages that a UnixFS node is made of. Small
//! and fixed, so that it is written out: every CID depends on each of its bytes.
//!
//! dag-pb, canonical form (links stand before data, fields of a link in order of number, all present):
//! ```text
//! PBNode { repeated PBLink Links = 2; bytes Data = 1; }
//! PBLink { bytes Hash = 1; string Name = 2; uint64 Tsize = 3; }
//! ```
//! UnixFS, within `Data` (a file node without bytes of its own; a directory has the type only):
//! ```text
//! Data { enum Type = 1 (1 directory, 2 file); uint64 filesize = 3; repeated uint64 blocksizes = 4 (not packed); }
//! ```

use crate::file::Link;

const WIRE_VARINT: u8 = 0;
const WIRE_BYTES: u8 = 2;

const fn tag(field: u8, wire: u8) -> u8 {
    field << 3 | wire
}

const UNIXFS_DIRECTORY: u64 = 1;
const UNIXFS_FILE: u64 = 2;

/// Node of a file over `children`, each with the number of file bytes below it.
pub(crate) fn file_node(children: &[(Link, u64)]) -> Vec<u8> {
    let mut data = Vec::with_capacity(8 + 4 * children.len());
    push_varint_field(&mut data, 1, UNIXFS_FILE);
    push_varint_field(&mut data, 3, children.iter().map(|(_, size)| size).sum());
    for (_, size) in children {
        push_varint_field(&mut data, 4, *size);
    }
    node(children.iter().map(|(link, _)| ("", *link)), &data)
}

/// Node of a directory; `entries` in the order in which they are to stand.
pub(crate) fn directory_node(entries: &[(String, Link)]) -> Vec<u8> {
    let mut data = Vec::with_capacity(2);
    push_varint_field(&mut data, 1, UNIXFS_DIRECTORY);
    node(
        entries.iter().map(|(name, link)| (name.as_str(), *link)),
        &data,
    )
}

fn node<'a>(links: impl Iterator<Item = (&'a str, Link)>, data: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    let mut encoded = Vec::new();
    for (name, link) in links {
        encoded.clear();
        push_bytes_field(&mut encoded, 1, &link.cid.to_bytes());
        push_bytes_field(&mut encoded, 2, name.as_bytes());
        push_varint_field(&mut encoded, 3, link.cumulative_size_bytes);
        push_bytes_field(&mut block, 2, &encoded);
    }
    push_bytes_field(&mut block, 1, data);
    block
}

fn push_bytes_field(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(tag(field, WIRE_BYTES));
    push_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn push_varint_field(out: &mut Vec<u8>, field: u8, number: u64) {
    out.push(tag(field, WIRE_VARINT));
    push_varint(out, number);
}

fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
