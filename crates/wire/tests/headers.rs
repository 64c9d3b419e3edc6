//! Every header and tunnel: bytes in, one line out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod build;

use build::*;
use harken_wire::{Config, Decoded, Decoder, Encap, LinkType, Outer, Stop};
use std::fmt::Write;

fn encap(encap: &Encap) -> String {
    let mut text = String::new();
    if let Some(kind) = encap.kind {
        write!(text, " {}/{}", kind.name(), encap.depth).unwrap();
    }
    for (name, value) in
        [("vni", encap.vni), ("vlan", encap.vlan.map(u32::from)), ("inner", encap.inner_vlan.map(u32::from))]
    {
        if let Some(value) = value {
            write!(text, " {name}={value}").unwrap();
        }
    }
    if encap.outer != Outer::default() {
        let Outer { src, dst, sport, dport } = encap.outer;
        write!(text, " {src}:{sport}>{dst}:{dport}").unwrap();
    }
    if let Some(options) = encap.geneve {
        write!(text, " options").unwrap();
        for (name, value) in [
            ("eni", options.aws_endpoint_eni),
            ("attachment", options.aws_attachment),
            ("cookie", options.aws_flow_cookie.map(u64::from)),
            ("network", options.gcp_network.map(u64::from)),
            ("endpoint", options.gcp_endpoint.map(|id| u64::from(id[15]))),
            ("profile", options.gcp_profile),
        ] {
            if let Some(value) = value {
                write!(text, " {name}={value}").unwrap();
            }
        }
    }
    text
}

/// An outcome in one line. What every packet of the tables has in common is checked here and not written.
fn line(result: Result<Decoded<'_>, Stop>) -> String {
    match result {
        Ok(Decoded::Tcp(s)) => {
            assert_eq!((s.sport, s.dport, s.seq, s.ack, s.flags.0, s.window), (1234, 80, 1, 2, 0x18, 8192));
            let payload = String::from_utf8_lossy(s.payload);
            let cut = if s.truncated > 0 { format!("+{}", s.truncated) } else { String::new() };
            format!("{}>{} '{payload}'{cut} {}{}", s.src, s.dst, s.ip_len, encap(&s.encap))
        }
        Ok(Decoded::Fragment(f)) => {
            let h = &f.header;
            let more = if f.more { "+" } else { "." };
            let cut = if f.truncated > 0 { format!("+{}", f.truncated) } else { String::new() };
            let family = if h.ipv6 { "v6" } else { "v4" };
            format!(
                "fragment {family} {}>{} id={} proto={} head={} at={}{more} {}{cut}{}",
                h.src,
                h.dst,
                h.id,
                h.protocol,
                h.header_len,
                f.offset,
                f.payload.len(),
                encap(&h.encap)
            )
        }
        Ok(Decoded::Datagram(d)) => format!("datagram {}>{} {}", d.src, d.dst, d.payload.len()),
        Err(stop) => format!("{} {}@{}", stop.reason.name(), stop.layer.name(), stop.offset),
    }
}

fn check_with(config: &Config, cases: &[(&str, LinkType, Bytes, &str)]) {
    let mut wrong = Vec::new();
    for (name, link, bytes, expected) in cases {
        let mut decoder = Decoder::new(config.clone());
        let actual = line(decoder.decode(*link, bytes));
        assert_eq!(decoder.stats().frames.received(), 1, "{name}: one call, one count");
        if actual != *expected {
            wrong.push(format!("{name}\n  expected {expected}\n  actual   {actual}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn check(link: LinkType, cases: &[(&str, Bytes, &str)]) {
    let cases: Vec<_> = cases.iter().map(|(name, bytes, line)| (*name, link, bytes.clone(), *line)).collect();
    check_with(&Config::default(), &cases);
}

const V4: &str = "10.0.0.1>10.0.0.2 'hello' 45";
const V6: &str = "fd00::1>fd00::2 'hello' 65";

#[test]
fn link_layers() {
    use LinkType as L;
    let radiotap = [&[0, 0, 8, 0, 0, 0, 0, 0][..]].concat();
    let snap = |ether_type: u16| [&[0xaa, 0xaa, 3, 0, 0, 0][..], &ether_type.to_be_bytes()].concat();
    let wlan = |control: [u8; 2], extra: usize| [&control[..], &[0; 22][..], &vec![0; extra]].concat();
    let cat = |parts: &[&[u8]]| parts.concat();
    let v4 = inner_ipv4();
    let v6 = inner_ipv6();
    let nflog = |family: u8| {
        let length = (v4.len() as u16 + 4).to_le_bytes();
        cat(&[&[family, 0, 0, 0], &[5, 0, 10, 0, 0, 0, 0, 0], &[length[0], length[1], 9, 0], &v4])
    };
    let sll = |hardware: u8, protocol: [u8; 2]| cat(&[&[0, 0, 3, hardware], &[0; 10], &protocol, &v4]);
    check_with(
        &Config::default(),
        &[
            ("ethernet", L::Ethernet, inner_frame(), V4),
            ("ethernet v6", L::Ethernet, eth(0x86dd, &v6), V6),
            ("link padding", L::Ethernet, cat(&[&inner_frame(), &[0; 9]]), V4),
            ("arp", L::Ethernet, eth(0x0806, &[0; 28]), "arp ethernet@0"),
            ("lldp", L::Ethernet, eth(0x88cc, &[0; 28]), "unknown_protocol ethernet@0"),
            ("pppoe discovery", L::Ethernet, eth(0x8863, &[0; 28]), "control_packet ethernet@0"),
            ("macsec", L::Ethernet, eth(0x88e5, &[0; 28]), "encrypted ethernet@0"),
            ("short", L::Ethernet, vec![0; 13], "header_truncated ethernet@0"),
            ("empty", L::Ethernet, vec![], "header_truncated ethernet@0"),
            ("802.3 snap", L::Ethernet, eth(53, &cat(&[&snap(0x0800), &v4, &[0; 5]])), V4),
            ("802.3 spanning tree", L::Ethernet, eth(38, &[0x42; 46]), "unknown_protocol llc@14"),
            ("802.3 short", L::Ethernet, eth(3, &[0x42; 46]), "header_truncated llc@14"),
            ("fabric path", L::Ethernet, cat(&[&eth(0x8903, &[0; 2]), &inner_frame()]), V4),
            ("vn-tag", L::Ethernet, eth(0x8926, &cat(&[&[0, 0, 0, 1, 8, 0], &v4])), V4),
            ("raw v4", L::RawIp, v4.clone(), V4),
            ("raw v6", L::RawIp, v6.clone(), V6),
            ("raw nonsense", L::RawIp, vec![0x50; 40], "bad_version raw_ip@0"),
            ("raw empty", L::RawIp, vec![], "header_truncated raw_ip@0"),
            ("null little", L::Null, cat(&[&[2, 0, 0, 0], &v4]), V4),
            ("null big", L::Null, cat(&[&[0, 0, 0, 2], &v4]), V4),
            ("null darwin", L::Null, cat(&[&[30, 0, 0, 0], &v6]), V6),
            ("null freebsd", L::Null, cat(&[&[28, 0, 0, 0], &v6]), V6),
            ("null other", L::Null, cat(&[&[7, 0, 0, 0], &v6]), "unknown_protocol null@0"),
            ("null short", L::Null, vec![2, 0, 0], "header_truncated null@0"),
            ("loop", L::Loop, cat(&[&[0, 0, 0, 24], &v6]), V6),
            ("sll", L::LinuxSll, sll(1, [8, 0]), V4),
            (
                "sll vlan",
                L::LinuxSll,
                cat(&[&[0; 14], &[0x81, 0], &vlan(7, 0x0800, &v4)]),
                "10.0.0.1>10.0.0.2 'hello' 45 vlan=7",
            ),
            ("sll netlink", L::LinuxSll, sll(0x38, [8, 0]), "unknown_protocol sll@0"),
            ("sll can", L::LinuxSll, sll(1, [0, 12]), "unknown_protocol sll@0"),
            ("sll 802.2", L::LinuxSll, cat(&[&[0; 15], &[4], &snap(0x0800), &v4]), V4),
            ("sll short", L::LinuxSll, vec![0; 15], "header_truncated sll@0"),
            ("sll2", L::LinuxSll2, cat(&[&[0x86, 0xdd], &[0; 18], &v6]), V6),
            ("sll2 short", L::LinuxSll2, vec![0; 19], "header_truncated sll@0"),
            ("ppp bare", L::Ppp, cat(&[&[0, 0x21], &v4]), V4),
            ("ppp compressed", L::Ppp, cat(&[&[0x21], &v4]), V4),
            ("ppp framed", L::Ppp, cat(&[&[0xff, 3, 0, 0x57], &v6]), V6),
            ("ppp in hdlc", L::Ppp, cat(&[&[0x0f, 0, 8, 0], &v4]), V4),
            ("ppp lcp", L::Ppp, vec![0xff, 3, 0xc0, 0x21, 1, 1], "control_packet ppp@0"),
            ("ppp multilink", L::Ppp, vec![0xff, 3, 0, 0x3d, 1, 1], "unknown_protocol ppp@0"),
            ("ppp short", L::Ppp, vec![0xff, 3, 0], "header_truncated ppp@0"),
            ("ppp ether", L::PppEther, cat(&[&[0x11, 0, 0, 1, 0, 47, 0, 0x21], &v4]), V4),
            ("pppoe", L::Ethernet, eth(0x8864, &cat(&[&[0x11, 0, 0, 1, 0, 47, 0, 0x21], &v4])), V4),
            ("pppoe version", L::PppEther, vec![0x21, 0, 0, 1, 0, 47, 0, 0x21], "bad_version pppoe@0"),
            ("pppoe code", L::PppEther, vec![0x11, 9, 0, 1, 0, 47, 0, 0x21], "control_packet pppoe@0"),
            ("pppoe short", L::PppEther, vec![0x11, 0, 0, 1, 0], "header_truncated pppoe@0"),
            ("chdlc", L::Chdlc, cat(&[&[0x0f, 0, 8, 0], &v4]), V4),
            ("chdlc slarp", L::Chdlc, vec![0x8f, 0, 0x80, 0x35, 0, 0], "control_packet chdlc@0"),
            ("chdlc short", L::Chdlc, vec![0x0f, 0, 8], "header_truncated chdlc@0"),
            ("wlan", L::Wlan, cat(&[&wlan([8, 1], 0), &snap(0x0800), &v4]), V4),
            ("wlan four addresses", L::Wlan, cat(&[&wlan([8, 3], 6), &snap(0x0800), &v4]), V4),
            ("wlan qos", L::Wlan, cat(&[&wlan([0x88, 1], 2), &snap(0x0800), &v4]), V4),
            ("wlan beacon", L::Wlan, wlan([0x80, 0], 0), "control_packet wlan@0"),
            ("wlan no data", L::Wlan, wlan([0x48, 1], 0), "control_packet wlan@0"),
            ("wlan protected", L::Wlan, wlan([8, 0x41], 40), "encrypted wlan@0"),
            ("wlan a-msdu", L::Wlan, cat(&[&wlan([0x88, 1], 0), &[0x80; 60]]), "aggregated wlan@0"),
            ("wlan short", L::Wlan, wlan([0x88, 1], 0), "header_truncated wlan@0"),
            ("radiotap", L::WlanRadiotap, cat(&[&radiotap, &wlan([8, 1], 0), &snap(0x86dd), &v6]), V6),
            ("radiotap length", L::WlanRadiotap, vec![0, 0, 7, 0, 0, 0, 0, 0], "bad_header_length wlan@0"),
            ("radiotap version", L::WlanRadiotap, vec![1, 0, 8, 0, 0, 0, 0, 0], "bad_version wlan@0"),
            ("nflog", L::Nflog, nflog(2), V4),
            ("nflog bridge", L::Nflog, nflog(7), "unknown_protocol nflog@0"),
            ("nflog no payload", L::Nflog, vec![2, 0, 0, 0, 4, 0, 1, 0], "header_truncated nflog@0"),
            ("nflog bad length", L::Nflog, vec![2, 0, 0, 0, 3, 0, 1, 0], "bad_length nflog@0"),
            ("mpls", L::Mpls, cat(&[&[0, 0, 0x11, 64], &v4]), V4),
        ],
    );
}

#[test]
fn tags_and_labels() {
    let v4 = inner_ipv4();
    let cat = |parts: &[&[u8]]| parts.concat();
    let tags = |count: usize| {
        let innermost = vlan(100, 0x0800, &v4);
        eth(0x8100, &(1..count).fold(innermost, |behind, _| vlan(100, 0x8100, &behind)))
    };
    let labels = |count: usize, payload: &[u8]| {
        eth(0x8847, &cat(&[&[0, 0, 0, 64].repeat(count - 1), &[0, 0, 1, 64], payload]))
    };
    check(
        LinkType::Ethernet,
        &[
            ("802.1q", eth(0x8100, &vlan(0x2064, 0x0800, &v4)), &format!("{V4} vlan=100")),
            ("priority tag is no vlan", eth(0x8100, &vlan(0x6000, 0x0800, &v4)), V4),
            (
                "802.1ad",
                eth(0x88a8, &vlan(5, 0x8100, &vlan(6, 0x0800, &v4))),
                &format!("{V4} vlan=5 inner=6"),
            ),
            ("0x9100", eth(0x9100, &vlan(5, 0x9100, &vlan(6, 0x0800, &v4))), &format!("{V4} vlan=5 inner=6")),
            (
                "three tags",
                eth(0x8100, &vlan(1, 0x8100, &vlan(2, 0x8100, &vlan(3, 0x0800, &v4)))),
                &format!("{V4} vlan=1 inner=2"),
            ),
            ("eight tags", tags(8), &format!("{V4} vlan=100 inner=100")),
            ("nine tags", tags(9), "too_many_headers vlan@46"),
            ("tag short", eth(0x8100, &[0, 1, 8]), "header_truncated vlan@14"),
            ("arp behind a tag", eth(0x8100, &vlan(1, 0x0806, &[0; 28])), "arp vlan@14"),
            (
                "802.1ah",
                eth(0x88e7, &cat(&[&[0, 1, 2, 3], &eth(0x8100, &vlan(9, 0x0800, &v4))])),
                &format!("{V4} vlan=9"),
            ),
            (
                "802.1ah in a backbone vlan",
                eth(0x88a8, &vlan(5, 0x88e7, &cat(&[&[0, 1, 2, 3], &inner_frame()]))),
                V4,
            ),
            ("802.1ah short", eth(0x88e7, &[0, 1, 2]), "header_truncated pbb@14"),
            ("one label", labels(1, &v4), V4),
            ("three labels, v6", labels(3, &inner_ipv6()), V6),
            ("sixteen labels", labels(16, &v4), V4),
            ("seventeen labels", labels(17, &v4), "too_many_headers mpls@14"),
            ("no bottom", eth(0x8847, &[0, 0, 0, 64]), "header_truncated mpls@14"),
            ("nothing behind", labels(1, &[]), "header_truncated mpls@14"),
            ("multicast ether type", eth(0x8848, &cat(&[&[0, 0, 1, 64], &v4])), V4),
            ("pseudowire with control word", labels(2, &cat(&[&[0; 4], &inner_frame()])), V4),
            ("pseudowire without", labels(2, &inner_frame()), V4),
            (
                "pseudowire, tagged",
                labels(1, &cat(&[&[0; 4], &eth(0x8100, &vlan(3, 0x0800, &v4))])),
                &format!("{V4} vlan=3"),
            ),
            ("pseudowire, other address", labels(1, &cat(&[&[0x20], &inner_frame()[1..]])), V4),
            ("associated channel", labels(1, &[0x10, 0, 0, 7]), "control_packet mpls@14"),
            (
                "frames without end",
                (0..70).fold(inner_frame(), |frame, _| eth(0x6558, &frame)),
                "too_many_headers ethernet@896",
            ),
        ],
    );
}

#[test]
fn ip_headers() {
    let segment = tcp(b"hello");
    let v4 = |total, fragment, protocol, options: &[u8], payload: &[u8]| {
        ipv4_with(INNER, total, fragment, protocol, options, payload)
    };
    let routing =
        |kind: u8, left: u8| [&[6, 4, kind, left, 0, 0, 0, 0][..], &v6(8), &v6(9), &segment].concat();
    let ah = |words: u8| [&[6, words, 0, 0][..], &[0; 20], &segment].concat();
    let many = |count: usize| {
        let innermost = extension(6, &segment);
        ipv6(60, &(1..count).fold(innermost, |behind, _| extension(60, &behind)))
    };
    check(
        LinkType::RawIp,
        &[
            ("options", v4(49, (0, 0), 6, &[1, 1, 1, 0], &segment), "10.0.0.1>10.0.0.2 'hello' 49"),
            ("length zero", v4(0, (0, 0), 6, &[], &segment), V4),
            ("cut payload", v4(45, (0, 0), 6, &[], &segment[..22]), "10.0.0.1>10.0.0.2 'he'+3 45"),
            ("length below header", v4(19, (0, 0), 6, &[], &segment), "bad_length ipv4@0"),
            (
                "header length",
                [&[0x44], &v4(45, (0, 0), 6, &[], &segment)[1..]].concat(),
                "bad_header_length ipv4@0",
            ),
            ("cut options", v4(49, (0, 0), 6, &[1, 1, 1, 0], &[])[..22].to_vec(), "header_truncated ipv4@0"),
            ("cut header", inner_ipv4()[..19].to_vec(), "header_truncated ipv4@0"),
            (
                "first fragment",
                v4(44, (7, 0x2000), 6, &[], &[0; 24]),
                "fragment v4 10.0.0.1>10.0.0.2 id=7 proto=6 head=20 at=0+ 24",
            ),
            (
                "last fragment, cut",
                v4(44, (7, 3), 17, &[], &[0; 20]),
                "fragment v4 10.0.0.1>10.0.0.2 id=7 proto=17 head=20 at=24. 20+4",
            ),
            ("icmp", ipv4(INNER, 1, &[0; 8]), "icmp ipv4@0"),
            ("igmp", ipv4(INNER, 2, &[0; 8]), "igmp ipv4@0"),
            ("sctp", ipv4(INNER, 132, &[0; 8]), "sctp ipv4@0"),
            ("esp", ipv4(INNER, 50, &[0; 8]), "encrypted ipv4@0"),
            ("ospf", ipv4(INNER, 89, &[0; 8]), "unknown_protocol ipv4@0"),
            ("udp", ipv4(INNER, 17, &udp(53, &[0; 8])), "not_a_tunnel udp@20"),
            ("teredo", ipv4(INNER, 17, &udp(3544, &inner_ipv6())), "not_a_tunnel udp@20"),
            ("gtp", ipv4(INNER, 17, &udp(2152, &inner_ipv4())), "not_a_tunnel udp@20"),
            ("udp short", ipv4(INNER, 17, &[0; 7]), "header_truncated udp@20"),
            ("udp length", ipv4(INNER, 17, &[0, 0, 0, 0, 0, 7, 0, 0]), "bad_length udp@20"),
            ("ah in v4", ipv4(INNER, 51, &ah(4)), "10.0.0.1>10.0.0.2 'hello' 69"),
            ("ah length", ipv4(INNER, 51, &ah(0)), "bad_header_length ah@20"),
            ("ah short", ipv4(INNER, 51, &[6, 4, 0]), "header_truncated ah@20"),
            ("v6", inner_ipv6(), V6),
            ("v6 length zero", ipv6_with((1, 2), 0, 6, &segment), V6),
            (
                "v6 jumbo option",
                ipv6_with((1, 2), 0, 0, &[&[6, 0, 0xc2, 4, 0, 1, 0, 0][..], &segment].concat()),
                "fd00::1>fd00::2 'hello' 73",
            ),
            ("v6 cut payload", ipv6_with((1, 2), 25, 6, &segment[..24]), "fd00::1>fd00::2 'hell'+1 65"),
            ("v6 padding", [inner_ipv6(), vec![0; 7]].concat(), V6),
            ("v6 hop by hop", ipv6(0, &extension(6, &segment)), "fd00::1>fd00::2 'hello' 73"),
            (
                "v6 chain",
                ipv6(0, &extension(43, &extension(60, &extension(6, &segment)))),
                "fd00::1>fd00::2 'hello' 89",
            ),
            ("v6 routing, done", ipv6(43, &routing(0, 0)), "fd00::1>fd00::2 'hello' 105"),
            ("v6 routing 0", ipv6(43, &routing(0, 1)), "fd00::1>fd00::9 'hello' 105"),
            ("v6 segment routing", ipv6(43, &routing(4, 1)), "fd00::1>fd00::8 'hello' 105"),
            ("v6 ah", ipv6(51, &ah(4)), "fd00::1>fd00::2 'hello' 89"),
            ("v6 atomic fragment", ipv6(44, &ipv6_fragment(6, 0, &segment)), "fd00::1>fd00::2 'hello' 73"),
            (
                "v6 fragment",
                ipv6(0, &extension(44, &ipv6_fragment(6, 0x11, &[0; 8]))),
                "fragment v6 fd00::1>fd00::2 id=4660 proto=6 head=48 at=16+ 8",
            ),
            ("v6 sixteen extensions", many(15), "fd00::1>fd00::2 'hello' 185"),
            ("v6 more extensions", many(16), "too_many_headers ipv6@0"),
            ("v6 no next header", ipv6(59, &[]), "no_next_header ipv6@0"),
            ("v6 icmp", ipv6(58, &[0; 8]), "icmpv6 ipv6@0"),
            ("v6 icmp behind an extension", ipv6(0, &extension(58, &[0; 8])), "icmpv6 ipv6@0"),
            ("v6 extension length", ipv6(0, &[6, 9, 0, 0, 0, 0, 0, 0]), "bad_header_length ipv6@0"),
            (
                "v6 extension cut",
                ipv6_with((1, 2), 100, 0, &[6, 1, 0, 0, 0, 0, 0, 0]),
                "header_truncated ipv6@0",
            ),
            ("v6 extension short", ipv6(0, &[6, 0, 0]), "header_truncated ipv6@0"),
            ("v6 cut", inner_ipv6()[..39].to_vec(), "header_truncated ipv6@0"),
        ],
    );
}

#[test]
fn tcp_headers() {
    let options = [2, 4, 5, 0xb4, 1, 1, 4, 2];
    let full = tcp_with(7, &options, b"hello");
    let cut = |length: usize| ipv4_with(INNER, 53, (0, 0), 6, &[], &full[..length]);
    check(
        LinkType::RawIp,
        &[
            ("options", ipv4(INNER, 6, &full), "10.0.0.1>10.0.0.2 'hello' 53"),
            ("no payload", ipv4(INNER, 6, &tcp(b"")), "10.0.0.1>10.0.0.2 '' 40"),
            ("cut behind the options", cut(28), "10.0.0.1>10.0.0.2 ''+5 53"),
            ("cut in the options", cut(23), "10.0.0.1>10.0.0.2 ''+5 53"),
            ("cut at the options", cut(20), "10.0.0.1>10.0.0.2 ''+5 53"),
            ("cut in the header", cut(19), "header_truncated tcp@20"),
            ("options beyond the packet", ipv4(INNER, 6, &full[..23]), "bad_header_length tcp@20"),
            (
                "options beyond a cut packet",
                ipv4_with(INNER, 47, (0, 0), 6, &[], &full[..23]),
                "bad_header_length tcp@20",
            ),
            ("data offset", ipv4(INNER, 6, &tcp_with(4, &[], b"")), "bad_header_length tcp@20"),
        ],
    );
}

#[test]
fn vxlan_headers() {
    let from = "192.0.2.1:49152>192.0.2.2";
    let frame = inner_frame();
    let header = |bytes: [u8; 8]| outer_udp(4789, &[&bytes[..], &frame].concat());
    let nested =
        |count: u32| (0..count).fold(frame.clone(), |frame, vni| outer_udp(4789, &vxlan(vni, &frame)));
    check(
        LinkType::Ethernet,
        &[
            (
                "plain",
                outer_udp(4789, &vxlan(0xabcdef, &frame)),
                &format!("{V4} vxlan/1 vni=11259375 {from}:4789"),
            ),
            (
                "v6 around v6",
                eth(0x86dd, &ipv6_with((3, 4), 97, 17, &udp(4789, &vxlan(1, &eth(0x86dd, &inner_ipv6()))))),
                &format!("{V6} vxlan/1 vni=1 fd00::3:49152>fd00::4:4789"),
            ),
            (
                "vlan of the inner frame only",
                eth(0x8100, &vlan(5, 0x0800, &outer_udp(4789, &vxlan(1, &frame))[14..])),
                &format!("{V4} vxlan/1 vni=1 {from}:4789"),
            ),
            (
                "inner vlan",
                outer_udp(4789, &vxlan(1, &eth(0x8100, &vlan(5, 0x0800, &inner_ipv4())))),
                &format!("{V4} vxlan/1 vni=1 vlan=5 {from}:4789"),
            ),
            ("group policy", header([0x88, 0, 1, 2, 0, 0, 1, 0]), &format!("{V4} vxlan/1 vni=1 {from}:4789")),
            ("no I flag", header([0x80, 0, 0, 0, 0, 0, 1, 0]), "flag_missing vxlan@42"),
            ("short", outer_udp(4789, &[8, 0, 0, 0, 0, 0, 1]), "header_truncated vxlan@42"),
            ("no frame", outer_udp(4789, &vxlan(1, &[])), "header_truncated ethernet@50"),
            ("inner arp", outer_udp(4789, &vxlan(1, &eth(0x0806, &[0; 28]))), "arp ethernet@50"),
            ("eight deep", nested(8), &format!("{V4} vxlan/8 vni=0 {from}:4789")),
            ("nine deep", nested(9), "depth_exceeded vxlan@442"),
            (
                "length zero inside a cut packet",
                outer(
                    17,
                    &udp(4789, &vxlan(1, &eth(0x0800, &ipv4_with(INNER, 0, (0, 0), 6, &[], &tcp(b"hello"))))),
                )[..107]
                    .to_vec(),
                &format!("10.0.0.1>10.0.0.2 'hel'+2 45 vxlan/1 vni=1 {from}:4789"),
            ),
            (
                "inner fragment",
                outer_udp(4789, &vxlan(1, &eth(0x0800, &ipv4_with(INNER, 28, (9, 0x2001), 6, &[], &[0; 8])))),
                &format!(
                    "fragment v4 10.0.0.1>10.0.0.2 id=9 proto=6 head=20 at=8+ 8 vxlan/1 vni=1 {from}:4789"
                ),
            ),
            ("legacy port", outer_udp(8472, &vxlan(1, &frame)), "not_a_tunnel udp@34"),
        ],
    );
    check_with(
        &Config { vxlan_ports: vec![4789, 8472], max_depth: 1, ..Config::default() },
        &[
            (
                "legacy port when configured",
                LinkType::Ethernet,
                outer_udp(8472, &vxlan(1, &frame)),
                &format!("{V4} vxlan/1 vni=1 {from}:8472"),
            ),
            ("configured depth", LinkType::Ethernet, nested(2), "depth_exceeded vxlan@92"),
        ],
    );
}

#[test]
fn vxlan_gpe_headers() {
    let packet = |flags, next, payload: &[u8]| outer_udp(4790, &vxlan_gpe(flags, next, 7, payload));
    let entered = "vxlan_gpe/1 vni=7 192.0.2.1:49152>192.0.2.2:4790";
    check(
        LinkType::Ethernet,
        &[
            ("ipv4", packet(0x0c, 1, &inner_ipv4()), &format!("{V4} {entered}")),
            ("ipv6", packet(0x0c, 2, &inner_ipv6()), &format!("{V6} {entered}")),
            ("ethernet", packet(0x0c, 3, &inner_frame()), &format!("{V4} {entered}")),
            ("no P bit", packet(0x08, 0, &inner_frame()), &format!("{V4} {entered}")),
            (
                "mpls",
                packet(0x0c, 5, &[&[0, 0, 1, 64], &inner_ipv4()[..]].concat()),
                &format!("{V4} {entered}"),
            ),
            ("nsh", packet(0x0c, 4, &[0; 40]), "unknown_protocol vxlan_gpe@42"),
            ("oam", packet(0x0d, 1, &inner_ipv4()), "control_packet vxlan_gpe@42"),
            ("version", packet(0x1c, 1, &inner_ipv4()), "bad_version vxlan_gpe@42"),
            ("no I flag", packet(0x04, 1, &inner_ipv4()), "flag_missing vxlan_gpe@42"),
            ("ipv4 that is not", packet(0x0c, 1, &inner_ipv6()), "bad_version ipv4@50"),
            ("short", outer_udp(4790, &[0x0c; 7]), "header_truncated vxlan_gpe@42"),
        ],
    );
}

#[test]
fn geneve_options() {
    let entered = "geneve/1 vni=7 192.0.2.1:49152>192.0.2.2:6081";
    let packet =
        |protocol, options: &[u8], payload: &[u8]| outer_udp(6081, &geneve(protocol, 7, options, payload));
    let aws = [
        option(0x0108, 1, &0x0102_0304_u64.to_be_bytes()),
        option(0x0108, 2, &5_u64.to_be_bytes()),
        option(0x0108, 3, &6_u32.to_be_bytes()),
    ]
    .concat();
    let gcp = [
        option(0x0132, 0x81, &8_u32.to_be_bytes()),
        option(0x0132, 2, &v6(9)),
        option(0x0132, 3, &10_u64.to_be_bytes()),
    ]
    .concat();
    let with_bits = |first: u8, second: u8| {
        let mut bytes = geneve(0x0800, 7, &[], &inner_ipv4());
        (bytes[0], bytes[1]) = (first, second);
        outer_udp(6081, &bytes)
    };
    check(
        LinkType::Ethernet,
        &[
            ("ethernet", packet(0x6558, &[], &inner_frame()), &format!("{V4} {entered}")),
            ("ipv4", packet(0x0800, &[], &inner_ipv4()), &format!("{V4} {entered}")),
            ("ipv6", packet(0x86dd, &[], &inner_ipv6()), &format!("{V6} {entered}")),
            ("arp", packet(0x0806, &[], &[0; 28]), "arp geneve@42"),
            (
                "aws",
                packet(0x0800, &aws, &inner_ipv4()),
                &format!("{V4} {entered} options eni=16909060 attachment=5 cookie=6"),
            ),
            (
                "gcp",
                packet(0x0800, &gcp, &inner_ipv4()),
                &format!("{V4} {entered} options network=8 endpoint=9 profile=10"),
            ),
            (
                "unknown option",
                packet(0x0800, &option(0x0101, 1, &[0; 8]), &inner_ipv4()),
                &format!("{V4} {entered}"),
            ),
            (
                "known type, other length",
                packet(0x0800, &option(0x0108, 1, &[0; 4]), &inner_ipv4()),
                &format!("{V4} {entered}"),
            ),
            (
                "option past the area",
                packet(0x0800, &[1, 8, 1, 2], &inner_ipv4()),
                &format!("{V4} {entered}"),
            ),
            (
                "load balancer around a mirror",
                packet(0x0800, &aws, &ipv4(OUTER, 17, &udp(4789, &vxlan(8, &inner_frame())))),
                &format!(
                    "{V4} vxlan/2 vni=8 192.0.2.1:49152>192.0.2.2:6081 options eni=16909060 attachment=5 cookie=6"
                ),
            ),
            ("control", with_bits(0, 0x80), "control_packet geneve@42"),
            ("critical", with_bits(0, 0x40), &format!("{V4} {entered}")),
            ("version", with_bits(0x40, 0), "bad_version geneve@42"),
            ("options cut", with_bits(0x3f, 0), "header_truncated geneve@42"),
            ("unknown protocol", packet(0x894f, &[], &[0; 40]), "unknown_protocol geneve@42"),
            ("short", outer_udp(6081, &[0; 7]), "header_truncated geneve@42"),
        ],
    );
}

#[test]
fn gre_in_all_forms() {
    let entered = |name: &str| format!("{V4} {name} 192.0.2.1:0>192.0.2.2:0");
    let v4 = inner_ipv4();
    let frame = inner_frame();
    let packet = |flags, protocol, key, payload: &[u8]| outer(47, &gre(flags, protocol, key, payload));
    // All eight combinations of checksum, key and sequence number.
    for bits in 0..8_u16 {
        let flags = bits << 13 & 0x8000 | bits << 12 & 0x2000 | bits << 12 & 0x1000;
        let key = if flags & 0x2000 != 0 { " vni=77" } else { "" };
        check(
            LinkType::Ethernet,
            &[("flags", packet(flags, 0x0800, 77, &v4), &entered(&format!("gre/1{key}")))],
        );
    }
    let erspan2 = |version: u8, frame: &[u8]| [&[version << 4, 9, 0x18, 3, 0, 0, 0, 0][..], frame].concat();
    let erspan3 = |frame_type: u8, o: u8, frame: &[u8]| {
        [&[0x20, 9, 0, 3, 0, 0, 0, 0, 0, 0, frame_type << 2, o][..], &[0; 8][..usize::from(o) * 8], frame]
            .concat()
    };
    let wlan = [&[8, 1][..], &[0; 22], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &v4].concat();
    check(
        LinkType::Ethernet,
        &[
            ("ipv6", packet(0, 0x86dd, 0, &inner_ipv6()), &format!("{V6} gre/1 192.0.2.1:0>192.0.2.2:0")),
            ("mpls", packet(0, 0x8847, 0, &[&[0, 0, 1, 64], &v4[..]].concat()), &entered("gre/1")),
            ("arp", packet(0, 0x0806, 0, &[0; 28]), "arp gre@34"),
            ("l2gre", packet(0, 0x6558, 0, &frame), &entered("l2gre/1")),
            ("l2gre with a plain key", packet(0x2000, 0x6558, 200, &frame), &entered("l2gre/1 vni=200")),
            ("nvgre", packet(0x2000, 0x6558, 0x1234_56ff, &frame), &entered("nvgre/1 vni=1193046")),
            ("erspan 1", packet(0, 0x88be, 0, &frame), &entered("erspan/1")),
            ("erspan 2", packet(0x1000, 0x88be, 0, &erspan2(1, &frame)), &entered("erspan/1 vni=3")),
            ("erspan 2 version", packet(0x1000, 0x88be, 0, &erspan2(5, &frame)), "bad_version erspan@42"),
            ("erspan 2 short", packet(0x1000, 0x88be, 0, &[0x10; 7]), "header_truncated erspan@42"),
            ("erspan 3", packet(0x1000, 0x22eb, 0, &erspan3(0, 0, &frame)), &entered("erspan/1 vni=3")),
            (
                "erspan 3 with subheader",
                packet(0x1000, 0x22eb, 0, &erspan3(0, 1, &frame)),
                &entered("erspan/1 vni=3"),
            ),
            ("erspan 3 with ip", packet(0x1000, 0x22eb, 0, &erspan3(2, 0, &v4)), &entered("erspan/1 vni=3")),
            (
                "erspan 3 with infiniband",
                packet(0x1000, 0x22eb, 0, &erspan3(1, 0, &v4)),
                "unknown_protocol erspan@42",
            ),
            (
                "erspan 3 short",
                packet(0x1000, 0x22eb, 0, &erspan3(0, 1, &[])[..19]),
                "header_truncated erspan@42",
            ),
            ("erspan 3 version", packet(0x1000, 0x22eb, 0, &erspan2(1, &frame)), "bad_version erspan@42"),
            ("wccp 1", packet(0, 0x883e, 0, &v4), &entered("gre/1")),
            ("wccp 2", packet(0, 0x883e, 0, &[&[0; 4], &v4[..]].concat()), &entered("gre/1")),
            ("aruba", packet(0, 0x8200, 0, &wlan), &entered("gre/1")),
            ("aruba, other priority", packet(0, 0x8330, 0, &wlan), &entered("gre/1")),
            ("not aruba", packet(0, 0x8331, 0, &wlan), "unknown_protocol gre@34"),
            (
                "in udp",
                outer_udp(4754, &gre(0, 0x0800, 0, &v4)),
                &format!("{V4} gre/1 192.0.2.1:49152>192.0.2.2:4754"),
            ),
            (
                "gre in gre keeps the key",
                packet(0x2000, 0x0800, 5, &ipv4(OUTER, 47, &gre(0, 0x0800, 0, &v4))),
                &entered("gre/2 vni=5"),
            ),
            ("version 1", packet(0x3001, 0x880b, 0, &v4), "bad_version gre@34"),
            ("routing", packet(0x4000, 0x0800, 0, &v4), "routing_present gre@34"),
            ("short", outer(47, &[0, 0, 8]), "header_truncated gre@34"),
            ("checksum cut", outer(47, &[0x80, 0, 8, 0, 0, 0]), "header_truncated gre@34"),
            ("key cut", outer(47, &[0x20, 0, 8, 0, 0, 0]), "header_truncated gre@34"),
            ("sequence cut", outer(47, &[0x10, 0, 8, 0, 0, 0]), "header_truncated gre@34"),
        ],
    );
}

#[test]
fn ip_in_ip() {
    let (v4, v6) = (inner_ipv4(), inner_ipv6());
    let around = |next, payload: &[u8]| ipv6_with((3, 4), payload.len() as u16, next, payload);
    check(
        LinkType::RawIp,
        &[
            ("4 in 4", ipv4(OUTER, 4, &v4), &format!("{V4} ipip/1 192.0.2.1:0>192.0.2.2:0")),
            ("6 in 4", ipv4(OUTER, 41, &v6), &format!("{V6} ipip/1 192.0.2.1:0>192.0.2.2:0")),
            ("4 in 6", around(4, &v4), &format!("{V4} ipip/1 fd00::3:0>fd00::4:0")),
            ("6 in 6", around(41, &v6), &format!("{V6} ipip/1 fd00::3:0>fd00::4:0")),
            (
                "behind an extension",
                around(60, &extension(41, &v6)),
                &format!("{V6} ipip/1 fd00::3:0>fd00::4:0"),
            ),
            ("6 in 4 in 6", around(4, &ipv4(OUTER, 41, &v6)), &format!("{V6} ipip/2 fd00::3:0>fd00::4:0")),
            ("wrong family", ipv4(OUTER, 41, &v4), "bad_version ipv6@20"),
            ("wrong version", ipv4(OUTER, 4, &v6), "bad_version ipv4@20"),
        ],
    );
}

#[test]
fn link_type_numbers() {
    let known = [0, 1, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 127, 219, 228, 229, 239, 276];
    for dlt in 0..400 {
        assert_eq!(LinkType::from_dlt(dlt).is_some(), known.contains(&dlt), "{dlt}");
    }
}
