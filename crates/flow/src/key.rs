//! Which packets belong together.
use crate::pair::Side;
use harken_wire::{Ip, Segment};
use std::hash::{BuildHasher, RandomState};

/// Whether a flow's key contains the tunnel that it was seen in.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum TunnelInKey {
    /// VNI and VLAN are part of the key: mirrored networks may reuse addresses.
    #[default]
    Vni,
    /// Addresses and ports only: both ends of one conversation may be mirrored under two VNIs.
    None,
}

/// Both directions of one 5-tuple inside one tunnel. The endpoints are ordered, so that the key is the
/// same whichever way a packet goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FlowKey {
    /// The lower endpoint.
    pub low: (Ip, u16),
    /// The higher endpoint.
    pub high: (Ip, u16),
    /// The tunnel's identity, when it is part of the key.
    pub vni: Option<u32>,
    /// The innermost frame's VLAN, when it is part of the key.
    pub vlan: Option<u16>,
}

/// A key as the table keeps it: 48 bytes, so that it shares its cache line with what every packet touches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PackedKey {
    low: Ip,
    high: Ip,
    /// Low port in the upper half, high port in the lower.
    ports: u32,
    vni: u32,
    vlan: u16,
    /// Bit 0: `vni` is there; bit 1: `vlan` is there.
    present: u16,
}

impl PackedKey {
    /// The key of a segment, and the side of its sender.
    #[inline]
    pub(crate) fn new(seg: &Segment<'_>, tunnel: TunnelInKey) -> (Self, Side) {
        let forward = (seg.src, seg.sport) <= (seg.dst, seg.dport);
        let (low, low_port, high, high_port, side) = if forward {
            (seg.src, seg.sport, seg.dst, seg.dport, Side::Low)
        } else {
            (seg.dst, seg.dport, seg.src, seg.sport, Side::High)
        };
        let (vni, vlan) = match tunnel {
            TunnelInKey::Vni => (seg.encap.vni, seg.encap.vlan),
            TunnelInKey::None => (None, None),
        };
        let key = Self {
            low,
            high,
            ports: u32::from(low_port) << 16 | u32::from(high_port),
            vni: vni.unwrap_or(0),
            vlan: vlan.unwrap_or(0),
            present: u16::from(vni.is_some()) | u16::from(vlan.is_some()) << 1,
        };
        (key, side)
    }

    /// The public form.
    pub(crate) fn unpack(&self) -> FlowKey {
        FlowKey {
            low: self.endpoint(Side::Low),
            high: self.endpoint(Side::High),
            vni: (self.present & 1 != 0).then_some(self.vni),
            vlan: (self.present & 2 != 0).then_some(self.vlan),
        }
    }

    /// Address and port of one side.
    #[inline]
    pub(crate) const fn endpoint(&self, side: Side) -> (Ip, u16) {
        match side {
            Side::Low => (self.low, (self.ports >> 16) as u16),
            Side::High => (self.high, self.ports as u16),
        }
    }

    #[inline]
    fn hash(&self, seed: &Seed) -> u64 {
        let (low, high) = (self.low.bits(), self.high.bits());
        let rest = u64::from(self.ports) << 32 | u64::from(self.vni);
        let tail = u64::from(self.vlan) << 16 | u64::from(self.present);
        let a = fold(low as u64 ^ seed.0, (low >> 64) as u64 ^ seed.1);
        let b = fold(high as u64 ^ seed.2, (high >> 64) as u64 ^ seed.3);
        let c = fold(rest ^ seed.1, tail ^ seed.2);
        fold(a ^ b.rotate_left(23) ^ seed.3, c ^ seed.0)
    }
}

/// Full multiplication, both halves folded into one.
#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

/// Four secret words that key the hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed(u64, u64, u64, u64);

impl Seed {
    /// Fixed, so that every process sends a flow to the same shard.
    const SHARD: Self =
        Self(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89);

    /// Different in every table: whoever sends the packets cannot choose addresses that collide. Nothing
    /// that can be observed depends on it.
    pub(crate) fn random() -> Self {
        let state = RandomState::new();
        let word = |i: u64| state.hash_one(i) | 1;
        Self(word(0), word(1), word(2), word(3))
    }

    #[inline]
    pub(crate) fn hash(&self, key: &PackedKey) -> u64 {
        key.hash(self)
    }
}

/// A hash of the flow that a segment belongs to, for spreading flows over shards: the same for both
/// directions, the same in every process.
#[inline]
pub fn key_hash(seg: &Segment<'_>, tunnel: TunnelInKey) -> u64 {
    Seed::SHARD.hash(&PackedKey::new(seg, tunnel).0)
}
