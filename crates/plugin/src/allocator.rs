//! The allocator of every component: it only moves forward. A call lives for microseconds in an instance of its own,
//! and the host takes the whole memory back afterwards, so freeing is work for nothing. Must not be used where an
//! instance lives on.
#![allow(unsafe_code, reason = "a global allocator")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;

const PAGE: usize = 65_536;

struct Forward {
    /// First free address; 0 before the first allocation.
    next: Cell<usize>,
    /// End of the memory that has been grown.
    end: Cell<usize>,
}

// SAFETY: components have one thread.
unsafe impl Sync for Forward {}

#[global_allocator]
static ALLOCATOR: Forward = Forward { next: Cell::new(0), end: Cell::new(0) };

unsafe extern "C" {
    /// Put by the linker at the first address after data and stack.
    static __heap_base: u8;
}

impl Forward {
    #[cold]
    fn start(&self) {
        // Only the address is taken; nothing is read through it.
        self.next.set((&raw const __heap_base) as usize);
        self.end.set(core::arch::wasm32::memory_size(0) * PAGE);
    }

    #[cold]
    fn grow(&self, to: usize) -> bool {
        let pages = (to - self.end.get()).div_ceil(PAGE);
        if core::arch::wasm32::memory_grow(0, pages) == usize::MAX {
            return false;
        }
        self.end.set(core::arch::wasm32::memory_size(0) * PAGE);
        true
    }
}

// SAFETY: every block lies between `__heap_base` and the end of memory, aligned as asked, and blocks never overlap,
// since `next` only grows past each block handed out; `realloc` in place extends only the last one.
unsafe impl GlobalAlloc for Forward {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.next.get() == 0 {
            self.start();
        }
        let Some(start) = self.next.get().checked_next_multiple_of(layout.align()) else {
            return core::ptr::null_mut();
        };
        match start.checked_add(layout.size()) {
            Some(end) if end <= self.end.get() || self.grow(end) => {
                self.next.set(end);
                start as *mut u8
            }
            _ => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let last = old as usize + layout.size() == self.next.get();
        if last
            && let Some(end) = (old as usize).checked_add(size)
            && (end <= self.end.get() || self.grow(end))
        {
            self.next.set(end);
            return old;
        }
        if size <= layout.size() {
            return old;
        }
        // SAFETY: the caller guarantees a layout that `alloc` accepts and an old block of `layout`.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                core::ptr::copy_nonoverlapping(old, new, layout.size());
            }
            new
        }
    }
}
