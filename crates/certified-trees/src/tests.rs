use std::collections::BTreeMap;

use ic_certification::{Hash, HashTree, LookupResult, leaf, leaf_hash};
use ic_stable_structures::VectorMemory;
use proptest::prelude::*;

use super::*;

const VALUE_BYTES_MAX: usize = 40;
type TestTrees = Trees<VectorMemory, 2, 8, VALUE_BYTES_MAX>;

fn content(value: &[u8]) -> Hash {
    leaf_hash(value)
}

#[derive(Clone, Default)]
struct Memories(VectorMemory, VectorMemory);

impl Memories {
    fn open(&self) -> TestTrees {
        Trees::open(self.0.clone(), self.1.clone())
    }
}

fn set(trees: &mut TestTrees, root: usize, name: &[u8], value: Option<&[u8]>) {
    let tree = trees.root(root);
    let tree = match value {
        Some(value) => trees.insert(tree, name, value, &content(value)),
        None => trees.remove(tree, name),
    };
    trees.set_root(root, tree);
}

fn decoded(tree: &HashTree) -> HashTree {
    let mut bytes = Vec::new();
    ciborium::into_writer(tree, &mut bytes).unwrap();
    serde_cbor::from_slice(&bytes).unwrap()
}

fn check(trees: &TestTrees, root: usize, model: &BTreeMap<Vec<u8>, Vec<u8>>) {
    let expected: Vec<_> = model.clone().into_iter().collect();
    assert_eq!(trees.checked_entries(trees.root(root), content), expected);
    trees.check_slots(&[trees.root(0), trees.root(1)]);
}

fn check_name(trees: &TestTrees, root: usize, model: &BTreeMap<Vec<u8>, Vec<u8>>, name: &[u8]) {
    let root = trees.root(root);
    assert_eq!(trees.get(root, name).as_ref(), model.get(name));
    let witness = trees.witness(root, name, content, |value| leaf(value.to_vec()));
    let tree = decoded(&witness);
    if let Some(digest) = root.digest() {
        assert_eq!(tree.digest(), digest);
    }
    let expected = match model.get(name) {
        Some(value) => LookupResult::Found(value),
        None => LookupResult::Absent,
    };
    assert_eq!(tree.lookup_path([name]), expected, "{name:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Set(usize, Vec<u8>, Vec<u8>),
    Remove(usize, Vec<u8>),
    Upgrade,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few and short labels, some the beginning of others, so that most are met again.
    let name = || prop::collection::vec(0_u8..4, 0..4);
    let value = || prop::collection::vec(any::<u8>(), 0..=VALUE_BYTES_MAX);
    let step = prop_oneof![
        6 => (0..2_usize, name(), value()).prop_map(|(root, name, value)| Step::Set(root, name, value)),
        4 => (0..2_usize, name()).prop_map(|(root, name)| Step::Remove(root, name)),
        1 => Just(Step::Upgrade),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    #[test]
    fn should_be_plain_maps_with_proofs_through_any_changes(steps in steps(), asked in prop::collection::vec(0_u8..4, 0..4)) {
        let memories = Memories::default();
        let mut trees = memories.open();
        let mut models = [BTreeMap::new(), BTreeMap::new()];
        for step in steps {
            match step {
                Step::Set(root, name, value) => {
                    set(&mut trees, root, &name, Some(&value));
                    models[root].insert(name, value);
                }
                Step::Remove(root, name) => {
                    set(&mut trees, root, &name, None);
                    models[root].remove(&name);
                }
                Step::Upgrade => trees = memories.open(),
            }
            for (root, model) in models.iter().enumerate() {
                check(&trees, root, model);
            }
        }
        for (root, model) in models.iter().enumerate() {
            check_name(&trees, root, model, &asked);
            for name in model.keys() {
                check_name(&trees, root, model, name);
            }
        }
    }

    #[test]
    fn should_fill_a_tree_as_if_entries_came_one_by_one(names in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 0..6), 0..80)) {
        let mut trees = Memories::default().open();
        let mut model: BTreeMap<Vec<u8>, Vec<u8>> = names.into_iter().map(|name| (name, vec![1])).collect();
        let entries: Vec<_> = model.clone().into_iter().collect();
        let filled = trees.fill(&entries, content);
        trees.set_root(1, filled);
        check(&trees, 1, &model);
        // What was filled is changed like anything else.
        for (name, _) in entries.iter().step_by(2) {
            set(&mut trees, 1, name, None);
            model.remove(name);
            check(&trees, 1, &model);
        }
        check_name(&trees, 1, &model, b"abc");
    }
}

/// Whoever chooses labels cannot make proofs long, nor changes dear.
#[test]
fn should_stay_shallow_whatever_the_order_of_labels() {
    let mut trees = Memories::default().open();
    for number in 0_u32..4_096 {
        set(&mut trees, 0, &number.to_be_bytes(), Some(b"x"));
    }
    // 1.44 log2(4,096) + 1
    assert!(trees.root(0).height <= 18);
    for number in 0_u32..4_000 {
        set(&mut trees, 0, &number.to_be_bytes(), None);
    }
    assert!(trees.root(0).height <= 10);
    trees.check_slots(&[trees.root(0)]);
}
