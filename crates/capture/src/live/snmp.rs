//! The kernel's own counters of UDP, of the whole network namespace.
use std::{fs, io};

/// Counters of UDP over IPv4 and IPv6 since the machine (or container) was started.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct UdpCounters {
    /// Datagrams that were given to sockets (`InDatagrams`).
    pub received: u64,
    /// Datagrams to ports that nobody listens on (`NoPorts`).
    pub no_port: u64,
    /// Datagrams that could not be given (`InErrors`); holds the two below.
    pub errors: u64,
    /// Datagrams that found the receive buffer full (`RcvbufErrors`).
    pub buffer_full: u64,
    /// Datagrams whose checksum was wrong (`InCsumErrors`).
    pub bad_checksum: u64,
}

/// Reads the counters of the network namespace that this thread is in.
///
/// # Errors
/// When `/proc` cannot be read. That of IPv6 may be missing.
pub fn udp_counters() -> io::Result<UdpCounters> {
    let mut counters = UdpCounters::default();
    counters.add_v4(&fs::read_to_string("/proc/thread-self/net/snmp")?);
    counters.add_v6(&fs::read_to_string("/proc/thread-self/net/snmp6").unwrap_or_default());
    Ok(counters)
}

impl UdpCounters {
    fn add(&mut self, name: &str, value: &str) {
        let Ok(value) = value.parse::<u64>() else { return };
        let counter = match name {
            "InDatagrams" => &mut self.received,
            "NoPorts" => &mut self.no_port,
            "InErrors" => &mut self.errors,
            "RcvbufErrors" => &mut self.buffer_full,
            "InCsumErrors" => &mut self.bad_checksum,
            _ => return,
        };
        *counter = counter.saturating_add(value);
    }

    /// A line of names, then a line of values, each with the protocol in front.
    fn add_v4(&mut self, text: &str) {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
        if let (Some(names), Some(values)) = (lines.next(), lines.next()) {
            names
                .split_ascii_whitespace()
                .zip(values.split_ascii_whitespace())
                .for_each(|(n, v)| self.add(n, v));
        }
    }

    /// A name and a value on each line.
    fn add_v6(&mut self, text: &str) {
        for line in text.lines().filter_map(|line| line.strip_prefix("Udp6")) {
            if let Some((name, value)) = line.split_once(char::is_whitespace) {
                self.add(name, value.trim());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let mut counters = UdpCounters::default();
        counters.add_v4(
            "Tcp: A B\nTcp: 1 2\nUdp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors \
             InCsumErrors IgnoredMulti MemErrors\nUdp: 100 2 7 50 5 0 1 9 0\nUdpLite: InDatagrams\nUdpLite: 9\n",
        );
        counters.add_v6("Udp6InDatagrams                \t10\nUdp6RcvbufErrors \t3\nUdpLite6InDatagrams 4\nUdp6NoPorts x\n");
        let expected = UdpCounters { received: 110, no_port: 2, errors: 7, buffer_full: 8, bad_checksum: 1 };
        assert_eq!(counters, expected);
        udp_counters().unwrap();
    }
}
