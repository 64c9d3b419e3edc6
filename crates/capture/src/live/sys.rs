//! System calls of live capture, each behind a safe function that does nothing else.
#![allow(unsafe_code, reason = "system calls; every block says why it holds")]
use std::{
    io, mem,
    net::{SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

/// Values without padding, references and invalid bit patterns: the kernel may fill them, and read them.
///
/// # Safety
/// Only for such types.
pub(crate) unsafe trait Plain: Copy {}

/// Says of types of `libc` that they are [`Plain`].
macro_rules! plain {
    ($($name:ty),*) => { $(
        // SAFETY: a C structure of integers without padding, or an integer.
        unsafe impl Plain for $name {}
    )* };
}
plain!(i32, u32, [u32; 3], [u32; 9], libc::tpacket_req3, libc::packet_mreq);

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn length_of<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}

/// A new socket that is closed on exec.
pub(crate) fn socket(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes integers only.
    let fd = checked(unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the descriptor is new and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `setsockopt(2)`.
pub(crate) fn set_option<T: Plain>(fd: &OwnedFd, level: i32, name: i32, value: T) -> io::Result<()> {
    // SAFETY: the pointer and length are those of `value`, which lives until the call returns.
    let result =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), length_of::<T>()) };
    checked(result).map(|_| ())
}

/// `getsockopt(2)` into `value`, whose input some options read. What the kernel does not fill stays.
pub(crate) fn option<T: Plain>(fd: &OwnedFd, level: i32, name: i32, mut value: T) -> io::Result<T> {
    let mut length = length_of::<T>();
    // SAFETY: the kernel writes at most `length` bytes to `value`, for which every bit pattern is valid.
    let result =
        unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut length) };
    checked(result).map(|_| value)
}

/// Gives a classic BPF program to a socket: `SO_ATTACH_FILTER` and its like.
pub(crate) fn set_program(fd: &OwnedFd, level: i32, name: i32, code: &[libc::sock_filter]) -> io::Result<()> {
    let len = u16::try_from(code.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // The kernel only reads it; C has no word for that.
    let program = libc::sock_fprog { len, filter: code.as_ptr().cast_mut() };
    // SAFETY: pointer and length are those of `program`, and in it those of `code`; both outlive the call.
    let result = unsafe {
        let pointer = (&raw const program).cast();
        libc::setsockopt(fd.as_raw_fd(), level, name, pointer, length_of::<libc::sock_fprog>())
    };
    checked(result).map(|_| ())
}

/// Takes a socket's filter off again.
pub(crate) fn detach_filter(fd: &OwnedFd) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, 0_i32)
}

/// The socket's waiting error, which is cleared.
pub(crate) fn take_error(fd: &OwnedFd) -> io::Result<i32> {
    option(fd, libc::SOL_SOCKET, libc::SO_ERROR, 0_i32)
}

/// Binds a packet socket to an interface and an EtherType (in host order).
pub(crate) fn bind_packet(fd: &OwnedFd, index: u32, protocol: u16) -> io::Result<()> {
    // SAFETY: a C structure of integers, for which zeros are valid.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = i32::try_from(index).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: pointer and length are those of `address`.
    let result =
        unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length_of::<libc::sockaddr_ll>()) };
    checked(result).map(|_| ())
}

/// Has an interface take packets that are for other stations, too, as long as the packet socket is open.
pub(crate) fn promiscuous(fd: &OwnedFd, index: u32) -> io::Result<()> {
    let request = libc::packet_mreq {
        mr_ifindex: index.cast_signed(),
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set_option(fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, request)
}

/// Binds an Internet socket.
pub(crate) fn bind(fd: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    let result = match address {
        SocketAddr::V4(v4) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as u16,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: pointer and length are those of `raw`.
            unsafe { libc::bind(fd, (&raw const raw).cast(), length_of::<libc::sockaddr_in>()) }
        }
        SocketAddr::V6(v6) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as u16,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: pointer and length are those of `raw`.
            unsafe { libc::bind(fd, (&raw const raw).cast(), length_of::<libc::sockaddr_in6>()) }
        }
    };
    checked(result).map(|_| ())
}

/// The address that the kernel wrote to a `sockaddr_storage`, if it is one of the Internet.
pub(crate) fn address_of(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: a `sockaddr_storage` is larger than, and aligned for, every address; all bits are valid.
            let raw = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in>() };
            let ip = raw.sin_addr.s_addr.to_ne_bytes().into();
            Some(SocketAddrV4::new(ip, u16::from_be(raw.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let raw = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in6>() };
            let ip = raw.sin6_addr.s6_addr.into();
            Some(SocketAddrV6::new(ip, u16::from_be(raw.sin6_port), 0, raw.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// The address that a socket is bound to: the port that was chosen for port 0.
pub(crate) fn local_address(fd: &OwnedFd) -> io::Result<Option<SocketAddr>> {
    // SAFETY: a C structure of integers, for which zeros are valid.
    let mut storage: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let mut length = length_of::<libc::sockaddr_storage>();
    // SAFETY: the kernel writes at most `length` bytes to `storage`.
    let result = unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut storage).cast(), &raw mut length) };
    checked(result).map(|_| address_of(&storage))
}

/// Waits until one of the sockets is readable or has an error, at most `timeout`. An interrupting signal
/// ends the wait early, as if the time were over.
pub(crate) fn poll(sockets: &mut [libc::pollfd], timeout: Duration) -> io::Result<()> {
    // Rounded up: a timeout of a microsecond must not become a busy loop.
    let millis = timeout.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32;
    let count = sockets.len() as libc::nfds_t;
    // SAFETY: pointer and count are those of the slice.
    match checked(unsafe { libc::poll(sockets.as_mut_ptr(), count, millis) }) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::Interrupted => {
            sockets.iter_mut().for_each(|socket| socket.revents = 0);
            Ok(())
        }
        Err(e) => Err(e),
    }
}

/// What to ask of [`poll`] for a socket that packets are read from.
pub(crate) fn readable(fd: &OwnedFd) -> libc::pollfd {
    libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }
}

/// The number that the kernel has for an interface, asked over any socket; `None` when there is none of that
/// name. (`if_nametoindex(3)` would open a socket of its own, which a sandbox may forbid.)
pub(crate) fn interface_index(fd: &OwnedFd, name: &str) -> Option<u32> {
    let request = ask_interface(fd, name, libc::SIOCGIFINDEX as _).ok()?;
    // SAFETY: the request has filled this field of the union; all bit patterns are valid.
    u32::try_from(unsafe { request.ifr_ifru.ifru_ifindex }).ok()
}

/// The hardware type of an interface (`ARPHRD_*`), asked over any socket.
pub(crate) fn hardware_type(fd: &OwnedFd, name: &str) -> io::Result<u16> {
    let request = ask_interface(fd, name, libc::SIOCGIFHWADDR as _)?;
    // SAFETY: the request has filled this field of the union; all bit patterns are valid.
    Ok(unsafe { request.ifr_ifru.ifru_hwaddr.sa_family })
}

/// Whether an interface is up, asked over any socket.
pub(crate) fn is_up(fd: &OwnedFd, name: &str) -> io::Result<bool> {
    let request = ask_interface(fd, name, libc::SIOCGIFFLAGS as _)?;
    // SAFETY: the request has filled this field of the union; all bit patterns are valid.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok(i32::from(flags) & libc::IFF_UP != 0)
}

/// The largest packet that an interface sends, without link header, in bytes; asked over any socket.
#[cfg(feature = "af_xdp")]
pub(crate) fn mtu(fd: &OwnedFd, name: &str) -> io::Result<u32> {
    let request = ask_interface(fd, name, libc::SIOCGIFMTU as _)?;
    // SAFETY: the request has filled this field of the union; all bit patterns are valid.
    Ok(unsafe { request.ifr_ifru.ifru_mtu }.try_into().unwrap_or(0))
}

/// How many receive queues an interface uses, asked over any socket.
#[cfg(feature = "af_xdp")]
pub(crate) fn receive_queues(fd: &OwnedFd, name: &str) -> io::Result<u32> {
    // ETHTOOL_GCHANNELS, `struct ethtool_channels`: the fifth word on are the numbers in use.
    let [_, _, _, _, _, receive, _, _, combined] = ethtool(fd, name, [0x3c, 0, 0, 0, 0, 0, 0, 0, 0])?;
    Ok(receive.saturating_add(combined))
}

/// Whether an interface takes VLAN tags off the packets that it receives, asked over any socket.
#[cfg(feature = "af_xdp")]
pub(crate) fn strips_tags(fd: &OwnedFd, name: &str) -> io::Result<bool> {
    // ETHTOOL_GFLAGS, `struct ethtool_value`; ETH_FLAG_RXVLAN.
    let [_, flags] = ethtool(fd, name, [0x25, 0])?;
    Ok(flags & 1 << 8 != 0)
}

/// One of ethtool's questions: the words of its structure, the first of which is the command.
#[cfg(feature = "af_xdp")]
fn ethtool<const N: usize>(fd: &OwnedFd, name: &str, mut words: [u32; N]) -> io::Result<[u32; N]> {
    const SIOCETHTOOL: u32 = 0x8946;
    let mut request = request_of(name)?;
    request.ifr_ifru.ifru_data = (&raw mut words).cast();
    // SAFETY: the request reads and writes one `ifreq` and, behind its pointer, the structure of the command. The
    // commands of the two callers have one of `N` words, which outlives the call.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) })?;
    Ok(words)
}

/// An `ioctl` that reads one property of an interface.
fn ask_interface(fd: &OwnedFd, name: &str, what: libc::Ioctl) -> io::Result<libc::ifreq> {
    let mut request = request_of(name)?;
    // SAFETY: the requests that are made here read and write one `ifreq`.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), what, &raw mut request) })?;
    Ok(request)
}

/// A request about an interface of this name.
fn request_of(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: a C structure of integers and a union of such, for which zeros are valid.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    // The last byte stays zero.
    if name.is_empty() || name.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}
