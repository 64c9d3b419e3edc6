//! Values of filter terms: numbers, networks, patterns.
use super::Test;
use std::net::IpAddr;

/// `N` or `N-M`.
pub(super) fn range(value: &str) -> Option<Test> {
    let (first, last) = value.split_once('-').unwrap_or((value, value));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some(Test::Range(first, last))
}

/// An address, with or without prefix length.
pub(super) fn net(value: &str) -> Option<Test> {
    let (address, len) = match value.split_once('/') {
        Some((address, len)) => (address, Some(len.parse::<u32>().ok()?)),
        None => (value, None),
    };
    let address: IpAddr = address.trim().parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let len = len.unwrap_or(bits);
    (len <= bits).then(|| Test::Net(address.into(), len + 128 - bits))
}

/// Whether `text` fits a pattern in which `*` stands for any bytes and `?` for one.
pub(super) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on after the last star when what follows it does not fit.
    let mut retry = None;
    loop {
        match (pattern.get(p), text.get(t)) {
            (Some(b'*'), _) => {
                p += 1;
                retry = Some((p, t));
            }
            (None, None) => return true,
            (Some(want), Some(have)) if *want == b'?' || want == have => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, at)) if at < text.len() => {
                    (p, t) = (star, at + 1);
                    retry = Some((star, at + 1));
                }
                _ => return false,
            },
        }
    }
}
