//! `harken mirror status`.
use super::discover::columns;
use super::places::Place;
use super::spec::{self, Needs};
use crate::cli::SpecArgs;
use anyhow::Result;
use harken_mirror::aws::ec2::mirror::MirrorSession;
use harken_mirror::plan::{Choices, Plan};
use harken_mirror::spec::Spec;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Runs the command.
pub async fn run(args: &SpecArgs, json: bool) -> Result<ExitCode> {
    let spec = spec::read(args)?;
    let places = Place::all(&spec, Needs::Nothing).await?;
    let mut all = Vec::new();
    for place in &places {
        let drift = drift(&spec, place);
        let sessions: Vec<_> =
            place.world.sessions.values().map(|session| one(&spec, place, session)).collect();
        if json {
            let sessions: Vec<_> = sessions.iter().map(as_json).collect();
            all.push(json!({
                "account": place.world.account, "region": place.world.region, "sessions": sessions, "drift": drift,
            }));
        } else {
            crate::print(&table(place, &sessions, drift.as_deref()))?;
        }
    }
    if json {
        crate::print_json(&all)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What differs from the spec; none where the spec says too little to tell.
fn drift(spec: &Spec, place: &Place) -> Option<Vec<String>> {
    if spec.sources_of(&place.wanted).is_empty() || spec.target_of(&place.wanted).is_none() {
        return None;
    }
    match Plan::build(spec, &place.wanted, &place.world, Choices::default()) {
        Ok(plan) => {
            let call = |call: &harken_mirror::plan::Call| {
                format!("{} {}", call.request.action(), call.request.arguments())
            };
            Some(plan.calls.iter().map(call).collect())
        }
        Err(error) => Some(vec![error]),
    }
}

struct Session<'a> {
    session: &'a MirrorSession,
    ours: bool,
    name: String,
    state: String,
    /// Why it bills without use.
    waste: Option<String>,
}

fn one<'a>(spec: &Spec, place: &'a Place, session: &'a MirrorSession) -> Session<'a> {
    let world = &place.world;
    let interface = world.interfaces.get(&session.network_interface_id);
    let instance = interface.and_then(|interface| world.instance_of(interface));
    let (state, waste) = match (interface, instance) {
        (None, _) => ("gone".to_owned(), Some("its interface is gone".to_owned())),
        (Some(interface), None) if interface.status == "available" => {
            ("detached".to_owned(), Some("its interface is attached to nothing".to_owned()))
        }
        (Some(interface), None) => (interface.status.clone(), None),
        (_, Some(instance)) => {
            let state = instance.instance_state.name.clone();
            (state.clone(), (!instance.is_up()).then(|| format!("its instance is {state}")))
        }
    };
    let missing = |what: &str, id: &str| format!("its {what} {id} is not there");
    let waste = waste.or_else(|| {
        let target = &session.traffic_mirror_target_id;
        let lost = !world.targets.contains_key(target) && session.owner_id == world.account;
        lost.then(|| missing("target", target))
    });
    Session {
        session,
        ours: harken_mirror::is_ours(&session.tag_set, &spec.name),
        name: interface.and_then(|interface| world.name_of(interface)).unwrap_or("-").to_owned(),
        state,
        waste,
    }
}

fn as_json(session: &Session<'_>) -> Value {
    let s = session.session;
    json!({
        "id": s.traffic_mirror_session_id, "ours": session.ours, "interface": s.network_interface_id, "name": session.name,
        "state": session.state, "number": s.session_number, "vni": s.virtual_network_id,
        "target": s.traffic_mirror_target_id, "filter": s.traffic_mirror_filter_id, "packet_length": s.packet_length,
        "bills_without_use": session.waste,
    })
}

fn table(place: &Place, sessions: &[Session<'_>], drift: Option<&[String]>) -> String {
    let palette = super::palette();
    let mut rows = vec![
        ["SESSION", "OURS", "NAME", "INTERFACE", "STATE", "NUMBER", "VNI", "TARGET", "NOTE"]
            .map(str::to_owned),
    ];
    for session in sessions {
        let s = session.session;
        rows.push([
            s.traffic_mirror_session_id.clone(),
            if session.ours { "yes" } else { "no" }.to_owned(),
            session.name.clone(),
            s.network_interface_id.clone(),
            session.state.clone(),
            s.session_number.to_string(),
            s.virtual_network_id.to_string(),
            s.traffic_mirror_target_id.clone(),
            session.waste.as_ref().map_or(String::new(), |why| format!("bills without use: {why}")),
        ]);
    }
    let mut out = place.heading(palette);
    out += &columns(&rows, palette);
    match drift {
        None => out += "whether it is as it should be cannot be told: give --spec FILE\n",
        Some([]) => out += "all is as the spec says\n",
        Some(calls) => {
            out +=
                &palette.warn(&format!("differs from the spec; `apply` would make {} calls:", calls.len()));
            out += "\n";
            calls.iter().for_each(|call| out += &format!("  {call}\n"));
        }
    }
    out
}
