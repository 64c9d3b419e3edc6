//! Zstandard files (RFC 8878): any number of frames, with skippable frames between them, as `zstd`,
//! `pzstd` and concatenation write them.
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, Read};

/// The largest window that a frame may ask for: what a decoder has to keep in memory. `zstd -19` asks for
/// 8 MiB; only `--long` and `--ultra` go beyond.
const MAX_WINDOW: u64 = crate::MAX_RECORD as u64;
/// The longest frame header: magic 4, descriptor 1, window 1, dictionary 4, content size 8 bytes.
const MAX_HEADER: usize = 18;

/// Decompresses the frames of `source` one after the other.
pub(crate) struct ZstdFrames<R> {
    source: R,
    decoder: FrameDecoder,
    inside: bool,
    /// What stopped the decoder, told when all that it had decoded before has been given.
    failed: Option<io::Error>,
}

impl<R: BufRead> ZstdFrames<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, decoder: FrameDecoder::new(), inside: false, failed: None }
    }

    pub(crate) fn get_ref(&self) -> &R {
        &self.source
    }

    /// Starts the next frame; false at the end of the file.
    fn start(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            let mut magic = [0; 4];
            self.source.read_exact(&mut magic)?;
            if (0x184d_2a50..=0x184d_2a5f).contains(&u32::from_le_bytes(magic)) {
                let mut length = [0; 4];
                self.source.read_exact(&mut length)?;
                let length = u64::from(u32::from_le_bytes(length));
                if io::copy(&mut self.source.by_ref().take(length), &mut io::sink())? < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                continue;
            }
            let header = self.header(magic)?;
            self.decoder.reset(header.as_slice()).map_err(io::Error::other)?;
            self.inside = true;
            return Ok(true);
        }
        Ok(false)
    }

    /// Reads a frame header, so that its window is checked before the decoder allocates by it.
    fn header(&mut self, magic: [u8; 4]) -> io::Result<Vec<u8>> {
        let mut header = Vec::with_capacity(MAX_HEADER);
        header.extend(magic);
        let [descriptor] = self.take_bytes::<1>(&mut header)?;
        let single_segment = descriptor & 0x20 != 0;
        let mut window = 0;
        if !single_segment {
            let [byte] = self.take_bytes::<1>(&mut header)?;
            let base = 1u64 << (10 + (byte >> 3));
            window = base + base / 8 * u64::from(byte & 7);
        }
        let dictionary = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied().unwrap_or(0);
        for _ in 0..dictionary {
            self.take_bytes::<1>(&mut header)?;
        }
        let content = match descriptor >> 6 {
            0 if single_segment => u64::from(u8::from_le_bytes(self.take_bytes(&mut header)?)),
            0 => 0,
            1 => u64::from(u16::from_le_bytes(self.take_bytes(&mut header)?)) + 256,
            2 => u64::from(u32::from_le_bytes(self.take_bytes(&mut header)?)),
            _ => u64::from_le_bytes(self.take_bytes(&mut header)?),
        };
        let memory = if single_segment { content } else { window };
        if memory > MAX_WINDOW {
            return Err(io::Error::other(format!(
                "a zstd window of {memory} bytes is above the limit of {MAX_WINDOW}: decompress with 'zstd -dc --long=31' \
                 and read it from standard input"
            )));
        }
        Ok(header)
    }

    fn take_bytes<const N: usize>(&mut self, header: &mut Vec<u8>) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        header.extend(bytes);
        Ok(bytes)
    }

    /// Ends the frame early. The decoder holds back a whole window until its frame has ended, so that it is
    /// given an empty last block in place of what is broken.
    #[cold]
    fn abandon(&mut self, e: io::Error) {
        /// Last block, raw, no bytes; and four bytes where a checksum may stand.
        const LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];
        self.failed = Some(e);
        if self.decoder.decode_blocks(LAST_BLOCK.as_slice(), BlockDecodingStrategy::UptoBlocks(1)).is_err() {
            self.decoder = FrameDecoder::new();
        }
    }

    /// Closes a frame: its checksum must be that of what came out.
    fn finish(&mut self) -> io::Result<()> {
        self.inside = false;
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(stored), Some(calculated)) if stored != calculated => {
                Err(io::Error::other("the zstd checksum does not match"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.inside && !self.start()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                if let Err(e) = self.decoder.decode_blocks(&mut self.source, one) {
                    self.abandon(io::Error::other(e));
                }
            }
            let n = self.decoder.read(out)?;
            if n > 0 || out.is_empty() {
                return Ok(n);
            }
            self.finish()?;
        }
    }
}
