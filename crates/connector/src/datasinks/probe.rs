//! The few fields of an event that datasinks look at.
use serde::Deserialize;
use std::borrow::Cow;

/// A text of the event, where it is there.
pub(super) type Text<'a> = Option<Cow<'a, str>>;

/// An event, as far as datasinks look at it. What is missing, or no event at all, has none of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Probe<'a> {
    #[serde(borrow, rename = "@timestamp")]
    pub(super) timestamp: Text<'a>,
    #[serde(borrow)]
    pub(super) event: Meta<'a>,
    #[serde(borrow)]
    pub(super) ecs: Versioned<'a>,
    #[serde(borrow)]
    pub(super) client: Address<'a>,
    #[serde(borrow)]
    pub(super) harken: Own<'a>,
    pub(super) http: Http,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Meta<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) dataset: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Versioned<'a> {
    #[serde(borrow)]
    pub(super) version: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Address<'a> {
    #[serde(borrow)]
    pub(super) ip: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Own<'a> {
    #[serde(borrow)]
    pub(super) uid: Text<'a>,
    #[serde(borrow)]
    pub(super) schema_version: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Http {
    pub(super) response: Response,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Response {
    pub(super) status_code: Option<u16>,
}

impl<'a> Probe<'a> {
    /// Reads them.
    pub(super) fn of(json: &'a [u8]) -> Self {
        serde_json::from_slice(json).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_the_sensor() {
        let text = include_bytes!("../../../../captures/vxlan-api/events.json");
        let probe = Probe::of(text.split(|byte| *byte == b'\n').next().unwrap());
        assert_eq!(probe.timestamp.as_deref(), Some("2026-11-24T10:00:00.000440000Z"));
        assert_eq!(probe.event.dataset.as_deref(), Some("harken.http"));
        assert_eq!(probe.http.response.status_code, Some(200));
        assert_eq!(
            (probe.client.ip.as_deref(), probe.ecs.version.as_deref()),
            (Some("10.0.1.20"), Some("8.17.0"))
        );
        assert!(
            probe.harken.uid.is_some() && probe.harken.schema_version.is_some() && probe.event.id.is_some()
        );
        assert_eq!(Probe::of(b"{}").timestamp, None);
        assert_eq!(Probe::of(b"no JSON").timestamp, None);
    }
}
