//! The socket on which a running sensor is asked for its figures and told to begin new logs.
//!
//! A client sends one line, `stats` or `reload`, and gets one line of JSON. Who may write to the socket is
//! decided by the permissions of its file: its owner and group.
use super::worker::{ENDPOINTS, Shared, Snapshot};
use super::{say, total};
use crate::connector::{self, inside};
use crate::logs::Counters;
use crate::logs::clock::now;
use crate::summary::Encrypted;
use anyhow::{Context, Result, bail};
use harken_event::VniNames;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait for a client, and for the sensor.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest request.
const MAX_REQUEST: u64 = 64;

/// The sensor's end.
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

/// What is shared with the thread that does what is asked for.
#[derive(Clone, Default)]
pub struct Asked {
    /// New logs are asked for.
    pub reopen: Arc<AtomicBool>,
    /// The connector, where there is one.
    connector: Arc<Mutex<Option<connector::Running>>>,
}

impl Asked {
    /// With that connector.
    pub fn with(connector: Option<connector::Running>) -> Self {
        Self { connector: Arc::new(Mutex::new(connector)), ..Self::default() }
    }

    /// The connector. Whoever holds it keeps others waiting.
    pub fn connector(&self) -> MutexGuard<'_, Option<connector::Running>> {
        self.connector.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running server; it ends when this is dropped.
pub struct Running {
    stop: Arc<AtomicBool>,
    path: PathBuf,
}

impl Server {
    /// Takes the socket. One that a killed sensor left behind is replaced; one that answers is not.
    pub fn bind(path: &Path) -> Result<Self> {
        if UnixStream::connect(path).is_ok() {
            bail!(
                "another sensor answers on {}: end it, or choose another --log-dir or --control",
                path.display()
            );
        }
        let _ = std::fs::remove_file(path);
        let listener =
            UnixListener::bind(path).with_context(|| format!("cannot make the socket {}", path.display()))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))
            .with_context(|| format!("cannot set the permissions of {}", path.display()))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers from a thread of its own.
    pub fn start(
        self,
        shared: Vec<Arc<Shared>>,
        logs: Arc<Counters>,
        names: VniNames,
        asked: Asked,
    ) -> Result<Running> {
        let stop = Arc::new(AtomicBool::new(false));
        let running = Running { stop: Arc::clone(&stop), path: self.path };
        let began = Instant::now();
        let work = move || {
            for stream in self.listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                // A client that goes away or says nothing hurts nobody else.
                let _ = stream.map_err(anyhow::Error::from).and_then(|stream| {
                    let dropped = logs.stats().dropped_lines();
                    answer(&stream, |request| match request {
                        "stats" => {
                            shared.iter().for_each(|s| s.watched.store(true, Ordering::Relaxed));
                            let mut figures = figures(&shared, &names, dropped, began.elapsed());
                            let more = asked.connector().as_ref().map(inside::figures);
                            if let (Some(root), Some(Value::Object(more))) = (figures.as_object_mut(), more) {
                                root.extend(more);
                            }
                            figures
                        }
                        "reload" => {
                            asked.reopen.store(true, Ordering::Relaxed);
                            json!({"ok": true})
                        }
                        _ => json!({"error": "unknown request: say stats or reload"}),
                    })
                });
            }
        };
        std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(work)
            .context("cannot start a thread")?;
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread up.
        let _ = UnixStream::connect(&self.path);
        let _ = std::fs::remove_file(&self.path);
    }
}

fn answer(stream: &UnixStream, reply: impl FnOnce(&str) -> Value) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_REQUEST)).read_line(&mut line)?;
    let mut text = reply(line.trim()).to_string();
    text.push('\n');
    let mut stream = stream;
    stream.write_all(text.as_bytes())?;
    Ok(())
}

/// Asks the sensor behind `path`.
pub fn ask(path: &Path, request: &str) -> Result<Value> {
    let name = path.display();
    let mut stream = UnixStream::connect(path).with_context(|| {
        format!("no sensor answers on {name}: is `harken run` running, with this --control?")
    })?;
    stream.set_read_timeout(Some(PATIENCE))?;
    writeln!(stream, "{request}").with_context(|| format!("cannot ask the sensor on {name}"))?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).with_context(|| format!("no answer on {name}"))?;
    let value: Value = serde_json::from_str(&line).with_context(|| format!("unreadable answer on {name}"))?;
    if let Some(error) = value.get("error").and_then(Value::as_str) {
        bail!("the sensor on {name} says: {error}");
    }
    Ok(value)
}

/// `harken reload`.
pub fn reload(path: &Path) -> Result<()> {
    ask(path, "reload")?;
    say("the sensor begins new logs");
    Ok(())
}

/// All figures, as totals since the start.
fn figures(shared: &[Arc<Shared>], names: &VniNames, lines_dropped: u64, uptime: Duration) -> Value {
    let total = total(shared);
    let workers: Vec<Value> = shared.iter().map(|worker| worker_figures(&worker.snapshot())).collect();
    let vnis: Vec<Value> = total
        .origins
        .by_vni()
        .into_iter()
        .map(|(vni, seen)| {
            json!({"vni": vni, "name": names.label(vni), "segments": seen.segments, "payload_bytes": seen.payload, "gap_bytes": seen.gaps,
                "from_server": seen.from_server, "truncated": seen.cut, "transactions": seen.transactions,
                "tls_connections": seen.tls})
        })
        .collect();
    let endpoints: Vec<Value> = total
        .endpoints
        .iter()
        .take(ENDPOINTS)
        .map(|(name, count)| json!({"endpoint": name, "transactions": count}))
        .collect();
    let sources: Vec<Value> = total
        .sources
        .iter()
        .map(|(name, s)| json!({"source": name, "received": s.received, "dropped": s.dropped, "refused": s.refused, "truncated": s.truncated}))
        .collect();
    // Of the whole machine or container: what came for others counts, too.
    let udp = harken_capture::live::udp_counters().ok().map(|udp| {
        json!({"received": udp.received, "no_port": udp.no_port, "errors": udp.errors,
            "buffer_full": udp.buffer_full, "bad_checksum": udp.bad_checksum})
    });
    json!({
        "time": now().0 as f64 / 1e9,
        "uptime_seconds": uptime.as_secs_f64(),
        "totals": worker_figures(&total),
        "log_lines_dropped": lines_dropped,
        "status_classes": {"none": total.by_class[0], "1xx": total.by_class[1], "2xx": total.by_class[2],
            "3xx": total.by_class[3], "4xx": total.by_class[4], "5xx": total.by_class[5]},
        "workers": workers,
        "sources": sources,
        "system_udp": udp,
        "vnis": vnis,
        "endpoints": endpoints,
        "encrypted": encrypted(&total.encrypted),
    })
}

/// What cannot be read, of connections that are over.
fn encrypted(seen: &Encrypted) -> Value {
    let named = |counts: &[(String, u64)]| {
        let counts = counts.iter().take(ENDPOINTS);
        counts.map(|(name, bytes)| json!({"name": name, "bytes": bytes})).collect::<Vec<_>>()
    };
    json!({
        "tls_connections": seen.tls,
        "tls_bytes": seen.tls_bytes,
        "all_bytes": seen.all_bytes,
        "quic_connections": seen.quic,
        "tls_ports": named(&seen.ports),
        "tls_names": named(&seen.names),
    })
}

fn worker_figures(s: &Snapshot) -> Value {
    json!({
        "packets": s.packets,
        "bytes": s.bytes,
        "kernel_dropped": s.dropped(),
        "packets_shed": s.refused(),
        "tcp_segments": s.front.wire.frames.tcp + s.front.wire.resumed.tcp,
        "flows": s.flow.flows,
        "flows_opened": s.flow.opened,
        "transactions": s.http.exchanges,
        "delivered_bytes": s.flow.delivered_bytes,
        "gap_bytes": s.gap_bytes(),
        "tls_connections": s.http.opaque.first().copied().unwrap_or(0),
        "segments_shed": s.flow.shed.total(),
        "bodies_shed": s.http.bodies_shed,
        "backlog_percent": s.backlog,
        "undone": s.level.name(),
    })
}
