//! The folders of logs and state are given to the user that will write in them.
//!
//! This runs as root in folders that an unprivileged process may have written in before, so nothing is
//! followed: no symbolic link, no second name of a file (a hard link to something of root's), no mount. Each
//! entry is opened by its name in the open folder, looked at, and given away through that same handle.

use super::Line;
use super::user::Account;
use anyhow::{Context as _, Result, bail};
use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::unistd::fchownat;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Folders inside one another; what lies deeper is left alone. Each holds a file handle while it is walked.
const DEPTH: usize = 16;

/// Folders of the system, which are no place for logs themselves. Folders below them are, but for [`CLOSED`].
const SHARED: &[&str] = &[
    "/",
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/root",
    "/run",
    "/srv",
    "/tmp",
    "/usr",
    "/usr/local",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/run",
    "/var/spool",
    "/var/tmp",
];
/// Folders of the system in which nobody has logs.
const CLOSED: &[&str] = &[
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/sbin",
    "/usr/share",
];

/// What was done in one folder.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    /// Files and folders that belong to the new user now, and did not before.
    given: u64,
    /// Those that belong to someone else, have another name elsewhere, are links or devices, or lie on another
    /// file system or too deep.
    left: u64,
}

/// Gives each folder, and what root owns in it, to `account`.
///
/// # Errors
///
/// A folder that the system or others share; a folder that cannot be read or given away.
pub(super) fn give(folders: &[PathBuf], account: &Account) -> Result<Vec<Line>> {
    // All are looked at before anything is changed.
    folders.iter().try_for_each(|folder| own(folder, account))?;
    let mut lines = Vec::new();
    for folder in folders {
        let Count { given, left } = tree(folder, account)
            .with_context(|| format!("cannot give {} to user {}", folder.display(), account.name))?;
        let mut text =
            format!("{} belongs to {} ({given} of root's files given)", folder.display(), account.name);
        if left > 0 {
            text +=
                &format!("; {left} that are links, others' or on other file systems were left as they are");
        }
        lines.push(Line::yes("folders", text));
    }
    Ok(lines)
}

/// Fails when the folder is not Harken's own.
fn own(folder: &Path, account: &Account) -> Result<()> {
    // A sticky folder is one in which many users have files.
    let sticky = std::os::unix::fs::MetadataExt::mode(&folder.metadata()?) & 0o1000 != 0;
    if sticky || is_shared(folder) {
        bail!(
            "{} is a folder that others share, and is not given to user {}; name a folder of its own below it",
            folder.display(),
            account.name
        );
    }
    Ok(())
}

fn is_shared(folder: &Path) -> bool {
    let below = |above: &str| folder != Path::new(above) && folder.starts_with(above);
    SHARED.iter().any(|shared| folder == Path::new(shared))
        || CLOSED.iter().any(|closed| folder.starts_with(closed) && !below("/dev/shm"))
}

/// Walks the folder and gives away what root owns.
fn tree(folder: &Path, account: &Account) -> Result<Count> {
    let mut count = Count::default();
    let top = nix::fcntl::open(folder, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
    let status = fstat(&top)?;
    if !give_one(&top, &status, account, &mut count)? {
        return Ok(count);
    }
    let device = status.st_dev;
    let mut open = vec![Walk::new(&top)?];
    while let Some(walk) = open.last_mut() {
        let Some(name) = walk.names.pop() else {
            open.pop();
            continue;
        };
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let entry = match openat(&walk.dir, name.as_c_str(), flags, Mode::empty()) {
            Ok(entry) => entry,
            // Someone was faster: a file that is gone needs no owner.
            Err(nix::Error::ENOENT) => continue,
            Err(error) => return Err(error).with_context(|| name.to_string_lossy().into_owned()),
        };
        let status = fstat(&entry)?;
        if status.st_dev != device {
            count.left += 1;
        } else if give_one(&entry, &status, account, &mut count)? {
            if open.len() < DEPTH {
                open.push(Walk::new(&entry)?);
            } else {
                count.left += 1;
            }
        }
    }
    Ok(count)
}

/// A folder that is being walked: its handle and the names in it that are still to come.
struct Walk {
    dir: Dir,
    names: Vec<CString>,
}

impl Walk {
    /// Lists a folder through a handle that may not be read by itself.
    fn new(handle: &OwnedFd) -> Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut dir = Dir::openat(handle, c".", flags, Mode::empty())?;
        let names = dir
            .iter()
            .filter_map(|entry| entry.map(|entry| own_name(entry.file_name())).transpose())
            .collect::<nix::Result<_>>()?;
        Ok(Self { dir, names })
    }
}

/// The name of an entry, unless it is the folder itself or the one above.
fn own_name(name: &CStr) -> Option<CString> {
    (name != c"." && name != c"..").then(|| name.to_owned())
}

/// Gives one entry away if it is root's, and says whether it is a folder to go into.
fn give_one(handle: &OwnedFd, status: &FileStat, account: &Account, count: &mut Count) -> Result<bool> {
    let kind = SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits());
    let folder = kind == SFlag::S_IFDIR;
    // A file with a second name may be something of root's that was linked in here to be given away.
    let plain = folder || ((kind == SFlag::S_IFREG || kind == SFlag::S_IFSOCK) && status.st_nlink == 1);
    if plain && status.st_uid == account.uid.as_raw() {
        return Ok(folder);
    }
    if !plain || status.st_uid != 0 {
        count.left += 1;
        return Ok(false);
    }
    fchownat(handle.as_fd(), c"", Some(account.uid), Some(account.gid), AtFlags::AT_EMPTY_PATH)?;
    count.given += 1;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_others_share() {
        for (folder, shared) in [
            ("/", true),
            ("/var/log", true),
            ("/var/log/harken", false),
            ("/logs", false),
            ("/data/logs", false),
            ("/home", true),
            ("/home/alice/logs", false),
            ("/etc/harken", true),
            ("/usr/local", true),
            ("/usr/local/harken/logs", false),
            ("/usr/share/x", true),
            ("/dev/shm/harken", false),
            ("/dev/shm", true),
            ("/libre", false),
        ] {
            assert_eq!(is_shared(Path::new(folder)), shared, "{folder}");
        }
    }
}
