//! The committed content of one memory, in an anonymous file.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

/// A sparse file that only grows. Bytes past the logical size of the memory
/// that it backs are zero: nothing is ever committed there.
#[derive(Debug)]
pub struct PagedFile {
    file: File,
    capacity: RwLock<u64>,
    /// Held shared while a query maps the file, exclusively while a commit writes it.
    gate: RwLock<()>,
}

impl PagedFile {
    pub fn new() -> io::Result<Self> {
        let file = File::from(memfd_create("stoa-memory", MemfdFlags::CLOEXEC)?);
        Ok(Self { file, capacity: RwLock::new(0), gate: RwLock::new(()) })
    }

    /// Makes the file at least this long.
    pub fn reserve(&self, bytes: u64) -> io::Result<()> {
        let mut capacity = self.capacity.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if *capacity < bytes {
            ftruncate(&self.file, bytes)?;
            *capacity = bytes;
        }
        Ok(())
    }

    pub fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.reserve(offset + bytes.len() as u64)?;
        self.file.write_all_at(bytes, offset)
    }

    /// Reads committed content; what lies past the end of the file is zero.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match self.file.read_at(&mut bytes[done..], offset + done as u64)? {
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
        let copy = Self::new()?;
        copy.reserve(bytes)?;
        let mut buffer = vec![0; STEP as usize];
        let mut offset = 0;
        while offset < bytes {
            let step = STEP.min(bytes - offset) as usize;
            let piece = &mut buffer[..step];
            self.read(offset, piece)?;
            if piece.iter().any(|byte| *byte != 0) {
                copy.write(offset, piece)?;
            }
            offset += step as u64;
        }
        Ok(copy)
    }

    pub fn enter(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn enter_exclusively(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
