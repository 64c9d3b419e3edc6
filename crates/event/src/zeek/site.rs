//! Which addresses count as local: Zeek's `Site::private_address_space`.
use harken_wire::Ip;

/// IPv4 blocks (address, prefix length) that IANA does not route over the Internet.
const V4: [(u32, u32); 15] = [
    (0x0000_0000, 8),  // this network, RFC 791
    (0x0a00_0000, 8),  // private use, RFC 1918
    (0x6440_0000, 10), // shared address space, RFC 6598
    (0x7f00_0000, 8),  // loopback, RFC 1122
    (0xa9fe_0000, 16), // link local, RFC 3927
    (0xac10_0000, 12), // private use, RFC 1918
    (0xc000_0000, 24), // IETF protocol assignments, RFC 6890
    (0xc000_0200, 24), // TEST-NET-1, RFC 5737
    (0xc0a8_0000, 16), // private use, RFC 1918
    (0xc612_0000, 15), // benchmarking, RFC 2544
    (0xc633_6400, 24), // TEST-NET-2, RFC 5737
    (0xcb00_7100, 24), // TEST-NET-3, RFC 5737
    (0xe000_0000, 24), // local multicast, RFC 5771
    (0xef00_0000, 8),  // administratively scoped multicast, RFC 2365
    (0xf000_0000, 4),  // reserved, RFC 1112, and limited broadcast, RFC 919
];

/// IPv6 blocks (first 64 bits, prefix length up to 64) of the same kind.
const V6: [(u64, u32); 8] = [
    (0x0064_ff9b_0001_0000, 48), // translation, RFC 8215
    (0x0100_0000_0000_0000, 64), // discard only, RFC 6666
    (0x2001_0000_0000_0000, 23), // IETF protocol assignments, RFC 2928
    (0x2001_0002_0000_0000, 48), // benchmarking, RFC 5180
    (0x2001_0db8_0000_0000, 32), // documentation, RFC 3849
    (0xfc00_0000_0000_0000, 7),  // unique local, RFC 4193
    (0xfe80_0000_0000_0000, 10), // link local, RFC 4291
    (0xfec0_0000_0000_0000, 10), // site local, RFC 3879
];

/// Whether `ip` is of a private block, or a 6to4 address (RFC 3056) made from one.
pub(crate) fn is_local(ip: Ip) -> bool {
    let bits = ip.bits();
    if ip.is_v4() {
        return v4_is_local(bits as u32);
    }
    let high = (bits >> 64) as u64;
    if high >> 48 == 0x2002 {
        return v4_is_local((high >> 16) as u32);
    }
    // The unspecified and the loopback address.
    bits <= 1 || V6.iter().any(|(block, len)| (high ^ block) >> (64 - len) == 0)
}

fn v4_is_local(bits: u32) -> bool {
    V4.iter().any(|(block, len)| (bits ^ block) >> (32 - len) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks() {
        for (text, local) in [
            ("10.1.2.3", true),
            ("11.0.0.1", false),
            ("100.127.255.255", true),
            ("100.128.0.0", false),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("192.0.2.9", true),
            ("8.8.8.8", false),
            ("224.0.1.1", false),
            ("255.255.255.255", true),
            ("::1", true),
            ("::2", false),
            ("fe80::1", true),
            ("fd00::1", true),
            ("2001:db8::1", true),
            ("2001:41d0:a:f78a::1", false),
            ("2002:a00:1::", true),
            ("2002:808:808::", false),
        ] {
            let ip = text.parse::<std::net::IpAddr>().unwrap().into();
            assert_eq!(is_local(ip), local, "{text}");
        }
    }
}
