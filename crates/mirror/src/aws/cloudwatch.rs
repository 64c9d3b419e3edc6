//! CloudWatch: what AWS has counted of mirrored packets.
use super::xml::members;
use super::{Protocol, Service, actions};
use serde::{Deserialize, Serialize};

const CLOUDWATCH: Service = Service { name: "monitoring", protocol: Protocol::Query("2010-08-01") };

/// What a metric is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Dimension {
    /// Such as `InstanceId`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Reads one metric, in periods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the members of AWS's model, which its documentation describes")]
pub struct GetMetricStatistics {
    pub namespace: String,
    pub metric_name: String,
    pub dimensions: Vec<Dimension>,
    pub start_time: String,
    pub end_time: String,
    pub period: u32,
    pub statistics: Vec<String>,
}

/// One period.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Datapoint {
    /// The sum over it.
    pub sum: f64,
}

/// The periods that there are figures of.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Datapoints {
    /// They.
    #[serde(deserialize_with = "members")]
    pub datapoints: Vec<Datapoint>,
}

/// The answer.
#[derive(Debug, Clone, Deserialize)]
pub struct Statistics {
    /// It.
    #[serde(rename = "GetMetricStatisticsResult")]
    pub result: Datapoints,
}

actions!(CLOUDWATCH; GetMetricStatistics => Statistics);
