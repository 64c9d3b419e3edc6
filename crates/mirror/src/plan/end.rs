//! Where mirrored packets go.
use crate::aws::ec2::mirror::Target;
use crate::aws::ec2::network::NetworkInterface;
use crate::spec::{Destination, Spec};
use crate::world::World;

/// What kind of end it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An interface.
    Interface,
    /// A network load balancer.
    Balancer,
    /// An endpoint of a gateway load balancer.
    Endpoint,
}

/// Where mirrored packets go, as it was found.
pub(super) struct End<'a> {
    /// What kind.
    pub kind: Kind,
    /// Its id or ARN.
    pub id: String,
    /// The interface, where it is one.
    pub interface: Option<&'a NetworkInterface>,
    /// A target that the spec names.
    pub named: Option<&'a Target>,
}

impl<'a> End<'a> {
    /// Finds it.
    pub(super) fn find(world: &'a World, destination: &Destination) -> Result<Self, String> {
        let interface = |id: &str| {
            world.interfaces.get(id).ok_or_else(|| format!("target: {id} is not there in {}", world.region))
        };
        let of = |interface: &'a NetworkInterface| Self {
            kind: Kind::Interface,
            id: interface.network_interface_id.clone(),
            interface: Some(interface),
            named: None,
        };
        match destination {
            Destination::Interface(id) => Ok(of(interface(id)?)),
            Destination::Instance(id) => world
                .first_interface(id)
                .map(of)
                .ok_or_else(|| format!("target: {id} is not there in {}, or has no interface", world.region)),
            Destination::NetworkLoadBalancer(arn) => {
                Ok(Self { kind: Kind::Balancer, id: arn.clone(), interface: None, named: None })
            }
            Destination::GatewayLoadBalancerEndpoint(id) => match world.endpoints.get(id) {
                Some(endpoint) if endpoint.vpc_endpoint_type != "GatewayLoadBalancer" => Err(format!(
                    "target: {id} is an endpoint of type {}, not of a gateway load balancer",
                    endpoint.vpc_endpoint_type
                )),
                None if !world.endpoints.is_empty() => {
                    Err(format!("target: {id} is not there in {}", world.region))
                }
                _ => Ok(Self { kind: Kind::Endpoint, id: id.clone(), interface: None, named: None }),
            },
            Destination::Existing(id) => {
                let target = world.targets.get(id);
                let target =
                    target.ok_or_else(|| format!("target: {id} is not there in {}", world.region))?;
                let mut end = match (&target.network_interface_id, &target.network_load_balancer_arn) {
                    // Of another account, it is not among ours.
                    (Some(eni), _) => Self {
                        kind: Kind::Interface,
                        id: eni.clone(),
                        interface: world.interfaces.get(eni),
                        named: None,
                    },
                    (_, Some(arn)) => {
                        Self { kind: Kind::Balancer, id: arn.clone(), interface: None, named: None }
                    }
                    _ => Self {
                        kind: Kind::Endpoint,
                        id: target.gateway_load_balancer_endpoint_id.clone().unwrap_or_default(),
                        interface: None,
                        named: None,
                    },
                };
                end.named = Some(target);
                Ok(end)
            }
        }
    }

    /// Whether a target leads here.
    pub(super) fn is_of(&self, target: &Target) -> bool {
        [
            &target.network_interface_id,
            &target.network_load_balancer_arn,
            &target.gateway_load_balancer_endpoint_id,
        ]
        .into_iter()
        .any(|id| id.as_ref() == Some(&self.id))
    }

    /// Its MTU.
    pub(super) fn mtu(&self, spec: &Spec) -> u32 {
        spec.target_mtu.unwrap_or(if self.kind == Kind::Interface { 9001 } else { 8500 })
    }
}
