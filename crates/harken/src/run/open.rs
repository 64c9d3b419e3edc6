//! From flags to open sources, logs and privileges.
use super::say;
use super::source::{Capture, Sources};
use super::worker::Snapshot;
use crate::cli::{Format, Run};
use crate::connector::inside::Inside;
use crate::logs::{self, LogWriter, Spec};
use crate::sandbox::{Network, Plan};
use anyhow::{Context, Result, bail};
use harken_capture::live::bpf::Program;
use harken_capture::live::{AfPacketConfig, Filter, Live, Tcp, UdpConfig, Wanted};
use harken_capture::pcap_over_ip;
use harken_event::Form;
use harken_event::zeek::{CAPTURE_LOSS, CONN, HTTP, QUIC, SSL, STATS as STATS_LOG, TUNNEL, WEBSOCKET, WEIRD};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for the other end of a capture over TCP, about what the system itself waits.
const PATIENCE: Duration = Duration::from_secs(120);
/// Number of `stats.log`.
pub const STATS: usize = 7;
/// Number of `capture_loss.log`.
pub const LOSS: usize = 8;

/// Opens what packets come from: for each worker what it reads.
pub fn sources(args: &Run) -> Result<Vec<Sources>> {
    if args.read.is_some() || args.pcap_over_ip.is_some() {
        if args.workers > 1 {
            bail!("--workers {}: a capture is read by one worker", args.workers);
        }
        let reader = match (&args.read, &args.pcap_over_ip) {
            (Some(path), _) => harken_capture::open(path)?,
            (None, how) => over_ip(how.as_deref().unwrap_or_default())?,
        };
        return Ok(vec![Sources::Capture(Box::new(Capture::new(reader, args.speed)))]);
    }
    if args.af_xdp && !cfg!(feature = "af_xdp") {
        crate::analysis::usage(
            "--af-xdp: this Harken was built without AF_XDP; build one that has it with \
             `cargo build --release -p harken --features af_xdp`, or leave --af-xdp away to use AF_PACKET",
        );
    }
    let tunnels = args.analysis.wire();
    let mut groups = Vec::new();
    for interface in &args.interface {
        if let Some(live) = af_xdp(args, interface, &tunnels) {
            groups.push(live);
            continue;
        }
        let blocks = (args.ring >> 20).clamp(2, 4096) as u32;
        let config = AfPacketConfig {
            interface: interface.clone(),
            blocks,
            promiscuous: !args.no_promiscuous,
            filter: filter(args, &tunnels)?,
            workers: args.workers,
            tunnels: tunnels.clone(),
            ..AfPacketConfig::default()
        };
        groups.push(Live::open_af_packet(&config)?);
    }
    let mut listen = args.udp.clone();
    if listen.is_empty() && args.interface.is_empty() {
        listen = UdpConfig::default().listen;
    }
    if !listen.is_empty() {
        let config = UdpConfig {
            listen,
            receive_buffer: args.receive_buffer,
            workers: args.workers,
            tunnels,
            ..UdpConfig::default()
        };
        groups.push(Live::open_udp(&config)?);
    }
    for note in groups.iter().flatten().flat_map(Live::notes) {
        say(note);
    }
    let mut workers: Vec<Vec<Live>> = (0..args.workers).map(|_| Vec::new()).collect();
    for group in groups {
        for (worker, live) in workers.iter_mut().zip(group) {
            worker.push(live);
        }
    }
    Ok(workers.into_iter().map(Sources::Live).collect())
}

/// The interface by AF_XDP, where that is asked for and can be done.
#[cfg(feature = "af_xdp")]
fn af_xdp(args: &Run, interface: &str, tunnels: &harken_wire::Config) -> Option<Vec<Live>> {
    if !args.af_xdp {
        return None;
    }
    let config = harken_capture::live::AfXdpConfig {
        interface: interface.to_owned(),
        memory: args.ring,
        promiscuous: !args.no_promiscuous,
        workers: args.workers,
        tunnels: tunnels.clone(),
        generic: false,
    };
    match Live::open_af_xdp(&config) {
        Ok(live) => Some(live),
        Err(error) => {
            say(&format!("{error}. Going on with AF_PACKET on {interface}"));
            None
        }
    }
}

/// Not asked for without the feature: `run` has refused it.
#[cfg(not(feature = "af_xdp"))]
fn af_xdp(_: &Run, _: &str, _: &harken_wire::Config) -> Option<Vec<Live>> {
    None
}

/// The tap of `harken mirror-sim`: every packet of an interface.
pub fn tap(interface: &str) -> Result<Live> {
    let config = AfPacketConfig { interface: interface.to_owned(), ..AfPacketConfig::default() };
    Live::open_af_packet(&config)?.pop().context("no source was opened")
}

fn filter(args: &Run, tunnels: &harken_wire::Config) -> Result<Filter> {
    let Some(path) = &args.capture_filter else {
        let mut wanted = Wanted::tunnels(tunnels);
        if args.plain_tcp {
            wanted.tcp = Tcp::All;
        }
        return Ok(Filter::Wanted(wanted));
    };
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the filter {name}"))?;
    let program = Program::parse(&text)
        .with_context(|| format!("{name} is not what `tcpdump -ddd EXPRESSION` prints"))?;
    Ok(Filter::Program(program))
}

/// A capture over TCP, from either end.
fn over_ip(how: &str) -> Result<harken_capture::Reader> {
    let connection = match how.split_once(':') {
        Some(("connect", to)) => pcap_over_ip::connect(to, PATIENCE)?,
        Some(("listen", on)) => {
            let listener = pcap_over_ip::Listener::bind(on)?;
            say(&format!("waiting for a capture on {on}"));
            listener.accept()?
        }
        _ => bail!("--pcap-over-ip {how}: write connect:HOST:PORT or listen:ADDR:PORT"),
    };
    Ok(connection.reader()?)
}

/// Starts the log writer.
pub fn logs(args: &Run, form: Form) -> Result<LogWriter> {
    let config = logs::Config {
        dir: args.log_dir.clone(),
        every: Some(args.rotate_every).filter(|every| !every.is_zero()),
        size: Some(args.rotate_size).filter(|size| *size > 0),
        compress: args.compress,
        keep_age: Some(args.keep_age).filter(|age| !age.is_zero()),
        keep_bytes: Some(args.keep_size).filter(|size| *size > 0),
        queue_bytes: args.log_queue,
        say: Arc::new(say),
    };
    let transactions = match args.format {
        Format::Ecs => Spec { name: "events.json", zeek: None },
        _ => Spec { name: "http.log", zeek: Some((HTTP, form)) },
    };
    let zeek = |name, log| Spec { name, zeek: Some((log, form)) };
    // In the order of `crate::sinks::Live::logs`, then STATS and LOSS.
    let specs = [
        transactions,
        zeek("conn.log", CONN),
        zeek("weird.log", WEIRD),
        zeek("ssl.log", SSL),
        zeek("quic.log", QUIC),
        zeek("websocket.log", WEBSOCKET),
        zeek("tunnel.log", TUNNEL),
        zeek("stats.log", STATS_LOG),
        zeek("capture_loss.log", CAPTURE_LOSS),
    ];
    LogWriter::start(&config, &specs)
}

/// What the program still has to do once everything is open.
pub fn sandbox_plan(
    args: &Run,
    spool: Option<&Path>,
    connector: Option<&Inside>,
    control: &Path,
    sources: &[Sources],
) -> Plan {
    let mut writable = vec![args.log_dir.clone()];
    writable.extend(spool.map(PathBuf::from));
    // A file that is replaced has another inode: its folder is what may be read.
    let mut readable: Vec<_> =
        args.analysis.vni_names.iter().map(|path| crate::connector::inside::folder(path)).collect();
    if let Some(connector) = connector {
        let paths = connector.paths();
        writable.extend(paths.writable.iter().filter(|dir| Some(dir.as_path()) != spool).cloned());
        readable.extend(paths.readable.iter().cloned());
    }
    // The socket is removed at the end.
    writable.extend(
        control.parent().filter(|dir| *dir != args.log_dir && args.control.is_some()).map(PathBuf::from),
    );
    Plan {
        user: args.user.clone(),
        writable,
        readable,
        network: match connector {
            _ if sources.iter().any(Sources::open_again) => Network::Packets,
            Some(_) => Network::Sockets,
            None => Network::None,
        },
        ..Plan::default()
    }
}

/// Binds this thread to a processor.
pub fn pin(cpu: usize) {
    use nix::sched::{CpuSet, sched_setaffinity};
    let mut set = CpuSet::new();
    let pinned = set.set(cpu).and_then(|()| sched_setaffinity(nix::unistd::Pid::from_raw(0), &set));
    if let Err(error) = pinned {
        say(&format!("cannot bind a worker to processor {cpu}: {error}; it runs where the system puts it"));
    }
}

/// What became of the packets of each source, for the end.
pub fn source_lines(total: &Snapshot) -> Vec<String> {
    let line = |(name, stats): &(String, harken_capture::live::LiveStats)| {
        let mut line = format!(
            "{name}: {} packets received, {} dropped by the kernel, {} refused under load, {} cut short",
            stats.received, stats.dropped, stats.refused, stats.truncated
        );
        if stats.passed > 0 {
            let what = "left to this host although a tunnel may be in them (fragments and their like): AF_PACKET \
                        reads those";
            line.push_str(&format!(", {} {what}", stats.passed));
        }
        line
    };
    total.sources.iter().map(line).collect()
}

/// What became of the lines of each log, for the end.
pub fn log_lines(stats: &logs::Stats) -> Vec<String> {
    let used = stats.logs.iter().filter(|log| log.lines + log.dropped_lines > 0);
    used.map(|log| format!("{}: {} lines written, {} dropped", log.name, log.lines, log.dropped_lines))
        .collect()
}
