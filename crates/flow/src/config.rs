//! Limits and time-outs of the flow table, with their defaults.
use crate::TunnelInKey;

/// One millisecond in the nanoseconds that packet time counts.
const MS: u64 = 1_000_000;
/// One second.
const SECOND: u64 = 1_000 * MS;

/// How often an established flow is looked at ([`crate::Handler::look`]), in nanoseconds; more often where
/// [`Config::idle_established`] is short.
pub const LOOK_PERIOD: u64 = 10 * SECOND;

/// Limits and time-outs. All times are packet time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Flows kept at once; when full, the oldest half-open flow is evicted, then the oldest idle one.
    /// A flow takes about 0.5 KiB (without the consumer's state), so the default is about 100 MiB at the
    /// worst.
    pub max_flows: u32,
    /// Out-of-order bytes kept for one flow, both directions. The default covers the reordering window of a
    /// 10 Gbit/s flow of about 1 ms; more than that is a loss and not a reordering.
    pub ooo_bytes_per_flow: u32,
    /// Out-of-order bytes kept for all flows.
    pub ooo_bytes_total: u32,
    /// Quiet time after which an established flow is closed. Zeek's `tcp_inactivity_timeout`.
    pub idle_established: u64,
    /// Quiet time after which a flow is closed that never got beyond its first packets. Covers two of the
    /// usual SYN retransmissions (1 s and 3 s after the first).
    pub idle_half_open: u64,
    /// How long a finished or reset flow is kept for late packets.
    pub linger: u64,
    /// Packets of the flow that must have gone by before a hole is believed to be a loss.
    pub reorder_packets: u32,
    /// Packet time that must have gone by as well.
    pub reorder_time: u64,
    /// Packet time after which the number of packets no longer matters.
    pub reorder_time_max: u64,
    /// Whether the tunnel's identity is part of the key.
    pub tunnel_in_key: TunnelInKey,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_flows: 200_000,
            ooo_bytes_per_flow: 1 << 20,
            ooo_bytes_total: 64 << 20,
            idle_established: 300 * SECOND,
            idle_half_open: 10 * SECOND,
            linger: 5 * SECOND,
            reorder_packets: 32,
            reorder_time: 20 * MS,
            reorder_time_max: SECOND,
            tunnel_in_key: TunnelInKey::Vni,
        }
    }
}
