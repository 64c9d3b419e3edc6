//! How traffic is analysed, from the flags that `replay` and `run` have in common.
use crate::cli::{Analysis, Cli, TunnelInKey};
use clap::CommandFactory as _;
use clap::error::ErrorKind;
use harken_engine::{Config, Front};
use harken_event::masking::{Masking, Scope};
use harken_event::{Descriptors, Filter, Form, Trust};
use std::path::Path;
use std::sync::Arc;

/// Ends the program as any wrong usage does: with the message, and exit code 2.
pub fn usage(message: &str) -> ! {
    Cli::command().error(ErrorKind::ValueValidation, message).exit()
}

/// Reads the configuration of masking.
pub fn mask_config(path: &Path) -> harken_mask::Config {
    let text = std::fs::read_to_string(path)
        .unwrap_or_else(|error| usage(&format!("cannot read {}: {error}", path.display())));
    serde_json::from_str(&text).unwrap_or_else(|error| usage(&format!("{}: {error}", path.display())))
}

impl Analysis {
    /// Which transactions are given out; `None` for all.
    pub fn filter(&self) -> Option<Arc<Filter>> {
        match self.filter.as_slice() {
            [] => None,
            terms => match Filter::parse(terms) {
                Ok(filter) => Some(Arc::new(filter)),
                Err(error) => usage(&format!("--filter: {error}")),
            },
        }
    }

    /// What masks transactions of which `scope` is written.
    fn masking(&self, scope: Scope) -> Option<Masking> {
        if self.show_secrets {
            return None;
        }
        let config = self.masking.as_deref().map_or_else(harken_mask::Config::default, mask_config);
        match Masking::new(&config, scope) {
            Ok(masking) => Some(masking),
            Err(error) => usage(&format!("--masking: {error}")),
        }
    }

    /// What describes messages of protocol buffers; `None` where nothing does.
    fn descriptors(&self) -> Option<Arc<Descriptors>> {
        let mut descriptors = Descriptors::default();
        for path in &self.proto_descriptors {
            let refuse = |error: &dyn std::fmt::Display| -> ! {
                usage(&format!(
                    "--proto-descriptors: {}: {error}; make it with protoc --include_imports --descriptor_set_out=FILE \
                     *.proto",
                    path.display()
                ))
            };
            let set = std::fs::read(path).unwrap_or_else(|error| refuse(&error));
            descriptors.add(&set).unwrap_or_else(|error| refuse(&error));
            if descriptors.services() == 0 {
                refuse(&"there is no service in it");
            }
        }
        (!self.proto_descriptors.is_empty()).then(|| Arc::new(descriptors))
    }

    /// Whose word about the client counts.
    fn trust(&self) -> Trust {
        let mut networks = Vec::new();
        for text in &self.trusted_proxy {
            match text.as_str() {
                "private" => networks.extend(Trust::private().networks()),
                "none" => {}
                text => match harken_filter::network(text) {
                    Ok(network) => networks.push(network),
                    Err(error) => usage(&format!("--trusted-proxy: {error}, private or none")),
                },
            }
        }
        Trust::new(networks)
    }

    /// Settings of the shards; `bodies` says that what is written tells something of bodies: whole events, or the table.
    pub fn engine(&self, form: Form, bodies: bool) -> Config {
        let mut config = Config { form, community_id_seed: self.community_id_seed, ..Config::default() };
        config.flow.max_flows = self.max_flows;
        config.flow.reorder_packets = self.reorder_packets;
        config.flow.reorder_time = self.reorder_ms.saturating_mul(1_000_000);
        config.flow.reorder_time_max = config.flow.reorder_time_max.max(config.flow.reorder_time);
        config.flow.tunnel_in_key = match self.tunnel_in_key {
            TunnelInKey::Vni => harken_flow::TunnelInKey::Vni,
            TunnelInKey::None => harken_flow::TunnelInKey::None,
        };
        let keep = self.bodies.unwrap_or(if bodies { config.http.body.keep } else { 0 });
        config.http.body.keep = keep;
        config.http.websocket_messages = self.websocket_messages;
        config.prepare.masking = self.masking(if bodies { Scope::Event } else { Scope::Log });
        config.prepare.descriptors = self.descriptors();
        config.trust = Arc::new(self.trust());
        config
    }

    /// Settings of the decoder.
    pub fn wire(&self) -> harken_wire::Config {
        harken_wire::Config {
            max_depth: self.max_tunnel_depth,
            vxlan_ports: self.vxlan_port.clone(),
            geneve_ports: self.geneve_port.clone(),
            verify_checksums: self.verify_checksums,
            ..harken_wire::Config::default()
        }
    }

    /// What takes frames apart.
    pub fn front(&self) -> Front {
        Front::new(self.wire(), harken_flow::DefragConfig::default())
    }
}
