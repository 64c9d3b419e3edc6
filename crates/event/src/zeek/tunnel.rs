//! `tunnel.log`: one line for each tunnel when it is first seen, and one when it is over.
use super::Form;
use super::column::columns;
use super::row::{Json, Row, Tsv};
use crate::ecs::VniNames;
use crate::flow::Endpoint;
use crate::uid::Uid;
use harken_wire::{Encap, Timestamp, TunnelKind};

columns! {
    TUNNEL_TYPE "tunnel_type" Enum,
    ACTION "action" Enum,
    VNI "vni" Count,
    VNI_NAME "vni_name" String,
}

/// What happened to a tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Its first packet.
    Discover,
    /// No packets for long, or the input ended.
    Close,
}

/// Appends the line of the tunnel that `encap` describes; nothing when there is none. A tunnel is the same as
/// another when [`Uid::tunnel`] gives the same identifier.
pub fn write(ts: Timestamp, encap: &Encap, action: Action, names: &VniNames, form: Form, out: &mut Vec<u8>) {
    match form {
        Form::Json => record(&mut Json(out), ts, encap, action, names),
        Form::Tsv => record(&mut Tsv(out), ts, encap, action, names),
    }
}

fn record<R: Row>(row: &mut R, ts: Timestamp, encap: &Encap, action: Action, names: &VniNames) {
    let (Some(kind), Some(uid)) = (encap.kind, Uid::tunnel(encap)) else { return };
    let outer = &encap.outer;
    let (orig, resp) = (Endpoint::new((outer.src, outer.sport)), Endpoint::new((outer.dst, outer.dport)));
    row.start(ts);
    row.identity(Some(uid.as_bytes()), Some((&orig, &resp)));
    row.name(&TUNNEL_TYPE, Some(name(kind)));
    row.name(
        &ACTION,
        Some(match action {
            Action::Discover => b"Tunnel::DISCOVER",
            Action::Close => b"Tunnel::CLOSE",
        }),
    );
    row.count(&VNI, encap.vni.map(u64::from));
    row.text(&VNI_NAME, names.label(encap.vni).as_deref().map(str::as_bytes));
    row.end();
}

/// Zeek's name of the kind; in its style for those that it does not tell apart.
const fn name(kind: TunnelKind) -> &'static [u8] {
    match kind {
        TunnelKind::Vxlan => b"Tunnel::VXLAN",
        TunnelKind::VxlanGpe => b"Tunnel::VXLAN_GPE",
        TunnelKind::Geneve => b"Tunnel::GENEVE",
        TunnelKind::Gre | TunnelKind::L2Gre | TunnelKind::Nvgre | TunnelKind::Erspan => b"Tunnel::GRE",
        TunnelKind::IpIp => b"Tunnel::IP",
    }
}
