//! What simple rules ask of an event, borrowed from its text; the rest is skipped, bodies above all.

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

/// Text that is borrowed where it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrow)
    }
}

/// The value of the field `Content-Type` in a list of header fields, without parameters.
#[derive(Debug, Default)]
struct ContentType<'a>(Option<Text<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for ContentType<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Header<'a> {
            #[serde(borrow)]
            name: Text<'a>,
            #[serde(borrow)]
            value: Text<'a>,
        }
        struct Find;
        impl<'de> Visitor<'de> for Find {
            type Value = ContentType<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of header fields")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ContentType<'de>, A::Error> {
                let mut found = ContentType(None);
                while let Some(header) = list.next_element::<Header<'de>>()? {
                    if found.0.is_none() && header.name.0.eq_ignore_ascii_case("content-type") {
                        found.0 = Some(header.value);
                    }
                }
                Ok(found)
            }
        }
        deserializer.deserialize_seq(Find)
    }
}

#[derive(Deserialize)]
struct Peer<'a> {
    #[serde(borrow)]
    ip: Option<Text<'a>>,
}

/// The address of a peer; none where what stands there is none, as when it was masked.
fn address(peer: Option<Peer<'_>>) -> Option<IpAddr> {
    peer?.ip?.0.parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

#[derive(Deserialize, Default)]
struct Message<'a> {
    #[serde(borrow)]
    method: Option<Text<'a>>,
    status_code: Option<u16>,
    #[serde(borrow)]
    mime_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    headers: ContentType<'a>,
}

impl<'a> Message<'a> {
    /// What the sender calls the body; what its content looks like where the sender does not say.
    fn content_type(self) -> Option<Text<'a>> {
        let Some(Text(value)) = self.headers.0 else { return self.mime_type };
        let cut = |text: &str| text.split(';').next().unwrap_or_default().trim_ascii().len();
        Some(Text(match value {
            Cow::Borrowed(text) => {
                let text = text.trim_ascii_start();
                Cow::Borrowed(text.get(..cut(text)).unwrap_or(text))
            }
            Cow::Owned(text) => {
                let text = text.trim_ascii_start();
                Cow::Owned(text.get(..cut(text)).unwrap_or(text).to_owned())
            }
        }))
    }
}

#[derive(Deserialize, Default)]
struct Http<'a> {
    #[serde(borrow, default)]
    request: Message<'a>,
    #[serde(borrow, default)]
    response: Message<'a>,
}

#[derive(Deserialize, Default)]
struct Url<'a> {
    #[serde(borrow)]
    domain: Option<Text<'a>>,
    #[serde(borrow)]
    path: Option<Text<'a>>,
}

#[derive(Deserialize, Default)]
struct Agent<'a> {
    #[serde(borrow)]
    original: Option<Text<'a>>,
}

#[derive(Deserialize, Default)]
struct Tunnel {
    vni: Option<u32>,
}

#[derive(Deserialize, Default)]
struct Harken<'a> {
    #[serde(borrow)]
    uid: Option<Text<'a>>,
    #[serde(default)]
    tunnel: Tunnel,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, rename = "@timestamp")]
    timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    client: Option<Peer<'a>>,
    #[serde(borrow)]
    server: Option<Peer<'a>>,
    #[serde(borrow, default)]
    http: Http<'a>,
    #[serde(borrow, default)]
    url: Url<'a>,
    #[serde(borrow, default)]
    user_agent: Agent<'a>,
    #[serde(borrow, default)]
    harken: Harken<'a>,
}

/// What simple rules ask of an event.
#[derive(Debug, Clone)]
pub(crate) struct View<'a> {
    pub(crate) timestamp: Option<Text<'a>>,
    pub(crate) client: Option<IpAddr>,
    pub(crate) server: Option<IpAddr>,
    pub(crate) method: Option<Text<'a>>,
    /// The host in small letters, without a port.
    pub(crate) host: Option<Cow<'a, str>>,
    pub(crate) path: Option<Text<'a>>,
    pub(crate) status: Option<u16>,
    /// Of the request and of the response, without parameters.
    pub(crate) content_types: [Option<Text<'a>>; 2],
    pub(crate) user_agent: Option<Text<'a>>,
    pub(crate) vni: Option<u32>,
    pub(crate) uid: Option<Text<'a>>,
}

impl<'a> View<'a> {
    /// Reads what is asked for out of an event.
    pub(crate) fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        // The reader would take a list for a structure, its elements in order.
        if !text.trim_ascii_start().starts_with('{') {
            return Err(serde_json::Error::custom("not an object"));
        }
        let raw: Raw<'a> = serde_json::from_str(text)?;
        let method = raw.http.request.method.clone();
        Ok(Self {
            timestamp: raw.timestamp,
            client: address(raw.client),
            server: address(raw.server),
            method,
            host: raw.url.domain.map(|Text(host)| small(host)),
            path: raw.url.path,
            status: raw.http.response.status_code,
            content_types: [raw.http.request.content_type(), raw.http.response.content_type()],
            user_agent: raw.user_agent.original,
            vni: raw.harken.tunnel.vni,
            uid: raw.harken.uid,
        })
    }
}

/// The text in small letters.
fn small(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        text
    }
}
