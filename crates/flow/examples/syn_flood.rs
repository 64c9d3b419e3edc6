//! Ten million SYNs from distinct sources: prints what they leave behind.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "reads its own memory figure and the clock"
)]
use harken_flow::{Chunk, CloseReason, Config, Dir, Flow, FlowTable, Gap, Handler, Verdict};
use harken_wire::{Encap, Ip, Segment, TcpFlags, Timestamp, TunnelKind};

struct Quiet;

impl Handler for Quiet {
    type State = ();
    fn open(&mut self, _: &Flow) {}
    fn orient(&mut self, _: &[u8]) -> Option<Dir> {
        None
    }
    fn data(&mut self, _: &Flow, (): &mut (), _: Chunk<'_>) -> Verdict {
        Verdict::Continue
    }
    fn gap(&mut self, _: &Flow, (): &mut (), _: Gap) -> Verdict {
        Verdict::Continue
    }
    fn end(&mut self, _: &Flow, (): &mut (), _: Dir, _: Timestamp) {}
    fn close(&mut self, _: &Flow, (): (), _: CloseReason) {}
    fn weird(&mut self, _: &Flow, _: &'static str, _: Timestamp) {}
}

fn main() {
    // With `vxlan`, every SYN comes through a tunnel, whose endpoints are kept with the flow.
    let tunnelled = std::env::args().nth(1).is_some_and(|a| a == "vxlan");
    let mut encap = Encap::default();
    if tunnelled {
        encap.depth = 1;
        encap.kind = Some(TunnelKind::Vxlan);
        encap.vni = Some(7);
    }
    let mut table = FlowTable::new(Config::default());
    let begin = std::time::Instant::now();
    for n in 0..10_000_000u32 {
        let segment = Segment {
            src: Ip::v4(n.wrapping_mul(0x9e37_79b1).to_be_bytes()),
            dst: Ip::v4([10, 0, 0, 2]),
            sport: (n >> 8) as u16,
            dport: 80,
            seq: n,
            ack: 0,
            flags: TcpFlags(TcpFlags::SYN),
            window: 1000,
            payload: &[],
            truncated: 0,
            ip_len: 40,
            encap,
        };
        table.segment(Timestamp(u64::from(n) * 1000), &segment, &mut Quiet);
    }
    let per_packet = begin.elapsed().as_nanos() / 10_000_000;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    println!("{peak}; {per_packet} ns a packet; {:?}", table.stats());
}
