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

/// Requests that describe what there is, some of them by id, with their answers, which come in pages.
macro_rules! describe {
    ($($request:ident $(of $ids:ident)? by $most:expr => $answer:ident, $set:ident: $item:ty);+ $(;)?) => {
        $(
            #[doc = concat!("Describes each `", stringify!($item), "`.")]
            #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
            #[serde(rename_all = "PascalCase")]
            pub struct $request {
                $(
                    /// Those alone; with them there are no pages.
                    pub $ids: Vec<String>,
                )?
                /// Which.
                pub filters: Vec<Filter>,
                /// Only say whether it may be.
                pub dry_run: Option<bool>,
                /// How many in a page.
                pub max_results: Option<u32>,
                /// Which page.
                pub next_token: Option<String>,
            }

            $(impl $request {
                /// That one alone.
                pub fn of(id: &str) -> Self {
                    Self { $ids: vec![id.to_owned()], max_results: None, ..Self::default() }
                }
            })?

            impl Default for $request {
                fn default() -> Self {
                    Self {
                        $($ids: Vec::new(),)?
                        filters: Vec::new(),
                        dry_run: None,
                        max_results: Some($most),
                        next_token: None,
                    }
                }
            }

            #[doc = concat!("A page of `", stringify!($item), "`.")]
            #[derive(Debug, Clone, Default, Deserialize)]
            #[serde(default, rename_all = "camelCase")]
            pub struct $answer {
                /// What it holds.
                #[serde(deserialize_with = "set")]
                pub $set: Vec<$item>,
                /// Behind it.
                pub next_token: Option<String>,
            }

            actions!(EC2; $request => $answer);

            impl Paged for $request {
                type Item = $item;
                fn behind(&mut self, token: String) {
                    self.next_token = Some(token);
                }
                fn page(answer: $answer) -> (Vec<$item>, Option<String>) {
                    (answer.$set, answer.next_token)
                }
            }
        )+
    };
}
pub(super) use describe;
