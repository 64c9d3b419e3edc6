//! From an interface to sockets and a program, in the best way that works.
use super::{
    AfXdp, AfXdpConfig, Common, Mode, kernel,
    memory::Counter,
    program,
    queue::{Failure, Queue, Shape},
};
use crate::live::{LiveError, sys};
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// How long a queue that is taken is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Frames of a queue: a card wants some hundred at a time; more than the upper bound is 4 GiB.
const FRAMES: (u32, u32) = (1 << 10, 1 << 20);
/// Queues that are tried when the driver does not say how many it has.
const MAX_QUEUES: u32 = 256;
/// Ethernet header and two VLAN tags.
const LINK: u32 = 22;
/// Bytes of a frame that holds the packets of a usual link, and of one that is as large as it can be.
const SIZES: (u32, u32) = (2048, 4096);

/// Opens the sources of all workers.
pub(crate) fn open(config: &AfXdpConfig) -> Result<Vec<AfXdp>, LiveError> {
    let name = &config.interface;
    let failed = |(what, error): Failure| explain(what, error, name);
    let step = |what: &'static str| move |error| failed((what, error));
    let guard = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0).map_err(step("open a packet socket"))?;
    let missing = || io::Error::new(io::ErrorKind::NotFound, "there is no such interface");
    let index = sys::interface_index(&guard, name).ok_or_else(|| failed(("use AF_XDP", missing())))?;
    let hardware = sys::hardware_type(&guard, name).map_err(step("ask for the link type"))?;
    if !matches!(hardware, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK) {
        let other = io::Error::new(io::ErrorKind::Unsupported, "it has no Ethernet frames");
        return Err(failed(("use AF_XDP", other)));
    }
    if !sys::is_up(&guard, name).map_err(step("ask whether packets flow"))? {
        let down = io::Error::new(io::ErrorKind::NetworkDown, "the interface is down");
        return Err(failed(("use AF_XDP", down)));
    }
    if config.promiscuous {
        sys::promiscuous(&guard, index).map_err(step("make the interface promiscuous"))?;
    }
    let longest = sys::mtu(&guard, name).map_err(step("ask for the MTU"))?.saturating_add(LINK);
    let workers = config.workers.max(1);
    // `None`: the driver does not say; the queues are tried one by one.
    let known = sys::receive_queues(&guard, name).ok().filter(|count| (1..=MAX_QUEUES).contains(count));
    let frame_size = if longest <= Shape::room(SIZES.0) { SIZES.0 } else { SIZES.1 };
    let mut shape = Shape {
        interface: index,
        workers,
        zero_copy: false,
        pieces: longest > Shape::room(frame_size),
        frames: frames(config, frame_size, known.unwrap_or(1)),
        frame_size,
    };

    let map = kernel::socket_map(known.unwrap_or(MAX_QUEUES).saturating_mul(workers.into()))
        .map_err(step("make a map of sockets"))?;
    let counter = kernel::counter_map().map_err(step("make a counter"))?;
    let passed = Counter::new(&counter).map_err(step("map a counter"))?;
    let code = program::redirect(&config.tunnels, workers, map.as_raw_fd(), counter.as_raw_fd());
    let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "too many ports for one program");
    let code = code.ok_or_else(|| failed(("write the XDP program", too_long())))?;
    let program = kernel::load(&code, shape.pieces).map_err(step("load the XDP program"))?;

    let modes =
        if config.generic { &[Mode::Generic][..] } else { &[Mode::ZeroCopy, Mode::Native, Mode::Generic] };
    let mut failures: Vec<(Mode, Failure)> = Vec::new();
    for mode in modes {
        shape.zero_copy = *mode == Mode::ZeroCopy;
        match attempt(&shape, known, *mode, &map, &program) {
            Ok((queues, link)) => {
                let notes = notes(name, *mode, &failures, &queues, &guard);
                let common = Common { name: name.clone(), index, queues, guard, passed, _link: link };
                let common = Arc::new(common);
                let source = |n: u16| {
                    let notes = if n == 0 { notes.clone() } else { Vec::new() };
                    AfXdp::new(Arc::clone(&common), n.into(), notes)
                };
                return Ok((0..workers).map(source).collect());
            }
            Err(failure) => failures.push((*mode, failure)),
        }
    }
    // A program that is there already is the reason, whatever else the other modes said.
    let occupied = failures.iter().position(|(_, (what, e))| *what == ATTACH && is_occupied(e));
    let at = occupied.unwrap_or(failures.len().saturating_sub(1));
    let failure = failures.into_iter().nth(at).map(|(_, failure)| failure);
    Err(failed(failure.unwrap_or(("use AF_XDP", io::ErrorKind::Unsupported.into()))))
}

/// `CAP_PERFMON` lets a program compute where in a packet it reads.
const PRIVILEGES: &str =
    "run as root, or: setcap cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon,cap_ipc_lock=ep harken";
const ATTACH: &str = "attach an XDP program";

fn is_occupied(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EEXIST))
}

/// Frames of each queue.
fn frames(config: &AfXdpConfig, frame_size: u32, queues: u32) -> u32 {
    let memory = (config.memory as u64).saturating_mul(config.workers.max(1).into());
    let frames = memory / u64::from(queues) / u64::from(frame_size);
    let frames = u32::try_from(frames).unwrap_or(u32::MAX).clamp(FRAMES.0, FRAMES.1);
    // The largest power of two that is not more.
    1 << frames.ilog2()
}

/// Opens the sockets, and only then lets packets in: one that comes before all workers are there would go to the
/// host.
fn attempt(
    shape: &Shape,
    known: Option<u32>,
    mode: Mode,
    map: &OwnedFd,
    program: &OwnedFd,
) -> Result<(Vec<Queue>, OwnedFd), Failure> {
    let mut queues = Vec::new();
    for number in 0..known.unwrap_or(MAX_QUEUES) {
        match open_queue(shape, number) {
            Ok(queue) => queues.push(queue),
            // One more than there are.
            Err((_, e)) if known.is_none() && number > 0 && e.raw_os_error() == Some(libc::EINVAL) => break,
            Err(failure) => return Err(failure),
        }
    }
    let mut at = 0;
    for queue in &queues {
        for worker in 0..shape.workers {
            let Some(socket) = queue.socket(worker.into()) else { continue };
            kernel::put(map, at, socket).map_err(|e| ("put a socket into the map", e))?;
            at += 1;
        }
    }
    let flag = if mode == Mode::Generic { kernel::GENERIC } else { kernel::NATIVE };
    let link = kernel::attach(program, shape.interface, flag).map_err(|e| (ATTACH, e))?;
    Ok((queues, link))
}

/// Opens the sockets of a queue. The kernel lets a queue go a moment after its last socket was closed: by the attempt
/// before this one, or by a sensor that has just ended.
fn open_queue(shape: &Shape, number: u32) -> Result<Queue, Failure> {
    let begin = Instant::now();
    loop {
        match Queue::open(shape, number) {
            Err((_, e)) if e.raw_os_error() == Some(libc::EBUSY) && begin.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

/// What it became, and what the operator should know.
fn notes(
    name: &str,
    mode: Mode,
    failures: &[(Mode, Failure)],
    queues: &[Queue],
    guard: &OwnedFd,
) -> Vec<String> {
    let count = queues.len();
    let plural = if count == 1 { "" } else { "s" };
    let mut line = format!("{name}: AF_XDP in {mode}, {count} queue{plural}");
    for (mode, (what, error)) in failures {
        line.push_str(&format!("; {mode}: cannot {what}: {}", reason(error)));
    }
    let mut notes = vec![line];
    // The loopback and veth carry tags as they are; where a card strips them nothing says which they were.
    if sys::strips_tags(guard, name).unwrap_or(false) {
        notes.push(format!(
            "{name}: VLAN tags of the outer packets may be taken off before AF_XDP sees them, and are then missing \
             from what is read; to keep them: ethtool -K {name} rxvlan off"
        ));
    }
    notes
}

/// The text of an error without its number.
fn reason(error: &io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_owned()
}

/// An error in words that name the mend.
fn explain(what: &str, error: io::Error, name: &str) -> LiveError {
    let mend = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => PRIVILEGES.to_owned(),
        Some(libc::EAFNOSUPPORT) => "this kernel has no AF_XDP (CONFIG_XDP_SOCKETS)".to_owned(),
        Some(libc::ENOSYS) => "this kernel has no bpf (CONFIG_BPF_SYSCALL)".to_owned(),
        Some(libc::EBUSY | libc::EEXIST) if what == ATTACH => {
            format!("another XDP program is there already: ip -details link show {name}")
        }
        Some(libc::EBUSY) => "another program uses AF_XDP on this queue".to_owned(),
        Some(libc::ENOBUFS) => {
            "the limit of locked memory is too low: raise it (ulimit -l, LimitMEMLOCK= of systemd), or give \
             CAP_IPC_LOCK"
                .to_owned()
        }
        Some(libc::ENOMEM) => "less memory for packets may do".to_owned(),
        Some(libc::EINVAL) => {
            "Linux 5.9 is needed, and 6.6 for packets above 3800 bytes (the MTU)".to_owned()
        }
        _ => match error.kind() {
            // The verifier's words.
            io::ErrorKind::PermissionDenied => PRIVILEGES.to_owned(),
            io::ErrorKind::NotFound => "`ip link` lists the interfaces".to_owned(),
            io::ErrorKind::NetworkDown => format!("bring it up: ip link set {name} up"),
            _ => String::new(),
        },
    };
    LiveError::new(format!("{what} on {name}"), error, mend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared_out_in_powers_of_two() {
        let config = |memory, workers| AfXdpConfig { memory, workers, ..AfXdpConfig::default() };
        assert_eq!(frames(&config(32 << 20, 1), 2048, 1), 16384);
        assert_eq!(frames(&config(33 << 20, 2), 2048, 4), 8192);
        assert_eq!(frames(&config(0, 1), 4096, 8), 1024, "what a card needs");
        assert_eq!(frames(&config(usize::MAX, 64), 4096, 1), 1 << 20);
    }

    #[test]
    fn errors_name_the_mend() {
        for (what, number, says) in [
            (ATTACH, libc::EBUSY, "on eth1: Device or resource busy; another XDP program is there already"),
            ("open an AF_XDP socket", libc::EPERM, "Operation not permitted; run as root, or: setcap"),
            ("open an AF_XDP socket", libc::EAFNOSUPPORT, "this kernel has no AF_XDP"),
            ("share memory with the kernel", libc::ENOBUFS, "locked memory"),
        ] {
            let text = explain(what, io::Error::from_raw_os_error(number), "eth1").to_string();
            assert!(text.starts_with(&format!("cannot {what} on eth1: ")) && text.contains(says), "{text}");
        }
    }
}
