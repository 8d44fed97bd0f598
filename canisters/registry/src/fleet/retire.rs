//! Retire: everything that a shard holds goes elsewhere, one look at all versions after the other until a look finds nothing.

use std::time::Duration;

use stoa_types::Sha256;

use super::jobs::{self, Step};
use super::records::{CopyStage, Digest, Role, Work};
use super::serve::served;
use crate::runtime::Runtime;
use crate::state::{State, with_mut};

/// Versions of one step.
const VERSIONS_PER_STEP: usize = 50;
/// Copies that are under way at a time.
const COPIES_MAX: usize = 16;
const PAUSE: Duration = Duration::from_secs(10);

pub fn step(runtime: &impl Runtime, shard: u16, after: Option<Digest>, has_found: bool) -> Step {
    with_mut(|state| look(state, runtime, shard, after, has_found))
}

fn look(
    state: &mut State,
    runtime: &impl Runtime,
    shard: u16,
    after: Option<Digest>,
    mut has_found: bool,
) -> Step {
    let mut member = state.fleet.member(shard);
    if member.role != Role::Retiring {
        return Step::Done;
    }
    let start = match after {
        Some(after) => std::ops::Bound::Excluded(after.into_array()),
        None => std::ops::Bound::Unbounded,
    };
    let page: Vec<[u8; 32]> = state
        .placements
        .range((start, std::ops::Bound::Unbounded))
        .take(VERSIONS_PER_STEP)
        .map(|entry| *entry.key())
        .collect();
    let is_last = page.len() < VERSIONS_PER_STEP;
    let mut looked_at = after;
    for version in page {
        let copies = jobs::waiting(state)
            .filter(|job| matches!(job.work, Work::Copy { .. }))
            .count();
        let work = Work::Retire {
            shard,
            after: looked_at,
            has_found,
        };
        if copies >= COPIES_MAX {
            return Step::Wait(work, PAUSE);
        }
        match move_segments(state, runtime, Sha256(version), shard) {
            Ok(found) => has_found |= found,
            Err(problem) => {
                super::grow(state, runtime);
                return Step::Retry(problem);
            }
        }
        looked_at = Some(Digest::new(version));
    }
    if !is_last {
        return Step::Next(Work::Retire {
            shard,
            after: looked_at,
            has_found,
        });
    }
    if has_found {
        let again = Work::Retire {
            shard,
            after: None,
            has_found: false,
        };
        return Step::Wait(again, PAUSE);
    }
    member.role = Role::Retired;
    state.fleet.members.insert(shard, member);
    Step::Done
}

/// Whether the version has anything on the shard. Copies of what can be copied are under way then; a draft's chunks come or expire.
fn move_segments(
    state: &mut State,
    runtime: &impl Runtime,
    version: Sha256,
    shard: u16,
) -> Result<bool, String> {
    let is_released = state
        .version(&version)
        .is_none_or(|record| record.is_released);
    if is_released {
        return Ok(false);
    }
    let placement = state.placement(&version);
    let mut has_any = false;
    for (index, segment) in (0_u32..).zip(&placement.segments) {
        if !segment.shards.contains(&shard) {
            continue;
        }
        has_any = true;
        let digest = Digest::new(version.0);
        let is_moving = jobs::waiting(state).any(|job| {
            matches!(job.work, Work::Copy { version, segment, .. } if version == digest && segment == index)
        });
        if served(state, &version).is_none() || is_moving {
            continue;
        }
        let size_bytes = u64::from(segment.chunks) * stoa_types::limits::CHUNK_SIZE_BYTES;
        let to = super::rooms(state)
            .into_iter()
            .filter(|room| !segment.shards.contains(&room.number))
            .filter(|room| room.free_bytes >= size_bytes)
            .max_by_key(|room| (room.free_bytes, std::cmp::Reverse(room.number)))
            .ok_or_else(|| format!("no shard has room for {size_bytes} bytes"))?
            .number;
        if let Some(mut record) = state.shards.get(&to) {
            record.assigned_bytes += size_bytes;
            state.shards.insert(to, record);
        }
        jobs::enqueue(
            state,
            runtime,
            Work::Copy {
                version: digest,
                segment: index,
                to,
                instead_of: Some(shard),
                stage: CopyStage::Announce,
            },
        );
    }
    Ok(has_any)
}
