//! What an operator wants mirrored: the description that all commands share.
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What is to be mirrored, where to, and how. `mirror.json`, or flags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Spec {
    /// Name of the whole, in the tag `harken:stack` of everything that is made. Two specs in one account need two names.
    pub name: String,
    /// Which interfaces are mirrored: those that any of these selects.
    pub sources: Vec<Selection>,
    /// Where their packets go.
    pub target: Option<Destination>,
    /// Ports of the servers, such as `80` or `"8000-8999"`. None: all of TCP.
    pub ports: Vec<Ports>,
    /// Which way packets are mirrored, as the source sees it.
    pub directions: Directions,
    /// Which families of addresses are mirrored.
    pub ip: Vec<Family>,
    /// Bytes of each packet, from its Ethernet header on. None: all that fits.
    #[schemars(range(min = 35, max = 8985))]
    pub packet_length: Option<u32>,
    /// Number of the sessions, 1 to 32766. Of several sessions on an interface, the lowest number whose filter matches has
    /// the packet, and no other.
    #[schemars(range(min = 1, max = 32766))]
    pub session_number: u16,
    /// MTU of the sources: 9001 where nobody has changed it.
    pub source_mtu: u32,
    /// MTU of the target: 9001 for an interface, 8500 for a load balancer or an endpoint.
    pub target_mtu: Option<u32>,
    /// Accounts and regions. None: those of the environment.
    pub places: Vec<Place>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            name: "harken".to_owned(),
            sources: Vec::new(),
            target: None,
            ports: Vec::new(),
            directions: Directions::Both,
            ip: vec![Family::Ipv4, Family::Ipv6],
            packet_length: None,
            session_number: 100,
            source_mtu: 9001,
            target_mtu: None,
            places: Vec::new(),
        }
    }
}

/// An account in a region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Place {
    /// The region; else that of the environment or of the profile.
    pub region: Option<String>,
    /// A profile of the shared configuration (`~/.aws/config`).
    pub profile: Option<String>,
    /// Roles that are taken on one after the other, the last one in the account that is meant.
    pub assume_roles: Vec<Role>,
    /// Instead of the sources of the whole.
    pub sources: Option<Vec<Selection>>,
    /// Instead of the target of the whole.
    pub target: Option<Destination>,
}

/// A role that is taken on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// The external id that it asks for.
    #[serde(default)]
    pub external_id: Option<String>,
}

/// Selects interfaces: those for which each of the conditions that are given holds. Of an instance the first interface is
/// meant, unless an interface is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Tags of the interface or of its instance, with the values that will do: `*` stands for any text, no value for any.
    pub tags: BTreeMap<String, Vec<String>>,
    /// In one of these VPCs.
    pub vpcs: Vec<String>,
    /// In one of these subnets.
    pub subnets: Vec<String>,
    /// Of one of these instances.
    pub instances: Vec<String>,
    /// One of these interfaces.
    pub interfaces: Vec<String>,
    /// In one of these security groups.
    pub security_groups: Vec<String>,
    /// Behind one of these load balancers: names or ARNs.
    pub load_balancers: Vec<String>,
    /// Of the tasks of one of these services of ECS: `cluster/service`.
    pub ecs_services: Vec<String>,
    /// All interfaces of an instance, not the first alone.
    pub all_interfaces: bool,
    /// But none of these.
    pub exclude: Exclusion,
}

impl Selection {
    /// Whether no condition is given: it would select all there is.
    pub fn is_empty(&self) -> bool {
        *self
            == Self { all_interfaces: self.all_interfaces, exclude: self.exclude.clone(), ..Self::default() }
    }
}

/// What is left out: interfaces for which any of these holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Exclusion {
    /// Tags of the interface or of its instance.
    pub tags: BTreeMap<String, Vec<String>>,
    /// VPCs.
    pub vpcs: Vec<String>,
    /// Subnets.
    pub subnets: Vec<String>,
    /// Instances.
    pub instances: Vec<String>,
    /// Interfaces.
    pub interfaces: Vec<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
}

/// Where mirrored packets go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// An interface of the sensor: `eni-...`.
    Interface(String),
    /// The first interface of the sensor: `i-...`.
    Instance(String),
    /// A network load balancer with a listener on UDP 4789: its ARN.
    NetworkLoadBalancer(String),
    /// An endpoint of a gateway load balancer: `vpce-...`.
    GatewayLoadBalancerEndpoint(String),
    /// A target that is there already, and stays: `tmt-...`.
    Existing(String),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(id) => write!(f, "interface {id}"),
            Self::Instance(id) => write!(f, "instance {id}"),
            Self::NetworkLoadBalancer(arn) => write!(f, "network load balancer {arn}"),
            Self::GatewayLoadBalancerEndpoint(id) => write!(f, "gateway load balancer endpoint {id}"),
            Self::Existing(id) => write!(f, "target {id}"),
        }
    }
}

/// By its form: `eni-`, `i-`, `vpce-`, `tmt-`, or an ARN of a network load balancer.
impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let owned = text.to_owned();
        Ok(match text.split('-').next() {
            Some("eni") => Self::Interface(owned),
            Some("i") => Self::Instance(owned),
            Some("vpce") => Self::GatewayLoadBalancerEndpoint(owned),
            Some("tmt") => Self::Existing(owned),
            _ if text.starts_with("arn:") && text.contains(":loadbalancer/net/") => {
                Self::NetworkLoadBalancer(owned)
            }
            _ => {
                return Err(format!(
                    "`{text}` is no target: give eni-..., i-..., vpce-..., tmt-... or the ARN of a network load balancer"
                ));
            }
        })
    }
}

/// Which way packets are mirrored, as the source sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Directions {
    /// Requests and responses.
    #[default]
    Both,
    /// What the source receives: requests to it, without their responses.
    Ingress,
    /// What the source sends: responses, without their requests.
    Egress,
}

impl Directions {
    /// The names of AWS.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Both => &["ingress", "egress"],
            Self::Ingress => &["ingress"],
            Self::Egress => &["egress"],
        }
    }
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// All addresses of the family.
    pub const fn any(self) -> &'static str {
        match self {
            Self::Ipv4 => "0.0.0.0/0",
            Self::Ipv6 => "::/0",
        }
    }
}

/// A port, or a range of ports. In JSON a number, or text such as `"8000-8999"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ports {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.trim().parse(), last.trim().parse()) {
            (Ok(first), Ok(last)) if first <= last && first > 0 => Ok(Self { first, last }),
            _ => Err(format!("`{text}` is no port, nor a range such as 8000-8999")),
        }
    }
}

impl Serialize for Ports {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(u16),
            Text(String),
        }
        match Form::deserialize(from)? {
            Form::Number(port) => port.to_string().parse(),
            Form::Text(text) => text.parse(),
        }
        .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Ports {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ports".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A port, or a range of ports such as \"8000-8999\".",
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65535},
                {"type": "string", "pattern": "^[0-9]{1,5}(-[0-9]{1,5})?$"}
            ]
        })
    }
}

impl Spec {
    /// Reads a description.
    ///
    /// # Errors
    /// With line, column and key of what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let spec: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        spec.check()?;
        Ok(spec)
    }

    /// Its JSON Schema.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// What no AWS would take.
    ///
    /// # Errors
    /// With the key, and how to mend it.
    pub fn check(&self) -> Result<(), String> {
        let name = self.name.as_str();
        if name.is_empty()
            || name.len() > 64
            || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        {
            return Err(format!("name: `{name}` is not 1 to 64 letters, digits, `-`, `_` and `.`"));
        }
        if !(1..=32766).contains(&self.session_number) {
            return Err(format!("session_number: {} is not 1 to 32766", self.session_number));
        }
        if let Some(length) = self.packet_length.filter(|length| *length < 35) {
            return Err(format!("packet_length: {length} is less than 35, the least that AWS mirrors"));
        }
        if self.ip.is_empty() {
            return Err("ip: give \"ipv4\", \"ipv6\" or both".to_owned());
        }
        let selections =
            self.sources.iter().chain(self.places.iter().flat_map(|place| place.sources.iter().flatten()));
        for selection in selections {
            if selection.is_empty() {
                return Err("sources: a selection without a condition would mirror all there is; mend: to mean that, say \
                            \"tags\": {\"Name\": [\"*\"]} or name the VPCs"
                    .to_owned());
            }
            for service in &selection.ecs_services {
                if service.split('/').filter(|part| !part.is_empty()).count() != 2 {
                    return Err(format!("ecs_services: `{service}` is not cluster/service"));
                }
            }
        }
        Ok(())
    }

    /// Its places: at least one.
    pub fn places(&self) -> Vec<Place> {
        if self.places.is_empty() { vec![Place::default()] } else { self.places.clone() }
    }

    /// What is selected in a place.
    pub fn sources_of<'a>(&'a self, place: &'a Place) -> &'a [Selection] {
        place.sources.as_deref().unwrap_or(&self.sources)
    }

    /// Where packets go in a place.
    pub fn target_of<'a>(&'a self, place: &'a Place) -> Option<&'a Destination> {
        place.target.as_ref().or(self.target.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description() {
        let spec = Spec::parse(
            r#"{"name": "shop", "sources": [{"tags": {"app": ["shop"]}}], "target": {"interface": "eni-1"},
                "ports": [80, "8000-8999"], "ip": ["ipv4"]}"#,
        )
        .unwrap();
        assert_eq!(spec.ports, [Ports { first: 80, last: 80 }, Ports { first: 8000, last: 8999 }]);
        assert_eq!(Spec::parse(&serde_json::to_string(&spec).unwrap()), Ok(spec));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            (r#"{"sorces": []}"#, "unknown field `sorces`"),
            (r#"{"sources": [{}]}"#, "would mirror all there is"),
            (r#"{"sources": [{"exclude": {"vpcs": ["vpc-1"]}}]}"#, "would mirror all there is"),
            (r#"{"session_number": 0}"#, "session_number: 0"),
            (r#"{"packet_length": 20}"#, "packet_length: 20"),
            (r#"{"ports": ["90-80"]}"#, "`90-80` is no port"),
            (r#"{"ports": [0]}"#, "`0` is no port"),
            (r#"{"name": "a b"}"#, "name: `a b`"),
            (r#"{"sources": [{"ecs_services": ["shop"]}]}"#, "not cluster/service"),
        ] {
            let error = Spec::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn targets_by_their_form() {
        let arn = "arn:aws:elasticloadbalancing:eu-central-1:1:loadbalancer/net/a/1";
        assert_eq!(arn.parse(), Ok(Destination::NetworkLoadBalancer(arn.to_owned())));
        assert_eq!("i-1".parse(), Ok(Destination::Instance("i-1".to_owned())));
        assert!("lb-1".parse::<Destination>().is_err());
    }
}
