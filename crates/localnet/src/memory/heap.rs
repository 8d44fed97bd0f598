//! The Wasm heap: wasmtime's linear memory over a private mapping of the
//! committed heap.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

use super::dirty_pages;
use super::mapping::Mapping;
use super::paged_file::{Files, PagedFile};
use crate::limits::{OS_PAGE_BYTES, WASM_PAGE_BYTES};

/// A committed heap: the file and how many Wasm pages of it there are.
#[derive(Clone, Debug)]
pub struct Heap {
    pub file: Arc<PagedFile>,
    pub pages: u64,
}

impl Heap {
    pub fn new(files: &Files, pages: u64) -> io::Result<Self> {
        let file = files.create()?;
        file.reserve(pages * WASM_PAGE_BYTES)?;
        Ok(Self {
            file: Arc::new(file),
            pages,
        })
    }

    pub fn bytes(&self) -> u64 {
        self.pages * WASM_PAGE_BYTES
    }

    /// The instance that this thread creates next runs on this heap.
    ///
    /// wasmtime asks its memory creator for a memory by type alone; the thread
    /// says whose it is.
    pub fn use_for_next_instance(&self) {
        NEXT.with_borrow_mut(|next| *next = Some(self.clone()));
    }
}

thread_local! {
    static NEXT: RefCell<Option<Heap>> = const { RefCell::new(None) };
}

pub struct HeapCreator;

// SAFETY: the memory returned reserves what is asked for and guards the rest;
// bytes past the committed size are zero.
unsafe impl MemoryCreator for HeapCreator {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let heap = NEXT
            .with_borrow_mut(Option::take)
            .ok_or("BUG: an instance without a heap")?;
        let reserved = reserved.ok_or("BUG: a heap without a reservation")?;
        let mut memory = PrivateHeap {
            mapping: Mapping::reserve(reserved + guard).map_err(|error| error.to_string())?,
            file: heap.file.clone(),
            bytes: 0,
            capacity: reserved,
        };
        let bytes = minimum.max(heap.bytes() as usize);
        memory.grow(bytes).map_err(|error| error.to_string())?;
        Ok(Box::new(memory))
    }
}

/// A message's view of the heap.
struct PrivateHeap {
    mapping: Mapping,
    file: Arc<PagedFile>,
    bytes: usize,
    capacity: usize,
}

impl PrivateHeap {
    fn grow(&mut self, bytes: usize) -> io::Result<()> {
        self.file.reserve(bytes as u64)?;
        self.mapping.overlay(&self.file, self.bytes, bytes)?;
        self.bytes = bytes;
        Ok(())
    }
}

// SAFETY: the base never moves, and everything below `bytes` is mapped.
unsafe impl LinearMemory for PrivateHeap {
    fn byte_size(&self) -> usize {
        self.bytes
    }

    fn byte_capacity(&self) -> usize {
        self.capacity
    }

    fn grow_to(&mut self, bytes: usize) -> wasmtime::Result<()> {
        Ok(self.grow(bytes)?)
    }

    fn as_ptr(&self) -> *mut u8 {
        self.mapping.base()
    }
}

/// Which parts of its heap a message wrote; the bytes are still in its mapping.
#[derive(Debug, Default)]
pub struct HeapWrites {
    ranges: Vec<Range<usize>>,
}

impl HeapWrites {
    /// `content` is the memory of a live instance that `HeapCreator` made.
    pub fn find(content: &[u8]) -> io::Result<Self> {
        Ok(Self {
            ranges: dirty_pages::written(content.as_ptr(), content.len())?,
        })
    }

    pub fn page_count(&self) -> u64 {
        self.ranges
            .iter()
            .map(|range| range.len() as u64 / OS_PAGE_BYTES)
            .sum()
    }

    /// The bytes that were written, and where.
    pub fn content(&self, content: &[u8]) -> Vec<(usize, Vec<u8>)> {
        self.ranges
            .iter()
            .map(|range| {
                let end = range.end.min(content.len());
                (range.start, content[range.start..end].to_vec())
            })
            .collect()
    }

    pub fn write_to(&self, content: &[u8], file: &PagedFile) -> io::Result<()> {
        file.reserve(content.len() as u64)?;
        for range in &self.ranges {
            let end = range.end.min(content.len());
            file.write(range.start as u64, &content[range.start..end])?;
        }
        Ok(())
    }
}
