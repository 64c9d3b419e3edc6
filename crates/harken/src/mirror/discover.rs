//! `harken mirror discover`.
use super::places::Place;
use super::spec::Needs;
use crate::style::{Palette, counted};
use anyhow::Result;
use harken_mirror::aws::ec2::network::NetworkInterface;
use harken_mirror::spec::{Selection, Spec};
use harken_mirror::world::World;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;

pub async fn run(spec: &Spec, json: bool) -> Result<ExitCode> {
    let places = Place::all(spec, Needs::Nothing).await?;
    if json {
        let all: Vec<_> = places.iter().map(|place| as_json(spec, place)).collect();
        crate::print_json(&all)?;
    } else {
        for place in &places {
            crate::print(&table(spec, place, super::palette()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The interfaces that are meant: without a condition, all.
fn meant<'a>(spec: &Spec, place: &'a Place) -> Vec<&'a NetworkInterface> {
    let selections = spec.sources_of(&place.wanted);
    if selections.iter().all(Selection::is_empty) {
        return place.world.interfaces.values().collect();
    }
    harken_mirror::select(&place.world, selections).into_values().collect()
}

fn as_json(spec: &Spec, place: &Place) -> Value {
    let world = &place.world;
    let interfaces = meant(spec, place).into_iter().map(|interface| {
        let instance = world.instance_of(interface);
        let sessions = world.sessions_on(&interface.network_interface_id).into_iter().map(|session| {
            json!({
                "id": session.traffic_mirror_session_id,
                "number": session.session_number,
                "vni": session.virtual_network_id,
                "target": session.traffic_mirror_target_id,
                "filter": session.traffic_mirror_filter_id,
                "packet_length": session.packet_length,
            })
        });
        json!({
            "id": interface.network_interface_id,
            "type": interface.interface_type,
            "name": world.name_of(interface),
            "instance": instance.map(|instance| &instance.instance_id),
            "instance_type": instance.map(|instance| &instance.instance_type),
            "state": state(world, interface),
            "zone": interface.availability_zone,
            "vpc": interface.vpc_id,
            "subnet": interface.subnet_id,
            "addresses": interface.addresses().collect::<Vec<_>>(),
            "description": interface.description,
            "sessions": sessions.collect::<Vec<_>>(),
        })
    });
    json!({
        "account": world.account,
        "region": world.region,
        "interfaces": interfaces.collect::<Vec<_>>(),
        "unread": world.unread,
    })
}

/// What its instance does, or what it does itself.
fn state<'a>(world: &'a World, interface: &'a NetworkInterface) -> &'a str {
    world.instance_of(interface).map_or(&interface.status, |instance| &instance.instance_state.name)
}

fn table(spec: &Spec, place: &Place, palette: Palette) -> String {
    let world = &place.world;
    let mut rows = vec![
        ["NAME", "INTERFACE", "INSTANCE", "TYPE", "ZONE", "ADDRESSES", "STATE", "SESSIONS"]
            .map(str::to_owned),
    ];
    for interface in meant(spec, place) {
        let instance = world.instance_of(interface);
        let sessions: Vec<_> = world
            .sessions_on(&interface.network_interface_id)
            .into_iter()
            .map(|s| {
                format!(
                    "{} (number {}, VNI {})",
                    s.traffic_mirror_session_id, s.session_number, s.virtual_network_id
                )
            })
            .collect();
        let none = || "-".to_owned();
        rows.push([
            world.name_of(interface).map_or_else(none, str::to_owned),
            interface.network_interface_id.clone(),
            instance.map_or_else(none, |instance| instance.instance_id.clone()),
            instance
                .map_or_else(|| interface.interface_type.clone(), |instance| instance.instance_type.clone()),
            interface.availability_zone.clone(),
            interface.addresses().collect::<Vec<_>>().join(","),
            state(world, interface).to_owned(),
            if sessions.is_empty() { none() } else { sessions.join(", ") },
        ]);
    }
    let mut out = place.heading(palette);
    out += &columns(&rows, palette);
    let found = rows.len() as u64 - 1;
    let _ = writeln!(out, "{}", palette.dim(&counted(found, "interface")));
    for unread in &world.unread {
        let _ = writeln!(out, "{}", palette.warn(&format!("not looked at: {unread}")));
    }
    out
}

/// Rows in columns that are as wide as they have to be. The first is the heading.
pub fn columns<const N: usize>(rows: &[[String; N]], palette: Palette) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = String::new();
    for (at, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let line = line.trim_end();
        let _ = writeln!(out, "{}", if at == 0 { palette.bold(line) } else { line.to_owned() });
    }
    out
}
