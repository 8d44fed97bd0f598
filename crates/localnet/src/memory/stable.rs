//! Stable memory as one message, or one installation of several steps, sees it.

use std::collections::BTreeSet;
use std::io;
use std::slice;
use std::sync::Arc;

use super::mapping::Mapping;
use super::paged_file::PagedFile;
use crate::limits::{OS_PAGE_BYTES, WASM_PAGE_BYTES};

/// A private view: it is mapped on first access, and its writes reach the file
/// only through `commit`.
#[derive(Debug)]
pub struct StableMemory {
    file: Arc<PagedFile>,
    pages: u64,
    mapping: Option<Mapping>,
    written: BTreeSet<u64>,
}

impl StableMemory {
    pub fn new(file: Arc<PagedFile>, pages: u64) -> Self {
        Self {
            file,
            pages,
            mapping: None,
            written: BTreeSet::new(),
        }
    }

    /// In Wasm pages.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    pub fn bytes(&self) -> u64 {
        self.pages * WASM_PAGE_BYTES
    }

    pub fn grow(&mut self, pages: u64) {
        self.pages += pages;
    }

    fn contains(&self, offset: u64, size: u64) -> bool {
        offset
            .checked_add(size)
            .is_some_and(|end| end <= self.bytes())
    }

    /// How many pages a write would be the first to touch.
    pub fn newly_written(&self, offset: u64, size: u64) -> u64 {
        if size == 0 || !self.contains(offset, size) {
            return 0;
        }
        let first = offset / OS_PAGE_BYTES;
        let last = (offset + size - 1) / OS_PAGE_BYTES;
        let known = self.written.range(first..=last).count() as u64;
        last - first + 1 - known
    }

    /// False if the range is out of bounds; then nothing is read.
    pub fn read(&mut self, offset: u64, out: &mut [u8]) -> io::Result<bool> {
        if !self.contains(offset, out.len() as u64) {
            return Ok(false);
        }
        if !out.is_empty() {
            out.copy_from_slice(self.view(offset, out.len())?);
        }
        Ok(true)
    }

    /// False if the range is out of bounds; then nothing is written.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<bool> {
        if !self.contains(offset, bytes.len() as u64) {
            return Ok(false);
        }
        if bytes.is_empty() {
            return Ok(true);
        }
        self.view(offset, bytes.len())?.copy_from_slice(bytes);
        let first = offset / OS_PAGE_BYTES;
        let last = (offset + bytes.len() as u64 - 1) / OS_PAGE_BYTES;
        self.written.extend(first..=last);
        Ok(true)
    }

    pub fn written_page_count(&self) -> u64 {
        self.written.len() as u64
    }

    /// What was written and is not in the file: where, and a page of bytes.
    pub fn written_content(&mut self) -> io::Result<Vec<(u64, Vec<u8>)>> {
        let pages: Vec<u64> = self.written.iter().copied().collect();
        pages
            .into_iter()
            .map(|page| {
                let offset = page * OS_PAGE_BYTES;
                Ok((offset, self.view(offset, OS_PAGE_BYTES as usize)?.to_vec()))
            })
            .collect()
    }

    fn view(&mut self, offset: u64, size: usize) -> io::Result<&mut [u8]> {
        let end = offset + size as u64;
        let mapped = self
            .mapping
            .as_ref()
            .map_or(0, |mapping| mapping.bytes() as u64);
        if end > mapped {
            let bytes = self.bytes().next_power_of_two();
            self.file.reserve(bytes)?;
            match &mut self.mapping {
                Some(mapping) => mapping.extend(bytes as usize)?,
                none => *none = Some(Mapping::private(&self.file, bytes as usize)?),
            }
        }
        let Some(mapping) = &mut self.mapping else {
            return Err(io::Error::other("BUG: stable memory is not mapped"));
        };
        // SAFETY: the range lies in the mapping, which `self` owns and borrows out once.
        Ok(unsafe { slice::from_raw_parts_mut(mapping.base().add(offset as usize), size) })
    }

    /// Writes what was written into the file. The caller holds its gate.
    pub fn commit(&mut self) -> io::Result<()> {
        let written = std::mem::take(&mut self.written);
        let mut pages = written.into_iter().peekable();
        while let Some(first) = pages.next() {
            let mut end = first + 1;
            while pages.next_if_eq(&end).is_some() {
                end += 1;
            }
            let offset = first * OS_PAGE_BYTES;
            let size = (end - first) * OS_PAGE_BYTES;
            let file = self.file.clone();
            file.write(offset, self.view(offset, size as usize)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(memory: &mut StableMemory, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![9; length];
        assert!(memory.read(offset, &mut bytes).unwrap());
        bytes
    }

    #[test]
    fn should_keep_writes_to_itself_until_they_are_committed() {
        let file = Arc::new(PagedFile::new().unwrap());
        let mut writer = StableMemory::new(Arc::clone(&file), 0);
        writer.grow(2);
        assert!(writer.write(65_530, b"over the edge").unwrap());
        assert_eq!(reading(&mut writer, 65_530, 13), b"over the edge");
        assert_eq!(
            reading(&mut StableMemory::new(Arc::clone(&file), 2), 65_530, 13),
            [0; 13]
        );
        writer.commit().unwrap();
        assert_eq!(
            reading(&mut StableMemory::new(file, 2), 65_530, 13),
            b"over the edge"
        );
    }

    #[test]
    fn should_keep_what_was_written_when_it_grows_past_its_mapping() {
        let mut memory = StableMemory::new(Arc::new(PagedFile::new().unwrap()), 1);
        assert!(memory.write(0, b"first").unwrap());
        memory.grow(1_000_000);
        assert!(memory.write(memory.bytes() - 4, b"last").unwrap());
        assert_eq!(reading(&mut memory, 0, 5), b"first");
        memory.commit().unwrap();
        let end = memory.bytes();
        assert_eq!(reading(&mut memory, end - 4, 4), b"last");
    }

    #[test]
    fn should_refuse_what_is_out_of_bounds() {
        let mut memory = StableMemory::new(Arc::new(PagedFile::new().unwrap()), 1);
        assert!(!memory.write(65_535, b"ab").unwrap());
        assert!(!memory.write(u64::MAX, b"ab").unwrap());
        assert!(!memory.read(65_536, &mut [0]).unwrap());
        assert!(memory.read(65_536, &mut []).unwrap());
        assert_eq!(memory.newly_written(65_535, 2), 0);
    }

    #[test]
    fn should_count_each_page_that_is_written_once() {
        let mut memory = StableMemory::new(Arc::new(PagedFile::new().unwrap()), 1);
        assert_eq!(memory.newly_written(4_095, 2), 2);
        assert!(memory.write(4_095, b"ab").unwrap());
        assert_eq!(memory.newly_written(0, 12_288), 1);
        assert_eq!(memory.written_page_count(), 2);
    }
}
