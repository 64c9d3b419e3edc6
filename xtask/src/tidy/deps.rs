//! Dependencies point up the page only: the order of the crates is the order of ARCHITECTURE.md.
//!
//! Dev-dependencies are free, since a test may well read a capture file through an edge crate.

use super::Finding;
use crate::tree::Tree;
use toml::{Table, Value};

/// What a crate may depend on.
enum May {
    /// Every crate above it.
    Above,
    /// These crates only.
    Only(&'static [&'static str]),
}

/// The crates, data flowing down.
const ORDER: &[(&str, May)] = &[
    ("wire", May::Above),
    ("flow", May::Above),
    ("http", May::Above),
    // Values in, values out: masking knows no other crate.
    ("mask", May::Only(&[])),
    // What an exchange does, told from its messages alone.
    ("api", May::Only(&["http"])),
    ("event", May::Above),
    // It reads the event as JSON, and masks fields by rule.
    ("filter", May::Only(&["event", "mask"])),
    ("engine", May::Above),
    // Sources know packets and nothing of what is made of them.
    ("capture", May::Only(&["wire"])),
    ("spool", May::Above),
    ("connector", May::Above),
    ("insight", May::Above),
    ("web", May::Above),
    ("mirror", May::Above),
    ("harken", May::Above),
];

/// The pure crates: everything above the first edge crate.
pub(super) fn pure_crates() -> impl Iterator<Item = &'static str> {
    ORDER.iter().map(|(name, _)| *name).take_while(|name| *name != "capture")
}

/// The tables of a manifest that hold dependencies of the built crate, per target as well.
fn dependencies(manifest: &Table) -> Vec<String> {
    let mut tables: Vec<&Value> = Vec::new();
    let kinds = ["dependencies", "build-dependencies"];
    tables.extend(kinds.iter().filter_map(|kind| manifest.get(*kind)));
    if let Some(Value::Table(targets)) = manifest.get("target") {
        for target in targets.values() {
            tables.extend(kinds.iter().filter_map(|kind| target.get(kind)));
        }
    }
    let named = |(name, value): (&String, &Value)| match value.get("package").and_then(Value::as_str) {
        Some(package) => package.to_owned(),
        None => name.clone(),
    };
    tables.into_iter().filter_map(Value::as_table).flat_map(|table| table.iter().map(named)).collect()
}

/// The dependencies of a crate's manifest, or the finding that it cannot be read.
pub(super) fn of_manifest(path: &str, text: &str) -> Result<Vec<String>, Finding> {
    match text.parse::<Table>() {
        Ok(manifest) => Ok(dependencies(&manifest)),
        Err(error) => Err(Finding::new(path, 0, format!("not a manifest: {}", error.message()))),
    }
}

/// The crate of `crates/NAME/Cargo.toml`.
pub(super) fn crate_of_manifest(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml").filter(|name| !name.contains('/'))
}

/// `harken-wire` is the crate `wire`; the binary's package is `harken`.
fn own_crate(package: &str) -> Option<&str> {
    package.strip_prefix("harken-").or((package == "harken").then_some(package))
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.with_extension("toml") {
        let Some(name) = crate_of_manifest(path) else { continue };
        let Some(place) = ORDER.iter().position(|(known, _)| *known == name) else {
            findings.push(Finding::new(
                path,
                0,
                format!("crate {name} has no place in the order of tidy/deps.rs"),
            ));
            continue;
        };
        let dependencies = match of_manifest(path, text) {
            Ok(dependencies) => dependencies,
            Err(finding) => {
                findings.push(finding);
                continue;
            }
        };
        for dependency in dependencies.iter().filter_map(|package| own_crate(package)) {
            let above = ORDER.iter().take(place).any(|(known, _)| *known == dependency);
            let allowed = match ORDER.get(place) {
                Some((_, May::Only(list))) => list.contains(&dependency),
                _ => above,
            };
            if !allowed {
                let message =
                    format!("{name} may not depend on {dependency}: dependencies point up the page only");
                findings.push(Finding::new(path, 0, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn only_the_crates_above_are_allowed() {
        for (name, manifest, says) in [
            ("flow", "[dependencies]\nharken-wire.workspace = true", None),
            ("engine", "[dev-dependencies]\nharken-capture.workspace = true", None),
            ("flow", "[dependencies]\nharken-http.workspace = true", Some("flow may not depend on http")),
            (
                "flow",
                "[dependencies]\nh = { package = \"harken-http\" }",
                Some("flow may not depend on http"),
            ),
            ("wire", "[build-dependencies]\nharken-flow = \"1\"", Some("wire may not depend on flow")),
            (
                "wire",
                "[target.'cfg(unix)'.dependencies]\nharken = \"1\"",
                Some("wire may not depend on harken"),
            ),
            (
                "capture",
                "[dependencies]\nharken-flow.workspace = true",
                Some("capture may not depend on flow"),
            ),
            ("novel", "[dependencies]", Some("crate novel has no place")),
            ("wire", "[dependencies", Some("not a manifest")),
        ] {
            let path = format!("crates/{name}/Cargo.toml");
            let all = found(check, &[(&path, manifest)]);
            match says {
                None => assert!(all.is_empty(), "{manifest}: {all:?}"),
                Some(says) => assert!(all.len() == 1 && all[0].contains(says), "{manifest}: {all:?}"),
            }
        }
    }
}
