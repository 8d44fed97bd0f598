//! Reading the dag-pb nodes that `dag_pb.rs` writes: the same fields in the same order, and nothing else. Whoever must be sure of more makes
//! the node again from what was read and compares CIDs, so that this only has to find the links.

use crate::cid::Cid;
use crate::file::Link;

/// A node of the profile, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Node {
    File { links: Vec<Link>, size_bytes: u64 },
    Folder { links: Vec<(String, Link)> },
}

/// `None` for bytes that are no node of the profile.
pub fn read_node(block: &[u8]) -> Option<Node> {
    let mut links = Vec::new();
    let mut rest = block;
    loop {
        let (tag, behind) = rest.split_first()?;
        let (field, behind) = take_bytes(behind)?;
        match tag {
            0x12 => links.push(read_link(field)?),
            // Data stands last.
            0x0A if behind.is_empty() => return read_data(field, links),
            _ => return None,
        }
        rest = behind;
    }
}

fn read_link(bytes: &[u8]) -> Option<(String, Link)> {
    let (cid, rest) = take_bytes(bytes.strip_prefix(&[0x0A])?)?;
    let (name, rest) = take_bytes(rest.strip_prefix(&[0x12])?)?;
    let (cumulative_size_bytes, rest) = take_varint(rest.strip_prefix(&[0x18])?)?;
    rest.is_empty().then_some(())?;
    let link = Link {
        cid: Cid::from_bytes(cid).ok()?,
        cumulative_size_bytes,
    };
    Some((String::from_utf8(name.to_vec()).ok()?, link))
}

fn read_data(data: &[u8], links: Vec<(String, Link)>) -> Option<Node> {
    let (kind, rest) = take_varint(data.strip_prefix(&[0x08])?)?;
    match kind {
        1 if rest.is_empty() => Some(Node::Folder { links }),
        2 => {
            let (size_bytes, _) = take_varint(rest.strip_prefix(&[0x18])?)?;
            let links = links.into_iter().map(|(_, link)| link).collect();
            Some(Node::File { links, size_bytes })
        }
        _ => None,
    }
}

fn take_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = take_varint(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

fn take_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}
