//! Root and its capabilities are left, and nothing can be gained any more.

use super::Line;
use super::user::{self, Account};
use anyhow::{Context as _, Result, bail};
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl;

/// Becomes `account`, drops every capability but `CAP_NET_RAW` if it is to be kept and is held, and sets
/// `no_new_privs`.
pub(super) fn drop(account: Option<&Account>, keep_raw: bool) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let held = caps::has_cap(None, CapSet::Permitted, Capability::CAP_NET_RAW)?;
    let kept: CapsHashSet = (keep_raw && held).then_some(Capability::CAP_NET_RAW).into_iter().collect();
    // The bounding set needs CAP_SETPCAP, so it goes first. What is permitted stays permitted without it.
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        caps::clear(None, CapSet::Bounding).context("cannot empty the bounding set of capabilities")?;
    }
    if let Some(account) = account {
        // The kernel takes the permitted set from who leaves root, unless told not to; it keeps nothing of the
        // effective set either way.
        prctl::set_keepcaps(!kept.is_empty()).context("cannot keep CAP_NET_RAW over the change of user")?;
        user::change(account)?;
    }
    let sets = [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable, CapSet::Ambient];
    for set in sets {
        clear(set, &kept).with_context(|| format!("cannot drop capabilities from the {set:?} set"))?;
    }
    if account.is_some() {
        prctl::set_keepcaps(false).context("cannot switch PR_SET_KEEPCAPS off again")?;
    }
    for set in sets {
        let left = caps::read(None, set)?;
        let expected = matches!(set, CapSet::Effective | CapSet::Permitted) && !kept.is_empty();
        if left != if expected { kept.clone() } else { CapsHashSet::new() } {
            bail!("capabilities remain in the {set:?} set: {left:?}");
        }
    }
    lines.push(match (keep_raw, held) {
        (true, true) => {
            let why = "to open a packet socket again after its interface went away";
            Line::yes("capabilities", format!("none but CAP_NET_RAW, {why}"))
        }
        (true, false) => {
            let what = "a packet socket cannot be opened again after its interface went away";
            let mend = "to let it: setcap cap_net_raw=ep harken";
            Line::no("capabilities", format!("none; CAP_NET_RAW was not held, so {what}; {mend}"))
        }
        (false, _) => Line::yes("capabilities", "none"),
    });
    let bounding = caps::read(None, CapSet::Bounding)?;
    lines.push(if bounding.is_empty() {
        Line::yes("bounding set", "empty")
    } else {
        // Without CAP_SETPCAP it stays; it counts at execve alone, and no_new_privs takes its effect there.
        Line::yes("bounding set", "as started (CAP_SETPCAP is not held); without effect after no_new_privs")
    });
    prctl::set_no_new_privs().context("cannot set no_new_privs")?;
    // After the change of user, which sets it anew.
    prctl::set_dumpable(false).context("cannot switch core dumps off")?;
    lines.push(Line::yes(
        "privileges",
        "no new ones (no_new_privs); no core dumps, no debugger (not dumpable)",
    ));
    Ok(lines)
}

/// Leaves `kept` in the effective and permitted sets, and nothing in the others.
fn clear(set: CapSet, kept: &CapsHashSet) -> Result<(), caps::errors::CapsError> {
    match set {
        // After the change of user the effective set is empty: `kept` comes back out of the permitted set,
        // which is cut down to it next.
        CapSet::Effective | CapSet::Permitted => caps::set(None, set, kept),
        // Not in kernels before 4.3; a set that does not exist holds nothing.
        CapSet::Ambient if caps::runtime::ambient_set_supported().is_err() => Ok(()),
        _ => caps::clear(None, set),
    }
}
