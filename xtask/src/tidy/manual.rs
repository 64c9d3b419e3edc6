//! The manual's lists are printed by the binary, so that the two cannot differ.
//!
//! A page of `docs/` holds a list between `<!-- NAME:begin -->` and `<!-- NAME:end -->`;
//! `harken manual NAME` prints it, and `cargo xtask manual` writes it into the page.

use super::Finding;
use crate::sh;
use crate::tree::{Tree, is_under};
use anyhow::{Result, bail};

/// The lists that must be in the manual.
const LISTS: &[&str] = &["flags"];

/// Compares every list with what the binary prints.
pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for list in LISTS {
        findings.extend(compare(tree, list, &printed(list)?));
    }
    Ok(findings)
}

/// Writes every list into its page.
pub(crate) fn write() -> Result<()> {
    let tree = Tree::load()?;
    for list in LISTS {
        let Some((path, text)) = page(&tree, list) else {
            bail!("no page of docs/ has the lines <!-- {list}:begin --> and <!-- {list}:end -->");
        };
        if let Some((before, _, after)) = block(text, list) {
            let fresh = format!("{before}\n{}\n{after}", printed(list)?.trim());
            if fresh != text {
                std::fs::write(sh::root().join(path), fresh)?;
                println!("manual: {list} written into {path}");
            }
        }
    }
    Ok(())
}

fn printed(list: &str) -> Result<String> {
    sh::stdout(sh::cargo().args(["run", "--quiet", "--package", "harken", "--", "manual", list]))
}

fn page<'a>(tree: &'a Tree, list: &str) -> Option<(&'a str, &'a str)> {
    tree.with_extension("md").find(|(path, text)| is_under(path, "docs") && block(text, list).is_some())
}

/// The text up to and with the begin line, the list, and the text from the end line on.
fn block<'a>(text: &'a str, list: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let (begin, end) = (format!("<!-- {list}:begin -->"), format!("<!-- {list}:end -->"));
    let start = text.find(&begin)? + begin.len();
    let stop = start + text.get(start..)?.find(&end)?;
    Some((text.get(..start)?, text.get(start..stop)?, text.get(stop..)?))
}

fn compare(tree: &Tree, list: &str, printed: &str) -> Option<Finding> {
    let Some((path, text)) = page(tree, list) else {
        return Some(Finding::new(
            "docs",
            0,
            format!("no page has the lines <!-- {list}:begin --> and :end"),
        ));
    };
    let (_, written, _) = block(text, list)?;
    let line =
        text.lines().position(|line| line.contains(&format!("<!-- {list}:begin -->"))).unwrap_or(0) + 1;
    (written.trim() != printed.trim()).then(|| {
        Finding::new(path, line, format!("the list of {list} is not the binary's: run `cargo xtask manual`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_equals_what_is_printed() {
        let page = "# Flags\n\n<!-- flags:begin -->\n| a |\n<!-- flags:end -->\nmore\n";
        for (path, printed, says) in [
            ("docs/a.md", "| a |\n", None),
            ("docs/a.md", "| b |\n", Some("docs/a.md:3: the list of flags")),
            ("other/a.md", "| a |\n", Some("docs: no page has")),
        ] {
            let finding =
                compare(&Tree::of(&[(path, page)]), "flags", printed).map(|finding| finding.to_string());
            match says {
                None => assert_eq!(finding, None),
                Some(says) => assert!(finding.is_some_and(|finding| finding.contains(says)), "{path}"),
            }
        }
    }
}
