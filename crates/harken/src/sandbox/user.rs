//! Which user to become when started as root.
//!
//! `/etc/passwd` is read here and not by `getpwnam`: in a static binary that would load the shared libraries
//! of whatever libc the system has. The price is that users of LDAP and the like are named by number.

use super::Line;
use anyhow::{Context as _, Result, bail};
use caps::{CapSet, Capability};
use nix::unistd::{Gid, Uid};

/// The users to become unless one is asked for, the first that exists.
const DEFAULTS: [&str; 2] = ["harken", "nobody"];
/// The number of `nobody` everywhere, for a container without `/etc/passwd`.
const NOBODY: u32 = 65534;

/// A user to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
}

/// Whether the user changes.
#[derive(Debug)]
pub(super) enum Choice {
    /// To this one, which is not root.
    Change(Account),
    /// It does not, and why.
    Stay(Line),
}

impl Choice {
    /// The line of the report, once it is done.
    pub(super) fn line(self) -> Line {
        match self {
            Self::Stay(line) => line,
            Self::Change(Account { name, uid, gid }) => Line::yes(
                "user",
                format!("changed from root to {name} (uid {uid}, gid {gid}), without other groups"),
            ),
        }
    }
}

/// Finds out who to become.
pub(super) fn choose(asked: Option<&str>) -> Result<Choice> {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let me = Uid::effective();
    let account = match asked {
        Some(asked) => find(asked, &passwd)?,
        None if !me.is_root() => {
            return Ok(Choice::Stay(Line::yes("user", format!("uid {me}, as started"))));
        }
        None => default(&passwd),
    };
    if !me.is_root() {
        if account.uid == me {
            return Ok(Choice::Stay(Line::yes("user", format!("{} (uid {me}), as started", account.name))));
        }
        bail!(
            "cannot change from uid {me} to user {}: only root may; start as root, or as that user without --user",
            account.name
        );
    }
    if account.uid.is_root() {
        return Ok(Choice::Stay(Line::no("user", "root, as asked for; its capabilities go all the same")));
    }
    match (obstacle(&account), asked) {
        (None, _) => Ok(Choice::Change(account)),
        (Some(why), Some(_)) => {
            bail!("cannot change to user {}: {why}; mend that, or give --user root", account.name)
        }
        (Some(why), None) => Ok(Choice::Stay(Line::no(
            "user",
            format!(
                "root, since it cannot change to {}: {why}; its capabilities go all the same",
                account.name
            ),
        ))),
    }
}

fn default(passwd: &str) -> Account {
    let nobody =
        Account { name: "nobody".to_owned(), uid: Uid::from_raw(NOBODY), gid: Gid::from_raw(NOBODY) };
    // A `harken` that is root in disguise is no user to change to.
    let known = DEFAULTS.iter().find_map(|name| lookup(name, passwd).filter(|found| !found.uid.is_root()));
    known.unwrap_or(nobody)
}

/// A user by name, `UID` or `UID:GID`. With a `UID` alone the group has the same number.
fn find(asked: &str, passwd: &str) -> Result<Account> {
    if let Some(account) = lookup(asked, passwd) {
        return Ok(account);
    }
    let (uid, gid) = asked.split_once(':').unwrap_or((asked, asked));
    match (number(uid), number(gid)) {
        (Some(uid), Some(gid)) => {
            Ok(Account { name: asked.to_owned(), uid: Uid::from_raw(uid), gid: Gid::from_raw(gid) })
        }
        // A container without /etc/passwd has its root, too.
        _ if asked == "root" => {
            Ok(Account { name: asked.to_owned(), uid: Uid::from_raw(0), gid: Gid::from_raw(0) })
        }
        _ => bail!("there is no user {asked} in /etc/passwd; create it, or give its numbers as UID:GID"),
    }
}

/// The largest number means "leave it" to the kernel, and is no user.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number != u32::MAX)
}

/// The line of a user: `name:password:uid:gid:...`.
fn lookup(name: &str, passwd: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next().filter(|found| !found.is_empty() && *found == name)?;
        let (uid, gid) = (number(fields.nth(1)?)?, number(fields.next()?)?);
        Some(Account { name: found.to_owned(), uid: Uid::from_raw(uid), gid: Gid::from_raw(gid) })
    })
}

/// What keeps root from becoming `account`: a container may leave it no right to, and a user namespace may
/// not have the number.
fn obstacle(account: &Account) -> Option<String> {
    for capability in [Capability::CAP_SETUID, Capability::CAP_SETGID] {
        if !caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false) {
            return Some(format!("{capability} is not held"));
        }
    }
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).ok();
    for (map, kind, id) in
        [("uid_map", "uid", account.uid.as_raw()), ("gid_map", "gid", account.gid.as_raw())]
    {
        if read(map).is_some_and(|map| !maps(&map, id)) {
            return Some(format!("{kind} {id} does not exist in this user namespace"));
        }
    }
    let denied = read("setgroups").is_some_and(|state| state.trim() == "deny");
    denied.then(|| "this user namespace forbids to leave groups".to_owned())
}

/// Whether a map of a user namespace (lines of: first inside, first outside, count) has `id`.
fn maps(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let mut fields = line.split_whitespace().map(|field| field.parse::<u64>().unwrap_or(0));
        let (first, count) = (fields.next().unwrap_or(0), fields.nth(1).unwrap_or(0));
        u64::from(id).checked_sub(first).is_some_and(|offset| offset < count)
    })
}

/// Becomes `account` with all three user and group numbers, and leaves every other group.
pub(super) fn change(account: &Account) -> Result<()> {
    let Account { name, uid, gid } = account;
    let said = || format!("cannot change from root to user {name} (uid {uid}, gid {gid})");
    // Groups first: without root they cannot be left any more.
    nix::unistd::setgroups(&[]).with_context(said)?;
    nix::unistd::setresgid(*gid, *gid, *gid).with_context(said)?;
    nix::unistd::setresuid(*uid, *uid, *uid).with_context(said)?;
    let (users, groups) = (nix::unistd::getresuid()?, nix::unistd::getresgid()?);
    let all = [users.real, users.effective, users.saved].iter().all(|is| is == uid)
        && [groups.real, groups.effective, groups.saved].iter().all(|is| is == gid);
    if !all {
        bail!("{}: the kernel said yes and did not", said());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n:x:7:7::/:\n\nbad:x:seven:7::/:\n# c\n\
                          nobody:x:99:98:::\nharken:x:977:976:Harken:/var/lib/harken:/usr/sbin/nologin\n";

    #[test]
    fn users_by_name_and_number() {
        for (asked, expected) in [
            ("harken", Some((977, 976))),
            ("nobody", Some((99, 98))),
            ("root", Some((0, 0))),
            ("1000", Some((1000, 1000))),
            ("1000:100", Some((1000, 100))),
            ("alice", None),
            ("bad", None),
            ("", None),
            (":", None),
            ("1:", None),
            ("-1", None),
            ("4294967295", None),
            ("1:4294967295", None),
        ] {
            let found = find(asked, PASSWD).ok().map(|found| (found.uid.as_raw(), found.gid.as_raw()));
            assert_eq!(found, expected, "{asked}");
        }
    }

    #[test]
    fn the_default_is_never_root() {
        assert_eq!(default(PASSWD).name, "harken");
        assert_eq!(default("nobody:x:99:98:::\n").uid.as_raw(), 99);
        assert_eq!(default("harken:x:0:0:::\n").uid.as_raw(), NOBODY);
        assert_eq!(default("").gid.as_raw(), NOBODY);
    }

    #[test]
    fn maps_of_user_namespaces() {
        let all = "         0          0 4294967295\n";
        let rootless = "         0       1000          1\n         1     100000      65536\n";
        for (map, id, expected) in [
            (all, 0, true),
            (all, 65534, true),
            (rootless, 65534, true),
            (rootless, 65537, false),
            ("0 1000 1\n", 0, true),
            ("0 1000 1\n", 65534, false),
            ("", 0, false),
            ("a b c\n", 0, false),
        ] {
            assert_eq!(maps(map, id), expected, "{map} {id}");
        }
    }
}
