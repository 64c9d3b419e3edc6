//! The memory that AF_XDP sockets share with the kernel: frames that packets are written to, and rings of their
//! addresses.
//!
//! A frame belongs to the kernel from when its address is put on the fill ring until it comes back on a receive
//! ring. [`Frame`] stands for one that is ours: there is never a second one of it, whatever the kernel writes to
//! the rings, so that its bytes can be lent as a plain slice. The rings themselves are only read and written by
//! atomics. (`xdpilone`, the crate for these sockets, leaves both to its user's `unsafe` code.)
#![allow(unsafe_code, reason = "memory shared with the kernel; every block says why it holds")]
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    ptr::NonNull,
    slice,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

/// Pages that are mapped, until the value is dropped.
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to this value alone and is bound to no thread. Its bytes are reached through the
// two types below alone: words by atomics, frames by their only owner.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps what `of` has at `offset`; new memory without a descriptor.
    fn new(of: Option<&OwnedFd>, length: usize, offset: u64) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let offset = libc::off64_t::try_from(offset).map_err(|_| invalid())?;
        let (fd, kind) = match of {
            Some(fd) => (fd.as_raw_fd(), libc::MAP_SHARED | libc::MAP_POPULATE),
            None => (-1, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS),
        };
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let start = unsafe {
            libc::mmap64(std::ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, kind, fd, offset)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start: NonNull::new(start.cast()).ok_or_else(invalid)?, length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, of which no reference is left.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// A frame that is ours, with a packet or a part of one in it.
#[derive(Debug)]
pub(crate) struct Frame {
    number: u32,
    /// Where the packet begins in the frame.
    at: u32,
    len: u32,
}

/// The frames that packets of one queue are written to.
pub(crate) struct Frames {
    memory: Mapping,
    size: u32,
    /// Which of them are ours; the others are the kernel's.
    ours: Box<[AtomicBool]>,
}

impl Frames {
    /// `count` frames of `size` bytes each (a power of two), all of them the kernel's.
    pub(crate) fn new(count: u32, size: u32) -> io::Result<Self> {
        let length = (count as usize).checked_mul(size as usize).ok_or(io::ErrorKind::InvalidInput)?;
        let memory = Mapping::new(None, length, 0)?;
        let ours = (0..count).map(|_| AtomicBool::new(false)).collect();
        Ok(Self { memory, size: size.max(1), ours })
    }

    /// What the kernel has to know of them: address and length in bytes.
    pub(crate) fn area(&self) -> (u64, u64) {
        (self.memory.start.as_ptr() as u64, self.memory.length as u64)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.ours.len() as u32
    }

    /// Takes the frame that the kernel has given back, with `len` bytes at `address`. `None` when it is no frame,
    /// or not one that the kernel had.
    #[inline]
    pub(crate) fn take(&self, address: u64, len: u32) -> Option<Frame> {
        let number = u32::try_from(address / u64::from(self.size)).ok()?;
        let at = (address % u64::from(self.size)) as u32;
        let ours = self.ours.get(number as usize)?;
        if at.checked_add(len)? > self.size || ours.swap(true, Ordering::AcqRel) {
            return None;
        }
        Some(Frame { number, at, len })
    }

    /// What is in a frame.
    #[inline]
    pub(crate) fn bytes<'a>(&'a self, frame: &'a Frame) -> &'a [u8] {
        let from =
            (frame.number as usize).saturating_mul(self.size as usize).saturating_add(frame.at as usize);
        if from.saturating_add(frame.len as usize) > self.memory.length {
            // A frame of other memory.
            return &[];
        }
        // SAFETY: inside the mapping, as was just seen, which lives as long as the slice. The kernel writes to
        // frames that it was given alone, and this one is ours while the slice lives: a `Frame` cannot be copied,
        // `take` makes no second one, and `give_back` consumes it. We write to no frame.
        unsafe { slice::from_raw_parts(self.memory.start.as_ptr().add(from), frame.len as usize) }
    }

    /// The address of a frame that is the kernel's from now on, for the fill ring.
    #[inline]
    #[expect(clippy::needless_pass_by_value, reason = "whoever gives a frame back has it no more")]
    pub(crate) fn give_back(&self, frame: Frame) -> u64 {
        let Frame { number, .. } = frame;
        if let Some(ours) = self.ours.get(number as usize) {
            ours.store(false, Ordering::Release);
        }
        u64::from(number) * u64::from(self.size)
    }
}

/// Where the parts of a ring are: `struct xdp_ring_offset`.
#[derive(Clone, Copy)]
pub(crate) struct Offsets {
    pub(crate) producer: u64,
    pub(crate) consumer: u64,
    pub(crate) entries: u64,
    pub(crate) flags: u64,
}

/// One ring: what one side has produced and the other not consumed yet.
pub(crate) struct Ring {
    memory: Mapping,
    producer: usize,
    consumer: usize,
    flags: usize,
    entries: usize,
    /// Words of 8 bytes in an entry.
    width: usize,
    /// Entries, a power of two.
    size: u32,
}

impl Ring {
    /// Maps the ring of a socket at `page`, with `size` entries of `width` words.
    pub(crate) fn new(socket: &OwnedFd, page: u64, at: Offsets, width: usize, size: u32) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let place = |offset: u64, align: usize| {
            let place = usize::try_from(offset).map_err(|_| invalid())?;
            if place.is_multiple_of(align) { Ok(place) } else { Err(invalid()) }
        };
        let (producer, consumer) = (place(at.producer, 4)?, place(at.consumer, 4)?);
        let (flags, entries) = (place(at.flags, 4)?, place(at.entries, 8)?);
        let length = (size as usize).checked_mul(8 * width).and_then(|bytes| bytes.checked_add(entries));
        let length = length.ok_or_else(invalid)?;
        let inside = |word: usize| word.checked_add(4).is_some_and(|end| end <= length);
        if !size.is_power_of_two() || ![producer, consumer, flags].into_iter().all(inside) {
            return Err(invalid());
        }
        let memory = Mapping::new(Some(socket), length, page)?;
        Ok(Self { memory, producer, consumer, flags, entries, width, size })
    }

    fn word(&self, at: usize) -> &AtomicU32 {
        // SAFETY: `at` is one of the three offsets that `new` found to be aligned and inside the mapping (which
        // starts at a page). Both sides use the word as an atomic only.
        unsafe { self.memory.start.add(at).cast::<AtomicU32>().as_ref() }
    }

    /// A word of an entry, whatever its number.
    fn entry(&self, number: u32, word: usize) -> &AtomicU64 {
        let place = (number & (self.size - 1)) as usize * self.width + word % self.width.max(1);
        // SAFETY: below `size * width`, for which `new` has made the mapping long enough; aligned, since
        // `entries` is. We use it as an atomic only; what the kernel writes meanwhile is a number at worst.
        unsafe { self.memory.start.add(self.entries + 8 * place).cast::<AtomicU64>().as_ref() }
    }

    /// How many entries were produced and not consumed; at most all.
    #[inline]
    pub(crate) fn waiting(&self) -> u32 {
        let consumed = self.word(self.consumer).load(Ordering::Relaxed);
        self.word(self.producer).load(Ordering::Acquire).wrapping_sub(consumed).min(self.size)
    }

    /// Consumes an entry of a receive ring: address, length and flags of a packet. For its one consumer.
    #[inline]
    pub(crate) fn receive(&self) -> Option<(u64, u32, u32)> {
        if self.waiting() == 0 {
            return None;
        }
        let consumed = self.word(self.consumer).load(Ordering::Relaxed);
        let address = self.entry(consumed, 0).load(Ordering::Relaxed);
        let rest = self.entry(consumed, 1).load(Ordering::Relaxed).to_ne_bytes();
        let [a, b, c, d, e, f, g, h] = rest;
        self.word(self.consumer).store(consumed.wrapping_add(1), Ordering::Release);
        Some((address, u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])))
    }

    /// Produces entries of one word, as many as there is room for. For its one producer.
    #[inline]
    pub(crate) fn produce(&self, addresses: impl Iterator<Item = u64>) {
        let room = self.size - self.waiting();
        let mut produced = self.word(self.producer).load(Ordering::Relaxed);
        for address in addresses.take(room as usize) {
            self.entry(produced, 0).store(address, Ordering::Relaxed);
            produced = produced.wrapping_add(1);
        }
        self.word(self.producer).store(produced, Ordering::Release);
    }

    /// Whether the kernel asks to be woken up, since it sleeps for lack of entries.
    #[inline]
    pub(crate) fn wants_wake_up(&self) -> bool {
        self.word(self.flags).load(Ordering::Relaxed) & libc::XDP_RING_NEED_WAKEUP != 0
    }
}

/// A number that the kernel counts in a map.
pub(crate) struct Counter(Mapping);

impl Counter {
    /// Maps the first value of an array of numbers of 8 bytes.
    pub(crate) fn new(map: &OwnedFd) -> io::Result<Self> {
        Mapping::new(Some(map), size_of::<u64>(), 0).map(Self)
    }

    /// The number now.
    pub(crate) fn get(&self) -> u64 {
        // SAFETY: the mapping starts at a page and has 8 bytes at least; both sides use them as an atomic only.
        unsafe { self.0.start.cast::<AtomicU64>().as_ref() }.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_one_owner_whatever_the_kernel_says() {
        let frames = Frames::new(4, 2048).unwrap();
        let frame = frames.take(2048 + 256, 100).unwrap();
        assert_eq!(frames.bytes(&frame).len(), 100);
        assert!(frames.take(2048, 1).is_none() && frames.take(4095, 1).is_none(), "it is ours already");
        for (address, len) in
            [(4 * 2048, 0), (u64::MAX, 1), (u64::MAX, u32::MAX), (0, 2049), (2047, 2), (256, u32::MAX)]
        {
            assert!(frames.take(address, len).is_none(), "{address} {len}");
        }
        assert_eq!(frames.bytes(&frames.take(0, 2048).unwrap()).len(), 2048);
        assert_eq!(frames.give_back(frame), 2048, "the frame's start, wherever the packet was");
        assert!(frames.take(2048, 1).is_some());
        let other = Frames::new(8, 4096).unwrap();
        assert_eq!(frames.bytes(&other.take(7 * 4096, 9).unwrap()), &[] as &[u8], "a frame of other memory");
    }
}
