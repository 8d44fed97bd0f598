//! `/models/<publisher>/<name>/<semver>/<path>`. Above a version the trees are in stable memory, so that an upgrade reads one root; below it,
//! the tree is derived from the version's list of files whenever it is needed.

use std::collections::BTreeMap;

use ic_certification::{Hash, HashTree, labeled_hash, pruned};
use ic_stable_structures::Memory;
use stoa_certified_trees::{LINK_BYTES, Link, Trees};
use stoa_types::limits::{HANDLE_CHARS_MAX, NAME_CHARS_MAX, SEMVER_BYTES_MAX};

use super::forest::{self, Item};
use super::response::{EXACT, WILDCARD_NAMES, next_label};
use crate::memory::{self, Book, Memories};

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

/// Of a publisher's handle and a version; a model's name is the longest of the three.
const LABEL_BYTES_MAX: usize = NAME_CHARS_MAX as usize;
const _: () = assert!(HANDLE_CHARS_MAX <= NAME_CHARS_MAX && SEMVER_BYTES_MAX <= NAME_CHARS_MAX);

/// The root of publishers.
const PUBLISHERS: usize = 0;

type NameTrees<M> = Trees<Book<M>, 1, LABEL_BYTES_MAX, LINK_BYTES>;

/// A tree of publishers, below each one of its models' names, and below each of those one of versions, which have the digest of their files.
pub struct Models<M: Memory> {
    trees: NameTrees<M>,
}

fn link_of(value: &[u8]) -> Link {
    let bytes = value.try_into();
    Link::from_bytes(bytes.expect("BUG: what is below a name is no tree"))
}

/// What a publisher or a name stands for.
fn digest_of_tree(value: &[u8]) -> Hash {
    let digest = link_of(value).digest();
    digest.expect("BUG: a name with nothing below it")
}

/// What a version stands for.
fn digest_of_files(value: &[u8]) -> Hash {
    value.try_into().expect("BUG: a version has no digest")
}

impl<M: Memory + Clone> Models<M> {
    pub fn open(memories: &Memories<M>) -> Self {
        let [roots, nodes] = [memory::MODEL_ROOTS, memory::MODEL_NODES].map(|id| memories.book(id));
        Self {
            trees: Trees::open(roots, nodes),
        }
    }

    /// Of a shard from before these trees were in stable memory. Versions stand in the order of their places.
    pub fn fill(&mut self, versions: &[(VersionPlace, Hash)]) {
        let trees = &mut self.trees;
        let of_publishers =
            versions.chunk_by(|(one, _), (next, _)| one.publisher == next.publisher);
        let mut publishers = Vec::new();
        for of_publisher in of_publishers {
            let mut names = Vec::new();
            for of_name in of_publisher.chunk_by(|(one, _), (next, _)| one.name == next.name) {
                let semvers: Vec<_> = of_name
                    .iter()
                    .map(|(place, files)| (place.semver.clone().into_bytes(), files.to_vec()))
                    .collect();
                let semvers = trees.fill(&semvers, digest_of_files);
                let name = of_name[0].0.name.clone();
                names.push((name.into_bytes(), semvers.to_bytes().to_vec()));
            }
            let names = trees.fill(&names, digest_of_tree);
            let publisher = of_publisher[0].0.publisher.clone();
            publishers.push((publisher.into_bytes(), names.to_bytes().to_vec()));
        }
        let publishers = trees.fill(&publishers, digest_of_tree);
        trees.set_root(PUBLISHERS, publishers);
    }

    /// Adds a version or changes the digest of its files.
    pub fn set(&mut self, place: &VersionPlace, files: Hash) {
        let semver = place.semver.as_bytes();
        self.change(place, |trees, semvers| {
            trees.insert(semvers, semver, &files, &files)
        });
    }

    pub fn remove(&mut self, place: &VersionPlace) {
        let semver = place.semver.as_bytes();
        self.change(place, |trees, semvers| trees.remove(semvers, semver));
    }

    fn change(
        &mut self,
        place: &VersionPlace,
        change: impl FnOnce(&mut NameTrees<M>, Link) -> Link,
    ) {
        let publishers = self.trees.root(PUBLISHERS);
        let names = self.below(publishers, &place.publisher);
        let semvers = self.below(names, &place.name);
        let semvers = change(&mut self.trees, semvers);
        let names = self.hang(names, &place.name, semvers);
        let publishers = self.hang(publishers, &place.publisher, names);
        self.trees.set_root(PUBLISHERS, publishers);
    }

    fn below(&self, tree: Link, label: &str) -> Link {
        let value = self.trees.get(tree, label.as_bytes());
        value.map_or(Link::NONE, |value| link_of(&value))
    }

    /// Puts a tree below a label. Nothing there, and the label goes: it would be one that a verifier finds.
    fn hang(&mut self, tree: Link, label: &str, below: Link) -> Link {
        let label = label.as_bytes();
        match below.digest() {
            Some(digest) => self.trees.insert(tree, label, &below.to_bytes(), &digest),
            None => self.trees.remove(tree, label),
        }
    }

    pub fn witness(&self, place: &FilePlace, node: &HashTree) -> Option<HashTree> {
        let VersionPlace {
            publisher,
            name,
            semver,
        } = &place.version;
        let files = place.files.witness(&place.path, node);
        let of_semver = |semvers: &[u8]| {
            let semver = semver.as_bytes();
            self.trees
                .witness(link_of(semvers), semver, digest_of_files, |_| files)
        };
        let of_name = |names: &[u8]| {
            let name = name.as_bytes();
            self.trees
                .witness(link_of(names), name, digest_of_tree, of_semver)
        };
        let publishers = self.trees.root(PUBLISHERS);
        let publisher = publisher.as_bytes();
        Some(
            self.trees
                .witness(publishers, publisher, digest_of_tree, of_name),
        )
    }

    /// `absent`: segments of a path that does not exist, behind `models`, and the files of the version that it names, if it
    /// names one.
    pub fn section(&self, absent: Option<(&[&str], Option<&FileTree>)>) -> Option<HashTree> {
        let publishers = self.trees.root(PUBLISHERS);
        let digest = publishers.digest()?;
        let Some((rest, files)) = absent else {
            return Some(pruned(digest));
        };
        let of_version = |version: &[u8], rest: &[&str]| match files {
            Some(files) => files.absence(rest),
            None => pruned(digest_of_files(version)),
        };
        let of_semvers = |semvers: &[u8], rest: &[&str]| {
            self.level_absence(link_of(semvers), rest, digest_of_files, of_version)
        };
        let of_names = |names: &[u8], rest: &[&str]| {
            self.level_absence(link_of(names), rest, digest_of_tree, of_semvers)
        };
        Some(self.level_absence(publishers, rest, digest_of_tree, of_names))
    }

    /// Shows the neighbours of the names that would be wildcards, and of the first of `rest` or what is below it.
    fn level_absence(
        &self,
        tree: Link,
        rest: &[&str],
        content: fn(&[u8]) -> Hash,
        below: impl FnOnce(&[u8], &[&str]) -> HashTree,
    ) -> HashTree {
        let asked = next_label(rest);
        let shown = self
            .trees
            .witness(tree, asked.as_bytes(), content, |value| {
                below(value, rest.get(1..).unwrap_or_default())
            });
        WILDCARD_NAMES
            .into_iter()
            .filter(|name| *name != asked)
            .map(|name| {
                let hidden = |value: &[u8]| pruned(content(value));
                self.trees.witness(tree, name.as_bytes(), content, hidden)
            })
            .fold(shown, forest::merge)
    }
}

#[cfg(test)]
impl<M: Memory + Clone> Models<M> {
    /// All that there is, after a look at each tree.
    pub fn checked_entries(&self) -> Vec<(VersionPlace, Hash)> {
        let text = |label: &[u8]| String::from_utf8(label.to_vec()).unwrap();
        let publishers = self.trees.root(PUBLISHERS);
        let mut trees = vec![publishers];
        let mut entries = Vec::new();
        for (publisher, names) in self.trees.checked_entries(publishers, digest_of_tree) {
            let names = link_of(&names);
            trees.push(names);
            for (name, semvers) in self.trees.checked_entries(names, digest_of_tree) {
                let semvers = link_of(&semvers);
                trees.push(semvers);
                for (semver, files) in self.trees.checked_entries(semvers, digest_of_files) {
                    let place = VersionPlace {
                        publisher: text(&publisher),
                        name: text(&name),
                        semver: text(&semver),
                    };
                    entries.push((place, digest_of_files(&files)));
                }
            }
        }
        self.trees.check_slots(&trees);
        entries
    }
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
