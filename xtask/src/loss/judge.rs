//! Judges http.log by the server's access log, connection by connection.
//!
//! The number of a request on its connection cannot be relied upon, since a lost request shifts those
//! behind it. Within a connection (client address and port) a record is known by what it says:
//!
//! 1. An untagged record whose method, URI, status, response length, host and user agent are all those
//!    of a request makes it *right*.
//! 2. A record that carries a `harken::` tag, or lacks its request or its response, makes a request
//!    *marked*. It is found by method and URI, or, when only the response is known, by status and length.
//! 3. Every other record says something that never happened: it is *wrong*, and so is the request of
//!    its method and URI where there is one left.
//! 4. A request that no record stands for is *missing*.

use anyhow::{Context, Result};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashMap;

/// Client address and port.
type Client = (String, u16);

/// A request as the server saw it.
#[derive(Clone, Debug, Deserialize)]
struct Request {
    c: String,
    p: u16,
    m: String,
    u: String,
    s: u16,
    b: u64,
    h: String,
    ua: String,
}

/// A line of http.log, by Zeek's names.
#[derive(Clone, Debug, Default, Deserialize)]
struct Record {
    #[serde(rename = "id.orig_h")]
    client: String,
    #[serde(rename = "id.orig_p")]
    port: u16,
    method: Option<String>,
    uri: Option<String>,
    #[serde(rename = "status_code")]
    status: Option<u16>,
    #[serde(rename = "response_body_len", default)]
    length: u64,
    host: Option<String>,
    user_agent: Option<String>,
    #[serde(default, deserialize_with = "tags")]
    tags: Vec<String>,
}

/// A set that may also be written as null.
fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Record {
    /// Whether the record itself says that something is missing.
    fn is_marked(&self) -> bool {
        self.method.is_none()
            || self.status.is_none()
            || self.tags.iter().any(|tag| tag.starts_with("harken::"))
    }

    fn asks(&self, request: &Request) -> bool {
        self.method.as_deref() == Some(&request.m) && self.uri.as_deref() == Some(&request.u)
    }

    fn answers(&self, request: &Request) -> bool {
        self.status == Some(request.s) && self.length == request.b
    }

    fn equals(&self, request: &Request) -> bool {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        self.asks(request)
            && self.answers(request)
            && text(&self.host) == request.h
            && text(&self.user_agent) == request.ua
    }
}

/// The server's requests by client, each in order.
pub(crate) struct Truth(HashMap<Client, Vec<Request>>);

/// The records by client, each in order.
pub(crate) struct Records(HashMap<Client, Vec<Record>>);

/// Reads an access log.
pub(crate) fn truth(access: &str) -> Result<Truth> {
    let mut all: HashMap<Client, Vec<Request>> = HashMap::new();
    for (index, line) in access.lines().enumerate() {
        let request: Request =
            serde_json::from_str(line).with_context(|| format!("access log, line {}", index + 1))?;
        // A connection that was closed before its first request is logged with no method.
        if !request.m.is_empty() {
            all.entry((request.c.clone(), request.p)).or_default().push(request);
        }
    }
    Ok(Truth(all))
}

/// Reads an http.log of JSON lines.
pub(crate) fn records(log: &str) -> Result<Records> {
    let mut all: HashMap<Client, Vec<Record>> = HashMap::new();
    for (index, line) in log.lines().enumerate() {
        let record: Record =
            serde_json::from_str(line).with_context(|| format!("http.log, line {}", index + 1))?;
        all.entry((record.client.clone(), record.port)).or_default().push(record);
    }
    Ok(Records(all))
}

/// How many requests came to what. `wrong` also counts records for which there is no request at all.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    pub(crate) total: u64,
    pub(crate) right: u64,
    pub(crate) marked: u64,
    /// Of those that are right or marked: method, URI and status are known.
    pub(crate) known: u64,
    pub(crate) missing: u64,
    pub(crate) wrong: u64,
    /// Requests at the end of which the client hung up; only [`judge_live`] counts them apart.
    pub(crate) hung_up: u64,
}

impl Tally {
    /// A percentage of all requests.
    pub(crate) fn share(&self, count: u64) -> f64 {
        100.0 * count as f64 / self.total.max(1) as f64
    }
}

/// Judges every request.
pub(crate) fn judge(truth: &Truth, records: &Records) -> Tally {
    let mut tally = Tally::default();
    for (client, requests) in &truth.0 {
        let records = records.0.get(client).map_or(&[][..], Vec::as_slice);
        connection(requests, records, &mut tally);
    }
    for (client, records) in &records.0 {
        if !truth.0.contains_key(client) {
            connection(&[], records, &mut tally);
        }
    }
    tally
}

/// What nginx logs when the client has hung up before the response.
const CLIENT_CLOSED: u16 = 499;

/// As [`judge`], where clients hang up in the middle, as load generators do at their end. Such a request is
/// the last one of its connection, and either the server says that it was (status 499), or the record says
/// that the exchange is incomplete. It must have been seen: a record asks for it, whatever it got.
pub(crate) fn judge_live(mut truth: Truth, mut records: Records) -> Tally {
    let mut hung_up = 0;
    for (client, requests) in &mut truth.0 {
        let Some(records) = records.0.get_mut(client) else { continue };
        let Some(last) = requests.last() else { continue };
        let Some(at) = records.iter().rposition(|record| record.asks(last)) else { continue };
        let closed = last.s == CLIENT_CLOSED || records.get(at).is_some_and(Record::is_marked);
        if closed {
            hung_up += 1;
            requests.pop();
            records.remove(at);
        }
    }
    let mut tally = judge(&truth, &records);
    tally.total += hung_up;
    tally.hung_up = hung_up;
    tally
}

/// What a request has been found to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Marked by a record that has the request alone: its response may stand in another record.
    Half,
    Done,
}

fn connection(requests: &[Request], records: &[Record], tally: &mut Tally) {
    tally.total += requests.len() as u64;
    let mut states = vec![State::Open; requests.len()];
    let mut take = |wanted: State, becomes: State, fits: &dyn Fn(&Request) -> bool| {
        let found =
            requests.iter().zip(&mut states).find(|(request, state)| **state == wanted && fits(request));
        found.map(|(_, state)| *state = becomes).is_some()
    };
    let (marked, plain): (Vec<&Record>, Vec<&Record>) = records.iter().partition(|record| record.is_marked());
    let rest: Vec<&Record> = plain
        .into_iter()
        .filter(|record| {
            let right = take(State::Open, State::Done, &|request| record.equals(request));
            tally.right += u64::from(right);
            tally.known += u64::from(right);
            !right
        })
        .collect();
    let (asking, answering): (Vec<&Record>, Vec<&Record>) =
        marked.into_iter().partition(|r| r.method.is_some());
    for record in asking {
        let becomes = if record.status.is_some() { State::Done } else { State::Half };
        let is_answer = |request: &Request| record.status == Some(request.s);
        let is_known = take(State::Open, becomes, &|request| record.asks(request) && is_answer(request));
        tally.known += u64::from(is_known);
        tally.marked += u64::from(is_known || take(State::Open, becomes, &|request| record.asks(request)));
    }
    for record in answering {
        // The other half of a request that has been counted, or all that is left of another one.
        if !take(State::Half, State::Done, &|request| record.answers(request)) {
            tally.marked += u64::from(take(State::Open, State::Done, &|request| record.answers(request)));
        }
    }
    for record in rest {
        take(State::Open, State::Done, &|request| record.asks(request));
        tally.wrong += 1;
    }
    tally.missing += states.iter().filter(|state| **state == State::Open).count() as u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCESS: &str = "\
{\"ts\":1.5,\"c\":\"10.9.0.2\",\"p\":4000,\"m\":\"GET\",\"u\":\"/a\",\"s\":200,\"b\":10,\"h\":\"h\",\"ua\":\"x\",\"n\":1}
{\"ts\":1.6,\"c\":\"10.9.0.2\",\"p\":4000,\"m\":\"GET\",\"u\":\"/b\",\"s\":404,\"b\":20,\"h\":\"h\",\"ua\":\"\",\"n\":2}
{\"ts\":1.7,\"c\":\"10.9.0.2\",\"p\":4000,\"m\":\"\",\"u\":\"\",\"s\":400,\"b\":0,\"h\":\"\",\"ua\":\"\",\"n\":3}
";

    /// A line of http.log: method, URI, status, length, and more fields.
    fn line(asked: Option<(&str, &str)>, answered: Option<(u16, u64)>, more: &str) -> String {
        let asked = asked
            .map_or(String::new(), |(m, u)| format!(",\"method\":\"{m}\",\"uri\":\"{u}\",\"host\":\"h\""));
        let answered = answered
            .map_or(String::new(), |(s, b)| format!(",\"status_code\":{s},\"response_body_len\":{b}"));
        format!("{{\"id.orig_h\":\"10.9.0.2\",\"id.orig_p\":4000{asked}{answered}{more}}}\n")
    }

    #[test]
    fn each_verdict() {
        let ua = ",\"user_agent\":\"x\"";
        let gap = ",\"user_agent\":\"x\",\"tags\":[\"harken::GAP\"]";
        let a = line(Some(("GET", "/a")), Some((200, 10)), ua);
        let b = line(Some(("GET", "/b")), Some((404, 20)), ",\"tags\":null");
        for (name, log, (right, marked, missing, wrong)) in [
            ("all", format!("{a}{b}"), (2, 0, 0, 0)),
            ("order does not matter", format!("{b}{a}"), (2, 0, 0, 0)),
            ("one missing", b.clone(), (1, 0, 1, 0)),
            ("nothing", String::new(), (0, 0, 2, 0)),
            ("tagged", b.clone() + &line(Some(("GET", "/a")), Some((200, 4)), gap), (1, 1, 0, 0)),
            ("request only", b.clone() + &line(Some(("GET", "/a")), None, ua), (1, 1, 0, 0)),
            ("response only", b.clone() + &line(None, Some((200, 10)), ""), (1, 1, 0, 0)),
            (
                "both halves are one request",
                line(Some(("GET", "/a")), None, ua) + &line(None, Some((200, 10)), "") + &b,
                (1, 1, 0, 0),
            ),
            ("another status", b.clone() + &line(Some(("GET", "/a")), Some((404, 10)), ua), (1, 0, 0, 1)),
            ("another length", b.clone() + &line(Some(("GET", "/a")), Some((200, 9)), ua), (1, 0, 0, 1)),
            ("another agent", b.clone() + &line(Some(("GET", "/a")), Some((200, 10)), ""), (1, 0, 0, 1)),
            ("invented", format!("{a}{b}{}", line(Some(("GET", "/c")), Some((200, 10)), ua)), (2, 0, 0, 1)),
            ("twice", format!("{a}{a}{b}"), (2, 0, 0, 1)),
            ("elsewhere", format!("{a}{b}").replace("4000", "4001"), (0, 0, 2, 2)),
        ] {
            let tally = judge(&truth(ACCESS).unwrap(), &records(&log).unwrap());
            // The tagged record has method, URI and status; halves do not.
            let known = right + u64::from(name == "tagged");
            assert_eq!(tally, Tally { total: 2, right, marked, known, missing, wrong, hung_up: 0 }, "{name}");
        }
    }

    #[test]
    fn clients_may_hang_up_at_the_end_only() {
        let a = line(Some(("GET", "/a")), Some((200, 10)), ",\"user_agent\":\"x\"");
        let half = |uri| line(Some(("GET", uri)), None, "");
        let closed = ACCESS.replace("404", "499");
        for (name, access, log, (right, hung_up, marked, missing)) in [
            ("no response", closed.as_str(), format!("{a}{}", half("/b")), (1, 1, 0, 0)),
            (
                "a response all the same",
                &closed,
                format!("{a}{}", line(Some(("GET", "/b")), Some((200, 7)), "")),
                (1, 1, 0, 0),
            ),
            ("cut, and the server does not know", ACCESS, format!("{a}{}", half("/b")), (1, 1, 0, 0)),
            ("not seen at all", &closed, a.clone(), (1, 0, 0, 1)),
            (
                "not the last one",
                ACCESS,
                half("/a") + &line(Some(("GET", "/b")), Some((404, 20)), ""),
                (1, 0, 1, 0),
            ),
        ] {
            let tally = judge_live(truth(access).unwrap(), records(&log).unwrap());
            let expected = Tally { total: 2, right, marked, known: right, missing, wrong: 0, hung_up };
            assert_eq!(tally, expected, "{name}");
        }
    }

    #[test]
    fn a_damaged_line_is_named() {
        assert!(format!("{:#}", truth("{}").err().unwrap()).contains("line 1"));
        assert!(format!("{:#}", records("nonsense").err().unwrap()).contains("line 1"));
    }
}
