//! A small filter over transactions: terms `FIELD OP VALUE`, all of which must hold.
mod value;

use crate::transaction::Transaction;
use harken_http::{Completeness, Known, Message, Pairing};
use harken_wire::Ip;
use std::fmt;
use value::{glob, net, range};

/// A filter; without terms it lets everything through.
#[derive(Clone, Default, Debug)]
pub struct Filter {
    terms: Vec<Term>,
}

/// A term that cannot be read; says what is wrong and how to mend it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilterError(String);

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FilterError {}

#[derive(Clone, Debug)]
struct Term {
    field: Field,
    /// The test must fail.
    not: bool,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Equals(String),
    Glob(String),
    /// First and last number.
    Range(u32, u32),
    /// Network and prefix length, as of the 128-bit form.
    Net(Ip, u32),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    Method,
    Host,
    Path,
    Uri,
    Status,
    Client,
    Server,
    Port,
    Vni,
    UserAgent,
    ContentType,
    Completeness,
    Pairing,
}

/// Names of the fields.
const FIELDS: [(&str, Field); 13] = [
    ("method", Field::Method),
    ("host", Field::Host),
    ("path", Field::Path),
    ("uri", Field::Uri),
    ("status", Field::Status),
    ("client", Field::Client),
    ("server", Field::Server),
    ("port", Field::Port),
    ("vni", Field::Vni),
    ("user_agent", Field::UserAgent),
    ("content_type", Field::ContentType),
    ("completeness", Field::Completeness),
    ("pairing", Field::Pairing),
];

impl Filter {
    /// Reads terms such as `status=5xx`, `path ~ /api/*` and `client != 10.0.0.0/8`.
    pub fn parse(terms: &[impl AsRef<str>]) -> Result<Self, FilterError> {
        terms
            .iter()
            .map(|term| Term::parse(term.as_ref()))
            .collect::<Result<_, _>>()
            .map(|terms| Self { terms })
    }

    /// Whether all terms hold. Of a value that a transaction lacks only `!=` holds.
    pub fn matches(&self, transaction: &Transaction<'_>) -> bool {
        self.terms.iter().all(|term| term.test.holds(term.field, transaction) != term.not)
    }
}

impl Term {
    fn parse(term: &str) -> Result<Self, FilterError> {
        let wrong = |what: String| Err(FilterError(format!("'{term}': {what}")));
        let Some(at) = term.find(['=', '!', '~']) else {
            return wrong("write FIELD OP VALUE, for example status=5xx".to_owned());
        };
        let (name, rest) = term.split_at(at);
        let name = name.trim();
        let Some(field) = FIELDS.iter().find(|(n, _)| *n == name).map(|(_, field)| *field) else {
            return wrong(format!(
                "there is no field '{name}'; fields are {}",
                FIELDS.map(|(n, _)| n).join(", ")
            ));
        };
        let ops = [("!=", true, false), ("=", false, false), ("~", false, true)];
        let op = ops.iter().find_map(|(op, not, glob)| Some((rest.strip_prefix(op)?.trim(), *not, *glob)));
        let Some((value, not, glob)) = op else {
            return wrong("the operators are = and != and ~".to_owned());
        };
        // Host names are compared in small letters.
        let small = value.to_ascii_lowercase();
        let value = if field == Field::Host { small.as_str() } else { value };
        let test = match (Test::parse(field, value, glob), glob) {
            (Some(Test::Equals(text)), true) => Test::Glob(text),
            (Some(Test::Range(..) | Test::Net(..)), true) => {
                return wrong(format!("{name} takes = and !=, not ~: write {name}=VALUE"));
            }
            (Some(test), _) => test,
            (None, _) => return wrong(format!("'{value}' does not fit {name}: write {}", field.example())),
        };
        Ok(Self { field, not, test })
    }
}

impl Field {
    const fn example(self) -> &'static str {
        match self {
            Self::Status => "404, 4xx or 400-499",
            Self::Client | Self::Server => "an address or a network such as 10.0.0.0/8",
            Self::Port | Self::Vni => "a number or two such as 8000-8999",
            Self::Completeness => "full, gap or truncated",
            Self::Pairing => {
                "paired, no_response, response_lost, request_lost, request_before_start, unsolicited or ambiguous"
            }
            _ => "some text",
        }
    }
}

impl Test {
    fn parse(field: Field, value: &str, glob: bool) -> Option<Self> {
        let text = || Self::Equals(value.to_owned());
        match field {
            Field::Status => match value.strip_suffix("xx") {
                Some(class) => {
                    let class: u32 = class.parse().ok().filter(|class| (1..10).contains(class))?;
                    Some(Self::Range(class * 100, class * 100 + 99))
                }
                None => range(value),
            },
            Field::Port | Field::Vni => range(value),
            Field::Client | Field::Server => net(value),
            Field::Completeness => {
                let all = [Completeness::Full, Completeness::Gap, Completeness::Truncated];
                (glob || all.iter().any(|c| c.name() == value)).then(text)
            }
            Field::Pairing => (glob || Pairing::ALL.iter().any(|p| p.name() == value)).then(text),
            _ => Some(text()),
        }
    }

    fn holds(&self, field: Field, t: &Transaction<'_>) -> bool {
        let text = |value: Option<&[u8]>| value.is_some_and(|value| self.text(value));
        let number = |value: Option<u32>| match self {
            Self::Range(first, last) => value.is_some_and(|n| (*first..=*last).contains(&n)),
            _ => false,
        };
        match field {
            Field::Method => text(t.request().map(Message::method)),
            Field::Host => {
                let (domain, host) = (t.url().and_then(|url| url.domain), t.fields().host);
                let lower = |host: Option<&[u8]>| host.map(<[u8]>::to_ascii_lowercase);
                text(lower(domain).as_deref()) || text(lower(host).as_deref())
            }
            Field::Path => text(t.url().and_then(|url| url.path)),
            Field::Uri => text(t.request().map(Message::target)),
            Field::Status => number(t.status().map(u32::from)),
            Field::Client => self.address(t.flow.client.ip),
            Field::Server => self.address(t.flow.server.ip),
            Field::Port => number(Some(u32::from(t.flow.server.port))),
            Field::Vni => number(t.flow.encap.vni),
            Field::UserAgent => text(t.fields().user_agent),
            Field::ContentType => [t.request(), t.response()].into_iter().flatten().any(|m| {
                let value = m.known(Known::ContentType);
                text(value.and_then(|v| v.split(|b| *b == b';').next()).map(<[u8]>::trim_ascii))
            }),
            Field::Completeness => {
                let seen = || [t.request(), t.response()].into_iter().flatten().map(|m| m.completeness);
                let whole = seen().all(|c| c == Completeness::Full);
                let mut states = seen().filter(|c| whole || *c != Completeness::Full);
                states.any(|c| self.text(c.name().as_bytes()))
            }
            Field::Pairing => self.text(t.exchange.pairing.name().as_bytes()),
        }
    }

    fn text(&self, value: &[u8]) -> bool {
        match self {
            Self::Equals(want) => want.as_bytes() == value,
            Self::Glob(pattern) => glob(pattern.as_bytes(), value),
            Self::Range(..) | Self::Net(..) => false,
        }
    }

    fn address(&self, ip: Ip) -> bool {
        match self {
            Self::Net(net, len) => (ip.bits() ^ net.bits()).checked_shr(128 - len).unwrap_or(0) == 0,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
