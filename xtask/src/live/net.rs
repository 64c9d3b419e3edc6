//! Two network namespaces with a virtual cable between them, removed again when dropped.

use crate::sh;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Distinguishes the cables of one run.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// What a program needs to run here: its name, and an argument with which it ends at once.
pub(super) type Tool = (&'static str, &'static str);

/// Makes and joins namespaces.
pub(super) const IP: Tool = ("ip", "-V");
/// Switches offloads.
pub(super) const ETHTOOL: Tool = ("ethtool", "--version");

/// What is missing of root and these tools, in words; `None` when all is there.
pub(super) fn missing(tools: &[Tool]) -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("root is needed to make network namespaces: run it with sudo".to_owned());
    }
    let absent: Vec<&str> =
        tools.iter().filter(|(name, probe)| !sh::is_there(name, probe)).map(|(name, _)| *name).collect();
    (!absent.is_empty()).then(|| {
        format!(
            "not installed: {}; on Debian: apt-get install iproute2 ethtool nginx wrk tcpdump tcpreplay suricata",
            absent.join(", ")
        )
    })
}

/// One end of the cable, in a namespace of its own.
pub(super) struct End {
    namespace: String,
    /// Name of the interface.
    pub(super) device: String,
    /// Its IPv4 addresses.
    pub(super) addresses: Vec<String>,
}

impl End {
    /// A command in this namespace, in the workspace's root.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = sh::command("ip");
        command.args(["netns", "exec", &self.namespace]).arg(program);
        command
    }

    /// The first of its addresses.
    pub(super) fn address(&self) -> &str {
        self.addresses.first().map_or("", String::as_str)
    }

    fn ip(&self, arguments: &[&str]) -> Result<()> {
        sh::stdout(sh::command("ip").args(["-n", &self.namespace]).args(arguments)).map(drop)
    }
}

/// Both ends. Nothing else is connected to them.
pub(super) struct Net {
    /// Where the server and the sensor are.
    pub(super) server: End,
    /// Where the traffic comes from.
    pub(super) client: End,
}

impl Net {
    /// Makes the namespaces. With `offloads` the interfaces hand over segments of up to 64 KiB, as they do
    /// unless told otherwise; without, what would be on a wire.
    pub(super) fn new(part: &str, mtu: u16, offloads: bool) -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = std::process::id();
        let end = |side: &str, hosts: &[u8]| End {
            namespace: format!("harken-{part}-{side}-{id}-{number}"),
            // An interface's name has 15 characters at most.
            device: format!("hk{side}{id}x{number}"),
            addresses: hosts.iter().map(|host| format!("10.9.0.{host}")).collect(),
        };
        let net = Self { server: end("s", &[1, 11, 12, 13]), client: end("c", &[2]) };
        net.build(mtu, offloads).context("cannot make the network namespaces")?;
        Ok(net)
    }

    fn build(&self, mtu: u16, offloads: bool) -> Result<()> {
        let (server, client) = (&self.server, &self.client);
        for end in [server, client] {
            sh::stdout(sh::command("ip").args(["netns", "add", &end.namespace]))?;
            // No neighbour discovery: only what is sent on purpose is on the cable.
            let off = ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"];
            sh::output(end.command("sysctl").args(["-q", "-w"]).args(off))?;
        }
        let veth = ["type", "veth", "peer", "name", &client.device, "netns", &client.namespace];
        sh::stdout(
            sh::command("ip").args(["link", "add", &server.device, "netns", &server.namespace]).args(veth),
        )?;
        for end in [server, client] {
            for address in &end.addresses {
                end.ip(&["addr", "add", &format!("{address}/24"), "dev", &end.device])?;
            }
            end.ip(&["link", "set", &end.device, "mtu", &mtu.to_string()])?;
            end.ip(&["link", "set", &end.device, "up"])?;
            end.ip(&["link", "set", "lo", "up"])?;
            // The largest packet of the mirror, which knows no fragments.
            end.ip(&["link", "set", "lo", "mtu", "65535"])?;
            if !offloads {
                let kinds = ["tso", "gso", "gro", "tx", "rx", "sg"];
                let mut ethtool = end.command("ethtool");
                ethtool.args(["-K", &end.device]).args(kinds.iter().flat_map(|kind| [*kind, "off"]));
                let done = sh::output(&mut ethtool)?;
                if !done.status.success() {
                    bail!("{}: {}", sh::shown(&ethtool), String::from_utf8_lossy(&done.stderr).trim_end());
                }
            }
        }
        Ok(())
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for end in [&self.server, &self.client] {
            // With a namespace its interfaces go, and the peers of these. One that was never made is no harm.
            let _ = sh::output(sh::command("ip").args(["netns", "del", &end.namespace]));
        }
    }
}
