//! Any fragments: nothing panics, the books balance, memory stays within its limits, and a datagram is as long
//! as its last fragment says.
#![no_main]
use harken_flow::{DefragConfig, Defragmenter};
use harken_wire::{Encap, Fragment, FragmentHeader, Ip, Timestamp};
use libfuzzer_sys::fuzz_target;

const CONFIG: DefragConfig = DefragConfig { max_datagrams: 4, max_bytes: 100_000, timeout: 1000 };
/// Larger than any fragment that is cut from it.
const BYTES: [u8; 4096] = [b'x'; 4096];

fuzz_target!(|data: &[u8]| {
    let mut all = Defragmenter::new(CONFIG);
    let mut now = 0u64;
    for step in data.chunks_exact(8) {
        let &[kind, id, high, low, len_high, len_low, cut, wait] = step else { return };
        now = if wait == 255 { now.wrapping_sub(5000) } else { now.wrapping_add(u64::from(wait)) };
        let len = usize::from(u16::from_be_bytes([len_high, len_low]) & 0xfff);
        let fragment = Fragment {
            header: FragmentHeader {
                src: Ip::v4([10, 0, 0, 1]),
                dst: Ip::v4([10, 0, 0, 2]),
                id: u32::from(id & 7),
                protocol: 6,
                ipv6: kind & 2 != 0,
                header_len: 20,
                encap: Encap::default(),
            },
            offset: u32::from(u16::from_be_bytes([high, low])) << (kind >> 4 & 3),
            more: kind & 1 != 0,
            payload: BYTES.get(..len).unwrap_or_default(),
            truncated: u32::from(cut).saturating_sub(250),
        };
        if let Some(datagram) = all.push(Timestamp(now), &fragment) {
            assert!(!datagram.payload.is_empty() && datagram.payload.len() <= 65_535);
            assert!(datagram.payload.iter().all(|b| *b == b'x'), "a hole was handed out");
        }
        let stats = all.stats();
        let sum = stats.assembled + stats.refused.total() + stats.given_up + stats.waiting;
        assert_eq!(stats.fragments, sum);
        assert!(stats.bytes <= u64::from(CONFIG.max_bytes));
    }
    all.advance(Timestamp(u64::MAX));
    assert_eq!((all.stats().waiting, all.stats().bytes), (0, 0));
});
