//! The captures of `captures/`: what they contain is written here, and each is small.
mod api;
mod gzip;
mod script;
mod tls;
mod tunnels;

use crate::sh;
use anyhow::{Context, Result, bail};
use std::fs;

/// Writes every capture, or with `check` only compares.
pub(super) fn run(check: bool) -> Result<()> {
    let folder = sh::root().join("captures");
    let mut stale = Vec::new();
    for (name, made) in captures()? {
        let path = folder.join(name).join("input.pcap");
        if check {
            if fs::read(&path).ok().as_ref() != Some(&made) {
                stale.push(name);
            }
            continue;
        }
        fs::create_dir_all(folder.join(name))?;
        fs::write(&path, &made).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{name}: {} bytes", made.len());
    }
    if !stale.is_empty() {
        bail!("captures that are not as 'cargo xtask gen golden' makes them: {}", stale.join(", "));
    }
    Ok(())
}

/// The captures with the names of their folders.
pub(super) fn captures() -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut captures = vec![("vxlan-api", api::capture()?)];
    for (name, tunnel) in tunnels::CASES {
        captures.push((name, tunnels::capture(tunnel)?));
    }
    Ok(captures)
}
