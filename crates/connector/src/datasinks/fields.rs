//! The important fields of an event, for datasinks that want them one by one.
use chrono::DateTime;
use serde_json::Value;

/// The fields: the name, which is the path in the event.
pub(super) const FIELDS: &[&str] = &[
    "event.id",
    "event.outcome",
    "event.duration",
    "network.community_id",
    "client.ip",
    "client.port",
    "server.ip",
    "server.port",
    "http.version",
    "http.request.method",
    "http.request.body.bytes",
    "http.response.status_code",
    "http.response.body.bytes",
    "http.response.mime_type",
    "url.domain",
    "url.path",
    "url.query",
    "user_agent.original",
    "user.name",
    "harken.uid",
    "harken.depth",
    "harken.tunnel.type",
    "harken.tunnel.vni",
    "harken.completeness.pairing",
];

/// The value of a field.
pub(super) fn get<'a>(event: &'a Value, name: &str) -> Option<&'a Value> {
    name.split('.').try_fold(event, |value, part| value.get(part))
}

/// The time of an event, in nanoseconds since 1970.
pub(super) fn time(event: &Value) -> Option<i64> {
    let time = event.get("@timestamp")?.as_str()?;
    DateTime::parse_from_rfc3339(time).ok()?.timestamp_nanos_opt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_one_of_the_event() {
        let text = include_str!("../../../../captures/vxlan-api/events.json");
        let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for name in FIELDS.iter().filter(|name| !["user.name", "url.query"].contains(name)) {
            assert!(events.iter().any(|event| get(event, name).is_some()), "{name}");
        }
        assert_eq!(get(&events[0], "http.response"), events[0]["http"].get("response"));
        assert_eq!(get(&events[0], "http.version.x"), None);
    }
}
