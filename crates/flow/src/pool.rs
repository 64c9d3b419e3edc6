//! Pages for out-of-order bytes, with a cap in total.
use crate::reassembly::Reassembly;

/// Bytes in a page: holds one segment of an Ethernet MTU.
pub(crate) const PAGE: usize = 2048;
/// Pages that are allocated at once.
const BLOCK: usize = 32;
/// Idle reassembly states that are kept for the next flow that needs one.
const SPARE: usize = 1024;

/// A page of the pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PageId(u32);

/// Pages and reassembly states; both are reused, so that a steady state allocates nothing.
#[derive(Debug)]
pub(crate) struct Pool {
    blocks: Vec<Box<[[u8; PAGE]; BLOCK]>>,
    free: Vec<PageId>,
    max_pages: usize,
    used: usize,
    #[allow(clippy::vec_box, reason = "the boxes go to flows and come back as they are")]
    spare: Vec<Box<Reassembly>>,
}

impl Pool {
    pub(crate) fn new(max_bytes: u32) -> Self {
        let max_pages = (max_bytes as usize / PAGE).max(1);
        Self { blocks: Vec::new(), free: Vec::new(), max_pages, used: 0, spare: Vec::new() }
    }

    /// Pages in use.
    pub(crate) const fn used(&self) -> usize {
        self.used
    }

    /// Whether `pages` more can be had.
    pub(crate) const fn has(&self, pages: usize) -> bool {
        self.used.saturating_add(pages) <= self.max_pages
    }

    /// A page with a copy of `bytes`, which are at most [`PAGE`] long; `None` when the cap is reached.
    pub(crate) fn store(&mut self, bytes: &[u8]) -> Option<PageId> {
        if !self.has(1) {
            return None;
        }
        if self.free.is_empty() {
            let first = (self.blocks.len() * BLOCK) as u32;
            self.blocks.push(Box::new([[0; PAGE]; BLOCK]));
            self.free.extend((first..first + BLOCK as u32).rev().map(PageId));
        }
        let id = self.free.pop()?;
        let room = self.page_mut(id)?.get_mut(..bytes.len())?;
        room.copy_from_slice(bytes);
        self.used += 1;
        Some(id)
    }

    /// The first `len` bytes of a page.
    pub(crate) fn get(&self, id: PageId, len: usize) -> &[u8] {
        let index = id.0 as usize;
        self.blocks
            .get(index / BLOCK)
            .and_then(|b| b.get(index % BLOCK))
            .and_then(|p| p.get(..len))
            .unwrap_or_default()
    }

    fn page_mut(&mut self, id: PageId) -> Option<&mut [u8; PAGE]> {
        let index = id.0 as usize;
        self.blocks.get_mut(index / BLOCK)?.get_mut(index % BLOCK)
    }

    /// Gives a page back.
    pub(crate) fn release(&mut self, id: PageId) {
        self.used = self.used.saturating_sub(1);
        self.free.push(id);
    }

    /// An empty reassembly state.
    pub(crate) fn reassembly(&mut self) -> Box<Reassembly> {
        self.spare.pop().unwrap_or_default()
    }

    /// Gives a reassembly state back; it must be empty.
    pub(crate) fn recycle(&mut self, state: Box<Reassembly>) {
        if self.spare.len() < SPARE {
            self.spare.push(state);
        }
    }
}
