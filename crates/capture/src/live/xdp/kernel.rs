//! `bpf(2)`: maps, the program, its link to an interface.
//!
//! `aya` loads programs out of ELF files that a compiler made, and there is none here; what is needed are five
//! calls.
#![allow(unsafe_code, reason = "system calls; every block says why it holds")]
use super::program::Insn;
use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

// Commands and constants of <linux/bpf.h>, which `libc` lacks.
const MAP_CREATE: u32 = 0;
const MAP_UPDATE: u32 = 2;
const PROGRAM_LOAD: u32 = 5;
const LINK_CREATE: u32 = 28;
const MAP_TYPE_ARRAY: u32 = 2;
const MAP_TYPE_SOCKETS: u32 = 17;
/// The map's values can be mapped into memory.
const MAPPABLE: u32 = 1 << 10;
const PROGRAM_TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
/// The program may be given packets that lie in several pieces.
const HAS_FRAGMENTS: u32 = 1 << 5;
/// `XDP_FLAGS_SKB_MODE`: by the kernel, for any interface.
pub(crate) const GENERIC: u32 = 1 << 1;
/// `XDP_FLAGS_DRV_MODE`: by the interface's driver.
pub(crate) const NATIVE: u32 = 1 << 2;

/// Shown by `bpftool`, `ip link` and their like.
const NAME: [u8; 16] = *b"harken_tunnels\0\0";
const LICENCE: &[u8] = b"Apache-2.0\0";

#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
}

#[repr(C)]
struct MapUpdate {
    map: u32,
    unused: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct ProgramLoad {
    program_type: u32,
    count: u32,
    instructions: u64,
    licence: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
}

#[repr(C)]
struct LinkCreate {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
}

fn number(fd: &OwnedFd) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// `bpf(2)` with the attributes of one command.
///
/// # Safety
/// `attributes` are those of `command`, and addresses in them are valid for what the command does there.
unsafe fn bpf<T>(command: u32, attributes: &mut T) -> io::Result<RawFd> {
    let size = size_of::<T>() as libc::c_uint;
    // SAFETY: pointer and size are those of `attributes`; the rest is the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as RawFd) }
}

/// A new descriptor of `bpf(2)`.
///
/// # Safety
/// As of [`bpf`], and the command gives a descriptor.
unsafe fn bpf_fd<T>(command: u32, attributes: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: the caller's promise; the descriptor is new and belongs to nobody else. The kernel closes it on exec.
    unsafe { bpf(command, attributes).map(|fd| OwnedFd::from_raw_fd(fd)) }
}

fn map(map_type: u32, value_size: u32, max_entries: u32, flags: u32) -> io::Result<OwnedFd> {
    let mut attributes = MapCreate { map_type, key_size: 4, value_size, max_entries, flags };
    // SAFETY: the attributes of this command, without addresses.
    unsafe { bpf_fd(MAP_CREATE, &mut attributes) }
}

/// A map of so many AF_XDP sockets.
pub(crate) fn socket_map(sockets: u32) -> io::Result<OwnedFd> {
    map(MAP_TYPE_SOCKETS, 4, sockets, 0)
}

/// An array of one number of 8 bytes, which can be mapped.
pub(crate) fn counter_map() -> io::Result<OwnedFd> {
    map(MAP_TYPE_ARRAY, 8, 1, MAPPABLE)
}

/// Puts a socket into a map of sockets.
pub(crate) fn put(map: &OwnedFd, at: u32, socket: &OwnedFd) -> io::Result<()> {
    let value = number(socket);
    let mut attributes = MapUpdate {
        map: number(map),
        unused: 0,
        key: (&raw const at) as u64,
        value: (&raw const value) as u64,
        flags: 0,
    };
    // SAFETY: the attributes of this command; key and value are of the map's sizes and outlive the call.
    unsafe { bpf(MAP_UPDATE, &mut attributes) }.map(|_| ())
}

/// Gives the kernel an XDP program. `fragments`: it may be given packets in several pieces (Linux 5.18).
/// The error of one that is refused by the verifier has the verifier's last words.
pub(crate) fn load(code: &[Insn], fragments: bool) -> io::Result<OwnedFd> {
    let attempt = |log: &mut [u8]| {
        let mut attributes = ProgramLoad {
            program_type: PROGRAM_TYPE_XDP,
            count: u32::try_from(code.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
            instructions: code.as_ptr() as u64,
            licence: LICENCE.as_ptr() as u64,
            log_level: u32::from(!log.is_empty()),
            log_size: log.len() as u32,
            log: if log.is_empty() { 0 } else { log.as_mut_ptr() as u64 },
            kernel_version: 0,
            flags: if fragments { HAS_FRAGMENTS } else { 0 },
            name: NAME,
            interface: 0,
            attach_type: ATTACH_XDP,
        };
        // SAFETY: the attributes of this command. Instructions and licence (which ends in a zero) are only read;
        // at most `log_size` bytes are written to the log; all outlive the call.
        unsafe { bpf_fd(PROGRAM_LOAD, &mut attributes) }
    };
    let error = match attempt(&mut []) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EACCES)) => error,
        result => return result,
    };
    let mut log = vec![0; 256 << 10];
    if let Ok(program) = attempt(&mut log) {
        return Ok(program);
    }
    let text = String::from_utf8_lossy(&log);
    let words = text.trim_end_matches('\0').lines().rev().find(|line| !line.starts_with("processed"));
    Err(match words {
        Some(words) => io::Error::new(error.kind(), format!("the verifier says: {words}")),
        None => error,
    })
}

/// Attaches a program to an interface until the descriptor that is given is closed, at the latest when the
/// process ends. `mode` is [`NATIVE`] or [`GENERIC`].
pub(crate) fn attach(program: &OwnedFd, interface: u32, mode: u32) -> io::Result<OwnedFd> {
    let mut attributes =
        LinkCreate { program: number(program), interface, attach_type: ATTACH_XDP, flags: mode };
    // SAFETY: the attributes of this command, without addresses.
    unsafe { bpf_fd(LINK_CREATE, &mut attributes) }
}
