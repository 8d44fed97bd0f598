//! Address space that is unmapped when it goes out of scope.

use std::ffi::c_void;
use std::io;
use std::ptr;

use rustix::mm::{MapFlags, MremapFlags, ProtFlags, mmap, mmap_anonymous, mremap, munmap};

use super::PagedFile;

#[derive(Debug)]
pub struct Mapping {
    base: *mut u8,
    bytes: usize,
}

// SAFETY: the mapping is owned by this value; access follows the borrow rules of its owner.
unsafe impl Send for Mapping {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Address space that faults on access.
    pub fn reserve(bytes: usize) -> io::Result<Self> {
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let base = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                bytes,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )?
        };
        Ok(Self {
            base: base.cast(),
            bytes,
        })
    }

    /// The beginning of a file, writable without the file being changed. The
    /// file must be at least that long.
    pub fn private(file: &PagedFile, bytes: usize) -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let base = unsafe {
            mmap(
                ptr::null_mut(),
                bytes,
                protection,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
                file.fd(),
                0,
            )?
        };
        Ok(Self {
            base: base.cast(),
            bytes,
        })
    }

    /// Puts `range` of the file, private and writable, at the same place in
    /// this mapping, over what was there.
    pub fn overlay(&mut self, file: &PagedFile, start: usize, end: usize) -> io::Result<()> {
        assert!(
            start <= end && end <= self.bytes,
            "BUG: an overlay outside its mapping"
        );
        if start == end {
            return Ok(());
        }
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: the range lies in this mapping, which this value owns.
        unsafe {
            let at = self.base.add(start).cast::<c_void>();
            mmap(at, end - start, protection, flags, file.fd(), start as u64)?;
        }
        Ok(())
    }

    /// Makes a mapping of a file longer; pages already written stay as they are.
    pub fn extend(&mut self, bytes: usize) -> io::Result<()> {
        // SAFETY: the old mapping is owned by this value, and no reference into it is alive.
        let base = unsafe { mremap(self.base.cast(), self.bytes, bytes, MremapFlags::MAYMOVE)? };
        self.base = base.cast();
        self.bytes = bytes;
        Ok(())
    }

    pub fn base(&self) -> *mut u8 {
        self.base
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by this value and nothing refers to it any more.
        let unmapped = unsafe { munmap(self.base.cast(), self.bytes) };
        debug_assert!(unmapped.is_ok());
    }
}
