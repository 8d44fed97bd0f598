//! Texts by their bytes, to find the longest one that something begins with: in as many steps as it has bytes, however many
//! there are.

use super::Map;

#[derive(Clone, Debug)]
pub(super) struct Tree<T> {
    /// From a node by a byte to the next one.
    edges: Map<(u32, u8), u32>,
    /// By node: of the text that ends there.
    values: Vec<Option<T>>,
}

/// Where some of the texts go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Node(u32);

/// Where all texts begin.
pub(super) const ROOT: Node = Node(0);

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Tree {
            edges: Map::default(),
            values: vec![None],
        }
    }
}

impl<T> Tree<T> {
    /// Of two that are equal the first counts.
    pub fn insert(&mut self, text: &str, value: T) {
        let mut node = 0;
        for byte in text.bytes() {
            let new = self.values.len() as u32;
            node = *self.edges.entry((node, byte)).or_insert(new);
            if node == new {
                self.values.push(None);
            }
        }
        self.values[node as usize].get_or_insert(value);
    }

    /// `None` where no text goes on like this.
    pub fn walk(&self, from: Node, text: &str) -> Option<Node> {
        text.bytes().try_fold(from, |node, byte| {
            self.edges.get(&(node.0, byte)).copied().map(Node)
        })
    }

    pub fn get(&self, text: &str) -> Option<&T> {
        let Node(node) = self.walk(ROOT, text)?;
        self.values[node as usize].as_ref()
    }

    /// Of the texts that go on with at least one of `bytes`: how many of them the longest has, and its value.
    pub fn longest(&self, from: Node, bytes: &[u8]) -> Option<(usize, &T)> {
        let Node(mut node) = from;
        let mut found = None;
        for (at, byte) in bytes.iter().enumerate() {
            let Some(next) = self.edges.get(&(node, *byte)) else {
                break;
            };
            node = *next;
            if let Some(value) = &self.values[node as usize] {
                found = Some((at + 1, value));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_find_the_longest_that_a_text_begins_with() {
        let mut tree = Tree::default();
        for (text, value) in [
            ("a", 1),
            ("abc", 2),
            ("##b", 3),
            ("##", 4),
            ("abc", 5),
            ("", 6),
        ] {
            tree.insert(text, value);
        }
        assert_eq!(tree.longest(ROOT, b"abcd"), Some((3, &2)));
        assert_eq!(tree.longest(ROOT, b"abd"), Some((1, &1)));
        assert_eq!(tree.longest(ROOT, b"b"), None);
        let inside = tree.walk(ROOT, "##").unwrap();
        assert_eq!(tree.longest(inside, b"bc"), Some((1, &3)));
        // What ends there already is not one that goes on.
        assert_eq!(tree.longest(inside, b"c"), None);
        assert_eq!(tree.walk(ROOT, "ac"), None);
        assert_eq!((tree.get("##"), tree.get("#")), (Some(&4), None));
    }
}
