//! The writer as a whole, with a clock that is set by hand.
mod disk;
mod kill;
mod rotate;

use super::clock::Clock;
use super::*;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// 2026-11-24 10:59:58.
const START: u64 = 1_795_517_998;

/// A clock that is set by hand. Who reads it waits while `stuck` is held.
struct Hands {
    seconds: AtomicU64,
    stuck: Mutex<()>,
}

impl Hands {
    fn new() -> Arc<Self> {
        Arc::new(Self { seconds: AtomicU64::new(START), stuck: Mutex::new(()) })
    }
}

impl Clock for Hands {
    fn now(&self) -> SystemTime {
        drop(self.stuck.lock().unwrap());
        UNIX_EPOCH + Duration::from_secs(self.seconds.load(Ordering::Relaxed))
    }
}

/// A folder that goes away with the test.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("harken-logs-{}-{number}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn get(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// All files of the folder, but for the lock.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files.push(path.strip_prefix(&self.0).unwrap().display().to_string()),
                }
            }
        }
        files.retain(|file| file != ".lock");
        files.sort();
        files
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const JSON: &[Spec] =
    &[Spec { name: "http.log", zeek: None }, Spec { name: "conn.log", zeek: Some((zeek::CONN, Form::Json)) }];
const TSV: &[Spec] = &[
    Spec { name: "http.log", zeek: Some((zeek::HTTP, Form::Tsv)) },
    Spec { name: "conn.log", zeek: Some((zeek::CONN, Form::Tsv)) },
];

/// What was said to the operator.
type Said = Arc<Mutex<Vec<String>>>;

fn config(dir: &Path) -> (Config, Said) {
    let said = Said::default();
    let lines = Arc::clone(&said);
    let config = Config {
        dir: dir.to_owned(),
        every: None,
        size: None,
        compress: Compress::None,
        keep_age: None,
        keep_bytes: None,
        queue_bytes: 0,
        say: Arc::new(move |line| lines.lock().unwrap().push(line.to_owned())),
    };
    (config, said)
}

fn send(writer: &LogWriter, which: usize, text: &str) {
    writer.handle(which).send(text.as_bytes(), text.lines().count() as u64);
}

/// Waits until `is_so`, for 10 seconds at most.
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(10), "waited for {what} in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn written(writer: &LogWriter, lines: u64) {
    let counters = writer.counters();
    let all = || counters.stats().logs.iter().map(|log| log.lines).sum::<u64>();
    wait_for("lines to be written", || all() == lines);
}

fn close(writer: LogWriter) -> Stats {
    writer.close(Duration::from_secs(10)).unwrap()
}

/// What a program prints; `None`, loudly, when it is not installed.
fn output_of(program: &str, args: &[&str]) -> Option<Vec<u8>> {
    let ran = Command::new(program).args(args).stderr(Stdio::inherit()).output();
    let Ok(output) = ran else {
        eprintln!("SKIPPED: {program} is not installed");
        return None;
    };
    assert!(output.status.success(), "{program} {args:?}");
    Some(output.stdout)
}

/// Runs one test of this program, which is written for it, as a child process.
fn child(test: &str, prefix: &[&str], dir: &Path) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut all = prefix.iter().copied().map(std::ffi::OsStr::new).collect::<Vec<_>>();
    all.push(program.as_os_str());
    let mut command = Command::new(all[0]);
    command.args(&all[1..]).args(["--exact", test, "--nocapture", "--ignored"]).env("HARKEN_LOGS_CHILD", dir);
    command
}

/// The folder that [`child`] gives its process.
fn child_dir() -> Option<PathBuf> {
    std::env::var_os("HARKEN_LOGS_CHILD").map(PathBuf::from)
}
