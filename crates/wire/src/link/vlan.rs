//! IEEE 802.1Q and 802.1ad tags (their outer TPID 0x9100 included), and Cisco VN-Tag.
use super::{Next, Step};
use crate::{Encap, Reason};

/// Most tags that are followed in one frame.
pub(crate) const MAX_TAGS: u8 = 8;

/// Reads one tag and notes its id. Id 0 marks a priority without a VLAN, and one direction of a conversation
/// may have it where the other is untagged: it is not noted.
#[inline]
pub(crate) fn parse<'p>(bytes: &'p [u8], encap: &mut Encap) -> Step<'p> {
    let Some((tag, rest)) = bytes.split_first_chunk::<4>() else { return Err(Reason::HeaderTruncated) };
    let id = u16::from_be_bytes([tag[0], tag[1]]) & 0x0fff;
    if id != 0 {
        if encap.vlan.is_none() {
            encap.vlan = Some(id);
        } else if encap.inner_vlan.is_none() {
            encap.inner_vlan = Some(id);
        }
    }
    Ok((Next::from_ether_type(u16::from_be_bytes([tag[2], tag[3]])), rest))
}

/// Reads a VN-Tag: 4 bytes of port extender addresses, then the EtherType.
#[cold]
pub(crate) fn parse_vn_tag(bytes: &[u8]) -> Step<'_> {
    let Some((tag, rest)) = bytes.split_first_chunk::<6>() else { return Err(Reason::HeaderTruncated) };
    Ok((Next::from_ether_type(u16::from_be_bytes([tag[4], tag[5]])), rest))
}
