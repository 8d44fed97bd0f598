use std::collections::BTreeMap;

use ic_certification::LookupResult;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

/// A branch over a plain map of leaves, and what it must agree with.
fn branch(leaves: &BTreeMap<Vec<u8>, Vec<u8>>) -> Node {
    let leaves = leaves
        .iter()
        .map(|(label, value)| (label.clone(), Node::leaf(value.clone())));
    Node::labels(leaves)
}

fn reveal_of(labels: &[Vec<u8>]) -> Reveal {
    let mut reveal = Reveal::nothing();
    for label in labels {
        reveal.add(&[label]);
    }
    reveal
}

proptest! {
    #[test]
    fn should_show_or_prove_absent_every_label_that_is_asked_for(
        leaves in btree_map(vec(0u8..4, 0..4), vec(any::<u8>(), 0..4), 0..40),
        asked in vec(vec(0u8..4, 0..4), 0..8),
    ) {
        let node = branch(&leaves);
        let tree = node.witness(&reveal_of(&asked));
        prop_assert_eq!(tree.digest(), node.digest());
        for label in &asked {
            let expected = match leaves.get(label) {
                Some(value) => LookupResult::Found(value),
                None => LookupResult::Absent,
            };
            prop_assert_eq!(tree.lookup_path([label]), expected);
        }
    }

    #[test]
    fn should_show_no_value_that_is_not_asked_for(
        leaves in btree_map(vec(0u8..4, 1..4), vec(any::<u8>(), 1..4), 1..40),
        asked in vec(vec(0u8..4, 1..4), 0..4),
    ) {
        let tree = branch(&leaves).witness(&reveal_of(&asked));
        for label in leaves.keys().filter(|label| !asked.contains(label)) {
            prop_assert!(!matches!(tree.lookup_path([label]), LookupResult::Found(_)));
        }
    }
}

#[test]
fn should_show_everything_below_a_whole_label() {
    let inner = Node::labels([("b", Node::leaf("1")), ("c", Node::leaf("2"))]);
    let node = Node::labels([("a", inner), ("d", Node::leaf("3"))]);
    let tree = node.witness(&reveal_of(&[b"a".to_vec()]));
    assert_eq!(tree.lookup_path(["a", "b"]), LookupResult::Found(b"1"));
    assert_eq!(tree.lookup_path(["a", "c"]), LookupResult::Found(b"2"));
    assert_eq!(tree.lookup_path(["a", "x"]), LookupResult::Absent);
    assert_eq!(tree.lookup_path(["d"]), LookupResult::Unknown);
}

#[test]
fn should_let_the_wider_of_two_overlapping_paths_win() {
    let mut narrow_first = Reveal::nothing();
    narrow_first.add(&["a", "b"]);
    narrow_first.add(&["a"]);
    let mut wide_first = Reveal::nothing();
    wide_first.add(&["a"]);
    wide_first.add(&["a", "b"]);
    let expected = Reveal::Below([(b"a".to_vec(), Reveal::Whole)].into());
    assert_eq!(narrow_first, expected);
    assert_eq!(wide_first, expected);
}
