//! What the tests of live sources have in common.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
use super::support::Owned;
use harken_capture::{live::Live, open};
use harken_wire::{Config, Decoded, Decoder, LinkType};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

/// The frames of a golden capture.
pub fn capture(name: &str) -> Vec<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../captures").join(name).join("input.pcap");
    let mut reader = open(&path).unwrap();
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet().unwrap() {
        frames.push(packet.data.to_vec());
    }
    frames
}

/// What each worker receives until `count` packets are there, or nothing has come for half a second.
pub fn receive(workers: &mut [Live], count: usize) -> Vec<Vec<Owned>> {
    let mut all: Vec<Vec<Owned>> = workers.iter().map(|_| Vec::new()).collect();
    let mut last = Instant::now();
    let wait = Duration::from_millis(2);
    while all.iter().map(Vec::len).sum::<usize>() < count && last.elapsed() < Duration::from_millis(500) {
        for (worker, packets) in workers.iter_mut().zip(&mut all) {
            let batch = worker.next_batch(32, wait).unwrap();
            assert!(batch.len() <= 32);
            if !batch.is_empty() {
                last = Instant::now();
            }
            packets.extend(batch.iter().map(Owned::from));
        }
    }
    all
}

/// A connection: its ends in order, and its tunnel.
type Key = (Option<u32>, [(std::net::IpAddr, u16); 2]);
/// A segment: who sent it, where it stands, what is in it.
type Piece = (std::net::IpAddr, u16, u32, u32, Vec<u8>);

/// The segments of each connection in these packets, in order.
pub fn flows<'a>(packets: impl Iterator<Item = &'a [u8]>, link: LinkType) -> BTreeMap<Key, Vec<Piece>> {
    let mut decoder = Decoder::new(Config::default());
    let mut flows: BTreeMap<Key, Vec<Piece>> = BTreeMap::new();
    for packet in packets {
        if let Ok(Decoded::Tcp(segment)) = decoder.decode(link, packet) {
            let (src, dst) = (segment.src.to_std(), segment.dst.to_std());
            let mut ends = [(src, segment.sport), (dst, segment.dport)];
            ends.sort_unstable();
            let piece = (src, segment.sport, segment.seq, segment.ack, segment.payload.to_vec());
            flows.entry((segment.encap.vni, ends)).or_default().push(piece);
        }
    }
    flows
}

/// That the workers together have the connections of `sent`, each whole with one of them, and that more than
/// one had something to do.
pub fn check_shared(sent: &[Vec<u8>], got: &[Vec<Owned>]) {
    let expected = flows(sent.iter().map(Vec::as_slice), LinkType::Ethernet);
    assert!(expected.len() >= 10, "the capture has connections");
    let mut together = BTreeMap::new();
    let mut busy = 0;
    for packets in got {
        let mine = flows(packets.iter().map(|packet| packet.data.as_slice()), LinkType::Ethernet);
        busy += usize::from(!mine.is_empty());
        for (key, pieces) in mine {
            assert!(together.insert(key, pieces).is_none(), "a connection of two workers: {key:?}");
        }
    }
    assert!(together == expected, "every segment of every connection, in order");
    assert!(busy == got.len(), "{busy} of {} workers were busy", got.len());
}
