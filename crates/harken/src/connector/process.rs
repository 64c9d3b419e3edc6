//! The connector in the background: its pid file, starting, ending, signals.
use crate::cli::Settings;
use anyhow::{Context as _, Result, bail};
use harken_connector::{Config, status_file};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait until a connector that was started runs.
const START: Duration = Duration::from_secs(20);
/// What ending may take beyond the configured time.
const END: Duration = Duration::from_secs(10);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// The pid file of this process. It is locked while the process lives, so that one that was left behind by a
/// process that was killed deceives nobody.
pub struct PidFile {
    path: PathBuf,
    lock: File,
}

/// What kind of process a connector is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// One of its own.
    Connector,
    /// `harken run`.
    Sensor,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connector => "process",
            Self::Sensor => "inside `harken run`, process",
        })
    }
}

/// The process that a connector is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its kind.
    pub owner: Owner,
}

/// The word behind the number, in the pid file of a sensor.
const SENSOR: &str = "sensor";

fn path(dir: &Path) -> PathBuf {
    dir.join("connector.pid")
}

impl PidFile {
    /// Takes it; an error when another process has it.
    pub fn take(dir: &Path, owner: Owner) -> Result<Self> {
        let path = path(dir);
        let name = path.display();
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let mut file = file.with_context(|| format!("cannot write {name}"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "a connector runs already with this folder ({name}): `harken connector status` shows it; end it, or \
                 give another folder in dir"
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {name}"));
            }
        }
        file.set_len(0)?;
        let pid = std::process::id();
        let text = match owner {
            Owner::Connector => format!("{pid}\n"),
            Owner::Sensor => format!("{pid} {SENSOR}\n"),
        };
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {name}"))?;
        Ok(Self { path, lock: file })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        // Closing it is not enough: a child process that another thread has just begun has the file, too.
        let _ = self.lock.unlock();
    }
}

/// The process of the connector with that folder, if it runs.
pub fn running(dir: &Path) -> Result<Option<Process>> {
    let path = path(dir);
    let Ok(file) = File::open(&path) else { return Ok(None) };
    match file.try_lock_shared() {
        Ok(()) => {
            let _ = file.unlock();
            Ok(None)
        }
        Err(TryLockError::WouldBlock) => {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let text = text.trim();
            let (pid, kind) = text.split_once(' ').unwrap_or((text, ""));
            let pid = pid.parse().with_context(|| format!("{}: '{text}' is no process", path.display()))?;
            let owner = if kind == SENSOR { Owner::Sensor } else { Owner::Connector };
            Ok(Some(Process { pid, owner }))
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Starts it and waits until it runs.
pub fn start(config: &Config, settings: &Settings) -> Result<()> {
    if let Some(Process { pid, owner }) = running(&config.dir)? {
        bail!("the connector runs already, {owner} {pid}: `harken connector restart` starts it again");
    }
    std::fs::create_dir_all(&config.dir)
        .with_context(|| format!("cannot make the folder {}", config.dir.display()))?;
    let path = config.dir.join("start.log");
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let program = std::env::current_exe().context("cannot find the own program")?;
    let mut child = Command::new(program)
        .args(["connector", "run", "--config"])
        .arg(&settings.config)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share start.log")?)
        .stderr(log)
        // So that Ctrl-C in the terminal does not end it.
        .process_group(0)
        .spawn()
        .context("cannot start the own program")?;
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for it")? {
            let said = std::fs::read_to_string(&path).unwrap_or_default();
            // One that has only files to read may well be done by now.
            if status.success() {
                println!("the connector is done already");
                return Ok(());
            }
            bail!("the connector ended at once ({status}): {}", said.trim());
        }
        if runs(&config.dir, child.id()) {
            println!("the connector runs, process {}", child.id());
            return Ok(());
        }
        if begin.elapsed() > START {
            bail!("the connector (process {}) does not run yet: look into {}", child.id(), path.display());
        }
        std::thread::sleep(LOOK);
    }
}

/// Whether that process runs and has written its first status.
fn runs(dir: &Path, pid: u32) -> bool {
    let status = std::fs::read(status_file(dir)).ok();
    let status = status.and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    let of = status.and_then(|status| status.get("pid")?.as_u64());
    of == Some(u64::from(pid)) && matches!(running(dir), Ok(Some(found)) if found.pid == pid)
}

/// Ends it and waits until it has ended.
pub fn stop(config: &Config) -> Result<()> {
    let Some(process) = running(&config.dir)? else {
        println!("the connector is not running");
        return Ok(());
    };
    let pid = process.pid;
    if process.owner == Owner::Sensor {
        bail!("the connector is a part of `harken run`, process {pid}, and ends with it: end that one");
    }
    signal(pid, Signal::TERM)?;
    let most = Duration::from_secs(config.stop_s) + END;
    let begin = Instant::now();
    while running(&config.dir)? == Some(process) {
        if begin.elapsed() > most {
            bail!("the connector (process {pid}) has not ended after {} s: kill -9 {pid}", most.as_secs());
        }
        std::thread::sleep(LOOK);
    }
    println!("the connector has ended");
    Ok(())
}

/// Has it read its filters again.
pub fn reload(config: &Config) -> Result<()> {
    match running(&config.dir)? {
        Some(process) => signal(process.pid, Signal::HUP),
        None => bail!("the connector is not running: harken connector start"),
    }
}

fn signal(pid: u32, signal: Signal) -> Result<()> {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let target = raw.with_context(|| format!("{pid} is no process"))?;
    kill_process(target, signal).with_context(|| format!("cannot signal the process {pid}"))
}
