//! README sets up in exactly two commands; ARCHITECTURE stays short enough to be read.

use super::Finding;
use crate::tree::Tree;

const README: &str = "README.md";
const ARCHITECTURE: &str = "ARCHITECTURE.md";
const COMMANDS: usize = 2;
const ARCHITECTURE_LINES: usize = 300;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    match tree.text(README) {
        None => findings.push(Finding::new(README, 0, "is missing")),
        Some(text) => {
            let count = setup_commands(text).len();
            if count != COMMANDS {
                let message = format!("its first ```sh block sets up in {count} commands, not {COMMANDS}");
                findings.push(Finding::new(README, 0, message));
            }
        }
    }
    match tree.text(ARCHITECTURE).map(|text| text.lines().count()) {
        None => findings.push(Finding::new(ARCHITECTURE, 0, "is missing")),
        Some(lines) if lines > ARCHITECTURE_LINES => {
            let message = format!("{lines} lines: {ARCHITECTURE_LINES} is the limit");
            findings.push(Finding::new(ARCHITECTURE, 0, message));
        }
        Some(_) => {}
    }
    findings
}

/// The commands of the first `sh` block: lines that are neither empty nor a comment.
pub(crate) fn setup_commands(readme: &str) -> Vec<&str> {
    let block = readme.lines().skip_while(|line| line.trim() != "```sh").skip(1);
    block
        .take_while(|line| !line.starts_with("```"))
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn two_commands_and_three_hundred_lines() {
        let two = "# H\n\n```sh\n# the main job\ncargo run\n\ncargo test\n```\n\n```sh\nother\n```\n";
        let short = "# A\n";
        let long = "a\n".repeat(301);
        assert!(found(check, &[(README, two), (ARCHITECTURE, short)]).is_empty());
        for (files, says) in [
            (&[(README, "# H\n```sh\na\nb\nc\n```\n"), (ARCHITECTURE, short)][..], "in 3 commands"),
            (&[(README, "# H\n"), (ARCHITECTURE, short)], "in 0 commands"),
            (&[(README, two), (ARCHITECTURE, &long)], "301 lines"),
            (&[(README, two)], "ARCHITECTURE.md: is missing"),
            (&[(ARCHITECTURE, short)], "README.md: is missing"),
        ] {
            let all = found(check, files);
            assert!(all.len() == 1 && all[0].contains(says), "{says}: {all:?}");
        }
    }
}
