//! Landlock: the file system is closed but for what the plan names and the system needs.

use super::{Line, Network};
use anyhow::{Context as _, Result};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus,
    PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
    path_beneath_rules,
};
use std::path::{Path, PathBuf};

/// The newest version whose rights were looked through. Newer ones forbid more (version 9: reaching Unix sockets
/// by path, so systemd's as well), which is to be tried before it is taken on.
const KNOWN: ABI = ABI::V7;

/// What is read whatever the plan is: the program's own counters, the network's, and the time zone. An entry
/// that does not exist is passed over. `/sys/class/net` consists of links into `/sys/devices`.
const SYSTEM: &[&str] = &[
    "/proc/self",
    "/proc/net",
    "/proc/stat",
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/net/core",
    "/proc/sys/vm/overcommit_memory",
    "/sys/class/net",
    "/sys/devices",
    "/sys/fs/cgroup",
    "/dev/null",
    "/dev/urandom",
    "/etc/localtime",
    "/usr/share/zoneinfo",
];

/// What is read to resolve a name and to check a certificate. The libraries are those that libc loads to
/// resolve names as `nsswitch.conf` says; loading them is no execution to Landlock.
const NETWORK: &[&str] = &[
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/ld.so.cache",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/pki",
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
];

/// Closes the file system for this thread and those that it starts.
///
/// # Errors
///
/// A path that the kernel will not make a rule of; a kernel that has Landlock and refuses.
pub(super) fn restrict(writable: &[PathBuf], readable: &[PathBuf], network: Network) -> Result<Line> {
    if let Some(why) = missing() {
        return Ok(Line::no(
            "landlock",
            format!("{why}; logs and state are protected by file permissions alone"),
        ));
    }
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let never = AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev;
    let write = AccessFs::from_all(KNOWN) & !never;

    let mut rules = Ruleset::default().handle_access(AccessFs::from_all(KNOWN))?;
    rules = rules.scope(Scope::from_all(KNOWN))?;
    if network == Network::None {
        // No port is allowed below: neither to bind to nor to connect to.
        rules = rules.handle_access(AccessNet::from_all(KNOWN))?;
    }
    let mut rules = rules.create().context("cannot create a Landlock ruleset")?;
    for folder in writable {
        rules = rules.add_rule(PathBeneath::new(open(folder)?, write))?;
    }
    for path in readable {
        let handle = open(path)?;
        rules = rules.add_rule(PathBeneath::new(handle, rights(path, read)))?;
    }
    rules = rules.add_rules(path_beneath_rules(SYSTEM, read))?;
    rules = rules.add_rules(path_beneath_rules(["/dev/null"], BitFlags::from(AccessFs::WriteFile)))?;
    // The program itself, for the names in a backtrace.
    rules = rules.add_rules(path_beneath_rules(std::env::current_exe(), read))?;
    if network != Network::None {
        rules = rules.add_rules(path_beneath_rules(NETWORK, read))?;
    }
    let status = rules.restrict_self().context("the kernel refuses the Landlock ruleset")?;
    let version = match status.landlock {
        LandlockStatus::Available { effective_abi, kernel_abi } => kernel_abi.unwrap_or(effective_abi as i32),
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => 0,
    };
    let what = format!(
        "version {version}: writes below {} alone, reads below {} and what the system needs, executes nothing",
        list(writable),
        list(readable)
    );
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Line::yes("landlock", what),
        RulesetStatus::PartiallyEnforced => Line::no(
            "landlock",
            format!("{what}; this version lacks rules for {}", lacking(version, network)),
        ),
        RulesetStatus::NotEnforced => Line::no("landlock", "the kernel did not put it in force"),
    })
}

/// What a version older than [`KNOWN`] does not forbid.
fn lacking(version: i32, network: Network) -> String {
    let rules = [
        (3, "cutting files short", true),
        (4, "TCP ports", network == Network::None),
        (5, "ioctl on devices", true),
        (6, "signals and abstract Unix sockets", true),
    ];
    let missing: Vec<_> = rules
        .iter()
        .filter(|(since, _, asked)| version < *since && *asked)
        .map(|(_, what, _)| *what)
        .collect();
    missing.join(", ")
}

/// Why Landlock cannot be used, if so.
fn missing() -> Option<String> {
    let has = |right: AccessFs| {
        let rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(right);
        rules.and_then(Ruleset::create).is_ok()
    };
    // Version 1 has no right to move a file into another folder, and so forbids it, which rotation needs.
    if has(AccessFs::Refer) {
        return None;
    }
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.trim();
    Some(if has(AccessFs::Execute) {
        format!("version 1 of this kernel ({kernel}) would forbid moving rotated logs; version 2 is in 5.19")
    } else {
        format!("not available in this kernel ({kernel}), or not switched on at boot (lsm=...,landlock)")
    })
}

fn open(path: &Path) -> Result<PathFd> {
    PathFd::new(path).with_context(|| format!("cannot make a Landlock rule of {}", path.display()))
}

/// The rights that a rule on `path` can have: one on a file has none of folders.
fn rights(path: &Path, rights: BitFlags<AccessFs>) -> BitFlags<AccessFs> {
    if path.is_dir() { rights } else { rights & AccessFs::from_file(KNOWN) }
}

fn list(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "nothing".to_owned();
    }
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_old_versions_lack() {
        assert_eq!(
            lacking(2, Network::Sockets),
            "cutting files short, ioctl on devices, signals and abstract Unix sockets"
        );
        assert_eq!(
            lacking(3, Network::None),
            "TCP ports, ioctl on devices, signals and abstract Unix sockets"
        );
        assert_eq!(lacking(6, Network::None), "");
    }
}
