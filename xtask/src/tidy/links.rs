//! Every link of a Markdown page to a file of the repository leads somewhere.

use super::Finding;
use crate::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.with_extension("md") {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut fenced = false;
        for (number, line) in text.lines().enumerate() {
            fenced ^= line.trim_start().starts_with("```");
            if fenced {
                continue;
            }
            for target in targets(line) {
                match resolve(folder, target) {
                    Some(file) if !tree.has(&file) => {
                        findings.push(Finding::new(
                            path,
                            number + 1,
                            format!("the link {target} leads nowhere"),
                        ));
                    }
                    _ => {}
                }
            }
        }
    }
    findings
}

/// What stands between `](` and `)`, and after `]: ` of a reference.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let reference =
        line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target.trim());
    inline.chain(reference)
}

/// The path that a link means, seen from the page's folder; `None` for the web and for anchors.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let file = target.split('#').next().unwrap_or_default();
    if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
        return None;
    }
    let mut parts: Vec<&str> = if file.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                // Above the repository there is nothing that a link may rely on.
                if parts.pop().is_none_or(str::is_empty) {
                    return Some("..".to_owned());
                }
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/").trim_start_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn links_lead_somewhere() {
        for (text, count) in [
            ("[a](b.md) and [c](../LICENSE)", 0),
            ("[a](b.md#part), [web](https://example.com/x), [here](#top)", 0),
            ("[folder](../crates/wire/)", 0),
            ("```\n[a](none.md)\n```", 0),
            ("[a]: b.md", 0),
            ("[a](none.md)", 1),
            ("[a](b.md) [c](none.md \"title\")", 1),
            ("[a]: none.md", 1),
            ("[out](../../shared/x.md)", 1),
        ] {
            let files =
                [("docs/a.md", text), ("docs/b.md", ""), ("LICENSE", ""), ("crates/wire/Cargo.toml", "")];
            assert_eq!(found(check, &files).len(), count, "{text}");
        }
    }
}
