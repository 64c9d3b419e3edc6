//! Files that are written whole.
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The path with something behind its name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Replaces the file's content: whoever reads it, also after a loss of power, sees the old one or the new
/// one.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    write_renamed(path, content, true)
}

/// The same for what need not survive a loss of power.
///
/// # Errors
///
/// What the system says.
pub fn replace_lightly(path: &Path, content: &[u8]) -> io::Result<()> {
    write_renamed(path, content, false)
}

fn write_renamed(path: &Path, content: &[u8], sync: bool) -> io::Result<()> {
    let fresh = beside(path, ".new");
    let mut file = File::create(&fresh)?;
    file.write_all(content)?;
    if sync {
        file.sync_data()?;
    }
    std::fs::rename(&fresh, path)?;
    if sync { sync_folder(path) } else { Ok(()) }
}

/// Makes the names in the folder of that file durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// What the system says, and what helps.
pub(crate) fn with_mend(error: &io::Error) -> String {
    let mend = match error.kind() {
        io::ErrorKind::StorageFull => "; make room on that disk",
        io::ErrorKind::QuotaExceeded => "; raise the quota, or make room",
        io::ErrorKind::PermissionDenied => "; give the user of this process the right to write there",
        io::ErrorKind::ReadOnlyFilesystem => "; mount it for writing or name another path",
        _ => "",
    };
    format!("{error}{mend}")
}
