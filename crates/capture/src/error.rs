//! What can be wrong with a capture file, in words that name the file and the mend.
use std::{fmt, io};

/// A capture that cannot be opened: nothing of it was read.
#[derive(Debug)]
pub struct Error {
    /// The file, as the user named it.
    pub file: String,
    /// What is wrong with it.
    pub kind: ErrorKind,
}

/// Why a capture cannot be opened.
#[derive(Debug)]
pub enum ErrorKind {
    /// The operating system does not give it.
    Io(io::Error),
    /// There is not one byte in it.
    Empty,
    /// Its first bytes are those of a known format that is not read, with the command that mends it.
    Foreign {
        /// The format's usual name.
        format: &'static str,
        /// How to turn such a file into one that is read.
        mend: &'static str,
    },
    /// Its first bytes belong to no capture format.
    NotACapture {
        /// The first bytes, at most eight.
        start: Vec<u8>,
    },
    /// It starts like a capture, and what follows in its header makes no sense.
    Header(Reason),
}

/// A capture that breaks off or goes wrong in its midst. Every packet before it has been given; packets
/// behind it are given too where the framing of the file allows.
#[derive(Debug)]
pub struct Damage {
    /// The file, as the user named it.
    pub file: String,
    /// Where the damaged record starts, in bytes of the capture; for a compressed file these are bytes
    /// after decompression.
    pub offset: u64,
    /// For a compressed file: how many of its bytes had been taken in when the damage was met.
    pub compressed_offset: Option<u64>,
    /// How many packets had been given before it was met.
    pub packets: u64,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a record of a capture file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The file ends inside a record.
    Truncated {
        /// Bytes the record needs.
        needed: u64,
        /// Bytes that are left.
        present: u64,
    },
    /// A packet longer than any real one: the place is not a record header.
    CaptureLength {
        /// The captured length that stands there.
        length: u32,
        /// The limit that it exceeds: the file's snapshot length, at least [`crate::MAX_PACKET`].
        limit: u32,
    },
    /// A pcapng block length that no block of this type can have.
    BlockLength {
        /// The block's type.
        block: u32,
        /// The total length that stands there.
        length: u32,
    },
    /// The lengths before and behind a pcapng block differ.
    BlockTrailer {
        /// The length at the block's start.
        head: u32,
        /// The length at its end.
        tail: u32,
    },
    /// A pcapng packet longer than the block that carries it.
    PacketLength {
        /// The captured length that stands there.
        captured: u32,
        /// The bytes that the block has room for.
        room: u32,
    },
    /// A pcapng packet of an interface that the section has not described.
    Interface {
        /// The interface that the packet names.
        id: u32,
        /// How many the section has described.
        known: u32,
    },
    /// A pcapng section with more interfaces than are kept.
    TooManyInterfaces {
        /// The limit.
        limit: u32,
    },
    /// A pcapng section header without its byte-order magic.
    ByteOrder {
        /// The four bytes that stand there instead.
        magic: [u8; 4],
    },
    /// A version of the format that is not known.
    Version {
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// The compressed stream is broken.
    Compression(String),
    /// The operating system failed to read on.
    Io(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        match &self.kind {
            ErrorKind::Io(e) => write!(f, "cannot be read: {e}"),
            ErrorKind::Empty => f.write_str("is empty: not even a capture file's header is there"),
            ErrorKind::Foreign { format, mend } => write!(f, "is {format}, which is not read here: {mend}"),
            ErrorKind::NotACapture { start } => {
                f.write_str("not a capture file: starts with")?;
                for byte in start {
                    write!(f, " {byte:02x}")?;
                }
                f.write_str("; expected pcap or pcapng, plain or compressed by gzip or zstd")
            }
            ErrorKind::Header(reason) => write!(f, "its header is damaged: {reason}"),
        }
    }
}

// The text names its cause: a source would make error chains say it twice.
impl std::error::Error for Error {}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: damaged at byte {}", self.file, self.offset)?;
        if let Some(at) = self.compressed_offset {
            write!(f, " of the decompressed capture (byte {at} of the file)")?;
        }
        write!(f, ", after {} packets: {}", self.packets, self.reason)
    }
}

impl std::error::Error for Damage {}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, present } => {
                write!(f, "the file ends inside a record: {present} of at least {needed} bytes are there")
            }
            Self::CaptureLength { length, limit } => {
                write!(f, "a packet of {length} bytes, above the limit of {limit}")
            }
            Self::BlockLength { block, length } => {
                write!(f, "a block of type {block:#x} cannot be {length} bytes long")
            }
            Self::BlockTrailer { head, tail } => {
                write!(f, "a block says that it is {head} bytes long at its start, and {tail} at its end")
            }
            Self::PacketLength { captured, room } => {
                write!(f, "a packet of {captured} bytes in a block with room for {room}")
            }
            Self::Interface { id, known } => {
                write!(f, "a packet of interface {id}, where {known} are described")
            }
            Self::TooManyInterfaces { limit } => write!(f, "a section of more than {limit} interfaces"),
            Self::ByteOrder { magic: [a, b, c, d] } => {
                write!(f, "a section header with the byte-order magic {a:02x} {b:02x} {c:02x} {d:02x}")
            }
            Self::Version { major, minor } => write!(f, "version {major}.{minor} of the format is not known"),
            Self::Compression(e) => write!(f, "the compressed stream is broken: {e}"),
            Self::Io(e) => write!(f, "reading failed: {e}"),
        }
    }
}
