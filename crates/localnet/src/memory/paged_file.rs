//! The committed content of one memory, in a file: an anonymous one, or one of
//! a folder that outlives the process.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rustix::fs::{MemfdFlags, SeekFrom, ftruncate, memfd_create, seek};
use rustix::io::Errno;

use super::folder::{Folder, Place};

/// A sparse file that only grows. Bytes past the logical size of the memory
/// that it backs are zero: nothing is ever committed there.
#[derive(Debug)]
pub struct PagedFile {
    file: File,
    capacity: RwLock<u64>,
    /// Held shared while a query maps the file, exclusively while a commit writes it.
    gate: RwLock<()>,
    /// Where it is kept; absent for an anonymous file.
    place: Option<Place>,
}

/// Where new memories are put.
#[derive(Clone, Debug, Default)]
pub struct Files {
    folder: Option<Arc<Folder>>,
}

impl Files {
    pub fn in_folder(folder: Arc<Folder>) -> Self {
        Self {
            folder: Some(folder),
        }
    }

    /// An empty memory.
    pub fn create(&self) -> io::Result<PagedFile> {
        match &self.folder {
            None => PagedFile::new(),
            Some(folder) => {
                let (file, place) = folder.create_file()?;
                Ok(PagedFile::of(file, 0, Some(place)))
            }
        }
    }

    /// A memory that was kept.
    pub fn open(&self, number: u64) -> io::Result<PagedFile> {
        let folder = self
            .folder
            .as_ref()
            .ok_or_else(|| io::Error::other("BUG: no folder to open a memory in"))?;
        let (file, place) = folder.open_file(number)?;
        let capacity = file.metadata()?.len();
        Ok(PagedFile::of(file, capacity, Some(place)))
    }
}

impl PagedFile {
    pub fn new() -> io::Result<Self> {
        let file = File::from(memfd_create("stoa-memory", MemfdFlags::CLOEXEC)?);
        Ok(Self::of(file, 0, None))
    }

    fn of(file: File, capacity: u64, place: Option<Place>) -> Self {
        Self {
            file,
            capacity: RwLock::new(capacity),
            gate: RwLock::new(()),
            place,
        }
    }

    /// Its number in the folder that keeps it.
    pub fn number(&self) -> Option<u64> {
        self.place.as_ref().map(|place| place.number)
    }

    /// An empty memory beside this one.
    fn sibling(&self) -> io::Result<Self> {
        let folder = self.place.as_ref().map(|place| Arc::clone(place.folder()));
        Files { folder }.create()
    }

    /// Makes the file at least this long.
    pub fn reserve(&self, bytes: u64) -> io::Result<()> {
        let mut capacity = self
            .capacity
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if *capacity < bytes {
            ftruncate(&self.file, bytes)?;
            *capacity = bytes;
        }
        Ok(())
    }

    pub fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.reserve(offset + bytes.len() as u64)?;
        if let Some(place) = &self.place {
            place.save(offset, bytes.len(), |at, old| self.read(at, old))?;
        }
        self.file.write_all_at(bytes, offset)
    }

    /// Reads committed content; what lies past the end of the file is zero.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match self
                .file
                .read_at(&mut bytes[done..], offset + done as u64)?
            {
                0 => break,
                read => done += read,
            }
        }
        bytes[done..].fill(0);
        Ok(())
    }

    /// A copy of the first `bytes` bytes in a file of its own; holes stay holes.
    pub fn copy(&self, bytes: u64) -> io::Result<Self> {
        const STEP: u64 = 1 << 20;
        let copy = self.sibling()?;
        copy.reserve(bytes)?;
        let mut buffer = vec![0; STEP as usize];
        let mut offset = 0;
        while offset < bytes {
            let data = match seek(&self.file, SeekFrom::Data(offset)) {
                Ok(data) => data.min(bytes),
                // Nothing but a hole from here on.
                Err(Errno::NXIO) => break,
                Err(error) => return Err(error.into()),
            };
            let hole = seek(&self.file, SeekFrom::Hole(data))?.min(bytes);
            offset = data;
            while offset < hole {
                let step = STEP.min(hole - offset);
                let piece = &mut buffer[..step as usize];
                self.read(offset, piece)?;
                copy.write(offset, piece)?;
                offset += step;
            }
        }
        Ok(copy)
    }

    pub fn enter(&self) -> RwLockReadGuard<'_, ()> {
        self.gate
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn enter_exclusively(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_copy_data_and_leave_holes() {
        let file = PagedFile::new().unwrap();
        file.reserve(64 << 30).unwrap();
        file.write(5, b"near").unwrap();
        file.write(40 << 30, b"far").unwrap();
        let copy = file.copy(50 << 30).unwrap();
        file.write(5, b"gone").unwrap();
        let read = |offset, length| {
            let mut bytes = vec![1; length];
            copy.read(offset, &mut bytes).unwrap();
            bytes
        };
        assert_eq!(read(4, 6), b"\0near\0");
        assert_eq!(read(40 << 30, 4), b"far\0");
        assert_eq!(read(63 << 30, 2), [0, 0], "what lies past the end is zero");
    }

    #[test]
    fn should_read_zeros_where_nothing_was_written() {
        let file = PagedFile::new().unwrap();
        let mut bytes = [7; 16];
        file.read(1 << 20, &mut bytes).unwrap();
        assert_eq!(bytes, [0; 16]);
    }
}
