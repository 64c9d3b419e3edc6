//! Any bytes as a file of the spool, and any damage to a sound one: nothing panics, no length decides how much memory
//! is taken, and every block that was not touched gives its records back.
#![no_main]
use harken_spool::Batch;
use harken_spool::block::{HEADER, Header, seal, split};
use harken_spool::scan::{Item, Scan};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

/// Walks through a file; the sound blocks: where each begins, its header and its body.
fn walk(file: &[u8]) -> Vec<(usize, Header, Vec<u8>)> {
    let mut scan = Scan::new(Cursor::new(file));
    let limit = file.len() as u64;
    let mut found = Vec::new();
    loop {
        let at = scan.offset();
        match scan.next(limit).unwrap() {
            Item::End => break,
            Item::Junk(bytes) => assert_eq!(scan.offset(), at + bytes),
            Item::Short(_) => scan.step(),
            Item::Block(header) => {
                if let Some(body) = scan.body(&header).unwrap() {
                    assert_eq!(body.len(), header.raw as usize);
                    found.push((at as usize, header, body));
                }
            }
        }
        assert!(scan.offset() > at, "no progress");
    }
    assert_eq!(scan.offset(), limit);
    found
}

fuzz_target!(|data: &[u8]| {
    walk(data);

    // A header whose checksums are right around any body: what lies behind the checksums is reached as well.
    if let Some((&[raw, records, flags], body)) = data.split_first_chunk::<3>() {
        let header = Header {
            stored: body.len() as u32,
            raw: u32::from(raw) << (records & 15),
            records: u32::from(records >> 4) + 1,
            zstd: flags & 1 != 0,
            first: 7,
            earliest: 0,
            latest: u64::MAX,
            crc: harken_spool::block::checksum(body),
        };
        let mut file = header.bytes().to_vec();
        file.extend_from_slice(body);
        walk(&file);
    }

    // Records cut out of the input, in blocks; then damage where the first bytes say.
    let Some((&[high, low, value, cut, size], text)) = data.split_first_chunk::<5>() else { return };
    let mut file = Vec::new();
    let mut blocks = Vec::new();
    for (number, part) in text.chunks(usize::from(size) * 4 + 16).take(8).enumerate() {
        let mut batch = Batch::default();
        for record in part.chunks(11) {
            assert!(batch.push(number as u64, record));
        }
        let mut body = Vec::new();
        for record in &batch {
            body.extend_from_slice(&(record.len() as u32).to_le_bytes());
            body.extend_from_slice(record);
        }
        let start = file.len();
        file.extend(seal(&body, batch.len(), number as u64 * 1000, (0, 0), number % 2 == 0));
        blocks.push((start..file.len(), body));
    }
    if file.is_empty() {
        return;
    }
    let at = usize::from(u16::from_be_bytes([high, low])) % file.len();
    let end = if cut & 1 != 0 { at } else { file.len() };
    file.truncate(end);
    if let Some(byte) = file.get_mut(at) {
        *byte ^= value;
    }
    let found = walk(&file);
    for (range, body) in &blocks {
        let touched = range.end > end || (range.contains(&at) && value != 0);
        let is_there = found.iter().any(|(start, _, found)| *start == range.start && found == body);
        assert!(touched || is_there, "an untouched block is gone");
        let mut rest = body.as_slice();
        while let Some((_, next)) = split(rest) {
            rest = next;
        }
        assert!(rest.is_empty() && range.len() >= HEADER);
    }
});
