//! Which packets belong together.
use crate::pair::{Pair, Side};
use harken_wire::{Ip, Segment};
use std::hash::{BuildHasher, RandomState};

/// Whether a flow's key contains the tunnel that it was seen in.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum TunnelInKey {
    /// VNI and VLAN are part of the key: mirrored networks may reuse addresses. The two directions may be
    /// tagged with different VLANs, as long as no other flow claims the packets.
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
    /// The innermost frame's VLAN, when it is part of the key. Where the two directions are tagged
    /// differently, that of the lower endpoint.
    pub vlan: Option<u16>,
}

/// VLAN of one direction: an id, or one of two marks that no id can have.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Vlan(u16);

impl Vlan {
    /// No packet of this direction was seen.
    const UNSEEN: Self = Self(0xffff);
    /// Untagged, or not part of the key.
    const NONE: Self = Self(0xfffe);

    const fn id(self) -> Option<u16> {
        if self.0 < Self::NONE.0 { Some(self.0) } else { None }
    }
}

/// A key as the table keeps it: 48 bytes, so that it shares its cache line with what every packet touches.
///
/// The VLANs are not part of its equality, since the two directions of a connection may be tagged
/// differently: they tell connections apart that are otherwise equal, see [`Self::fits`].
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct PackedKey {
    low: Ip,
    high: Ip,
    /// Low port in the upper half, high port in the lower.
    ports: u32,
    vni: u32,
    vlans: Pair<Vlan>,
    has_vni: bool,
}

impl PartialEq for PackedKey {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.low == other.low
            && self.high == other.high
            && self.ports == other.ports
            && self.vni == other.vni
            && self.has_vni == other.has_vni
    }
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
        let mut vlans = Pair { low: Vlan::UNSEEN, high: Vlan::UNSEEN };
        *vlans.of_mut(side) = vlan.map_or(Vlan::NONE, |id| Vlan(id & 0xfff));
        let key = Self {
            low,
            high,
            ports: u32::from(low_port) << 16 | u32::from(high_port),
            vni: vni.unwrap_or(0),
            vlans,
            has_vni: vni.is_some(),
        };
        (key, side)
    }

    /// Whether a packet with the equal key `new`, sent by `side`, was tagged like this flow's: like the
    /// earlier packets of its direction, or, when it is the first of them, like those of the other.
    #[inline]
    pub(crate) fn fits(&self, new: &Self, side: Side) -> bool {
        let (seen, tag) = (*self.vlans.of(side), *new.vlans.of(side));
        seen == tag || seen == Vlan::UNSEEN && *self.vlans.of(side.other()) == tag
    }

    /// No packet of `side` has been seen, so that it may turn out to be tagged differently.
    #[inline]
    pub(crate) fn awaits(&self, side: Side) -> bool {
        *self.vlans.of(side) == Vlan::UNSEEN
    }

    /// Notes how the packets of `side` are tagged.
    #[inline]
    pub(crate) fn note_vlan(&mut self, new: &Self, side: Side) {
        *self.vlans.of_mut(side) = *new.vlans.of(side);
    }

    /// The public form.
    pub(crate) fn unpack(&self) -> FlowKey {
        let vlan = if self.vlans.low == Vlan::UNSEEN { self.vlans.high } else { self.vlans.low };
        FlowKey {
            low: self.endpoint(Side::Low),
            high: self.endpoint(Side::High),
            vni: self.has_vni.then_some(self.vni),
            vlan: vlan.id(),
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
        let tail = u64::from(self.has_vni);
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
