//! Lines of a file of events, decompressed when its first bytes say so.

use anyhow::{Context as _, Result, bail};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The longest line.
const LONGEST: u64 = 256 << 20;

/// The lines of a file.
pub struct Lines {
    path: PathBuf,
    input: Box<dyn BufRead>,
    line: Vec<u8>,
}

impl Lines {
    /// Opens a file, or standard input for `-`.
    pub fn open(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot read {}", path.display());
        let source: Box<dyn Read> = if path.as_os_str() == "-" {
            Box::new(std::io::stdin())
        } else {
            Box::new(File::open(path).with_context(cannot)?)
        };
        Ok(Self { path: path.to_owned(), input: detect(source).with_context(cannot)?, line: Vec::new() })
    }

    /// The next line that is not blank, with its end.
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        loop {
            self.line.clear();
            let mut input = (&mut self.input).take(LONGEST);
            let read = input.read_until(b'\n', &mut self.line);
            if read.with_context(|| format!("cannot read {}", self.path.display()))? == 0 {
                return Ok(None);
            }
            if self.line.len() as u64 == LONGEST {
                bail!("{}: a line is longer than {LONGEST} bytes", self.path.display());
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(&self.line));
            }
        }
    }
}

/// Sets up what the compression needs.
fn detect(source: Box<dyn Read>) -> std::io::Result<Box<dyn BufRead>> {
    let mut input = BufReader::with_capacity(64 << 10, source);
    let head = input.fill_buf()?;
    Ok(if head.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::new(MultiGzDecoder::new(input)))
    } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let decoder = ruzstd::decoding::StreamingDecoder::new(input).map_err(std::io::Error::other)?;
        Box::new(BufReader::new(decoder))
    } else {
        Box::new(input)
    })
}
