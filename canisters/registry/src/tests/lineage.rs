//! Families of versions, walked in both directions.

use std::collections::BTreeSet;

use stoa_registry_api::{LineageArgs, LineageDirection, LineagePage, LineagePosition};

use super::*;
use crate::lineage::list_lineage;

fn child(semver: &str, parents: &[(Sha256, Relation)]) -> Manifest {
    let mut manifest = version_manifest(semver);
    manifest.lineage.parents = parents
        .iter()
        .map(|(version, relation)| Parent {
            version: *version,
            relation: *relation,
        })
        .collect();
    manifest
}

fn page(
    version: Sha256,
    direction: LineageDirection,
    depth: Option<u32>,
    after: Option<LineagePosition>,
    limit: u32,
) -> LineagePage {
    let args = LineageArgs {
        version,
        direction,
        depth,
        after,
        limit: Some(limit),
    };
    with(|state| list_lineage(state, &args)).unwrap()
}

fn walk(version: Sha256, direction: LineageDirection, limit: u32) -> Vec<(u32, Sha256)> {
    let mut seen = vec![];
    let mut after = None;
    loop {
        let page = page(version, direction, None, after, limit);
        assert!(page.entries.len() <= limit as usize && !page.is_cut_off);
        seen.extend(
            page.entries
                .iter()
                .map(|entry| (entry.position.depth, entry.position.version)),
        );
        after = page.next;
        if after.is_none() {
            return seen;
        }
    }
}

#[test]
fn should_walk_parents_and_children_to_any_depth_each_version_once_over_pages() {
    let runtime = prepared();
    let base = publish(&runtime, version_manifest("1.0.0"));
    let tuned = publish(&runtime, child("2.0.0", &[(base, Relation::Finetune)]));
    let small = publish(&runtime, child("3.0.0", &[(base, Relation::Quantized)]));
    let merged = publish(
        &runtime,
        child(
            "4.0.0",
            &[(tuned, Relation::Merge), (small, Relation::Merge)],
        ),
    );
    // Both a child of the merge and of the base: it stands where it is nearest.
    let last = publish(
        &runtime,
        child(
            "5.0.0",
            &[(merged, Relation::Distilled), (base, Relation::Adapter)],
        ),
    );
    for limit in [1, 2, 100] {
        let up = walk(last, LineageDirection::Parents, limit);
        let near: BTreeSet<_> = up[..2].iter().copied().collect();
        assert_eq!(near, BTreeSet::from([(1, merged), (1, base)]));
        let far: BTreeSet<_> = up[2..].iter().copied().collect();
        assert_eq!(far, BTreeSet::from([(2, tuned), (2, small)]));
        let down = walk(base, LineageDirection::Children, limit);
        let expected = BTreeSet::from([(1, tuned), (1, small), (1, last), (2, merged)]);
        assert_eq!(down.iter().copied().collect::<BTreeSet<_>>(), expected);
        assert_eq!(down.len(), 4);
    }
    let near = page(base, LineageDirection::Children, Some(1), None, 100);
    assert_eq!(near.entries.len(), 3);
    let entry = near
        .entries
        .iter()
        .find(|entry| entry.position.version == small)
        .unwrap();
    assert_eq!((entry.through, entry.relation), (base, Relation::Quantized));
    assert_eq!(entry.summary.as_ref().unwrap().semver, "3.0.0");
    let unknown = LineageArgs {
        version: Sha256([1; 32]),
        direction: LineageDirection::Parents,
        depth: None,
        after: None,
        limit: None,
    };
    assert_eq!(
        with(|state| list_lineage(state, &unknown)),
        Err(GetVersionError::NotFound)
    );
}

#[test]
fn should_take_proposals_only_of_versions_whose_parents_stay() {
    let runtime = prepared();
    let parent = seal_new(&runtime, version_manifest("1.0.0"));
    let version = seal_new(&runtime, child("2.0.0", &[(parent, Relation::Finetune)]));
    let try_submit = || with_mut(|state| submit(state, &runtime, principal(OWNER), version));
    assert_eq!(try_submit(), Err(SubmitError::ParentNotAdmitted { parent }));
    with_mut(|state| submit(state, &runtime, principal(OWNER), parent)).unwrap();
    admit(&runtime, GOVERNANCE, parent).unwrap();
    assert!(try_submit().is_ok());
}

#[test]
fn should_forget_the_edges_of_a_version_that_is_withdrawn() {
    let runtime = prepared();
    let parent = publish(&runtime, version_manifest("1.0.0"));
    let version = seal_new(&runtime, child("2.0.0", &[(parent, Relation::Finetune)]));
    assert_eq!(walk(parent, LineageDirection::Children, 10), [(1, version)]);
    with_mut(|state| crate::withdraw::withdraw(state, &runtime, principal(OWNER), version))
        .unwrap();
    assert_eq!(walk(parent, LineageDirection::Children, 10), []);
    with(|state| assert!(state.parents.is_empty() && state.children.is_empty()));
}
