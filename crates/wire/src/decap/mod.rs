//! Tunnels: one file per header. Each has a `parse` that gives the header's values, what it carries and the
//! bytes behind it. Entering a tunnel (its depth, its identity) is the walker's business, in `walk.rs`.
pub mod erspan;
pub mod geneve;
pub mod gre;
pub(crate) mod ipip;
pub mod vxlan;
pub mod vxlan_gpe;

/// What a tunnel header carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carries {
    /// A frame from its Ethernet header on.
    Ethernet,
    /// IPv4 or IPv6, by the version field.
    Ip,
    /// What this EtherType names.
    EtherType(u16),
    /// An IEEE 802.11 frame.
    Wlan,
}
