//! A message of RFC 5424.
use super::config::{Config, Format};
use crate::datasink::Event;
use crate::datasinks::fields::{self, FIELDS};
use crate::datasinks::probe::Probe;
use serde_json::Value;

/// The parts that are the same in all messages.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    facility: u8,
    format: Format,
    hostname: String,
    app_name: String,
    sd_id: String,
}

impl Writer {
    pub(super) fn new(config: &Config, machine: &str) -> Self {
        let printable = !machine.is_empty() && machine.bytes().all(|byte| byte.is_ascii_graphic());
        let machine = if printable { machine } else { "-" };
        Self {
            facility: config.facility as u8,
            format: config.format,
            hostname: config.hostname.clone().unwrap_or_else(|| machine.chars().take(255).collect()),
            app_name: config.app_name.clone(),
            sd_id: config.structured_data_id.clone(),
        }
    }

    /// The message of an event.
    pub(super) fn write(&self, event: &Event) -> Vec<u8> {
        let probe = Probe::of(&event.json);
        let priority = self.facility * 8 + severity(probe.http.response.status_code);
        let time = probe.timestamp.as_deref().map_or_else(|| "-".to_owned(), microseconds);
        let kind = probe.event.dataset.as_deref().filter(|text| is_word(text)).unwrap_or("-");
        let Self { hostname, app_name, .. } = self;
        let mut message = format!("<{priority}>1 {time} {hostname} {app_name} - {kind} ").into_bytes();
        match self.format {
            Format::Json => {
                message.extend_from_slice(b"- ");
                message.extend_from_slice(&event.json);
            }
            Format::Fields => message.extend_from_slice(self.fields(event).as_bytes()),
        }
        message
    }

    fn fields(&self, event: &Event) -> String {
        let event: Value = serde_json::from_slice(&event.json).unwrap_or_default();
        let text = |name: &str| match fields::get(&event, name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Some(value.to_string()),
            _ => None,
        };
        let mut data = format!("[{}", self.sd_id);
        for name in FIELDS {
            if let Some(value) = text(name) {
                data.push_str(&format!(" {name}=\""));
                for c in value.chars() {
                    // RFC 5424 section 6.3.3.
                    if matches!(c, '"' | '\\' | ']') {
                        data.push('\\');
                    }
                    data.push(if c.is_control() { ' ' } else { c });
                }
                data.push('"');
            }
        }
        let read = |name: &str| text(name).unwrap_or_else(|| "-".to_owned());
        let line = format!(
            "] {} {} {}{} {}",
            read("client.ip"),
            read("http.request.method"),
            read("url.domain"),
            text("url.path").unwrap_or_default(),
            read("http.response.status_code")
        );
        data.extend(line.chars().map(|c| if c.is_control() { ' ' } else { c }));
        data
    }
}

/// By the status: an error of the server, one of the client, or none.
fn severity(status: Option<u16>) -> u8 {
    match status {
        Some(500..) => 3,
        Some(400..) => 4,
        _ => 6,
    }
}

/// A time with no more digits than the standard has (RFC 5424 section 6.2.3).
fn microseconds(time: &str) -> String {
    match time.strip_suffix('Z').and_then(|time| time.split_once('.')) {
        Some((seconds, fraction)) if time.is_ascii() && is_word(time) => {
            format!("{seconds}.{}Z", fraction.get(..6).unwrap_or(fraction))
        }
        None if is_word(time) => time.to_owned(),
        _ => "-".to_owned(),
    }
}

/// Whether it can stand in the header.
fn is_word(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(settings: &str, json: &str) -> String {
        let config: Config = serde_json::from_str(settings).unwrap();
        let event = Event { number: 0, json: json.to_owned().into() };
        String::from_utf8(Writer::new(&config, "sensor-1").write(&event)).unwrap()
    }

    #[test]
    fn headers_and_json() {
        let json = |status: &str| {
            format!(
                r#"{{"@timestamp":"2026-11-24T10:00:00.000440999Z","event":{{"dataset":"harken.http"}}{status}}}"#
            )
        };
        let status = |status: u16| json(&format!(r#","http":{{"response":{{"status_code":{status}}}}}"#));
        let plain = r#"{"address":"a:1"}"#;
        for (settings, json, head) in [
            (plain, json(""), "<134>1 2026-11-24T10:00:00.000440Z sensor-1 harken - harken.http - "),
            (plain, status(200), "<134>1 2026"),
            (plain, status(404), "<132>1 2026"),
            (plain, status(503), "<131>1 2026"),
            (
                r#"{"address":"a:1","facility":"kern","hostname":"h","app_name":"a"}"#,
                status(503),
                "<3>1 2026-11-24T10:00:00.000440Z h a - harken.http - ",
            ),
            (plain, "{}".to_owned(), "<134>1 - sensor-1 harken - - - "),
            (
                plain,
                r#"{"@timestamp":"x y","event":{"dataset":"a b"}}"#.to_owned(),
                "<134>1 - sensor-1 harken - - - ",
            ),
            (plain, r#"{"@timestamp":"2026-11-24T10:00:00Z"}"#.to_owned(), "<134>1 2026-11-24T10:00:00Z "),
        ] {
            let message = message(settings, &json);
            assert!(message.starts_with(head), "{message}");
            assert!(message.ends_with(&format!(" - {json}")), "{message}");
        }
    }

    #[test]
    fn fields_are_escaped() {
        let json = r#"{"client":{"ip":"10.0.0.1","port":7},"http":{"request":{"method":"GET"},"response":{
            "status_code":200}},"url":{"domain":"a.example","path":"/a\"b\\c]\nd"},"user":{"name":{"x":1}}}"#;
        let message = message(r#"{"address":"a:1","format":"fields","structured_data_id":"x@1"}"#, json);
        let expected = "<134>1 - sensor-1 harken - - [x@1 client.ip=\"10.0.0.1\" client.port=\"7\" \
            http.request.method=\"GET\" http.response.status_code=\"200\" url.domain=\"a.example\" \
            url.path=\"/a\\\"b\\\\c\\] d\"] 10.0.0.1 GET a.example/a\"b\\c] d 200";
        assert_eq!(message, expected);
    }
}
