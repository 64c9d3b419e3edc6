//! Programs from PyPI, which tests hold ours against.
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python with those packages, in a folder of the target folder; why not, where it cannot be had.
pub(crate) fn venv(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    // Tests run side by side, and one install is enough.
    static ONCE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONCE.lock();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (python, ready, wanted) = (folder.join("bin/python"), folder.join("ready"), packages.join("\n"));
    if std::fs::read_to_string(&ready).is_ok_and(|has| has == wanted) {
        return Ok(python);
    }
    let install = [&["install", "--quiet"], packages].concat();
    for (program, args) in
        [("python3".into(), vec!["-m", "venv", folder.to_str().unwrap()]), (folder.join("bin/pip"), install)]
    {
        let done = Command::new(&program).args(&args).output();
        if !done.as_ref().is_ok_and(|done| done.status.success()) {
            return Err(format!("{} {args:?} failed: {done:?}", program.display()));
        }
    }
    std::fs::write(ready, wanted).unwrap();
    Ok(python)
}
