//! `/models/<publisher>/<name>/<semver>/<path>`. Above a version the tree is in the heap and made anew from one digest a
//! version; below it, it is derived from the version's list of files whenever it is needed.

use std::collections::BTreeMap;

use ic_certification::{AsHashTree, Hash, HashTree, RbTree, labeled_hash, pruned};

use super::forest::{self, Item};
use super::response::{EXACT, WILDCARD_NAMES, next_label};

/// A version as its path names it, and the file's path in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilePlace {
    pub version: VersionPlace,
    pub path: String,
    /// All files of the version, with the digests of what is below their exact paths.
    pub files: FileTree,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct VersionPlace {
    pub publisher: String,
    pub name: String,
    pub semver: String,
}

struct VersionLeaf(Hash);

impl AsHashTree for VersionLeaf {
    fn root_hash(&self) -> Hash {
        self.0
    }

    fn as_hash_tree(&self) -> HashTree {
        pruned(self.0)
    }
}

type Semvers = RbTree<String, VersionLeaf>;
type Names = RbTree<String, Semvers>;

pub struct Models {
    publishers: RbTree<String, Names>,
}

impl Default for Models {
    fn default() -> Self {
        Self {
            publishers: RbTree::new(),
        }
    }
}

impl Models {
    /// Adds a version or changes the digest of its files.
    pub fn set(&mut self, place: &VersionPlace, files: Hash) {
        let (name, semver) = (place.name.clone(), place.semver.clone());
        let set_semver = |semvers: &mut Semvers| semvers.insert(semver, VersionLeaf(files));
        let set_name = |names: &mut Names| {
            if names.get(name.as_bytes()).is_some() {
                names.modify(name.as_bytes(), set_semver);
            } else {
                let mut semvers = Semvers::new();
                set_semver(&mut semvers);
                names.insert(name, semvers);
            }
        };
        let publisher = place.publisher.as_bytes();
        if self.publishers.get(publisher).is_some() {
            self.publishers.modify(publisher, set_name);
        } else {
            let mut names = Names::new();
            set_name(&mut names);
            self.publishers.insert(place.publisher.clone(), names);
        }
    }

    fn get(&self, place: &VersionPlace) -> Option<Hash> {
        let names = self.publishers.get(place.publisher.as_bytes())?;
        let semvers = names.get(place.name.as_bytes())?;
        semvers.get(place.semver.as_bytes()).map(|leaf| leaf.0)
    }

    pub fn remove(&mut self, place: &VersionPlace) {
        if self.get(place).is_none() {
            return;
        }
        let (mut no_semver, mut no_name) = (false, false);
        let (publisher, name) = (place.publisher.as_bytes(), place.name.as_bytes());
        self.publishers.modify(publisher, |names| {
            names.modify(name, |semvers| {
                semvers.delete(place.semver.as_bytes());
                no_semver = semvers.is_empty();
            });
            // A label with nothing below it would be one that a verifier finds.
            if no_semver {
                names.delete(name);
            }
            no_name = names.is_empty();
        });
        if no_name {
            self.publishers.delete(publisher);
        }
    }

    pub fn witness(&self, place: &FilePlace, node: &HashTree) -> Option<HashTree> {
        let VersionPlace {
            publisher,
            name,
            semver,
        } = &place.version;
        let files = place.files.witness(&place.path, node);
        Some(
            self.publishers
                .nested_witness(publisher.as_bytes(), |names| {
                    names.nested_witness(name.as_bytes(), |semvers| {
                        semvers.nested_witness(semver.as_bytes(), |_| files)
                    })
                }),
        )
    }

    /// `absent`: segments of a path that does not exist, behind `models`, and the files of the version that it names, if it
    /// names one.
    pub fn section(&self, absent: Option<(&[&str], Option<&FileTree>)>) -> Option<HashTree> {
        if self.publishers.is_empty() {
            return None;
        }
        let Some((rest, files)) = absent else {
            return Some(pruned(self.publishers.root_hash()));
        };
        Some(level_absence(&self.publishers, rest, |names, rest| {
            level_absence(names, rest, |semvers, rest| {
                level_absence(semvers, rest, |version, rest| match files {
                    Some(files) => files.absence(rest),
                    None => pruned(version.0),
                })
            })
        }))
    }
}

/// Shows the neighbours of the names that would be wildcards, and of the first of `rest` or what is below it.
fn level_absence<V: AsHashTree + 'static>(
    tree: &RbTree<String, V>,
    rest: &[&str],
    below: impl FnOnce(&V, &[&str]) -> HashTree,
) -> HashTree {
    let asked = next_label(rest);
    let shown = tree.nested_witness(asked.as_bytes(), |value| {
        below(value, rest.get(1..).unwrap_or_default())
    });
    WILDCARD_NAMES
        .into_iter()
        .filter(|name| *name != asked)
        .map(|name| tree.witness(name.as_bytes()))
        .fold(shown, forest::merge)
}

/// The files of a version, or what is below a folder's CID, as a tree of path segments.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct FileTree {
    /// Of the file whose path ends here.
    exact: Option<Hash>,
    below: BTreeMap<String, FileTree>,
}

impl FileTree {
    /// `files`: paths, with the digests of what is below their exact paths.
    pub fn new(files: impl Iterator<Item = (String, Hash)>) -> Self {
        let mut root = Self::default();
        for (path, digest) in files {
            let mut node = &mut root;
            for segment in path.split('/') {
                node = node.below.entry(segment.to_owned()).or_default();
            }
            node.exact = Some(digest);
        }
        root
    }

    /// With what is at the path of the tree itself.
    pub fn with_own(self, exact: Hash) -> Self {
        Self {
            exact: Some(exact),
            ..self
        }
    }

    pub fn digest(&self) -> Hash {
        let nodes: Vec<Hash> = self
            .items()
            .iter()
            .map(|item| labeled_hash(&item.label, &item.content))
            .collect();
        forest::row_digest(&nodes).expect("BUG: a folder without files")
    }

    /// In the order of labels. A segment may sort on either side of `<$>`.
    fn items(&self) -> Vec<Item> {
        let exact = self.exact.iter().map(|digest| Item::hidden(EXACT, *digest));
        let below = self
            .below
            .iter()
            .map(|(segment, tree)| Item::hidden(segment.as_bytes(), tree.digest()));
        let mut items: Vec<Item> = exact.chain(below).collect();
        items.sort_unstable_by(|a, b| a.label.cmp(&b.label));
        items
    }

    /// Shows `node` (with its label `<$>`) at `path`, which may be empty, and nothing else.
    pub fn witness(&self, path: &str, node: &HashTree) -> HashTree {
        if path.is_empty() {
            return self.with_exact(node);
        }
        let (segment, rest) = match path.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (path, None),
        };
        let mut items = self.items();
        let below = self.below.get(segment).expect("BUG: a file of no folder");
        let content = below.witness(rest.unwrap_or_default(), node);
        show(&mut items, segment.as_bytes(), content);
        forest::row(items)
    }

    /// The row of this node with `node`, which brings its own label, in the place of `<$>`.
    fn with_exact(&self, node: &HashTree) -> HashTree {
        let mut items = self.items();
        let content = forest::content_of(node).expect("BUG: an exact path without its label");
        show(&mut items, EXACT, content);
        forest::row(items)
    }

    /// Shows that there is no file at these segments, and no wildcard nearer to it.
    pub fn absence(&self, rest: &[&str]) -> HashTree {
        let asked = next_label(rest);
        let mut items = self.items();
        for name in WILDCARD_NAMES.into_iter().chain([asked]) {
            let name = name.as_bytes();
            let at = items.partition_point(|item| item.label.as_slice() < name);
            let is_there = items.get(at).is_some_and(|item| item.label == name);
            let before = if is_there { at } else { at.saturating_sub(1) };
            for item in items.iter_mut().skip(before).take(1 + at - before) {
                item.shown.get_or_insert_with(|| pruned(item.content));
            }
        }
        if let Some(below) = self.below.get(asked) {
            let content = below.absence(rest.get(1..).unwrap_or_default());
            show(&mut items, asked.as_bytes(), content);
        }
        forest::row(items)
    }
}

fn show(items: &mut [Item], name: &[u8], content: HashTree) {
    let item = items
        .iter_mut()
        .find(|item| item.label == name)
        .expect("BUG: a label to be shown is not there");
    item.shown = Some(content);
}
