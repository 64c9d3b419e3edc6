//! A network of a test's own, and ways to send into it.
#![allow(
    unsafe_code,
    reason = "namespaces and packet sockets need system calls; every block says why it holds"
)]
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
use std::{
    ffi::CString,
    fs::File,
    io::{self, Write},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    process::Command,
    thread,
    time::Duration,
};

/// Runs a test in a thread with a network namespace of its own, which ends with it: whatever interfaces it
/// makes are gone then. Says so and runs nothing where that is not allowed.
pub fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let name = thread::current().name().unwrap_or("test").to_owned();
    let result = thread::spawn(move || {
        // SAFETY: takes an integer, and concerns this thread alone, which ends with the test.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Some(format!("no network namespace: {}", io::Error::last_os_error()));
        }
        if !ip("link set lo up") {
            return Some("`ip` of iproute2 is missing".to_owned());
        }
        test();
        None
    })
    .join();
    match result {
        Ok(None) => {}
        // Past the test runner, which shows only what failed tests print.
        Ok(Some(why)) => {
            let _ = writeln!(io::stderr(), "SKIPPED {name}: {why}; it needs root and iproute2");
        }
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Runs `ip` in the thread's namespace.
pub fn ip(arguments: &str) -> bool {
    Command::new("ip").args(arguments.split(' ')).status().is_ok_and(|status| status.success())
}

/// A pair of connected interfaces, up and silent.
pub fn veth(one: &str, other: &str) {
    assert!(ip(&format!("link add {one} mtu 9000 type veth peer name {other} mtu 9000")));
    for name in [one, other] {
        // Else IPv6 announces itself among the test's packets.
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
        assert!(ip(&format!("link set {name} up")));
    }
    // The first one notices only a moment later that it is connected, and drops what is sent until then.
    for name in [one, other] {
        let up = || {
            let shown = Command::new("ip").args(["link", "show", name]).output();
            shown.is_ok_and(|shown| String::from_utf8_lossy(&shown.stdout).contains("state UP"))
        };
        assert!(
            (0..500).any(|_| up() || {
                thread::sleep(Duration::from_millis(5));
                false
            }),
            "{name} is up"
        );
    }
}

/// Sends frames as they are.
pub struct Wire(OwnedFd);

impl Wire {
    pub fn on(interface: &str) -> Self {
        let name = CString::new(interface).unwrap();
        // SAFETY: takes integers; the descriptor is new and belongs to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)) };
        // SAFETY: a C structure of integers, for which zeros are valid.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        // SAFETY: a string that ends in a zero.
        address.sll_ifindex = unsafe { libc::if_nametoindex(name.as_ptr()) } as i32;
        let length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: pointer and length are those of `address`.
        assert_eq!(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) }, 0);
        Self(fd)
    }

    pub fn send(&self, frame: &[u8]) {
        // SAFETY: pointer and length are those of `frame`.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        assert_eq!(sent, frame.len() as isize, "{}", io::Error::last_os_error());
    }
}

/// A TUN interface: what is written to it arrives there. `None` where there are no such devices.
pub fn tun(name: &str, hardware_type: u16) -> Option<File> {
    const TUNSETLINK: u32 = 0x4004_54cd;
    let file = File::options().read(true).write(true).open("/dev/net/tun").ok()?;
    // SAFETY: a C structure of integers and a union of such, for which zeros are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as i16;
    // SAFETY: this request reads and writes one `ifreq`.
    let made = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) };
    // SAFETY: this request takes an integer.
    let set = unsafe { libc::ioctl(file.as_raw_fd(), TUNSETLINK as _, libc::c_ulong::from(hardware_type)) };
    let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
    (made == 0 && set == 0 && ip(&format!("link set {name} up"))).then_some(file)
}

/// CPU time of this thread in nanoseconds, user and system.
pub fn cpu_nanos() -> u64 {
    // SAFETY: a C structure of integers, for which zeros are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one `rusage`.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) }, 0);
    let nanos = |t: libc::timeval| t.tv_sec as u64 * 1_000_000_000 + t.tv_usec as u64 * 1000;
    nanos(usage.ru_utime) + nanos(usage.ru_stime)
}
