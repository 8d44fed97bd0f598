//! Holes that released chunks leave in DATA. The smallest that fits is used first; neighbours become one.

use ic_stable_structures::{Memory, StableBTreeMap, StableBTreeSet};

use crate::memory::Book;

pub struct Extents<M: Memory> {
    by_offset: StableBTreeMap<u64, u64, Book<M>>,
    /// Size, offset.
    by_size: StableBTreeSet<(u64, u64), Book<M>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hole {
    pub offset: u64,
    pub size_bytes: u64,
}

impl Hole {
    fn end(&self) -> u64 {
        self.offset + self.size_bytes
    }
}

impl<M: Memory> Extents<M> {
    pub fn open(by_offset: Book<M>, by_size: Book<M>) -> Self {
        Self {
            by_offset: StableBTreeMap::init(by_offset),
            by_size: StableBTreeSet::init(by_size),
        }
    }

    /// The smallest hole of at least `size_bytes`; nothing needs none.
    pub fn fitting(&self, size_bytes: u64) -> Option<Hole> {
        if size_bytes == 0 {
            return None;
        }
        let (size_bytes, offset) = self.by_size.range((size_bytes, 0)..).next()?;
        Some(Hole { offset, size_bytes })
    }

    /// Takes the beginning of a hole and answers where that is.
    pub fn take(&mut self, hole: Hole, size_bytes: u64) -> u64 {
        self.remove(&hole);
        if size_bytes < hole.size_bytes {
            self.insert(&Hole {
                offset: hole.offset + size_bytes,
                size_bytes: hole.size_bytes - size_bytes,
            });
        }
        hole.offset
    }

    /// Gives bytes back. Answers the new end of DATA where the hole reaches `data_end`: then it is none.
    pub fn free(&mut self, mut freed: Hole, data_end: u64) -> u64 {
        if freed.size_bytes == 0 {
            return data_end;
        }
        let before = self.by_offset.range(..freed.offset).next_back();
        if let Some(before) = before.map(|entry| hole(entry.into_pair()))
            && before.end() == freed.offset
        {
            self.remove(&before);
            freed.offset = before.offset;
            freed.size_bytes += before.size_bytes;
        }
        if let Some(size_bytes) = self.by_offset.get(&freed.end()) {
            self.remove(&Hole {
                offset: freed.end(),
                size_bytes,
            });
            freed.size_bytes += size_bytes;
        }
        if freed.end() == data_end {
            return freed.offset;
        }
        self.insert(&freed);
        data_end
    }

    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = Hole> + '_ {
        self.by_offset.iter().map(|entry| hole(entry.into_pair()))
    }

    fn insert(&mut self, hole: &Hole) {
        self.by_offset.insert(hole.offset, hole.size_bytes);
        self.by_size.insert((hole.size_bytes, hole.offset));
    }

    fn remove(&mut self, hole: &Hole) {
        self.by_offset.remove(&hole.offset);
        self.by_size.remove(&(hole.size_bytes, hole.offset));
    }
}

fn hole((offset, size_bytes): (u64, u64)) -> Hole {
    Hole { offset, size_bytes }
}
