//! `/request_status`: the one branch that grows into the tens of thousands.
//!
//! Requests are grouped by the first byte of their id. A group whose ids and
//! states are as they were keeps its digests, so that a certificate after one
//! more answer hashes one group of 256 instead of everything. The fork shape
//! follows: the whole branch forks between groups first, then inside one.

use ic_certification::{Hash, HashTree, labeled_hash, pruned};

use crate::certification::natural;
use crate::replica::RequestId;
use crate::state_tree::{RequestEntry, RequestStatus, StateTree};
use crate::witness::{Branch, Node, Reveal, computed_range_digest};

/// Digests of the requests of the last certificate, by first byte of the id.
#[derive(Default, Debug)]
pub(crate) struct RequestDigests {
    groups: Vec<Group>,
}

/// What tells that an entry is as it was: a request is answered once, so its
/// answer cannot change while the kind of its status stays the same.
type Fingerprint = (RequestId, u8, usize);

#[derive(Debug)]
struct Group {
    /// Index of the group's first request among all requests.
    start: usize,
    entries: Vec<Fingerprint>,
    contents: Vec<Hash>,
    digest: Hash,
}

fn fingerprint(id: RequestId, status: &RequestStatus) -> Fingerprint {
    match status {
        RequestStatus::Received => (id, 0, 0),
        RequestStatus::Processing => (id, 1, 0),
        RequestStatus::Replied(reply) => (id, 2, reply.len()),
        RequestStatus::Rejected(rejection) => (id, 3, rejection.message.len()),
        RequestStatus::Done => (id, 4, 0),
    }
}

/// `/request_status/<id>` with everything under it.
fn request_node(status: &RequestStatus) -> Node {
    match status {
        RequestStatus::Received => Node::labels([("status", Node::leaf("received"))]),
        RequestStatus::Processing => Node::labels([("status", Node::leaf("processing"))]),
        RequestStatus::Replied(reply) => Node::labels([
            ("reply", Node::leaf(reply.clone())),
            ("status", Node::leaf("replied")),
        ]),
        RequestStatus::Rejected(rejection) => Node::labels([
            ("error_code", Node::leaf(rejection.error_code.as_bytes())),
            ("reject_code", Node::leaf(natural(rejection.code))),
            ("reject_message", Node::leaf(rejection.message.as_bytes())),
            ("status", Node::leaf("rejected")),
        ]),
        RequestStatus::Done => Node::labels([("status", Node::leaf("done"))]),
    }
}

impl RequestDigests {
    /// Brings the digests up to date with the state.
    pub(crate) fn refresh(&mut self, state: &StateTree) {
        let mut old = std::mem::take(&mut self.groups).into_iter().peekable();
        let mut start = 0;
        for first_byte in 0..=u8::MAX {
            let mut low = [0u8; 32];
            let mut high = [u8::MAX; 32];
            (low[0], high[0]) = (first_byte, first_byte);
            let requests = || state.requests.range(RequestId(low)..=RequestId(high));
            let previous = old.next_if(|group| group.first_byte() == first_byte);
            let Some(group) = refreshed(previous, start, requests) else {
                continue;
            };
            start += group.entries.len();
            self.groups.push(group);
        }
    }

    fn group_of(&self, index: usize) -> usize {
        self.groups.partition_point(|group| group.start <= index) - 1
    }
}

impl Group {
    fn first_byte(&self) -> u8 {
        self.entries[0].0.0[0]
    }
}

fn refreshed<'a, I>(
    previous: Option<Group>,
    start: usize,
    requests: impl Fn() -> I,
) -> Option<Group>
where
    I: Iterator<Item = (&'a RequestId, &'a RequestEntry)>,
{
    let now = || requests().map(|(id, entry)| fingerprint(*id, &entry.status));
    if let Some(mut group) = previous {
        if now().eq(group.entries.iter().copied()) {
            group.start = start;
            return Some(group);
        }
        return built(start, requests, |entry| {
            let index = group.entries.binary_search(entry).ok()?;
            Some(group.contents[index])
        });
    }
    built(start, requests, |_| None)
}

fn built<'a, I>(
    start: usize,
    requests: impl Fn() -> I,
    known: impl Fn(&Fingerprint) -> Option<Hash>,
) -> Option<Group>
where
    I: Iterator<Item = (&'a RequestId, &'a RequestEntry)>,
{
    let mut group = Group {
        start,
        entries: Vec::new(),
        contents: Vec::new(),
        digest: [0; 32],
    };
    for (id, entry) in requests() {
        let print = fingerprint(*id, &entry.status);
        let content = known(&print).unwrap_or_else(|| request_node(&entry.status).digest());
        group.entries.push(print);
        group.contents.push(content);
    }
    if group.entries.is_empty() {
        return None;
    }
    group.digest = computed_range_digest(&group, 0, group.entries.len());
    Some(group)
}

impl Branch for Group {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn label(&self, index: usize) -> &[u8] {
        &self.entries[index].0.0
    }

    fn content_digest(&self, index: usize) -> Hash {
        self.contents[index]
    }

    fn content(&self, index: usize, _: &Reveal) -> HashTree {
        pruned(self.contents[index])
    }
}

/// `/request_status` over digests that are up to date.
pub(crate) struct RequestBranch<'a> {
    pub(crate) digests: &'a RequestDigests,
    pub(crate) state: &'a StateTree,
}

impl Branch for RequestBranch<'_> {
    fn len(&self) -> usize {
        self.digests
            .groups
            .last()
            .map_or(0, |group| group.start + group.entries.len())
    }

    fn label(&self, index: usize) -> &[u8] {
        let group = &self.digests.groups[self.digests.group_of(index)];
        group.label(index - group.start)
    }

    fn content_digest(&self, index: usize) -> Hash {
        let group = &self.digests.groups[self.digests.group_of(index)];
        group.contents[index - group.start]
    }

    fn content(&self, index: usize, reveal: &Reveal) -> HashTree {
        let group = &self.digests.groups[self.digests.group_of(index)];
        let (id, ..) = group.entries[index - group.start];
        match self.state.requests.get(&id) {
            Some(entry) => request_node(&entry.status).witness(reveal),
            // Unreachable while the digests are fresh; pruning stays truthful.
            None => pruned(group.contents[index - group.start]),
        }
    }

    fn fork_at(&self, start: usize, end: usize) -> usize {
        let (first, last) = (self.digests.group_of(start), self.digests.group_of(end - 1));
        if first == last {
            start + (end - start) / 2
        } else {
            self.digests.groups[first + (last - first).div_ceil(2)].start
        }
    }

    fn range_digest(&self, start: usize, end: usize) -> Hash {
        if end - start == 1 {
            return labeled_hash(self.label(start), &self.content_digest(start));
        }
        if start < end {
            let group = &self.digests.groups[self.digests.group_of(start)];
            if group.start == start && end == start + group.entries.len() {
                return group.digest;
            }
        }
        computed_range_digest(self, start, end)
    }
}
