//! The memory that a packet socket shares with the kernel: blocks of packets (TPACKET_V3).
//!
//! A block belongs to the kernel or to us, as the word in its header says. While it is ours the kernel does
//! not touch it, so that it can be lent as a plain slice.
#![allow(unsafe_code, reason = "memory shared with the kernel; every block says why it holds")]
use super::sys;
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    ptr::NonNull,
    slice,
    sync::atomic::{AtomicU32, Ordering},
};

/// `TP_STATUS_USER`: the block is ours.
const OURS: u32 = 1;
/// Offset of `block_status` in `struct tpacket_block_desc`.
const STATUS: usize = 8;
/// What `block_size` is rounded up to: the page size of every kernel that is met (arm64 has up to 64 KiB).
const ROUNDING: u32 = 64 << 10;

/// The mapped blocks of one socket.
pub(crate) struct Ring {
    start: NonNull<u8>,
    block_size: usize,
    blocks: usize,
}

// SAFETY: the mapping belongs to this value alone and is bound to no thread; the kernel is the only other
// party, and the status words order what it and we do.
unsafe impl Send for Ring {}

impl Ring {
    /// Has the kernel set up the ring of a socket, and maps it. `block_size` is rounded up to 64 KiB.
    pub(crate) fn new(fd: &OwnedFd, block_size: u32, blocks: u32, timeout_ms: u32) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let block_size = block_size.max(1).checked_next_multiple_of(ROUNDING).ok_or_else(invalid)?;
        let blocks = blocks.max(2);
        // Of a frame only its number counts with this version: it must fill the blocks.
        let frame_size = ROUNDING;
        let request = libc::tpacket_req3 {
            tp_block_size: block_size,
            tp_block_nr: blocks,
            tp_frame_size: frame_size,
            tp_frame_nr: (block_size / frame_size).checked_mul(blocks).ok_or_else(invalid)?,
            // 0 would let the kernel choose by the link's speed.
            tp_retire_blk_tov: timeout_ms.max(1),
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        sys::set_option(fd, libc::SOL_PACKET, libc::PACKET_RX_RING, request)?;
        let (block_size, blocks) = (block_size as usize, blocks as usize);
        let length = block_size.checked_mul(blocks).ok_or_else(invalid)?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let start = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, fd.as_raw_fd(), 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(invalid)?;
        Ok(Self { start, block_size, blocks })
    }

    /// Number of blocks.
    pub(crate) fn blocks(&self) -> usize {
        self.blocks
    }

    fn at(&self, block: usize) -> NonNull<u8> {
        // SAFETY: below `blocks` whatever the argument, hence inside the mapping.
        unsafe { self.start.add((block % self.blocks) * self.block_size) }
    }

    fn status(&self, block: usize) -> &AtomicU32 {
        // SAFETY: inside the mapping, aligned (blocks start at pages), and alive as long as `self`. Both
        // sides use the word as an atomic only: no slice is handed out while the block is the kernel's, and
        // none that is handed out covers the word.
        unsafe { self.at(block).add(STATUS).cast::<AtomicU32>().as_ref() }
    }

    /// Whether a block is ours: full, or its time was over.
    #[inline]
    pub(crate) fn is_ours(&self, block: usize) -> bool {
        self.status(block).load(Ordering::Acquire) & OURS != 0
    }

    /// A block behind its status word (12 bytes); empty when it is the kernel's.
    #[inline]
    pub(crate) fn bytes(&self, block: usize) -> &[u8] {
        if !self.is_ours(block) {
            return &[];
        }
        // SAFETY: inside the mapping. The kernel does not write while the block is ours, and it stays ours
        // while the slice lives: `release` needs `&mut self`.
        unsafe {
            slice::from_raw_parts(self.at(block).add(BEHIND_STATUS).as_ptr(), self.block_size - BEHIND_STATUS)
        }
    }

    /// As [`Ring::bytes`], to be written to.
    #[inline]
    pub(crate) fn bytes_mut(&mut self, block: usize) -> &mut [u8] {
        if !self.is_ours(block) {
            return &mut [];
        }
        // SAFETY: as in `bytes`, and nobody else has a slice, since `self` is borrowed mutably.
        unsafe {
            slice::from_raw_parts_mut(
                self.at(block).add(BEHIND_STATUS).as_ptr(),
                self.block_size - BEHIND_STATUS,
            )
        }
    }

    /// Gives a block back to the kernel.
    #[inline]
    pub(crate) fn release(&mut self, block: usize) {
        self.status(block).store(0, Ordering::Release);
    }

    /// How many blocks from `next` on are ours.
    pub(crate) fn waiting(&self, next: usize) -> usize {
        // They lie in one row, which the kernel fills in order: halve what is not known.
        let (mut ours, mut unknown) = (0, self.blocks);
        while unknown > 0 {
            let half = unknown.div_ceil(2);
            if self.is_ours(next + ours + half - 1) {
                ours += half;
                unknown -= half;
            } else {
                unknown = half - 1;
            }
        }
        ours
    }
}

/// Slices of a block begin here; offsets of the kernel's count from the block's start.
pub(crate) const BEHIND_STATUS: usize = STATUS + 4;

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, of which no reference is left.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.block_size * self.blocks) };
    }
}
