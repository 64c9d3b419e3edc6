//! Any bytes as the payload of each tunnel: right behind correct outer headers, where `frame` seldom gets.
#![no_main]
use harken_wire::{Config, Decoded, Decoder, LinkType};
use libfuzzer_sys::fuzz_target;

/// IP protocol and, for UDP, destination port.
const TUNNELS: [(u8, u16); 9] =
    [(17, 4789), (17, 4790), (17, 6081), (17, 4754), (47, 0), (4, 0), (41, 0), (51, 0), (137, 0)];

fuzz_target!(|data: &[u8]| {
    let Some((choice, payload)) = data.split_first() else { return };
    let (protocol, port) = TUNNELS[usize::from(choice & 0x7f) % TUNNELS.len()];
    // Length 0 in both headers: all that follows.
    let mut packet = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    if protocol == 17 {
        packet.extend([0xc0, 0, (port >> 8) as u8, port as u8, 0, 0, 0, 0]);
    }
    packet.extend(payload);
    let mut decoder = Decoder::new(Config { verify_checksums: choice & 0x80 != 0, ..Config::default() });
    match decoder.decode(LinkType::RawIp, &packet) {
        Ok(Decoded::Tcp(segment)) => {
            assert!(segment.encap.depth <= 8);
            assert!(segment.payload.len() < packet.len());
        }
        Ok(Decoded::Datagram(datagram)) => {
            assert!(datagram.encap.depth <= 8);
            assert!(datagram.payload.len() < packet.len());
        }
        Ok(Decoded::Fragment(fragment)) => {
            assert!(fragment.header.encap.depth <= 8);
            let _ = decoder.resume(&fragment.header, payload);
        }
        Err(stop) => assert!(stop.offset as usize <= packet.len(), "{stop}"),
    }
    assert_eq!(decoder.stats().frames.received(), 1);
});
