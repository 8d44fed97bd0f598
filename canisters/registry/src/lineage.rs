//! `list_lineage`: where a version comes from and what came of it, to any depth. A walk in breadth over the edges that were
//! written when versions were sealed; entries stand by depth and digest, so that a page goes on behind the last entry of the one
//! before. Each page walks from the start again, which a cap bounds: a family beyond it is walked on from its last entries.

use std::collections::BTreeMap;

use stoa_registry_api::{
    GetVersionError, LineageArgs, LineageDirection, LineageEntry, LineagePage, LineagePosition,
    LineageResult,
};
use stoa_types::Sha256;

use crate::limits::{LINEAGE_WALK_MAX, LIST_MAX};
use crate::state::{State, relation_of};
use crate::summary::summary_of;

/// Neighbours of one version with the codes of their relations, at most `max`.
fn neighbours(
    state: &State,
    direction: LineageDirection,
    version: [u8; 32],
    max: usize,
) -> Vec<([u8; 32], u8)> {
    let edges = match direction {
        LineageDirection::Parents => &state.parents,
        LineageDirection::Children => &state.children,
    };
    edges
        .range((version, [0; 32])..=(version, [255; 32]))
        .take(max)
        .map(|entry| (entry.key().1, entry.value()))
        .collect()
}

pub fn list_lineage(state: &State, args: &LineageArgs) -> LineageResult {
    if !state.versions.contains_key(&args.version.0) {
        return Err(GetVersionError::NotFound);
    }
    let limit = args.limit.unwrap_or(LIST_MAX).clamp(1, LIST_MAX) as usize;
    let depth_max = args.depth.unwrap_or(u32::MAX);
    let mut seen = std::collections::BTreeSet::from([args.version.0]);
    let mut level = vec![args.version.0];
    let mut page = LineagePage {
        entries: vec![],
        next: None,
        is_cut_off: false,
    };
    for depth in 1..=depth_max {
        let (next, is_cut_off) = next_level(state, args.direction, &level, &mut seen);
        page.is_cut_off |= is_cut_off;
        for (version, (through, relation)) in &next {
            let position = LineagePosition {
                depth,
                version: Sha256(*version),
            };
            if args.after.is_some_and(|after| position <= after) {
                continue;
            }
            if page.entries.len() == limit {
                page.next = page.entries.last().map(|entry| entry.position);
                return Ok(page);
            }
            page.entries.push(LineageEntry {
                position,
                through: Sha256(*through),
                relation: relation_of(*relation),
                summary: summary_of(state, position.version),
            });
        }
        if next.is_empty() || page.is_cut_off {
            break;
        }
        level = next.into_keys().collect();
    }
    Ok(page)
}

type Level = BTreeMap<[u8; 32], ([u8; 32], u8)>;

/// Versions one step further that were not seen nearer, and whether the cap left some out.
fn next_level(
    state: &State,
    direction: LineageDirection,
    level: &[[u8; 32]],
    seen: &mut std::collections::BTreeSet<[u8; 32]>,
) -> (Level, bool) {
    let mut next = Level::new();
    for version in level {
        let room = LINEAGE_WALK_MAX.saturating_sub(seen.len());
        if room == 0 {
            return (next, true);
        }
        // One more than there is room for tells whether some are left out.
        let found = neighbours(state, direction, *version, room + 1);
        let is_cut_off = found.len() > room;
        for (neighbour, relation) in found.into_iter().take(room) {
            if seen.insert(neighbour) {
                next.insert(neighbour, (*version, relation));
            }
        }
        if is_cut_off {
            return (next, true);
        }
    }
    (next, false)
}
