//! The parent: it prepares the folders of a case, starts the child and judges.

mod child;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The name of the case, for the child.
const CASE: &str = "HARKEN_SANDBOX_CASE";
/// The case's folder, for the child.
const DIR: &str = "HARKEN_SANDBOX_DIR";
/// A user who is not root and owns nothing.
const NOBODY: u32 = 65534;

/// As whom the child starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Root,
    Nobody,
}

struct Case {
    name: &'static str,
    start: As,
    run: fn(&Path),
}

const CASES: &[Case] = &[
    Case { name: "root_becomes_another_user_without_capabilities", start: As::Root, run: child::root },
    Case { name: "a_packet_socket_can_be_opened_again", start: As::Root, run: child::packets },
    Case { name: "root_that_stays_has_no_capabilities", start: As::Root, run: child::stay },
    Case { name: "layers_can_be_switched_off", start: As::Root, run: child::off },
    Case { name: "what_is_not_ours_keeps_its_owner", start: As::Root, run: child::owners },
    Case { name: "shared_folders_are_not_given_away", start: As::Root, run: child::shared },
    Case { name: "a_closed_folder_is_an_error", start: As::Root, run: child::closed },
    Case { name: "without_setuid_root_stays_and_says_so", start: As::Root, run: child::poor_root },
    Case { name: "anyone_is_confined", start: As::Nobody, run: child::nobody },
    Case { name: "a_kernel_without_the_layers_is_told", start: As::Nobody, run: child::old_kernel },
    Case { name: "root_of_a_user_namespace_stays", start: As::Nobody, run: child::user_namespace },
    Case { name: "a_user_cannot_become_another", start: As::Nobody, run: child::other_user },
    Case { name: "other_threads_are_an_error", start: As::Nobody, run: child::threads },
];

pub(super) fn main() -> ExitCode {
    if let Ok(name) = std::env::var(CASE) {
        let dir = PathBuf::from(std::env::var_os(DIR).unwrap());
        let case = CASES.iter().find(|case| case.name == name).unwrap();
        (case.run)(&dir);
        return ExitCode::SUCCESS;
    }
    // A filter as `cargo test NAME` gives it; options of the usual harness are for the usual harness.
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let root = nix::unistd::geteuid().is_root();
    // Below /tmp and not in the target folder, which may lie where only root comes.
    let base = std::env::temp_dir().join(format!("harken-sandbox-{}", std::process::id()));
    let program = prepare(&base);
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for case in CASES.iter().filter(|case| case.name.contains(&filter)) {
        if case.start == As::Root && !root {
            eprintln!("SKIPPED: {}: it leaves root, and the tests do not run as root", case.name);
            skipped += 1;
            continue;
        }
        let ok = run(case, &base, &program, root);
        println!("test {} ... {}", case.name, if ok { "ok" } else { "FAILED" });
        if ok { passed += 1 } else { failed += 1 }
    }
    std::fs::remove_dir_all(&base).unwrap();
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A folder that every user may enter, with this program in it.
fn prepare(base: &Path) -> PathBuf {
    std::fs::create_dir(base).unwrap();
    open(base, 0o755);
    let program = base.join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    open(&program, 0o755);
    program
}

fn open(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// `logs` is the folder of the plan; `outside` is one in which every user may write, so that it is not file
/// permissions that forbid it.
fn run(case: &Case, base: &Path, program: &Path, root: bool) -> bool {
    let dir = base.join(case.name);
    for (name, mode) in
        [("", 0o755), ("logs", 0o755), ("logs/current", 0o755), ("outside", 0o777), ("conf", 0o755)]
    {
        std::fs::create_dir(dir.join(name)).unwrap();
        open(&dir.join(name), mode);
    }
    std::fs::write(dir.join("conf/config.json"), "{}").unwrap();
    open(&dir.join("conf/config.json"), 0o644);
    std::fs::write(dir.join("outside/victim"), "as it was").unwrap();
    open(&dir.join("outside/victim"), 0o666);
    let mut child = Command::new(program);
    child.env(CASE, case.name).env(DIR, &dir).current_dir(&dir);
    if root && case.start == As::Nobody {
        for name in ["logs", "logs/current"] {
            std::os::unix::fs::chown(dir.join(name), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        child.uid(NOBODY).gid(NOBODY);
    }
    let output = child.output().unwrap();
    let untouched = std::fs::read_to_string(dir.join("outside/victim")).unwrap() == "as it was"
        && std::fs::metadata(dir.join("outside/victim")).unwrap().uid() == nix::unistd::getuid().as_raw();
    let ok = output.status.success() && untouched;
    if !ok {
        println!("{}: {}, outside untouched: {untouched}", case.name, output.status);
        println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    } else {
        print!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
    }
    ok
}
