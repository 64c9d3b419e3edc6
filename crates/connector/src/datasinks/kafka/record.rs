//! The record of an event.
use super::config::{Config, Key, Timestamp};
use crate::datasink::Event;
use crate::datasinks::probe::Probe;
use chrono::DateTime;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureRecord;

/// Room for key, headers and the record's own fields.
pub(super) const OVERHEAD: usize = 1_000;

/// Makes records.
pub(super) struct Records {
    topic: String,
    key: Key,
    timestamp: Timestamp,
    /// Those of the configuration, and those that are the same in all records.
    headers: OwnedHeaders,
}

impl Records {
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        let mut headers = OwnedHeaders::new();
        let mut add = |key: &str, value: &str| {
            headers = std::mem::take(&mut headers).insert(Header { key, value: Some(value) });
        };
        add("content-type", "application/json");
        let mut bytes = 0;
        for (key, value) in &config.headers {
            let value = value.value().map_err(|error| format!("headers.{key}: {error}"))?;
            bytes += key.len() + value.len();
            add(key, &value);
        }
        if bytes > OVERHEAD / 2 {
            return Err(format!("headers: they have {bytes} bytes: give {} at most", OVERHEAD / 2));
        }
        let Config { topic, key, timestamp, .. } = config;
        Ok(Self { topic: topic.clone(), key: *key, timestamp: *timestamp, headers })
    }

    /// Hands the record of an event to `send`.
    pub(super) fn with<T>(&self, event: &Event, send: impl FnOnce(FutureRecord<'_, str, [u8]>) -> T) -> T {
        let probe = Probe::of(&event.json);
        let mut headers = self.headers.clone();
        let own = [
            ("event.id", &probe.event.id),
            ("event.dataset", &probe.event.dataset),
            ("ecs.version", &probe.ecs.version),
            ("harken.schema_version", &probe.harken.schema_version),
        ];
        for (key, value) in own {
            if let Some(value) = value.as_deref().filter(|value| value.len() <= 100) {
                headers = headers.insert(Header { key, value: Some(value) });
            }
        }
        let mut record = FutureRecord::to(&self.topic).payload(&event.json[..]).headers(headers);
        let key = match self.key {
            Key::Flow => probe.harken.uid.as_deref(),
            Key::Client => probe.client.ip.as_deref(),
            Key::None => None,
        };
        if let Some(key) = key.filter(|key| key.len() <= 100) {
            record = record.key(key);
        }
        let time = match self.timestamp {
            Timestamp::Sent => None,
            Timestamp::Event => {
                probe.timestamp.as_deref().and_then(|time| DateTime::parse_from_rfc3339(time).ok())
            }
        };
        if let Some(time) = time {
            record = record.timestamp(time.timestamp_millis());
        }
        send(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::message::Headers as _;

    fn seen(settings: &str, json: &str) -> (Option<String>, Option<i64>, Vec<(String, String)>) {
        let text = format!(r#"{{"cluster": {{"brokers": ["a:1"]}}, "topic": "t"{settings}}}"#);
        let records = Records::new(&serde_json::from_str(&text).unwrap()).unwrap();
        let event = Event { number: 0, json: json.to_owned().into() };
        records.with(&event, |record| {
            assert_eq!((record.topic, record.payload), ("t", Some(json.as_bytes())));
            let headers = record.headers.unwrap();
            let headers = headers.iter().map(|header| {
                (header.key.to_owned(), String::from_utf8(header.value.unwrap().to_vec()).unwrap())
            });
            (record.key.map(str::to_owned), record.timestamp, headers.collect())
        })
    }

    #[test]
    fn key_time_and_headers() {
        let captured = include_str!("../../../../../captures/vxlan-api/events.json").lines().next().unwrap();
        let (key, time, headers) = seen("", captured);
        assert!(key.unwrap().starts_with('C'));
        assert_eq!(time, None);
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["content-type", "event.id", "event.dataset", "ecs.version", "harken.schema_version"]
        );

        let (key, time, headers) =
            seen(r#", "key": "client", "timestamp": "event", "headers": {"site": "eu-1"}"#, captured);
        assert_eq!((key.as_deref(), time), (Some("10.0.1.20"), Some(1_795_514_400_000)));
        assert!(headers.contains(&("site".to_owned(), "eu-1".to_owned())));

        assert_eq!(seen(r#", "key": "none""#, captured).0, None);
        // No event at all, or fields that are none: a record all the same.
        for json in ["x", "{}", r#"{"harken":{"uid":7},"@timestamp":"soon"}"#] {
            let (key, time, headers) = seen(r#", "timestamp": "event""#, json);
            assert_eq!((key, time, headers.len()), (None, None, 1), "{json}");
        }
    }
}
