//! Which pages of a private file mapping have been written: those that are no
//! longer pages of the file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::limits::OS_PAGE_BYTES;

/// From the kernel's documentation of /proc/<pid>/pagemap.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const OF_FILE: u64 = 1 << 61;

const ENTRIES_AT_ONCE: usize = 64 << 10;

/// Ranges of bytes, relative to `base`, that cover the pages written among the
/// first `bytes` bytes of the private mapping at `base`. Neighbours are joined.
pub fn written(base: *const u8, bytes: usize) -> io::Result<Vec<Range<usize>>> {
    let page = OS_PAGE_BYTES as usize;
    let pages = bytes.div_ceil(page);
    let first = base as usize / page;
    let pagemap = File::open("/proc/self/pagemap")?;
    let mut entries = vec![0u8; ENTRIES_AT_ONCE.min(pages) * 8];
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut done = 0;
    while done < pages {
        let count = ENTRIES_AT_ONCE.min(pages - done);
        let buffer = &mut entries[..count * 8];
        pagemap.read_exact_at(buffer, ((first + done) * 8) as u64)?;
        for (index, entry) in buffer.chunks_exact(8).enumerate() {
            let entry = u64::from_ne_bytes([
                entry[0], entry[1], entry[2], entry[3], entry[4], entry[5], entry[6], entry[7],
            ]);
            if entry & (PRESENT | SWAPPED) == 0 || entry & OF_FILE != 0 {
                continue;
            }
            let start = (done + index) * page;
            match found.last_mut() {
                Some(last) if last.end == start => last.end = start + page,
                _ => found.push(start..start + page),
            }
        }
        done += count;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::PagedFile;
    use crate::memory::mapping::Mapping;

    #[test]
    fn should_find_the_pages_that_were_written_and_no_others() {
        let page = OS_PAGE_BYTES as usize;
        let file = PagedFile::new().unwrap();
        file.write(0, &vec![1; 64 * page]).unwrap();
        let mapping = Mapping::private(&file, 64 * page).unwrap();
        let at = |index: usize| {
            // SAFETY: the offset lies within the mapping.
            unsafe { mapping.base().add(index) }
        };
        for written in [3 * page, 4 * page + 7, 63 * page] {
            // SAFETY: the place is mapped and nobody else refers to it.
            unsafe { *at(written) = 2 };
        }
        // SAFETY: the place is mapped; reading does not make a page ours.
        let read = unsafe { *at(20 * page) };
        assert_eq!(read, 1);
        let found = super::written(mapping.base(), 64 * page).unwrap();
        assert_eq!(found, [3 * page..5 * page, 63 * page..64 * page]);
    }
}
