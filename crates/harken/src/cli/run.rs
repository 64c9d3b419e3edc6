//! The flags of live capture: `run`, `top` and `reload`.
use super::{Analysis, Format, SpoolArgs, size, up_to};
use crate::logs::Compress;
use clap::{Args, ValueHint};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// `harken run`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Without a source, VXLAN and GENEVE are received on the UDP ports 4789 and 6081, \
    which needs no privilege.\n\nExamples:\n  \
    harken run\n  \
    harken run --udp 10.0.9.9:4789 --log-dir /var/log/harken --workers 2\n  \
    harken run --interface eth1 --rotate-every 1h --compress zstd --keep-age 7d\n  \
    harken run --spool /var/lib/harken/spool\n  \
    harken run --connector /etc/harken/connector.json\n  \
    harken run -i eth1 -i eth2 --capture-filter <(tcpdump -ddd 'udp port 4789')\n  \
    tcpdump -i eth0 -U -w - tcp | harken run --read -\n  \
    harken top"
)]
pub struct Run {
    /// Receive all packets of this interface (AF_PACKET; needs CAP_NET_RAW); repeat for several.
    #[arg(long, short, value_name = "NAME")]
    pub interface: Vec<String>,

    /// Receive tunnelled packets on this UDP port, of one address or of all; repeat for several.
    /// [default, without another source: 4789 and 6081]
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = listen)]
    pub udp: Vec<SocketAddr>,

    /// Read a capture as it grows: a file, or `-` for standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
        conflicts_with_all = ["interface", "udp"])]
    pub read: Option<PathBuf>,

    /// With `--read`: the speed, as a multiple of the one it was recorded with; 0 is at once.
    #[arg(long, value_name = "TIMES", default_value_t = 0.0, requires = "read")]
    pub speed: f64,

    /// Receive packets as a pcap stream over TCP: `connect:HOST:PORT` or `listen:ADDR:PORT`.
    #[arg(long, value_name = "HOW", conflicts_with_all = ["interface", "udp", "read"])]
    pub pcap_over_ip: Option<String>,

    /// With `--interface`: also take TCP that is not tunnelled. [default: only tunnels]
    #[arg(long, requires = "interface")]
    pub plain_tcp: bool,

    /// With `--interface`: a filter for the kernel, as `tcpdump -ddd EXPRESSION` prints it, in place of the
    /// one that is made from the tunnels' ports.
    #[arg(long, value_name = "FILE", requires = "interface", conflicts_with = "plain_tcp",
        value_hint = ValueHint::FilePath)]
    pub capture_filter: Option<PathBuf>,

    /// With `--interface`: take tunnel packets off it by an XDP program, before the system's network stack works
    /// on them: they do not reach this host any more. Where that cannot be done, a line says why, and AF_PACKET is
    /// used. Needs a Harken that was built with `--features af_xdp`.
    #[arg(long, requires = "interface", conflicts_with_all = ["plain_tcp", "capture_filter"])]
    pub af_xdp: bool,

    /// With `--interface`: do not switch the interface to promiscuous mode.
    #[arg(long, requires = "interface")]
    pub no_promiscuous: bool,

    /// With `--interface`: memory that the kernel writes packets to, for each interface and worker.
    #[arg(long, value_name = "BYTES", default_value = "32m", value_parser = memory)]
    pub ring: usize,

    /// With `--udp`: receive buffer of each socket.
    #[arg(long, value_name = "BYTES", default_value = "32m", value_parser = memory)]
    pub receive_buffer: usize,

    /// Threads that receive and analyse; connections are shared out among them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: u16,

    /// Bind worker N to processor N.
    #[arg(long)]
    pub pin: bool,

    /// How traffic is analysed.
    #[command(flatten)]
    pub analysis: Analysis,

    /// Where events wait for the connector.
    #[command(flatten)]
    pub spool: SpoolArgs,

    /// Also deliver the events of the spool to datasinks, as `harken connector run --config FILE` does, inside this
    /// process. Without --spool the folder is that of the reader of type spool in FILE.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub connector: Option<PathBuf>,

    /// How transactions are written.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::ZeekJson)]
    pub format: Format,

    /// Folder of the logs: those being written are in `current`, older ones in a folder for each day.
    #[arg(long, value_name = "DIR", default_value = "logs", value_hint = ValueHint::DirPath)]
    pub log_dir: PathBuf,

    /// Begin new logs this often, by the wall clock; 0 is never.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub rotate_every: Duration,

    /// Begin a new log when it is larger than this; 0 is never.
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = size)]
    pub rotate_size: u64,

    /// How rotated logs are compressed.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Compress::Gzip)]
    pub compress: Compress,

    /// Remove rotated logs that are older; 0 is never.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = duration)]
    pub keep_age: Duration,

    /// Remove the oldest rotated logs when all together are larger; 0 is never.
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = size)]
    pub keep_size: u64,

    /// Bytes of log lines that may wait for the disk; beyond it blocks of lines are dropped and counted.
    #[arg(long, value_name = "BYTES", default_value = "64m", value_parser = memory)]
    pub log_queue: usize,

    /// How often stats.log and capture_loss.log are written.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub stats_every: Duration,

    /// Socket on which `harken top` and `harken reload` reach the sensor. [default: control.sock in the log
    /// folder]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub control: Option<PathBuf>,

    /// Answer health checks of a load balancer on this TCP port with HTTP 200.
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = listen)]
    pub health: Option<SocketAddr>,

    /// Go on as this user when started as root. [default: harken where there is one, else nobody]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// Keep all privileges (for finding faults).
    #[arg(long)]
    pub no_sandbox: bool,

    /// End after this time.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub run_for: Option<Duration>,
}

/// How a running sensor is reached.
#[derive(Args, Debug)]
pub struct Control {
    /// Socket of the sensor.
    #[arg(long, value_name = "PATH", default_value = "logs/control.sock", value_hint = ValueHint::FilePath)]
    pub control: PathBuf,
}

/// `harken top`.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  \
    harken top\n  \
    harken top --control /var/log/harken/control.sock --once --json | jq .rates")]
pub struct Top {
    /// How the sensor is reached.
    #[command(flatten)]
    pub control: Control,

    /// Print the figures once and end.
    #[arg(long)]
    pub once: bool,

    /// As JSON, one object a line.
    #[arg(long)]
    pub json: bool,

    /// How often the figures are renewed.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub every: Duration,
}

/// `harken mirror-sim`.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  \
    harken mirror-sim --interface eth0 --to 10.0.9.9:4789 --vni 1714945\n  \
    harken mirror-sim --read capture.pcap --to 127.0.0.1:4789 --rate 100000 --times 10")]
pub struct MirrorSim {
    /// Mirror all packets of this interface as they pass (needs CAP_NET_RAW).
    #[arg(long, short, value_name = "NAME", required_unless_present = "read")]
    pub interface: Option<String>,

    /// Mirror the packets of this capture.
    #[arg(long, value_name = "FILE", conflicts_with = "interface", value_hint = ValueHint::FilePath)]
    pub read: Option<PathBuf>,

    /// Where the mirrored packets go, in VXLAN.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:4789")]
    pub to: SocketAddr,

    /// Virtual network identifier.
    #[arg(long, value_name = "VNI", default_value_t = 1)]
    pub vni: u32,

    /// Packets a second, at most; 0 is no bound.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rate: u64,

    /// How often the capture is sent: each time under the next VNI, 64 in turn, so that its connections are
    /// other ones.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "read")]
    pub times: u32,

    /// Source ports that flows are spread over.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub ports: u16,

    /// Bytes of each packet that are mirrored, as the packet length of a mirror session. [default: all]
    #[arg(long, value_name = "BYTES")]
    pub packet_length: Option<u16>,

    /// Mirror TCP from this address alone, as a filter with rules of one direction does.
    #[arg(long, value_name = "ADDR")]
    pub only_from: Option<IpAddr>,

    /// End after this time.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub run_for: Option<Duration>,
}

/// An address to listen on: `4789`, `10.0.0.1:4789`, `[::1]:4789`.
fn listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
    }
    text.parse()
        .map_err(|_| format!("'{text}' is no port and no address with a port: write 4789 or 10.0.0.1:4789"))
}

/// A time: `500ms`, `60s`, `5m`, `1h`, `7d`; a plain number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a time: write for example 500ms, 60s, 5m, 1h or 7d");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "ms" => return Ok(Duration::from_millis(number)),
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(wrong)
}

/// A number of bytes of memory.
fn memory(text: &str) -> Result<usize, String> {
    up_to(text, 4 << 30, "4g")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert!(duration("1y").is_err() && duration("h").is_err() && duration("").is_err());
        assert_eq!(size("20G"), Ok(20 << 30));
        assert_eq!(memory("128m"), Ok(128 << 20));
        assert!(memory("5g").is_err());
        assert!(size("1x").is_err() && size("99999999999t").is_err());
        assert_eq!(listen("4789"), Ok(SocketAddr::from(([0, 0, 0, 0], 4789))));
        assert!(listen("[::1]:4789").is_ok() && listen("eth0").is_err());
    }
}
