//! A share of a processor, by the kernel's control groups: version 1, or version 2 where that has `cpu`.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Microseconds in which the share is reckoned: short, so that the sensor does not stand still for long.
const PERIOD: u64 = 10_000;

/// A control group with a bound, removed when dropped; its processes must have ended by then.
pub(super) struct Quota {
    group: PathBuf,
}

/// Where groups are made, and which version that is.
#[derive(Debug, PartialEq, Eq)]
enum Root {
    V1(PathBuf),
    V2(PathBuf),
}

impl Quota {
    /// A group whose processes together get so many percent of one processor.
    pub(super) fn new(percent: u32) -> Result<Self> {
        let mounts = fs::read_to_string("/proc/mounts").context("cannot read /proc/mounts")?;
        let has_cpu = |root: &Path| {
            let controllers = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
            controllers.split_whitespace().any(|name| name == "cpu")
        };
        let Some(root) = root(&mounts, has_cpu) else {
            bail!("--cpu: no control group hierarchy with `cpu` is mounted (looked in /proc/mounts)");
        };
        let name = format!("harken-xtask-{}", std::process::id());
        let share = PERIOD * u64::from(percent) / 100;
        // The least that the kernel takes is a millisecond.
        let (share, period) =
            if share < 1000 { (1000, 100_000 / u64::from(percent.max(1))) } else { (share, PERIOD) };
        let group = match &root {
            Root::V1(root) | Root::V2(root) => root.join(name),
        };
        make(&group)?;
        let quota = Self { group };
        match root {
            Root::V1(_) => {
                quota.write("cpu.cfs_period_us", &period.to_string())?;
                quota.write("cpu.cfs_quota_us", &share.to_string())?;
            }
            Root::V2(root) => {
                let control = root.join("cgroup.subtree_control");
                fs::write(&control, "+cpu").with_context(|| format!("cannot write {}", control.display()))?;
                quota.write("cpu.max", &format!("{share} {period}"))?;
            }
        }
        Ok(quota)
    }

    /// Puts a process with all its threads into the group.
    pub(super) fn take(&self, pid: u32) -> Result<()> {
        self.write("cgroup.procs", &pid.to_string())
    }

    fn write(&self, file: &str, value: &str) -> Result<()> {
        let path = self.group.join(file);
        fs::write(&path, value).with_context(|| format!("cannot write {value} to {}", path.display()))
    }
}

fn make(group: &Path) -> Result<()> {
    fs::create_dir(group).with_context(|| format!("cannot make the control group {}", group.display()))
}

/// Finds the hierarchy with the `cpu` controller in the text of /proc/mounts.
fn root(mounts: &str, has_cpu: impl Fn(&Path) -> bool) -> Option<Root> {
    let fields = || {
        mounts.lines().filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((PathBuf::from(words.next()?), words.next()?, words.next()?))
        })
    };
    let v1 = fields().find(|(_, kind, options)| *kind == "cgroup" && options.split(',').any(|o| o == "cpu"));
    let v2 = || fields().find(|(path, kind, _)| *kind == "cgroup2" && has_cpu(path));
    v1.map(|(path, ..)| Root::V1(path)).or_else(|| v2().map(|(path, ..)| Root::V2(path)))
}

impl Drop for Quota {
    fn drop(&mut self) {
        // A group that still has a process, which is just ending, cannot be removed at once.
        for _ in 0..50 {
            if fs::remove_dir(&self.group).is_ok() {
                return;
            }
            std::thread::sleep(super::halt::LOOK);
        }
        eprintln!("warning: cannot remove the control group {}: rmdir it", self.group.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_version() {
        let v1 = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpuacct cgroup rw,cpuacct 0 0\n\
                  cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0\n";
        let v2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";
        assert_eq!(root(v1, |_| false), Some(Root::V1("/sys/fs/cgroup/cpu".into())));
        assert_eq!(root(v2, |_| true), Some(Root::V2("/sys/fs/cgroup".into())));
        assert_eq!(root(v2, |_| false), None, "mounted beside version 1, without controllers");
        assert_eq!(root("", |_| true), None);
    }
}
