//! What Harken says to AWS: typed requests of the few actions that it needs, signed and sent by [`Client`].
//!
//! A request is a struct whose members have the names of AWS's API model, so that one form of it serves three ends: it is
//! what goes over the wire (`form`), what `plan` shows, and what `aws ... --cli-input-json` takes.
mod client;
pub mod cloudwatch;
mod credentials;
pub mod ec2;
pub mod ecs;
pub mod elb;
mod error;
mod form;
pub mod sts;
mod xml;

pub(crate) use client::http;
pub use client::{Client, Paged};
pub(crate) use credentials::reasons;
pub use credentials::{Session, Settings};
pub use error::Error;
pub use form::form;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One service of AWS.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name in signatures and host names.
    pub name: &'static str,
    /// How it is spoken to.
    pub protocol: Protocol,
}

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A form with lists as `Name.1`, XML back: EC2 alone.
    Ec2(&'static str),
    /// A form with lists as `Name.member.1`, XML back. With the version of the API.
    Query(&'static str),
    /// JSON both ways, the action in a header behind this prefix.
    Json(&'static str),
}

/// A request.
pub trait Action: Serialize {
    /// The action's name in AWS's model.
    const NAME: &'static str;
    /// Who is asked.
    const SERVICE: Service;
    /// What comes back.
    type Answer: DeserializeOwned;
}

/// A request by the names of AWS's model, without what is not set: the arguments of boto3, and the input of
/// `aws --cli-input-json`.
pub fn arguments<A: Action>(action: &A) -> Value {
    fn strip(value: Value) -> Value {
        match value {
            Value::Object(members) => Value::Object(
                members
                    .into_iter()
                    .filter(|(_, value)| {
                        !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty())
                    })
                    .map(|(name, value)| (name, strip(value)))
                    .collect(),
            ),
            Value::Array(list) => Value::Array(list.into_iter().map(strip).collect()),
            other => other,
        }
    }
    strip(serde_json::to_value(action).unwrap_or_default())
}

/// Says which action a request is, of which service, and what comes back.
macro_rules! actions {
    ($service:expr; $($request:ident => $answer:ty),+ $(,)?) => {
        $(impl crate::aws::Action for $request {
            const NAME: &'static str = stringify!($request);
            const SERVICE: crate::aws::Service = $service;
            type Answer = $answer;
        })+
    };
}
pub(crate) use actions;
