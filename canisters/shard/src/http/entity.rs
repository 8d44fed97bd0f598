//! `entity-bytes` of the trustless gateway: a CAR with the blocks that some bytes of a file need, and no others. Which bytes will be asked
//! for cannot be known beforehand, so such a CAR is answered by an update, within the allowance, and is as long as one answer may be. What
//! comes to the whole file, or to none of it, has a reply of its own.

use ic_stable_structures::Memory;
use stoa_content::{Cid, Codec, Node, car_frame, car_header, read_node};
use stoa_shard_api::HttpResponse;

use super::replies::COMMON;
use super::request::EntityBytes;
use super::respond::plain;
use crate::http::replies::Terminus;
use crate::store::{Store, links_of};

/// Of 2 MiB that a reply has, less what is not the CAR.
const CAR_BYTES_MAX: usize = (2 << 20) - (64 << 10);

/// What a path ends at, as a client sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entity {
    Chunk,
    File { size_bytes: u64 },
    Folder,
}

impl Entity {
    pub fn of<M: Memory + Clone>(store: &Store<M>, cid: &Cid) -> Self {
        match cid.codec {
            Codec::Raw => Self::Chunk,
            Codec::DagPb => match read_node(&store.node(&cid.digest).block) {
                Some(Node::File { size_bytes, .. }) => Self::File { size_bytes },
                _ => Self::Folder,
            },
        }
    }
}

/// Bytes of a file, both inclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    pub first: u64,
    pub last: u64,
}

impl Span {
    pub fn is_whole(self, size_bytes: u64) -> bool {
        self.first == 0 && self.last + 1 == size_bytes
    }
}

/// What of a file is meant; `None` where that is nothing.
pub fn span(bytes: EntityBytes, size_bytes: u64) -> Option<Span> {
    let size = i128::from(size_bytes);
    let absolute = |offset: i64| match i128::from(offset) {
        offset if offset < 0 => size + offset,
        offset => offset,
    };
    let first = absolute(bytes.from).max(0);
    let last = bytes.to.map_or(size, absolute).min(size - 1);
    if first > last {
        return None;
    }
    Some(Span {
        first: u64::try_from(first).ok()?,
        last: u64::try_from(last).ok()?,
    })
}

pub fn respond<M: Memory + Clone>(
    store: &Store<M>,
    cid: &Cid,
    path: &str,
    span: Span,
) -> HttpResponse {
    let Some(terminus) = store.terminus_at(cid, path) else {
        return plain(404, "There is nothing at this path on this shard.\n");
    };
    let mut car = Car {
        bytes: car_header(&terminus.block.cid()),
        is_too_long: false,
    };
    for ancestor in &terminus.ancestors {
        car.node(store, &ancestor.cid());
    }
    if !car.subtree(store, &terminus.block.cid(), 0, span) {
        return plain(503, "This shard does not hold all of these bytes.\n");
    }
    if car.is_too_long {
        return plain(
            400,
            "The blocks of these bytes are more than one answer has. Ask for the bytes of one chunk (1 MiB), or for the whole file.\n",
        );
    }
    response(&terminus, span, car.bytes)
}

fn response(terminus: &Terminus, span: Span, body: Vec<u8>) -> HttpResponse {
    let mut headers: Vec<(String, String)> = COMMON
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let specific = terminus.headers();
    headers.extend(
        specific
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into_owned())),
    );
    let scope = format!("bytes.{}-{}", span.first, span.last);
    headers.push(("etag".to_owned(), terminus.etag(&scope)));
    headers.push(("content-length".to_owned(), body.len().to_string()));
    HttpResponse {
        status_code: 200,
        headers,
        body,
        upgrade: None,
    }
}

struct Car {
    bytes: Vec<u8>,
    is_too_long: bool,
}

impl Car {
    fn push(&mut self, cid: &Cid, block: &[u8]) {
        if self.bytes.len() + block.len() > CAR_BYTES_MAX {
            self.is_too_long = true;
            return;
        }
        self.bytes.extend(car_frame(cid, block.len() as u64));
        self.bytes.extend_from_slice(block);
    }

    fn node<M: Memory + Clone>(&mut self, store: &Store<M>, cid: &Cid) -> Vec<u8> {
        let block = store.node(&cid.digest).block;
        self.push(cid, &block);
        block
    }

    /// The block that holds the file's bytes from `begin` on, and what of those below it the span touches; whether all of it is here.
    /// A block that stands in several places comes several times, which clients must bear.
    fn subtree<M: Memory + Clone>(
        &mut self,
        store: &Store<M>,
        cid: &Cid,
        mut begin: u64,
        span: Span,
    ) -> bool {
        if self.is_too_long {
            return true;
        }
        if cid.codec == Codec::Raw {
            return match store.get(cid.digest) {
                Ok(chunk) => {
                    self.push(cid, &chunk.data);
                    true
                }
                Err(_) => false,
            };
        }
        for link in links_of(&self.node(store, cid)) {
            let size_bytes = match Entity::of(store, &link.cid) {
                Entity::File { size_bytes } => size_bytes,
                Entity::Chunk | Entity::Folder => link.cumulative_size_bytes,
            };
            let is_touched = begin <= span.last && begin + size_bytes > span.first;
            if is_touched && !self.subtree(store, &link.cid, begin, span) {
                return false;
            }
            begin += size_bytes;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_count_from_both_ends_and_stay_within_the_file() {
        let of = |from, to| span(EntityBytes { from, to }, 1_000);
        let is = |first, last| Some(Span { first, last });
        assert_eq!(of(0, None), is(0, 999));
        assert!(of(0, None).unwrap().is_whole(1_000));
        assert_eq!(of(-100, None), is(900, 999));
        assert_eq!(of(499, Some(-100)), is(499, 900));
        assert_eq!(of(5, Some(9)), is(5, 9));
        assert_eq!(of(-5_000, Some(9)), is(0, 9));
        assert_eq!(of(990, Some(i64::MAX)), is(990, 999));
        for nothing in [
            (1_000, None),
            (9, Some(5)),
            (0, Some(-1_001)),
            (i64::MAX, None),
        ] {
            assert_eq!(of(nothing.0, nothing.1), None, "{nothing:?}");
        }
        assert_eq!(span(EntityBytes { from: 0, to: None }, 0), None);
    }
}
