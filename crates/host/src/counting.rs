//! An allocator that counts, for those who want to know what something costs in memory. It is nobody's allocator by itself.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicI64, Ordering},
};

/// The system's allocator, with a sum of what is allocated.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: mainstay_host::CountingAllocator = mainstay_host::CountingAllocator::new();
///
/// let before = ALLOCATOR.live_bytes();
/// let kept = vec![0_u8; 1_000];
/// assert!(ALLOCATOR.live_bytes() >= before + 1_000);
/// # drop(kept);
/// ```
#[derive(Debug, Default)]
pub struct CountingAllocator {
    live: AtomicI64,
}

impl CountingAllocator {
    /// It has counted nothing yet.
    pub const fn new() -> Self {
        Self { live: AtomicI64::new(0) }
    }

    /// What is allocated now.
    pub fn live_bytes(&self) -> i64 {
        self.live.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize, sign: i64) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.live.fetch_add(bytes.saturating_mul(sign), Ordering::Relaxed);
    }
}

// SAFETY: everything is handed on to the system's allocator as it came, and only the sizes are added up.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.add(layout.size(), 1);
        // SAFETY: the caller keeps the promises that this asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.add(layout.size(), -1);
        // SAFETY: what was allocated here came from there.
        unsafe { System.dealloc(pointer, layout) }
    }
}
