//! Keeping an idle process small: one arena for the allocator, and clean pages given back.

use std::{ffi::c_void, fs};

/// Makes the allocator frugal; to be called before the first thread is made.
pub fn settle_allocator() {
    // SAFETY: these calls only set numbers inside of the allocator.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 32 * 1024);
        libc::mallopt(libc::M_TOP_PAD, 16 * 1024);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 64 * 1024);
    }
}

/// Gives back free memory, and pages that can be read from their files again: programs' code and constants. They come back
/// when they are needed; a process that then waits for hours has no use for what its start touched.
pub fn release_clean_pages() {
    // SAFETY: it only gives back memory that nobody uses.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
    let Ok(maps) = fs::read_to_string("/proc/self/smaps") else { return };
    for (start, end) in clean_file_mappings(&maps) {
        // SAFETY: the mapping is private, of a file, not writable, and has no page of its own (`Anonymous: 0`): dropping
        // its pages loses nothing, and the next access reads the file again.
        unsafe { libc::madvise(start as *mut c_void, end - start, libc::MADV_DONTNEED) };
    }
}

/// Mappings of files that are not writable and that hold nothing but what is in the file.
fn clean_file_mappings(maps: &str) -> Vec<(usize, usize)> {
    let mut clean = Vec::new();
    let mut current: Option<(usize, usize)> = None;
    for line in maps.lines() {
        if let Some(range) = mapping_start(line) {
            current = range;
        } else if let Some(kilobytes) = line.strip_prefix("Anonymous:") {
            let range = current.take();
            if kilobytes.split_whitespace().next() == Some("0") {
                clean.extend(range);
            }
        }
    }
    clean
}

/// `Some(None)`: a line that begins a mapping, but none that can be dropped.
fn mapping_start(line: &str) -> Option<Option<(usize, usize)>> {
    let mut fields = line.split_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    let mode = fields.next()?;
    let is_file = fields.nth(3).is_some_and(|path| path.starts_with('/'));
    Some((is_file && matches!(mode, "r-xp" | "r--p")).then_some((start, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
1000-2000 r--p 00000000 fe:00 1 /usr/bin/x
Rss: 4 kB
Anonymous:             0 kB
2000-3000 r-xp 00001000 fe:00 1 /usr/bin/x y
Anonymous:             0 kB
3000-4000 r--p 00002000 fe:00 1 /usr/bin/x
Anonymous:             4 kB
4000-5000 rw-p 00003000 fe:00 1 /usr/bin/x
Anonymous:             0 kB
5000-6000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
";

    #[test]
    fn only_what_is_in_a_file_is_dropped() {
        assert_eq!(clean_file_mappings(MAPS), [(0x1000, 0x2000), (0x2000, 0x3000)]);
    }

    #[test]
    fn the_process_lives_on() {
        let before = vec![7_u8; 100_000];
        release_clean_pages();
        assert!(before.iter().all(|byte| *byte == 7));
    }
}
