//! Which pages of a private file mapping have been written: those that are no
//! longer pages of the file.
//!
//! The kernel is asked for them by `PAGEMAP_SCAN` (Linux 6.7), which walks the
//! pages that are mapped and not the whole range; where it is unknown, the page
//! table is read entry by entry.

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

use crate::limits::OS_PAGE_BYTES;

/// Ranges of bytes, relative to `base`, that cover the pages written among the
/// first `bytes` bytes of the private mapping at `base`. Neighbours are joined.
pub fn written(base: *const u8, bytes: usize) -> io::Result<Vec<Range<usize>>> {
    static CAN_SCAN: AtomicBool = AtomicBool::new(true);
    if bytes == 0 {
        return Ok(Vec::new());
    }
    if CAN_SCAN.load(Ordering::Relaxed) {
        match scanned(base, bytes) {
            Err(Errno::NOTTY | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                CAN_SCAN.store(false, Ordering::Relaxed);
            }
            found => return Ok(found?),
        }
    }
    read_page_table(base, bytes)
}

/// Opened once: it speaks of this process's memory, whichever thread reads it.
fn pagemap() -> io::Result<&'static File> {
    static PAGEMAP: OnceLock<File> = OnceLock::new();
    match PAGEMAP.get() {
        Some(file) => Ok(file),
        None => {
            let file = File::open("/proc/self/pagemap")?;
            Ok(PAGEMAP.get_or_init(|| file))
        }
    }
}

/// Joins a range to the one before it if they touch.
fn add(found: &mut Vec<Range<usize>>, start: usize, end: usize) {
    match found.last_mut() {
        Some(last) if last.end == start => last.end = end,
        _ => found.push(start..end),
    }
}

/// From the kernel's linux/fs.h.
mod scan {
    pub const PAGE_IS_FILE: u64 = 1 << 2;
    pub const PAGE_IS_PRESENT: u64 = 1 << 3;
    pub const PAGE_IS_SWAPPED: u64 = 1 << 4;
    pub const GROUP: u8 = b'f';
    pub const NUMBER: u8 = 16;
}

const REGIONS_AT_ONCE: usize = 512;

/// `struct page_region`
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg`
#[repr(C)]
#[derive(Default)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    regions: u64,
    regions_length: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

// SAFETY: the opcode is that of PAGEMAP_SCAN and the argument has its layout;
// `regions` points to `regions_length` regions, which outlive the call.
unsafe impl Ioctl for &mut Scan {
    type Output = usize;
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<Scan>(scan::GROUP, scan::NUMBER)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::from_mut::<Scan>(self).cast()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> rustix::io::Result<usize> {
        Ok(output as usize)
    }
}

fn scanned(base: *const u8, bytes: usize) -> rustix::io::Result<Vec<Range<usize>>> {
    let pagemap = pagemap().map_err(|_| Errno::NOSYS)?;
    let page = OS_PAGE_BYTES;
    let first = base as u64;
    let end = first + (bytes as u64).next_multiple_of(page);
    let mut regions = [Region::default(); REGIONS_AT_ONCE];
    let mut found = Vec::new();
    let mut start = first;
    while start < end {
        let mut scan = Scan {
            size: size_of::<Scan>() as u64,
            start,
            end,
            regions: regions.as_mut_ptr() as u64,
            regions_length: REGIONS_AT_ONCE as u64,
            // Ours alone: in memory or swapped out, and not of the file.
            category_inverted: scan::PAGE_IS_FILE,
            category_mask: scan::PAGE_IS_FILE,
            category_anyof_mask: scan::PAGE_IS_PRESENT | scan::PAGE_IS_SWAPPED,
            return_mask: scan::PAGE_IS_PRESENT,
            ..Scan::default()
        };
        // SAFETY: see the implementation of `Ioctl`.
        let count = unsafe { ioctl(pagemap, &mut scan)? };
        for region in &regions[..count.min(REGIONS_AT_ONCE)] {
            add(
                &mut found,
                (region.start - first) as usize,
                (region.end - first) as usize,
            );
        }
        if scan.walk_end <= start {
            return Err(Errno::INVAL);
        }
        start = scan.walk_end;
    }
    Ok(found)
}

/// From the kernel's documentation of /proc/<pid>/pagemap.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const OF_FILE: u64 = 1 << 61;

const ENTRIES_AT_ONCE: usize = 64 << 10;

fn read_page_table(base: *const u8, bytes: usize) -> io::Result<Vec<Range<usize>>> {
    let page = OS_PAGE_BYTES as usize;
    let pages = bytes.div_ceil(page);
    let first = base as usize / page;
    let pagemap = pagemap()?;
    let mut entries = vec![0u8; ENTRIES_AT_ONCE.min(pages) * 8];
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut done = 0;
    while done < pages {
        let count = ENTRIES_AT_ONCE.min(pages - done);
        let buffer = &mut entries[..count * 8];
        pagemap.read_exact_at(buffer, ((first + done) * 8) as u64)?;
        for (index, entry) in buffer.as_chunks::<8>().0.iter().enumerate() {
            let entry = u64::from_ne_bytes(*entry);
            if entry & (PRESENT | SWAPPED) == 0 || entry & OF_FILE != 0 {
                continue;
            }
            let start = (done + index) * page;
            add(&mut found, start, start + page);
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

    type Find = fn(*const u8, usize) -> io::Result<Vec<Range<usize>>>;

    fn find_what_was_written(find: Find) {
        let page = OS_PAGE_BYTES as usize;
        let pages = 4 * REGIONS_AT_ONCE;
        let file = PagedFile::new().unwrap();
        file.write(0, &vec![1; 64 * page]).unwrap();
        file.reserve((pages * page) as u64).unwrap();
        let mapping = Mapping::private(&file, pages * page).unwrap();
        let at = |index: usize| {
            // SAFETY: the offset lies within the mapping.
            unsafe { mapping.base().add(index) }
        };
        let mut expected = vec![3 * page..5 * page, 63 * page..64 * page];
        let mut places = vec![3 * page, 4 * page + 7, 63 * page];
        // More ranges than the kernel reports at once.
        for index in (100..pages).step_by(3) {
            places.push(index * page);
            expected.push(index * page..(index + 1) * page);
        }
        for written in places {
            // SAFETY: the place is mapped and nobody else refers to it.
            unsafe { *at(written) = 2 };
        }
        // SAFETY: the place is mapped; reading does not make a page ours.
        let read = unsafe { *at(20 * page) };
        assert_eq!(read, 1);
        assert_eq!(find(mapping.base(), pages * page).unwrap(), expected);
    }

    #[test]
    fn should_find_the_pages_that_were_written_and_no_others() {
        find_what_was_written(written);
    }

    #[test]
    fn should_find_them_on_older_kernels_too() {
        find_what_was_written(read_page_table);
    }
}
