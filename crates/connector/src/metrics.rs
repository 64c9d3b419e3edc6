//! The statistics for who asks over HTTP: `/metrics` in the form of Prometheus, `/status` as JSON.
use crate::connector::Parts;
use crate::report::Status;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt::Error;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// Where the statistics can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port, for example `127.0.0.1:9464`. Who reaches it sees the names of pipelines and datasinks and the
    /// last failure of each, and nothing of events.
    pub listen: SocketAddr,
}

/// The form of the text (OpenMetrics 1.0).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Takes the port.
///
/// # Errors
///
/// The address, the key and the mend.
pub(crate) fn bind(config: &Config) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(config.listen)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|error| {
        format!(
            "metrics.listen: cannot listen on {}: {error}; name an address of this machine and a free port",
            config.listen
        )
    })
}

/// Answers until the runtime ends.
pub(crate) async fn serve(listener: TcpListener, parts: Arc<Parts>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let own = Arc::clone(&parts);
    let router = Router::new()
        .route("/metrics", get(async move || ([(CONTENT_TYPE, OPEN_METRICS)], text(&own)).into_response()))
        .route("/status", get(async move || Json(Status::of(&parts))));
    // It goes on after errors of single connections, and so for ever.
    let _ = axum::serve(listener, router).await;
}

/// The figures as text.
fn text(parts: &Parts) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Figures(Status::of(parts))));
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Figures(Status);

/// Name, meaning and value of a figure of a pipeline and a datasink.
type OfRoute = (&'static str, &'static str, fn(&crate::Route) -> u64);

const COUNTERS: &[OfRoute] = &[
    ("read", "Events read; those that were read before a restart and not done count again", |r| {
        r.ledger.read
    }),
    ("filtered_out", "Events that the filters have dropped", |r| r.ledger.filtered_out),
    ("routed_elsewhere", "Events sent to other datasinks of the pipeline only", |r| {
        r.ledger.routed_elsewhere
    }),
    ("written", "Events that the datasink took", |r| r.ledger.written),
    ("dead_lettered", "Events put aside as dead letters", |r| r.ledger.dead_lettered),
    ("dead_letters_dropped", "Dead letters dropped at the bound on their folder", |r| r.dead_letters_dropped),
    ("given_back", "Events given back undone, and read again", |r| r.ledger.given_back),
    ("missing", "Events deleted at the spool's bound before they were read, or damaged", |r| r.missing),
    ("errors", "Attempts that failed, and events that were dead-lettered", |r| r.errors),
];

const GAUGES: &[OfRoute] = &[
    ("waiting", "Events that were read and are not yet done", |r| r.ledger.waiting),
    ("window", "Batches that may be on their way at a time now", |r| r.window as u64),
    ("failing", "1 when the last attempt failed, or nothing can be read", |r| {
        u64::from(r.failure.is_some() || r.reader_failure.is_some())
    }),
];

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let Self(status) = self;
        for (list, kind) in [(COUNTERS, MetricType::Counter), (GAUGES, MetricType::Gauge)] {
            for (name, help, value) in list {
                let name = format!("harken_connector_{name}");
                let mut metric = encoder.encode_descriptor(&name, help, None, kind)?;
                for route in &status.routes {
                    let labels =
                        [("pipeline", route.pipeline.as_str()), ("datasink", route.datasink.as_str())];
                    let encoder = metric.encode_family(&labels)?;
                    match kind {
                        MetricType::Counter => ConstCounter::new(value(route)).encode(encoder)?,
                        _ => gauge(value(route)).encode(encoder)?,
                    }
                }
            }
        }
        let valid = "1 when the datasink passed its last check of address, TLS and credentials, or took something since";
        let mut metric =
            encoder.encode_descriptor("harken_connector_valid", valid, None, MetricType::Gauge)?;
        for sink in &status.datasinks {
            let labels = [("datasink", sink.name.as_str()), ("type", sink.kind.as_str())];
            gauge(sink.valid.into()).encode(metric.encode_family(&labels)?)?;
        }
        let restarts = "Starts after a panic, which is a defect";
        let metric =
            encoder.encode_descriptor("harken_connector_restarts", restarts, None, MetricType::Counter)?;
        ConstCounter::new(status.restarts).encode(metric)
    }
}

fn gauge(value: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}
