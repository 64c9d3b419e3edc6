//! Community ID version 1: one name for a flow, shared by many monitors.
//!
//! See <https://github.com/corelight/community-id-spec>. Ports of the tunnel play no part: the innermost
//! addresses and ports are named.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harken_wire::Ip;
use sha1::{Digest, Sha1};
use std::net::IpAddr;

/// `1:` and the base 64 of a SHA-1 digest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CommunityId([u8; 30]);

/// IP protocol number of TCP.
const TCP: u8 = 6;

impl CommunityId {
    /// The identifier of a TCP flow; the order of the endpoints does not matter. `seed` is 0 unless a site
    /// chose otherwise.
    pub fn tcp(a: (Ip, u16), b: (Ip, u16), seed: u16) -> Self {
        let mut hash = Sha1::new();
        hash.update(seed.to_be_bytes());
        let (low, high) = (a.min(b), a.max(b));
        for (ip, _) in [low, high] {
            match ip.to_std() {
                IpAddr::V4(ip) => hash.update(ip.octets()),
                IpAddr::V6(ip) => hash.update(ip.octets()),
            }
        }
        hash.update([TCP, 0]);
        for (_, port) in [low, high] {
            hash.update(port.to_be_bytes());
        }
        let mut text = [0; 30];
        if let Some((version, digest)) = text.split_at_mut_checked(2) {
            version.copy_from_slice(b"1:");
            // 20 bytes are 28 characters: it always fits.
            let _ = STANDARD.encode_slice(hash.finalize(), digest);
        }
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Debug for CommunityId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        let ip = |text: &str| Ip::from(text.parse::<IpAddr>().unwrap());
        for (a, ap, b, bp, seed, want) in [
            ("128.232.110.120", 34855, "66.35.250.204", 80, 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            ("66.35.250.204", 80, "128.232.110.120", 34855, 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            ("128.232.110.120", 34855, "66.35.250.204", 80, 1, "1:3V71V58M3Ksw/yuFALMcW0LAHvc="),
            (
                "2001:470:e5bf:dead:4957:2174:e82c:4887",
                63943,
                "2607:f8b0:400c:c03::1a",
                25,
                0,
                "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
            ),
        ] {
            let id = CommunityId::tcp((ip(a), ap), (ip(b), bp), seed);
            assert_eq!(id.as_str(), want, "{a}:{ap} {b}:{bp} seed {seed}");
        }
    }
}
