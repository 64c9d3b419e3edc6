//! The children: each enters the sandbox in its own way and tries what it should not be able to do.

use crate::sandbox::{Network, Plan, Report, enter};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

fn plan(dir: &Path) -> Plan {
    Plan { writable: vec![dir.join("logs")], readable: vec![dir.join("conf")], ..Plan::default() }
}

fn told(report: &Report) {
    for line in &report.lines {
        println!("  {} {line}", if line.in_force { "+" } else { "-" });
    }
}

/// A line of `/proc/self/status`, or of that of a thread.
fn status(field: &str) -> String {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
    line.trim().to_owned()
}

fn capabilities() -> [u64; 4] {
    ["CapInh", "CapPrm", "CapEff", "CapAmb"].map(|set| u64::from_str_radix(&status(set), 16).unwrap())
}

fn line<'a>(report: &'a Report, layer: &str) -> &'a crate::sandbox::Line {
    report.lines.iter().find(|line| line.layer == layer).unwrap_or_else(|| panic!("no line of {layer}"))
}

/// Whether Landlock is there: on an older kernel what it forbids is not tried.
fn landlocked(report: &Report) -> bool {
    let text = &line(report, "landlock").text;
    let there = text.starts_with("version");
    if !there {
        eprintln!("SKIPPED: what Landlock forbids: {text}");
    }
    there
}

/// What a sensor does all the time must work.
fn works(dir: &Path) {
    let (logs, current) = (dir.join("logs"), dir.join("logs/current"));
    fs::write(current.join("http.log"), "a line\n").unwrap();
    // A rotation: a new folder, a move into it, a compressed copy, and the removal.
    fs::create_dir(logs.join("2026-01-01")).unwrap();
    fs::rename(current.join("http.log"), logs.join("2026-01-01/http.log")).unwrap();
    fs::copy(logs.join("2026-01-01/http.log"), logs.join("2026-01-01/http.log.gz")).unwrap();
    fs::remove_file(logs.join("2026-01-01/http.log")).unwrap();
    fs::File::options().append(true).open(logs.join("2026-01-01/http.log.gz")).unwrap().set_len(1).unwrap();
    drop(std::os::unix::net::UnixListener::bind(logs.join("control.sock")).unwrap());
    fs::read(dir.join("conf/config.json")).unwrap();
    for file in ["/proc/self/status", "/proc/self/statm", "/proc/net/dev", "/proc/net/snmp", "/proc/stat"] {
        fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    fs::read_dir("/proc/self/fd").unwrap();
    if Path::new("/sys/class/net/lo").exists() {
        fs::read("/sys/class/net/lo/statistics/rx_bytes").unwrap();
    }
    // Threads inherit all of it.
    let state = || (status("Seccomp"), status("NoNewPrivs"), capabilities(), status("Uid"));
    assert_eq!(std::thread::spawn(state).join().unwrap(), state());
    println!("  threads: as the first one");
}

/// What no plan allows.
fn forbidden(dir: &Path, report: &Report) {
    assert_eq!(status("NoNewPrivs"), "1");
    assert_eq!(status("Seccomp"), "2");
    assert!(!nix::sys::prctl::get_dumpable().unwrap());
    let denied =
        |error: std::io::Error| assert_eq!(error.raw_os_error(), Some(Errno::EPERM as i32), "{error}");
    denied(Command::new("/bin/true").exec());
    denied(Command::new("/bin/true").spawn().unwrap_err());
    assert_eq!(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER), Err(Errno::EPERM));
    assert_eq!(nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES), Err(Errno::EPERM));
    assert_eq!(
        socket(AddressFamily::Alg, SockType::SeqPacket, SockFlag::empty(), None).map(drop),
        Err(Errno::EPERM)
    );
    fs::read("/etc/shadow").unwrap_err();
    if !landlocked(report) {
        return;
    }
    let denied =
        |error: std::io::Error| assert_eq!(error.raw_os_error(), Some(Errno::EACCES as i32), "{error}");
    let outside = dir.join("outside");
    denied(fs::write(outside.join("new"), "x").unwrap_err());
    denied(fs::write(outside.join("victim"), "x").unwrap_err());
    denied(fs::File::options().append(true).open(outside.join("victim")).unwrap_err());
    denied(fs::read(outside.join("victim")).unwrap_err());
    denied(fs::remove_file(outside.join("victim")).unwrap_err());
    denied(fs::create_dir(outside.join("new")).unwrap_err());
    // Not by a move, nor through a link that is made inside.
    let inside = dir.join("logs/inside");
    fs::write(&inside, "x").unwrap();
    fs::rename(&inside, outside.join("moved")).unwrap_err();
    fs::hard_link(outside.join("victim"), dir.join("logs/link")).unwrap_err();
    symlink(outside.join("victim"), dir.join("logs/symlink")).unwrap();
    denied(fs::write(dir.join("logs/symlink"), "x").unwrap_err());
    denied(fs::write(dir.join("conf/config.json"), "x").unwrap_err());
    // Everybody may read it, and it is not among what the system needs.
    denied(fs::read("/etc/passwd").unwrap_err());
    denied(fs::read_dir("/").unwrap_err());
    denied(fs::read("/proc/1/status").unwrap_err());
}

/// An open file stays open.
fn log_opened_before(dir: &Path) -> fs::File {
    fs::File::options().create(true).append(true).open(dir.join("logs/current/conn.log")).unwrap()
}

pub(super) fn root(dir: &Path) {
    let mut log = log_opened_before(dir);
    let report = enter(&plan(dir)).unwrap();
    told(&report);
    writeln!(log, "a line").unwrap();
    works(dir);
    forbidden(dir, &report);
    assert!(status("Uid").split_whitespace().all(|uid| uid != "0"), "{}", status("Uid"));
    assert!(status("Gid").split_whitespace().all(|gid| gid != "0"), "{}", status("Gid"));
    assert_eq!(status("Groups"), "");
    assert_eq!(capabilities(), [0; 4]);
    assert_eq!(u64::from_str_radix(&status("CapBnd"), 16).unwrap(), 0);
    let zero = nix::unistd::Uid::from_raw(0);
    assert_eq!(nix::unistd::setresuid(zero, zero, zero), Err(Errno::EPERM));
    let mine = nix::unistd::getuid().as_raw();
    assert_eq!(fs::metadata(dir.join("logs/current/conn.log")).unwrap().uid(), mine);
    // No network in the plan.
    for family in [AddressFamily::Inet, AddressFamily::Packet, AddressFamily::Netlink] {
        assert_eq!(socket(family, SockType::Datagram, SockFlag::empty(), None).map(drop), Err(Errno::EPERM));
    }
    assert!(report.lines.iter().all(|line| line.in_force || line.layer == "landlock"));
}

pub(super) fn packets(dir: &Path) {
    let report = enter(&Plan { network: Network::Packets, ..plan(dir) }).unwrap();
    told(&report);
    works(dir);
    forbidden(dir, &report);
    let raw = 1 << 13;
    assert_eq!(capabilities(), [0, raw, raw, 0]);
    assert!(status("Uid").split_whitespace().all(|uid| uid != "0"), "{}", status("Uid"));
    let open = || socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), None).map(drop);
    assert_eq!(open(), Ok(()));
    // The threads of the sources are started afterwards.
    assert_eq!(std::thread::spawn(open).join().unwrap(), Ok(()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    // Names and certificates: what is read for them.
    for file in ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"].map(Path::new) {
        if let Err(error) = fs::read(file) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{}", file.display());
        }
    }
}

pub(super) fn stay(dir: &Path) {
    let report =
        enter(&Plan { user: Some("root".to_owned()), network: Network::Sockets, ..plan(dir) }).unwrap();
    told(&report);
    works(dir);
    forbidden(dir, &report);
    assert_eq!(capabilities(), [0; 4]);
    assert!(!line(&report, "user").in_force);
    // The parent is root's as well: it is Landlock that forbids it, from version 6 on.
    let signal = nix::sys::signal::kill(nix::unistd::getppid(), None);
    if line(&report, "landlock").in_force {
        assert_eq!(signal, Err(Errno::EPERM));
    }
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let packet = socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), None);
    assert_eq!(packet.map(drop), Err(Errno::EPERM));
}

pub(super) fn off(dir: &Path) {
    let user = Some("12345:54321".to_owned());
    let report = enter(&Plan { user, seccomp: false, landlock: false, ..plan(dir) }).unwrap();
    told(&report);
    works(dir);
    assert_eq!(status("Seccomp"), "0");
    assert_eq!(status("NoNewPrivs"), "1");
    assert!(status("Uid").starts_with("12345") && status("Gid").starts_with("54321"));
    assert!(!line(&report, "seccomp").in_force && !line(&report, "landlock").in_force);
    fs::read("/etc/passwd").unwrap();
    assert!(Command::new("/bin/true").status().unwrap().success());
}

pub(super) fn owners(dir: &Path) {
    let logs = dir.join("logs");
    fs::write(logs.join("current/http.log"), "x").unwrap();
    fs::write(logs.join("others"), "x").unwrap();
    std::os::unix::fs::chown(logs.join("others"), Some(4711), Some(4711)).unwrap();
    // What a user who may write there could have left, hoping for the next start as root.
    symlink(dir.join("outside/victim"), logs.join("current/symlink")).unwrap();
    symlink(dir.join("outside"), logs.join("current/folder")).unwrap();
    fs::hard_link(dir.join("outside/victim"), logs.join("current/link")).unwrap();
    let mut deep = logs.clone();
    for _ in 0..40 {
        deep.push("d");
        fs::create_dir(&deep).unwrap();
    }
    let report = enter(&Plan { user: Some("12345".to_owned()), ..plan(dir) }).unwrap();
    told(&report);
    let owner = |name: &str| fs::symlink_metadata(logs.join(name)).unwrap().uid();
    assert_eq!(owner(""), 12345);
    assert_eq!(owner("current"), 12345);
    assert_eq!(owner("current/http.log"), 12345);
    assert_eq!(owner("others"), 4711);
    assert_eq!(owner("current/symlink"), 0);
    assert_eq!(owner("current/link"), 0);
    assert_eq!(owner("d/d/d"), 12345);
    assert!(line(&report, "folders").text.contains("; 5 that are"), "{}", line(&report, "folders").text);
}

fn fails(plan: &Plan, with: &[&str]) {
    let error = format!("{:#}", enter(plan).unwrap_err());
    println!("  {error}");
    for part in with {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
}

pub(super) fn shared(dir: &Path) {
    let sticky = dir.join("outside");
    fs::set_permissions(&sticky, std::os::unix::fs::PermissionsExt::from_mode(0o1777)).unwrap();
    let before = status("Uid");
    for folder in [Path::new("/var/log"), Path::new("/etc"), &sticky] {
        let plan = Plan { writable: vec![dir.join("logs"), folder.to_owned()], ..plan(dir) };
        fails(&plan, &[&folder.display().to_string(), "others share", "below it"]);
    }
    fails(&Plan { writable: vec![dir.join("none")], ..plan(dir) }, &["none; create the folder first"]);
    fails(&Plan { writable: vec![dir.join("conf/config.json")], ..plan(dir) }, &["is not a folder"]);
    fails(&Plan { user: Some("mr. x".to_owned()), ..plan(dir) }, &["no user mr. x", "UID:GID"]);
    // Nothing was given away before it was known that all can be.
    assert_eq!(status("Uid"), before);
    assert_eq!(fs::metadata(dir.join("logs")).unwrap().uid(), 0);
}

pub(super) fn closed(dir: &Path) {
    let (home, logs) = (dir.join("home"), dir.join("home/logs"));
    fs::create_dir_all(&logs).unwrap();
    fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    fails(&Plan { writable: vec![logs], ..plan(dir) }, &["home/logs", "cannot write", "--user"]);
}

/// Root as a container may leave it.
pub(super) fn poor_root(dir: &Path) {
    for set in [caps::CapSet::Effective, caps::CapSet::Permitted] {
        caps::drop(None, set, caps::Capability::CAP_SETUID).unwrap();
        caps::drop(None, set, caps::Capability::CAP_SETPCAP).unwrap();
    }
    fails(&Plan { user: Some("1000".to_owned()), ..plan(dir) }, &["user 1000", "CAP_SETUID is not held"]);
    let report = enter(&plan(dir)).unwrap();
    told(&report);
    works(dir);
    forbidden(dir, &report);
    assert_eq!(capabilities(), [0; 4]);
    assert!(line(&report, "user").text.contains("CAP_SETUID"));
}

pub(super) fn nobody(dir: &Path) {
    let readable = vec![dir.join("conf"), dir.join("missing")];
    let report = enter(&Plan { network: Network::Packets, readable, ..plan(dir) }).unwrap();
    told(&report);
    works(dir);
    forbidden(dir, &report);
    assert_eq!(capabilities(), [0; 4]);
    // What it does not have it cannot keep, and what it shall read is not there.
    assert!(!line(&report, "capabilities").in_force);
    assert!(line(&report, "readable").text.contains("missing cannot be read"));
}

/// A kernel that has neither Landlock nor seccomp, played by a filter.
pub(super) fn old_kernel(dir: &Path) {
    use seccompiler::{SeccompAction, SeccompFilter};
    let calls = [libc::SYS_landlock_create_ruleset, libc::SYS_seccomp];
    let rules = calls.into_iter().map(|call| (call, Vec::new())).collect();
    let action = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).unwrap();
    let program: seccompiler::BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
    let report = enter(&plan(dir)).unwrap();
    told(&report);
    works(dir);
    for layer in ["landlock", "seccomp"] {
        let line = line(&report, layer);
        assert!(!line.in_force && line.text.contains("not available in this kernel"), "{line}");
    }
    assert!(line(&report, "landlock").text.contains("file permissions alone"));
}

/// Root of a rootless container with one user.
pub(super) fn user_namespace(dir: &Path) {
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    if let Err(error) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER) {
        eprintln!("SKIPPED: no user namespace can be made: {error}");
        return;
    }
    fs::write("/proc/self/setgroups", "deny").unwrap();
    fs::write("/proc/self/uid_map", format!("0 {uid} 1")).unwrap();
    fs::write("/proc/self/gid_map", format!("0 {gid} 1")).unwrap();
    assert!(nix::unistd::geteuid().is_root());
    assert_ne!(capabilities()[2], 0);
    fails(&Plan { user: Some("4711".to_owned()), ..plan(dir) }, &["uid 4711 does not exist"]);
    let report = enter(&plan(dir)).unwrap();
    told(&report);
    works(dir);
    forbidden(dir, &report);
    assert_eq!(capabilities(), [0; 4]);
    assert!(line(&report, "user").text.contains("does not exist in this user namespace"));
}

pub(super) fn other_user(dir: &Path) {
    fails(&Plan { user: Some("12345".to_owned()), ..plan(dir) }, &["user 12345", "only root may"]);
    let me = nix::unistd::getuid().to_string();
    let report = enter(&Plan { user: Some(me), ..plan(dir) }).unwrap();
    told(&report);
    works(dir);
    forbidden(dir, &report);
}

pub(super) fn threads(dir: &Path) {
    let (send, receive) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || receive.recv());
    fails(&plan(dir), &["2 threads run already"]);
    drop(send);
    other.join().unwrap().unwrap_err();
    // Joined is not yet gone from /proc.
    while fs::read_dir("/proc/self/task").unwrap().count() > 1 {
        std::thread::yield_now();
    }
    told(&enter(&plan(dir)).unwrap());
}
