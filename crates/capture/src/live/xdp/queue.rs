//! The sockets on one receive queue of an interface: one for each worker, with memory in common.
#![allow(unsafe_code, reason = "the kernel's structures and one system call; every block says why it holds")]
use super::memory::{Frame, Frames, Offsets, Ring};
use crate::live::sys::{self, Plain};
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    sync::{Mutex, PoisonError},
};

// SAFETY: arrays of integers.
unsafe impl Plain for [u64; 16] {}
// SAFETY: as above.
unsafe impl Plain for [u64; 6] {}
// SAFETY: a C structure of integers: two of 8 bytes, then four of 4, without padding.
unsafe impl Plain for libc::xdp_umem_reg {}

/// The kernel wants a ring for packets that were sent, although none is.
const SENT: u32 = 64;
/// Bytes that the kernel keeps free in front of each packet.
const HEADROOM: u32 = 256;

/// How the sockets of an interface are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// The kernel's number of the interface.
    pub(crate) interface: u32,
    pub(crate) workers: u16,
    /// The driver writes packets into the frames by itself.
    pub(crate) zero_copy: bool,
    /// A packet may need several frames.
    pub(crate) pieces: bool,
    /// Frames of each queue, a power of two.
    pub(crate) frames: u32,
    /// Bytes of a frame, a power of two.
    pub(crate) frame_size: u32,
}

impl Shape {
    /// The longest packet that fits into one frame.
    pub(crate) const fn room(frame_size: u32) -> u32 {
        frame_size - HEADROOM
    }
}

/// What failed, and why.
pub(crate) type Failure = (&'static str, io::Error);

/// A worker's end of a queue.
struct End {
    socket: OwnedFd,
    /// Packets for this worker.
    received: Ring,
}

/// One receive queue.
pub(crate) struct Queue {
    pub(crate) frames: Frames,
    /// Frames for the kernel to write to. All workers give theirs back here; one at a time, since the kernel
    /// knows of one producer.
    free: Mutex<Ring>,
    ends: Vec<End>,
}

/// What the kernel counts of a socket.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counted {
    /// Packets for which there was no room.
    pub(crate) dropped: u64,
    /// Times that no frame was free; of all workers together.
    pub(crate) starved: u64,
}

fn step<T>(what: &'static str) -> impl FnOnce(io::Error) -> Result<T, Failure> {
    move |error| Err((what, error))
}

fn socket() -> Result<OwnedFd, Failure> {
    sys::socket(libc::AF_XDP, libc::SOCK_RAW, 0).or_else(step("open an AF_XDP socket"))
}

fn set<T: Plain>(fd: &OwnedFd, name: i32, value: T) -> io::Result<()> {
    sys::set_option(fd, libc::SOL_XDP, name, value)
}

impl Queue {
    /// Opens the sockets of a queue. Nothing arrives before a program sends it there.
    pub(crate) fn open(shape: &Shape, queue: u32) -> Result<Self, Failure> {
        let &Shape { workers, frames: count, frame_size, .. } = shape;
        let frames = Frames::new(count, frame_size).or_else(step("get memory for packets"))?;
        let first = socket()?;
        let (addr, len) = frames.area();
        let area = libc::xdp_umem_reg {
            addr,
            len,
            chunk_size: frame_size,
            headroom: 0,
            flags: 0,
            tx_metadata_len: 0,
        };
        set(&first, libc::XDP_UMEM_REG, area).or_else(step("share memory with the kernel"))?;
        let rings = step("make the rings");
        let free = set(&first, libc::XDP_UMEM_FILL_RING, count)
            .and_then(|()| set(&first, libc::XDP_UMEM_COMPLETION_RING, SENT))
            .and_then(|()| offsets(&first))
            .and_then(|[_, _, at, _]| Ring::new(&first, libc::XDP_UMEM_PGOFF_FILL_RING, at, 1, count))
            .or_else(rings)?;
        free.produce((0..u64::from(count)).map(|n| n * u64::from(frame_size)));
        let mut ends = vec![End::new(first, count)?];
        for _ in 1..workers {
            ends.push(End::new(socket()?, count)?);
        }
        let mut first = None;
        for end in &ends {
            let flags = match first {
                // The memory is that of the first socket, and so are its ways.
                Some(_) => libc::XDP_SHARED_UMEM,
                None => {
                    let copy = if shape.zero_copy { libc::XDP_ZEROCOPY } else { libc::XDP_COPY };
                    let pieces = if shape.pieces { libc::XDP_USE_SG } else { 0 };
                    copy | libc::XDP_USE_NEED_WAKEUP | pieces
                }
            };
            bind(&end.socket, shape.interface, queue, flags, first).or_else(step("bind an AF_XDP socket"))?;
            first = first.or(Some(&end.socket));
        }
        Ok(Self { frames, free: Mutex::new(free), ends })
    }

    /// The socket of a worker.
    pub(crate) fn socket(&self, worker: usize) -> Option<&OwnedFd> {
        self.ends.get(worker).map(|end| &end.socket)
    }

    /// The next packet, or piece of one, for a worker: address, length, flags. For that worker alone.
    #[inline]
    pub(crate) fn receive(&self, worker: usize) -> Option<(u64, u32, u32)> {
        self.ends.get(worker)?.received.receive()
    }

    /// Gives frames back to the kernel, and wakes it up if it sleeps for lack of them.
    #[inline]
    pub(crate) fn give_back(&self, frames: impl Iterator<Item = Frame>) {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.produce(frames.map(|frame| self.frames.give_back(frame)));
        let asleep = free.wants_wake_up();
        drop(free);
        if let (true, Some(end)) = (asleep, self.ends.first()) {
            wake_up(&end.socket);
        }
    }

    /// How much of the frames holds packets that wait for any of the workers, in percent.
    pub(crate) fn backlog(&self) -> u8 {
        let waiting: u64 = self.ends.iter().map(|end| u64::from(end.received.waiting())).sum();
        let percent = waiting * 100 / u64::from(self.frames.count().max(1));
        percent.min(100) as u8
    }

    /// What the kernel has counted for a worker since the start.
    pub(crate) fn counted(&self, worker: usize) -> Counted {
        let Some(end) = self.ends.get(worker) else { return Counted::default() };
        // `struct xdp_statistics`. When a packet finds no frame free it counts as dropped, and once more there.
        let counted = sys::option(&end.socket, libc::SOL_XDP, libc::XDP_STATISTICS, [0_u64; 6]);
        let [no_frame, _, _, ring_full, starved, _] = counted.unwrap_or_default();
        Counted { dropped: no_frame.saturating_add(ring_full), starved }
    }
}

impl End {
    fn new(socket: OwnedFd, entries: u32) -> Result<Self, Failure> {
        // As many as there are frames: it never overflows.
        let received = set(&socket, libc::XDP_RX_RING, entries)
            .and_then(|()| offsets(&socket))
            .and_then(|[at, ..]| Ring::new(&socket, libc::XDP_PGOFF_RX_RING as u64, at, 2, entries))
            .or_else(step("make a ring of packets"))?;
        Ok(Self { socket, received })
    }
}

/// Where the parts of a socket's rings are: received, sent, free, completed.
fn offsets(fd: &OwnedFd) -> io::Result<[Offsets; 4]> {
    let all = sys::option(fd, libc::SOL_XDP, libc::XDP_MMAP_OFFSETS, [0_u64; 16])?;
    let (rings, _) = all.as_chunks::<4>();
    let mut offsets = [Offsets { producer: 0, consumer: 0, entries: 0, flags: 0 }; 4];
    for (to, &[producer, consumer, entries, flags]) in offsets.iter_mut().zip(rings) {
        *to = Offsets { producer, consumer, entries, flags };
    }
    Ok(offsets)
}

fn bind(fd: &OwnedFd, interface: u32, queue: u32, flags: u16, share: Option<&OwnedFd>) -> io::Result<()> {
    let address = libc::sockaddr_xdp {
        sxdp_family: libc::AF_XDP as u16,
        sxdp_flags: flags,
        sxdp_ifindex: interface,
        sxdp_queue_id: queue,
        sxdp_shared_umem_fd: share.map_or(0, |fd| fd.as_raw_fd().cast_unsigned()),
    };
    // SAFETY: pointer and length are those of `address`.
    let result = unsafe {
        let length = size_of::<libc::sockaddr_xdp>() as libc::socklen_t;
        libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Has the driver look at the free frames again. What it answers does not matter: it is asked with each batch.
#[cold]
fn wake_up(fd: &OwnedFd) {
    // SAFETY: no memory is given.
    unsafe {
        let nothing = std::ptr::null_mut();
        libc::recvfrom(fd.as_raw_fd(), nothing, 0, libc::MSG_DONTWAIT, nothing.cast(), std::ptr::null_mut())
    };
}
