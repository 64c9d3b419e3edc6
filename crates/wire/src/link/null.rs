//! BSD loopback: a 4-byte address family, then the packet.
use super::{Next, Step};
use crate::Reason;

/// The family's number for IPv6 depends on the system: NetBSD and OpenBSD 24, FreeBSD 28, Darwin 30, Linux
/// 10, Windows 23. The byte order is the capturing host's, which nothing tells, so that both are tried.
#[cold]
pub(crate) fn parse(bytes: &[u8]) -> Step<'_> {
    let Some((family, rest)) = bytes.split_first_chunk::<4>() else { return Err(Reason::HeaderTruncated) };
    let little = u32::from_le_bytes(*family);
    match if little > 0xffff { little.swap_bytes() } else { little } {
        2 => Ok((Next::Ipv4, rest)),
        10 | 23 | 24 | 28 | 30 => Ok((Next::Ipv6, rest)),
        _ => Err(Reason::UnknownProtocol),
    }
}
