//! From a packet in a block of the ring to a frame as it was on the wire.
use crate::reader::Located;
use harken_wire::Timestamp;

// What `libc` lacks of <linux/if_packet.h>.
const TP_STATUS_VLAN_VALID: u32 = 0x10;
const TP_STATUS_VLAN_TPID_VALID: u32 = 0x40;
const VLAN_TAG: usize = 4;
const SLL_HEADER: usize = 16;
/// Room in front of each packet for what is put back there: a VLAN tag, a cooked header.
pub(crate) const RESERVE: u32 = 32;
/// `struct tpacket3_hdr` and the `struct sockaddr_ll` behind it.
const HEADER: usize = 68;

/// How the frames of an interface begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    /// The link type of the packets that are lent.
    pub(crate) dlt: u32,
    /// Bytes before the IP header, as a program of the kernel's sees them.
    pub(crate) header: u32,
    /// The kernel takes the link header off; a cooked one is put in its place.
    pub(crate) cooked: bool,
    /// Every packet is seen twice.
    pub(crate) loopback: bool,
}

impl Link {
    pub(crate) fn of(hardware_type: u16) -> Self {
        let (dlt, header, cooked) = match hardware_type {
            libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => (1, 14, false),
            // A TUN device, and the modems' raw IP (519): no header at all.
            libc::ARPHRD_NONE | 519 => (101, 0, false),
            libc::ARPHRD_IEEE80211 => (105, 0, false),
            libc::ARPHRD_IEEE80211_RADIOTAP => (127, 0, false),
            // PPP and the kernel's tunnel devices, whose headers differ.
            _ => (113, 0, true),
        };
        Self { dlt, header, cooked, loopback: hardware_type == libc::ARPHRD_LOOPBACK }
    }

    /// The kind of socket that is needed.
    pub(crate) fn kind(self) -> i32 {
        if self.cooked { libc::SOCK_DGRAM } else { libc::SOCK_RAW }
    }
}

/// The distance to the next packet when of this one there is only the byte by which a packet is counted that the
/// kernel was asked to pass over.
#[inline]
pub(crate) fn mark(memory: &[u8], header_at: usize) -> Option<usize> {
    let header: [u8; 20] = *memory.get(header_at..)?.first_chunk()?;
    let [a, b, c, d, .., e, f, g, h, i, j, k, l] = header;
    let [next, len, wire_len] = [[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(u32::from_ne_bytes);
    (len == 1 && wire_len > 1).then_some(next as usize)
}

/// Finds one packet of a block and puts back what the kernel or the network card took from its front. The
/// second value is the distance to the next packet. `None` when the header there makes no sense.
#[inline]
pub(crate) fn locate(memory: &mut [u8], header_at: usize, link: Link) -> Option<(Located, usize)> {
    // <linux/if_packet.h>: `struct tpacket3_hdr`, 16-byte aligned, with a `struct sockaddr_ll` behind it.
    let header: [u8; HEADER] = *memory.get(header_at..)?.first_chunk()?;
    let word = |at: usize| header.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    let half = |at: usize| header.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes));
    let (next, seconds, nanos) = (word(0)?, word(4)?, word(8)?);
    let (mut len, mut wire_len, status) = (word(12)? as usize, word(16)?, word(20)?);
    let (tci, tpid) = (word(32)? as u16, half(36)?);
    let mut at = header_at.checked_add(usize::from(half(24)?))?;
    let tagged = tci != 0 || status & TP_STATUS_VLAN_VALID != 0;
    let tpid = if status & TP_STATUS_VLAN_TPID_VALID != 0 { tpid } else { 0x8100 };
    let (t, i) = (tpid.to_be_bytes(), tci.to_be_bytes());
    let mut put = 0;
    if link.cooked {
        // `sll_protocol` is in network order already; `sll_hatype` is not.
        let [.., p0, p1, _, _, _, _, h0, h1, kind, address_len, a, b, c, d, e, f, g, h] = header;
        let [h0, h1] = u16::from_ne_bytes([h0, h1]).to_be_bytes();
        let front = [0, kind, h0, h1, 0, address_len, a, b, c, d, e, f, g, h];
        let protocol = if tagged { &[t[0], t[1], i[0], i[1], p0, p1][..] } else { &[p0, p1] };
        put = if tagged { SLL_HEADER + VLAN_TAG } else { SLL_HEADER };
        at = at.checked_sub(put)?;
        let (to, rest) = memory.get_mut(at..)?.split_at_mut_checked(front.len())?;
        to.copy_from_slice(&front);
        rest.get_mut(..protocol.len())?.copy_from_slice(protocol);
    } else if tagged && link.dlt == 1 && len >= 12 {
        put = VLAN_TAG;
        let from = at;
        at = at.checked_sub(put)?;
        let addresses: [u8; 12] = *memory.get(from..)?.first_chunk()?;
        let (to, rest) = memory.get_mut(at..)?.split_at_mut_checked(addresses.len())?;
        to.copy_from_slice(&addresses);
        *rest.first_chunk_mut()? = [t[0], t[1], i[0], i[1]];
    }
    len += put;
    wire_len = wire_len.saturating_add(put as u32);
    memory.get(at..)?.get(..len)?;
    let ts = Timestamp::new(u64::from(seconds), nanos);
    Some((Located { ts, dlt: link.dlt, at, len, wire_len }, next as usize))
}
