//! Runs the program as a user does.
#![allow(dead_code, reason = "each test binary uses a part")]
use std::path::{Path, PathBuf};
use std::process::Command;

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
