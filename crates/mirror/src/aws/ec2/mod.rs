//! EC2: traffic mirroring ([`mirror`]), and what stands around it ([`network`]).
pub mod mirror;
pub mod network;

use super::{Protocol, Service};
use serde::{Deserialize, Serialize};

/// Version 2016-11-15 of its API.
pub(super) const EC2: Service = Service { name: "ec2", protocol: Protocol::Ec2("2016-11-15") };
/// Most items in a page.
pub(super) const PAGE: u32 = 1000;

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all(serialize = "PascalCase", deserialize = "camelCase"))]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value.
    #[serde(default)]
    pub value: String,
}

/// The tags of something that is being made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagSpecification {
    /// What is being made, such as `traffic-mirror-session`.
    pub resource_type: &'static str,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// A condition on what is described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Filter {
    /// Its name, such as `vpc-id`.
    pub name: String,
    /// One of these.
    pub values: Vec<String>,
}

/// A range of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all(serialize = "PascalCase", deserialize = "camelCase"))]
pub struct PortRange {
    /// The first.
    pub from_port: u16,
    /// The last.
    pub to_port: u16,
}

/// Whether something was done: `<return>`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Done {
    /// Whether it was.
    #[serde(rename = "return", default)]
    pub done: bool,
}

/// Requests whose answers come in pages.
macro_rules! paged {
    ($($request:ident, $field:ident: $item:ty);+ $(;)?) => {
        $(impl crate::aws::Paged for $request {
            type Item = $item;
            fn behind(&mut self, token: String) {
                self.next_token = Some(token);
            }
            fn page(answer: Self::Answer) -> (Vec<$item>, Option<String>) {
                (answer.$field, answer.next_token)
            }
        })+
    };
}
pub(super) use paged;
