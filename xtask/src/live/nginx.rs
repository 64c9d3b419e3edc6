//! A real server and a real client: nginx with an access log, and wrk.

use super::net::{End, Net, Tool};
use super::process::Process;
use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// The server.
pub(super) const NGINX: Tool = ("nginx", "-v");
/// The client.
pub(super) const WRK: Tool = ("wrk", "-v");

const CONFIG: &str = include_str!("nginx.conf");
const SCRIPT: &str = include_str!("wrk.lua");
/// Where the server listens.
const PORT: u16 = 8080;
/// Files that are served, in KiB.
const FILES: [usize; 4] = [1, 4, 16, 64];

/// A running server.
pub(super) struct Nginx {
    process: Process,
    access: PathBuf,
}

impl Nginx {
    /// Starts the server at one end, its files in the folder `dir`.
    pub(super) fn start(end: &End, dir: &Path) -> Result<Self> {
        let files = dir.join("www/static");
        std::fs::create_dir_all(&files)?;
        for size in FILES {
            std::fs::write(files.join(format!("f{size}.json")), text(size))?;
        }
        let config = dir.join("nginx.conf");
        std::fs::write(&config, CONFIG.replace("@DIR@", &dir.display().to_string()))?;
        let access = dir.join("access.jsonl");
        std::fs::write(&access, "")?;
        let mut command = end.command("nginx");
        command.arg("-e").arg(dir.join("nginx-error.log")).arg("-c").arg(&config);
        let mut process = Process::start(&mut command, &dir.join("nginx.out"), Stdio::null(), None)?;
        let listens = || {
            let mut ss = end.command("ss");
            let listed = crate::sh::output(ss.args(["-Hltn"]))?;
            Ok::<_, anyhow::Error>(String::from_utf8_lossy(&listed.stdout).contains(&format!(":{PORT} ")))
        };
        for _ in 0..100 {
            process.still_runs()?;
            if listens()? {
                return Ok(Self { process, access });
            }
            super::halt::pause(Duration::from_millis(50))?;
        }
        bail!("nginx does not listen on port {PORT} after 5 s\n{}", process.said()?.trim_end());
    }

    /// Lets the server finish its work, and returns its access log.
    pub(super) fn stop(mut self) -> Result<String> {
        self.process.stop(Signal::SIGQUIT, Duration::from_secs(10))?;
        std::fs::read_to_string(&self.access).with_context(|| self.access.display().to_string())
    }
}

/// So many KiB of text, in lines.
fn text(kib: usize) -> String {
    let mut text = String::new();
    let mut line = 0u32;
    while text.len() < kib * 1024 {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{{\"line\":{line},\"mix\":\"{:08x}\"}}", line.wrapping_mul(0x9e37_79b9));
        line += 1;
    }
    text
}

/// Has wrk ask for `seconds` over so many connections. Returns requests a second as wrk counts them.
pub(super) fn wrk(net: &Net, dir: &Path, seconds: u64, connections: u32) -> Result<f64> {
    let script = dir.join("wrk.lua");
    let hosts: Vec<String> = net.server.addresses.iter().map(|host| format!("\"{host}\"")).collect();
    std::fs::write(&script, SCRIPT.replace("@HOSTS@", &hosts.join(", ")))?;
    let threads = connections.clamp(1, hosts.len() as u32);
    let mut command = net.client.command("wrk");
    command
        .arg(format!("-t{threads}"))
        .arg(format!("-c{connections}"))
        .arg(format!("-d{seconds}s"))
        .arg("-s")
        .arg(&script);
    command.arg(format!("http://{}:{PORT}/", net.server.address()));
    let mut process = Process::start(&mut command, &dir.join("wrk.out"), Stdio::null(), None)?;
    process.finish(Duration::from_secs(seconds + 30))?;
    let said = process.said()?;
    rate(&said).with_context(|| format!("wrk does not say how many requests it made:\n{}", said.trim_end()))
}

fn rate(said: &str) -> Option<f64> {
    said.lines().find_map(|line| line.strip_prefix("Requests/sec:")).and_then(|rate| rate.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_says() {
        assert_eq!(
            rate("Running\n  1 threads\nRequests/sec:  12345.67\nTransfer/sec: 1MB\n"),
            Some(12345.67)
        );
        assert_eq!(rate("nothing"), None);
    }

    #[test]
    fn files_are_at_least_as_long_as_they_say() {
        assert!((1024..1100).contains(&text(1).len()));
    }
}
