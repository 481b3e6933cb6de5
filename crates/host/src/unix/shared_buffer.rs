//! Memory that outlives its process: a locked, shared mapping of a file on tmpfs. What the bytes mean is not known here.

use std::{
    ffi::c_void,
    fs::File,
    io,
    os::{fd::AsFd, unix::fs::FileExt},
    path::Path,
    ptr::{self, NonNull},
    slice,
    sync::atomic::{Ordering, compiler_fence},
};

use rustix::{
    fs::FallocateFlags,
    mm::{MapFlags, ProtFlags, mlock, mmap, munmap},
};

use crate::open_private;

/// A mapping of a file; every store reaches the file in the order of the program, whatever happens to the process.
#[derive(Debug)]
pub struct SharedBuffer {
    start: NonNull<u8>,
    length: usize,
    locked: bool,
}

// SAFETY: the mapping belongs to this value alone, and mapped memory can be used from any thread.
unsafe impl Send for SharedBuffer {}

/// Whether the file was there with this length already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was, with what a process before left in it.
    Kept,
    /// It is new, and full of zeros.
    Fresh,
}

impl SharedBuffer {
    /// Maps the file; one of another length is replaced. All its pages are there afterwards: a fault that fails later
    /// would kill us, and one in the middle of a `read` would count bytes twice.
    ///
    /// # Errors
    /// The file cannot be made or mapped, or its file system is full.
    pub fn open(path: &Path, length: usize) -> io::Result<(Self, Found)> {
        let file = open_private(path)?;
        let found = if file.metadata()?.len() == length as u64 { Found::Kept } else { Found::Fresh };
        if found == Found::Fresh {
            file.set_len(0)?;
        }
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, length as u64)?;
        Ok((Self::map(&file, length)?, found))
    }

    fn map(file: &File, length: usize) -> io::Result<Self> {
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory that is in use.
        let start = unsafe { mmap(ptr::null_mut(), length, protection, flags, file, 0)? };
        // SAFETY: this is the mapping just made.
        let locked = unsafe { mlock(start, length) }.is_ok();
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length, locked })
    }

    /// Whether the pages are locked into memory.
    pub fn is_locked(&self) -> bool {
        self.locked
    }

    /// The number stored at this place; 0 beyond the end.
    pub fn load(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        match self.bytes(at, 8) {
            [] => {}
            part => bytes.copy_from_slice(part),
        }
        compiler_fence(Ordering::SeqCst);
        u64::from_le_bytes(bytes)
    }

    /// Stores a number; what comes earlier in the program is stored earlier. A place beyond the end is left alone.
    pub fn store(&mut self, at: usize, value: u64) {
        compiler_fence(Ordering::SeqCst);
        if at.is_multiple_of(8) && self.inside(at, 8) {
            // SAFETY: the place lies inside the mapping and is aligned, as the mapping begins at a page.
            unsafe { self.start.as_ptr().add(at).cast::<u64>().write_volatile(value.to_le()) };
        }
        compiler_fence(Ordering::SeqCst);
    }

    /// The bytes at this place; none when they are not all inside.
    pub fn bytes(&self, at: usize, length: usize) -> &[u8] {
        if !self.inside(at, length) {
            return &[];
        }
        // SAFETY: they lie inside the mapping, every byte of a mapping is initialised, and `&self` keeps our own writes
        // away for as long as the slice lives.
        unsafe { slice::from_raw_parts(self.start.as_ptr().add(at), length) }
    }

    /// Copies bytes to this place; nothing happens when they do not all fit.
    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        compiler_fence(Ordering::SeqCst);
        if let Some(place) = self.place(at, bytes.len()) {
            place.copy_from_slice(bytes);
        }
        compiler_fence(Ordering::SeqCst);
    }

    /// Fills bytes at this place; nothing happens when they are not all inside.
    pub fn fill(&mut self, at: usize, length: usize, value: u8) {
        compiler_fence(Ordering::SeqCst);
        if let Some(place) = self.place(at, length) {
            place.fill(value);
        }
        compiler_fence(Ordering::SeqCst);
    }

    /// One `read(2)` straight to this place; 0 at the end of a pipe.
    ///
    /// # Errors
    /// `read(2)`, and a place that is not inside.
    pub fn read_from(&mut self, source: impl AsFd, at: usize, length: usize) -> io::Result<usize> {
        let place = self.place(at, length).ok_or(io::ErrorKind::InvalidInput)?;
        compiler_fence(Ordering::SeqCst);
        let count = rustix::io::read(source, place)?;
        compiler_fence(Ordering::SeqCst);
        Ok(count)
    }

    /// One `pwrite(2)` straight from this place.
    ///
    /// # Errors
    /// `pwrite(2)`.
    pub fn write_to(&self, file: &File, offset: u64, at: usize, length: usize) -> io::Result<usize> {
        file.write_at(self.bytes(at, length), offset)
    }

    fn place(&mut self, at: usize, length: usize) -> Option<&mut [u8]> {
        if !self.inside(at, length) {
            return None;
        }
        // SAFETY: as in `bytes`, and `&mut self` makes it the only one.
        Some(unsafe { slice::from_raw_parts_mut(self.start.as_ptr().add(at), length) })
    }

    fn inside(&self, at: usize, length: usize) -> bool {
        at.checked_add(length).is_some_and(|end| end <= self.length)
    }
}

impl Drop for SharedBuffer {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing borrows from it any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast::<c_void>(), self.length) };
    }
}
