//! Canister memory: pages that a message may write and that nobody else sees
//! until it has succeeded.
//!
//! A `PagedFile` holds what is committed. A message works on a private mapping
//! of it, so the kernel copies the pages that it writes; success copies those
//! back into the file, failure drops the mapping. The cost of either is that of
//! the pages touched, however large the memory is.

mod dirty_pages;
mod folder;
mod heap;
mod mapping;
mod paged_file;
mod stable;

pub use folder::Folder;
pub use heap::{Heap, HeapCreator, HeapWrites};
pub use paged_file::{Files, PagedFile};
pub use stable::StableMemory;
