//! seccomp: system calls that a sensor never makes are refused with `EPERM`.
//!
//! A list of what is refused, not of what is allowed: the libraries below Harken (libc, the allocator) change
//! which calls they make with every version, and a sensor that dies of an update protects nothing. What is
//! listed starts programs, looks into other processes, changes the system, or is a large part of the kernel
//! that Harken has no use for.

use super::{Line, Network};
use anyhow::{Context as _, Result};
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

/// Refused whatever their arguments are.
const REFUSED: &[i64] = &[
    // Programs, and what looks into other processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // Mounts, roots and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_unshare,
    // Files past their permissions.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    // The kernel itself.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    KEXEC_FILE_LOAD,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    QUOTACTL_FD,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_nfsservctl,
    // Parts of the kernel in which many of its faults were found.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
];

// Two that libc does not name on every system; their numbers are those of the kernel's tables.
#[cfg(target_arch = "x86_64")]
const KEXEC_FILE_LOAD: i64 = 320;
#[cfg(not(target_arch = "x86_64"))]
const KEXEC_FILE_LOAD: i64 = 294;
const QUOTACTL_FD: i64 = 443;

/// Old calls of x86-64 alone.
#[cfg(target_arch = "x86_64")]
const OLD: &[i64] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[i64] = &[];

/// `personality` with this argument asks and changes nothing.
const ASK: u64 = 0xffff_ffff;
/// Put characters into the input of a terminal that others use.
const INTO_TERMINAL: [u64; 2] = [0x5412, 0x541c];

/// What is refused: calls, each with the rules of which one has to match (none: it always does).
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Puts the filters in force, for all threads.
///
/// # Errors
///
/// A kernel that has seccomp and refuses the filter.
pub(super) fn refuse(network: Network) -> Result<Line> {
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(Line::no("seccomp", format!("not known for {}", std::env::consts::ARCH)));
    };
    let rules = rules(network)?;
    let count = rules.keys().filter(|call| **call < X32).count();
    // clone3 keeps its flags where a filter cannot look. "Not implemented" makes libc use clone, which is looked
    // at below; the filter for it comes first, since the other one has one answer for all its calls.
    let clone3 = with_x32([(libc::SYS_clone3, Vec::new())]);
    for (rules, errno) in [(clone3, libc::ENOSYS), (rules, libc::EPERM)] {
        let action = SeccompAction::Errno(errno.unsigned_abs());
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch)?;
        let program: seccompiler::BpfProgram =
            filter.try_into().context("cannot build the seccomp filter")?;
        match seccompiler::apply_filter_all_threads(&program) {
            Ok(()) => {}
            Err(seccompiler::Error::Seccomp(error))
                if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) =>
            {
                return Ok(Line::no("seccomp", format!("not available in this kernel ({error})")));
            }
            Err(error) => return Err(error).context("the kernel refuses the seccomp filter"),
        }
    }
    let sockets = match network {
        Network::None => "Unix sockets",
        Network::Sockets => "Unix, TCP, UDP and netlink sockets",
        Network::Packets => "Unix, TCP, UDP, netlink and packet sockets",
    };
    Ok(Line::yes(
        "seccomp",
        format!(
            "{count} system calls are refused, among them execve, fork, ptrace, mount and bpf; of sockets only {sockets} are opened"
        ),
    ))
}

fn rules(network: Network) -> Result<Rules> {
    let mut rules: Vec<_> = REFUSED.iter().chain(OLD).map(|call| (*call, Vec::new())).collect();
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    // A thread, and nothing else: neither a process nor a namespace comes with CLONE_THREAD.
    let process = condition(0, SeccompCmpOp::MaskedEq(thread), 0)?;
    rules.push((libc::SYS_clone, vec![SeccompRule::new(vec![process])?]));
    let change = condition(0, SeccompCmpOp::Ne, ASK)?;
    rules.push((libc::SYS_personality, vec![SeccompRule::new(vec![change])?]));
    let mut terminal = Vec::new();
    for request in INTO_TERMINAL {
        terminal.push(SeccompRule::new(vec![condition(1, SeccompCmpOp::Eq, request)?])?);
    }
    rules.push((libc::SYS_ioctl, terminal));
    let families: &[libc::c_int] = match network {
        Network::None => &[libc::AF_UNIX],
        Network::Sockets => &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK],
        Network::Packets => {
            &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET]
        }
    };
    let others =
        families.iter().map(|family| condition(0, SeccompCmpOp::Ne, (*family).unsigned_abs().into()));
    rules.push((libc::SYS_socket, vec![SeccompRule::new(others.collect::<Result<_>>()?)?]));
    Ok(with_x32(rules))
}

/// A condition on the low 32 bits of an argument: all that the kernel looks at in those that are used here.
fn condition(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition> {
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?)
}

/// The bit that marks a call of the x32 ABI of x86-64: most calls have a second number with it.
const X32: i64 = 0x4000_0000;

/// The rules, for the second numbers of their calls as well where there are any.
fn with_x32(rules: impl IntoIterator<Item = (i64, Vec<SeccompRule>)>) -> Rules {
    let mut all = Rules::new();
    for (call, rules) in rules {
        if cfg!(target_arch = "x86_64") {
            all.insert(X32 | x32_number(call), rules.clone());
        }
        all.insert(call, rules);
    }
    all
}

/// The number of a call in the x32 ABI: a few that take pointers have one of their own.
fn x32_number(call: i64) -> i64 {
    let own = [
        (libc::SYS_ioctl, 514),
        (libc::SYS_execve, 520),
        (libc::SYS_ptrace, 521),
        (libc::SYS_kexec_load, 528),
        (libc::SYS_move_pages, 533),
        (libc::SYS_process_vm_readv, 539),
        (libc::SYS_process_vm_writev, 540),
        (libc::SYS_execveat, 545),
    ];
    own.iter().find(|(known, _)| *known == call).map_or(call, |(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_can_be_built() {
        for network in [Network::None, Network::Sockets, Network::Packets] {
            let rules = rules(network).unwrap();
            let both = if cfg!(target_arch = "x86_64") { 2 } else { 1 };
            assert_eq!(rules.len(), both * (REFUSED.len() + OLD.len() + 4));
            for arch in [TargetArch::x86_64, TargetArch::aarch64] {
                let action = SeccompAction::Errno(1);
                let filter = SeccompFilter::new(rules.clone(), SeccompAction::Allow, action, arch).unwrap();
                let program: seccompiler::BpfProgram = filter.try_into().unwrap();
                assert!(program.len() < 4096, "{} instructions", program.len());
            }
        }
    }
}
