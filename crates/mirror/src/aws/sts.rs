//! STS: who we are.
use super::{Protocol, Service, actions};
use serde::{Deserialize, Serialize};

const STS: Service = Service { name: "sts", protocol: Protocol::Query("2011-06-15") };

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GetCallerIdentity {}

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Identity {
    /// The account.
    pub account: String,
    /// The user or role.
    pub arn: String,
}

/// The answer to it.
#[derive(Debug, Clone, Deserialize)]
pub struct CallerIdentity {
    /// Who asks.
    #[serde(rename = "GetCallerIdentityResult")]
    pub identity: Identity,
}

actions!(STS; GetCallerIdentity => CallerIdentity);
