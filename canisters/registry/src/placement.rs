//! Where a version's bytes go. The unit is a file segment of at most 1 GiB, whole on
//! each of its two shards. A segment goes where most of its bytes already are, then where
//! the version has been put so far, then where most room is. Pure: the caller brings the facts.

use std::collections::btree_map::{BTreeMap, Entry};

use stoa_types::manifest::{FileEntry, Manifest};
use stoa_types::{DistinctChunk, Sha256};

use crate::limits::{COPIES, SEGMENT_CHUNKS_MAX};
use crate::state::records::{PlacementRecord, SegmentRecord};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardRoom {
    pub number: u16,
    pub free_bytes: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    pub placement: PlacementRecord,
    /// Bytes that are new to each shard.
    pub new_bytes: BTreeMap<u16, u64>,
}

/// No two shards have room for a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoRoom {
    pub needed_bytes: u64,
}

/// `holders`: shards that are known to have a chunk. What is placed joins them: later segments go where it is.
pub fn place(
    manifest: &Manifest,
    shards: &[ShardRoom],
    mut holders: BTreeMap<Sha256, Vec<u16>>,
) -> Result<Plan, NoRoom> {
    let mut new_bytes: BTreeMap<u16, u64> = BTreeMap::new();
    let mut segments = Vec::new();
    for (file, entry) in (0..).zip(&manifest.files) {
        for (index, chunks) in entry.chunks.chunks(SEGMENT_CHUNKS_MAX).enumerate() {
            let first_chunk = index * SEGMENT_CHUNKS_MAX;
            let sizes = distinct_sizes(entry, first_chunk, chunks);
            let size_bytes: u64 = sizes.values().sum();
            let present = present_bytes(&sizes, &holders);
            let chosen = choose(shards, size_bytes, &present, &new_bytes)?;
            for number in &chosen {
                let missing = size_bytes - present.get(number).copied().unwrap_or(0);
                *new_bytes.entry(*number).or_default() += missing;
            }
            for hash in sizes.into_keys() {
                add_new(holders.entry(hash).or_default(), &chosen);
            }
            segments.push(SegmentRecord {
                file,
                first_chunk: first_chunk as u32,
                chunks: chunks.len() as u32,
                shards: chosen,
            });
        }
    }
    Ok(Plan {
        placement: PlacementRecord { segments },
        new_bytes,
    })
}

/// A handful: looking through them costs less than a set.
fn add_new(shards: &mut Vec<u16>, more: &[u16]) {
    for number in more {
        if !shards.contains(number) {
            shards.push(*number);
        }
    }
}

fn distinct_sizes(
    entry: &FileEntry,
    first_chunk: usize,
    chunks: &[Sha256],
) -> BTreeMap<Sha256, u64> {
    let size = |index: u64| FileEntry::chunk_size_bytes(entry.size_bytes, index);
    (first_chunk as u64..)
        .zip(chunks)
        .map(|(index, hash)| (*hash, size(index)))
        .collect()
}

/// Bytes of the segment that each shard has, or will have by this plan.
fn present_bytes(
    sizes: &BTreeMap<Sha256, u64>,
    holders: &BTreeMap<Sha256, Vec<u16>>,
) -> BTreeMap<u16, u64> {
    let mut present: BTreeMap<u16, u64> = BTreeMap::new();
    for (hash, size_bytes) in sizes {
        for number in holders.get(hash).into_iter().flatten() {
            *present.entry(*number).or_default() += size_bytes;
        }
    }
    present
}

fn choose(
    shards: &[ShardRoom],
    size_bytes: u64,
    present: &BTreeMap<u16, u64>,
    new_bytes: &BTreeMap<u16, u64>,
) -> Result<Vec<u16>, NoRoom> {
    let mut ranked: Vec<_> = shards
        .iter()
        .filter_map(|shard| {
            let number = shard.number;
            let has = present.get(&number).copied().unwrap_or(0);
            let taken = new_bytes.get(&number);
            let free = shard.free_bytes.saturating_sub(taken.copied().unwrap_or(0));
            let rank = (has, taken.is_some(), free);
            (size_bytes - has <= free).then_some((rank, number))
        })
        .collect();
    if ranked.len() < COPIES {
        return Err(NoRoom {
            needed_bytes: size_bytes,
        });
    }
    // Best first; among equals the lowest number, so that a plan does not depend on chance.
    ranked.sort_unstable_by(|(a, first), (b, second)| b.cmp(a).then(first.cmp(second)));
    let mut chosen: Vec<u16> = ranked[..COPIES].iter().map(|(_, number)| *number).collect();
    chosen.sort_unstable();
    Ok(chosen)
}

/// Each distinct chunk of the manifest, in its order, with all shards that any of its segments is on, in the order of their numbers.
/// The segments are in the manifest's order too, so that one pass finds both.
pub fn chunk_shards(
    manifest: &Manifest,
    placement: &PlacementRecord,
) -> Vec<(DistinctChunk, Vec<u16>)> {
    let mut distinct: Vec<(DistinctChunk, Vec<u16>)> = Vec::new();
    let mut places: BTreeMap<Sha256, usize> = BTreeMap::new();
    for segment in &placement.segments {
        let file = &manifest.files[segment.file as usize];
        let first = segment.first_chunk as usize;
        for index in first..first + segment.chunks as usize {
            let hash = file.chunks[index];
            match places.entry(hash) {
                Entry::Vacant(vacant) => {
                    vacant.insert(distinct.len());
                    let size_bytes = FileEntry::chunk_size_bytes(file.size_bytes, index as u64);
                    let chunk = DistinctChunk { hash, size_bytes };
                    distinct.push((chunk, segment.shards.clone()));
                }
                Entry::Occupied(known) => add_new(&mut distinct[*known.get()].1, &segment.shards),
            }
        }
    }
    for (_, shards) in &mut distinct {
        shards.sort_unstable();
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::manifest_of;

    const MIB: u64 = 1 << 20;

    fn hash(number: u32) -> Sha256 {
        Sha256::of(&number.to_le_bytes())
    }

    /// A file of full chunks with these numbers.
    fn file(path: &str, numbers: impl Iterator<Item = u32>) -> FileEntry {
        let chunks: Vec<Sha256> = numbers.map(hash).collect();
        FileEntry {
            path: path.to_owned(),
            size_bytes: chunks.len() as u64 * MIB,
            sha256: Sha256([0; 32]),
            cid: String::new(),
            chunks,
        }
    }

    fn rooms(free_mib: &[u64]) -> Vec<ShardRoom> {
        let room = |(number, free): (u16, &u64)| ShardRoom {
            number,
            free_bytes: free * MIB,
        };
        (0..).zip(free_mib).map(room).collect()
    }

    fn shards_of(plan: &Plan) -> Vec<Vec<u16>> {
        let segments = &plan.placement.segments;
        segments
            .iter()
            .map(|segment| segment.shards.clone())
            .collect()
    }

    #[test]
    fn should_take_the_two_emptiest_shards_and_stay_there() {
        let manifest = manifest_of(vec![file("a", 0..3), file("b", 3..5)]);
        let plan = place(&manifest, &rooms(&[10, 30, 20]), BTreeMap::new()).unwrap();
        assert_eq!(shards_of(&plan), [[1, 2], [1, 2]]);
        assert_eq!(plan.new_bytes, BTreeMap::from([(1, 5 * MIB), (2, 5 * MIB)]));
    }

    #[test]
    fn should_go_where_most_bytes_already_are_and_need_no_room_for_those() {
        let manifest = manifest_of(vec![file("a", 0..4)]);
        let holders: BTreeMap<_, _> = (0..3).map(|number| (hash(number), vec![0, 2])).collect();
        let plan = place(&manifest, &rooms(&[1, 50, 1]), holders).unwrap();
        assert_eq!(shards_of(&plan), [[0, 2]]);
        assert_eq!(plan.new_bytes, BTreeMap::from([(0, MIB), (2, MIB)]));
    }

    #[test]
    fn should_keep_a_segment_whole_and_cut_a_file_at_one_gibibyte() {
        let manifest = manifest_of(vec![file("a", 0..1025)]);
        let plan = place(&manifest, &rooms(&[1024, 1024, 1, 1]), BTreeMap::new()).unwrap();
        let cut: Vec<_> = plan
            .placement
            .segments
            .iter()
            .map(|segment| (segment.file, segment.first_chunk, segment.chunks))
            .collect();
        assert_eq!(cut, [(0, 0, 1024), (0, 1024, 1)]);
        assert_eq!(shards_of(&plan), [[0, 1], [2, 3]]);
    }

    #[test]
    fn should_count_an_equal_chunk_once() {
        let manifest = manifest_of(vec![
            file("a", [7; 5].into_iter()),
            file("b", [7].into_iter()),
        ]);
        let plan = place(&manifest, &rooms(&[1, 1]), BTreeMap::new()).unwrap();
        assert_eq!(plan.new_bytes, BTreeMap::from([(0, MIB), (1, MIB)]));
    }

    #[test]
    fn should_say_what_found_no_room() {
        let manifest = manifest_of(vec![file("a", 0..4)]);
        let refused = place(&manifest, &rooms(&[100, 3]), BTreeMap::new());
        let needed_bytes = 4 * MIB;
        assert_eq!(refused, Err(NoRoom { needed_bytes }));
    }

    #[test]
    fn should_name_all_shards_of_a_chunk_that_two_segments_share() {
        let manifest = manifest_of(vec![file("a", 0..2), file("b", 1..3)]);
        let segment = |file, shards: [u16; 2]| SegmentRecord {
            file,
            first_chunk: 0,
            chunks: 2,
            shards: shards.to_vec(),
        };
        let placement = PlacementRecord {
            segments: vec![segment(0, [1, 0]), segment(1, [2, 3])],
        };
        let found = chunk_shards(&manifest, &placement);
        let chunks: Vec<_> = found.iter().map(|(chunk, _)| *chunk).collect();
        assert_eq!(chunks, manifest.distinct_chunks());
        let on: Vec<_> = found.into_iter().map(|(_, shards)| shards).collect();
        assert_eq!(on, [vec![0, 1], vec![0, 1, 2, 3], vec![2, 3]]);
    }
}
