//! Any bytes as a frame of any link type: nothing panics, every call is counted once, and what comes out lies
//! within the frame.
#![no_main]
use harken_wire::{Config, Decoded, Decoder, LinkType};
use libfuzzer_sys::fuzz_target;

const LINKS: [LinkType; 13] = [
    LinkType::Ethernet,
    LinkType::LinuxSll,
    LinkType::LinuxSll2,
    LinkType::RawIp,
    LinkType::Null,
    LinkType::Loop,
    LinkType::Ppp,
    LinkType::PppEther,
    LinkType::Chdlc,
    LinkType::Mpls,
    LinkType::Wlan,
    LinkType::WlanRadiotap,
    LinkType::Nflog,
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, frame)) = data.split_first() else { return };
    let link = LINKS[usize::from(choice & 0x7f) % LINKS.len()];
    let mut decoder = Decoder::new(Config { verify_checksums: choice & 0x80 != 0, ..Config::default() });
    let inside = |part: &[u8]| part.is_empty() || frame.as_ptr_range().contains(&part.as_ptr());
    match decoder.decode(link, frame) {
        Ok(Decoded::Tcp(segment)) => assert!(inside(segment.payload)),
        Ok(Decoded::Datagram(datagram)) => assert!(inside(datagram.payload)),
        Ok(Decoded::Fragment(fragment)) => {
            assert!(inside(fragment.payload));
            let _ = decoder.resume(&fragment.header, frame);
            assert_eq!(decoder.stats().resumed.received(), 1);
        }
        Err(stop) => assert!(stop.offset as usize <= frame.len(), "{stop}"),
    }
    assert_eq!(decoder.stats().frames.received(), 1);
});
