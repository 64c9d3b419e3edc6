//! What `harken run` gives up once its sockets and log files are open.
//!
//! [`enter`] takes the layers in the order in which each is still allowed to be put on: the folders are
//! given to the unprivileged user, root is left, capabilities go, then nothing can be gained any more
//! (`no_new_privs`), Landlock closes the file system, and seccomp refuses the system calls that a sensor
//! never makes. A layer that the kernel lacks is told in the [`Report`]; a layer that it has and that fails is
//! an error, since a sensor that only looks protected is worse than one that does not start.
//!
//! SECURITY.md says the same to the operator, under "What it may touch afterwards".

mod calls;
mod files;
mod folders;
mod privileges;
mod user;

use anyhow::{Context as _, Result, bail};
use nix::unistd::{AccessFlags, access};
use std::fmt;
use std::path::{Path, PathBuf};
use user::Choice;

/// What the program still has to do, and so what is left to it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The user to become when started as root: a name in `/etc/passwd`, `UID` or `UID:GID`. `None` is
    /// `harken` if there is such a user, else `nobody`. `root` stays root, without its capabilities.
    pub user: Option<String>,
    /// Folders to write below: logs and state. They must exist. They are given to the new user.
    pub writable: Vec<PathBuf>,
    /// Files and folders that are read again later: configuration, filters, captures. Name the folder of a
    /// file that is replaced and not rewritten: a rule on the file stays with the old one. A path that
    /// does not exist is told in the report.
    pub readable: Vec<PathBuf>,
    /// Which sockets may still be opened. Those that are open stay so in any case.
    pub network: Network,
    /// Whether system calls that a sensor never makes are refused.
    pub seccomp: bool,
    /// Whether the file system is closed but for `writable`, `readable` and what the system needs.
    pub landlock: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            user: None,
            writable: Vec::new(),
            readable: Vec::new(),
            network: Network::None,
            seccomp: true,
            landlock: true,
        }
    }
}

/// Which sockets may be opened after [`enter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// None but Unix sockets: everything is open already, or comes from files and pipes.
    None,
    /// TCP and UDP, and netlink to list interfaces: connections that are made again, names that are resolved.
    Sockets,
    /// Packet sockets too: `CAP_NET_RAW` is kept, to open one again after its interface went away.
    Packets,
}

/// What is in force and what is not.
#[derive(Debug, Default)]
pub struct Report {
    /// One for each layer, in the order in which they were put on.
    pub lines: Vec<Line>,
}

/// What became of one layer; as text, a line for the log.
#[derive(Debug)]
pub struct Line {
    /// Which one: `user`, `folders`, `capabilities`, `bounding set`, `privileges`, `readable`, `landlock`
    /// or `seccomp`.
    pub layer: &'static str,
    /// Whether all of it protects. A line that says otherwise is worth a warning.
    pub in_force: bool,
    /// What it does, or why it does not.
    pub text: String,
}

impl Line {
    fn yes(layer: &'static str, text: impl Into<String>) -> Self {
        Self { layer, in_force: true, text: text.into() }
    }

    fn no(layer: &'static str, text: impl Into<String>) -> Self {
        Self { layer, in_force: false, text: text.into() }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.layer, self.text)
    }
}

/// Gives up what is no longer needed. There is no way back.
///
/// Call it before any thread is started (the one that `ctrlc` starts included): capabilities, Landlock and
/// `no_new_privs` belong to a thread, and are inherited by those that it starts afterwards. With more than one
/// thread it fails and changes nothing.
///
/// # Errors
///
/// More than one thread; a user that does not exist or cannot be changed to; a folder of the plan that is
/// missing, shared with others, or not writable for the new user; a layer that the kernel has and refuses.
/// After an error the process may have lost a part of its privileges: it should end.
pub fn enter(plan: &Plan) -> Result<Report> {
    one_thread()?;
    let choice = user::choose(plan.user.as_deref())?;
    let writable = resolve(&plan.writable)?;
    let mut report = Report::default();
    let lines = &mut report.lines;
    let account = match &choice {
        Choice::Change(account) => Some(account),
        Choice::Stay(_) => None,
    };
    if let Some(account) = account {
        lines.extend(folders::give(&writable, account)?);
    }
    lines.extend(privileges::drop(account, plan.network == Network::Packets)?);
    lines.insert(0, choice.line());
    reachable(&writable)?;
    let mut readable = Vec::new();
    for path in &plan.readable {
        match access(path, AccessFlags::R_OK) {
            Ok(()) => readable.push(path.clone()),
            Err(error) => {
                lines.push(Line::no("readable", format!("{} cannot be read: {error}", path.display())));
            }
        }
    }
    lines.push(if plan.landlock {
        files::restrict(&writable, &readable, plan.network)?
    } else {
        Line::no("landlock", "switched off; logs and state are protected by file permissions alone")
    });
    // Last, so that the layers above may use whatever calls the kernel and their crates come to need.
    lines.push(if plan.seccomp { calls::refuse(plan.network)? } else { Line::no("seccomp", "switched off") });
    Ok(report)
}

/// Fails when there are other threads: they would keep what this one gives up.
fn one_thread() -> Result<()> {
    let threads = std::fs::read_dir("/proc/self/task")
        .context("cannot count the threads in /proc/self/task; mount /proc, or start with --no-sandbox")?
        .count();
    if threads != 1 {
        bail!(
            "{threads} threads run already, and the others would keep their privileges: this is an error of harken"
        );
    }
    Ok(())
}

/// The folders as they are, without symbolic links.
fn resolve(folders: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let real = |folder: &PathBuf| {
        let real = folder
            .canonicalize()
            .with_context(|| format!("cannot find {}; create the folder first", folder.display()))?;
        if !real.is_dir() {
            bail!("{} is not a folder", folder.display());
        }
        Ok(real)
    };
    folders.iter().map(real).collect()
}

/// Fails when a folder cannot be written to: better now than at the first rotation.
fn reachable(folders: &[PathBuf]) -> Result<()> {
    let check = |folder: &Path| {
        access(folder, AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK).with_context(|| {
            format!(
                "user {} cannot write in {} (to that user the folder or one above it is closed); name another \
                 folder, let the user in (chown, chmod), or name another user with --user",
                nix::unistd::getuid(),
                folder.display()
            )
        })
    };
    folders.iter().try_for_each(|folder| check(folder))
}
