//! `unsafe` stays inside `crates/capture`; the exceptions are listed here, each with its reason.

use super::{Finding, rust};
use crate::tree::{Tree, is_under};

/// The one crate that may use it.
const HOME: &str = "crates/capture";

/// Test files that may use it, and why.
const EXCEPTIONS: &[(&str, &str)] = &[];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    check_with(tree, EXCEPTIONS)
}

fn check_with(tree: &Tree, exceptions: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _) in exceptions {
        if !tree.text(path).is_some_and(|text| rust::has_word(&rust::code_only(text), "unsafe")) {
            findings.push(Finding::new(*path, 0, "needs no exception for unsafe: take it off the list"));
        }
    }
    for (path, text) in tree.with_extension("rs") {
        if is_under(path, HOME) || exceptions.iter().any(|(known, _)| *known == path) {
            continue;
        }
        for (number, line) in rust::code_only(text).lines().enumerate() {
            if rust::has_word(line, "unsafe") {
                findings.push(Finding::new(path, number + 1, format!("unsafe outside {HOME}")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_has_one_home() {
        let block = "//! A.\nfn a() { unsafe { b() } }\n";
        let exception = [("crates/flow/tests/a.rs", "counts allocations")];
        for (path, text, exceptions, count) in [
            ("crates/capture/src/a.rs", block, &[][..], 0),
            ("crates/wire/src/a.rs", "#![forbid(unsafe_code)] // unsafe", &[], 0),
            ("crates/wire/src/a.rs", block, &[], 1),
            ("crates/flow/tests/a.rs", block, &exception, 0),
            ("crates/flow/tests/a.rs", block, &[], 1),
            ("crates/flow/tests/a.rs", "//! Safe.", &exception, 1),
            ("xtask/src/a.rs", "unsafe fn a() {}", &[], 1),
        ] {
            assert_eq!(check_with(&Tree::of(&[(path, text)]), exceptions).len(), count, "{path}: {text}");
        }
    }
}
