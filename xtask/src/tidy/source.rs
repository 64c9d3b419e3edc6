//! Every module has a `//!` header, a bearable length, and nothing left over from the work.

use super::{Finding, rust};
use crate::tree::Tree;

/// Lines without tests above which a file fails.
const TOO_LONG: usize = 800;
/// Lines without tests above which a file gives its reason.
const LONG: usize = 500;
/// The line that gives it.
const REASON: &str = "// tidy: long because ";

/// Marks of unfinished work, written in parts so that this file does not trip over itself.
const LEFTOVERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
/// Kinds of files that are searched for them.
const SEARCHED: &[&str] = &["rs", "toml", "md", "yml", "yaml", "sh"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.with_extension("rs") {
        if !text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with("//!")) {
            findings.push(Finding::new(
                path,
                1,
                "begins with no `//!` header that says what the module is for",
            ));
        }
        findings.extend(length(path, text));
        for (number, line) in rust::code_only(text).lines().enumerate() {
            if line.contains("dbg!(") {
                findings.push(Finding::new(path, number + 1, "dbg! is left over"));
            }
        }
    }
    for (path, text) in SEARCHED.iter().flat_map(|extension| tree.with_extension(extension)) {
        for (number, line) in text.lines().enumerate() {
            for mark in LEFTOVERS.iter().filter(|mark| rust::has_word(line, mark)) {
                findings.push(Finding::new(
                    path,
                    number + 1,
                    format!("{mark} is left over: do it, or say it elsewhere"),
                ));
            }
        }
    }
    findings
}

fn length(path: &str, text: &str) -> Option<Finding> {
    if rust::is_test_file(path) {
        return None;
    }
    let lines = rust::product_lines(text).len();
    if lines > TOO_LONG {
        let message = format!("{lines} lines without tests: split it, {TOO_LONG} is the limit");
        return Some(Finding::new(path, 0, message));
    }
    let reasoned =
        text.lines().any(|line| line.strip_prefix(REASON).is_some_and(|reason| !reason.trim().is_empty()));
    if lines > LONG && !reasoned {
        let message =
            format!("{lines} lines without tests: above {LONG} a line `{REASON}...` gives the reason");
        return Some(Finding::new(path, 0, message));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn each_rule_fails_by_itself() {
        let lines = |n: usize| format!("//! A.\n{}", "fn a() {}\n".repeat(n));
        let tests = format!("//! A.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn a() {}\n".repeat(900));
        let reasoned = format!("{}// tidy: long because one table is one table\n", lines(600));
        let unreasoned = format!("{}// tidy: long because \n", lines(600));
        let mark = LEFTOVERS[0];
        for (path, text, says) in [
            ("a.rs", lines(500 - 1), None),
            ("a.rs", tests, None),
            ("a.rs", reasoned, None),
            ("a/tests/b.rs", lines(900), None),
            ("a.rs", "fn a() {}\n".to_owned(), Some("a.rs:1: begins with no")),
            ("a.rs", String::new(), Some("a.rs:1: begins with no")),
            ("a.rs", lines(501), Some("above 500")),
            ("a.rs", unreasoned, Some("above 500")),
            ("a.rs", lines(801), Some("split it")),
            ("a.rs", "//! A.\nfn a() { dbg!(1); }\n".to_owned(), Some("a.rs:2: dbg!")),
            ("a.rs", format!("//! A.\n// {mark}: b\n"), Some("a.rs:2: ")),
            ("a.md", format!("# A\n\n{mark} b\n"), Some("a.md:3: ")),
        ] {
            let all = found(check, &[(path, &text)]);
            match says {
                None => assert!(all.is_empty(), "{all:?}"),
                Some(says) => assert!(all.len() == 1 && all[0].contains(says), "{says}: {all:?}"),
            }
        }
    }
}
