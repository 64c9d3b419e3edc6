//! One capture file, read from its start to its end.
use crate::{
    Damage, Error, ErrorKind, Reason,
    input::{Input, Source},
    pcap::{FILE_HEADER, Layout},
    pcapng::Section,
    window::Window,
};
use harken_wire::Timestamp;
use std::{fs::File, io, path::Path};

/// One captured frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When it was captured. A pcapng simple packet carries no time and gets that of the packet before it.
    pub ts: Timestamp,
    /// The link type number that the file gives (`LINKTYPE_` of tcpdump.org, 1 is Ethernet).
    pub dlt: u32,
    /// The bytes that were captured.
    pub data: &'a [u8],
    /// How long the packet was on the wire, in bytes: more than `data` when the capture cut it.
    pub wire_len: u32,
}

/// Where in the window a packet lies. It holds until the reader moves on.
#[derive(Clone, Copy)]
pub(crate) struct Located {
    pub(crate) ts: Timestamp,
    pub(crate) dlt: u32,
    pub(crate) at: usize,
    pub(crate) len: usize,
    pub(crate) wire_len: u32,
}

/// Packets that are lent together; keep one and use it again.
#[derive(Default)]
pub struct Batch(Vec<Located>);

/// Packets of a [`Batch`], lent until the reader moves on.
pub struct Packets<'a> {
    /// `None` when there are no packets.
    reader: Option<&'a Reader>,
    located: &'a [Located],
}

impl<'a> Packets<'a> {
    pub(crate) const fn none() -> Self {
        Self { reader: None, located: &[] }
    }

    /// Number of packets; 0 at the end of the capture.
    pub fn len(&self) -> usize {
        self.located.len()
    }

    /// Whether the capture has ended.
    pub fn is_empty(&self) -> bool {
        self.located.is_empty()
    }

    /// The packets, in order.
    pub fn iter(&self) -> impl Iterator<Item = Packet<'a>> {
        let reader = self.reader;
        self.located.iter().filter_map(move |found| Some(reader?.packet(*found)))
    }
}

/// Something wrong with a record.
pub(crate) struct Fault {
    pub(crate) reason: Reason,
    /// Where the record starts in the capture.
    pub(crate) offset: u64,
    /// Whether the place of the next record is lost too.
    pub(crate) fatal: bool,
}

impl Fault {
    /// The record at the window's front makes no sense, so that the next one cannot be found.
    #[cold]
    pub(crate) fn fatal(window: &Window, reason: Reason) -> Self {
        Self { reason, offset: window.offset(), fatal: true }
    }
}

enum Format {
    Pcap(Layout),
    Pcapng(Section),
    /// Read to the end.
    Closed,
}

/// Reads one capture; see [`open`].
pub struct Reader {
    name: String,
    size: Option<u64>,
    window: Window,
    format: Format,
    packets: u64,
    damage: Option<Damage>,
}

/// Opens a capture file, or standard input for the path `-`.
///
/// # Errors
/// When it cannot be read, or its start is not that of a capture.
pub fn open(path: &Path) -> Result<Reader, Error> {
    let name = path.display().to_string();
    if path.as_os_str() == "-" {
        return Reader::from_source("standard input", Box::new(io::stdin()), None);
    }
    let failed = |e| Error { file: name.clone(), kind: ErrorKind::Io(e) };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    // A pipe or device has no size that a progress bar could use.
    let size = metadata.is_file().then_some(metadata.len());
    Reader::from_source(&name, Box::new(file), size)
}

impl Reader {
    /// Reads a capture from anything that gives bytes. `name` stands in messages; `size` is the number of
    /// bytes that `source` will give, where that is known.
    ///
    /// # Errors
    /// When it cannot be read, or its start is not that of a capture.
    pub fn from_source(name: &str, source: Source, size: Option<u64>) -> Result<Self, Error> {
        let failed = |kind| Error { file: name.to_owned(), kind };
        let input = Input::detect(source).map_err(|e| failed(ErrorKind::Io(e)))?;
        let mut window = Window::new(input);
        let whole = window.fill(FILE_HEADER);
        let start = window.rest();
        let format = if Section::starts(start) {
            Format::Pcapng(Section::default())
        } else if whole && let Some(layout) = start.first_chunk().and_then(Layout::parse) {
            window.consume(FILE_HEADER);
            Format::Pcap(layout.map_err(|reason| failed(ErrorKind::Header(reason)))?)
        } else {
            return Err(failed(refuse(&window)));
        };
        Ok(Self { name: name.to_owned(), size, window, format, packets: 0, damage: None })
    }

    /// The next packet, `None` at the end. The packet's bytes are lent until the next call.
    ///
    /// # Errors
    /// Once, when all packets that can be read have been given and something in the file was damaged; from
    /// then on the capture has ended.
    #[inline]
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, Damage> {
        match self.locate()? {
            Some(found) => Ok(Some(self.packet(found))),
            None => Ok(None),
        }
    }

    /// The next packets that are at hand without reading more of the file: at least one, at most `max`, none
    /// at the end.
    ///
    /// # Errors
    /// As [`Reader::next_packet`].
    #[inline]
    pub fn next_batch<'a>(&'a mut self, batch: &'a mut Batch, max: usize) -> Result<Packets<'a>, Damage> {
        batch.0.clear();
        while batch.0.len() < max && (batch.0.is_empty() || self.is_at_hand()) {
            match self.locate()? {
                Some(found) => batch.0.push(found),
                None => break,
            }
        }
        Ok(Packets { reader: Some(self), located: &batch.0 })
    }

    /// Whether the next packet can be located without moving the window.
    #[inline]
    fn is_at_hand(&self) -> bool {
        match &self.format {
            Format::Pcap(layout) => layout.is_at_hand(&self.window),
            // Blocks that are no packets may lie in between.
            Format::Pcapng(_) | Format::Closed => false,
        }
    }

    /// Lends one packet that [`Reader::locate`] has just found as a batch.
    #[inline]
    pub(crate) fn lend<'a>(&'a self, found: Option<Located>, batch: &'a mut Batch) -> Packets<'a> {
        batch.0.clear();
        batch.0.extend(found);
        Packets { reader: Some(self), located: &batch.0 }
    }

    /// Finds the next packet without lending it.
    #[inline]
    pub(crate) fn locate(&mut self) -> Result<Option<Located>, Damage> {
        loop {
            let found = match &mut self.format {
                Format::Pcap(layout) => layout.locate(&mut self.window),
                Format::Pcapng(section) => section.locate(&mut self.window),
                Format::Closed => Ok(None),
            };
            match found {
                Ok(Some(found)) => {
                    self.packets += 1;
                    return Ok(Some(found));
                }
                Ok(None) => return self.close().map_or(Ok(None), Err),
                Err(fault) => self.note(fault),
            }
        }
    }

    /// Lends a packet that [`Reader::locate`] has just found.
    #[inline]
    pub(crate) fn packet(&self, found: Located) -> Packet<'_> {
        let Located { ts, dlt, at, len, wire_len } = found;
        Packet { ts, dlt, data: self.window.slice(at, len), wire_len }
    }

    /// Keeps the first damage for the end.
    #[cold]
    fn note(&mut self, fault: Fault) {
        if self.damage.is_none() {
            let input = self.window.input();
            self.damage = Some(Damage {
                file: self.name.clone(),
                offset: fault.offset,
                compressed_offset: input.compressed().then(|| input.file_bytes()),
                packets: self.packets,
                reason: fault.reason,
            });
        }
        if fault.fatal {
            self.format = Format::Closed;
        }
    }

    #[cold]
    fn close(&mut self) -> Option<Damage> {
        self.format = Format::Closed;
        self.window.close();
        self.damage.take()
    }

    /// How many packets have been given.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// How many bytes of the file are done, for a progress bar beside [`Reader::size`]. For a compressed
    /// file these are bytes taken in by the decompressor.
    pub fn position(&self) -> u64 {
        let input = self.window.input();
        if input.compressed() { input.file_bytes() } else { self.window.offset() }
    }

    /// The file's size in bytes; `None` for a pipe.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The file's name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Names what a file is that is not a capture.
fn refuse(window: &Window) -> ErrorKind {
    const THROUGH_PIPE: &str = "decompress it first and read it from standard input, '-'";
    const CONVERT: &str = "convert it with Wireshark's 'editcap -F pcapng IN OUT'";
    const FOREIGN: [(&[u8], &str, &str); 7] = [
        (b"\xfd7zXZ", "an xz file", THROUGH_PIPE),
        (b"BZh", "a bzip2 file", THROUGH_PIPE),
        (b"\x04\x22\x4d\x18", "an lz4 file", THROUGH_PIPE),
        (b"PK\x03\x04", "a zip archive", "unpack it first"),
        (b"snoop\0\0\0", "a Solaris snoop capture", CONVERT),
        (b"GMBU", "a Microsoft Network Monitor capture", CONVERT),
        (b"RTSS", "a Microsoft Network Monitor capture", CONVERT),
    ];
    let start = window.rest();
    let shortage = window.shortage(FILE_HEADER as u64);
    if !matches!(shortage, Reason::Truncated { .. }) || Layout::starts(start) {
        return ErrorKind::Header(shortage);
    }
    if start.is_empty() {
        return ErrorKind::Empty;
    }
    for (magic, format, mend) in FOREIGN {
        if start.starts_with(magic) {
            return ErrorKind::Foreign { format, mend };
        }
    }
    ErrorKind::NotACapture { start: start.iter().take(8).copied().collect() }
}
