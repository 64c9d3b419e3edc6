//! Walks the packets of captures and prints what it cost: the measurement of `lib.rs`.
use harken_capture::{Merge, open};
use std::{path::Path, time::Instant};

fn main() {
    let start = Instant::now();
    let readers = std::env::args().skip(1).filter_map(|path| match open(Path::new(&path)) {
        Ok(reader) => Some(reader),
        Err(e) => {
            eprintln!("{e}");
            None
        }
    });
    let mut merge = Merge::new(readers.collect());
    let (mut packets, mut bytes) = (0u64, 0u64);
    loop {
        match merge.next_packet() {
            Ok(Some((_, packet))) => {
                packets += 1;
                bytes += packet.data.len() as u64;
            }
            Ok(None) => break,
            Err(damage) => eprintln!("{damage}"),
        }
    }
    let nanos = start.elapsed().as_nanos() as f64;
    let each = nanos / packets.max(1) as f64;
    println!("{packets} packets, {bytes} bytes, {:.3} s, {each:.1} ns a packet", nanos / 1e9);
}
