//! `cargo xtask deny`: licences, bans and sources are always checked; advisories need a network,
//! and are skipped with a word where there is none.

use crate::sh;
use anyhow::{Result, bail};

/// What cargo-deny says when it cannot reach the advisory database.
const UNREACHABLE: &[&str] = &["failed to fetch advisory database", "failed to clone", "unable to fetch"];

/// Runs cargo-deny over the workspace.
pub(crate) fn run() -> Result<()> {
    if !sh::has_cargo_tool("deny") {
        println!("deny: SKIPPED: cargo-deny is not installed (cargo install --locked cargo-deny)");
        return Ok(());
    }
    sh::run(sh::cargo().args(["deny", "--log-level", "error", "check", "licenses", "bans", "sources"]))?;
    let advisories = sh::output(sh::cargo().args(["deny", "--log-level", "error", "check", "advisories"]))?;
    let said = String::from_utf8_lossy(&advisories.stderr);
    match verdict(advisories.status.success(), &said) {
        Verdict::Good => println!("deny: advisories ok"),
        Verdict::Offline => println!("deny: advisories skipped: offline"),
        Verdict::Bad => bail!("deny: advisories\n{said}"),
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Offline,
    Bad,
}

fn verdict(success: bool, said: &str) -> Verdict {
    match success {
        true => Verdict::Good,
        false if UNREACHABLE.iter().any(|sign| said.contains(sign)) => Verdict::Offline,
        false => Verdict::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unreachable_database_is_forgiven() {
        for (success, said, expected) in [
            (true, "", Verdict::Good),
            (false, "[ERROR] failed to fetch advisory database https://github.com/x", Verdict::Offline),
            (false, "error[vulnerability]: a crate has one", Verdict::Bad),
        ] {
            assert_eq!(verdict(success, said), expected, "{said}");
        }
    }
}
