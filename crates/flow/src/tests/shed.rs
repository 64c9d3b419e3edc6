//! What is left undone under load.
use super::*;
use crate::{Shed, Shedding};

/// Feeds packets, with what is left undone from each one's place on.
fn shed(ignore_after: Option<u64>, steps: &[(Shedding, &[Packet])]) -> (Vec<String>, Shed) {
    let mut table = FlowTable::new(Config::default());
    let mut recorder = Recorder { ignore_after, ..Recorder::default() };
    for (shedding, packets) in steps {
        table.shed(*shedding);
        for p in *packets {
            table.segment(Timestamp(p.at), &p.segment(), &mut recorder);
        }
    }
    table.finish(&mut recorder);
    let stats = *table.stats();
    assert_eq!(stats.payload_bytes, stats.accounted(), "{stats:?}");
    let fed = steps.iter().map(|(_, packets)| packets.len() as u64).sum::<u64>();
    let Shed { opaque, new_flows, share } = stats.shed;
    assert_eq!(stats.packets + opaque + new_flows + share, fed);
    (recorder.log, stats.shed)
}

#[test]
fn new_flows_are_refused_and_joined_later() {
    let none = Shedding { share: u8::MAX, only_new: true, ..Shedding::NONE };
    let later = [c("A", 1001, 5001, "GET b")];
    let (log, shed) = shed(None, &[(none, &handshake()), (Shedding::NONE, &later)]);
    assert_eq!(log, [">m65536 GET b", "close EndOfInput"]);
    assert_eq!(shed, Shed { new_flows: 3, ..Shed::default() });
}

#[test]
fn open_flows_go_on_when_new_ones_are_refused() {
    let none = Shedding { share: u8::MAX, only_new: true, ..Shedding::NONE };
    let (log, shed) = shed(None, &[(Shedding::NONE, &handshake()), (none, &[c("A", 1001, 5001, "GET")])]);
    assert_eq!(log, [">0 GET", "close EndOfInput"]);
    assert_eq!(shed, Shed::default());
}

#[test]
fn ignored_flows_are_passed_over() {
    let opaque = Shedding { opaque: true, ..Shedding::NONE };
    let (first, more) = ([c("A", 1001, 5001, "tls")], [c("A", 1004, 5001, "more"), s("A", 5001, 1008, "")]);
    let (_, shed) = shed(Some(1), &[(Shedding::NONE, &handshake()), (opaque, &first), (opaque, &more)]);
    assert_eq!(shed, Shed { opaque: 2, ..Shed::default() });
}

#[test]
fn a_share_is_whole_flows() {
    let mut table = FlowTable::new(Config::default());
    table.shed(Shedding { share: 128, ..Shedding::NONE });
    let mut recorder = Recorder::default();
    for port in 0..1000u16 {
        let before = table.stats().shed.new_flows;
        for packet in after_handshake([c("A", 1001, 5001, "GET")]) {
            let mut segment = packet.segment();
            *if packet.dir == Dir::Orig { &mut segment.sport } else { &mut segment.dport } = 10_000 + port;
            table.segment(Timestamp(0), &segment, &mut recorder);
        }
        assert!(matches!(table.stats().shed.new_flows - before, 0 | 4), "half a flow");
    }
    assert!((1600..2400).contains(&table.stats().shed.new_flows), "about half: {:?}", table.stats().shed);
}
