//! Byte ranges that are no part of a file. Their hashes cannot be known beforehand, so they are answered by an update, which the subnet
//! certifies; an allowance bounds what that costs.

use ic_stable_structures::Memory;
use stoa_shard_api::{CHUNK_SIZE_BYTES_MAX, HttpResponse};
use stoa_types::Sha256;

use super::replies::{Form, Purpose};
use super::request::{Range, Request};
use super::respond::{Content, Resource, plain};
use crate::store::Store;

/// A reply has 2 MiB at most; headers and framing take a few hundred bytes.
const RANGE_BYTES_MAX: u64 = CHUNK_SIZE_BYTES_MAX + CHUNK_SIZE_BYTES_MAX / 2;

pub fn respond<M: Memory + Clone>(
    store: &Store<M>,
    request: &Request,
    resource: &Resource,
) -> HttpResponse {
    let Some(size_bytes) = resource.replies.size_bytes(Form::Plain) else {
        return plain(406, "Only files and blobs have ranges.\n");
    };
    let (first, last) = match request.range {
        Some(Range::From { first, last }) => (first, last.unwrap_or(u64::MAX)),
        Some(Range::Suffix { bytes }) => (size_bytes.saturating_sub(bytes), u64::MAX),
        None => return plain(400, "No range was asked for.\n"),
    };
    if first >= size_bytes {
        let mut response = plain(416, "");
        let range = format!("bytes */{size_bytes}");
        response.headers.push(("content-range".to_owned(), range));
        return response;
    }
    let last = last_byte(first, last.min(size_bytes - 1));
    let last = match is_readable(store, resource, last) {
        true => last,
        // What another shard holds is asked for there.
        false => last.min(chunk_end(first)),
    };
    let Some(body) = read(store, resource, first, last) else {
        return plain(503, "This copy is damaged; another shard has it.\n");
    };
    let any_part = Purpose::Content {
        form: Form::Plain,
        first_byte: 0,
    };
    let part = resource
        .replies
        .find(any_part)
        .expect("BUG: a file without a first part");
    let mut headers: Vec<(String, String)> = part
        .response
        .headers
        .iter()
        .filter(|(name, _)| !matches!(*name, "content-range" | "content-length"))
        .map(|(name, value)| ((*name).to_owned(), value.clone().into_owned()))
        .collect();
    headers.push(("content-length".to_owned(), body.len().to_string()));
    let range = format!("bytes {first}-{last}/{size_bytes}");
    headers.push(("content-range".to_owned(), range));
    HttpResponse {
        status_code: 206,
        headers,
        body,
        upgrade: None,
    }
}

/// What is too long for one answer ends with a chunk, so that whoever goes on from there needs no update.
fn last_byte(first: u64, last: u64) -> u64 {
    if last - first < RANGE_BYTES_MAX {
        return last;
    }
    chunk_end(first)
}

fn chunk_end(byte: u64) -> u64 {
    byte / CHUNK_SIZE_BYTES_MAX * CHUNK_SIZE_BYTES_MAX + CHUNK_SIZE_BYTES_MAX - 1
}

fn chunk_with(resource: &Resource, byte: u64) -> Option<Sha256> {
    let index = (byte / CHUNK_SIZE_BYTES_MAX) as usize;
    match &resource.content {
        Content::Chunk(hash) => (index == 0).then_some(*hash),
        Content::File(file) => file.chunks.get(index).copied(),
        Content::Ipfs(_) | Content::Nothing => None,
    }
}

fn is_readable<M: Memory + Clone>(store: &Store<M>, resource: &Resource, byte: u64) -> bool {
    chunk_with(resource, byte).is_some_and(|chunk| store.get(chunk).is_ok())
}

fn read<M: Memory + Clone>(
    store: &Store<M>,
    resource: &Resource,
    first: u64,
    last: u64,
) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity((last - first + 1) as usize);
    for index in first / CHUNK_SIZE_BYTES_MAX..=last / CHUNK_SIZE_BYTES_MAX {
        let begin = index * CHUNK_SIZE_BYTES_MAX;
        let chunk = store.get(chunk_with(resource, begin)?).ok()?.data;
        let from = first.saturating_sub(begin) as usize;
        let to = (last - begin).min(chunk.len() as u64 - 1) as usize;
        bytes.extend_from_slice(chunk.get(from..=to)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_end_a_long_range_with_a_chunk() {
        let mib = CHUNK_SIZE_BYTES_MAX;
        assert_eq!(last_byte(5, 99), 99);
        assert_eq!(last_byte(mib - 1, mib + 5), mib + 5);
        assert_eq!(last_byte(5, 10 * mib), mib - 1);
        assert_eq!(last_byte(mib, 10 * mib), 2 * mib - 1);
    }
}
