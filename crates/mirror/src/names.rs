//! Which interface a VNI stands for: what a sensor needs in order to name what it sees.
use crate::ours::is_ours;
use crate::world::World;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whose packets they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// Always `aws`.
    pub provider: String,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// `eni-...`.
    pub interface: String,
    /// `i-...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `tms-...`.
    pub session: String,
}

/// Owners by VNI.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// They.
    pub vnis: BTreeMap<u32, Owner>,
}

impl Names {
    /// Adds the sessions of an account and region: those of a spec, or with none, all.
    pub fn add(&mut self, world: &World, stack: Option<&str>) {
        for session in world.sessions.values() {
            if stack.is_some_and(|stack| !is_ours(&session.tag_set, stack)) {
                continue;
            }
            let interface = world.interfaces.get(&session.network_interface_id);
            let owner = Owner {
                provider: "aws".to_owned(),
                account: world.account.clone(),
                region: world.region.clone(),
                interface: session.network_interface_id.clone(),
                instance: interface.and_then(|i| i.attachment.as_ref()?.instance_id.clone()),
                name: interface.and_then(|i| world.name_of(i)).map(str::to_owned),
                session: session.traffic_mirror_session_id.clone(),
            };
            self.vnis.insert(session.virtual_network_id, owner);
        }
    }
}
