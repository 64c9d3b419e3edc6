//! Pure crates take bytes and timestamps and return values: no clock, file, socket or thread, and
//! none of the crates that bring one. `clippy.toml` bans the calls; this bans the whole modules.

use super::{Finding, deps, rust};
use crate::tree::{Tree, is_under};

/// Modules of the standard library that only edge crates use.
const MODULES: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::net::Tcp",
    "std::net::Udp",
];

/// Crates that touch the world.
const CRATES: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "mio",
    "socket2",
    "libc",
    "nix",
    "rustix",
    "hyper",
    "reqwest",
    "rayon",
    "crossbeam-channel",
    "memmap2",
    "chrono",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    deps::pure_crates().flat_map(|name| manifest(tree, name).into_iter().chain(sources(tree, name))).collect()
}

fn manifest(tree: &Tree, name: &str) -> Vec<Finding> {
    let path = format!("crates/{name}/Cargo.toml");
    // A manifest that cannot be read is a finding of the dependency check.
    let dependencies =
        tree.text(&path).and_then(|text| deps::of_manifest(&path, text).ok()).unwrap_or_default();
    let banned = dependencies.iter().filter(|dependency| CRATES.contains(&dependency.as_str()));
    banned
        .map(|dependency| Finding::new(&path, 0, format!("{dependency} touches the world: {name} is pure")))
        .collect()
}

fn sources(tree: &Tree, name: &str) -> Vec<Finding> {
    let src = format!("crates/{name}/src");
    let mut findings = Vec::new();
    for (path, text) in tree.with_extension("rs").filter(|(path, _)| is_under(path, &src)) {
        if path == format!("{src}/lib.rs") && !text.contains("#![forbid(unsafe_code)]") {
            findings.push(Finding::new(path, 0, "a pure crate says #![forbid(unsafe_code)]"));
        }
        if rust::is_test_file(path) {
            continue;
        }
        for (number, line) in rust::product_lines(text) {
            for module in MODULES.iter().filter(|module| line.contains(*module)) {
                let message = format!("{module} belongs to an edge crate: {name} is pure");
                findings.push(Finding::new(path, number, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    const LIB: (&str, &str) = ("crates/wire/src/lib.rs", "//! Wire.\n#![forbid(unsafe_code)]\n");

    #[test]
    fn the_world_stays_outside() {
        let tests = "//! T.\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        for (path, text, says) in [
            ("crates/wire/src/a.rs", "//! A.\nuse std::net::IpAddr;\n", None),
            ("crates/wire/src/a.rs", "//! No std::fs here.\n", None),
            ("crates/wire/src/a.rs", tests, None),
            ("crates/wire/src/a/tests.rs", "//! T.\nuse std::fs;\n", None),
            ("crates/capture/src/a.rs", "//! A.\nuse std::fs;\n", None),
            ("crates/wire/src/a.rs", "//! A.\nuse std::fs;\n", Some("a.rs:2: std::fs belongs")),
            (
                "crates/wire/src/a.rs",
                "//! A.\n\nlet s = std::net::TcpStream;\n",
                Some("a.rs:3: std::net::Tcp"),
            ),
            ("crates/wire/Cargo.toml", "[dependencies]\ntokio = \"1\"\n", Some("tokio touches the world")),
            ("crates/wire/Cargo.toml", "[dev-dependencies]\ntokio = \"1\"\n", None),
        ] {
            let all = found(check, &[LIB, (path, text)]);
            match says {
                None => assert!(all.is_empty(), "{text}: {all:?}"),
                Some(says) => assert!(all.len() == 1 && all[0].contains(says), "{text}: {all:?}"),
            }
        }
    }

    #[test]
    fn a_pure_crate_forbids_unsafe() {
        assert_eq!(found(check, &[("crates/http/src/lib.rs", "//! H.\n")]).len(), 1);
    }
}
