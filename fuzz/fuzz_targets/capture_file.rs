//! Any bytes as a capture file: nothing panics, reading ends, and damage is told once and last.
#![no_main]
use harken_capture::Reader;
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|data: &[u8]| {
    let source = Box::new(Cursor::new(data.to_vec()));
    let Ok(mut reader) = Reader::from_source("fuzz", source, Some(data.len() as u64)) else { return };
    let mut packets = 0;
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) => {
                assert!(packet.data.len() <= harken_capture::MAX_RECORD);
                packets += 1;
            }
            Ok(None) => break,
            Err(damage) => {
                assert!(damage.packets <= packets, "{damage}");
                break;
            }
        }
    }
    assert_eq!(reader.packets(), packets);
    assert!(matches!(reader.next_packet(), Ok(None)));
});
