//! What else is to be known of a plan.
use super::Level;
use super::build::Builder;
use super::end::Kind;
use super::network::{OVERHEAD, VXLAN};
use super::source::Source;

/// Most sessions of an account in a region.
const SESSIONS: usize = 10_000;

impl Builder<'_> {
    /// Notes on capacity, sizes, the target, bills and rights.
    pub(super) fn remarks(&mut self, sources: &[Source], target: &str) {
        let mirrored = sources.iter().filter(|source| source.is_mirrored()).count();
        if let Some((most, others)) = self.capacity(target) {
            let text = format!("{} of {most} sources that the target takes", mirrored + others.len());
            self.note(Level::Info, "capacity", text);
        }
        let limit = self.end.mtu(self.spec).saturating_sub(OVERHEAD);
        let mtu = self.spec.source_mtu;
        match self.spec.packet_length {
            Some(length) if length < mtu => {
                self.note(Level::Info, "mtu", format!("packets are cut to {length} bytes, as the spec says"));
            }
            _ if mtu > limit => {
                let text = format!(
                    "sources have an MTU of {mtu}: packets above {limit} bytes will be cut, and bodies in them; set {limit} \
                     on the sources (`ip link set dev ... mtu {limit}`), or accept it"
                );
                self.note(Level::Warning, "mtu", text);
            }
            _ => {}
        }
        match (self.end.kind, &self.world.balancer) {
            (Kind::Balancer, Some(balancer)) if !balancer.listens => {
                let text = format!(
                    "{} has no listener on UDP {VXLAN}: AWS drops what is mirrored to it, silently",
                    balancer.arn
                );
                self.note(Level::Warning, "target", text);
            }
            (Kind::Balancer, Some(balancer)) if balancer.healthy.0 == 0 => {
                let text = format!(
                    "{} of the sensors behind the load balancer are healthy, of {}",
                    balancer.healthy.0, balancer.healthy.1
                );
                self.note(Level::Warning, "target", text);
            }
            (Kind::Endpoint, _) => {
                let text = "the sensors behind the gateway load balancer need UDP 6081 and the port of the health check \
                            from its subnets";
                self.note(Level::Info, "target", text.to_owned());
            }
            _ => {}
        }
        if let Some(target) = self.end.interface {
            let away = sources
                .iter()
                .filter(|source| source.is_mirrored() && source.zone != target.availability_zone);
            let away = away.count();
            if away > 0 {
                let text = format!(
                    "{away} of {mirrored} sources are in another zone than the target: AWS bills their packets as traffic between zones"
                );
                self.note(Level::Info, "billing", text);
            }
        }
        if mirrored > 0 {
            let text = format!(
                "{mirrored} session{} bill by the hour until deleted, also while the instance is stopped (`harken mirror \
                 status` finds those)",
                if mirrored == 1 { "" } else { "s" }
            );
            self.note(Level::Info, "billing", text);
        }
        for unread in self.world.unread.clone() {
            self.note(Level::Warning, "rights", format!("not looked at: {unread}"));
        }
        let sessions = self.world.sessions.len();
        if sessions + sources.len() > SESSIONS * 9 / 10 {
            let text =
                format!("the account has {sessions} sessions in this region, of {SESSIONS} that AWS allows");
            self.note(Level::Warning, "capacity", text);
        }
        if sources.is_empty() {
            self.note(Level::Warning, "sources", "nothing is selected".to_owned());
        }
    }
}
