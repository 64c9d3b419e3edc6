//! What the sandbox of `harken run` forbids, tried out in a process that has entered it.
//!
//! For each case this program starts itself again; the child does what the case says, enters, and tries. Most
//! of the cases are about leaving root, and are skipped loudly where the tests do not run as root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "nothing of a test is reachable")]

#[cfg(target_os = "linux")]
#[path = "../src/sandbox/mod.rs"]
#[allow(dead_code, unused_imports, reason = "its unit tests run with the program's, not without a harness")]
mod sandbox;

#[cfg(target_os = "linux")]
#[path = "sandbox_cases/mod.rs"]
mod cases;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cases::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("SKIPPED: the sandbox is Linux's");
}
