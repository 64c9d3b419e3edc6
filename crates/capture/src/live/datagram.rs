//! Datagrams in slots, each with the headers in front that it had on the wire.
//!
//! The kernel takes the headers off; the addresses and ports come beside the datagram. They are written into
//! the room that each slot keeps in front, so that the decoder sees an Ethernet frame like that of any other
//! source. What is not known is zero: MAC addresses, and the UDP checksum, which says "none".
#![allow(unsafe_code, reason = "recvmmsg(2) takes pointers; the one block says why it holds")]
use super::sys;
use harken_wire::Timestamp;
use std::{
    array, io, mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd, OwnedFd},
};

/// Datagrams that are received together.
pub(crate) const SLOTS: usize = 32;
/// Room in front of each datagram: Ethernet, IPv6 and UDP need 62 bytes.
const HEADROOM: usize = 64;
/// Room for what the kernel says beside a datagram; the time and the address need 64 bytes.
const CONTROL: usize = 16;

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const UDP: usize = 8;

/// What the kernel says of a datagram.
struct Told {
    /// Its length, which may be more than the slot holds.
    len: usize,
    from: libc::sockaddr_storage,
    /// In words, so that it is aligned.
    control: [u64; CONTROL],
    control_len: usize,
}

/// One datagram as a frame.
pub(crate) struct Frame {
    pub(crate) at: usize,
    pub(crate) len: usize,
    pub(crate) wire_len: usize,
    pub(crate) ts: Option<Timestamp>,
}

/// The memory that datagrams are received into.
pub(crate) struct Slots {
    memory: Box<[u8]>,
    /// Bytes of a datagram that a slot holds.
    size: usize,
    told: Box<[Told]>,
}

impl Slots {
    pub(crate) fn new(size: usize) -> Self {
        // Zeroed pages cost memory only once they are written to.
        let memory = vec![0; (HEADROOM + size) * SLOTS].into_boxed_slice();
        // SAFETY: a C structure of integers, for which zeros are valid.
        let from = unsafe { mem::zeroed() };
        let told = || Told { len: 0, from, control: [0; CONTROL], control_len: 0 };
        Self { memory, size, told: (0..SLOTS).map(|_| told()).collect() }
    }

    pub(crate) fn memory(&self) -> &[u8] {
        &self.memory
    }

    /// Receives what waits at a socket without waiting, at most `max` datagrams (and [`SLOTS`]). Gives their
    /// number; 0 when none waits.
    pub(crate) fn receive(&mut self, fd: &OwnedFd, max: usize) -> io::Result<usize> {
        let size = self.size;
        let mut slots = self.memory.chunks_exact_mut(HEADROOM + size);
        let mut vectors: [libc::iovec; SLOTS] = array::from_fn(|_| {
            let datagram = slots.next().and_then(|slot| slot.get_mut(HEADROOM..)).unwrap_or_default();
            libc::iovec { iov_base: datagram.as_mut_ptr().cast(), iov_len: datagram.len() }
        });
        let mut both = self.told.iter_mut().zip(&mut vectors);
        // SAFETY: a C structure of integers and pointers, for which zeros are valid.
        let empty: libc::mmsghdr = unsafe { mem::zeroed() };
        let mut headers: [libc::mmsghdr; SLOTS] = array::from_fn(|_| {
            let mut header = empty;
            if let Some((told, vector)) = both.next() {
                header.msg_hdr.msg_name = (&raw mut told.from).cast();
                header.msg_hdr.msg_namelen = size_of_val(&told.from) as libc::socklen_t;
                header.msg_hdr.msg_iov = vector;
                header.msg_hdr.msg_iovlen = 1;
                header.msg_hdr.msg_control = told.control.as_mut_ptr().cast();
                header.msg_hdr.msg_controllen = size_of_val(&told.control) as _;
            }
            header
        });
        let count = max.min(SLOTS) as libc::c_uint;
        // MSG_TRUNC asks for the true length of a datagram that is cut.
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        // SAFETY: `count` headers, each with pointers to a slot, an address and control words of its own and
        // the lengths of these. All of them are borrowed mutably until this function returns.
        let got = unsafe {
            let none = std::ptr::null_mut();
            libc::recvmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), count, flags as _, none)
        };
        if got < 0 {
            let e = io::Error::last_os_error();
            return match e.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
                _ => Err(e),
            };
        }
        let got = got as usize;
        for (told, header) in self.told.iter_mut().zip(&headers).take(got) {
            told.len = header.msg_len as usize;
            #[allow(clippy::unnecessary_cast, reason = "its type differs between C libraries")]
            let control_len = header.msg_hdr.msg_controllen as usize;
            told.control_len = control_len;
        }
        Ok(got)
    }

    /// Makes a frame of a datagram that [`Slots::receive`] has just put into slot `n`. `local` is where the
    /// socket is bound to. `None` when the kernel names no sender.
    pub(crate) fn frame(&mut self, n: usize, local: SocketAddr) -> Option<Frame> {
        let Self { memory, size, told } = self;
        let told = told.get(n)?;
        let from = sys::address_of(&told.from)?;
        let beside = Beside::read(&told.control, told.control_len);
        let to = SocketAddr::new(beside.to.unwrap_or(local.ip()), local.port());
        let start = n * (HEADROOM + *size);
        let room: &mut [u8; HEADROOM] = memory.get_mut(start..)?.first_chunk_mut()?;
        let headers = write_headers(room, from, to, told.len);
        Some(Frame {
            at: start + HEADROOM - headers,
            len: headers + told.len.min(*size),
            wire_len: headers + told.len,
            ts: beside.ts,
        })
    }
}

/// Control messages of a datagram.
#[derive(Default)]
struct Beside {
    ts: Option<Timestamp>,
    /// The address that the datagram was sent to.
    to: Option<IpAddr>,
}

impl Beside {
    fn read(control: &[u64; CONTROL], len: usize) -> Self {
        // `struct cmsghdr`: the length with this header (a `size_t`), level, type; then the data, aligned.
        const WORD: usize = size_of::<usize>();
        const HEADER: usize = WORD + 8;
        let mut bytes = [0; CONTROL * 8];
        for (to, word) in bytes.chunks_exact_mut(8).zip(control) {
            to.copy_from_slice(&word.to_ne_bytes());
        }
        let mut rest = bytes.get(..len).unwrap_or(&bytes);
        let mut found = Self::default();
        while let Some((header, _)) = rest.split_first_chunk::<HEADER>() {
            let int = |at: usize| header.get(at..)?.first_chunk().map(|b| i32::from_ne_bytes(*b));
            let Some(length) = header.first_chunk().map(|b| usize::from_ne_bytes(*b)) else { break };
            let Some(data) = rest.get(HEADER..length) else { break };
            match (int(WORD), int(WORD + 4)) {
                (Some(libc::SOL_SOCKET), Some(libc::SCM_TIMESTAMPNS)) => found.ts = timestamp(data),
                // `struct in_pktinfo`: interface, our address, the header's destination.
                (Some(libc::IPPROTO_IP), Some(libc::IP_PKTINFO)) => {
                    let to = data.get(8..).and_then(|rest| rest.first_chunk::<4>());
                    found.to = to.map(|bytes| Ipv4Addr::from(*bytes).into());
                }
                // `struct in6_pktinfo`: the header's destination, interface.
                (Some(libc::IPPROTO_IPV6), Some(libc::IPV6_PKTINFO)) => {
                    found.to = data.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes).into());
                }
                _ => {}
            }
            let Some(next) = rest.get(length.next_multiple_of(WORD)..) else { break };
            rest = next;
        }
        found
    }
}

/// Reads a `struct timespec`.
fn timestamp(data: &[u8]) -> Option<Timestamp> {
    let (seconds, nanos) = data.split_at_checked(size_of::<libc::time_t>())?;
    let seconds = seconds.first_chunk().map(|b| libc::time_t::from_ne_bytes(*b))?;
    let nanos = nanos.first_chunk().map(|b| libc::c_long::from_ne_bytes(*b))?;
    Some(Timestamp::new(u64::try_from(seconds).ok()?, u32::try_from(nanos).ok()?))
}

/// Writes Ethernet, IP and UDP headers to the end of `room`; gives their length.
fn write_headers(room: &mut [u8; HEADROOM], from: SocketAddr, to: SocketAddr, payload: usize) -> usize {
    // The kernel gives no datagram that is longer than its headers can say.
    let udp_len = u16::try_from(UDP + payload).unwrap_or(u16::MAX);
    let mut put = Put { room, left: HEADROOM };
    put.before([0, 0]);
    put.before(udp_len.to_be_bytes());
    put.before(to.port().to_be_bytes());
    put.before(from.port().to_be_bytes());
    match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let header = ipv4(from, to, udp_len.saturating_add(IPV4 as u16));
            put.before(header);
            put.before([0x08, 0x00]);
        }
        (from, to) => {
            let v6 = |ip| match ip {
                IpAddr::V6(ip) => ip.octets(),
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            };
            put.before(v6(to));
            put.before(v6(from));
            // Next header, hop limit.
            put.before([17, 64]);
            put.before(udp_len.to_be_bytes());
            put.before([0x60, 0, 0, 0]);
            put.before([0x86, 0xdd]);
        }
    }
    put.before([0; 12]);
    const { assert!(ETHERNET + IPV6 + UDP <= HEADROOM, "the longest headers fit") };
    HEADROOM - put.left
}

fn ipv4(from: Ipv4Addr, to: Ipv4Addr, len: u16) -> [u8; IPV4] {
    let ([l0, l1], [a, b, c, d], [e, f, g, h]) = (len.to_be_bytes(), from.octets(), to.octets());
    // "Do not fragment": the datagram is whole.
    let mut header = [0x45, 0, l0, l1, 0, 0, 0x40, 0, 64, 17, 0, 0, a, b, c, d, e, f, g, h];
    let words = header.chunks_exact(2).filter_map(|pair| pair.first_chunk().map(|w| u16::from_be_bytes(*w)));
    let sum: u32 = words.map(u32::from).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let [c0, c1] = (!((folded & 0xffff) + (folded >> 16)) as u16).to_be_bytes();
    (header[10], header[11]) = (c0, c1);
    header
}

/// Writes from the end to the front.
struct Put<'a> {
    room: &'a mut [u8; HEADROOM],
    left: usize,
}

impl Put<'_> {
    fn before<const N: usize>(&mut self, bytes: [u8; N]) {
        self.left = self.left.saturating_sub(N);
        if let Some(to) = self.room.get_mut(self.left..).and_then(|rest| rest.first_chunk_mut()) {
            *to = bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_stand_right_before_the_payload() {
        for (from, to, len) in [
            ("10.0.0.1:50000", "10.0.0.2:4789", ETHERNET + IPV4 + UDP),
            ("[2001:db8::1]:50000", "[2001:db8::2]:6081", ETHERNET + IPV6 + UDP),
        ] {
            let mut room = [0xff; HEADROOM];
            let (from, to) = (from.parse::<SocketAddr>().unwrap(), to.parse::<SocketAddr>().unwrap());
            assert_eq!(write_headers(&mut room, from, to, 100), len);
            let frame = &room[HEADROOM - len..];
            assert!(room[..HEADROOM - len].iter().all(|b| *b == 0xff));
            assert_eq!(
                frame[len - 8..len - 4],
                [from.port().to_be_bytes(), to.port().to_be_bytes()].concat()
            );
            assert_eq!(frame[len - 4..], [0, 108, 0, 0]);
            if from.is_ipv4() {
                let words = frame[14..34].chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1]));
                assert_eq!(words.sum::<u32>() % 0xffff, 0, "the checksum is right");
                assert_eq!(frame[16..18], [0, 128]);
            }
        }
    }
}
