//! Identifiers that are the same in every replay of the same packets, whatever the number of threads.
use harken_wire::{Encap, Ip, Timestamp, TunnelKind};
use siphasher::sip128::{Hash128, Hasher128, SipHasher13};
use std::hash::Hasher;

/// Zeek's digits for base 62.
const BASE62: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// A connection's identifier in the shape of Zeek's: `C` and 17 characters of base 62 (101 bits of a hash).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid([u8; 18]);

impl Uid {
    /// The identifier of a TCP connection. Which endpoint is the client does not matter: roles may be learnt
    /// late.
    pub fn connection(a: (Ip, u16), b: (Ip, u16), encap: &Encap, start: Timestamp) -> Self {
        let mut hash = hasher(b"flow");
        endpoints(&mut hash, a, b);
        hash.write_u64(encap.vni.map_or(u64::MAX, u64::from));
        hash.write_u32(encap.vlan.map_or(u32::MAX, u32::from));
        hash.write_u64(start.0);
        Self::new(hash.finish128())
    }

    /// The identifier of the tunnel that `encap` describes: outer addresses, destination port, kind and
    /// virtual network. The outer source port is left out, since encapsulators spread flows over it. `None`
    /// when the packet was not tunnelled.
    pub fn tunnel(encap: &Encap) -> Option<Self> {
        let kind = encap.kind?;
        let mut hash = hasher(b"tunnel");
        endpoints(&mut hash, (encap.outer.src, 0), (encap.outer.dst, 0));
        hash.write_u16(encap.outer.dport);
        hash.write_u8(kind as u8);
        hash.write_u64(encap.vni.map_or(u64::MAX, u64::from));
        Some(Self::new(hash.finish128()))
    }

    fn new(hash: Hash128) -> Self {
        // Division of 128 bits is a function call, so that it is done once and not for each digit.
        const LOW: usize = 10;
        let scale = 62_u128.pow(LOW as u32);
        let value = hash.as_u128();
        let rest = value / scale;
        let parts = [(value - rest * scale) as u64, (rest % 62_u128.pow(7)) as u64];
        let mut text = [b'C'; 18];
        let (low, high) = text.get_mut(1..).unwrap_or_default().split_at_mut(LOW);
        for (digits, mut part) in [low, high].into_iter().zip(parts) {
            for digit in digits {
                *digit = BASE62.get((part % 62) as usize).copied().unwrap_or(b'0');
                part /= 62;
            }
        }
        Self(text)
    }

    /// The text.
    #[inline]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Display for Uid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for Uid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A transaction's identifier: 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId([u8; 32]);

impl EventId {
    /// The identifier of the transaction `depth` of a connection. The stream offsets of its two messages
    /// (`None` for one that was not seen) tell halves apart that are given separately.
    pub fn new(uid: &Uid, depth: u32, request_at: Option<u64>, response_at: Option<u64>) -> Self {
        let mut hash = hasher(b"transaction");
        hash.write(uid.as_bytes());
        hash.write_u32(depth);
        for at in [request_at, response_at] {
            hash.write_u8(u8::from(at.is_some()));
            hash.write_u64(at.unwrap_or_default());
        }
        let mut text = [0; 32];
        let mut value = hash.finish128().as_u128();
        for digit in text.iter_mut().rev() {
            *digit = b"0123456789abcdef".get((value & 15) as usize).copied().unwrap_or(b'0');
            value >>= 4;
        }
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Debug for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A hash with a fixed key: identifiers must not change between runs.
fn hasher(what: &[u8]) -> SipHasher13 {
    let mut hash = SipHasher13::new_with_keys(0x6861_726b_656e, 1);
    hash.write(what);
    hash
}

fn endpoints(hash: &mut SipHasher13, a: (Ip, u16), b: (Ip, u16)) {
    for (ip, port) in [a.min(b), a.max(b)] {
        hash.write_u128(ip.bits());
        hash.write_u16(port);
    }
}

// `TunnelKind` is hashed by its number: a reordering would change every identifier.
const _: () = assert!(TunnelKind::Vxlan as u8 == 0 && TunnelKind::IpIp as u8 == 7);

#[cfg(test)]
mod tests {
    use super::*;
    use harken_wire::Outer;

    const A: (Ip, u16) = (Ip::v4([10, 0, 0, 1]), 1234);
    const B: (Ip, u16) = (Ip::v4([10, 0, 0, 2]), 80);

    #[test]
    fn stable_and_free_of_roles() {
        let (plain, ts) = (Encap::default(), Timestamp(7));
        let uid = Uid::connection(A, B, &plain, ts);
        assert_eq!(uid, Uid::connection(B, A, &plain, ts));
        assert_eq!(uid.as_str(), "CelbKlmbHyaQKgElXm", "published: must never change");
        let others = [
            Uid::connection(A, B, &Encap { vni: Some(0), ..plain }, ts),
            Uid::connection(A, B, &Encap { vlan: Some(0), ..plain }, ts),
            Uid::connection(A, B, &plain, Timestamp(8)),
            Uid::connection((A.0, 80), (B.0, 1234), &plain, ts),
        ];
        for (i, other) in others.iter().enumerate() {
            assert_ne!(uid, *other);
            assert!(!others.iter().skip(i + 1).any(|o| o == other));
        }
    }

    #[test]
    fn tunnels() {
        let outer = Outer { src: A.0, dst: B.0, sport: 1, dport: 4789 };
        let encap =
            Encap { depth: 1, kind: Some(TunnelKind::Vxlan), vni: Some(5), outer, ..Encap::default() };
        let uid = Uid::tunnel(&encap).unwrap();
        let spread = Encap { outer: Outer { sport: 2, ..outer }, ..encap };
        let back = Encap { outer: Outer { src: B.0, dst: A.0, ..outer }, ..encap };
        assert_eq!((Some(uid), Some(uid)), (Uid::tunnel(&spread), Uid::tunnel(&back)));
        assert_ne!(Some(uid), Uid::tunnel(&Encap { vni: Some(6), ..encap }));
        assert_eq!(None, Uid::tunnel(&Encap::default()));
    }

    #[test]
    fn events() {
        let uid = Uid::connection(A, B, &Encap::default(), Timestamp(7));
        let id = EventId::new(&uid, 1, Some(0), Some(0));
        assert_eq!(id.as_str().len(), 32);
        assert_eq!(id, EventId::new(&uid, 1, Some(0), Some(0)));
        assert_ne!(id, EventId::new(&uid, 1, Some(0), None));
        assert_ne!(id, EventId::new(&uid, 1, None, Some(0)));
        assert_ne!(id, EventId::new(&uid, 2, Some(0), Some(0)));
    }
}
