//! The files of the repository as the checks see them: paths, sizes and texts.
//!
//! The checks take a [`Tree`] instead of a folder, so that their tests can hand them made-up files.

use crate::sh;
use anyhow::Result;
use std::collections::BTreeMap;

/// Files up to this size are read as text; what is larger is a finding of its own.
const TEXT_LIMIT: u64 = 1 << 20;

/// One file of the repository.
pub(crate) struct File {
    /// Its length in bytes.
    pub(crate) size: u64,
    /// Its contents when they are UTF-8, else empty.
    pub(crate) text: String,
}

/// All files that are, or could be, committed: ignored files are left out.
pub(crate) struct Tree {
    files: BTreeMap<String, File>,
}

impl Tree {
    /// Reads the checkout: files that git knows or would add.
    pub(crate) fn load() -> Result<Self> {
        let root = sh::root();
        let listed = sh::stdout(sh::command("git").args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]))?;
        let mut files = BTreeMap::new();
        for path in listed.split('\0').filter(|path| !path.is_empty()) {
            // A file that was deleted and not yet committed is listed, too.
            let Ok(meta) = std::fs::metadata(root.join(path)) else { continue };
            if !meta.is_file() {
                continue;
            }
            let size = meta.len();
            let bytes = if size <= TEXT_LIMIT { std::fs::read(root.join(path))? } else { Vec::new() };
            let text = String::from_utf8(bytes).unwrap_or_default();
            files.insert(path.to_owned(), File { size, text });
        }
        Ok(Self { files })
    }

    /// A tree of made-up files.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |text: &str| File { size: text.len() as u64, text: text.to_owned() };
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect() }
    }

    /// All files in the order of their paths.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The files whose names end in `.extension`.
    pub(crate) fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&str, &str)> {
        self.iter()
            .filter(move |(path, _)| path.rsplit_once('.').is_some_and(|(_, end)| end == extension))
            .map(|(path, file)| (path, file.text.as_str()))
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(|file| file.text.as_str())
    }

    /// Whether a file or a folder of that path exists.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty()
            || self.files.contains_key(path)
            || self.iter().any(|(known, _)| is_under(known, path))
    }
}

/// Whether `path` lies in the folder `folder`.
pub(crate) fn is_under(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
