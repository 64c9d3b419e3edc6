//! Runs the program as a user does.
#![allow(dead_code, reason = "each test binary uses a part")]
#[cfg(unix)]
pub(crate) mod sensor;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// An empty folder for what a test writes.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// Replays a capture into a folder of logs. A damaged capture gives what is readable.
#[track_caller]
pub(crate) fn replay(capture: &Path, logs: &Path, options: &[&str]) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_harken"));
    program.args(["replay", "--quiet", "--log-dir"]).arg(logs).args(options).arg(capture);
    let output = program.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}: {said}", capture.display());
}

/// The lines of a file, as JSON.
pub(crate) fn json_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A member, by its pointer; null when absent.
pub(crate) fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// The program in that folder.
pub(crate) fn harken_in(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harken"));
    command.current_dir(dir).args(args);
    command
}

/// Whether a command succeeds, and all that it says.
pub(crate) fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.success(), text)
}

/// What a command says that succeeds.
#[track_caller]
pub(crate) fn good(command: &mut Command) -> String {
    let (good, text) = said(command);
    assert!(good, "{command:?}: {text}");
    text
}

/// Asks for the status of the connector in that folder until that is so; its books balance each time.
#[track_caller]
pub(crate) fn connector(dir: &Path, until: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let (good, text) = said(&mut harken_in(dir, &["connector", "status", "--json"]));
        if good {
            let status: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(status.get("balances"), Some(&true.into()), "{status}");
            if until(&status) {
                return status;
            }
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
